#!/usr/bin/python3
"""Where Redis has the command, vdb answers the same bytes. Both get the same lines, in RESP2
and in RESP3; skipped where redis-server is not installed."""

import os
import shlex
import shutil
import socket
import subprocess
import sys
import time
import unittest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.append(os.path.join(TESTS, 'lib'))
import server
import suite

CONNECTION = r'''
PING
PING "a b"
PING a b
ECHO x
ECHO
SELECT 0
SELECT 99
SELECT x
SELECT 0 1
AUTH foo
AUTH default foo
AUTH bob foo
AUTH a b c
AUTH
HELLO 4
HELLO x
HELLO 3 AUTH a
HELLO 3 AUTH a b SETNAME x
HELLO 3 SETNAME "a b"
HELLO 3 NOW
CLIENT
CLIENT FOO bar
CLIENT SETNAME
CLIENT GETNAME
CLIENT SETNAME me
CLIENT GETNAME
CLIENT SETNAME "a b"
CLIENT SETNAME ""
CLIENT GETNAME
CLIENT NO-EVICT maybe
CLIENT NO-EVICT ON
CLIENT NO-EVICT OFF
CLIENT REPLY ON
CLIENT REPLY foo
CLIENT REPLY
CLIENT PAUSE
CLIENT PAUSE x
CLIENT PAUSE -1
CLIENT PAUSE 1 foo
CLIENT PAUSE 0
CLIENT UNPAUSE
CLIENT UNPAUSE x
CLIENT UNBLOCK x
CLIENT UNBLOCK 999
CLIENT UNBLOCK 999 foo
CLIENT UNBLOCK 999 ERROR
CLIENT UNBLOCK 999 timeout
CLIENT TRACKING
CLIENT TRACKING foo
CLIENT TRACKING OFF
CLIENT TRACKINGINFO
CLIENT CACHING yes
CLIENT CACHING foo
CLIENT GETREDIR
CLIENT GETREDIR x
CLIENT LIST TYPE foo
CLIENT LIST TYPE pubsub
CLIENT LIST ID x
CLIENT LIST ID 999 998
CLIENT LIST FOO
CLIENT KILL
CLIENT KILL 1.2.3.4:5
CLIENT KILL ID
CLIENT KILL ID x
CLIENT KILL ID 0
CLIENT KILL ID 999 TYPE normal
CLIENT KILL ID 999 ADDR 1.2.3.4:5 LADDR 1.2.3.4:5 USER default SKIPME no
CLIENT KILL USER nobody
CLIENT KILL TYPE nope
CLIENT KILL SKIPME x
CLIENT KILL ID 99 FOO x
CLIENT KILL ID 99 TYPE
FOO bar baz
FOO
"FOO\r\nBAR" "a\nb"
client|list
'''

SERVER = r'''
CONFIG
CONFIG FOO
CONFIG GET
CONFIG GET nothing
CONFIG GET databas?s nothing DATABASE*
CONFIG GET save
CONFIG SET
CONFIG SET maxclients
CONFIG SET foo bar
CONFIG SET maxclients 10000 maxclients 10000
CONFIG SET maxclients x
CONFIG SET databases 3
CONFIG RESETSTAT
CONFIG RESETSTAT x
COMMAND INFO get
COMMAND INFO nosuch get
COMMAND DOCS nosuch
COMMAND FOO
COMMAND COUNT x
COMMAND GETKEYS
COMMAND GETKEYS get a
COMMAND GETKEYS foo bar
COMMAND GETKEYS mset a 1 b 2
COMMAND GETKEYS del a b c
COMMAND GETKEYS object encoding a
COMMAND LIST FILTERBY MODULE x
COMMAND LIST FILTERBY ACLCAT nosuch
COMMAND LIST FILTERBY FOO x
COMMAND LIST FOO
SHUTDOWN FOO
SHUTDOWN NOSAVE SAVE
MODULE
MODULE FOO
LATENCY
LATENCY LATEST
LATENCY LATEST x
LATENCY FOO
LATENCY HISTORY
LATENCY HISTORY command
LATENCY HISTORY nosuch
LATENCY RESET
LATENCY RESET command nosuch
LATENCY GRAPH
LATENCY GRAPH nosuch
LATENCY HISTOGRAM nosuch
CONFIG RESETSTAT
LATENCY HISTOGRAM get config|get
CONFIG GET latency-tracking
CONFIG GET latency-monitor-threshold
CONFIG SET slowlog-max-len x
CONFIG SET slowlog-log-slower-than -1 slowlog-max-len 10
CONFIG GET slowlog-max-l*
SLOWLOG
SLOWLOG FOO
SLOWLOG GET x
SLOWLOG GET -2
SLOWLOG GET 1 2
SLOWLOG GET -1
SLOWLOG GET 0
SLOWLOG LEN
SLOWLOG LEN x
SLOWLOG RESET
CONFIG SET slowlog-log-slower-than 10000 slowlog-max-len 128
WAIT 0 0
WAIT 1 5
WAIT x 0
WAIT 0 x
WAIT 0 -1
WAIT 0
REPLICAOF NO ONE
SLAVEOF no one
REPLICAOF localhost x
REPLICAOF localhost 65536
ACL WHOAMI
ACL FOO
COMMAND GETKEYSANDFLAGS get a
COMMAND GETKEYSANDFLAGS foo
COMMAND GETKEYSANDFLAGS get
COMMAND GETKEYSANDFLAGS ping
MEMORY PURGE
CLUSTER INFO
CLUSTER SLOTS
CLUSTER NODES
CLUSTER FOO
READONLY
MEMORY
MEMORY FOO
MEMORY USAGE
MEMORY USAGE none
MEMORY USAGE a FOO 3
MEMORY USAGE a SAMPLES x
INFO nosuch
INFO cluster
DBSIZE x
TIME x
'''

