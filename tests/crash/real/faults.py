"""faults.py: what a server must do while its disk fails, whatever the failure is.

A round: load, the disk breaks, load goes on, the disk is mended, writes are accepted again without
a restart, SIGKILL, restart on the folder, and the data is judged. In some rounds SIGKILL comes
before the disk is mended. While it is broken the server must live, answer reads, and refuse writes
with MISCONF or leave them waiting: what it refused must not be there afterwards, what it
acknowledged must."""

import os
import random
import shutil
import tempfile
import time

import load
import process
import resp
import workload

HEALS_WITHIN_S = 20  # the server tries once a second; the rest is for a busy machine
POLICIES = ('always', 'everysec', 'no')


class Rounds:
    """Rounds on one folder, with the models that go with it."""

    def __init__(self, seed, folder=None):
        self.rng = random.Random(seed)
        self.temp = tempfile.mkdtemp(prefix='vdb-faults-')
        self.folder = folder or os.path.join(self.temp, 'data')
        self.log = os.path.join(self.temp, 'server.log')
        self.load = None
        self.rounds = self.refused = self.acked = self.checked = self.refused_starts = 0

    def end(self):
        shutil.rmtree(self.temp, ignore_errors=True)

    def start(self, policy):
        return process.Process(self.folder, '--appendonly', 'yes', '--appendfsync', policy,
                               log=self.log)

    def judge(self, server):
        connection = server.wait()
        if self.load is None:
            known = workload.known_commands(connection)
            self.load = load.Load(self.rng, 3, known)
        survived, _ = self.load.judge(connection)
        acked = self.load.take_acked()
        self.acked += acked
        self.checked += acked + survived
        return connection

    def round(self, fault, policy, must_refuse):
        """fault: start(server), which breaks the disk, and stop(server), which mends it."""
        self.rounds += 1
        server = self.start(policy)
        try:
            reader = self.judge(server)
            self.load.connect(server)
            self.must(self.load.run(0.05, 8), server, 'answers before the fault')
            fault.start(server)
            self.load_while_it_fails(server, reader, must_refuse)
            if self.rng.random() < 0.3:
                self.load.run(self.rng.random(), 8)  # some of it is spent trying again
                server.kill()
            else:
                fault.stop(server)
                self.wait_until_it_heals(server)
                self.must(self.load.run(0.05, 8), server, 'answers after the fault')
                server.must_live()
        finally:
            server.kill()
            fault.stop(server)
        self.load.hear_the_last()
        self.load.disconnect()
        self.check_after_restart(policy)

    def must(self, holds, server, what):
        server.must_live()
        if not holds:
            raise AssertionError(f'the server no longer {what}')

    def load_while_it_fails(self, server, reader, must_refuse):
        """Until something was refused, or for a while where a fault may pass unnoticed."""
        before = self.load.writes_refused
        seconds = 20 if must_refuse else 0.4
        alive = self.load.run(seconds, 8, until=lambda: self.load.writes_refused > before + 3)
        self.must(alive, server, 'answers while its disk fails')
        refused = self.load.writes_refused - before
        self.refused += refused
        if must_refuse and refused == 0:
            raise AssertionError('no write was refused while the disk failed')
        for words in (('GET', 'c0:s0'), ('KEYS', '*'), ('INFO',), ('VLIST',)):
            reply = reader.ask(*words)
            if isinstance(reply, resp.ReplyError) and not reply.startswith(b'WRONGTYPE'):
                raise AssertionError(f'{words} answers {reply} while the disk fails')
        server.must_live()

    def wait_until_it_heals(self, server):
        """Until a new write is acknowledged."""
        end = time.monotonic() + HEALS_WITHIN_S
        while True:
            alive = self.load.drain(0.2)
            before = self.load.writes_acked
            alive = alive and self.load.run(0.02, 1) and self.load.drain(0.2)
            if alive and self.load.writes_acked > before:
                return
            server.must_live()
            if time.monotonic() > end:
                raise AssertionError(f'no write succeeds {HEALS_WITHIN_S} s after the disk healed')

    def check_after_restart(self, policy):
        server = self.start(policy)
        try:
            self.judge(server)
        finally:
            server.kill()

    def print_figures(self, failed):
        for name, value in (('writes-refused', self.refused), ('writes-acknowledged', self.acked),
                            ('writes-checked', self.checked), ('writes-lost', failed),
                            ('refused-starts', self.refused_starts)):
            print(f'FIGURE {name} {value}')
        print(f'{self.rounds - failed} passed, {failed} failed, 0 skipped')
