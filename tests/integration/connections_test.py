#!/usr/bin/python3
"""Connections as they should not be: slow, half, idle by the thousand, endless, deaf; and bytes
that are no commands. Whatever one does, others are served and memory stays bounded."""

import os
import re
import resource
import socket
import sys
import time
import unittest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.append(os.path.join(TESTS, 'lib'))
import suite
from raw import Closed, Raw, encode
from server import Server, is_sanitized

MIB = 1 << 20
ERR = '-ERR Protocol error: '
SANITIZED = is_sanitized()
counted = {}


def rss_bytes(server):
    with open(f'/proc/{server.process.pid}/statm', encoding='ascii') as file:
        return int(file.read().split()[1]) * os.sysconf('SC_PAGE_SIZE')


def field(info, name):
    return int(re.search(rf'{name}:(\d+)'.encode(), info).group(1))


# Bytes, and the error before the server closes; all of them in one piece and byte by byte.
MALFORMED = [
    (b'*x\r\n', 'invalid multibulk length'),
    (b'*\r\n', 'invalid multibulk length'),
    (b'*-\r\n', 'invalid multibulk length'),
    (b'*+1\r\n', 'invalid multibulk length'),
    (b'* 1\r\n', 'invalid multibulk length'),
    (b'*1 \r\n', 'invalid multibulk length'),
    (b'*1.0\r\n', 'invalid multibulk length'),
    (b'*0x1\r\n', 'invalid multibulk length'),
    (b'*1e1\r\n', 'invalid multibulk length'),
    (b'**1\r\n', 'invalid multibulk length'),
    (b'*1048577\r\n', 'invalid multibulk length'),
    (b'*2147483647\r\n', 'invalid multibulk length'),
    (b'*2147483648\r\n', 'invalid multibulk length'),
    (b'*4294967297\r\n', 'invalid multibulk length'),
    (b'*9223372036854775807\r\n', 'invalid multibulk length'),
    (b'*9223372036854775808\r\n', 'invalid multibulk length'),
    (b'*18446744073709551617\r\n', 'invalid multibulk length'),
    (b'*' + b'1' * 65 * 1024, 'too big mbulk count string'),
    (b'*1\r\n$' + b'1' * 65 * 1024, 'too big bulk count string'),
    (b'*1\r\n:1\r\n', "expected '$', got ':'"),
    (b'*1\r\n+PING\r\n', "expected '$', got '+'"),
    (b'*1\r\n*1\r\n$4\r\nPING\r\n', "expected '$', got '*'"),
    (b'*1\r\nPING\r\n', "expected '$', got 'P'"),
    (b'*1\r\n\x00\r\n', "expected '$', got ' '"),
    (b'*1\r\n$\r\n', 'invalid bulk length'),
    (b'*1\r\n$x\r\n', 'invalid bulk length'),
    (b'*1\r\n$-1\r\n', 'invalid bulk length'),
    (b'*1\r\n$-2147483649\r\n', 'invalid bulk length'),
    (b'*1\r\n$4.0\r\nPING\r\n', 'invalid bulk length'),
    (b'*1\r\n$ 4\r\nPING\r\n', 'invalid bulk length'),
    (b'*1\r\n$536870913\r\n', 'invalid bulk length'),
    (b'*1\r\n$4294967300\r\nPING\r\n', 'invalid bulk length'),
    (b'*1\r\n$9223372036854775807\r\n', 'invalid bulk length'),
    (b'*1\r\n$18446744073709551620\r\nPING\r\n', 'invalid bulk length'),
    (b'PING "open\r\n', 'unbalanced quotes in request'),
    (b"PING 'open\r\n", 'unbalanced quotes in request'),
    (b'PING "a"b\r\n', 'unbalanced quotes in request'),
    (b"PING 'a'b\r\n", 'unbalanced quotes in request'),
    (b'PING "\\\r\n', 'unbalanced quotes in request'),
    (b'x' * 65 * 1024, 'too big inline request'),
]


class MalformedTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()

    @classmethod
    def tearDownClass(cls):
        assert cls.server.stop() == 0, cls.server.output

    def check(self, data, error, pieces):
        with Raw(self.server.port) as c:
            for piece in pieces:
                if not c.send(piece):
                    break
            try:
                self.assertEqual(c.reply(), ERR + error, data[:60])
            except Closed: # the reply may be lost when bytes were still on their way
                self.assertGreater(len(pieces), 1, data[:60])
            self.assertTrue(c.ends(), data[:60])
        counted['malformed requests'] = counted.get('malformed requests', 0) + 1

    def test_what_is_no_command_is_named_and_closed(self):
        for data, error in MALFORMED:
            self.check(data, error, [data])
            if len(data) < 1000:
                self.check(data, error, [data[i:i + 1] for i in range(len(data))])

    def test_what_came_before_it_is_answered(self):
        for data, error in MALFORMED:
            with Raw(self.server.port) as c:
                c.send(encode(['SET', 'k', 'v']) + encode(['GET', 'k']) + data)
                self.assertEqual(c.reply(), '+OK')
                self.assertEqual(c.reply(), b'v')
                self.assertEqual(c.reply(), ERR + error, data[:60])
                self.assertTrue(c.ends())

    def test_what_comes_after_it_is_not_run(self):
        for data, _ in MALFORMED:
            with Raw(self.server.port) as c:
                c.send(data + encode(['SET', 'never', '1']) + b'SET never 1\r\n')
        with Raw(self.server.port) as c:
            self.assertEqual(c.ask('EXISTS', 'never'), 0)


class SlowTest(unittest.TestCase):
    def test_byte_by_byte_is_as_good_as_at_once(self):
        server = Server()
        commands = [['SET', 'k', 'a\r\nb'], ['GET', 'k'], ['VADD', 'v', 'VALUES', 2, 1, 2, 'e'],
                    ['VSIM', 'v', 'ELE', 'e'], ['PING']]
        wanted = {2: ['+OK', b'a\r\nb', 1, [b'e'], '+PONG'],
                  3: ['+OK', b'a\r\nb', False, [b'e'], '+PONG']}
        with Raw(server.port) as other:
            for proto in (2, 3):
                with Raw(server.port) as c:
                    c.ask('HELLO', proto)
                    other.ask('DEL', *(['v'] if proto == 2 else ['none']))
                    for words, reply in zip(commands, wanted[proto]):
                        data = encode(words)
                        for i in range(len(data) - 1):
                            c.send(data[i:i + 1])
                            if i % 7 == 0:
                                self.assertEqual(other.ask('PING'), '+PONG')
                        c.send(data[-1:])
                        self.assertEqual(c.reply(), reply)
                    for i in b'  set\tk inline \r':
                        c.send(bytes([i]))
                    c.send(b'\n')
                    self.assertIn(c.reply(), ('+OK', "-ERR unknown command 'set\tk', with args "
                                              "beginning with: 'inline' "))
        self.assertEqual(server.stop(), 0)

    def test_a_reader_of_one_byte_at_a_time_gets_all(self):
        server = Server()
        with Raw(server.port, receive_bytes=1024) as c, Raw(server.port) as other:
            other.ask('SET', 'big', 'x' * 300000)
            c.send(encode(['GET', 'big']))
            got, start = 0, time.monotonic()
            while got < 300010:
                part = c.socket.recv(1 if got < 2000 else 4096)
                self.assertTrue(part)
                got += len(part)
                if got < 2000 and got % 100 == 0:
                    self.assertEqual(other.ask('PING'), '+PONG')
            self.assertLess(time.monotonic() - start, 60)
        self.assertEqual(server.stop(), 0)


def keepalive_seconds(server, client):
    """When the server's end of the connection will probe, from /proc/net/tcp; None: never."""
    port = client.socket.getsockname()[1]
    with open('/proc/net/tcp', encoding='ascii') as file:
        for line in file.readlines()[1:]:
            words = line.split()
            local, remote = (int(words[i].split(':')[1], 16) for i in (1, 2))
            if local == server.port and remote == port:
                timer, when = words[5].split(':')
                return int(when, 16) / os.sysconf('SC_CLK_TCK') if timer == '02' else None
    raise AssertionError('the connection is not in /proc/net/tcp')