KEYS = r'''
DBSIZE
RANDOMKEY
KEYS *
SET a
SET a 1 NX XX
SET a 1 EX
SET a 1 FOO
SET a 1 NX GET
SET a 2 GET
SET a 2 NX
SET a 3 XX KEEPTTL
SET b 1 EX 10 PX 10
SET b 1 EX 10 KEEPTTL
SET b 1 KEEPTTL EX 10
GET
GET a
GET b
GET a b
EXISTS a a b
EXISTS
TOUCH a b
TYPE a
TYPE b
TTL a
TTL b
PTTL a
PTTL b
OBJECT
OBJECT FOO a
OBJECT ENCODING
OBJECT ENCODING a
OBJECT ENCODING b
OBJECT FREQ a
OBJECT FREQ b
OBJECT REFCOUNT b
SET s hello
OBJECT ENCODING s
SET s 01234567890123456789012345678901234567890123
OBJECT ENCODING s
SET s 012345678901234567890123456789012345678901234
OBJECT ENCODING s
SETNX s 1
SETNX t 1
SETNX
MSET a 1 b
MSET a
MSET a 1 b 2 a 3
MGET a b none
MGET
APPEND a 4
APPEND fresh xy
APPEND a
STRLEN a
STRLEN none
GETDEL fresh
GETDEL fresh
GETDEL
INCR a
INCR
INCRBY a x
INCRBY a 9223372036854775808
INCRBY a -50
DECR a
DECRBY a 5
DECRBY a -9223372036854775808
DECRBY a x
SET n 9223372036854775807
INCR n
SET n -9223372036854775808
DECR n
SET n 007
INCR n
SET n +1
INCR n
SET n " 1"
INCR n
SET n ""
INCR n
SET n -0
INCR n
SET n 1.0
INCR n
SET n 9223372036854775808
INCR n
SCAN
SCAN x
SCAN 99999999999999999999999
SCAN 0 COUNT 0
SCAN 0 COUNT -1
SCAN 0 COUNT x
SCAN 0 FOO
SCAN 0 MATCH
SCAN 0 TYPE foo COUNT 100
SCAN 0 MATCH a COUNT 100
SCAN 0 MATCH a TYPE STRING COUNT 100
KEYS
KEYS none
KEYS [a]
KEYS [^abst]
KEYS \a
KEYS "a*"
DEL a a b none
DEL
UNLINK s none
UNLINK
FLUSHALL FOO
FLUSHALL ASYNC SYNC
FLUSHDB ASYNC
FLUSHALL SYNC
DBSIZE
SET "" ""
GET ""
SET "\x00" "\x00\xff\r\n"
GET "\x00"
KEYS *\x00*
STRLEN "\x00"
FLUSHALL
RESET
PING
QUIT
'''

