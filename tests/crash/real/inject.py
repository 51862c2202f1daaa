#!/usr/bin/python3
"""inject.py: calls about files fail, once or for a while, in a server that runs under strace.

    inject.py [--rounds N | --seconds N] [--seed N]

strace answers a call with an error without letting the kernel see it, so a write that "failed" left
no bytes and an fsync that "failed" flushed nothing."""

import argparse
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

# call -> errors that it may answer on a disk that fails or is full
CALLS = {
    'pwrite64': ('EIO', 'ENOSPC', 'EINTR'),
    'fdatasync': ('EIO', 'ENOSPC'),
    'fsync': ('EIO',),
    'openat': ('EIO', 'ENOSPC', 'EMFILE'),
    'rename': ('EIO', 'ENOSPC'),
    'ftruncate': ('EIO',),
    'unlink': ('EIO',),
}
# which calls fail, in strace's words; True: the disk stays broken until strace leaves
WHEN = (('when=1', False), ('when=3', False), ('when=2..6', False), ('when=1+3', True),
        ('when=1+', True))


class Injection:
    """strace at a server that runs already."""

    def __init__(self, call, error, when, output):
        self.rule = f'inject={call}:error={error}:{when}'
        self.call = call
        self.output = output
        self.strace = None
        self.injected = 0

    def start(self, server):
        self.strace = subprocess.Popen(
            ['strace', '-f', '-q', '-o', self.output, '-e', f'trace={self.call}',
             '-e', self.rule, '-p', str(server.pid)],
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
            self.injected = file.read().count('(INJECTED)')


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


def start_with_faults(rounds, call, error, when):
    """Calls fail while the server reads its files. It may refuse to start, in words; the next start
    has everything."""
    paths = [rounds.folder, *(entry.path for entry in os.scandir(rounds.folder))]
    server = process.Process(
        rounds.folder, '--appendonly', 'yes', log=rounds.log,
        command=('strace', '-D', '-f', '-q', '-o', '/dev/null',
                 *itertools.chain.from_iterable(('-P', path) for path in paths),
                 '-e', f'trace={call}', '-e', f'inject={call}:error={error}:{when}',
                 servers.SERVER))
    try:
        server.wait(timeout_s=30).close()
    except process.Died:
        rounds.refused_starts += 1
        if server.process.returncode < 0:
            raise
    server.kill()
    rounds.check_after_restart('always')


def run(options):
    rounds = faults.Rounds(options.seed)
    cases = [(call, error, when, stays) for call, errors in CALLS.items() for error in errors
             for when, stays in WHEN]
    rounds.rng.shuffle(cases)
    output = os.path.join(rounds.temp, 'strace')
    end = time.monotonic() + options.seconds
    failed = injected = 0
    for call, error, when, stays in itertools.cycle(cases):
        if rounds.rounds >= options.rounds or time.monotonic() > end:
            break
        policy = rounds.rng.choice(faults.POLICIES)
        fault = Injection(call, error, when, output)
        try:
            must_refuse = stays and call == 'pwrite64' and error != 'EINTR'
            rounds.round(fault, policy, must_refuse)
            injected += fault.injected
            if rounds.rng.random() < 0.3:
                start_with_faults(rounds, rounds.rng.choice(('pread64', 'openat', call)), error,
                when)
        except (AssertionError, OSError, process.Died, TimeoutError) as problem:
            failed += 1
            print(f'FAILED in round {rounds.rounds} of seed {options.seed}, {policy}, '
                  f'{fault.rule}: {problem}')
            break
    print(f'FIGURE strace-rounds {rounds.rounds}')
    print(f'FIGURE strace-faults {injected}')
    rounds.print_figures(failed)
    rounds.end()
    return failed


def main():
    parser = argparse.ArgumentParser(description='calls that fail, injected by strace')
    parser.add_argument('--rounds', type=int, default=10**9)
    parser.add_argument('--seconds', type=float, default=10**9)
    parser.add_argument('--seed', type=int, default=1)
    options = parser.parse_args()
    if options.rounds == 10**9 and options.seconds == 10**9:
        options.rounds = len(WHEN) * sum(map(len, CALLS.values()))
    why = missing()
    if why is not None:
        print(f'SKIP injected errors: {why}')
        print('0 passed, 0 failed, 1 skipped')
        return 0
    return run(options)


if __name__ == '__main__':
    sys.exit(main())
