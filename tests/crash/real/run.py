#!/usr/bin/python3
"""run.py: crashes and faults of the real process on the real kernel, as rows of one table.

    run.py --seconds N [--seed N]     so long for each part
    run.py --long [--seed N]          1,000 kill -9 cycles, and as many of the rest as belong to
    them

Ends with "N passed, N failed, N skipped"; a part that cannot run here counts as skipped, and says
why."""

import argparse
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))

# script, what --long gives it
PARTS = (
    ('kill9.py', ('--cycles', '1000')),
    ('full_disk.py', ('--rounds', '100')),
    ('inject.py', ('--rounds', '200')),
    ('power.py', ('--cycles', '300')),
)

# figure, what it is; figures of one name are summed over the parts
ROWS = (
    ('kill9-cycles', 'kill -9 cycles under load'),
    ('kill9-in-recovery', '  and kills while it recovered'),
    ('kill9-in-save', '  after a SAVE, BGSAVE or BGREWRITEAOF just before'),
    ('full-disks', 'disks full, or quotas used up, and mended'),
    ('strace-rounds', 'rounds with calls that fail, injected by strace'),
    ('strace-faults', '  calls that failed'),
    ('writes-refused', '  writes refused meanwhile, none of them seen later'),
    ('refused-starts', '  starts refused, in words'),
    ('power-losses', 'power losses of a real ext4'),
    ('power-losses-in-recovery', '  of them while it recovered'),
    ('sectors-lost', '  sectors lost that no flush had followed'),
    ('control-writes-lost', '  lost with appendfsync no, as must be (control)'),
    ('writes-acknowledged', 'writes acknowledged on real disks'),
    ('writes-checked', '  checked after the restart'),
    ('writes-lost', '  lost'),
)


def run_part(script, arguments, figures):
    """Adds its figures; returns its counts of passed, failed and skipped."""
    done = subprocess.run([sys.executable, os.path.join(HERE, script), *arguments],
                          stdout=subprocess.PIPE, text=True, check=False)
    counts = [0, 1, 0]
    for line in done.stdout.splitlines():
        figure = re.fullmatch(r'FIGURE (\S+) (\d+)', line)
        summary = re.fullmatch(r'(\d+) passed, (\d+) failed, (\d+) skipped', line)
        if figure:
            figures[figure[1]] = figures.get(figure[1], 0) + int(figure[2])
        elif summary:
            counts = [int(number) for number in summary.groups()]
        else:
            print(line)
    if done.returncode != 0 and counts[1] == 0:
        print(f'FAILED: {script} ends with {done.returncode}')
        counts[1] = 1
    return counts


def main():
    parser = argparse.ArgumentParser(description='crashes of the real process')
    parser.add_argument('--seconds', type=int)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--long', action='store_true')
    options = parser.parse_args()
    if not options.long and options.seconds is None:
        parser.error('say --seconds N or --long')
    figures, totals = {}, [0, 0, 0]
    for script, long_run in PARTS:
        limit = long_run if options.long else ('--seconds', str(options.seconds))
        counts = run_part(script, (*limit, '--seed', str(options.seed)), figures)
        totals = [total + count for total, count in zip(totals, counts)]
    for name, text in ROWS:
        if name in figures:
            print(f'  {text:52} {figures[name]:12}')
    print('{} passed, {} failed, {} skipped'.format(*totals))
    return 0 if totals[1] == 0 else 1


if __name__ == '__main__':
    sys.exit(main())
