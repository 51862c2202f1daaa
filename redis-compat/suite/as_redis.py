#!/usr/bin/python3
"""as_redis.py: starts vdb-server where Redis's test suite starts redis-server.

    as_redis.py FILE [--option value ...]

Takes the options of the suite's configuration file that vdb has, and says what the suite waits for.
"""

import os
import re
import socket
import subprocess
import sys
import time

ROOT = os.environ['VDB_ROOT']
SERVER = os.environ.get('VDB_SERVER') or os.path.join(ROOT, 'build', 'vdb-server')
# Redis has these, vdb as well, but not with the meaning or the values the suite gives them.
OTHERWISE = {'save', 'logfile', 'loglevel', 'databases'}


def say_when_ready(port):
    """In a process of its own, since this one becomes the server."""
    if os.fork() != 0:
        return
    for _ in range(200):
        try:
            socket.create_connection(('127.0.0.1', port), timeout=1).close()
            break
        except OSError:
            time.sleep(0.05)
    print('Ready to accept connections', flush=True)
    os._exit(0)


def main():
    known = subprocess.run([SERVER, '--print-config'], capture_output=True, text=True,
                           check=True).stdout
    names = set(re.findall(r'(?m)^#? ?([a-z][a-z0-9-]+) ', known)) - OTHERWISE
    with open(sys.argv[1], encoding='utf-8') as file:
        lines = [line.strip() for line in file if line.split(' ')[0] in names]
    path = sys.argv[1] + '.vdb'
    with open(path, 'w', encoding='utf-8') as out:
        # maxmemory is no limit in the suite, and a share of the machine in vdb.
        out.write('\n'.join(['maxmemory 0', 'save ""', *lines]) + '\n')
    print(f' PID: {os.getpid()}', flush=True)
    port = next(int(line.split(' ')[1]) for line in lines if line.startswith('port '))
    say_when_ready(port)
    os.execv(SERVER, [SERVER, path, *sys.argv[2:]])


main()
