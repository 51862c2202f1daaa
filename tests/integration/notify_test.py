#!/usr/bin/python3
"""Keyspace notifications: the same events as of redis-server, and those of what only vdb has."""

import os
import shutil
import socket
import subprocess
import sys
import time
import unittest

sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'lib'))
import redis
import server
import suite

# What Redis has: events of each line are compared. A line of two commands is two commands.
STRINGS = r'''
SET a 1
SET a 1 EX 100
SET a 2 KEEPTTL
SET a 2 GET
SET a 3 NX
SETNX a 1
SETNX b 1
SETEX a 100 v
PSETEX a 100000 v
GETSET a 1
GETEX a
GETEX a EX 100
GETEX a PERSIST
GETEX a EXAT 1
MSET a 1 c 2
MSETNX d 1 e 2
MSETNX d 1 e 2
APPEND a x
APPEND f x
SETRANGE a 1 yy
SETRANGE a 1 ""
SETRANGE g 2 yy
SET n 1
INCR n
DECR n
INCRBY n 5
DECRBY n 2
INCRBYFLOAT n 1.5
INCR fresh
GETDEL a
GETDEL a
GET none
'''
KEYS = r'''
SET a 1
DEL a none
SET a 1
UNLINK a
SET a 1
EXPIRE a 100
EXPIRE a 100 NX
PEXPIREAT a 33000000000000
PERSIST a
PERSIST a
EXPIRE a -1
SET a 1
RENAME a b
SET c 1
RENAME b c
RENAMENX c d
RENAMENX none x
COPY d e
COPY d e
COPY d e REPLACE
RPUSH l 3 1 2
COPY l m
EXPIRE l 100
COPY l m REPLACE
SORT l STORE o
SORT l STORE o
SORT none STORE o
SORT none STORE o
EXISTS nosuch
TYPE nosuch
TTL nosuch
TOUCH nosuch
FLUSHALL
'''
LISTS = r'''
RPUSH l 1 2 3
LPUSH l 4
LPUSHX l 5
RPUSHX none 5
LSET l 0 x
LINSERT l BEFORE 1 y
LINSERT l BEFORE nosuch y
LREM l 1 y
LREM l 1 y
LPOP l
RPOP l
LPOP l 0
LTRIM l 0 1
LMOVE l m LEFT RIGHT
LMOVE m m LEFT RIGHT
RPOPLPUSH l m
LMOVE l m LEFT LEFT
BLMOVE m l RIGHT LEFT 0
BLPOP l 0
BRPOP m 0
RPUSH m 1 2 3
LMPOP 1 m LEFT COUNT 2
BLMPOP 0 1 m RIGHT
RPUSH m 1 2 3
LTRIM m 5 6
RPUSH m 1
LREM m 0 1
RPUSH m 1
LPOP m 5
LLEN m
'''
SETS = r'''
SADD s a b c
SADD s a
SREM s a x
SREM s nosuch
SPOP s
SPOP s 5
SADD s a
SREM s a
SADD s a b
SADD t b c
SUNIONSTORE u s t
SINTERSTORE u s t
SDIFFSTORE u s t
SINTERSTORE u s none
SINTERSTORE u s none
SISMEMBER none x
'''
ZSETS = r'''
ZADD z 1 a 2 b 3 c 4 d 5 e
ZADD z 1 a
ZADD z 2 a
ZADD z INCR 2 a
ZINCRBY z 1 a
ZREM z a
ZREM z nosuch
ZREMRANGEBYSCORE z 2 2
ZREMRANGEBYRANK z 0 0
ZREMRANGEBYLEX z [d [d
ZPOPMIN z
ZADD z 1 a 2 b 3 c 4 d
ZPOPMAX z
ZMPOP 1 z MIN
BZPOPMIN z 0
BZMPOP 0 1 z MAX
ZADD z 1 a 2 b
ZADD y 1 a
ZUNIONSTORE x 2 y z
ZINTERSTORE x 2 y z
ZDIFFSTORE x 2 z y
ZRANGESTORE x z 0 0
ZRANGESTORE x z 5 6
ZUNIONSTORE x 1 none
ZREM y a
ZREMRANGEBYRANK z 0 -1
ZSCORE none a
'''
HASHES = r'''
HSET h a 1 b 2
HSETNX h a 1
HSETNX h c 1
HMSET h a 1
HINCRBY h a 5
HINCRBYFLOAT h a 0.5
HDEL h a nosuch
HDEL h nosuch
HDEL h b c
HGET none f
'''
TRANSACTIONS = r'''
MULTI
SET a 1
LPUSH l 1
DEL a
EXEC
'''
ALL = (STRINGS, KEYS, LISTS, SETS, ZSETS, HASHES, TRANSACTIONS)


