#!/usr/bin/python3
"""compat.py: recorded cases of Redis against vdb, and the page of what is the same.

    compat.py replay [WORD ...]    every case byte for byte against vdb-server, in both protocols;
                                   every command of COMMAND LIST has a case; COMPATIBILITY.md is
                                   current. With words: only files whose name has one of them
    compat.py record [WORD ...]    writes Redis's replies into the case files and the list of its
                                   commands; needs redis-server 7.0.15. Patterns and lines that
                                   still match stay
    compat.py answers [WORD ...]   writes vdb's replies where a file or a note says that vdb's own
                                   are wanted: to be read against the documentation, then committed
    compat.py page                 writes COMPATIBILITY.md again
"""

import os
import subprocess
import sys
import tempfile
import time

FOLDER = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.join(os.path.dirname(FOLDER), 'tests', 'lib'))
import cases
import options
import page
from resp import Closed, Connection, Token
from server import Server, free_port

RECORDED_FROM = '7.0.15'
REDIS_OPTIONS = ['--save', '', '--appendonly', 'no', '--databases', '1']
VDB_OPTIONS = ['--save', '', '--appendonly', 'no']


class Redis:
    """A redis-server of our own."""

    def __init__(self):
        self.port = free_port()
        self.folder = tempfile.TemporaryDirectory(prefix='vdb-redis-')
        self.process = subprocess.Popen(
            ['redis-server', '--port', str(self.port), *REDIS_OPTIONS], cwd=self.folder.name,
            stdout=subprocess.DEVNULL)
        for _ in range(100):
            try:
                Connection(self.port, 2).close()
                return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError('redis-server does not start')

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.folder.cleanup()
        return 0


class Player:
    """Says the cases of files to a server ('r' Redis, 'v' vdb) in one protocol."""

    def __init__(self, server, port, proto):
        self.server, self.port, self.proto = server, port, proto
        self.connections = {}

    def fresh(self):
        for connection in self.connections.values():
            connection.close()
        self.connections = {}
        last = Connection(self.port, self.proto)
        last.ask([b'FLUSHALL'])
        last.ask([b'CONFIG', b'RESETSTAT'])
        last.close()

    def connection(self, name):
        if name not in self.connections:
            self.connections[name] = Connection(self.port, self.proto)
        return self.connections[name]

    def say(self, case):
        """The tokens of the reply; None when there is none to come."""
        if 'wait' in case.notes:
            time.sleep(int(case.notes['wait']) / 1000)
        connection = self.connection(case.connection)
        if case.raw:
            connection.send_raw(case.args[0])
        else:
            connection.send(case.args)
        if 'silent' in case.notes:
            return None
        try:
            tokens = connection.read()
        except (Closed, TimeoutError):
            connection.close()
            del self.connections[case.connection]
            return [Token(0, '(', b'closed)')]
        if 'closes' in case.notes:
            if not connection.at_end():
                raise cases.BadCase(f'{case.place}: the connection stays open')
            connection.close()
            del self.connections[case.connection]
        return cases.in_order(tokens) if 'any-order' in case.notes else tokens

    def play(self, file):
        """(case, tokens) of every case of a file that is for this server."""
        self.fresh()
        for item in file.items:
            if isinstance(item, str):
                if item.startswith('== '):
                    self.fresh()
            elif item.server in ('', self.server):
                yield item, self.say(item)

    def close(self):
        for connection in self.connections.values():
            connection.close()


def verdict(file, case, proto, tokens):
    """What is wrong with vdb's reply, or None."""
    wanted = case.lines('v', proto)
    if 'missing' in case.notes:
        theirs = case.lines('r', proto)
        return 'no longer missing: take @missing away' if cases.matches(theirs, tokens) else None
    if not wanted:
        return 'no reply is written down'
    if not cases.matches(wanted, tokens):
        return 'another reply than expected'
    if 'differs' in case.notes and file.source == 'redis' and not differs(case):
        return 'does not differ: take @differs away'
    return None


def lacks_command(case, listed):
    """Whether the case is of a command of Redis that vdb does not have yet."""
    redis = page.commands_of_redis()
    name = next((name for name in case.names() if name in redis), None)
    return name is not None and name not in listed


def differs(case):
    return any(case.lines('v', proto) != case.lines('r', proto) for proto in '23')


