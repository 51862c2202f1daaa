#!/usr/bin/python3
"""bench_wire.py: the server over loopback, beside redis-server and hnswlib. Prints tables.

    bench_wire.py --server build/vdb-server --tools DIR [--parts redis,ingest,...]

Starts vdb-server and (for the part redis) redis-server on spare ports, without persistence, and
stops them. The load comes from redis-benchmark and from wire_load, which stands with bench_index in
the folder that --tools names. What every figure means is in README.md beside this file.
"""

import argparse
import math
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time

PARTS = ['redis', 'ingest', 'search', 'mixed', 'visible', 'tenants']
SET = 'glove100'
RECALL = 0.95
REDIS_TESTS = ['ping_inline', 'ping_mbulk', 'set', 'get']
CONFIG = {'appendonly': 'no', 'save': ''}


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
        raise RuntimeError(f'not a reply: {line!r}')


def spare_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


class Server:
    """A server process of ours or Redis's, with an empty folder to live in."""

    def __init__(self, program, options):
        self.folder = tempfile.TemporaryDirectory(prefix='bench-wire-')
        self.port = spare_port()
        command = [os.path.abspath(program), '--port', str(self.port)]
        for name, value in options.items():
            command += ['--' + name, value]
        self.log = open(os.path.join(self.folder.name, 'log'), 'wb')
        self.process = subprocess.Popen(command, cwd=self.folder.name, stdout=self.log,
                                        stderr=self.log)
        try:
            self.client = self.connect()
        except BaseException:
            self.stop()
            raise

    def connect(self):
        for _ in range(100):
            try:
                client = Client(self.port)
                client.call('PING')
                return client
            except OSError:
                time.sleep(0.05)
            if self.process.poll() is not None:
                break
        with open(self.log.name, 'rb') as f:
            sys.exit('the server does not answer:\n' + f.read().decode(errors='replace'))

    def rss_bytes(self):
        with open(f'/proc/{self.process.pid}/statm', encoding='ascii') as f:
            return int(f.read().split()[1]) * os.sysconf('SC_PAGE_SIZE')

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.log.close()
        self.folder.cleanup()


