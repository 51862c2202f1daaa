#!/usr/bin/python3
"""run.py: vdb through the clients of many languages; ends with a table of them.

    run.py            those that are installed; the others say so in a line that begins with SKIP
    run.py install    Debian's and npm's clients are installed first; one that is missing after that
                      has failed

Every program connects to a server of its own and takes the same steps: connect, binary and large
values, a pipeline of 1,000, a transaction, errors, expiry, a vector set, a collection with binary
blobs, a pipeline of vectors. Its first line is "client NAME VERSION PROTOCOLS", its last one
"N passed, N failed, N skipped".
"""

import os
import re
import subprocess
import sys
from collections import namedtuple

FOLDER = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(FOLDER))
BUILD = os.path.join(ROOT, 'build', 'clients')
sys.path.append(os.path.dirname(FOLDER))
import programs
from programs import PYTHON

BUILD_S = 300


def debian_version(package):
    said = subprocess.run(['dpkg-query', '-W', '-f', '${Version}', package], capture_output=True,
                          text=True, check=False).stdout
    return re.sub(r'^\d+:|-[^-]*$', '', said) or '?'


# language, how to start it, what must be there, the Debian packages, how it is built
Client = namedtuple('Client', 'language command needs packages build', defaults=('', None))

GO = {'GO111MODULE': 'off', 'GOPATH': '/usr/share/gocode', 'GOFLAGS': '',
      'GOCACHE': os.path.join(BUILD, 'go-cache')}

CLIENTS = (
    Client('Python', [PYTHON, 'redis_py.py'], [PYTHON, '-c', 'import redis'],
           'python3 python3-redis'),
    Client('Python, asyncio', [PYTHON, 'redis_asyncio.py'],
           [PYTHON, '-c', 'import redis, hiredis'], 'python3 python3-redis python3-hiredis'),
    Client('C', [f'{BUILD}/hiredis_steps'], ['test', '-e', '/usr/include/hiredis/hiredis.h'],
           'gcc libc6-dev libhiredis-dev',
           ['cc', '-std=c17', '-D_GNU_SOURCE', '-Wall', '-Wextra', '-o', f'{BUILD}/hiredis_steps',
            'hiredis_steps.c', '-lhiredis']),
    Client('JavaScript', ['node', 'node_redis.mjs'], ['test', '-d', 'node_modules/redis'],
           'nodejs npm'),
    Client('JavaScript', ['node', 'ioredis.mjs'], ['test', '-d', 'node_modules/ioredis'],
           'nodejs npm'),
    Client('Ruby', ['ruby', 'ruby_redis.rb'], ['ruby', '-e', 'require "redis"'],
           'ruby ruby-redis'),
    Client('PHP, extension', ['php', 'phpredis.php'], ['php', '-r', 'new Redis();'],
           'php-cli php-redis'),
    Client('PHP', ['php', 'predis.php'], ['test', '-e', '/usr/share/php/Predis/Autoloader.php'],
           'php-cli php-predis'),
    Client('Perl', ['perl', 'perl_redis.pl'], ['perl', '-e', 'use Redis'], 'perl libredis-perl'),
    Client('Lua', ['lua5.1', 'lua_redis.lua'], ['lua5.1', '-e', 'require "redis"'],
           'lua5.1 lua-redis'),
    Client('Go', [f'{BUILD}/redigo'],
           ['test', '-d', '/usr/share/gocode/src/github.com/gomodule/redigo'],
           'golang-go golang-github-gomodule-redigo-dev',
           ['env', *(f'{name}={value}' for name, value in GO.items()), 'go', 'build', '-ldflags',
            f'-X main.version={debian_version("golang-github-gomodule-redigo-dev")}', '-o',
            f'{BUILD}/redigo', './redigo']),
    Client('Erlang', ['escript', 'eredis_steps.escript'],
           ['test', '-d', '/usr/lib/erlang/lib/redis_client-1.2.0'],
           'erlang-base erlang-redis-client'),
)


def install():
    programs.need_packages('PACKAGES_CLIENTS')
    programs.npm_ci(FOLDER)


def missing(client):
    """Why a client cannot be used, or None."""
    if programs.run(client.needs, 20, FOLDER)[0] != 0:
        return f'not installed ({client.packages}); make compat installs it'
    if client.build is None:
        return None
    os.makedirs(BUILD, exist_ok=True)
    status, said = programs.run(client.build, BUILD_S, FOLDER)
    return None if status == 0 else f'does not build: {said}'


def main():
    installing = sys.argv[1:] == ['install']
    if installing:
        install()
    total = [0, 0, 0]
    rows = []
    for client in CLIENTS:
        why = missing(client)
        if why:
            print(f'{"FAIL" if installing else "SKIP"} {client.command[-1]}: {why}')
            total[1 if installing else 2] += 1
            continue
        *names, passed, failed, skipped = programs.test(client.command, FOLDER)
        total = [a + b for a, b in zip(total, (passed, failed, skipped))]
        rows.append((names[0], names[1], client.language, names[2], f'{passed}/{passed + failed}'))
    programs.print_table(('client', 'version', 'language', 'protocol', 'steps passed'), rows)
    print(f'{total[0]} passed, {total[1]} failed, {total[2]} skipped')
    sys.exit(0 if total[1] == 0 else 1)


if __name__ == '__main__':
    main()
