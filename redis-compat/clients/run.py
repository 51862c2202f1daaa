#!/usr/bin/python3
"""run.py: the tests of redis-compat/clients, each with a server of its own.

    run.py            those whose client is installed
    run.py install    fetches node-redis from npm first

What cannot run says so in a line that begins with SKIP.
"""

import os
import re
import subprocess
import sys

FOLDER = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.join(os.path.dirname(os.path.dirname(FOLDER)), 'tests', 'lib'))
from server import Server

INSTALL_S, TEST_S = 120, 60
PYTHON = '/usr/bin/python3' # Debian's, which sees Debian's redis-py


def succeeds(*command, seconds):
    try:
        return subprocess.run(command, cwd=FOLDER, capture_output=True, timeout=seconds,
                              check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def node_redis_missing(install):
    """Why node-redis cannot be used, or None."""
    if not succeeds('node', '--version', seconds=10):
        return 'there is no node'
    if install and not succeeds('npm', 'ci', '--no-audit', '--no-fund', seconds=INSTALL_S):
        return 'npm ci failed: is the registry reachable?'
    if not os.path.exists(os.path.join(FOLDER, 'node_modules', 'redis')):
        return 'not installed; make test installs it'
    return None


def redis_py_missing():
    if not succeeds(PYTHON, '-c', 'import redis', seconds=10):
        return f'{PYTHON} has no redis module (Debian package python3-redis)'
    return None


def test(command):
    """Runs one test; returns how many steps passed, failed and were skipped."""
    server = Server()
    try:
        done = subprocess.run([*command, str(server.port)], cwd=FOLDER, capture_output=True,
                              text=True, timeout=TEST_S, check=False)
        said = done.stdout + done.stderr
        status = done.returncode
    except subprocess.TimeoutExpired:
        said, status = f'{command}: not done after {TEST_S} s\n', 1
    finally:
        stopped = server.stop()
    sums = re.findall(r'(\d+) passed, (\d+) failed, (\d+) skipped', said)
    passed, failed, skipped = map(int, sums[-1]) if sums else (0, 0, 0)
    if stopped != 0:
        said += f'the server ended with {stopped}\n'
    if failed == 0 and (status != 0 or stopped != 0 or not sums):
        failed = 1
    print(f'{command[-1]}: {passed} passed, {failed} failed')
    if failed > 0:
        print(said)
    return passed, failed, skipped


def main():
    install = sys.argv[1:] == ['install']
    clients = (('node-redis', ['node', 'node_redis.mjs'], node_redis_missing(install)),
               ('redis-py', [PYTHON, 'redis_py.py'], redis_py_missing()))
    total = [0, 0, 0]
    for name, command, missing in clients:
        if missing:
            print(f'SKIP {name}: {missing}')
            total[2] += 1
        else:
            total = [a + b for a, b in zip(total, test(command))]
    print(f'{total[0]} passed, {total[1]} failed, {total[2]} skipped')
    sys.exit(0 if total[1] == 0 else 1)


if __name__ == '__main__':
    main()
