#!/usr/bin/python3
"""vdb export, and what vdb import makes of its files; imports that are interrupted."""

import json
import os
import random
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'lib'))
import suite
from server import TOOL, Server, run

DIM = 8


def as_floats(values):
    return list(struct.unpack(f'{len(values)}f', struct.pack(f'{len(values)}f', *values)))


def vectors(count, seed):
    source = random.Random(seed)
    return [as_floats([source.gauss(0, 1) for _ in range(DIM)]) for _ in range(count)]


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.folder = tempfile.TemporaryDirectory()

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()
        status = cls.server.stop()
        if status != 0:  # a crash, or what a sanitizer found
            raise AssertionError(f'vdb-server ended with {status}:\n{cls.server.output}')

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def file(self, name, content):
        with open(self.path(name), 'wb') as file:
            file.write(content.encode() if isinstance(content, str) else content)
        return self.path(name)

    def lines(self, path):
        with open(path, encoding='utf-8') as file:
            return sorted(file.read().splitlines())

    def does(self, *words):
        done = self.server.tool(*words)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done

    def fails(self, status, reason, *words):
        done = self.server.tool(*words)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        self.assertIn(reason, done.stderr)
        return done


class ExportTest(Case):
    def test_lines_make_the_same_collection_again(self):
        rows = [{'id': f'id {i}', 'vector': v, 'attributes': {'n': i, 'text': 'ä"\\ {}'}}
                for i, v in enumerate(vectors(600, 1))]
        first = self.file('first.jsonl', '\n'.join(json.dumps(row) for row in rows))
        self.does('import', first, '--key', 'a', '--metric', 'L2')
        self.does('export', self.path('a.jsonl'), '--key', 'a', '--batch', 100)
        self.does('import', self.path('a.jsonl'), '--key', 'b', '--metric', 'L2')
        self.does('export', self.path('b.jsonl'), '--key', 'b')
        once, twice = self.lines(self.path('a.jsonl')), self.lines(self.path('b.jsonl'))
        self.assertEqual(len(once), 600)
        self.assertEqual(once, twice)
        seen = {line['id']: line for line in map(json.loads, once)}
        for row in rows:
            line = seen[row['id']]
            self.assertEqual(line['attributes'], row['attributes'])
            self.assertEqual(as_floats(line['vector']), row['vector'])
        self.assertFalse(os.path.exists(self.path('a.jsonl.part')))

    def test_vectors_of_cosine_come_back_as_they_were_shown(self):
        lines = '\n'.join(json.dumps({'id': str(i), 'vector': v})
                          for i, v in enumerate(vectors(300, 2)))
        self.does('import', self.file('cosine.jsonl', lines), '--key', 'c')
        self.does('export', self.path('c.jsonl'), '--key', 'c')
        for line in map(json.loads, self.lines(self.path('c.jsonl'))):
            shown = self.server.cli('VEMB', 'c', line['id'])
            for value, text in zip(line['vector'], shown):
                self.assertEqual(struct.pack('f', value), struct.pack('f', float(text)))

    def test_collections_of_every_type_come_back(self):
        for kind, values in (('FP16', [0.5, -2, 65504] + [0] * 5),
                             ('BF16', [0.5, -2, 3] + [0] * 5),
                             ('INT8', [1, -128, 127] + [0] * 5),
                             ('BIT', [1, 0, 1] + [0] * 5)):
            made = self.server.cli('VCREATE', kind, 'DIM', 8, 'TYPE', kind, 'METRIC',
                                   'HAMMING' if kind == 'BIT' else 'L2')
            self.assertEqual(made, ['OK'])
            self.server.cli('VADD', kind, 'VALUES', 8, *values, 'a')
            path = self.path(kind + '.jsonl')
            self.does('export', path, '--key', kind)
            self.assertEqual(json.loads(self.lines(path)[0]), {'id': 'a', 'vector': values})
            self.server.cli('VREM', kind, 'a')
            self.does('import', path, '--key', kind)
            self.does('export', path + '2', '--key', kind, '--format', 'jsonl')
            self.assertEqual(self.lines(path), self.lines(path + '2'))

    def test_partitions_come_back(self):
        cli = self.server.cli
        cli('VCREATE', 'parts', 'DIM', 1, 'METRIC', 'L2')
        for name in ('red', 'green'):
            cli('VPARTITION', 'CREATE', 'parts', name)
        for i in range(30):
            where = ['PARTITION', ('red', 'green')[i % 2]] if i % 3 else []
            cli('VADD', 'parts', 'VALUES', 1, i, i, *where)
        self.does('export', self.path('parts.jsonl'), '--key', 'parts')
        self.does('import', self.path('parts.jsonl'), '--key', 'parts2', '--metric', 'L2')
        self.assertEqual(cli('VGET', 'parts2', 3, 0, 1, 2, 'WITHPARTITION'),
                         cli('VGET', 'parts', 3, 0, 1, 2, 'WITHPARTITION'))
        self.does('export', self.path('parts2.jsonl'), '--key', 'parts2')
        lines = self.lines(self.path('parts.jsonl'))
        self.assertEqual(lines, self.lines(self.path('parts2.jsonl')))
        self.assertEqual(sum('"partition":"red"' in line for line in lines), 10)

    def test_what_json_cannot_hold_goes_as_base64(self):
        cli = self.server.cli
        cli('VCREATE', 'odd', 'DIM', '1', 'METRIC', 'L2')
        for identity in (b'\xff\xfe', b'line\nend', b'tab\t"\\', 'käse'.encode(), b''):
            subprocess.run(['redis-cli', '-p', str(self.server.port), '-x', 'VADD', 'odd', 'VALUES',
                            '1', '2'], input=identity, check=True, capture_output=True)
        cli('VADD', 'odd', 'VALUES', '1', '3', 'pretty', 'SETATTR', '{ "a" : 1 }')
        cli('VADD', 'odd', 'VALUES', '1', '3', 'empty', 'SETATTR', '{}')
        cli('VADD', 'odd', 'VALUES', '1', '3', 'broken', 'SETATTR', '{"a":1,\n"b":2}')
        self.does('export', self.path('odd.jsonl'), '--key', 'odd')
        self.does('import', self.path('odd.jsonl'), '--key', 'odd2', '--metric', 'L2')
        self.assertEqual(cli('VCARD', 'odd2'), cli('VCARD', 'odd'))
        for identity in ('pretty', 'empty', 'broken'):
            self.assertEqual(cli('VGETATTR', 'odd2', identity), cli('VGETATTR', 'odd', identity))
        self.does('export', self.path('odd2.jsonl'), '--key', 'odd2')
        self.assertEqual(self.lines(self.path('odd.jsonl')), self.lines(self.path('odd2.jsonl')))

    def test_elements_keep_the_time_when_they_expire(self):
        cli = self.server.cli
        cli('VCREATE', 'ttl', 'DIM', '2', 'METRIC', 'L2')
        for i in range(20):
            cli('VADD', 'ttl', 'VALUES', 2, i, 1, i, *(['EX', 100 + 50 * i] if i % 4 else []))
        self.does('export', self.path('ttl.jsonl'), '--key', 'ttl')
        self.does('import', self.path('ttl.jsonl'), '--key', 'ttl2', '--metric', 'L2')
        for i in range(20):
            left = int(cli('VGET', 'ttl2', 1, i, 'WITHTTL')[-1])
            if i % 4 == 0:
                self.assertEqual(left, -1)
            else:
                self.assertLess(abs(left - 1000 * (100 + 50 * i)), 60000)

    def test_fbin_holds_the_vectors_and_lines_beside_it_the_rest(self):
        rows = vectors(700, 3)
        lines = '\n'.join(json.dumps({'id': f'x{i}', 'vector': v, 'attributes': {'n': i}})
                          for i, v in enumerate(rows))
        self.does('import', self.file('f.jsonl', lines), '--key', 'f', '--metric', 'L2')
        ids, attrs = self.path('f.ids'), self.path('f.attrs')
        self.does('export', self.path('f.fbin'), '--key', 'f', '--ids', ids, '--attrs', attrs)
        self.does('import', self.path('f.fbin'), '--key', 'g', '--metric', 'L2', '--ids', ids,
                  '--attrs', attrs)
        for key in 'fg':
            self.does('export', self.path(key + '2.jsonl'), '--key', key)
        self.assertEqual(self.lines(self.path('f2.jsonl')), self.lines(self.path('g2.jsonl')))
        self.server.cli('VADD', 'f', 'VALUES', DIM, *rows[0], 'two\nlines')
        self.fails(1, 'holds a line end; use jsonl', 'export', self.path('h.fbin'), '--key', 'f',
                   '--ids', ids)
        self.assertFalse(os.path.exists(self.path('h.fbin.part')))

    def test_what_is_there_all_the_while_is_in_the_file(self):
        self.server.cli('VCREATE', 'busy', 'DIM', DIM, 'METRIC', 'L2')
        lines = '\n'.join(json.dumps({'id': f'stays{i}', 'vector': v})
                          for i, v in enumerate(vectors(4000, 4)))
        self.does('import', self.file('busy.jsonl', lines), '--key', 'busy')
        changes = ''.join(f'VADD busy VALUES {DIM} {" ".join(map(str, v))} comes{i}\r\n'
                          f'VREM busy comes{i // 2}\r\n' for i, v in enumerate(vectors(3000, 5)))
        changing = subprocess.Popen(['redis-cli', '-p', str(self.server.port), '--pipe'],
                                    stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        changing.stdin.write(changes.encode())
        changing.stdin.flush()
        self.does('export', self.path('busy2.jsonl'), '--key', 'busy', '--batch', 50)
        changing.communicate(timeout=60)
        seen = {json.loads(line)['id'] for line in self.lines(self.path('busy2.jsonl'))}
        self.assertTrue(seen.issuperset(f'stays{i}' for i in range(4000)))

    def test_wrong_usage_and_failures_are_said(self):
        self.fails(2, 'which FILE', 'export', '--key', 'x')
        self.fails(2, '--key NAME is missing', 'export', 'x.jsonl')
        self.fails(2, 'say --format', 'export', 'x.npy', '--key', 'x')
        self.fails(2, 'for fbin', 'export', 'x.jsonl', '--key', 'x', '--ids', 'y')
        self.fails(1, 'does not exist', 'export', self.path('no.jsonl'), '--key', 'nosuch')
        self.assertFalse(os.path.exists(self.path('no.jsonl.part')))
        self.server.cli('VADD', 'one', 'VALUES', 1, 1, 'a')
        self.fails(1, 'No such file', 'export', '/nosuch/x.jsonl', '--key', 'one')
        said = self.does('export', '-', '--key', 'one')
        self.assertEqual(json.loads(said.stdout), {'id': 'a', 'vector': [1]})


class ImportTest(Case):
    def rows(self, count):
        return '\n'.join(json.dumps({'id': str(i), 'vector': v})
                         for i, v in enumerate(vectors(count, 7)))

    def test_bad_lines_are_named_and_passed_over_up_to_a_number(self):
        lines = ('{"id":"a","vector":[1,2]}\n{"id":"b","vector":[1,]}\n'
                 '{"id":"c","vector":[1,2,3]}\n\n{"id":"d","vector":[3,4]}\n')
        path = self.file('bad.jsonl', lines)
        self.fails(1, 'bad.jsonl:2: column 23', 'import', path, '--key', 'bad')
        done = self.fails(1, 'bad.jsonl:3: ', 'import', path, '--key', 'bad', '--skip-errors', 2)
        self.assertIn('passed over: ', done.stderr)
        self.assertIn('bad: 2 lines could not be read', done.stdout)
        self.assertEqual(self.server.cli('VCARD', 'bad'), ['2'])
        self.fails(1, 'bad.jsonl:3: ', 'import', path, '--key', 'bad1', '--skip-errors', 1)
        self.fails(2, '--skip-errors goes with', 'import', path, '--key', 'x', '--skip-errors', 1,
                   '--ids', path)

    def start(self, path, key, *words):
        return subprocess.Popen([TOOL, 'import', path, '--key', key, '--port',
                                 str(self.server.port), '--batch', '20', '--checkpoint', '0',
                                 *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def wait_for_note(self, path):
        until = time.monotonic() + 30
        while not os.path.exists(path + '.import') and time.monotonic() < until:
            time.sleep(0.001)

    def test_a_killed_import_goes_on_where_it_was(self):
        path = self.file('killed.jsonl', self.rows(20000))
        load = self.start(path, 'killed')
        self.wait_for_note(path)
        load.send_signal(signal.SIGKILL)
        load.communicate()
        with open(path + '.import', encoding='utf-8') as note:
            noted = int(note.read().split('rows ')[1].split()[0])
        self.assertGreater(noted, 0)
        self.assertLess(noted, 20000)
        # What came before the note must not be sent again: what is taken away there stays away.
        self.server.cli('VREM', 'killed', 0)
        done = self.server.tool('import', path, '--key', 'killed')
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(f'going on at row {noted}', done.stderr)
        self.assertEqual(self.server.cli('VCARD', 'killed'), ['19999'])
        self.assertFalse(os.path.exists(path + '.import'))

    def test_a_note_about_another_input_or_key_does_not_count(self):
        path = self.file('other.jsonl', self.rows(3000))
        for change in ('key', 'file', 'anew'):
            load = self.start(path, 'other')
            self.wait_for_note(path)
            load.send_signal(signal.SIGKILL)
            load.communicate()
            if not os.path.exists(path + '.import'):
                continue  # it was through already
            key = 'another' if change == 'key' else 'other'
            if change == 'file':
                os.utime(path, (1, 1))
            words = ['--anew'] if change == 'anew' else []
            done = self.server.tool('import', path, '--key', key, *words)
            self.assertNotIn('going on', done.stderr)
            self.assertEqual(self.server.cli('VCARD', key), ['3000'])

    def test_it_waits_for_a_server_that_is_killed_and_comes_back(self):
        folder = self.path('data')
        os.mkdir(folder)
        server = Server('--appendfsync', 'always', folder=folder)
        path = self.file('server.jsonl', self.rows(20000))
        load = subprocess.Popen([TOOL, 'import', path, '--key', 'k', '--port', str(server.port),
                                 '--batch', '20', '--checkpoint', '0'], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)
        self.wait_for_note(path)
        server.process.kill()
        server.process.wait()
        again = subprocess.Popen([os.path.join(os.path.dirname(TOOL), 'vdb-server'), '--port',
                                  str(server.port), '--dir', folder], stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL)
        try:
            said = load.communicate(timeout=120)
            self.assertEqual(load.returncode, 0, said)
            self.assertIn('waiting 60 s for the server', said[1])
            done = run('redis-cli', '-p', server.port, 'VCARD', 'k')
            self.assertEqual(done.stdout, '20000\n')
        finally:
            again.terminate()
            again.wait()

    def test_it_does_not_wait_for_ever(self):
        folder = self.path('gone')
        os.mkdir(folder)
        server = Server(folder=folder)
        path = self.file('gone.jsonl', self.rows(20000))
        load = subprocess.Popen([TOOL, 'import', path, '--key', 'k', '--port', str(server.port),
                                 '--batch', '20', '--checkpoint', '0', '--wait', '0'],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.wait_for_note(path)
        server.process.kill()
        server.process.wait()
        self.assertEqual(load.wait(timeout=60), 1)
        said = load.communicate()
        self.assertTrue('connection lost' in said[1] or 'no server' in said[1], said)
        self.assertTrue(os.path.exists(path + '.import'))


if __name__ == '__main__':
    suite.main()
