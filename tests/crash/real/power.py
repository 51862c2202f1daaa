#!/usr/bin/python3
"""power.py: cuts the power of a real ext4 under a writing server, mounts what the platter held (the
kernel replays its journal), restarts the server on it and compares with what was acknowledged.

    power.py [--cycles N | --seconds N] [--seed N] [--keep]

With appendfsync always every acknowledged write must be there; with everysec those acknowledged
more than two seconds before; in every mode what is there is a prefix of what was sent. The control:
with appendfsync no the same rig must lose acknowledged writes, else it proves nothing."""

import argparse
import os
import random
import shutil
import sys
import tempfile
import time

import disk
import load
import process
import workload

EVERYSEC_MS = 2000
POLICIES = ('always', 'always', 'always', 'everysec', 'no')


class Power:
    def __init__(self, seed, spawn=None):
        self.seed = seed
        self.rng = random.Random(seed)
        self.spawn = spawn or spawn_vdb
        self.folder = tempfile.mkdtemp(prefix='vdb-power-')
        self.image = os.path.join(self.folder, 'image-0')
        self.images = 0
        self.load = self.known = None
        self.policies = []
        self.safe_until_ms = None
        self.safe_policy = 'always'
        self.cuts = self.cuts_in_recovery = self.acked = self.checked = 0
        self.lost = dict.fromkeys(POLICIES, 0)
        self.judged = dict.fromkeys(POLICIES, 0)
        self.sectors_lost = 0
        disk.new_image(self.image)

    def end(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def cycle(self):
        """Mount, start, judge, load, cut."""
        policy = self.next_policy()
        platter = disk.Disk(self.folder, self.image)
        self.images += 1
        image = os.path.join(self.folder, f'image-{self.images}')
        try:
            if self.load is not None and self.rng.random() < 0.2:
                self.cut_while_it_recovers(platter, policy, image)
            else:
                self.cut_under_load(platter, policy, image)
            counters = platter.counters()
        finally:
            platter.end()
        if counters['error'] != 0:
            raise OSError(f'the image was not written: errno {counters["error"]}')
        self.cuts += 1
        self.sectors_lost += counters['sectors_unflushed'] - counters['sectors_kept']
        os.remove(self.image)
        self.image = image

    def next_policy(self):
        """Each has its turn, so that the control is a part of short runs, too."""
        if not self.policies:
            self.policies = self.rng.sample(POLICIES, len(POLICIES))
        return self.policies.pop()

    def start(self, platter, policy):
        return self.spawn(os.path.join(platter.mounted, 'data'), policy,
                          os.path.join(self.folder, 'server.log'))

    def cut_while_it_recovers(self, platter, policy, image):
        """Also while the kernel replays the journal. Nothing may change by it."""
        platter.cut_after(self.rng.randrange(1, 60), self.rng.getrandbits(63), image)
        self.cuts_in_recovery += 1
        try:
            platter.mount()
            server = self.start(platter, policy)
        except OSError:
            pass
        else:
            end = time.monotonic() + 0.3
            while time.monotonic() < end and not platter.is_cut():
                time.sleep(0.002)
            server.kill()
        if not platter.is_cut():
            platter.cut_after(0, self.rng.getrandbits(63), image)

    def cut_under_load(self, platter, policy, image):
        platter.mount()
        server = self.start(platter, policy)
        try:
            self.judge(server)
            self.load.connect(server)
            depth = self.rng.choice((1, 4, 32))
            seconds = self.rng.random() * 0.3
            if policy == 'everysec' and self.rng.random() < 0.3:
                seconds += 3
            self.load.run(seconds, depth)
            platter.cut_after(self.rng.randrange(60), self.rng.getrandbits(63), image)
            self.load.run(0.2, depth, until=platter.is_cut)
            cut_ms = workload.now_ms()
            if not platter.is_cut():
                platter.cut_after(0, self.rng.getrandbits(63), image)
            self.load.drain(0.05)
            server.must_live()
        finally:
            server.kill()
        self.load.hear_the_last()
        self.load.disconnect()
        self.safe_policy = policy
        self.safe_until_ms = {'always': None, 'everysec': cut_ms - EVERYSEC_MS, 'no': 0}[policy]

    def judge(self, server):
        connection = server.wait()
        if self.known is None:
            self.known = workload.known_commands(connection)
        if self.load is None:
            self.load = load.Load(self.rng, self.rng.randrange(1, 6), self.known)
        survived, lost = self.load.judge(connection, self.safe_until_ms)
        acked = self.load.take_acked()
        self.acked += acked
        self.checked += acked + survived - lost
        self.lost[self.safe_policy] += lost
        self.judged[self.safe_policy] += 1
        connection.close()

    def figures(self):
        return {'power-losses': self.cuts, 'power-losses-in-recovery': self.cuts_in_recovery,
                'sectors-lost': self.sectors_lost, 'writes-acknowledged': self.acked,
                'writes-checked': self.checked, 'control-writes-lost': self.lost['no']}


def spawn_vdb(folder, policy, log):
    return process.Process(folder, '--appendfsync', policy, '--appendonly', 'yes', log=log)


def run(options):
    test = Power(options.seed)
    end = time.monotonic() + options.seconds
    failed = 0
    try:
        while test.cuts < options.cycles and time.monotonic() < end:
            test.cycle()
    except (AssertionError, OSError, process.Died, TimeoutError) as error:
        failed = 1
        print(f'FAILED at power loss {test.cuts} of seed {options.seed}: {error}')
        if options.keep:
            print(f'its folder: {test.folder}')
    if not options.keep:
        test.end()
    for name, value in test.figures().items():
        print(f'FIGURE {name} {value}')
    print(f'FIGURE writes-lost {failed}')
    if test.judged['no'] >= 3 and test.lost['no'] == 0:
        print('FAILED: the control with appendfsync no lost nothing, so the rig proves nothing')
        failed += 1
    print(f'{test.cuts} passed, {failed} failed, 0 skipped')
    return 1 if failed else 0


def main():
    parser = argparse.ArgumentParser(description='power losses of a real ext4')
    parser.add_argument('--cycles', type=int, default=10**9)
    parser.add_argument('--seconds', type=float, default=10**9)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--keep', action='store_true', help='leave the folder of a failure')
    options = parser.parse_args()
    if options.cycles == 10**9 and options.seconds == 10**9:
        options.cycles = 200
    why = disk.missing()
    if why is not None:
        print(f'SKIP power loss of a real ext4: {why}')
        print('0 passed, 0 failed, 1 skipped')
        return 0
    disk.enter()
    return run(options)


if __name__ == '__main__':
    sys.exit(main())