class Replay:
    """Cases said to vdb, and how they went."""

    def __init__(self, port):
        self.port = port
        self.listed = page.names_of(port)
        self.passed = self.failed = 0
        self.missing = {}  # section that misses something -> cases of it that fail

    def check(self, file, proto):
        player = Player('v', self.port, int(proto))
        for case, tokens in player.play(file):
            if tokens is None or lacks_command(case, self.listed):
                continue
            wrong = verdict(file, case, proto, tokens)
            if case.section.missing:
                failing = self.missing.setdefault(case.section, 0)
                self.missing[case.section] = failing + (wrong is not None)
            elif wrong:
                self.failed += 1
                complain(case, proto, tokens, wrong)
            else:
                self.passed += 1
        player.close()

    def count(self, good, complaint):
        self.passed, self.failed = self.passed + good, self.failed + (not good)
        if not good:
            print('FAIL ' + complaint)

    def whole(self, files):
        """What holds for all files together."""
        lacking = page.without_case(files, self.listed)
        self.count(not lacking, 'in COMMAND LIST, and without a case in redis-compat/cases: ' +
                   ' '.join(lacking))
        for wrong in options.check(files, self.listed):
            self.count(False, f'redis-compat/options.txt: {wrong}')
        self.count(page.is_current(files, self.listed),
                   'redis-compat/COMPATIBILITY.md is old: make compat-page writes it again')


def replay(files, complete):
    """Returns how many cases passed and failed."""
    vdb = Server(*VDB_OPTIONS)
    run = Replay(vdb.port)
    try:
        for proto in '23':
            for file in files:
                run.check(file, proto)
    finally:
        status = vdb.stop()
    run.count(status == 0, f'vdb-server ended with {status}:\n{vdb.output}')
    for section, failing in run.missing.items():
        run.count(failing > 0, f'"{section.title}" is no longer missing: take the line away')
    if complete:
        run.whole(files)
    return run.passed, run.failed


def complain(case, proto, tokens, wrong):
    print(f'FAIL {case.place} (RESP{proto}): {case.text}\n  {wrong}')
    for line in case.lines('v', proto):
        print(f'  wanted  {line}')
    for line in cases.lines_of(tokens)[:40]:
        print(f'  got     {line}')


def write_replies(files, server, port, wanted):
    """Plays the files and writes the replies of the cases for which wanted(file, case) holds."""
    for file in files:
        heard = {}
        for proto in '23':
            player = Player(server, port, int(proto))
            for case, tokens in player.play(file):
                if tokens is not None:
                    heard.setdefault(case, {})[proto] = tokens
            player.close()
        for case, tokens in heard.items():
            if wanted(file, case):
                keep_or_write(case, server, tokens)
        with open(file.path, 'w', encoding='utf-8') as out:
            out.write(file.text())


def keep_or_write(case, server, tokens):
    if all(case.lines(server, p) and cases.matches(case.lines(server, p), tokens[p])
           for p in '23'):
        return
    marked = 'differs' in case.notes or 'missing' in case.notes
    own = server if marked and case.server == '' else ''
    case.set_lines(own, cases.lines_of(tokens['2']), cases.lines_of(tokens['3']))


def record(files):
    said = subprocess.run(['redis-server', '--version'], capture_output=True, text=True,
                          check=True).stdout
    if f'v={RECORDED_FROM} ' not in said:
        sys.exit(f'cases are recorded from redis-server {RECORDED_FROM}; this is {said}')
    redis = Redis()
    try:
        page.write_commands_of_redis(redis.port)
        write_replies(files, 'r', redis.port, lambda file, case: file.source == 'redis')
    finally:
        redis.stop()


def answers(files):
    vdb = Server(*VDB_OPTIONS)
    try:
        write_replies(files, 'v', vdb.port,
                      lambda file, case: file.source == 'vdb' or 'differs' in case.notes or
                      case.server == 'v')
    finally:
        vdb.stop()


def write_page(files):
    vdb = Server(*VDB_OPTIONS)
    try:
        page.write(files, page.names_of(vdb.port))
    finally:
        vdb.stop()


def main():
    mode, names = (sys.argv[1:2] or [''])[0], sys.argv[2:]
    if mode not in ('replay', 'record', 'answers', 'page'):
        sys.exit(__doc__)
    files = cases.load(names)
    if mode == 'record':
        record([file for file in files if file.source == 'redis'])
    elif mode == 'answers':
        answers(files)
    elif mode == 'page':
        write_page(cases.load())
    else:
        passed, failed = replay(files, complete=not names)
        print(f'{passed} passed, {failed} failed, 0 skipped')
        sys.exit(0 if failed == 0 else 1)


if __name__ == '__main__':
    main()
