"""resp.py: replies of a server as tokens, and tokens as the lines of a case file.

A token is one element of a reply: (depth, kind, payload), the payload without lengths and line
ends. What a line says and what the server sent are the same bytes: lengths follow from the payload.
"""

import re
import socket
from collections import namedtuple

Token = namedtuple('Token', 'depth kind payload')

BULKS = b'$=!'
AGGREGATES = b'*~%>|'
SIMPLE_ESCAPES = {'\n': '\\n', '\r': '\\r', '\t': '\\t', '\\': '\\\\', '"': '\\"'}
INDENT = 2


def escape(payload):
    """Bytes as text of one line."""
    out = []
    for byte in payload:
        char = chr(byte)
        out.append(SIMPLE_ESCAPES.get(char) or (char if 32 <= byte < 127 else f'\\x{byte:02x}'))
    return ''.join(out)


def unescape(text):
    """The bytes of an escaped text."""
    def one(match):
        found = match.group(1)
        if found[0] == 'x':
            return chr(int(found[1:], 16))
        return {'n': '\n', 'r': '\r', 't': '\t'}.get(found, found)
    return re.sub(r'\\(x[0-9a-fA-F]{2}|.)', one, text).encode('latin-1')


def line_of(token):
    """A token as a line of a case file."""
    text = escape(token.payload)
    if token.kind in '$=!':
        text = f'{token.kind}"{text}"'
    elif token.kind == 'null':
        text = token.payload.decode()
    else:
        text = token.kind + text.replace('\\"', '"')
    return ' ' * (INDENT * token.depth) + text


class Closed(Exception):
    """The server has closed the connection."""


class Connection:
    """Sends commands and returns the tokens of each reply."""

    def __init__(self, port, proto):
        self.socket = socket.create_connection(('127.0.0.1', port), timeout=10)
        self.file = self.socket.makefile('rb')
        if proto == 3:
            self.ask([b'HELLO', b'3'])

    def close(self):
        self.file.close()
        self.socket.close()

    def send(self, args):
        self.send_raw(b'*%d\r\n' % len(args) +
                      b''.join(b'$%d\r\n%s\r\n' % (len(arg), arg) for arg in args))

    def send_raw(self, data):
        self.socket.sendall(data)

    def ask(self, args):
        self.send(args)
        return self.read()

    def read(self, depth=0):
        line = self.file.readline()
        if not line.endswith(b'\r\n'):
            raise Closed
        kind, rest = line[:1], line[1:-2]
        if kind in BULKS and rest != b'-1':
            payload = self.file.read(int(rest) + 2)
            if len(payload) < int(rest) + 2:
                raise Closed
            return [Token(depth, kind.decode(), payload[:-2])]
        if kind in BULKS:
            # A null has no payload; as a number it keeps its line: $-1.
            return [Token(depth, 'null', kind + rest)]
        tokens = [Token(depth, kind.decode('latin-1'), rest)]
        if kind in AGGREGATES and rest != b'-1':
            for _ in range(int(rest) * (2 if kind in b'%|' else 1)):
                tokens += self.read(depth + 1)
        return tokens

    def at_end(self):
        """Whether the server closes the connection now, without another byte."""
        try:
            return self.file.read(1) == b''
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False
