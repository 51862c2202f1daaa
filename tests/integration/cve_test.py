#!/usr/bin/python3
"""The kinds of mistakes that have been security bugs of Redis, tried here. Each test names the CVE
that it is about, or says that there is no number."""

import itertools
import os
import re
import resource
import struct
import subprocess
import sys
import tempfile
import time
import unittest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.append(os.path.join(TESTS, 'lib'))
import suite
from raw import Closed, Raw, encode
from server import TOOL, Server, is_sanitized

MIB = 1 << 20
HUGE = [2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**32 + 1, 2**53, 2**62, 2**63 - 1, 2**63, 2**64 - 1,
        2**64, -1, -2**31, -2**31 - 1, -2**63, -2**63 - 1]
SANITIZED = is_sanitized()


def rss_bytes(server):
    with open(f'/proc/{server.process.pid}/statm', encoding='ascii') as file:
        return int(file.read().split()[1]) * os.sysconf('SC_PAGE_SIZE')


def cpu_seconds(server):
    with open(f'/proc/{server.process.pid}/stat', encoding='ascii') as file:
        words = file.read().rsplit(')', 1)[1].split()
    return (int(words[11]) + int(words[12])) / os.sysconf('SC_CLK_TCK')


def is_error(reply):
    return isinstance(reply, str) and reply.startswith('-')


