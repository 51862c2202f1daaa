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
        self.doing = 'nothing yet'
        self.rounds = self.refused = self.acked = self.checked = self.refused_starts = 0

    def end(self, keep=False):
        if keep:
            print(f'its files: {self.temp}')
            return
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

    def round(self, fault, policy, must_refuse, seconds=0.4):
        """fault: start(server), which breaks the disk, and stop(server), which mends it."""
        self.rounds += 1
        self.doing = f'{policy}, {fault}'
        server = self.start(policy)
        try:
            reader = self.judge(server)
            self.load.connect(server)
            self.must(self.load.run(0.05, 8), server, 'answers before the fault')
            fault.start(server)
            self.load_while_it_fails(server, reader, must_refuse, seconds)
            if self.rng.random() < 0.3:
                self.load.run(self.rng.random(), 8)  # some of it is spent trying again
                server.kill()
            else:
                fault.stop(server)
                self.wait_until_it_heals(server)
                self.must(self.load.run(0.05, 8), server, 'answers after the fault')
                self.save(server)
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

    def load_while_it_fails(self, server, reader, must_refuse, seconds):
        before = self.load.writes_refused
        saver = server.connect()
        if self.rng.random() < 0.5:
            saver.send(('BGSAVE',))  # may fail; then the one before it stays
            saver.pump_out()
        alive = self.load.run(seconds, 8)
        self.must(alive, server, 'answers while its disk fails')
        if must_refuse:
            self.wait_until_it_refuses(server)
        self.refused += self.load.writes_refused - before
        for words in (('GET', 'c0:s0'), ('KEYS', '*'), ('INFO',), ('VLIST',)):
            reply = reader.ask(*words)
            if isinstance(reply, resp.ReplyError) and not reply.startswith(b'WRONGTYPE'):
                raise AssertionError(f'{words} answers {reply} while the disk fails')
        saver.close()
        server.must_live()

    def wait_until_it_refuses(self, server):
        """All writes of the clients may be such that were applied before the failure was known;
        those wait for a reply. So others ask, on connections of their own."""
        end = time.monotonic() + 20
        while time.monotonic() < end:
            prober = server.connect()
            try:
                reply = prober.ask('SET', load.PROBE, 'x', timeout_s=0.5)
            except TimeoutError:
                reply = None
            finally:
                prober.close()
            if workload.is_refusal(reply):
                self.refused += 1
                return
            server.must_live()
            self.load.run(0.05, 8)
        raise AssertionError('no write was refused while the disk failed')

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

    def save(self, server):
        """Snapshots work again, too."""
        saver = server.connect()
        end = time.monotonic() + HEALS_WITHIN_S
        while saver.ask('SAVE') != b'OK':  # refused while one is under way
            server.must_live()
            if time.monotonic() > end:
                raise AssertionError('SAVE fails after the disk healed')
            time.sleep(0.01)
        saver.close()

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
