#!/usr/bin/python3
"""vdb import, vdb bench and vdb ping against a running server, as a person uses them."""

import json
import os
import random
import struct
import subprocess
import sys
import tempfile
import unittest

sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'lib'))
import suite
from server import TOOL, Server, free_port, run

COUNT, DIM = 600, 12


def random_vectors(count, seed):
    source = random.Random(seed)
    return [[source.gauss(0, 1) for _ in range(DIM)] for _ in range(count)]


class ToolTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.folder = tempfile.TemporaryDirectory()
        cls.base = cls.fbin('base.fbin', random_vectors(COUNT, 1))
        cls.queries = cls.fbin('queries.fbin', random_vectors(20, 2))

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()
        status = cls.server.stop()
        if status != 0:  # a crash, or what a sanitizer found
            raise AssertionError(f'vdb-server ended with {status}:\n{cls.server.output}')

    @classmethod
    def file(cls, name, content):
        path = os.path.join(cls.folder.name, name)
        with open(path, 'wb') as file:
            file.write(content.encode() if isinstance(content, str) else content)
        return path

    @classmethod
    def fbin(cls, name, vectors):
        values = [value for vector in vectors for value in vector]
        return cls.file(name, struct.pack(f'<II{len(values)}f', len(vectors), len(vectors[0]),
                                          *values))

    def loads(self, *words):
        done = self.server.tool('import', *words)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def fails(self, status, reason, *words):
        done = run(TOOL, *words)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        self.assertIn(reason, done.stderr)

    def test_every_vector_of_an_fbin_file_is_found_by_its_row_number(self):
        said = self.loads(self.base, '--key', 'rows', '--batch', 97)
        self.assertRegex(said, r'rows: 600 vectors of 12 dimensions in [\d.]+ s: [\d,]+ vectors/s')
        self.assertEqual(self.server.cli('VCARD', 'rows'), ['600'])
        for row in (0, 96, 97, 599):
            self.assertEqual(self.server.cli('VSEARCH', 'rows', 'ELE', row, 'COUNT', 1), [str(row)])

    def test_loading_again_replaces(self):
        self.loads(self.base, '--key', 'again')
        self.assertIn('600 of them replaced', self.loads(self.base, '--key', 'again'))
        self.assertEqual(self.server.cli('VCARD', 'again'), ['600'])

    def test_ids_attributes_and_limit_come_from_where_they_are_told(self):
        ids = self.file('names', 'one\ntwo\nthree four\n')
        attributes = self.file('attributes', '{"n":1}\n\n{"n":3}\n')
        self.loads(self.base, '--key', 'named', '--ids', ids, '--attrs', attributes, '--limit', 3)
        self.assertEqual(self.server.cli('VCARD', 'named'), ['3'])
        self.assertEqual(self.server.cli('VGETATTR', 'named', 'three four'), ['{"n":3}'])
        self.assertEqual(self.server.cli('VGETATTR', 'named', 'two'), [''])

    def test_json_lines_bring_ids_and_attributes(self):
        lines = self.file('a.jsonl', '{"id":"a","vector":[1,2],"year":1990}\n'
                                     '{"vector":[2,1],"attributes":{"year":2000}}\n')
        self.loads(lines, '--key', 'lines', '--metric', 'L2')
        self.assertEqual(self.server.cli('VGETATTR', 'lines', 'a'), ['{"year":1990}'])
        self.assertEqual(self.server.cli('VSEARCH', 'lines', 'ELE', 'a', 'FILTER', '.year > 1995'),
                         ['1'])

    def test_vadd_makes_a_redis_vector_set(self):
        self.loads(self.base, '--key', 'set', '--command', 'VADD', '--options', 'NOQUANT M 8')
        self.assertEqual(self.server.cli('VCARD', 'set'), ['600'])
        self.assertEqual(self.server.cli('VDIM', 'set'), ['12'])

    def test_refused_elements_are_counted_and_shown(self):
        vectors = random_vectors(8, 3)
        vectors[2][5] = float('nan')
        done = self.server.tool('import', self.fbin('nan.fbin', vectors), '--key', 'nan')
        self.assertEqual(done.returncode, 1)
        self.assertIn('row 2: ', done.stderr)
        self.assertIn('nan: 7 vectors', done.stdout)
        self.assertIn('1 elements were refused', done.stdout)
        self.assertEqual(self.server.cli('VCARD', 'nan'), ['7'])

    def test_what_came_before_a_broken_line_is_in(self):
        lines = self.file('b.jsonl', '{"id":"a","vector":[1,2]}\n{"id":"b","vector":[1,]}\n')
        done = self.server.tool('import', lines, '--key', 'broken', '--batch', 1)
        self.assertEqual(done.returncode, 1)
        self.assertIn('b.jsonl:2: column 23', done.stderr)
        self.assertEqual(self.server.cli('VCARD', 'broken'), ['1'])

    def test_another_dimension_than_the_collection_has_is_an_error(self):
        self.loads(self.base, '--key', 'twelve', '--limit', 1)
        other = self.fbin('two.fbin', [[1, 2]])
        done = self.server.tool('import', other, '--key', 'twelve')
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertEqual(self.server.cli('VCARD', 'twelve'), ['1'])

    def test_loads_and_searches_do_not_disturb_each_other(self):
        big = self.fbin('big.fbin', random_vectors(21000, 4))
        self.loads(big, '--key', 'busy', '--create', 'INDEX HNSW M 8 EFC 40',
                   '--limit', 1000)
        address = ('--key', 'busy', '--port', str(self.server.port))
        loads = [subprocess.Popen([TOOL, 'import', big, *address], stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE) for _ in range(2)]
        searches = self.server.tool('bench', '--key', 'busy', '--samples', 200, '--clients', 2)
        for load in loads:
            said = load.communicate(timeout=300)
            self.assertEqual(load.returncode, 0, said)
        self.assertEqual(searches.returncode, 0, searches.stderr)
        self.assertEqual(self.server.cli('VCARD', 'busy'), ['21000'])
        settled = self.server.tool('bench', '--key', 'busy', '--wait', '--ef', 300, '--samples',
                                   200, '--seconds', 0, '--json')
        self.assertGreater(json.loads(settled.stdout)['rows'][0]['recall'], 0.98)

    def test_bench_finds_the_exact_neighbours_of_a_small_collection(self):
        for command in ('VSEARCH', 'VSIM'):
            done = self.server.tool(
                'bench', '--key', 'bench-' + command, '--dataset', self.base, '--load',
                '--queries', self.queries, '--command', command, '--ef', '600', '--clients', '1,3',
                '--seconds', 0, '--json')
            self.assertEqual(done.returncode, 0, done.stderr)
            report = json.loads(done.stdout)
            self.assertEqual(report['load']['vectors'], COUNT)
            self.assertEqual([row['clients'] for row in report['rows']], [1, 3])
            for row in report['rows']:
                self.assertGreaterEqual(row['recall'], 0.99)
                self.assertEqual(row['searches'], 20)
                self.assertLessEqual(row['p50_ms'], row['p99_ms'])

    def test_every_type_is_filled_from_floats(self):
        source = random.Random(9)
        ones = self.fbin('ones.fbin', [[source.getrandbits(1) for _ in range(32)]
                                       for _ in range(600)])
        for kind, metric, words in (('FP16', 'COSINE', ()), ('BF16', 'L2', ()),
                                    ('INT8', 'L2', ('--scale', 20))):
            self.loads(self.base, '--key', kind, '--type', kind, '--metric', metric, *words)
        self.loads(ones, '--key', 'BIT', '--type', 'BIT', '--metric', 'HAMMING')
        for kind in ('FP16', 'BF16', 'INT8', 'BIT'):
            info = self.server.cli('VINFO', kind)
            self.assertEqual(info[info.index('type') + 1], kind)
            self.assertEqual(info[info.index('size') + 1], '600')
            done = self.server.tool('bench', '--key', kind, '--samples', 50, '--ef', 600,
                                    '--seconds', 0)
            self.assertEqual(done.returncode, 0, done.stderr)
        done = self.server.tool('bench', '--key', 'BIT', '--dataset', ones, '--queries', ones,
                                '--max-queries', 20, '--metric', 'HAMMING', '--k', 1, '--ef', 600,
                                '--seconds', 0, '--json')
        self.assertEqual(done.returncode, 0, done.stderr)
        done = self.server.tool('import', self.base, '--key', 'refused', '--type', 'INT8')
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn('not an integer between -128 and 127', done.stderr)
        self.fails(2, '--type are for VCREATE', 'import', self.base, '--key', 'x', '--command',
                   'VADD', '--type', 'INT8')

    def test_bench_asks_the_server_when_nobody_else_knows(self):
        self.loads(self.base, '--key', 'asked')
        done = self.server.tool('bench', '--key', 'asked', '--samples', 50, '--ef', 600,
                                '--seconds', 0)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r'(?m)^ +600 +1 +(1\.0000|0\.99\d\d) ')

    def test_wrong_usage_ends_with_2_and_a_hint(self):
        self.fails(2, 'did you mean "import"?', 'imprt')
        self.fails(2, 'did you mean --key?', 'import', self.base, '--kye', 'x')
        self.fails(2, '--key NAME is missing', 'import', self.base)
        self.fails(2, 'which FILE', 'import', '--key', 'x')
        self.fails(2, 'say which with --format', 'import', 'x.csv', '--key', 'x')
        self.fails(2, '--port', 'import', self.base, '--key', 'x', '--port', '70000')
        self.fails(2, '--load needs --dataset', 'bench', '--key', 'x', '--load')

    def test_failures_end_with_1_and_the_reason(self):
        port = free_port()
        self.fails(1, f'no server at 127.0.0.1:{port}', 'ping', '--port', port)
        self.fails(1, 'is it running?', 'import', self.base, '--key', 'x', '--port', port)
        self.fails(1, 'No such file', 'import', 'no.fbin', '--key', 'x', '--port', port)
        self.fails(1, 'nothere', 'bench', '--key', 'nothere', '--port', self.server.port)

    def test_help_and_version_are_answers(self):
        for words in (['--help'], ['import', '--help'], ['bench', '--help'], ['ping', '--help']):
            done = run(TOOL, *words)
            self.assertEqual((done.returncode, done.stderr), (0, ''))
            self.assertIn('usage: vdb', done.stdout)
        self.assertRegex(run(TOOL, '--version').stdout, r'^vdb \d+\.\d+\.\d+\n$')

    def test_a_password_is_asked_for_and_taken(self):
        guarded = Server('--requirepass', 'secret')
        try:
            words = ('import', self.base, '--key', 'x', '--limit', 10)
            self.assertIn('NOAUTH', guarded.tool(*words).stderr)
            self.assertIn('WRONGPASS', guarded.tool(*words, '--auth', 'wrong').stderr)
            self.assertEqual(guarded.tool(*words, '--auth', 'secret').returncode, 0)
        finally:
            guarded.stop()

    def test_a_unix_socket_serves_as_well(self):
        path = os.path.join(self.folder.name, 'socket')
        local = Server('--unixsocket', path)
        try:
            done = run(TOOL, 'import', self.base, '--key', 'x', '--unix', path)
            self.assertEqual(done.returncode, 0, done.stderr)
        finally:
            local.stop()


if __name__ == '__main__':
    suite.main()
