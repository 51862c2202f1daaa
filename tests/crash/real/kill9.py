#!/usr/bin/python3
"""kill9.py: kills the server with SIGKILL at random moments, under load, while it recovers and
while it saves; restarts it on the same folder; the data must be what was acknowledged, and of what
was under way a prefix for each connection. This proves the process, not the disk: the kernel lives
on.

    kill9.py [--cycles N | --seconds N] [--seed N] [--keep]
"""

import argparse
import os
import random
import shutil
import sys
import tempfile
import time

import load
import process
import workload

POLICIES = ('always', 'everysec', 'no')
CYCLES_PER_FOLDER = 40  # then a new folder: the first start is a case, too


class Kill9:
    def __init__(self, seed, spawn=None):
        self.seed = seed
        self.rng = random.Random(seed)
        self.spawn = spawn or spawn_vdb
        self.cycles = self.kills_in_recovery = self.kills_in_save = 0
        self.checked = self.acked = 0
        self.folder = None
        self.load = None
        self.known = None

    def new_folder(self):
        self.end_folder()
        self.folder = tempfile.mkdtemp(prefix='vdb-kill9-')
        self.load = None

    def end_folder(self):
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder = None

    def data(self):
        return os.path.join(self.folder, 'data')

    def cycle(self):
        """Start, judge, load, kill."""
        if self.cycles % CYCLES_PER_FOLDER == 0:
            self.new_folder()
        self.cycles += 1
        policy = self.rng.choice(POLICIES)
        if self.load is not None:
            self.kill_while_it_recovers(policy)
        server = self.spawn(self.data(), policy)
        try:
            self.judge(server)
            self.kill_under_load(server)
        finally:
            server.kill()

    def judge(self, server):
        connection = server.wait()
        if self.known is None:
            self.known = workload.known_commands(connection)
        if self.load is None:
            self.load = load.Load(self.rng, self.rng.randrange(1, 6), self.known)
        survived, _ = self.load.judge(connection)
        if b'load_records_set_aside:0' not in connection.ask('INFO', 'persistence'):
            raise AssertionError('records were set aside, as if they had crashed the server')
        acked = self.load.take_acked()
        self.acked += acked
        self.checked += acked + survived
        if self.rng.random() < 0.05:
            self.load.flush(connection)
        connection.close()

    def kill_while_it_recovers(self, policy):
        """Its death must change nothing, whatever it was writing just then; nor must many deaths in
        a row at about the same record, which are not its fault."""
        delay_s, kills = self.rng.random() * 0.03, 0
        if self.rng.random() < 0.3:
            kills = self.rng.choice((1, 1, 1, 2, 3, 8))
        for _ in range(kills):
            server = self.spawn(self.data(), policy)
            time.sleep(delay_s)
            server.kill()
            self.kills_in_recovery += 1

    def kill_under_load(self, server):
        depth = self.rng.choice((1, 2, 8, 32))
        self.load.connect(server)
        self.load.run(self.rng.random() * 0.12, depth)
        if self.rng.random() < 0.3:
            self.ask_for_snapshot(server)
            self.load.run(self.rng.random() * 0.04, depth)
        server.must_live()
        server.kill()
        self.load.hear_the_last()
        self.load.disconnect()

    def ask_for_snapshot(self, server):
        known = sorted(self.known & {'SAVE', 'BGSAVE', 'BGREWRITEAOF'})
        if known:
            saver = server.connect()
            saver.send((self.rng.choice(known),))
            saver.pump_out()
            self.kills_in_save += 1

    def figures(self):
        return {'kill9-cycles': self.cycles, 'kill9-in-recovery': self.kills_in_recovery,
                'kill9-in-save': self.kills_in_save, 'writes-acknowledged': self.acked,
                'writes-checked': self.checked}


def spawn_vdb(folder, policy):
    return process.Process(folder, '--appendfsync', policy, '--appendonly', 'yes')


def main():
    parser = argparse.ArgumentParser(description='SIGKILL at random moments')
    parser.add_argument('--cycles', type=int, default=10**9)
    parser.add_argument('--seconds', type=float, default=10**9)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--keep', action='store_true', help='leave the folder of a failure')
    options = parser.parse_args()
    if options.cycles == 10**9 and options.seconds == 10**9:
        options.cycles = 1000
    test = Kill9(options.seed)
    lost = 0
    end = time.monotonic() + options.seconds
    try:
        while test.cycles < options.cycles and time.monotonic() < end:
            test.cycle()
    except (AssertionError, process.Died, TimeoutError) as error:
        lost = 1
        print(f'FAILED in cycle {test.cycles} of seed {options.seed}: {error}')
        if options.keep:
            print(f'its folder: {test.folder}')
            test.folder = None
    test.end_folder()
    for name, value in test.figures().items():
        print(f'FIGURE {name} {value}')
    print(f'FIGURE writes-lost {lost}')
    print(f'{test.cycles - lost} passed, {lost} failed, 0 skipped')
    return 1 if lost else 0


if __name__ == '__main__':
    sys.exit(main())
