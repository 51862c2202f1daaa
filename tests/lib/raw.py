"""raw.py: a connection that sends bytes as they are, and reads replies of both protocols."""

import os
import socket
import sys

sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
                             'crash', 'real'))
from resp import encode

TIMEOUT_S = 20


class Closed(Exception):
    """The server has closed the connection."""


class Raw:
    def __init__(self, port, receive_bytes=None, timeout=TIMEOUT_S):
        self.socket = socket.socket()
        if receive_bytes is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(timeout)
        self.socket.connect(('127.0.0.1', port))
        self.bytes = bytearray()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        """False when the server takes no more."""
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            return False
        return True

    def more(self):
        try:
            got = self.socket.recv(1 << 20)
        except ConnectionResetError:
            got = b''
        if not got:
            raise Closed
        self.bytes += got

    def line(self):
        while (end := self.bytes.find(b'\r\n')) < 0:
            self.more()
        line = bytes(self.bytes[:end])
        del self.bytes[:end + 2]
        return line

    def exactly(self, size):
        while len(self.bytes) < size:
            self.more()
        part = bytes(self.bytes[:size])
        del self.bytes[:size]
        return part

    def reply(self):
        """A reply: errors as text with their dash, status as text with its plus, bulks as bytes,
        arrays and sets as lists, maps as dicts; null is None."""
        line = self.line()
        kind, rest = line[:1], line[1:].decode('latin-1')
        if kind in b'+-':
            return line.decode('latin-1')
        if kind == b':':
            return int(rest)
        if kind == b'_':
            return None
        if kind == b'#':
            return rest == 't'
        if kind == b',':
            return float(rest)
        size = int(rest)
        if size < 0:
            return None
        if kind in b'$=':
            return self.exactly(size + 2)[:-2]
        if kind in b'*~>':
            return [self.reply() for _ in range(size)]
        assert kind == b'%', line
        pairs = [(self.reply(), self.reply()) for _ in range(size)]
        return {tuple(k) if isinstance(k, list) else k: v for k, v in pairs}

    def ask(self, *words):
        """One command and its reply."""
        if not self.send(encode(words)):
            raise Closed
        return self.reply()

    def ends(self):
        """Whether nothing more comes but the end of the connection."""
        try:
            self.more()
        except Closed:
            return True
        except TimeoutError:
            return False
        return False
