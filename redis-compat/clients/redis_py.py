#!/usr/bin/python3
"""vdb through the redis-py of Debian, in RESP2: strings, pipelines, scans, and vector sets by
execute_command.

    redis_py.py PORT
"""

import os
import struct
import sys
import time
import unittest

import redis

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.append(os.path.join(ROOT, 'tests', 'lib'))
import suite

PORT = int(sys.argv.pop(1))
PIPELINE = 5000


def blob(*values):
    return struct.pack(f'<{len(values)}f', *values)


class RedisPyTest(unittest.TestCase):
    def setUp(self):
        self.client = redis.Redis(port=PORT, client_name='steps')
        self.do = self.client.execute_command
        self.client.flushall()

    def tearDown(self):
        self.client.close()

    def add(self, element, *values):
        return self.do('VADD', 'set', 'FP32', blob(*values), element)

    def test_connection(self):
        self.assertTrue(self.client.ping())
        self.assertEqual(self.client.echo('words'), b'words')
        self.assertEqual(self.client.client_getname(), 'steps')
        self.assertIn('redis_version', self.client.info())
        self.assertEqual(self.client.config_get('maxclients'), {'maxclients': '10000'})
        names = [client['name'] for client in self.client.client_list()]
        self.assertIn('steps', names)

    def test_strings(self):
        self.assertTrue(self.client.set('k', bytes(range(256))))
        self.assertEqual(self.client.get('k'), bytes(range(256)))
        self.assertIsNone(self.client.get('nothere'))
        self.assertEqual(self.client.type('k'), b'string')
        self.assertEqual(self.client.delete('k', 'nothere'), 1)
        self.assertEqual(self.client.dbsize(), 0)

    def test_pipelines_and_scans(self):
        pipe = self.client.pipeline(transaction=False)
        for i in range(PIPELINE):
            pipe.set(f'p{i}', i)
            pipe.get(f'p{i}')
        said = pipe.execute()
        self.assertEqual(said[1::2], [str(i).encode() for i in range(PIPELINE)])
        found = set(self.client.scan_iter(match='p*', count=100))
        self.assertEqual(len(found), PIPELINE)

    def test_expiry(self):
        self.assertTrue(self.client.set('k', 'v', ex=100))
        self.assertEqual(self.client.ttl('k'), 100)
        self.assertTrue(self.client.set('k', 'w', keepttl=True, get=True))
        self.assertTrue(self.client.persist('k'))
        self.assertTrue(self.client.expireat('k', 4000000000, nx=True))
        self.assertEqual(self.client.expiretime('k'), 4000000000)
        self.assertEqual(self.client.getex('k', persist=True), b'w')
        self.assertEqual(self.client.ttl('k'), -1)
        self.assertTrue(self.client.psetex('short', 20, 'v'))
        self.add('a', 3, 4)
        self.assertTrue(self.client.pexpire('set', 20))
        time.sleep(0.2)
        self.assertEqual(self.client.keys(), [b'k'])
        self.assertEqual(self.client.info('keyspace')['db0']['expires'], 0)

    def test_transactions(self):
        pipe = self.client.pipeline() # a transaction, as redis-py has it
        for i in range(PIPELINE):
            pipe.set(f'p{i}', i)
        pipe.execute_command('VADD', 'set', 'FP32', blob(3, 4), 'a')
        pipe.execute_command('VSIM', 'set', 'ELE', 'a')
        said = pipe.execute()
        self.assertEqual(said, [True] * PIPELINE + [1, [b'a']])
        self.client.set('n', 1)

        def double(pipe):
            value = int(pipe.get('n'))
            if value == 1: # somebody else is faster, once
                self.client.set('n', 5)
            pipe.multi()
            pipe.set('n', 2 * value)
        self.client.transaction(double, 'n')
        self.assertEqual(self.client.get('n'), b'10')
        with self.client.pipeline() as pipe:
            pipe.watch('n')
            self.client.incr('n')
            pipe.multi()
            pipe.get('n')
            with self.assertRaises(redis.WatchError):
                pipe.execute()

    def test_vector_sets(self):
        self.assertEqual(self.add('a', 3, 4), 1)
        self.assertEqual(self.add('a', 3, 4), 0)
        self.add('b', 4, 3)
        self.add(b'\0\r\n\xff', -3, 4)
        self.assertEqual(self.do('VCARD', 'set'), 3)
        self.assertEqual(self.do('VSIM', 'set', 'ELE', 'a'), [b'a', b'b', b'\0\r\n\xff'])
        flat = self.do('VSIM', 'set', 'FP32', blob(3, 4), 'WITHSCORES', 'COUNT', 2)
        self.assertEqual(flat[0::2], [b'a', b'b'])
        self.assertAlmostEqual(float(flat[3]), 0.98, places=5)
        self.assertAlmostEqual(float(self.do('VEMB', 'set', 'a')[1]), 4, places=1)
        info = self.do('VINFO', 'set')
        self.assertEqual(info[0:2], [b'quant-type', b'int8'])
        self.assertEqual(self.do('VREM', 'set', 'b'), 1)

    def test_attributes_and_filters(self):
        for year in range(1990, 2000):
            self.do('VADD', 'set', 'VALUES', 2, 1, year - 1985, year, 'SETATTR',
                    f'{{"year":{year}}}')
        found = self.do('VSIM', 'set', 'ELE', '1990', 'FILTER', '.year > 1996 and .year != 1998')
        self.assertEqual(sorted(found), [b'1997', b'1999'])
        self.assertEqual(self.do('VGETATTR', 'set', '1999'), b'{"year":1999}')

    def test_collections(self):
        self.assertEqual(self.do('VCREATE', 'c', 'DIM', 2, 'METRIC', 'L2'), b'OK')
        self.assertEqual(self.do('VMADD', 'c', 'FP32', 2, 'x', 'y', blob(1, 0, 0, 1)), [1, 1])
        hits = self.do('VSEARCH', 'c', 'FP32', blob(1, 0), 'WITHDIST')
        self.assertEqual([(id, float(dist)) for id, dist in hits], [(b'x', 0), (b'y', 2)])
        self.assertEqual(self.do('VLIST'), [b'c'])
        self.assertEqual(self.do('VDROP', 'c'), b'OK')

    def test_errors(self):
        self.client.set('text', 'v')
        for words, said in ((('VCARD', 'text'), 'WRONGTYPE'),
                            (('VDIM', 'nothere'), 'key does not exist'),
                            (('NOSUCH',), 'unknown command')):
            with self.assertRaisesRegex(redis.ResponseError, said):
                self.do(*words)
        self.assertTrue(self.client.ping())


if __name__ == '__main__':
    print(f'client redis-py {redis.__version__} RESP2')
    suite.main()
