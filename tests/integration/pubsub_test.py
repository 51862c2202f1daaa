#!/usr/bin/python3
"""Messages between clients: SUBSCRIBE, PUBLISH and their kin, in RESP2 and RESP3."""

import os
import socket
import sys
import time
import unittest

sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'lib'))
import redis
import server
import suite


class Raw:
    """A connection whose replies are bytes."""

    def __init__(self, port):
        self.socket = socket.create_connection(('127.0.0.1', port))
        self.socket.settimeout(10)

    def say(self, line):
        self.socket.sendall(line.encode() + b'\r\n')

    def hears(self, text):
        """Exactly this, with blanks for line ends."""
        want = text.replace(' ', '\r\n').encode() + b'\r\n'
        have = b''
        while len(have) < len(want):
            more = self.socket.recv(len(want) - len(have))
            if not more:
                break
            have += more
        return have == want or print(f'want {want}, have {have}')

    def closed(self):
        try:
            while self.socket.recv(1 << 20):
                pass
        except ConnectionError:
            pass
        return True


class Messages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = server.Server()

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    def setUp(self):
        self.client = redis.Redis(port=self.server.port)

    def raw(self):
        connection = Raw(self.server.port)
        self.addCleanup(connection.socket.close)
        return connection

    def test_one_message_for_each_channel_in_both_protocols(self):
        for hello, mark in (('PING', '*'), ('HELLO 3', '>')):
            one = self.raw()
            one.say(hello)
            one.socket.recv(4096)
            one.say('SUBSCRIBE a b a')
            self.assertTrue(one.hears(f'{mark}3 $9 subscribe $1 a :1 {mark}3 $9 subscribe $1 b :2 '
                                      f'{mark}3 $9 subscribe $1 a :2'))
            one.say('PSUBSCRIBE a*')
            self.assertTrue(one.hears(f'{mark}3 $10 psubscribe $2 a* :3'))
            one.say('SSUBSCRIBE s')
            self.assertTrue(one.hears(f'{mark}3 $10 ssubscribe $1 s :1'))
            self.assertEqual(self.client.publish('a', 'hi'), 2)
            self.assertTrue(one.hears(f'{mark}3 $7 message $1 a $2 hi '
                                      f'{mark}4 $8 pmessage $2 a* $1 a $2 hi'))
            self.assertEqual(self.client.execute_command('SPUBLISH', 's', 'x'), 1)
            self.assertTrue(one.hears(f'{mark}3 $8 smessage $1 s $1 x'))
            self.assertEqual(self.client.publish('s', 'x'), 0)
            one.say('UNSUBSCRIBE')
            self.assertTrue(one.hears(f'{mark}3 $11 unsubscribe $1 a :2 '
                                      f'{mark}3 $11 unsubscribe $1 b :1'))
            one.say('PUNSUBSCRIBE')
            self.assertTrue(one.hears(f'{mark}3 $12 punsubscribe $2 a* :0'))
            one.say('SUNSUBSCRIBE s s')
            self.assertTrue(one.hears(f'{mark}3 $12 sunsubscribe $1 s :0 '
                                      f'{mark}3 $12 sunsubscribe $1 s :0'))
            one.say('UNSUBSCRIBE')
            none = '$-1' if mark == '*' else '_'
            self.assertTrue(one.hears(f'{mark}3 $11 unsubscribe {none} :0'))

    def test_who_has_subscribed_in_resp2_may_say_little(self):
        one = self.raw()
        one.say('SUBSCRIBE a')
        self.assertTrue(one.hears('*3 $9 subscribe $1 a :1'))
        one.say('GET a')
        self.assertTrue(one.socket.recv(4096).startswith(b"-ERR Can't execute 'get': only (P|S)"))
        one.say('PING')
        self.assertTrue(one.hears('*2 $4 pong $0 '))
        one.say('RESET')
        self.assertTrue(one.hears('+RESET'))
        one.say('GET a')
        self.assertTrue(one.hears('$-1'))
        self.assertEqual(self.client.publish('a', 'x'), 0)

    def test_messages_to_oneself_do_not_tear_a_reply_apart(self):
        one = self.raw()
        one.say('HELLO 3')
        one.socket.recv(4096)
        one.say('SUBSCRIBE a')
        self.assertTrue(one.hears('>3 $9 subscribe $1 a :1'))
        one.say('PUBLISH a x')
        self.assertTrue(one.hears('>3 $7 message $1 a $1 x :1'))
        one.say('MULTI')
        one.say('PUBLISH a y')
        one.say('PING')
        one.say('EXEC')
        self.assertTrue(one.hears('+OK +QUEUED +QUEUED *2 :1 +PONG >3 $7 message $1 a $1 y'))

    def test_what_there_is_is_told(self):
        one, two = self.client.pubsub(), self.client.pubsub()
        one.subscribe('told-a', 'told-b')
        two.subscribe('told-a')
        two.psubscribe('told-*', 'x?')
        for pubsub in (one, two):
            for _ in pubsub.channels.keys() | pubsub.patterns.keys():
                self.assertIsNotNone(pubsub.get_message(timeout=5))
        self.assertEqual(sorted(self.client.pubsub_channels('told-*')), [b'told-a', b'told-b'])
        self.assertEqual(self.client.pubsub_numsub('told-a', 'told-b', 'none'),
                         [(b'told-a', 2), (b'told-b', 1), (b'none', 0)])
        self.assertEqual(self.client.pubsub_numpat(), 2)
        info = self.client.info('stats')
        self.assertEqual((info['pubsub_channels'], info['pubsub_patterns']), (2, 2))
        kinds = [c for c in self.client.client_list() if 'P' in c['flags']]
        self.assertEqual(sorted((c['sub'], c['psub']) for c in kinds), [('1', '2'), ('2', '0')])
        self.assertEqual(len(self.client.client_list('pubsub')), 2)
        one.close()
        two.close()
        for _ in range(500):
            if not self.client.pubsub_channels() and self.client.pubsub_numpat() == 0:
                return
            time.sleep(0.01)
        self.fail('who has left is still subscribed')

    def test_a_thousand_messages_to_many_come_in_order(self):
        readers = [self.client.pubsub(ignore_subscribe_messages=True) for _ in range(20)]
        for reader in readers:
            reader.subscribe('many')
            reader.get_message(timeout=5)
        pipe = self.client.pipeline(transaction=False)
        for i in range(1000):
            pipe.publish('many', i)
        self.assertEqual(pipe.execute(), [20] * 1000)
        for reader in readers:
            got = [reader.get_message(timeout=5)['data'] for _ in range(1000)]
            self.assertEqual(got, [b'%d' % i for i in range(1000)])
            reader.close()

    def test_who_does_not_read_is_closed_at_the_limit_of_its_class(self):
        self.client.config_set('client-output-buffer-limit', 'pubsub 1mb 0 0')
        self.addCleanup(self.client.config_set, 'client-output-buffer-limit', 'pubsub 32mb 8mb 60')
        one = self.raw()
        one.say('SUBSCRIBE big')
        self.assertTrue(one.hears('*3 $9 subscribe $3 big :1'))
        count = 0
        while self.client.publish('big', 'x' * 500000) > 0:
            count += 1
            self.assertLess(count, 200)
        self.assertTrue(one.closed())

    def test_subscribing_in_a_transaction(self):
        one = self.raw()
        for line in ('MULTI', 'SUBSCRIBE a', 'EXEC'):
            one.say(line)
        self.assertTrue(one.hears('+OK +QUEUED *1 *3 $9 subscribe $1 a :1'))

    def test_messages_are_heard_whatever_client_reply_says(self):
        for hello, mark in (('PING', '*'), ('HELLO 3', '>')):
            one = self.raw()
            one.say(hello)
            one.socket.recv(4096)
            for line in ('CLIENT REPLY OFF', 'PING', 'SUBSCRIBE a', 'SUBSCRIBE'):
                one.say(line)
            self.assertTrue(one.hears(f'{mark}3 $9 subscribe $1 a :1'))
            self.assertEqual(self.client.publish('a', 'hi'), 1)
            self.assertTrue(one.hears(f'{mark}3 $7 message $1 a $2 hi'))
            one.say('UNSUBSCRIBE a')
            self.assertTrue(one.hears(f'{mark}3 $11 unsubscribe $1 a :0'))
            one.say('CLIENT REPLY ON')
            self.assertTrue(one.hears('+OK'))

    def test_messages_to_oneself_are_heard_whatever_client_reply_says(self):
        one = self.raw()
        one.say('HELLO 3')
        one.socket.recv(4096)
        for line in ('SUBSCRIBE a', 'CLIENT REPLY OFF', 'PUBLISH a x', 'GET none', 'MULTI',
                     'GET none', 'PUBLISH a y', 'SUBSCRIBE b', 'GET none', 'EXEC', 'GET none',
                     'CLIENT REPLY ON', 'CLIENT REPLY SKIP', 'PUBLISH a z', 'PUBLISH b w'):
            one.say(line)
        self.assertTrue(one.hears('>3 $9 subscribe $1 a :1 >3 $7 message $1 a $1 x '
                                  '>3 $7 message $1 a $1 y >3 $9 subscribe $1 b :2 +OK '
                                  '>3 $7 message $1 a $1 z >3 $7 message $1 b $1 w :1'))

    def test_a_message_to_who_waits_with_replies_off_stays(self):
        one = self.raw()
        one.say('HELLO 3')
        one.socket.recv(4096)
        for line in ('SUBSCRIBE a', 'CLIENT REPLY OFF', 'BLPOP list 0'):
            one.say(line)
        self.assertTrue(one.hears('>3 $9 subscribe $1 a :1'))
        while self.client.info('clients')['blocked_clients'] == 0:
            time.sleep(0.005)
        self.client.publish('a', 'x')
        self.client.rpush('list', 'e')
        one.say('CLIENT REPLY ON')
        self.assertTrue(one.hears('>3 $7 message $1 a $1 x +OK'))


if __name__ == '__main__':
    suite.main()
