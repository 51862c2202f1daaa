#!/usr/bin/python3
"""full_disk.py: a server whose disk is full, whose quota is used up (RLIMIT_FSIZE), and that is
killed and started in that state.

    full_disk.py [--rounds N | --seconds N] [--seed N] [--keep]

The disk is a small tmpfs in namespaces of this program's own, so nothing of it is seen outside."""

import argparse
import errno
import os
import resource
import shutil
import sys
import time

import disk
import faults
import load
import process

TMPFS_BYTES = 24 << 20


class Ballast:
    """Fills the file system but for a few pages."""

    def __init__(self, rng, folder):
        self.path = os.path.join(folder, 'ballast')
        self.left = rng.randrange(0, 1 << 16)

    def __str__(self):
        return f'a disk with {self.left} bytes left'

    def start(self, _server):
        with open(self.path, 'wb') as file:
            while not self.fill(file.fileno()):
                pass  # the server took space meanwhile

    def fill(self, fd):
        system = os.fstatvfs(fd)
        more = system.f_bavail * system.f_bsize - self.left
        try:
            if more > 0:
                os.posix_fallocate(fd, os.fstat(fd).st_size, more)
            return True
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            return False

    def stop(self, _server):
        if os.path.exists(self.path):
            os.remove(self.path)


class FileLimit:
    """No file of the server may grow past a little more than the largest is now."""

    def __init__(self, rng, folder):
        self.folder = folder
        self.more = rng.randrange(0, 1 << 16)

    def __str__(self):
        return f'files that may grow by {self.more} bytes'

    def start(self, server):
        largest = max((entry.stat().st_size for entry in os.scandir(self.folder)), default=0)
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE,
                         (largest + self.more, resource.RLIM_INFINITY))

    def stop(self, server):
        if server.process.poll() is None:
            resource.prlimit(server.pid, resource.RLIMIT_FSIZE,
                             (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def round_of_full_disk(rounds, mounted):
    fault = rounds.rng.choice((Ballast(rounds.rng, mounted),
                               FileLimit(rounds.rng, rounds.folder)))
    rounds.round(fault, rounds.rng.choice(faults.POLICIES), True)


def make_room(rounds, mounted):
    """Snapshots let the log before them go; two generations are kept."""
    server = rounds.start('everysec')
    try:
        connection = rounds.judge(server)
        for number in range(2):
            if connection.ask('SET', load.PROBE, number) != b'OK' or \
                    connection.ask('SAVE') != b'OK':
                raise AssertionError('SAVE fails on a disk with room')
        end = time.monotonic() + 10
        while used(mounted) > TMPFS_BYTES // 3:
            if time.monotonic() > end:
                raise AssertionError(f'{used(mounted)} bytes are left after two snapshots')
            time.sleep(0.01)
    finally:
        server.kill()


def used(mounted):
    size = os.statvfs(mounted)
    return (size.f_blocks - size.f_bfree) * size.f_bsize


def start_on_full_disk(rounds, mounted):
    """It may start or refuse to, in words; once there is room again nothing is missing."""
    fault = Ballast(rounds.rng, mounted)
    fault.left = 0
    fault.start(None)
    server = rounds.start('always')
    try:
        server.wait(timeout_s=20).close()
    except process.Died:
        rounds.refused_starts += 1
        if server.process.returncode < 0:
            raise
    server.kill()
    fault.stop(None)
    rounds.check_after_restart('always')


def run(options):
    mounted = '/mnt'
    disk.must('mount', '-t', 'tmpfs', '-o', f'size={TMPFS_BYTES}', 'tmpfs', mounted)
    rounds = faults.Rounds(options.seed, os.path.join(mounted, 'data'))
    end = time.monotonic() + options.seconds
    failed = 0
    try:
        while rounds.rounds < options.rounds and time.monotonic() < end:
            if used(mounted) > TMPFS_BYTES // 3:
                make_room(rounds, mounted)
            round_of_full_disk(rounds, mounted)
            if rounds.rng.random() < 0.3:
                start_on_full_disk(rounds, mounted)
    except (AssertionError, OSError, process.Died, TimeoutError) as error:
        failed = 1
        print(f'FAILED in round {rounds.rounds} of seed {options.seed}, {rounds.doing}: {error}')
        if options.keep:
            shutil.copytree(rounds.folder, os.path.join(rounds.temp, 'data'))
    print(f'FIGURE full-disks {rounds.rounds}')
    rounds.print_figures(failed)
    rounds.end(failed and options.keep)
    return failed


def main():
    parser = argparse.ArgumentParser(description='a full disk, and a used up quota')
    parser.add_argument('--rounds', type=int, default=10**9)
    parser.add_argument('--seconds', type=float, default=10**9)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--keep', action='store_true', help='leave the log of a failure')
    options = parser.parse_args()
    if options.rounds == 10**9 and options.seconds == 10**9:
        options.rounds = 20
    why = disk.missing_namespaces()
    if why is not None:
        print(f'SKIP a full disk: {why}')
        print('0 passed, 0 failed, 1 skipped')
        return 0
    disk.enter()
    return run(options)


if __name__ == '__main__':
    sys.exit(main())