class Redis:
    def __init__(self):
        self.port = server.free_port()
        self.process = subprocess.Popen(
            ['redis-server', '--port', str(self.port), '--save', '', '--appendonly', 'no'],
            stdout=subprocess.DEVNULL)
        until = time.monotonic() + 10
        while time.monotonic() < until:
            try:
                socket.create_connection(('127.0.0.1', self.port), 1).close()
                break
            except OSError:
                time.sleep(0.02)

    def stop(self):
        self.process.terminate()
        self.process.wait()


class Listener:
    """Hears all events; what came since it was last asked is what happened since then."""

    def __init__(self, port, *patterns):
        self.pubsub = redis.Redis(port=port, decode_responses=True).pubsub()
        self.pubsub.psubscribe(*(patterns or ('__key*__:*', 'end')))
        for _ in patterns or (1, 2):
            assert self.pubsub.get_message(timeout=10)
        self.client = redis.Redis(port=port)

    def heard(self):
        self.client.publish('end', '')
        events = []
        while True:
            message = self.pubsub.get_message(timeout=10)
            assert message is not None, 'the end of events is missing'
            if message['channel'] == 'end':
                return events
            events.append((message['channel'].removeprefix('__key'), message['data']))


def words_of(line):
    return [word.replace('""', '') for word in line.split(' ')]


def events_of(port, script):
    """What each line of it makes known."""
    client = redis.Redis(port=port)
    connection = client.connection_pool.get_connection('')
    listener = Listener(port)
    client.flushall()
    client.config_set('notify-keyspace-events', 'AKEnm')
    listener.heard()
    heard = []
    for line in script.strip().split('\n'):
        connection.send_command(*words_of(line))
        try:
            connection.read_response()
        except redis.ResponseError as error:
            heard.append((line, str(error)))
        heard.append((line, listener.heard()))
    client.config_set('notify-keyspace-events', '')
    connection.disconnect()
    return heard