# Times are far away or long past, so that both answer the same whenever they are asked.
EXPIRY = r'''
FLUSHALL
EXPIRE
EXPIRE a
EXPIRE a 10
EXPIRE a x
EXPIRE a 10 FOO
EXPIRE a 10 NX XX
EXPIRE a 10 NX GT
EXPIRE a 10 NX LT
EXPIRE a 10 GT LT
EXPIRE a 10 XX GT
EXPIRE a 10 XX LT NX
EXPIRE a 9223372036854775807
EXPIRE a -9223372036854775808
PEXPIRE a 9223372036854775807
PEXPIRE a 9223372036854775000
EXPIREAT a 9223372036854775807
EXPIREAT a 9223372036854775
PEXPIREAT a 9223372036854775807
TTL a
PTTL a
EXPIRETIME a
PEXPIRETIME a
PERSIST a
SET a 1
TTL a
PTTL a
EXPIRETIME a
PEXPIRETIME a
PERSIST a
EXPIREAT a 4000000000 XX
EXPIREAT a 4000000000 GT
EXPIREAT a 4000000000 LT
EXPIRETIME a
EXPIREAT a 4000000000 GT
EXPIREAT a 4000000000 LT
EXPIREAT a 4000000001 NX
EXPIREAT a 4000000001 LT
EXPIREAT a 4000000001 GT GT
PEXPIRETIME a
PEXPIREAT a 4000000000999 LT XX
EXPIRETIME a
PEXPIREAT a 4000000000499
EXPIRETIME a
PERSIST a
PERSIST a
PEXPIREAT a 9223372036854775807
PEXPIRETIME a
PEXPIREAT a 1 NX
PEXPIREAT a 1 GT
EXISTS a
PEXPIREAT a 1
EXISTS a
SET a 1
EXPIRE a 0
EXISTS a
SET a 1
EXPIRE a -1
GET a
SET a 1
EXPIREAT a -5 LT
EXISTS a
SET a 1 EX 10 FOO
SET a 1 EX x
SET a 1 EX 0
SET a 1 EX -1
SET a 1 PX 0
SET a 1 PX 9223372036854775807
SET a 1 EX 9223372036854775807
SET a 1 EX 9223372036854775
SET a 1 EXAT 0
SET a 1 PXAT -1
SET a 1 EXAT 9223372036854775807
SET a 1 EXAT 1 PXAT 1
SET a 1 KEEPTTL PXAT 1
SET a 1 NX NX
SET a 1 XX XX GET GET
SET a 1 XX NX
EXISTS a
SET a 1 EXAT 4000000000
EXPIRETIME a
SET a 2 KEEPTTL
EXPIRETIME a
SET a 3 PXAT 4000000000123 GET
PEXPIRETIME a
SET a 4 NX PXAT 4000000000999
PEXPIRETIME a
SET a 5 XX EXAT 4000000005 EXAT 4000000006
PEXPIRETIME a
SET a 6
EXPIRETIME a
SET a 7 EXAT 1
GET a
EXISTS a
SET a 7 GET
SETEX a 0 1
SETEX a x 1
SETEX a -1 1
SETEX a
SETEX a 9223372036854775807 1
PSETEX a 0 1
PSETEX a 9223372036854775807 1
PSETEX a 100000000 val
GET a
SETEX a 100000000 val
TYPE a
EXPIREAT a 4000000000
APPEND a ue
PEXPIRETIME a
SETRANGE a 1 A
PEXPIRETIME a
GETSET a 5
TTL a
EXPIREAT a 4000000000
INCR a
PEXPIRETIME a
INCRBY a 5
INCRBYFLOAT a 1.5
PEXPIRETIME a
DECR a
MSET a 1
TTL a
GETEX
GETEX a
GETEX a EX
GETEX a EX 0
GETEX a EX x
GETEX a EX 10 PX 10
GETEX a PERSIST EX 10
GETEX a FOO
GETEX a EXAT 4000000000
EXPIRETIME a
GETEX a
EXPIRETIME a
GETEX a PXAT 4000000000123
PEXPIRETIME a
GETEX a PERSIST
PEXPIRETIME a
GETEX a PERSIST PERSIST
GETEX a PXAT 1
EXISTS a
GETEX a EX x
GETEX none EX 0
SET a 1 PXAT 4000000000000
RENAME a b
PEXPIRETIME b
EXISTS a
RENAME a b
RENAME
RENAME b b
RENAMENX b b
RENAMENX none b
SET a 2
RENAMENX a b
GET a
RENAME a b
PEXPIRETIME b
RENAMENX b c
GET c
COPY
COPY c
COPY c c
COPY c d
COPY c d
COPY c d REPLACE
COPY none d REPLACE
COPY c d DB 0 REPLACE
COPY c d DB 1
COPY c d DB x
COPY c d DB
COPY c d FOO
PEXPIREAT c 4000000000000
COPY c e
PEXPIRETIME e
MSETNX
MSETNX a
MSETNX a 1 b
MSETNX e 1 f 2
EXISTS f
MSETNX f 1 g 2
MGET f g
GETSET
GETSET new 1
GETSET new 2
GETRANGE new 0 -1
SET s "hello world"
GETRANGE s 0 4
GETRANGE s -5 -1
GETRANGE s -1 -5
GETRANGE s 5 3
GETRANGE s -100 3
GETRANGE s -100 -50
GETRANGE s -5 100
GETRANGE s 11 12
GETRANGE s 10 12
GETRANGE s 0 -12
GETRANGE s 0 -9223372036854775808
GETRANGE s -9223372036854775808 9223372036854775807
GETRANGE s x 1
GETRANGE s 1
GETRANGE none 0 -1
SUBSTR s 0 4
SETRANGE s 6 redis
GET s
SETRANGE s 15 x
GET s
SETRANGE s -1 x
SETRANGE s x x
SETRANGE s 536870912 x
SETRANGE s 9223372036854775807 x
SETRANGE s 0 ""
SETRANGE none 5 ""
EXISTS none
SETRANGE none 3 ab
GET none
APPEND none ""
APPEND empty ""
EXISTS empty
INCRBYFLOAT f x
INCRBYFLOAT f 0.1
INCRBYFLOAT f 5.0e3
INCRBYFLOAT f -5001.1
INCRBYFLOAT f -0
INCRBYFLOAT f " 1"
INCRBYFLOAT f inf
INCRBYFLOAT f nan
INCRBYFLOAT f ""
INCRBYFLOAT f 1e400
INCRBYFLOAT f 1e4000
INCRBYFLOAT big 3.0e10
INCRBYFLOAT big 1e-17
INCRBYFLOAT big 0x10
SET w abc
INCRBYFLOAT w 1
INCRBYFLOAT w
TOUCH w none w
UNLINK w none w
FLUSHALL
'''

