#!/usr/bin/python3
"""Clients that wait for keys: BLPOP and its kin."""

import os
import sys
import time
import unittest

sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'lib'))
import redis
import server
import suite


class Waiting(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = server.Server()

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    def setUp(self):
        self.client = redis.Redis(port=self.server.port)
        self.client.flushall()

    def blocked(self):
        return self.client.info('clients')['blocked_clients']

    def wait_for(self, *words):
        """A connection that waits in a command."""
        connection = redis.Connection(port=self.server.port)
        connection.connect()
        self.addCleanup(connection.disconnect)
        before = self.blocked()
        connection.send_command(*words)
        for _ in range(500):
            if self.blocked() > before:
                return connection
            time.sleep(0.01)
        self.fail(f'{words} does not wait')

    def silent(self, connection):
        return not connection.can_read(timeout=0.05)

    def test_who_has_waited_longest_is_served_first(self):
        first, second, third = (self.wait_for('BLPOP', 'k', 0) for _ in range(3))
        self.assertEqual(self.client.rpush('k', 'a', 'b'), 2)
        self.assertEqual(first.read_response(), [b'k', b'a'])
        self.assertEqual(second.read_response(), [b'k', b'b'])
        self.assertTrue(self.silent(third))
        self.client.lpush('k', 'c')
        self.assertEqual(third.read_response(), [b'k', b'c'])
        self.assertEqual(self.client.exists('k'), 0)
        self.assertEqual(self.blocked(), 0)

    def test_the_key_that_came_first_serves(self):
        waiting = self.wait_for('BRPOP', 'a', 'b', 'c', 0)
        pipe = self.client.pipeline(transaction=True)
        pipe.rpush('c', 1).rpush('a', 2).execute()
        self.assertEqual(waiting.read_response(), [b'c', b'1'])
        self.assertEqual(self.client.lrange('a', 0, -1), [b'2'])

    def test_a_transaction_is_seen_whole(self):
        waiting = self.wait_for('BLPOP', 'k', 0)
        self.client.pipeline(transaction=True).rpush('k', 'x').delete('k').execute()
        self.client.pipeline(transaction=True).rpush('k', 'x').set('k', 'text').execute()
        self.assertTrue(self.silent(waiting))
        pipe = self.client.pipeline(transaction=True)
        pipe.delete('k').rpush('k', 'x').lset('k', 0, 'y').execute()
        self.assertEqual(waiting.read_response(), [b'k', b'y'])

    def test_values_that_are_moved_and_keys_that_are_renamed_serve(self):
        moved = self.wait_for('BLPOP', 'm', 0)
        renamed = self.wait_for('BLMPOP', 0, 2, 'none', 'r', 'RIGHT', 'COUNT', 2)
        copied = self.wait_for('BLPOP', 'c', 0)
        self.client.rpush('l', 1, 2, 3, 4)
        self.client.lmove('l', 'm', 'LEFT', 'LEFT')
        self.assertEqual(moved.read_response(), [b'm', b'1'])
        self.client.copy('l', 'c')
        self.assertEqual(copied.read_response(), [b'c', b'2'])
        self.client.rename('l', 'r')
        self.assertEqual(renamed.read_response(), [b'r', [b'4', b'3']])

    def test_one_who_is_served_serves_the_next(self):
        first = self.wait_for('BLMOVE', 'a', 'b', 'LEFT', 'RIGHT', 0)
        second = self.wait_for('BRPOPLPUSH', 'b', 'c', 0)
        third = self.wait_for('BLPOP', 'c', 0)
        self.client.rpush('a', 'x')
        self.assertEqual([c.read_response() for c in (first, second)], [b'x', b'x'])
        self.assertEqual(third.read_response(), [b'c', b'x'])
        self.assertEqual(self.client.dbsize(), 0)

    def test_a_destination_of_another_type_is_an_error_and_takes_nothing(self):
        waiting = self.wait_for('BLMOVE', 'a', 'text', 'LEFT', 'RIGHT', 0)
        self.client.set('text', 'x')
        self.client.rpush('a', 'x')
        with self.assertRaisesRegex(redis.ResponseError, 'wrong kind of value'):
            waiting.read_response()
        self.assertEqual(self.client.lrange('a', 0, -1), [b'x'])

    def test_time_runs_out(self):
        start = time.monotonic()
        self.assertIsNone(self.client.blpop('k', 0.2))
        self.assertGreater(time.monotonic() - start, 0.19)
        self.assertEqual(self.blocked(), 0)
        self.client.rpush('k', 'x')
        self.assertEqual(self.client.llen('k'), 1)

    def test_unblocking(self):
        one, other = self.wait_for('BLPOP', 'k', 0), self.wait_for('BLPOP', 'k', 0)
        waiting = [c['id'] for c in self.client.client_list() if c['cmd'] == 'blpop']
        self.assertEqual(self.client.execute_command('CLIENT UNBLOCK', waiting[0]), 1)
        self.assertEqual(self.client.execute_command('CLIENT UNBLOCK', waiting[1], 'ERROR'), 1)
        self.assertIsNone(one.read_response())
        with self.assertRaisesRegex(redis.ResponseError, 'UNBLOCKED'):
            other.read_response()
        self.assertEqual(self.client.execute_command('CLIENT UNBLOCK', waiting[0]), 0)

    def test_who_leaves_takes_nothing(self):
        gone, stays = self.wait_for('BLPOP', 'k', 0), self.wait_for('BLPOP', 'k', 0)
        gone.disconnect()
        while self.blocked() > 1:
            time.sleep(0.01)
        self.client.rpush('k', 'x')
        self.assertEqual(stays.read_response(), [b'k', b'x'])

    def test_what_was_sent_behind_it_runs_afterwards(self):
        waiting = self.wait_for('BLPOP', 'k', 0)
        waiting.send_command('SET', 'a', 1)
        waiting.send_command('BLPOP', 'k', 0)
        self.assertIsNone(self.client.get('a'))
        self.client.rpush('k', 'x')
        self.assertEqual(waiting.read_response(), [b'k', b'x'])
        self.assertEqual(waiting.read_response(), b'OK')
        self.client.rpush('k', 'y')
        self.assertEqual(waiting.read_response(), [b'k', b'y'])

    def test_sorted_sets_serve_by_score(self):
        lowest, highest = self.wait_for('BZPOPMIN', 'z', 0), self.wait_for('BZPOPMAX', 'n', 'z', 0)
        several = self.wait_for('BZMPOP', 0, 1, 'z', 'MIN', 'COUNT', 2)
        stored = self.wait_for('BZPOPMIN', 'stored', 0)
        self.client.zadd('z', {'a': 1, 'b': 2.5, 'c': 3, 'd': 4, 'e': 5})
        self.assertEqual(lowest.read_response(), [b'z', b'a', b'1'])
        self.assertEqual(highest.read_response(), [b'z', b'e', b'5'])
        self.assertEqual(several.read_response(), [b'z', [[b'b', b'2.5'], [b'c', b'3']]])
        self.client.zunionstore('stored', ['z'])
        self.assertEqual(stored.read_response(), [b'stored', b'd', b'4'])
        waiting = self.wait_for('BZPOPMIN', 'k', 0)
        self.client.rpush('k', 'a list')
        self.client.sadd('s', 'member')
        self.assertTrue(self.silent(waiting))
        self.client.zunionstore('k', ['s'])
        self.assertEqual(waiting.read_response(), [b'k', b'member', b'1'])
        self.assertEqual(self.client.exists('stored', 'k'), 0)

    def test_many_wait_and_all_are_served(self):
        waiting = [self.wait_for('BLPOP', 'k', 'other', 'k', 0) for _ in range(40)]
        self.client.rpush('k', *range(25))
        self.client.rpush('other', *range(15))
        got = [c.read_response() for c in waiting]
        self.assertEqual(got, [[b'k', b'%d' % i] for i in range(25)] +
                         [[b'other', b'%d' % i] for i in range(15)])

    def test_a_watched_key_has_changed_when_a_client_was_served(self):
        waiting = self.wait_for('BLPOP', 'k', 0)
        pipe = self.client.pipeline()
        pipe.watch('k')
        self.client.rpush('k', 'x')
        self.assertEqual(waiting.read_response(), [b'k', b'x'])
        pipe.multi()
        pipe.set('a', 1)
        with self.assertRaises(redis.WatchError):
            pipe.execute()


if __name__ == '__main__':
    suite.main()
