"""bench_server.py: what the benchmarks over the wire share: a server of their own, a client that
asks it about itself, wire_load as a function, tables."""

import math
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time


class Client:
    """Enough of RESP2 for asking a server about itself."""

    def __init__(self, port):
        self.socket = socket.create_connection(('127.0.0.1', port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile('rb')

    def call(self, *words):
        words = [w if isinstance(w, bytes) else str(w).encode() for w in words]
        parts = [b'*%d\r\n' % len(words)] + [b'$%d\r\n%s\r\n' % (len(w), w) for w in words]
        self.socket.sendall(b''.join(parts))
        return self.reply()

    def reply(self):
        line = self.file.readline()
        kind, text = line[:1], line[1:-2]
        if kind == b'$':
            size = int(text)
            return None if size < 0 else self.file.read(size + 2)[:-2]
        if kind == b'*':
            return [self.reply() for _ in range(int(text))]  # a null array reads as empty
        if kind == b':':
            return int(text)
        if kind == b'-':
            raise RuntimeError(text.decode())
        if kind == b'+':
            return text
        if line == b'':
            raise ConnectionError('the server has closed the connection')
        raise RuntimeError(f'not a reply: {line!r}')

    def info(self, section):
        """The fields of a section of INFO, as text."""
        lines = self.call('INFO', section).decode().splitlines()
        return dict(line.split(':', 1) for line in lines if ':' in line)

    def vinfo(self, key):
        """The fields of a collection; {} when there is none."""
        fields = self.call('VINFO', key)
        return {k.decode(): v for k, v in zip(fields[::2], fields[1::2])}


def spare_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


class Server:
    """A server process of ours or Redis's, in a folder of its own or in one that is given and kept.

    With wait it is asked until it answers; without, the caller connects."""

    def __init__(self, program, options, folder=None, wait=True, port=None):
        self.temporary = None
        if folder is None:
            self.temporary = tempfile.TemporaryDirectory(prefix='bench-wire-')
            folder = self.temporary.name
        self.folder = folder
        self.port = port or spare_port()
        self.client = None
        command = [os.path.abspath(program), '--port', str(self.port)]
        for name, value in options.items():
            command += ['--' + name, value]
        self.log = open(os.path.join(folder, 'log'), 'ab')
        self.started_s = time.monotonic()
        self.process = subprocess.Popen(command, cwd=folder, stdout=self.log, stderr=self.log)
        try:
            if wait:
                self.client = self.connect()
        except BaseException:
            self.stop()
            raise

    def said(self):
        with open(self.log.name, 'rb') as f:
            return f.read().decode(errors='replace')

    def connect(self, wait_s=60):
        """A client, as soon as the server answers and has all its data."""
        end = time.monotonic() + wait_s
        while time.monotonic() < end and self.process.poll() is None:
            try:
                client = Client(self.port)
                client.call('EXISTS', 'none')
                return client
            except OSError:
                time.sleep(0.02)
            except RuntimeError as e:
                if not str(e).startswith('LOADING'):
                    raise
                time.sleep(0.02)
        sys.exit('the server does not answer:\n' + self.said())

    def rss_bytes(self, field='VmRSS'):
        """VmHWM is the peak since reset_peak()."""
        with open(f'/proc/{self.process.pid}/status', encoding='ascii') as f:
            return int(re.search(rf'^{field}:\s+(\d+) kB', f.read(), re.M)[1]) * 1024

    def reset_peak(self):
        with open(f'/proc/{self.process.pid}/clear_refs', 'w', encoding='ascii') as f:
            f.write('5')

    def stop(self, how=signal.SIGTERM):
        """SIGTERM asks it to end in order, SIGKILL is a crash."""
        self.process.send_signal(how)
        self.process.wait()
        self.log.close()
        if self.temporary is not None:
            self.temporary.cleanup()


class Load:
    """wire_load against one server after another."""

    def __init__(self, tools, data, set_name):
        self.command = [os.path.join(tools, 'wire_load'), '--data', data, '--set', set_name]

    def start(self, port, *words):
        """The process; its output belongs to parse()."""
        return subprocess.Popen([*self.command, '--port', str(port), *map(str, words)],
                                stdout=subprocess.PIPE)

    def parse(self, run):
        """Waits for its end; {role: {field: number}}."""
        out = run.communicate()[0].decode()
        if run.returncode != 0:
            sys.exit(f'failed: {" ".join(run.args)}')
        roles = {}
        for line in out.splitlines():
            fields = dict(re.findall(r'(\w+)=(\S+)', line))
            if 'role' in fields:
                name = fields.pop('role')
                roles[name] = {k: float(v) for k, v in fields.items()}
        return roles

    def run(self, port, *words, watch=None):
        """Calls watch meanwhile."""
        with self.start(port, *words) as run:
            while watch is not None and run.poll() is None:
                watch()
                time.sleep(0.2)
            return self.parse(run)

    def find_effort(self, port, wanted, role='search', option='EF'):
        """The EF at which a search over the wire has the recall, between two that were measured."""
        last = None
        for ef in (20, 40, 60, 80, 120, 160, 240, 360, 540, 800):
            # All 2,000 queries once.
            recall = self.run(port, '--seconds', 60, '--warmup', 0, '--searches', 2000,
                              '--effort', f'{option} {ef}', f'{role}=1')[role]['recall']
            if recall >= wanted:
                if last is None:
                    return ef
                share = (logit(wanted) - logit(last[1])) / (logit(recall) - logit(last[1]))
                return round(math.exp(math.log(last[0]) * (1 - share) + math.log(ef) * share))
            last = (ef, recall)
        sys.exit(f'recall {wanted} is not reached')


def logit(p):
    p = min(max(p, 1e-6), 1 - 1e-6)
    return math.log(p / (1 - p))


def median_of(runs, field):
    return statistics.median(run[field] for run in runs)


def quantiles(runs):
    return ', '.join(f'{median_of(runs, f):,.0f}' for f in ('p50_us', 'p99_us', 'p999_us')) + ' us'


def print_rows(title, rows, heads=('what', 'figure')):
    print(f'\n### {title}\n\n| {" | ".join(heads)} |\n|{"---|" * len(heads)}')
    for row in rows:
        print(f'| {" | ".join(map(str, row))} |')
    sys.stdout.flush()