# "1: command" is said by the first of two clients of the same server.
TRANSACTIONS = r'''
1: FLUSHALL
1: EXEC
1: DISCARD
1: EXEC x
1: MULTI x
1: MULTI
1: MULTI
1: SET a 1
1: INCR a
1: GET a
1: EXEC
1: EXEC
1: MULTI
1: EXEC
1: MULTI
1: SET a 5
1: DISCARD
1: GET a
1: MULTI
1: SET a
1: SET a 7
1: EXEC
1: GET a
1: MULTI
1: NOSUCH
1: SET a 7
1: MULTI
1: EXEC
1: GET a
1: MULTI
1: SET a x
1: INCR a
1: GET
1: SET a 8
1: EXEC
1: MULTI
1: SET a x
1: INCR a
1: EXPIRE a nonsense
1: SET a 8
1: GET a
1: EXEC
1: GET a
1: MULTI
1: EXEC x
1: EXEC
1: MULTI
1: DISCARD x
1: EXEC
1: MULTI
1: WATCH
1: EXEC
1: MULTI
1: WATCH a
1: SET a 9
1: EXEC
1: MULTI
1: SHUTDOWN NOSAVE
1: EXEC
1: MULTI
1: SHUTDOWN FOO
1: DISCARD
1: MULTI
1: SELECT 0
1: SELECT 99
1: PING
1: PING "a b"
1: ECHO x
1: ECHO
1: EXEC
1: MULTI
1: SELECT 99
1: DBSIZE
1: MGET a none
1: EXISTS a none
1: KEYS *
1: TYPE a
1: EXEC
1: UNWATCH
1: UNWATCH x
1: WATCH
1: WATCH a
1: SET a 1
1: MULTI
1: GET a
1: EXEC
1: MULTI
1: GET a
1: EXEC
1: WATCH a none
2: SET a 2
1: MULTI
1: SET a 3
1: EXEC
2: GET a
1: WATCH a
2: GET a
2: TTL a
1: MULTI
1: SET a 3
1: EXEC
2: GET a
1: WATCH a
2: SET a 3
1: MULTI
1: PING
1: EXEC
1: WATCH a
2: SET a 4
1: UNWATCH
1: MULTI
1: PING
1: EXEC
1: WATCH a
1: MULTI
1: PING
2: SET a 5
1: UNWATCH
1: EXEC
1: WATCH a
2: SET a 6
1: MULTI
1: DISCARD
1: MULTI
1: PING
1: EXEC
1: WATCH a
2: SET a 6
1: MULTI
1: NOSUCH
1: EXEC
1: WATCH a
2: DEL a
1: MULTI
1: PING
1: EXEC
1: WATCH a
2: DEL a
1: MULTI
1: PING
1: EXEC
1: WATCH a
2: SET a 1
1: MULTI
1: PING
1: EXEC
1: WATCH none
2: FLUSHALL
1: MULTI
1: PING
1: EXEC
1: WATCH none a
2: SET a 1
2: FLUSHALL
1: MULTI
1: PING
1: EXEC
2: SET a 1
1: WATCH none a
2: FLUSHALL
1: MULTI
1: PING
1: EXEC
1: WATCH a
2: SET a 1
2: DEL a
1: MULTI
1: PING
1: EXEC
2: SET a 1
1: WATCH a
2: EXPIREAT a 4000000000
1: MULTI
1: PING
1: EXEC
1: WATCH a
2: PERSIST a
1: MULTI
1: PING
1: EXEC
1: WATCH a
2: PERSIST a
2: EXPIREAT a 4000000000 XX
2: GETEX a
2: SETRANGE a 0 ""
2: SETNX a 1
2: SET a 1 NX
2: MSETNX a 1
2: RENAME a a
2: TOUCH a
1: MULTI
1: PING
1: EXEC
1: WATCH a
2: APPEND a ""
1: MULTI
1: PING
1: EXEC
1: WATCH a
2: EXPIREAT a 4000000000
2: GETEX a PERSIST
1: MULTI
1: PING
1: EXEC
1: WATCH b
2: RENAME a b
1: MULTI
1: PING
1: EXEC
1: WATCH b
2: RENAME b a
1: MULTI
1: PING
1: EXEC
1: WATCH b
2: COPY a b
1: MULTI
1: PING
1: EXEC
1: WATCH b
2: EXPIREAT b 1
1: MULTI
1: PING
1: EXEC
2: MULTI
2: SET a 1
1: WATCH a
2: EXEC
1: MULTI
1: PING
1: EXEC
1: WATCH a
1: MULTI
1: SET a 2
1: RESET
1: EXEC
1: GET a
1: MULTI
1: GET none
1: MGET none a
1: CONFIG GET databases
1: EXEC
1: WATCH a
2: SET a 1
1: MULTI
1: EXEC
1: MULTI
1: QUIT
'''