class Events(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = server.Server()

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    def setUp(self):
        self.client = redis.Redis(port=self.server.port, decode_responses=True)
        self.client.flushall()
        self.client.config_set('notify-keyspace-events', '')

    def heard_of(self, listener, *lines):
        for line in lines:
            self.client.execute_command(*words_of(line))
        return [f'{data}:{channel.split(":", 1)[1]}' for channel, data in listener.heard()]

    @unittest.skipUnless(shutil.which('redis-server'), 'redis-server is not installed')
    def test_are_those_of_redis(self):
        known = Redis()
        try:
            for script in ALL:
                ours, theirs = (events_of(port, script) for port in (self.server.port, known.port))
                self.assertGreater(sum(len(events) for _, events in theirs), 5)
                for of_vdb, of_redis in zip(ours, theirs):
                    self.assertEqual(of_vdb, of_redis)
        finally:
            known.stop()

    def test_are_off_by_default_and_of_the_classes_asked_for(self):
        listener = Listener(self.server.port)
        self.assertEqual(self.heard_of(listener, 'SET a 1'), [])
        self.client.config_set('notify-keyspace-events', 'K$')
        self.assertEqual(self.heard_of(listener, 'SET a 1', 'LPUSH l 1', 'DEL a'), ['set:a'])
        self.client.config_set('notify-keyspace-events', 'El')
        self.assertEqual(self.heard_of(listener, 'SET a 1', 'LPUSH l 1', 'DEL a'), ['l:lpush'])
        self.client.config_set('notify-keyspace-events', 'A')
        self.assertEqual(self.heard_of(listener, 'SET a 1', 'DEL a'), [])
        self.client.config_set('notify-keyspace-events', 'nKm')
        self.assertEqual(self.heard_of(listener, 'SET a 1', 'SET a 2', 'GET b'),
                         ['new:a', 'keymiss:b'])

    def test_what_changes_nothing_tells_nothing(self):
        self.client.config_set('notify-keyspace-events', 'KA')
        listener = Listener(self.server.port)
        self.assertEqual(self.heard_of(listener, 'RPUSH l 1 2'), ['rpush:l'])
        self.assertEqual(self.heard_of(listener, 'LTRIM l 0 -1', 'LPOP l 0', 'SREM none a'), [])

    def test_a_wrong_class_is_refused(self):
        with self.assertRaisesRegex(redis.ResponseError, "Invalid event class character. Use"):
            self.client.config_set('notify-keyspace-events', 'KEq')
        self.assertEqual(self.client.config_get('notify-*'), {'notify-keyspace-events': ''})

    def test_documents_and_collections(self):
        self.client.config_set('notify-keyspace-events', 'KA')
        listener = Listener(self.server.port)
        self.assertEqual(
            self.heard_of(listener, 'JSON.SET d $ {"a":1}', 'JSON.NUMINCRBY d $.a 1',
                          'JSON.SET d $.b 2', 'JSON.DEL d $.a', 'JSON.DEL d'),
            ['json.set:d', 'json.numincrby:d', 'json.set:d', 'json.del:d', 'json.del:d', 'del:d'])
        self.assertEqual(
            self.heard_of(listener, 'VCREATE c DIM 2', 'VADD c VALUES 2 1 0 x',
                          'VADD c VALUES 2 1 0 y EX 1000', 'VSETATTR c x {}', 'VALTER c EF 50',
                          'VREM c x', 'VPARTITION CREATE c p', 'VDROP c'),
            ['vcreate:c', 'vadd:c', 'vadd:c', 'vsetattr:c', 'valter:c', 'vrem:c', 'vpartition:c',
             'del:c'])
        self.assertEqual(
            self.heard_of(listener, 'HSETEX h EX 100 FIELDS 1 f v', 'HPERSIST h FIELDS 1 f',
                          'HEXPIRE h 100 FIELDS 1 f', 'HGETDEL h FIELDS 1 f'),
            ['hset:h', 'hpersist:h', 'hexpire:h', 'hdel:h', 'del:h'])

    def test_what_expires_tells_so_named_or_not(self):
        self.client.config_set('notify-keyspace-events', 'EA')
        listener = Listener(self.server.port, '__keyevent@0__:expired', '__keyevent@0__:hexpired',
                            '__keyevent@0__:vexpired', 'end')
        self.heard_of(listener, 'SET a 1 PX 30', 'HSET h f v', 'HPEXPIRE h 30 FIELDS 1 f',
                      'VCREATE c DIM 2', 'VADD c VALUES 2 1 0 x PX 30')
        heard, until = [], time.monotonic() + 10
        while len(heard) < 3 and time.monotonic() < until:
            heard += self.heard_of(listener)
            time.sleep(0.02)
        self.assertEqual(sorted(heard), ['a:expired', 'c:vexpired', 'h:hexpired'])

    def test_what_is_evicted_tells_so(self):
        self.client.config_set('notify-keyspace-events', 'Ee')
        listener = Listener(self.server.port)
        used = self.client.info('memory')['used_memory']
        self.client.config_set('maxmemory-policy', 'allkeys-random')
        self.client.config_set('maxmemory', used + 1000000)
        for i in range(300):
            self.client.set(f'k{i}', 'x' * 10000)
        heard = self.heard_of(listener)
        self.client.config_set('maxmemory', 0)
        self.client.config_set('maxmemory-policy', 'noeviction')
        self.assertGreater(len(heard), 3)
        self.assertTrue(all(event.endswith(':evicted') for event in heard), heard)

    def test_to_oneself_come_behind_the_reply(self):
        self.client.config_set('notify-keyspace-events', 'Kl$')
        with socket.create_connection(('127.0.0.1', self.server.port)) as peer:
            peer.settimeout(10)
            stream = peer.makefile('rb')
            peer.sendall(b'HELLO 3\r\nPSUBSCRIBE __key*\r\nRPUSH l 1 2 3\r\nLPOP l 2\r\n'
                         b'MULTI\r\nSET a 1\r\nSET b 2\r\nEXEC\r\nPING\r\n')
            said = b''
            while not said.endswith(b'+PONG\r\n'):
                said += stream.readline()
        event = '>4\r\n$8\r\npmessage\r\n$6\r\n__key*\r\n$%d\r\n__keyspace@0__:%s\r\n$%d\r\n%s\r\n'

        def push(key, name):
            return (event % (15 + len(key), key, len(name), name)).encode()
        replies = said[said.index(b'__key*\r\n:1\r\n') + 12:]
        self.assertEqual(replies, b':3\r\n' + push('l', 'rpush') +
                         b'*2\r\n$1\r\n1\r\n$1\r\n2\r\n' + push('l', 'lpop') +
                         b'+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n+OK\r\n' +
                         push('a', 'set') + push('b', 'set') + b'+PONG\r\n')

    def test_a_start_tells_nothing_and_keeps_the_classes(self):
        first = server.Server('--notify-keyspace-events', 'KEA', '--appendonly', 'yes')
        try:
            client = redis.Redis(port=first.port, decode_responses=True)
            listener = Listener(first.port)
            client.set('a', 1)
            self.assertEqual([data for _, data in listener.heard()], ['set', 'a'])
            self.assertEqual(client.config_get('notify-keyspace-events'),
                             {'notify-keyspace-events': 'AKE'})
        finally:
            first.stop()


if __name__ == '__main__':
    suite.main()