class HalfOpenTest(unittest.TestCase):
    def test_silent_peers_are_probed(self):
        server = Server('--tcp-keepalive', '50')
        with Raw(server.port) as c:
            c.ask('PING')
            seconds = keepalive_seconds(server, c)
            self.assertIsNotNone(seconds)
            self.assertTrue(20 < seconds <= 50, seconds)
            c.ask('CONFIG', 'SET', 'tcp-keepalive', '0')
            with Raw(server.port) as later:
                later.ask('PING')
                self.assertIsNone(keepalive_seconds(server, later))
            c.ask('CONFIG', 'SET', 'tcp-keepalive', '200')
            with Raw(server.port) as later:
                later.ask('PING')
                self.assertTrue(60 < keepalive_seconds(server, later) <= 200)
        self.assertEqual(server.stop(), 0)

    def test_what_was_sent_before_the_end_is_run(self):
        """As in Redis the end of what a client sends is the client's end."""
        server = Server()
        with Raw(server.port) as c:
            c.send(encode(['SET', 'k', 'x' * 100000]) + encode(['APPEND', 'k', 'y']) * 50)
            c.socket.shutdown(socket.SHUT_WR)
            with Raw(server.port) as other:
                until = time.monotonic() + 10
                while other.ask('STRLEN', 'k') != 100050:
                    self.assertLess(time.monotonic(), until)
                while field(other.ask('INFO', 'clients'), 'connected_clients') > 1:
                    self.assertLess(time.monotonic(), until)
        self.assertEqual(server.stop(), 0)

    def test_half_a_command_is_dropped_after_the_timeout(self):
        server = Server('--timeout', '1')
        with Raw(server.port) as half, Raw(server.port) as busy:
            half.send(b'*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100\r\nabc')
            end = time.monotonic() + 15
            half.socket.settimeout(0.2)
            ended = False
            while time.monotonic() < end and not ended:
                self.assertEqual(busy.ask('PING'), '+PONG')
                ended = half.ends()
            self.assertTrue(ended)
            self.assertEqual(busy.ask('EXISTS', 'k'), 0)
        self.assertEqual(server.stop(), 0)


class ManyTest(unittest.TestCase):
    COUNT = 3000

    def test_thousands_of_idle_connections_cost_little(self):
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        if hard < 2 * self.COUNT + 200:
            self.skipTest(f'only {hard} descriptors')
        server = Server('--maxclients', str(self.COUNT))
        first = Raw(server.port)
        first.ask('PING')
        before, idle = rss_bytes(server), []
        for _ in range(self.COUNT - 1):
            idle.append(Raw(server.port))
            idle[-1].ask('PING')
        each = (rss_bytes(server) - before) / len(idle)
        counted['idle connections'] = len(idle)
        counted['bytes of memory for each'] = int(each)
        self.assertLess(each, 64 * 1024 if SANITIZED else 6 * 1024)
        # At the limit all are served; one past it is told so.
        with Raw(server.port) as late:
            self.assertEqual(late.reply(), '-ERR max number of clients reached')
            self.assertTrue(late.ends())
        for c in idle:
            self.assertEqual(c.ask('ECHO', 'x'), b'x')
        self.assertEqual(field(first.ask('INFO', 'clients'), 'connected_clients'), self.COUNT)
        for c in idle:
            c.socket.close()
        until = time.monotonic() + 10
        while field(first.ask('INFO', 'clients'), 'connected_clients') > 1:
            self.assertLess(time.monotonic(), until)
        with Raw(server.port) as again:
            self.assertEqual(again.ask('PING'), '+PONG')
        first.socket.close()
        self.assertEqual(server.stop(), 0)


class PipelineTest(unittest.TestCase):
    COUNT = 1000 * 1000

    def test_a_million_commands_in_one_pipeline(self):
        server = Server('--appendonly', 'no') # the log has a limit of its own, aof-buffer-limit
        with Raw(server.port) as c, Raw(server.port) as other:
            before, most = rss_bytes(server), 0
            data = encode(['INCR', 'n']) * 10000
            c.socket.setblocking(False)
            sent, got, unsent = 0, bytearray(), memoryview(b'')
            count, slowest, tail = 0, 0, b''
            while count < self.COUNT:
                if not unsent and sent < self.COUNT:
                    unsent, sent = memoryview(data), sent + 10000
                try:
                    unsent = unsent[c.socket.send(unsent):] if unsent else unsent
                except BlockingIOError:
                    pass
                try:
                    got = c.socket.recv(MIB)
                    self.assertTrue(got)
                    count += got.count(b'\n')
                    tail = (tail + got)[-30:]
                except BlockingIOError:
                    start = time.monotonic()
                    self.assertEqual(other.ask('PING'), '+PONG')
                    slowest = max(slowest, time.monotonic() - start)
                    most = max(most, rss_bytes(server))
            self.assertEqual(count, self.COUNT)
            self.assertTrue(tail.endswith(b':%d\r\n' % self.COUNT), tail)
            self.assertEqual(other.ask('GET', 'n'), b'%d' % self.COUNT)
            if not SANITIZED:
                self.assertLess(most, before + 64 * MIB)
            counted['commands of a pipeline'] = count
        self.assertEqual(server.stop(), 0)


