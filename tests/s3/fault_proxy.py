#!/usr/bin/python3
"""fault_proxy.py: an HTTP proxy in front of one server that fails when it is told to.

    tests/s3/fault_proxy.py LISTEN_PORT SERVER_PORT [--tls CERT KEY]

It passes requests on as they are (signatures hold: Host too stays as it was) and closes every
connection after one. Told by requests to itself:

    GET /__fault/KIND/SKIP/TIMES    after SKIP more requests, fail TIMES of them; KIND: see FAULTS
    GET /__fired                    how many requests have been failed since
"""

import socket
import ssl
import struct
import sys
import threading
import time

# kind: what it does
FAULTS = {
    'none': 'nothing',
    'timeout': 'takes the request and never answers',
    '500': 'answers 500, the server hears of nothing',
    '503': 'answers 503 SlowDown, likewise',
    'lost': 'the server did it, then the connection is reset',
    'reset-request': 'the connection is reset within the body of the request',
    'reset-response': 'the connection is reset within the body of the answer',
    'truncate': 'half the body of the answer, then an orderly end',
    'short': 'half the body, with a Content-Length that agrees',
    'etag': 'another ETag',
    'flip-request': 'one bit of the body of the request flips',
    'flip-response': 'one bit of the body of the answer flips',
    'trickle': 'the answer comes a byte at a time',
    'redirect': 'answers 301 with another region',
}
HOLD_S = 60  # a client that waits longer than this for an answer has a bug


class State:
    def __init__(self):
        self.lock = threading.Lock()
        self.kind, self.skip, self.times, self.fired = 'none', 0, 0, 0

    def set(self, kind, skip, times):
        with self.lock:
            self.kind, self.skip, self.times, self.fired = kind, skip, times, 0

    def take(self):
        """The fault that the next request meets."""
        with self.lock:
            if self.skip > 0:
                self.skip -= 1
                return 'none'
            if self.times == 0 or self.kind == 'none':
                return 'none'
            self.times -= 1
            self.fired += 1
            return self.kind


def read_head(stream):
    """(first line, headers as (name, value) pairs), or None at the end."""
    first = stream.readline()
    if not first:
        return None
    headers = []
    while (line := stream.readline()) not in (b'\r\n', b'\n', b''):
        name, _, value = line.partition(b':')
        headers.append((name.strip(), value.strip()))
    return first.strip(), headers


def header(headers, name):
    for key, value in headers:
        if key.lower() == name:
            return value
    return None


def body_size(headers):
    return int(header(headers, b'content-length') or 0)


def head_bytes(first, headers):
    lines = [first] + [name + b': ' + value for name, value in headers]
    return b'\r\n'.join(lines) + b'\r\n\r\n'


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    connection.close()


def flipped(body):
    if not body:
        return body
    at = len(body) // 2
    return body[:at] + bytes([body[at] ^ 4]) + body[at + 1:]


def answer(connection, status, body, extra=()):
    headers = [(b'Content-Length', b'%d' % len(body)), (b'Connection', b'close')] + list(extra)
    connection.sendall(head_bytes(b'HTTP/1.1 ' + status, headers) + body)


def error(code):
    return b'<?xml version="1.0"?><Error><Code>' + code + b'</Code></Error>'


def ask_server(port, first, headers, body):
    """The server's answer: first line, headers, body; chunks are put together."""
    kept = [(n, v) for n, v in headers if n.lower() not in (b'connection', b'expect')]
    with socket.create_connection(('127.0.0.1', port)) as server:
        server.sendall(head_bytes(first, kept + [(b'Connection', b'close')]) + body)
        stream = server.makefile('rb')
        status, answered = read_head(stream)
        if first.startswith(b'HEAD '):
            data = b''
        elif (header(answered, b'transfer-encoding') or b'').lower() == b'chunked':
            data = b''
            while size := int(stream.readline().split(b';')[0], 16):
                data += stream.read(size)
                stream.readline()
        else:
            data = stream.read(body_size(answered))
    hop = (b'connection', b'transfer-encoding', b'keep-alive')
    answered = [(n, v) for n, v in answered if n.lower() not in hop]
    if header(answered, b'content-length') is None:
        answered.append((b'Content-Length', b'%d' % len(data)))
    return status, answered + [(b'Connection', b'close')], data


def replaced(headers, name, value):
    return [(n, value if n.lower() == name else v) for n, v in headers]


def send_answer(connection, fault, status, headers, data):
    half = len(data) // 2
    if fault == 'short' and data:
        data = data[:half]
        headers = replaced(headers, b'content-length', b'%d' % half)
    elif fault == 'etag':
        headers = replaced(headers, b'etag', b'"00000000000000000000000000000000"')
    elif fault == 'flip-response':
        data = flipped(data)
    head = head_bytes(status, headers)
    if fault in ('truncate', 'reset-response'):
        connection.sendall(head[:len(head) // 2] if not data else head + data[:half])
        time.sleep(0.05)
        if fault == 'reset-response':
            reset(connection)
    elif fault == 'trickle':
        for byte in head + data:
            connection.sendall(bytes([byte]))
            time.sleep(0.2)
    else:
        connection.sendall(head + data)


def serve(connection, state, server_port):
    stream = connection.makefile('rb')
    head = read_head(stream)
    if head is None:
        return
    first, headers = head
    path = first.split()[1].decode()
    if path.startswith('/__'):
        words = path.split('/')[1:]
        if words[0] == '__fault' and words[1] in FAULTS:
            state.set(words[1], int(words[2]), int(words[3]))
        answer(connection, b'200 OK', b'%d' % state.fired)
        return
    fault = state.take()
    size = body_size(headers)
    if header(headers, b'expect') is not None:
        connection.sendall(b'HTTP/1.1 100 Continue\r\n\r\n')  # else the client waits a second
    if fault == 'reset-request':
        stream.read(size // 2)
        reset(connection)
        return
    body = stream.read(size)
    if fault == 'timeout':
        connection.settimeout(HOLD_S)
        connection.recv(1)  # returns when the client has given up
    elif fault == '500':
        answer(connection, b'500 Internal Server Error', error(b'InternalError'))
    elif fault == '503':
        answer(connection, b'503 Slow Down', error(b'SlowDown'))
    elif fault == 'redirect':
        answer(connection, b'301 Moved', error(b'PermanentRedirect'),
               [(b'x-amz-bucket-region', b'eu-west-1')])
    else:
        sent = flipped(body) if fault == 'flip-request' else body
        status, answered, data = ask_server(server_port, first, headers, sent)
        if fault == 'lost':
            reset(connection)
        else:
            send_answer(connection, fault, status, answered, data)


def handle(connection, state, server_port, tls):
    try:
        if tls is not None:
            connection = tls.wrap_socket(connection, server_side=True)
        serve(connection, state, server_port)
    except (OSError, ValueError, TypeError):
        pass  # the client has gone, or the server; either way there is nobody to tell
    finally:
        connection.close()


def main():
    listen_port, server_port = int(sys.argv[1]), int(sys.argv[2])
    tls = None
    if len(sys.argv) == 6 and sys.argv[3] == '--tls':
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(sys.argv[4], sys.argv[5])
    state = State()
    listener = socket.create_server(('127.0.0.1', listen_port), backlog=64)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=handle, args=(connection, state, server_port, tls),
                         daemon=True).start()


if __name__ == '__main__':
    main()
