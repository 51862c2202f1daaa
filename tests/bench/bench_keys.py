#!/usr/bin/python3
"""bench_keys.py: what a key-space costs in vdb and in redis-server, in one run.

    bench_keys.py [COUNT [KIND]]    a million keys like key:000000012345, of one kind or each:
                                    strings of 8 to 64 bytes, hashes of four fields

Prints used_memory and RSS for each key of both, and their ratio; exit 1 when vdb's used_memory is
more than 1.10 of Redis's.
"""

import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time

sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'lib'))
import server

PIPELINE, SETTLE_S, RATIO_MAX = 1000, 3, 1.10


def connect(port):
    for _ in range(100):
        try:
            return socket.create_connection(('127.0.0.1', port), timeout=60)
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f'nobody listens on port {port}')


def memory(sock, file):
    sock.sendall(b'INFO memory\r\n')
    text = file.read(int(file.readline()[1:]) + 2).decode()
    fields = dict(line.split(':', 1) for line in text.split('\r\n') if ':' in line)
    return int(fields['used_memory']), int(fields['used_memory_rss'])


def string_of(i, chance):
    value = b'x' * chance.randint(8, 64)
    return b'*3\r\n$3\r\nSET\r\n$16\r\nkey:%012d\r\n$%d\r\n%s\r\n' % (i, len(value), value)


def hash_of(i, chance):
    """As an application keeps its users: a name, an address, a number and a date."""
    words = [b'HSET', b'key:%012d' % i, b'name', b'n' * chance.randint(5, 20), b'email',
             b'e' * chance.randint(10, 30), b'age', b'%d' % chance.randint(1, 99), b'since',
             b'2026-11-23']
    return b'*%d\r\n' % len(words) + b''.join(b'$%d\r\n%s\r\n' % (len(w), w) for w in words)


KINDS = {'strings': string_of, 'hashes': hash_of}


def fill(port, count, kind):
    """What was used before and after, as (used_memory, RSS)."""
    chance = random.Random(1)
    with connect(port) as sock, sock.makefile('rb') as file:
        before = memory(sock, file)
        for first in range(0, count, PIPELINE):
            out = [KINDS[kind](i, chance) for i in range(first, min(first + PIPELINE, count))]
            sock.sendall(b''.join(out))
            for _ in out:
                if file.readline() not in (b'+OK\r\n', b':4\r\n'):
                    raise RuntimeError('a command was refused')
        time.sleep(SETTLE_S)
        return before, memory(sock, file)


def compare(count, kind):
    """Their ratio."""
    folder, port = tempfile.mkdtemp(prefix='vdb-bench-'), server.free_port()
    redis = subprocess.Popen(['redis-server', '--port', str(port), '--save', ''], cwd=folder,
                             stdout=subprocess.DEVNULL)
    try:
        theirs = fill(port, count, kind)
    finally:
        redis.terminate()
        redis.wait()
        shutil.rmtree(folder)
    vdb = server.Server('--save', '', '--appendonly', 'no')
    try:
        ours = fill(vdb.port, count, kind)
    finally:
        vdb.stop()
    print(f'{f"{count} {kind}":20}  used_memory/key   without the start    RSS/key')
    for name, (before, after) in (('redis-server', theirs), ('vdb', ours)):
        print(f'{name:20}{after[0] / count:17.1f}{(after[0] - before[0]) / count:20.1f}'
              f'{after[1] / count:11.1f}')
    ratio = ours[1][0] / theirs[1][0]
    print(f'ratio {ratio:.3f} of used_memory, {ours[1][1] / theirs[1][1]:.3f} of RSS; '
          f'at most {RATIO_MAX}')
    return ratio


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000000
    kinds = sys.argv[2:] or list(KINDS)
    if shutil.which('redis-server') is None:
        sys.exit('redis-server is not installed')
    sys.exit(0 if max(compare(count, kind) for kind in kinds) <= RATIO_MAX else 1)


if __name__ == '__main__':
    main()
