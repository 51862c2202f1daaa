"""programs.py: programs that use a server through somebody else's code, run one by one.

A program is told the port of a server of its own. One of its lines is "client NAME VERSION
PROTOCOLS", its last one "N passed, N failed, N skipped".
"""

import filecmp
import os
import re
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.append(os.path.join(ROOT, 'tests', 'lib'))
from server import Server

INSTALL_S, TEST_S = 600, 60
PYTHON = '/usr/bin/python3' # Debian's, which sees Debian's redis-py


def run(command, seconds, folder):
    """The exit status and what a command said; 1 when it cannot be run."""
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=seconds,
                              errors='replace', check=False)
        return done.returncode, done.stdout + done.stderr
    except (OSError, subprocess.TimeoutExpired) as error:
        return 1, str(error)


def need_packages(names):
    """Installs Debian packages by one of the lists of tests/packages.sh."""
    status, said = run(['bash', '-c', f'. tests/packages.sh && need_packages ${names}'], INSTALL_S,
                       ROOT)
    if status != 0:
        print(said)


def npm_ci(folder):
    """Installs what a folder's package-lock.json names, unless that is what is there."""
    lock = os.path.join(folder, 'package-lock.json')
    installed = os.path.join(folder, 'node_modules', '.lock')
    if os.path.exists(installed) and filecmp.cmp(lock, installed, shallow=False):
        return
    command = ['npm', 'ci', '--no-audit', '--no-fund', '--prefer-offline']
    status, said = run(command, INSTALL_S, folder)
    if status == 0:
        shutil.copy(lock, installed)
    else:
        print(f'npm ci failed: is the registry reachable?\n{said}')


def test(command, folder, quiet=False):
    """Runs one program; returns (name, version, protocols, passed, failed, skipped).

    quiet: what fails is expected to, and not told."""
    server = Server()
    try:
        status, said = run([*command, str(server.port)], TEST_S, folder)
    finally:
        stopped = server.stop()
    sums = re.findall(r'(\d+) passed, (\d+) failed, (\d+) skipped', said)
    passed, failed, skipped = map(int, sums[-1]) if sums else (0, 0, 0)
    if stopped != 0:
        said += f'the server ended with {stopped}\n{server.output}'
    if failed == 0 and (status != 0 or stopped != 0 or passed == 0):
        failed = 1
    if failed > 0 and not quiet:
        print(f'{command}:\n{said}')
    named = re.search(r'(?m)^client (\S+) (\S+) (RESP.*)$', said)
    return *(named.groups() if named else (command[-1], '?', '?')), passed, failed, skipped


def print_table(heads, rows):
    widths = [max(len(row[at]) for row in (heads, *rows)) for at in range(len(heads))]
    for row in (heads, *rows):
        print('  '.join(text.ljust(width) for text, width in zip(row, widths)).rstrip())