def words(line):
    """A line's words as bytes; "..." may hold blanks and Python's escapes."""
    out = []
    for word in shlex.split(line, posix=False):
        if word.startswith('"') and word.endswith('"') and len(word) > 1:
            word = word[1:-1].encode().decode('unicode_escape')
        out.append(word.encode('latin-1'))
    return out


class Client:
    """Sends commands and returns the bytes of each reply."""

    def __init__(self, port, proto):
        self.socket = socket.create_connection(('127.0.0.1', port), timeout=10)
        self.file = self.socket.makefile('rb')
        if proto == 3:
            self.ask([b'HELLO', b'3'])

    def close(self):
        self.file.close()
        self.socket.close()

    def ask(self, args):
        self.socket.sendall(b'*%d\r\n' % len(args) +
                            b''.join(b'$%d\r\n%s\r\n' % (len(a), a) for a in args))
        return self.read()

    def read(self):
        line = self.file.readline()
        kind, rest = line[:1], line[1:-2]
        if kind in b'$=' and rest not in (b'', b'-1'):
            return line + self.file.read(int(rest) + 2)
        if kind in b'*~%' and rest != b'-1':
            members = int(rest) * (2 if kind == b'%' else 1)
            return line + b''.join(self.read() for _ in range(members))
        return line


