"""process.py: a server on a folder that outlives it, to be killed at any moment."""

import os
import signal
import subprocess
import sys
import time

TESTS = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.append(os.path.join(TESTS, 'lib'))
import resp
import server


class Died(Exception):
    """The server ended by itself; the text says how."""


class Process:
    """vdb-server on folder. Its output is appended to folder + '.log', beside the folder, so that a
    full or failing disk of the server is not the disk of its log."""

    def __init__(self, folder, *options, command=(server.SERVER,), log=None):
        self.folder = folder
        self.port = server.free_port()
        self.log = log or folder + '.log'
        with open(self.log, 'ab') as file:
            self.process = subprocess.Popen(
                [*command, '--port', str(self.port), '--dir', folder, *options],
                stdout=file, stderr=file, stdin=subprocess.DEVNULL)
        self.pid = self.process.pid

    def connect(self, on_reply=None):
        return resp.Connection(self.port, on_reply)

    def wait(self, timeout_s=60):
        """Returns a connection as soon as the server has loaded its data and serves."""
        end = time.monotonic() + timeout_s
        connection = None
        while time.monotonic() < end:
            self.must_live()
            try:
                connection = connection or self.connect()
                reply = connection.ask('GET', '', timeout_s=timeout_s)
                if not isinstance(reply, resp.ReplyError) or not reply.startswith(b'LOADING'):
                    return connection
            except (OSError, resp.Lost):
                connection = None
            time.sleep(0.002)
        raise TimeoutError(f'the server does not serve after {timeout_s} s; see {self.log}')

    def must_live(self):
        status = self.process.poll()
        if status is not None:
            raise Died(f'the server ended by itself with {status}; the end of its log:\n' +
                       self.said()[-2000:])

    def said(self):
        with open(self.log, encoding='utf-8', errors='replace') as file:
            return file.read()

    def kill(self):
        """SIGKILL; whether it still ran then."""
        lived = self.process.poll() is None
        self.process.kill()
        self.process.wait()
        return lived

    def stop(self):
        """SIGTERM; its exit status."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return -signal.SIGKILL