class Bench:
    def __init__(self, args):
        self.args = args
        self.vdb = Server(args.server, CONFIG)
        self.idle_qps = 0
        self.effort = 0

    def load(self, *words, watch=None):
        """Runs wire_load, calls watch meanwhile; returns {role: {field: number}}."""
        command = [os.path.join(self.args.tools, 'wire_load'), '--port', str(self.vdb.port),
                   '--data', self.args.data, '--set', SET, *map(str, words)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as run:
            while watch is not None and run.poll() is None:
                watch()
                time.sleep(0.2)
            out = run.communicate()[0].decode()
        if run.returncode != 0:
            sys.exit(f'failed: {" ".join(command)}')
        roles = {}
        for line in out.splitlines():
            fields = dict(re.findall(r'(\w+)=(\S+)', line))
            name = fields.pop('role')
            roles[name] = {k: float(v) for k, v in fields.items()}
        return roles

    def pending(self):
        info = self.vdb.client.call('VINFO', SET)
        fields = dict(zip(info[::2], info[1::2]))
        return int(fields[b'pending'])

    def wait_linked(self):
        start = time.monotonic()
        while self.pending() > 0:
            time.sleep(0.02)
        return time.monotonic() - start

    def create(self):
        self.vdb.client.call('VCREATE', SET, 'DIM', 100, 'METRIC', 'COSINE')

    def have_collection(self):
        """The parts that search need the whole set, linked."""
        if not self.vdb.client.call('VINFO', SET):
            self.create()
            self.load('--seconds', 600, '--depth', 1000, 'add=1')
        self.wait_linked()

    # The parts.

    def redis(self):
        redis = Server('/usr/bin/redis-server', CONFIG)
        print('\n### Plain commands: redis-benchmark -c 50, requests/s, medians of '
              f'{self.args.passes} alternating runs\n')
        print('| test | -P | vdb | redis-server | ratio |\n|---|---|---|---|---|')
        for pipeline, count in ((1, 100000), (16, 500000)):
            for test in REDIS_TESTS:
                rates = {self.vdb: [], redis: []}
                for _ in range(self.args.passes):
                    for server, of_server in rates.items():
                        of_server.append(redis_benchmark(server.port, test, pipeline, count))
                ours, theirs = (statistics.median(of_server) for of_server in rates.values())
                print(f'| {test} | {pipeline} | {ours:,.0f} | {theirs:,.0f} | '
                      f'{ours / theirs:.2f}x |', flush=True)
        redis.stop()

    def ingest(self):
        print('\n### Ingest of glove100, 1 connection\n')
        print('| command | first 100,000/s | all acknowledged/s | all acknowledged s | '
              'linked s | RSS bytes/vector |\n|---|---|---|---|---|---|')
        for name, words in (('VADD FP32, 1,000 in flight', ('--depth', 1000, 'add=1')),
                            ('VMADD of 1,000, 4 in flight', ('--depth', 4, 'madd=1'))):
            self.vdb.stop()
            self.vdb = Server(self.args.server, CONFIG)
            before = self.vdb.rss_bytes()
            self.create()
            start = time.monotonic()
            tally = next(iter(self.load('--seconds', 600, '--mark', 100000, *words).values()))
            self.wait_linked()
            linked_s = time.monotonic() - start
            size = (self.vdb.rss_bytes() - before) / tally['done']
            print(f'| {name} | {100000 / tally["mark_s"]:,.0f} | {tally["rate"]:,.0f} | '
                  f'{tally["seconds"]:.2f} | {linked_s:.1f} | {size:,.0f} |', flush=True)

    def searches(self, conns, seconds, effort):
        return self.load('--seconds', seconds, '--effort', effort, f'search={conns}')['search']

    def find_effort(self):
        """The EF at which a search over the wire has the recall, between two that were measured."""
        last = None
        for ef in (40, 60, 80, 120, 160, 240, 360, 540, 800):
            # All 2,000 queries once.
            recall = self.load('--seconds', 60, '--warmup', 0, '--searches', 2000,
                               '--effort', f'EF {ef}', 'search=1')['search']['recall']
            if recall >= RECALL:
                if last is None:
                    return ef
                share = (logit(RECALL) - logit(last[1])) / (logit(recall) - logit(last[1]))
                return round(math.exp(math.log(last[0]) * (1 - share) + math.log(ef) * share))
            last = (ef, recall)
        sys.exit(f'recall {RECALL} is not reached')

    def in_process(self):
        """Microseconds of one search at the recall, {system: us}, measured without a server."""
        command = [os.path.join(self.args.tools, 'bench_index'), '--data', self.args.data,
                   '--cache', os.path.join(self.args.data, 'bench-cache'),
                   '--systems', 'vdb,hnswlib', '--brief', str(RECALL), SET]
        lines = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.decode()
        return {f[1]: float(f[4]) for f in (line.split() for line in lines.splitlines())}

    def search(self):
        self.have_collection()
        inside = self.in_process()
        effort = f'EF {self.find_effort()}'
        runs = {'ping': [], 'search': [], 'eight': []}
        for _ in range(self.args.passes):
            runs['ping'].append(self.load('--seconds', 1, 'ping=1')['ping'])
            runs['search'].append(self.searches(1, 2, effort))
            runs['eight'].append(self.searches(8, 2, effort))
        ping, one, eight = (median_of(runs[k], 'p50_us') for k in ('ping', 'search', 'eight'))
        one_qps, eight_qps = (median_of(runs[k], 'rate') for k in ('search', 'eight'))
        recall = median_of(runs['search'], 'recall')
        rows = [
            ('effort, recall over the wire', f'{effort}, {recall:.4f}'),
            ('in process: vdb, hnswlib (one thread)',
             f'{inside["vdb"]:.0f}, {inside["hnswlib"]:.0f} us'),
            ('PING p50', f'{ping:.1f} us'),
            ('VSEARCH p50, 1 connection', f'{one:.1f} us ({one_qps:,.0f} QPS)'),
            ('... less the search itself and a PING', f'{one - inside["vdb"] - ping:.1f} us'),
            ('VSEARCH, 8 connections', f'{eight_qps:,.0f} QPS, p50 {eight:.0f} us, '
             f'p99 {median_of(runs["eight"], "p99_us"):.0f} us'),
            ('... to one hnswlib thread', f'{eight_qps * inside["hnswlib"] / 1e6:.2f}x'),
        ]
        print_rows(f'VSEARCH FP32 of 100 dimensions, recall {RECALL}, k 10', rows)

    def mixed(self):
        self.have_collection()
        effort = f'EF {self.find_effort()}'
        first = 10_000_000
        waiting = []
        runs = {'idle': [], 'busy': [], 'ping': [], 'ping_idle': [], 'noise': []}
        for i in range(max(self.args.passes // 2, 1)):
            self.wait_linked()
            idle = self.load('--seconds', 5, '--effort', effort, 'search=8', 'ping=1')
            busy = self.load('--seconds', 8, '--effort', effort, '--first', first + i * 1_000_000,
                             'search=8', 'noise=1', 'ping=1',
                             watch=lambda: waiting.append(self.pending()))
            runs['idle'].append(idle['search'])
            runs['ping_idle'].append(idle['ping'])
            runs['busy'].append(busy['search'])
            runs['ping'].append(busy['ping'])
            runs['noise'].append(busy['noise'])
        idle, busy = (median_of(runs[k], 'rate') for k in ('idle', 'busy'))
        rows = [
            ('VSEARCH idle', f'{idle:,.0f} QPS, recall {median_of(runs["idle"], "recall"):.4f}'),
            ('VSEARCH while 1 connection adds',
             f'{busy:,.0f} QPS ({busy / idle:.2f} of idle), '
             f'recall {median_of(runs["busy"], "recall"):.4f}'),
            ('added meanwhile', f'{median_of(runs["noise"], "rate"):,.0f}/s'),
            ('not linked yet meanwhile', f'{statistics.median(waiting):,.0f} (median)'),
            ('PING p50, p99, p99.9 while 8 search', quantiles(runs['ping_idle'])),
            ('PING p50, p99, p99.9 while 8 search and 1 adds', quantiles(runs['ping'])),
        ]
        print_rows('Searches and PING under load: 8 connections search, 1 adds', rows)

    def visible(self):
        """A VADD acknowledged on one connection is found by the next VSEARCH on another."""
        name, count = 'visible', 5000
        other = Client(self.vdb.port)
        self.vdb.client.call('VCREATE', name, 'DIM', 16, 'METRIC', 'L2')
        missed = 0
        for i in range(count):
            vector = ['VALUES', 16] + [str((i * 7919 >> bit) % 97 + bit / 7) for bit in range(16)]
            self.vdb.client.call('VADD', name, *vector, f'e{i}')
            found = other.call('VSEARCH', name, 'ELE', f'e{i}', 'COUNT', 10)
            near = other.call('VSEARCH', name, *vector, 'COUNT', 10, 'EF', 100)
            missed += not (found and f'e{i}'.encode() in near)
        self.vdb.client.call('VDROP', name)
        print_rows('Visible at once', [(f'{count} VADDs, each searched on another connection',
                                        f'{missed} not found')])

    def tenants(self):
        count = 10000
        server, self.vdb = self.vdb, Server(self.args.server, CONFIG)
        before = self.vdb.rss_bytes()
        create = self.load('--seconds', 60, '--tenants', count, 'create=1')['create']
        fill = self.load('--seconds', 60, '--tenants', count, 'fill=1')['fill']
        size = (self.vdb.rss_bytes() - before) / count
        self.vdb.stop()
        self.vdb = server
        print_rows(f'{count:,} collections of 10 vectors of 128 dimensions',
                   [('created', f'{create["rate"]:,.0f}/s'), ('VADDs', f'{fill["rate"]:,.0f}/s'),
                    ('RSS of each', f'{size / 1024:.1f} KiB')])


def logit(p):
    p = min(max(p, 1e-6), 1 - 1e-6)
    return math.log(p / (1 - p))


def median_of(runs, field):
    return statistics.median(run[field] for run in runs)


def quantiles(runs):
    return ', '.join(f'{median_of(runs, f):,.0f}' for f in ('p50_us', 'p99_us', 'p999_us')) + ' us'


def print_rows(title, rows):
    print(f'\n### {title}\n\n| what | figure |\n|---|---|')
    for row in rows:
        print(f'| {row[0]} | {row[1]} |')
    sys.stdout.flush()


def redis_benchmark(port, test, pipeline, count):
    """Requests per second of one run."""
    command = ['redis-benchmark', '-p', str(port), '-c', '50', '-P', str(pipeline),
               '-n', str(count), '-t', test, '--csv']
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    return float(re.search(r'^"\w+","([\d.]+)"', run.stdout.decode(), re.M)[1])


def main():
    parser = argparse.ArgumentParser(description='The server over loopback. Prints tables.')
    parser.add_argument('--server', default='build/vdb-server')
    parser.add_argument('--tools', required=True, help='folder of wire_load and bench_index')
    parser.add_argument('--data', default='data')
    parser.add_argument('--parts', default=','.join(PARTS), help='of: ' + ', '.join(PARTS))
    parser.add_argument('--passes', type=int, default=5)
    args = parser.parse_args()
    args.tools, args.data = os.path.abspath(args.tools), os.path.abspath(args.data)
    parts = args.parts.split(',')
    if set(parts) - set(PARTS):
        parser.error('no such part: ' + ', '.join(set(parts) - set(PARTS)))
    bench = Bench(args)
    try:
        for part in parts:
            getattr(bench, part)()
    finally:
        bench.vdb.stop()


if __name__ == '__main__':
    main()