# What COMMAND INFO says otherwise on purpose: field and why.
TOLD_OTHERWISE = {
    ('command|getkeys', 'arity'): 'as Redis since 7.2: a command without arguments may be named',
    ('config|rewrite', 'flags'): 'a lane writes the file, so it cannot run inside EXEC: no_multi',
    ('getex', 'keys'): "without Redis's notes",
    ('set', 'keys'): "without Redis's notes",
    ('sort', 'keys'): "without Redis's notes",
    ('sort_ro', 'keys'): "without Redis's notes",
    ('zrank', 'arity'): 'WITHSCORE of Redis 7.2',
    ('zrevrank', 'arity'): 'WITHSCORE of Redis 7.2',
}
INFO_FIELDS = ('name', 'arity', 'flags', 'first', 'last', 'step', 'categories', 'tips', 'keys')


def parse(reply):
    """The first value of RESP2 bytes, and what is behind it."""
    end = reply.index(b'\r\n')
    kind, rest, left = reply[:1], reply[1:end], reply[end + 2:]
    if kind == b'$':
        return left[:int(rest)], left[int(rest) + 2:]
    if kind != b'*':
        return rest, left
    values = []
    for _ in range(int(rest)):
        value, left = parse(left)
        values.append(value)
    return values, left


def command_infos(port):
    """By name, subcommands too: fields of COMMAND INFO."""
    client = Client(port, 2)
    infos = {}
    left = [entry for entry in parse(client.ask([b'COMMAND']))[0]]
    client.close()
    while left:
        entry = left.pop()
        infos[entry[0].decode()] = dict(zip(INFO_FIELDS, entry))
        left += entry[9]
    return infos


def start_redis():
    port = server.free_port()
    process = subprocess.Popen(
        ['redis-server', '--port', str(port), '--save', '', '--appendonly', 'no', '--databases',
         '1'], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd='/')
    for _ in range(100):
        try:
            socket.create_connection(('127.0.0.1', port), timeout=1).close()
            return process, port
        except OSError:
            time.sleep(0.05)
    process.kill()
    raise RuntimeError('redis-server does not start')


@unittest.skipUnless(shutil.which('redis-server'), 'redis-server is not installed')
class SameAsRedis(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.redis, cls.redis_port = start_redis()
        cls.vdb = server.Server('--save', '', '--appendonly', 'no')

    @classmethod
    def tearDownClass(cls):
        cls.redis.terminate()
        cls.redis.wait()
        cls.vdb.stop()

    def compare(self, lines, proto):
        theirs, ours = Client(self.redis_port, proto), Client(self.vdb.port, proto)
        for line in lines.strip().split('\n'):
            args = words(line)
            with self.subTest(line=line, proto=proto):
                self.assertEqual(ours.ask(args), theirs.ask(args))
        theirs.close()
        ours.close()

    def compare_two(self, lines, proto):
        clients = {who: (Client(self.redis_port, proto), Client(self.vdb.port, proto))
                   for who in '12'}
        for number, line in enumerate(lines.strip().split('\n')):
            theirs, ours = clients[line[0]]
            args = words(line[3:])
            with self.subTest(number=number, line=line, proto=proto):
                self.assertEqual(ours.ask(args), theirs.ask(args))
        for pair in clients.values():
            for client in pair:
                client.close()

    def test_connection(self):
        self.compare(CONNECTION, 2)
        self.compare(CONNECTION, 3)

    def test_server(self):
        self.compare(SERVER, 2)
        self.compare(SERVER, 3)

    def test_what_command_info_says_of_every_command_that_both_have(self):
        theirs, ours = command_infos(self.redis_port), command_infos(self.vdb.port)
        shared = [name for name in ours if name in theirs]
        self.assertGreater(len(shared), 100)
        for name in shared:
            for field in INFO_FIELDS:
                with self.subTest(command=name, field=field):
                    same = theirs[name][field] == ours[name][field]
                    self.assertEqual(same, (name, field) not in TOLD_OTHERWISE,
                                     f'{theirs[name][field]} {ours[name][field]}')

    def test_keys_and_strings(self):
        self.compare(KEYS, 2)
        self.compare(KEYS, 3)

    def test_expiry_and_parts_of_strings(self):
        self.compare(EXPIRY, 2)
        self.compare(EXPIRY, 3)

    def test_transactions(self):
        self.compare_two(TRANSACTIONS, 2)
        self.compare_two(TRANSACTIONS, 3)


if __name__ == '__main__':
    suite.main()
