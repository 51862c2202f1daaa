"""resp.py: RESP2 from scratch, so that a test knows exactly which replies have arrived.

Connection is not blocking: send() queues, pump() moves bytes, replies come to a callback. ask() is
for the rest of a test: one command, or many, and wait for what they answer."""

import select
import socket
import time


class ReplyError(bytes):
    """An error reply, without its dash."""


class Lost(Exception):
    """The connection ended."""


def encode(words):
    parts = [b'*%d\r\n' % len(words)]
    for word in words:
        if isinstance(word, str):
            word = word.encode()
        elif isinstance(word, int):
            word = b'%d' % word
        parts.append(b'$%d\r\n%s\r\n' % (len(word), word))
    return b''.join(parts)


class Reader:
    """Bytes in, replies out. None stands for null, int and bytes for themselves."""

    def __init__(self):
        self.bytes = b''
        self.at = 0

    def feed(self, more):
        self.bytes = self.bytes[self.at:] + more
        self.at = 0

    def next(self):
        """(True, reply), or (False, None) when the bytes end before the reply does."""
        start = self.at
        try:
            return True, self.parse()
        except IndexError:
            self.at = start
            return False, None

    def line(self):
        end = self.bytes.find(b'\r\n', self.at)
        if end < 0:
            raise IndexError
        line = self.bytes[self.at:end]
        self.at = end + 2
        return line

    def parse(self):
        line = self.line()
        kind, rest = line[:1], line[1:]
        if kind == b'+':
            return rest
        if kind == b'-':
            return ReplyError(rest)
        if kind == b':':
            return int(rest)
        if kind == b'$':
            return self.bulk(int(rest))
        if kind == b'*':
            count = int(rest)
            return None if count < 0 else [self.parse() for _ in range(count)]
        raise ValueError(f'not a reply: {line!r}')

    def bulk(self, size):
        if size < 0:
            return None
        if len(self.bytes) < self.at + size + 2:
            raise IndexError
        bulk = self.bytes[self.at:self.at + size]
        self.at += size + 2
        return bulk


class Connection:
    def __init__(self, port, on_reply=None):
        self.socket = socket.create_connection(('127.0.0.1', port))
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reader = Reader()
        self.on_reply = on_reply
        self.out = b''

    def fileno(self):
        return self.socket.fileno()

    def close(self):
        self.socket.close()

    def send(self, words):
        self.out += encode(words)

    def pump_out(self):
        try:
            while self.out:
                self.out = self.out[self.socket.send(self.out):]
        except BlockingIOError:
            pass
        except OSError as error:
            raise Lost from error

    def pump_in(self):
        """Gives what has arrived to on_reply. Raises Lost at the end of the stream."""
        try:
            more = self.socket.recv(1 << 18)
        except BlockingIOError:
            return
        except OSError as error:
            raise Lost from error
        if not more:
            raise Lost
        self.reader.feed(more)
        while True:
            whole, reply = self.reader.next()
            if not whole:
                return
            self.on_reply(reply)

    def ask_many(self, commands, timeout_s=30):
        """The replies to commands; for a connection that has no others under way."""
        replies = []
        self.on_reply = replies.append
        for words in commands:
            self.send(words)
        end = time.monotonic() + timeout_s
        while len(replies) < len(commands):
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError(f'no reply to {commands[len(replies)][:3]} in {timeout_s} s')
            ready = select.select([self], [self] if self.out else [], [], left)
            if ready[1]:
                self.pump_out()
            if ready[0]:
                self.pump_in()
        return replies

    def ask(self, *words, timeout_s=30):
        return self.ask_many([words], timeout_s)[0]
