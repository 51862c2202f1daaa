#!/usr/bin/python3
"""inject.py: calls about files fail, once or for a while, in a server that runs under strace.

    inject.py [--rounds N | --seconds N] [--seed N] [--keep]

strace answers a call with an error without letting the kernel see it, so a write that "failed" left
no bytes and an fsync that "failed" flushed nothing."""

import argparse
import collections
import itertools
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import faults
import process
import server as servers

# call -> how often it is chosen, errors that it may answer on a disk that fails or is full
CALLS = {
    'pwrite64': (4, ('EIO', 'ENOSPC', 'EDQUOT')),
    'fdatasync': (4, ('EIO', 'ENOSPC')),
    'fsync': (2, ('EIO',)),
    'openat': (3, ('EIO', 'ENOSPC', 'EMFILE')),
    'rename': (1, ('EIO', 'ENOSPC')),
    'unlink': (1, ('EIO',)),
}
# which calls fail, in strace's words; with ALL the disk stays broken until strace leaves
ALL = 'when=1+'
WHEN = ('when=1', 'when=2', 'when=4', 'when=1..3', 'when=2..6', 'when=1+2', ALL, ALL)


class Injection:
    """strace at a server that runs already."""

    def __init__(self, rng, output):
        weights = [weight for weight, _ in CALLS.values()]
        calls = {*rng.choices(list(CALLS), weights, k=rng.choice((1, 1, 2)))}
        self.rules = [(call, rng.choice(CALLS[call][1]), rng.choice(WHEN))
                      for call in sorted(calls)]
        self.must_refuse = any(call == 'pwrite64' and when == ALL for call, _, when in self.rules)
        self.lasts = any(when == ALL for _, _, when in self.rules)
        self.output = output
        self.strace = None
        self.injected = collections.Counter()

    def __str__(self):
        return ' '.join(f'{call}:error={error}:{when}' for call, error, when in self.rules)

    def start(self, server):
        rules = [('-e', f'inject={call}:error={error}:{when}') for call, error, when in self.rules]
        self.strace = subprocess.Popen(
            ['strace', '-f', '-q', '-o', self.output,
             '-e', 'trace=' + ','.join(call for call, _, _ in self.rules),
             *itertools.chain.from_iterable(rules), '-p', str(server.pid)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 10
        while not traced(server.pid):
            if self.strace.poll() is not None or time.monotonic() > end:
                raise OSError('strace cannot attach')
            time.sleep(0.002)

    def stop(self, _server):
        if self.strace is None:
            return
        self.strace.send_signal(signal.SIGINT)
        self.strace.wait()
        self.strace = None
        with open(self.output, encoding='ascii', errors='replace') as file:
            for line in file:
                if '(INJECTED)' in line:
                    self.injected[re.search(r'(\w+)(?:\(| resumed)', line)[1]] += 1


def traced(pid):
    """Whether all threads of a process have a tracer."""
    for thread in os.listdir(f'/proc/{pid}/task'):
        with open(f'/proc/{pid}/task/{thread}/status', encoding='ascii') as file:
            if re.search(r'^TracerPid:\\t0$', file.read(), re.M):
                return False
    return True


def missing():
    if shutil.which('strace') is None:
        return 'no strace'
    done = servers.run('strace', '-o', '/dev/null', '-e', 'inject=getppid:error=EIO', 'true')
    return None if done.returncode == 0 else 'strace may not trace here: ' + done.stderr.strip()


def start_with_faults(rounds):
    """Calls fail while the server reads its files. It may refuse to start, in words; the next start
    has everything."""
    paths = [rounds.folder, *(entry.path for entry in os.scandir(rounds.folder))]
    call = rounds.rng.choice(('pread64', 'openat', 'ftruncate', 'fdatasync', 'fsync'))
    when = f'when={rounds.rng.randrange(1, 12)}{rounds.rng.choice(("", "+"))}'
    server = process.Process(
        rounds.folder, '--appendonly', 'yes', log=rounds.log,
        command=('strace', '-D', '-f', '-q', '-o', '/dev/null',
                 *itertools.chain.from_iterable(('-P', path) for path in paths),
                 '-e', f'trace={call}', '-e', f'inject={call}:error=EIO:{when}', servers.SERVER))
    try:
        server.wait(timeout_s=30).close()
    except process.Died:
        rounds.refused_starts += 1
        if server.process.returncode < 0:
            raise
    finally:
        server.kill()
    rounds.check_after_restart('always')


def run(options):
    rounds = faults.Rounds(options.seed)
    injected = collections.Counter()
    end = time.monotonic() + options.seconds
    failed = 0
    while not failed and rounds.rounds < options.rounds and time.monotonic() < end:
        fault = Injection(rounds.rng, os.path.join(rounds.temp, 'strace'))
        policy = rounds.rng.choice(faults.POLICIES)
        try:
            rounds.round(fault, policy, fault.must_refuse, 2.5 if fault.lasts else 0.4)
            if rounds.rng.random() < 0.3:
                start_with_faults(rounds)
        except (AssertionError, OSError, process.Died, TimeoutError) as problem:
            failed = 1
            print(f'FAILED in round {rounds.rounds} of seed {options.seed}, {rounds.doing}: '
                  f'{problem}')
        injected += fault.injected
    print('  injected:', ', '.join(f'{call} {count}' for call, count in sorted(injected.items())))
    print(f'FIGURE strace-rounds {rounds.rounds}')
    print(f'FIGURE strace-faults {sum(injected.values())}')
    rounds.print_figures(failed)
    rounds.end(failed and options.keep)
    return failed


def main():
    parser = argparse.ArgumentParser(description='calls that fail, injected by strace')
    parser.add_argument('--rounds', type=int, default=10**9)
    parser.add_argument('--seconds', type=float, default=10**9)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--keep', action='store_true', help='leave the folder of a failure')
    options = parser.parse_args()
    if options.rounds == 10**9 and options.seconds == 10**9:
        options.rounds = 100
    why = missing()
    if why is not None:
        print(f'SKIP injected errors: {why}')
        print('0 passed, 0 failed, 1 skipped')
        return 0
    return run(options)


if __name__ == '__main__':
    sys.exit(main())