class DeafTest(unittest.TestCase):
    def deaf(self, *options):
        """A client that asks for 100 MB and reads nothing, until it is closed; how long that takes,
        and the most memory the server had meanwhile, over what it had before."""
        server = Server(*options)
        with Raw(server.port) as other, Raw(server.port, receive_bytes=4096) as c:
            other.ask('SET', 'big', 'x' * MIB)
            before, most, start = rss_bytes(server), 0, time.monotonic()
            c.send(encode(['GET', 'big']) * 100)
            while field(other.ask('INFO', 'clients'), 'connected_clients') > 1:
                most = max(most, rss_bytes(server))
                self.assertLess(time.monotonic() - start, 30)
                time.sleep(0.01)
            took = time.monotonic() - start
            info = other.ask('INFO', 'stats')
            self.assertEqual(field(info, 'client_output_buffer_limit_disconnections'), 1)
        self.assertEqual(server.stop(), 0)
        return took, most - before

    def test_past_the_hard_limit_it_is_closed_at_once(self):
        took, most = self.deaf('--client-output-buffer-limit', 'normal 8mb 0 0')
        self.assertLess(took, 10)
        if not SANITIZED:
            self.assertLess(most, 64 * MIB)

    def test_a_run_that_was_over_the_limit_goes_on(self):
        """Before the password little may wait; the commands behind it are run all the same."""
        server = Server('--requirepass', 'word')
        with Raw(server.port) as c:
            c.ask('AUTH', 'word')
            c.ask('SET', 'big', 'x' * MIB)
        with Raw(server.port) as c:
            c.send(encode(['AUTH', 'word']) + encode(['GET', 'big']) * 20 + encode(['PING']))
            self.assertEqual(c.reply(), '+OK')
            for _ in range(20):
                self.assertEqual(len(c.reply()), MIB)
            self.assertEqual(c.reply(), '+PONG')
        self.assertEqual(server.stop(), 0)

    def test_past_the_soft_limit_it_is_closed_after_a_while(self):
        took, _ = self.deaf('--client-output-buffer-limit', 'normal 0 4mb 2')
        self.assertTrue(2 <= took < 20, took)


class QueryBufferTest(unittest.TestCase):
    def test_at_the_limit_it_stays_and_one_past_it_goes(self):
        server = Server('--client-query-buffer-limit', '1mb')
        head = b'*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$2000000\r\n'
        with Raw(server.port, timeout=1) as c, Raw(server.port) as other:
            c.send(head + b'x' * (MIB - len(head)))
            self.assertFalse(c.ends())
            c.send(b'x')
            self.assertTrue(c.ends())
            self.assertEqual(
                field(other.ask('INFO', 'stats'), 'client_query_buffer_limit_disconnections'), 1)
        self.assertEqual(server.stop(), 0)


class DescriptorsTest(unittest.TestCase):
    """When the system allows few descriptors, clients leave enough of them for the log."""

    def test_clients_leave_descriptors_for_files(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 100), hard))
        try:
            server = Server('--appendonly', 'yes')
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        with open(f'/proc/{server.process.pid}/limits', encoding='ascii') as file:
            raised = re.search(r'Max open files +(\d+)', file.read()).group(1)
        self.assertEqual(int(raised), min(10000 + 64, hard))
        self.assertEqual(server.stop(), 0)

    def test_where_the_limit_is_low_fewer_clients_are_let_in(self):
        server = Server('--appendonly', 'yes', descriptors=100)
        self.assertIn('enough for 36 clients and not for maxclients 10000', server.said())
        clients = [Raw(server.port) for _ in range(36)]
        for c in clients:
            self.assertEqual(c.ask('PING'), '+PONG')
        for _ in range(20):
            with Raw(server.port) as late:
                self.assertEqual(late.reply(), '-ERR max number of clients reached')
        self.assertEqual(clients[0].ask('SET', 'k', 'v'), '+OK')
        self.assertEqual(clients[0].ask('SAVE'), '+OK')
        for c in clients:
            c.socket.close()
        self.assertEqual(server.stop(), 0)


if __name__ == '__main__':
    try:
        suite.main()
    finally:
        for what, count in counted.items():
            print(f'  {what:56} {count:12}', file=sys.stderr)