class OpenTest(unittest.TestCase):
    """With a server that asks for no password."""

    @classmethod
    def setUpClass(cls):
        cls.server = Server('--appendonly', 'no')

    @classmethod
    def tearDownClass(cls):
        assert cls.server.stop() == 0, cls.server.output

    def setUp(self):
        self.c = Raw(self.server.port)
        self.c.ask('FLUSHALL')

    def tearDown(self):
        self.assertEqual(self.c.ask('PING'), '+PONG')
        self.c.socket.close()

    def within(self, seconds, *words):
        """What blows up takes minutes or worse; the rest is room for a busy machine."""
        start = time.monotonic()
        reply = self.c.ask(*words)
        self.assertLess(time.monotonic() - start, seconds * (40 if SANITIZED else 8), words[0])
        return reply

    def test_key_extraction_cannot_be_led_past_the_arguments(self):
        """CVE-2023-36824: COMMAND GETKEYS read past the arguments where a count said so."""
        commands = [['eval', 's'], ['zunionstore', 'd'], ['vmadd', 'k', 'FP32'], ['vget', 'k'],
                    ['vsim', 'k', 'VALUES'], ['zinter'], ['memory', 'usage'], ['object'],
                    ['mset', 'a'], ['vexplain'], ['vexplain', 'analyze'], ['command', 'getkeys'],
                    ['xread', 'streams'], ['sort', 'a', 'store'], ['copy', 'a'], ['migrate']]
        for how in ('GETKEYS', 'GETKEYSANDFLAGS'):
            for words in commands:
                for count in [*HUGE, 0, 1, 3, 'x', '']:
                    for rest in ([], ['a'], ['a', 'b']):
                        reply = self.c.ask('COMMAND', how, *words, count, *rest)
                        self.assertTrue(is_error(reply) or isinstance(reply, list))
                        given = {str(w).encode() for w in [*words, count, *rest]}
                        for key in reply if isinstance(reply, list) else []:
                            name = key[0] if isinstance(key, list) else key
                            self.assertIn(name, given)

    def test_patterns_cannot_blow_up(self):
        """CVE-2022-36021: matching a* many times over took exponential time."""
        self.c.ask('SET', 'a' * 4000, '1')
        self.c.ask('VADD', 'v', 'VALUES', '1', '1', 'a' * 4000)
        for star in ('*', '**', '?*', '*?', '[a]*', '*[^b]', '\\a*'):
            pattern = (star + 'a') * (2000 // (len(star) + 1)) + 'b'
            self.assertEqual(self.within(0.5, 'KEYS', pattern), [])
            self.assertEqual(self.within(0.5, 'SCAN', 0, 'MATCH', pattern, 'COUNT', 100)[1], [])
            self.assertEqual(self.within(0.5, 'VSCAN', 'v', 0, 'MATCH', pattern)[1], [])
            self.assertEqual(self.within(0.5, 'CONFIG', 'GET', pattern), [])
            self.assertEqual(self.within(0.5, 'VLIST', 'MATCH', pattern), [])
            self.assertEqual(self.within(0.5, 'COMMAND', 'LIST', 'FILTERBY', 'PATTERN', pattern),
                             [])
            attribute = '{"a":"' + 'a' * 4000 + '"}'
            self.c.ask('VSETATTR', 'v', 'a' * 4000, attribute)
            reply = self.within(0.5, 'VCOUNT', 'v', ".a like '" + '*a' * 500 + "*b'")
            self.assertEqual(reply, 0)

    def test_patterns_cannot_exhaust_the_stack(self):
        """CVE-2024-31228: a pattern of many stars recursed once for each."""
        self.c.ask('SET', 'a' * 1000, '1')
        for size in (4096, 4097, 100000, 1000000):
            reply = self.within(1, 'KEYS', ('*?' * size)[:size])
            self.assertTrue(reply == [] if size <= 4096 else is_error(reply), size)
            self.within(1, 'KEYS', '[' * size)
            self.within(1, 'CONFIG', 'GET', '\\' * size)

    def test_nested_input_cannot_exhaust_the_stack(self):
        """No number: parsers that recurse over what a client sends (Lua's, cjson's and SORT's)."""
        self.c.ask('VADD', 'v', 'VALUES', '1', '1', 'e', 'SETATTR', '{"a":1}')
        for depth in (64, 65, 128, 129, 1000, 60000):
            for text in ('(' * depth + '.a == 1' + ')' * depth, 'not ' * depth + '.a == 1',
                         '.a' * depth + ' == 1', '-' * depth + '1 == .a', '(' * depth):
                reply = self.within(1, 'VCOUNT', 'v', text[:65536])
                self.assertTrue(is_error(reply) or reply in (0, 1))
            for text in ('{"a":' * depth + '1' + '}' * depth, '[' * depth + ']' * depth):
                reply = self.within(1, 'VSETATTR', 'v', 'e', text)
                self.assertTrue(is_error(reply) or reply == 1)
                self.within(1, 'VCOUNT', 'v', '.a.a.a == 1')
                reply = self.within(1, 'VADD', 'w', 'JSON', text, 'e')
                self.assertTrue(is_error(reply))

    def test_offsets_and_lengths_cannot_overflow(self):
        """CVE-2022-35977: SETRANGE with an offset near the end of integers; CVE-2021-32761:
        GETRANGE and bits past 32 bits."""
        self.c.ask('SET', 's', 'hello')
        for offset in HUGE:
            self.assertTrue(is_error(self.c.ask('SETRANGE', 's', offset, 'xyz')), offset)
            self.assertTrue(is_error(self.c.ask('SETRANGE', 'none', offset, 'xyz')), offset)
        for start, end in itertools.product([0, 1, *HUGE], repeat=2):
            reply = self.c.ask('GETRANGE', 's', start, end)
            if not is_error(reply):
                self.assertIn(reply, b'hello')
        self.assertEqual(self.c.ask('GET', 's'), b'hello')
        self.assertEqual(self.c.ask('EXISTS', 'none'), 0)

    def test_the_longest_bulk_cannot_be_raised_past_what_is_safe(self):
        """CVE-2021-41099, CVE-2021-21309: a huge proto-max-bulk-len made lengths overflow."""
        for value in [*HUGE, '16384pb', '9999999gb', 2**30 + 1, 2**20 - 1]:
            self.assertTrue(is_error(self.c.ask('CONFIG', 'SET', 'proto-max-bulk-len', value)))
        self.assertEqual(self.c.ask('CONFIG', 'SET', 'proto-max-bulk-len', 2**30), '+OK')
        self.assertEqual(self.c.ask('APPEND', 's', 'x'), 1)
        self.assertTrue(is_error(self.c.ask('SETRANGE', 's', 2**30, 'x')))
        self.assertEqual(self.c.ask('CONFIG', 'SET', 'proto-max-bulk-len', '512mb'), '+OK')

    def test_an_announced_length_reserves_no_memory(self):
        """CVE-2021-32675: many connections announced large arrays and bulks, and waited."""
        before, waiting = rss_bytes(self.server), []
        for _ in range(200):
            c = Raw(self.server.port)
            c.send(b'*1048576\r\n$536870912\r\nx')
            waiting.append(c)
        self.c.ask('PING')
        grown = rss_bytes(self.server) - before
        self.assertLess(grown, (100 if SANITIZED else 20) * MIB)
        for c in waiting:
            c.socket.close()

    def test_counts_of_random_members_cannot_overflow(self):
        """CVE-2023-22458, CVE-2023-25155: HRANDFIELD, ZRANDMEMBER and SRANDMEMBER with a count
        whose negation, or whose product with the size of a member, does not fit."""
        for i in range(3):
            self.c.ask('VADD', 'v', 'VALUES', '1', '1', f'e{i}')
        for count in HUGE:
            reply = self.within(1, 'VRANDMEMBER', 'v', count)
            if 0 < count < 2**63:
                self.assertEqual(sorted(reply), [b'e0', b'e1', b'e2'])
            else:
                self.assertTrue(is_error(reply) or (count == -1 and len(reply) == 1), count)

    def test_counts_of_other_commands_cannot_overflow(self):
        """CVE-2022-35951: XAUTOCLAIM's COUNT, multiplied, became a small buffer."""
        blob = struct.pack('<4f', 1, 2, 3, 4)
        self.c.ask('VADD', 'v', 'FP32', blob, 'e')
        for count in HUGE:
            for words in (['SCAN', 0, 'COUNT', count], ['VSCAN', 'v', 0, 'COUNT', count],
                          ['VSIM', 'v', 'ELE', 'e', 'COUNT', count],
                          ['VSIM', 'v', 'ELE', 'e', 'EF', count],
                          ['VSIM', 'v', 'ELE', 'e', 'FILTER-EF', count],
                          ['VSEARCH', 'v', 'ELE', 'e', 'COUNT', count, 'OFFSET', count],
                          ['VMSEARCH', 'v', count, blob], ['VGET', 'v', count, 'e'],
                          ['VRANGE', 'v', '-', '+', count],
                          ['VMADD', 'v', 'FP32', count, 'e', blob],
                          ['VADD', 'w', 'VALUES', count, '1', 'e'],
                          ['VADD', 'w', 'REDUCE', count, 'FP32', blob, 'e'],
                          ['VADD', 'w', 'FP32', blob, 'e', 'M', count],
                          ['VCREATE', 'w', 'DIM', count], ['VQUERY', 'v', '1 == 1', 'COUNT', count],
                          ['VSEARCH', 'v', 'ELE', 'e', 'RETURN', count, 'a'],
                          ['VSEARCH', 'v', 'ELE', 'e', 'FILTER', '1', 'PARAMS', count, 'a', 'b'],
                          ['VSEARCH', 'v', 'ELE', 'e', 'TIMEOUT', count],
                          ['SLOWLOG', 'GET', count], ['CLIENT', 'UNBLOCK', count],
                          ['EXPIRE', 's', count], ['EXPIREAT', 's', count], ['SELECT', count],
                          ['SET', 's', '1', 'EX', count], ['GETEX', 's', 'PX', count],
                          ['RESTORE', 's', count, 'x'], ['WAIT', count, 1],
                          ['MEMORY', 'USAGE', 'v', 'SAMPLES', count],
                          ['COPY', 'v', 'x', 'DB', count],
                          ['INCRBY', 'n', count], ['DECRBY', 'n', count], ['HELLO', count]):
                self.within(2, *words)
            self.c.ask('DEL', 'w', 's', 'n', 'x')
        self.assertEqual(self.c.ask('VCARD', 'v'), 1)

    def test_numbers_cannot_become_what_is_none(self):
        """CVE-2023-28856: HINCRBYFLOAT stored what no later command could read."""
        for start, by in (('1e308', '1e308'), ('1', 'inf'), ('1', 'nan'), ('1', '-inf'),
                          ('1', '1e999'), ('1', ''), ('1', ' 1'), ('x', '1'), ('1', '0x1p2')):
            self.c.ask('SET', 'n', start)
            reply = self.c.ask('INCRBYFLOAT', 'n', by)
            if is_error(reply):
                self.assertEqual(self.c.ask('GET', 'n'), start.encode())
            else:
                self.assertFalse(is_error(self.c.ask('INCRBYFLOAT', 'n', '0')), by)
        for value in ('9223372036854775807', '-9223372036854775808'):
            self.c.ask('SET', 'n', value)
            step = 'INCR' if value[0] != '-' else 'DECR'
            self.assertTrue(is_error(self.c.ask(step, 'n')))
            self.assertEqual(self.c.ask('GET', 'n'), value.encode())
        self.c.ask('SET', 'n', '0')
        self.assertTrue(is_error(self.c.ask('DECRBY', 'n', '-9223372036854775808')))

    def test_a_key_named_twice_breaks_nothing(self):
        """CVE-2023-28425: MSETNX with the same key twice stopped the server."""
        self.assertEqual(self.c.ask('MSETNX', 'k', '1', 'k', '2'), 1)
        self.assertEqual(self.c.ask('GET', 'k'), b'2')
        self.assertEqual(self.c.ask('MSET', 'k', '3', 'k', '4', 'k', '5'), '+OK')
        self.assertEqual(self.c.ask('DEL', 'k', 'k', 'k'), 1)
        self.assertEqual(self.c.ask('WATCH', 'k', 'k'), '+OK')
        self.assertEqual(self.c.ask('UNWATCH'), '+OK')
        blob = struct.pack('<4f', 1, 2, 3, 4)
        self.c.ask('VCREATE', 'c', 'DIM', 2)
        reply = self.c.ask('VMADD', 'c', 'FP32', 2, 'e', 'e', blob)
        self.assertTrue(is_error(reply) or self.c.ask('VCARD', 'c') == 1)
        self.c.ask('VADD', 'c', 'VALUES', 2, 1, 2, 'e')
        self.assertEqual(self.c.ask('VREM', 'c', 'e', 'e', 'e'), 1)
        self.assertTrue(is_error(self.c.ask('RENAME', 'none', 'none')))
        self.c.ask('SET', 'k', '1')
        self.assertEqual(self.c.ask('RENAME', 'k', 'k'), '+OK')
        self.assertTrue(is_error(self.c.ask('COPY', 'k', 'k')))

    def test_hostile_dumps_are_refused(self):
        """CVE-2021-29478 and others of its kind: RESTORE of bytes that no DUMP has made."""
        self.c.ask('SET', 's', 'hello world')
        self.c.ask('VCREATE', 'c', 'DIM', 4, 'SCHEMA', 'n', 'NUMERIC')
        for i in range(20):
            self.c.ask('VADD', 'c', 'VALUES', 4, i, 1, 2, 3, f'e{i}', 'SETATTR', '{"n":%d}' % i)
        for key in ('s', 'c'):
            dump = self.c.ask('DUMP', key)
            step = max(1, len(dump) // 400)
            tried = [dump[:n] for n in range(0, len(dump), step)]
            tried += [dump + b'x', dump * 2, b'', b'\0' * 1000, b'\xff' * 1000]
            for at in range(0, len(dump), step):
                for bit in (1, 0x80):
                    tried.append(dump[:at] + bytes([dump[at] ^ bit]) + dump[at + 1:])
            for payload in tried:
                reply = self.c.ask('RESTORE', 'new', 0, payload)
                self.assertTrue(is_error(reply), payload[:50])
            self.assertEqual(self.c.ask('EXISTS', 'new'), 0)
            self.assertEqual(self.c.ask('RESTORE', 'new', 0, dump), '+OK')
            self.c.ask('DEL', 'new')

    def test_options_cannot_write_past_their_table(self):
        """CVE-2016-8339: CONFIG SET client-output-buffer-limit of a class that clients do not
        have wrote past the table of classes."""
        before = self.c.ask('CONFIG', 'GET', 'client-output-buffer-limit')
        for value in ('master 3735928559 3405691582 373529054', 'normal', 'normal 1', 'normal 1 2',
                      'normal -1 -1 -1', 'normal 1 2 x', 'x 1 2 3', '', ' ', 'normal ' + '1' * 5000,
                      'normal 99999999999999999999 0 0', 'normal 1 2 3 slave'):
            self.assertTrue(is_error(self.c.ask('CONFIG', 'SET', 'client-output-buffer-limit',
                                                value)), value)
        self.assertEqual(self.c.ask('CONFIG', 'GET', 'client-output-buffer-limit'), before)

    def test_names_cannot_forge_lines(self):
        """No number: names of clients with newlines forged lines of CLIENT LIST, and of logs."""
        forged = 'x\nid=1 addr=1.2.3.4:5 name=forged'
        for name in (forged, 'a b', 'a\r', '\x7f', '\x00', 'a\tb', '\xe9'.encode('latin-1')):
            self.assertTrue(is_error(self.c.ask('CLIENT', 'SETNAME', name)))
            self.assertTrue(is_error(self.c.ask('HELLO', 2, 'SETNAME', name)))
            self.assertTrue(is_error(self.c.ask('CLIENT', 'SETINFO', 'lib-name', name)))
            self.assertTrue(is_error(self.c.ask('CLIENT', 'SETINFO', 'lib-ver', name)))
        self.assertEqual(self.c.ask('CLIENT', 'LIST').count(b'\n'), 1)
        evil = 'x\r\n-forged\r\n# forged\r\n'
        for words in ([evil], ['GET', evil, evil], ['CLIENT', evil], ['CONFIG', 'SET', evil, '1'],
                      ['CONFIG', 'SET', 'loglevel', evil], ['AUTH', evil, evil], ['HELLO', evil],
                      ['VADD', 'k', evil, '1', 'e'], ['VCREATE', 'k', 'DIM', evil],
                      ['VCREATE', 'k', 'METRIC', evil], ['VCOUNT', 'k', evil],
                      ['SET', 'k', '1', evil],
                      ['LATENCY', 'GRAPH', evil], ['CLIENT', 'LIST', 'TYPE', evil],
                      ['EXPIRE', 'k', '1', evil], ['VSEARCH', 'k', 'ELE', 'x', evil],
                      ['VBACKUP', 'TO', evil], ['COMMAND', 'GETKEYS', evil]):
            self.assertTrue(is_error(self.c.ask(*words)), words)
            self.assertEqual(self.c.ask('PING'), '+PONG', words)
        for section in ('errorstats', 'everything'):
            self.assertNotRegex(self.c.ask('INFO', section), rb'(?m)^(-forged|# forged)')
        self.assertNotIn('forged', self.server.said())

    def test_fixed_options_stay_fixed(self):
        """No number: CONFIG SET dir and dbfilename, then SAVE, wrote files anywhere."""
        for name in ('dir', 'logfile', 'unixsocket', 'port', 'bind', 'dbfilename', 'appenddirname'):
            reply = self.c.ask('CONFIG', 'SET', name, '/tmp/evil')
            self.assertTrue(is_error(reply), name)

    def test_other_protocols_are_not_spoken(self):
        """CVE-2016-10517: a web page sent commands in the body of a POST."""
        for head in (b'POST / HTTP/1.1\r\n', b'GET / HTTP/1.1\r\nHost: x\r\n', b'host: x\r\n',
                     b'Host: localhost\r\n', b'post x\r\n'):
            with Raw(self.server.port) as c:
                c.send(head + b'\r\nSET injected 1\r\n')
                try:
                    while True:
                        self.assertTrue(is_error(c.reply()))
                except Closed:
                    pass
        self.assertEqual(self.c.ask('EXISTS', 'injected'), 0)

    def test_a_buffer_that_grows_and_shrinks_stays_whole(self):
        """CVE-2023-41056: buffers were resized by a wrong size and written past."""
        for size in (15, 16, 1023, 16383, 16384, 16385, 65535, 65536, 65537, MIB - 1, MIB, MIB + 1):
            text = os.urandom(size // 2).hex() + 'x' * (size % 2)
            self.c.send(encode(['ECHO', text]) + encode(['PING']) + encode(['ECHO', text[::-1]]))
            self.assertEqual(self.c.reply(), text.encode())
            self.assertEqual(self.c.reply(), '+PONG')
            self.assertEqual(self.c.reply(), text[::-1].encode())


class PasswordTest(unittest.TestCase):
    """With a server that asks for a password."""

    @classmethod
    def setUpClass(cls):
        cls.server = Server('--requirepass', 'secret', '--appendonly', 'no')

    @classmethod
    def tearDownClass(cls):
        assert cls.server.stop() == 0, cls.server.output

    def test_strangers_get_no_memory_for_what_they_send(self):
        """CVE-2021-32675: large arrays and bulks before AUTH."""
        error = '-ERR Protocol error: unauthenticated '
        for count, size, what in ((10, 16384, None), (11, 1, 'multibulk'), (2, 16385, 'bulk')):
            with Raw(self.server.port) as c:
                c.send(b'*%d\r\n$4\r\nPING\r\n' % count +
                       b'$%d\r\n%s\r\n' % (size, b'x' * size) * (count - 1))
                reply = c.reply()
                self.assertEqual(reply, '-NOAUTH Authentication required.' if what is None else
                                 f'{error}{what} length')
                self.assertEqual(what is None, not c.ends() if what else True)
        before, waiting = rss_bytes(self.server), []
        for _ in range(100):
            c = Raw(self.server.port)
            c.send(b'*10\r\n' + b'$16384\r\n%s\r\n' % (b'x' * 16384) * 9)
            waiting.append(c)
        with Raw(self.server.port) as c:
            c.ask('AUTH', 'secret')
            c.ask('PING')
        self.assertLess(rss_bytes(self.server) - before, (200 if SANITIZED else 60) * MIB)
        for c in waiting:
            c.socket.close()

    def test_strangers_get_no_memory_for_what_they_do_not_read(self):
        """CVE-2025-21605: errors for a client without a password piled up without a limit."""
        before, most = rss_bytes(self.server), 0
        ping = encode(['PING']) * 10000
        with Raw(self.server.port, receive_bytes=4096) as c, Raw(self.server.port) as known:
            known.ask('AUTH', 'secret')
            sent, open_ = 0, True
            while open_ and sent < 400:
                open_ = c.send(ping)
                sent += 1
                most = max(most, rss_bytes(self.server) - before)
            self.assertFalse(open_)
            self.assertEqual(known.ask('PING'), '+PONG')
            info = known.ask('INFO', 'stats')
            self.assertIn(b'client_output_buffer_limit_disconnections:1', info)
        self.assertLess(most, (200 if SANITIZED else 32) * MIB)
        with Raw(self.server.port) as c: # who reads may ask as often as it likes
            for _ in range(20):
                c.send(encode(['PING']) * 1000)
                for _ in range(1000):
                    self.assertEqual(c.reply(), '-NOAUTH Authentication required.')

    def test_nothing_runs_without_the_password(self):
        """No number: commands that skipped the check (CVE-2021-32672's debugger among others)."""
        with Raw(self.server.port) as known:
            known.ask('AUTH', 'secret')
            names = [name.decode() for name in known.ask('COMMAND', 'LIST')]
        free = {'auth', 'hello', 'quit', 'reset'}
        for name in names:
            with Raw(self.server.port) as c:
                words = name.split('|')
                for count in (0, 1, 2, 3):
                    if name.lower() in free:
                        continue
                    reply = c.ask(*words, *['x'] * count)
                    self.assertTrue(is_error(reply), words)
                    self.assertIn('NOAUTH Authentication required.', reply, words)
        with Raw(self.server.port) as c:
            self.assertEqual(c.ask('RESET'), '+RESET')
            self.assertEqual(c.ask('PING'), '-NOAUTH Authentication required.')
            self.assertTrue(is_error(c.ask('HELLO', 3, 'SETNAME', 'x')))
            self.assertEqual(c.ask('PING'), '-NOAUTH Authentication required.')
            c.ask('AUTH', 'secret')
            c.ask('RESET')
            self.assertEqual(c.ask('PING'), '-NOAUTH Authentication required.')

    def test_wrong_passwords_tell_nothing(self):
        """No number: how long a comparison takes must not tell how much of a password is right.
        What can be seen here: the reply is the same for all."""
        said = set()
        for word in ('', 's', 'secre', 'secretx', 'Secret', 'x' * 500, 'secret\0'):
            for words in (['AUTH', word], ['AUTH', 'default', word], ['AUTH', 'nobody', word],
                          ['HELLO', 3, 'AUTH', 'default', word]):
                with Raw(self.server.port) as c:
                    said.add(c.ask(*words))
        self.assertEqual(said, {'-WRONGPASS invalid username-password pair or user is disabled.'})


class SystemTest(unittest.TestCase):
    def test_options_cannot_be_injected(self):
        """No number: a value with newlines, written by CONFIG REWRITE, became more options."""
        evil = 'secret"\nmaxclients 1\r\nport 1 # \\'
        with tempfile.TemporaryDirectory() as folder:
            conf = os.path.join(folder, 'vdb.conf')
            with open(conf, 'w', encoding='ascii') as file:
                file.write('slowlog-max-len 7\n')
            for restarted in (False, True):
                server = Server(folder=folder, conf=conf)
                with Raw(server.port) as c:
                    if restarted:
                        self.assertEqual(c.ask('AUTH', evil), '+OK')
                    else:
                        self.assertEqual(c.ask('CONFIG', 'SET', 'requirepass', evil), '+OK')
                        self.assertEqual(c.ask('CONFIG', 'REWRITE'), '+OK')
                    for name, value in (('requirepass', evil), ('maxclients', '10000'),
                                        ('slowlog-max-len', '7'), ('port', str(server.port))):
                        self.assertEqual(c.ask('CONFIG', 'GET', name)[1], value.encode())
                self.assertEqual(server.stop(), 0)

    def test_no_descriptors_do_not_spin_the_loop(self):
        """CVE-2025-48367 and accept() that fails with EMFILE: connections that cannot be taken must
        cost no processor, and be taken later."""
        server = Server('--appendonly', 'no', descriptors=80)
        known = Raw(server.port)
        known.ask('PING')
        waiting = []
        for _ in range(150):
            try:
                waiting.append(Raw(server.port, timeout=2))
            except OSError:
                break
        before = cpu_seconds(server)
        time.sleep(1)
        self.assertLess(cpu_seconds(server) - before, 0.5)
        self.assertEqual(known.ask('PING'), '+PONG')
        for c in waiting:
            c.socket.close()
        until = time.monotonic() + 10
        answered = None
        while answered != '+PONG' and time.monotonic() < until:
            try:
                with Raw(server.port, timeout=2) as c:
                    answered = c.ask('PING')
            except (Closed, OSError):
                time.sleep(0.05)
        self.assertEqual(answered, '+PONG')
        known.socket.close()
        self.assertEqual(server.stop(), 0)

    def test_long_paths_break_no_tool(self):
        """CVE-2025-27151: redis-check-aof copied the path it was given into a small buffer."""
        for size in (255, 256, 1023, 1024, 4095, 4096, 100000):
            for words in (['check', 'x' * size], ['check', '/' + 'x/' * (size // 2)]):
                done = subprocess.run([TOOL, *words], capture_output=True, text=True, check=False,
                                      timeout=20)
                self.assertGreater(done.returncode, 0)
                self.assertNotEqual(done.stderr, '')

    def test_the_unix_socket_is_never_open_to_others(self):
        """CVE-2023-45145: between bind() and chmod() anybody could connect."""
        server = Server('--unixsocket', '/tmp/vdb-cve-test.sock', '--unixsocketperm', '700')
        self.assertEqual(os.stat('/tmp/vdb-cve-test.sock').st_mode & 0o777, 0o700)
        self.assertEqual(server.stop(), 0)


if __name__ == '__main__':
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    suite.main()
