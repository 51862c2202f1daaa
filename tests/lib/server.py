"""server.py: a vdb-server of a test's own, in a folder of its own, and programs to talk to it."""

import os
import resource
import shutil
import socket
import subprocess
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SERVER = os.environ.get('VDB_SERVER') or os.path.join(ROOT, 'build', 'vdb-server')
TOOL = os.path.join(ROOT, 'build', 'vdb')
START_S = 30


def is_sanitized():
    """Whether the server checks itself, and so takes more time and memory."""
    with open(SERVER, 'rb') as binary:
        text = binary.read()
    return b'__asan_init' in text or b'__tsan_init' in text


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def run(*command, text=True):
    """Runs a program to its end; its status, output and errors are in the result."""
    return subprocess.run([str(word) for word in command], capture_output=True, text=text,
                          timeout=300, check=False)


class Server:
    """Started when made, stopped by stop(). After that, output is what it printed.

    A folder that is given is kept; one of its own goes with the server. descriptors: so many and no
    more may it have open."""

    def __init__(self, *options, folder=None, conf=None, descriptors=None):
        self.own_folder = folder is None
        self.folder = folder or tempfile.mkdtemp(prefix='vdb-test-')
        self.port = free_port()
        self.output = ''
        self.log = os.path.join(self.folder, 'log')
        with open(self.log, 'wb') as log:
            self.process = subprocess.Popen(
                [SERVER, *([conf] if conf else []), '--port', str(self.port), '--dir', self.folder,
                 *options], stdout=log, stderr=log,
                preexec_fn=descriptors and (lambda: resource.setrlimit(
                    resource.RLIMIT_NOFILE, (descriptors, descriptors))))
        ping = run(TOOL, 'ping', '--port', self.port)
        until = time.monotonic() + START_S
        while (ping.returncode != 0 and 'NOAUTH' not in ping.stderr and
               self.process.poll() is None and time.monotonic() < until):
            time.sleep(0.01)
            ping = run(TOOL, 'ping', '--port', self.port)
        if ping.returncode != 0 and 'NOAUTH' not in ping.stderr:
            self.stop()
            raise RuntimeError('vdb-server does not answer: ' + ping.stderr + self.output)

    def said(self):
        with open(self.log, encoding='utf-8', errors='replace') as log:
            return log.read()

    def stop(self):
        """Returns the exit status after SIGTERM."""
        self.process.terminate()
        try:
            status = self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        self.output = self.said()
        if self.own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)
        return status

    def tool(self, *words):
        return run(TOOL, *words, '--port', self.port)

    def cli(self, *words):
        """What redis-cli prints for a command, lines without their ends."""
        done = run('redis-cli', '-p', self.port, *words)
        return done.stdout.rstrip('\n').split('\n')
