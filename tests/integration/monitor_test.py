#!/usr/bin/python3
"""MONITOR shows what redis-server 7.0.15 shows, and a client that does not read it is let go."""

import os
import re
import shutil
import socket
import sys
import unittest

sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'lib'))
sys.path.append(os.path.dirname(os.path.abspath(__file__)))
import suite
from same_as_redis_test import start_redis
from server import Server

# What a client sends, and what another one that watches sees of it, recorded from Redis.
RECORDED = [
    (rb'PING', [b'"PING"']),
    (rb'set k "b\x00\n\r\t\a\b\"q\\ \xff~"', [rb'"set" "k" "b\x00\n\r\t\a\b\"q\\ \xff~"']),
    (rb'SET k ""', [b'"SET" "k" ""']),
    (rb'AUTH secret', [b'"AUTH" "(redacted)"']),
    (rb'AUTH user secret', [b'"AUTH" "(redacted)" "(redacted)"']),
    (rb'HELLO 2 AUTH default pw SETNAME me',
     [b'"HELLO" "2" "AUTH" "(redacted)" "(redacted)" "SETNAME" "me"']),
    (rb'CONFIG SET maxclients 5000', []),
    (rb'CLIENT LIST', []),
    (rb'SLOWLOG GET', []),
    (rb'CLIENT ID', [b'"CLIENT" "ID"']),
    (rb'NOSUCH x', []),
    (rb'GET', []),
    (rb'GET k EX', []),
    (rb'EXPIRE k x', [b'"EXPIRE" "k" "x"']),
    (rb'MONITOR x', []),
    (b'MULTI\r\nSET k 1\r\nGET k\r\nEXEC', [b'"MULTI"', b'"SET" "k" "1"', b'"GET" "k"', b'"EXEC"']),
    (b'MULTI\r\nSET k 1\r\nNOSUCH\r\nEXEC', [b'"MULTI"', b'"EXEC"']),
    (b'MULTI\r\nSET k 1\r\nDISCARD', [b'"MULTI"', b'"DISCARD"']),
    (b'MULTI\r\nMONITOR\r\nEXEC', [b'"MULTI"', b'"EXEC"']),
    (b'MONITOR\r\nMONITOR\r\nPING\r\nRESET\r\nPING', [b'"PING"', b'"RESET"', b'"PING"']),
    (b'CLIENT REPLY OFF\r\nMONITOR\r\nPING', [b'"CLIENT" "REPLY" "OFF"', b'"PING"']),
    (rb'KEYS none', [b'"KEYS" "none"']),
    (rb'QUIT', [b'"QUIT"']),
]
LINE = re.compile(rb'\+\d+\.\d{6} \[0 127\.0\.0\.1:\d+\] (.*)')
MANY_BYTES = 8 << 20


def connect(port):
    return socket.create_connection(('127.0.0.1', port), timeout=20)


def watch(port, hello=b''):
    with connect(port) as connection:
        client = connection.makefile('rwb')
    client.write(hello + b'PING\r\nMONITOR\r\n')
    client.flush()
    while client.readline() != b'+PONG\r\n':
        pass
    if client.readline() != b'+OK\r\n':
        raise AssertionError('MONITOR is not answered OK')
    return client


def send(port, line, last=b'ECHO the-end\r\n'):
    """Sends lines, waits until the server has closed, so has run them, and says the last."""
    with connect(port) as client:
        client.sendall(line + b'\r\n')
        client.shutdown(socket.SHUT_WR)
        while client.recv(65536) != b'':
            pass
    with connect(port) as client:
        client.sendall(last)
        client.recv(100)


def shown(watcher):
    lines = []
    while True:
        line = watcher.readline()
        match = LINE.fullmatch(line[:-2])
        if match is None:
            raise AssertionError(line)
        if match[1] == b'"ECHO" "the-end"':
            return lines
        lines.append(match[1])


class Monitor(unittest.TestCase):
    def check(self, port):
        for hello in (b'', b'HELLO 3\r\n'):
            watcher = watch(port, hello)
            for line, wanted in RECORDED:
                with self.subTest(line=line, hello=hello):
                    send(port, line)
                    self.assertEqual(shown(watcher), wanted)
            watcher.close()

    def test_shows_what_redis_shows(self):
        server = Server('--save', '', '--appendonly', 'no')
        try:
            self.check(server.port)
        finally:
            server.stop()

    @unittest.skipUnless(shutil.which('redis-server'), 'redis-server is not installed')
    def test_the_recording_is_what_redis_shows(self):
        process, port = start_redis()
        try:
            self.check(port)
        finally:
            process.terminate()
            process.wait()

    def test_a_client_that_does_not_read_is_let_go(self):
        server = Server('--save', '', '--appendonly', 'no', '--client-output-buffer-limit',
                        'normal 1mb 0 0')
        try:
            deaf = watch(server.port)
            reader = watch(server.port)
            with connect(server.port) as client:
                file = client.makefile('rb', buffering=0)
                for _ in range(MANY_BYTES // 8192):
                    client.sendall(b'SET k %s\r\n' % (b'x' * 8192))
                    self.assertEqual(file.readline(), b'+OK\r\n')
                    self.assertIn(b'"SET" "k" "xxx', reader.readline())
                client.sendall(b'INFO stats\r\nCLIENT LIST\r\nPING\r\n')
                said = b''
                while not said.endswith(b'+PONG\r\n'):
                    said += client.recv(65536)
            self.assertIn(b'client_output_buffer_limit_disconnections:1\r\n', said)
            self.assertEqual(said.count(b' flags=O '), 1)
            deaf.close()
            reader.close()
        finally:
            server.stop()


if __name__ == '__main__':
    suite.main()
