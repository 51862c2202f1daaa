#!/usr/bin/python3
"""vdb through redis.asyncio of Debian's redis-py, with the parser of hiredis-py, in RESP2.

    redis_asyncio.py PORT
"""

import asyncio
import math
import struct
import sys

import hiredis
import redis
import redis.asyncio

KEY = b'key \0\r\n'
BYTES = bytes(range(256))
COUNT = 1000


def blob(*values):
    return struct.pack(f'<{len(values)}f', *values)


def check(found, wanted):
    if found != wanted:
        raise AssertionError(f'{found!r} instead of {wanted!r}')


async def refused(words, coroutine):
    try:
        await coroutine
    except redis.ResponseError as error:
        check(words in str(error), True)
    else:
        raise AssertionError(f'no error with {words}')


async def connect(r):
    check(await r.ping(), True)
    check(await r.echo('words'), b'words')
    check(await r.client_getname(), 'steps')


async def binary_values(r):
    check(await r.set(KEY, BYTES), True)
    check(await r.get(KEY), BYTES)
    check(await r.get('none'), None)


async def large_values(r):
    await r.set('large', b'x' * (1 << 20))
    check(await r.get('large'), b'x' * (1 << 20))


async def pipeline(r):
    async with r.pipeline(transaction=False) as p:
        for i in range(COUNT):
            p.set(f'p{i}', i)
            p.get(f'p{i}')
        said = await p.execute()
    check(said[1::2], [str(i).encode() for i in range(COUNT)])


async def transaction(r):
    async with r.pipeline(transaction=True) as p:
        p.set('n', 7)
        p.incr('n')
        p.get('n')
        check(await p.execute(), [True, 8, b'8'])
        await p.watch('n')
        await r.set('n', 1)
        p.multi()
        p.get('n')
        try:
            await p.execute()
        except redis.WatchError:
            return
    raise AssertionError('a watched key changed, and EXEC ran')


async def errors(r):
    await r.set('text', 'v')
    await refused('wrong kind', r.execute_command('VCARD', 'text'))
    await refused('unknown command', r.execute_command('NOSUCH'))
    await refused('not an integer', r.incr('text'))
    check(await r.ping(), True)


async def expiry(r):
    await r.set('e', 'v', ex=100)
    check(await r.ttl('e'), 100)
    await r.psetex('e', 30, 'v')
    await asyncio.sleep(0.15)
    check(await r.get('e'), None)


async def vector_set(r):
    do = r.execute_command
    check(await do('VADD', 'set', 'FP32', blob(3, 4), 'a'), 1)
    check(await do('VADD', 'set', 'FP32', blob(4, 3), 'b'), 1)
    check(await do('VADD', 'set', 'FP32', blob(-3, 4), 'c', 'SETATTR', '{"n":1}'), 1)
    check(await do('VSIM', 'set', 'ELE', 'a'), [b'a', b'b', b'c'])
    check(await do('VSIM', 'set', 'FP32', blob(3, 4), 'WITHSCORES', 'COUNT', 1), [b'a', b'1'])
    check(await do('VSIM', 'set', 'ELE', 'a', 'FILTER', '.n == 1'), [b'c'])
    check(await do('VEMB', 'set', 'a'), [b'3', b'4'])


async def collection(r):
    do = r.execute_command
    check(await do('VCREATE', 'c', 'DIM', 2, 'METRIC', 'L2'), b'OK')
    check(await do('VMADD', 'c', 'FP32', 2, 'x', KEY, blob(1, 0, 0, 1)), [1, 1])
    check(await do('VSEARCH', 'c', 'FP32', blob(1, 0), 'WITHDIST'), [[b'x', b'0'], [KEY, b'2']])
    check(await do('VDROP', 'c'), b'OK')


async def pipeline_of_vectors(r):
    async with r.pipeline(transaction=False) as p:
        for i in range(COUNT):
            turn = i * math.tau / COUNT
            p.execute_command('VADD', 'many', 'FP32', blob(math.cos(turn), math.sin(turn)), i)
        check(await p.execute(), [1] * COUNT)
    searches = (r.execute_command('VSIM', 'many', 'ELE', i, 'COUNT', 1) for i in range(100))
    check(await asyncio.gather(*searches), [[str(i).encode()] for i in range(100)])


async def main():
    r = redis.asyncio.Redis(port=int(sys.argv[1]), client_name='steps')
    print(f'client redis.asyncio+hiredis-py {redis.__version__}+{hiredis.__version__} RESP2')
    await r.flushall()
    passed = failed = 0
    for run in (connect, binary_values, large_values, pipeline, transaction, errors, expiry,
                vector_set, collection, pipeline_of_vectors):
        try:
            await run(r)
            passed += 1
        except Exception as error: # whatever it is, the other steps still count
            failed += 1
            print(f'FAIL {run.__name__}: {error!r}')
    await r.close()
    print(f'{passed} passed, {failed} failed, 0 skipped')
    return failed


sys.exit(1 if asyncio.run(main()) else 0)
