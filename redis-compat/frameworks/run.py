#!/usr/bin/python3
"""run.py: frameworks that keep vectors, checkpoints, caches and sessions in Redis, run on vdb as
they come from npm and Debian; ends with a table of them.

    run.py [WORD ...]            what is installed; the rest says so in a line that begins with
                                 SKIP. With words: only programs whose name has one of them
    run.py install [WORD ...]    installs them first; what is missing then is skipped, and counted

Every program has a server of its own and knows nothing of vdb but its port.
"""

import os
import sys
from collections import namedtuple

FOLDER = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.dirname(FOLDER))
import programs
from programs import PYTHON

NODE_MAJOR = 20 # what LangGraph.js and node-redis 6 ask for

# What it does, how it is started, the module that must be there; what vdb lacks for it: as long as
# a step fails it is skipped, and when all pass the word has to go.
Program = namedtuple('Program', 'what command module waits_for', defaults=(None,))

PROGRAMS = (
    Program('key-value cache', ['node', 'keyv.mjs'], '@keyv/redis'),
    Program('sessions of a web server', ['node', 'connect_redis.mjs'], 'connect-redis'),
    Program('vector store', ['node', 'langchain_store.mjs'], '@langchain/redis'),
    Program('vector store with filters', ['node', 'langchain_fluent.mjs'], '@langchain/redis'),
    Program('cache, chat history', ['node', 'langchain_memory.mjs'], '@langchain/redis'),
    Program('checkpoints of graphs', ['node', 'langgraph_saver.mjs'],
            '@langchain/langgraph-checkpoint-redis'),
    Program('store of memories', ['node', 'langgraph_store.mjs'],
            '@langchain/langgraph-checkpoint-redis'),
    Program('typed FT.*', ['node', 'node_redis_ft.mjs', 'redis', '3'], 'redis'),
    Program('typed FT.*', ['node', 'node_redis_ft.mjs', 'redis', '2'], 'redis'),
    Program('typed FT.*', ['node', 'node_redis_ft.mjs', 'redis-5', '3'], 'redis-5'),
    Program('typed FT.*', ['node', 'node_redis_ft.mjs', 'redis-5', '2'], 'redis-5'),
    Program('typed JSON.*', ['node', 'node_redis_json.mjs', 'redis', '3'], 'redis'),
    Program('typed JSON.*', ['node', 'node_redis_json.mjs', 'redis', '2'], 'redis'),
    Program('typed JSON.*', ['node', 'node_redis_json.mjs', 'redis-5', '3'], 'redis-5'),
    Program('typed JSON.*', ['node', 'node_redis_json.mjs', 'redis-5', '2'], 'redis-5'),
    Program('typed index of JSON', ['node', 'node_redis_json_ft.mjs', 'redis', '3'], 'redis'),
    Program('typed index of JSON', ['node', 'node_redis_json_ft.mjs', 'redis', '2'], 'redis'),
    Program('typed index of JSON', ['node', 'node_redis_json_ft.mjs', 'redis-5', '3'], 'redis-5'),
    Program('typed index of JSON', ['node', 'node_redis_json_ft.mjs', 'redis-5', '2'], 'redis-5'),
    Program('FT.* by call()', ['node', 'ioredis_ft.mjs'], 'ioredis'),
    Program('.ft()', [PYTHON, 'redis_py_ft.py'], None),
    Program('.json()', [PYTHON, 'redis_py_json.py'], None),
    Program('.ft() of JSON', [PYTHON, 'redis_py_json_ft.py'], None),
)


def missing(program):
    """Why a program cannot run, or None."""
    if program.module is None:
        needs = [PYTHON, '-c', 'import redis']
    else:
        needs = ['test', '-d', f'node_modules/{program.module}']
    if programs.run(needs, 20, FOLDER)[0] != 0:
        return 'not installed; make frameworks installs it'
    if program.module is not None:
        said = programs.run(['node', '--version'], 20, FOLDER)[1]
        if int(said.lstrip('v').split('.')[0]) < NODE_MAJOR:
            return f'needs Node.js {NODE_MAJOR}; this is {said.strip()}'
    return None


def main():
    words = sys.argv[1:]
    if words[:1] == ['install']:
        programs.need_packages('PACKAGES_TEST')
        programs.npm_ci(FOLDER)
        words = words[1:]
    total = [0, 0, 0]
    rows = []
    for program in PROGRAMS:
        name = ' '.join(program.command[1:])
        if words and not any(word in name for word in words):
            continue
        why = missing(program)
        if why:
            print(f'SKIP {name}: {why}')
            total[2] += 1
            continue
        *names, passed, failed, skipped = programs.test(program.command, FOLDER,
                                                        quiet=program.waits_for)
        result = 'passes' if failed == 0 else 'FAILS'
        if program.waits_for and failed > 0:
            print(f'SKIP {name}: waits for {program.waits_for}')
            result, passed, failed, skipped = 'waits', 0, 0, skipped + 1
        elif program.waits_for:
            print(f'FAIL {name}: waits for {program.waits_for} no longer: take that away')
            failed, result = 1, 'FAILS'
        total = [a + b for a, b in zip(total, (passed, failed, skipped))]
        rows.append((*names, program.what, f'{passed}/{passed + failed}', result))
    programs.print_table(
        ('framework', 'version', 'protocol', 'what it does here', 'steps', 'result'), rows)
    print(f'{total[0]} passed, {total[1]} failed, {total[2]} skipped')
    sys.exit(0 if total[1] == 0 else 1)


if __name__ == '__main__':
    main()
