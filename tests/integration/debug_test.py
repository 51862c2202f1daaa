#!/usr/bin/python3
"""DEBUG of the server for tests (make debug-server), and that of the one for use."""

import os
import struct
import sys
import time
import unittest

sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'lib'))
import redis
import server
import suite

DEBUG_SERVER = os.path.join(server.ROOT, 'build', 'vdb-server-debug')


class Release(unittest.TestCase):
    def test_there_is_an_error_that_says_what_has_it(self):
        started = server.Server()
        self.addCleanup(started.stop)
        client = redis.Redis(port=started.port)
        with self.assertRaisesRegex(redis.ResponseError, 'make debug-server'):
            client.execute_command('DEBUG', 'SLEEP', '1')


@unittest.skipUnless(os.path.exists(DEBUG_SERVER), 'make debug-server has not been run')
class Debug(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        release, server.SERVER = server.SERVER, DEBUG_SERVER
        try:
            cls.server = server.Server()
        finally:
            server.SERVER = release

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    def setUp(self):
        self.client = redis.Redis(port=self.server.port)
        self.client.flushall()

    def debug(self, *words):
        return self.client.execute_command('DEBUG', *words)

    def test_sleep_holds_the_loop_and_is_told_by_the_slow_log(self):
        self.client.config_set('slowlog-log-slower-than', 100000)
        start = time.monotonic()
        self.debug('SLEEP', '0.2')
        self.assertGreaterEqual(time.monotonic() - start, 0.2)
        self.assertEqual(self.client.slowlog_get(1)[0]['command'], b'DEBUG SLEEP 0.2')

    def test_nothing_expires_by_itself_while_that_is_off(self):
        self.debug('SET-ACTIVE-EXPIRE', 0)
        self.client.set('a', 'x', px=1)
        time.sleep(0.3)
        self.assertEqual(self.client.dbsize(), 1)
        self.assertIsNone(self.client.get('a'))
        self.client.set('b', 'x', px=1)
        self.debug('SET-ACTIVE-EXPIRE', 1)
        time.sleep(0.3)
        self.assertEqual(self.client.dbsize(), 0)

    def fill(self):
        self.client.set('text', 'some words')
        self.client.set('binary', bytes(range(256)), px=10_000_000)
        self.client.hset('hash', mapping={'a': 1, 'b': 'two'})
        self.client.execute_command('VCREATE', 'c', 'DIM', 2, 'METRIC', 'L2', 'EF', 44)
        for i in range(30):
            self.client.execute_command('VADD', 'c', 'FP32', struct.pack('<2f', i, -i), f'e{i}',
                                        'SETATTR', f'{{"n":{i}}}')

    def test_a_digest_is_that_of_the_data_whatever_its_order(self):
        self.fill()
        digest = self.debug('DIGEST')
        self.assertRegex(digest, b'^[0-9a-f]{40}$')
        self.assertEqual(self.debug('RELOAD'), b'OK')
        self.assertEqual(self.debug('DIGEST'), digest)
        self.assertEqual(self.debug('LOADAOF'), b'OK')
        self.assertEqual(self.debug('DIGEST'), digest)
        self.assertGreater(self.client.pttl('binary'), 9_000_000)
        value = self.debug('DIGEST-VALUE', 'c')
        self.client.execute_command('VREM', 'c', 'e3')
        self.assertNotEqual(self.debug('DIGEST-VALUE', 'c'), value)
        self.client.execute_command('VADD', 'c', 'FP32', struct.pack('<2f', 3, -3), 'e3',
                                    'SETATTR', '{"n":3}')
        self.assertEqual(self.debug('DIGEST-VALUE', 'c'), value)
        self.assertEqual(self.debug('DIGEST'), digest)
        self.client.set('text', 'other words')
        self.assertNotEqual(self.debug('DIGEST'), digest)

    def test_objects_populate_and_errors(self):
        self.assertEqual(self.debug('POPULATE', 100, 'k'), b'OK')
        self.assertEqual(self.client.get('k:99'), b'value:99')
        self.client.set('a', 5)
        self.assertIn(b'encoding:int', self.debug('OBJECT', 'a'))
        with self.assertRaisesRegex(redis.ResponseError, 'no such key'):
            self.debug('OBJECT', 'none')
        with self.assertRaisesRegex(redis.ResponseError, 'unknown subcommand'):
            self.debug('NOSUCH')
        self.assertEqual(self.debug('STRINGMATCH-LEN', 100000, 'a*' * 20 + 'b'), 0)


if __name__ == '__main__':
    suite.main()
