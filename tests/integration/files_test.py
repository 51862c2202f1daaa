#!/usr/bin/python3
"""vdb check and vdb dump on what a server has written: whole folders, damaged ones, and data made
again from a dump by redis-cli --pipe."""

import math
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'lib'))
import redis
import suite
from server import TOOL, Server, run

DIM = 8
LARGE = 300  # elements; past flat-rows-max, so that there is a graph
OPTIONS = ('--flat-rows-max', '100', '--save', '', '--appendfsync', 'no')
CREATES = {
    'cosine': 'METRIC COSINE M 8 EFC 100 EF 50',
    'l2': 'METRIC L2 INDEX HNSW QUANT NONE',
    'flat': 'METRIC IP INDEX FLAT',
    'dropped': 'METRIC COSINE ORIGINALS DROP',
    'fp16': 'METRIC COSINE TYPE FP16 SCHEMA n NUMERIC a.b TAG',
    'bf16': 'METRIC L2 TYPE BF16 INDEX HNSW',
    'int8': 'METRIC COSINE TYPE INT8',
    'bit': 'METRIC JACCARD TYPE BIT',
}
DIM_BYTES = {'fp16': 2 * DIM, 'bf16': 2 * DIM, 'int8': DIM, 'bit': DIM // 8}
SETS = {'vset': 'NOQUANT EF 77 M 6', 'bits': 'BIN'}
FILE_NOTE = 'log: byte 0: note: no file of vdb\n'  # what the server of this test has printed


def vector(source):
    return [source.uniform(-3, 3) for _ in range(DIM)]


def fitting(key, values):
    """Values as the type of the collection has them."""
    if key == 'int8':
        return [round(40 * value) for value in values]
    return [int(value > 0) for value in values] if key == 'bit' else values


def add(client, key, name, values, *words):
    values = fitting(key, values)
    client.execute_command('VADD', key, 'VALUES', len(values), *values, name, *words)


def fill(client, source):
    """The part of the data that a snapshot will have."""
    client.set('text', 'some words')
    client.set('binary', bytes(range(256)))
    client.set('expires', 'later', px=10_000_000)
    client.set('long', 'x' * 200_000)
    for key, words in CREATES.items():
        client.execute_command('VCREATE', key, 'DIM', DIM, *words.split())
        count = LARGE if key in ('cosine', 'dropped', 'fp16', 'int8', 'bit') else 20
        for i in range(count):
            words = ('SETATTR', f'{{"n":{i}}}') if i % 3 == 0 else ()
            add(client, key, f'{key}-{i}', vector(source), *words)
    for key, words in SETS.items():
        for i in range(12):
            add(client, key, f'{key}{i}\n"', vector(source), *words.split())
    for i in range(12):
        client.execute_command('VADD', 'reduced', 'REDUCE', 4, 'VALUES', DIM, *vector(source), i)
    client.execute_command('VREM', 'cosine', 'cosine-7', 'cosine-8')
    client.pexpire('flat', 20_000_000)


def change(client, source):
    """The part that only the log has: every kind of change there is."""
    with client.pipeline(transaction=True) as p:
        p.set('inside', 'a transaction')
        p.execute_command('VADD', 'cosine', 'VALUES', DIM, *vector(source), 'in-exec')
        p.delete('binary')
        p.execute()
    add(client, 'cosine', 'cosine-1', vector(source), 'SETATTR', '{"new":true}')
    add(client, 'vset', 'vset0\n"', vector(source), 'NOQUANT', 'M', 6)
    client.execute_command('VREM', 'l2', 'l2-3')
    client.execute_command('VSETATTR', 'cosine', 'cosine-3', '')
    client.execute_command('VSETATTR', 'cosine', 'cosine-4', '{"n":"four"}')
    client.rename('text', 'renamed')
    client.setrange('renamed', 5, 'WORDS')
    client.append('renamed', ' and more')
    client.persist('expires')
    client.pexpire('long', 30_000_000)
    client.execute_command('VDROP', 'flat')
    client.execute_command('VCREATE', 'flat', 'DIM', 2, 'METRIC', 'L2')
    add(client, 'flat', 'again', [1, 2])
    for key in DIM_BYTES:
        add(client, key, f'{key}-3', vector(source))
        add(client, key, 'new', vector(source))
        client.execute_command('VMADD', key, key, 2, 'm1', 'm2', bytes([3] * 2 * DIM_BYTES[key]))
    blob = struct.pack(f'<{2 * DIM}f', *vector(source), *vector(source))
    client.execute_command('VMADD', 'l2', 'FP32', 2, 'm1', 'm2', blob, 'ATTRS', 2, '{}', '')


def elements(client, key):
    """{id: (vector, attribute)}"""
    names = client.execute_command('VRANGE', key, '-', '+')
    return {name: (list(map(float, client.execute_command('VEMB', key, name))),
                   client.execute_command('VGETATTR', key, name)) for name in names}


def contents(client):
    """{key: what it holds}"""
    found = {}
    for key in client.keys('*'):
        kind = client.type(key)
        expires = client.pexpiretime(key)
        if kind == b'string':
            found[key] = (kind, expires, client.get(key))
            continue
        info = client.execute_command('VINFO', key)
        schema = info[info.index(b'schema') + 1] if b'schema' in info else None
        found[key] = (kind, (expires, schema), elements(client, key))
    return found


class Folder:
    """A folder that a server has written, and what it held."""

    def __init__(self, *options):
        self.path = tempfile.mkdtemp(prefix='vdb-files-')
        server = Server(*OPTIONS, *options, folder=self.path)
        client = redis.Redis(port=server.port)
        source = random.Random(5)
        fill(client, source)
        client.execute_command('SAVE')
        if options:  # what one snapshot alone keeps of the log goes with the second
            client.set('between', 'snapshots')
            client.execute_command('SAVE')
        self.snapshot_lsn = int(client.info('persistence')['log_last_lsn'])
        change(client, source)
        self.last_lsn = int(client.info('persistence')['log_last_lsn'])
        self.contents = contents(client)
        client.close()
        self.status = server.stop()
        os.remove(server.log)


class FilesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Folder()

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder.path, ignore_errors=True)

    def same(self, ours, theirs):
        """What codes stand for comes back as coded vectors do, all else to the last digits."""
        self.assertEqual(set(ours), set(theirs))
        self.assertGreater(sum(len(v) for k, _, v in ours.values() if k != b'string'), 2 * LARGE)
        for key, (kind, expires, value) in ours.items():
            self.assertEqual((kind, expires), theirs[key][:2], key)
            if kind == b'string':
                self.assertEqual(value, theirs[key][2])
                continue
            self.assertEqual(set(value), set(theirs[key][2]), key)
            for name, (numbers, attribute) in value.items():
                others, other_attribute = theirs[key][2][name]
                self.assertEqual(attribute, other_attribute)
                slack = 0.1 if key == b'dropped' else 1e-5  # a code is a step of the range / 127
                self.assertEqual(len(numbers), len(others))
                self.assertTrue(all(math.isclose(a, b, rel_tol=slack, abs_tol=slack)
                                    for a, b in zip(numbers, others)), (key, name))

    def made_again(self, *words):
        """The contents of a server that was fed a dump."""
        dump = run(TOOL, 'dump', self.folder.path, '--format', 'resp', *words, text=False)
        self.assertEqual(dump.returncode, 0, dump.stderr)
        self.assertIn(b'1 sets were made with REDUCE', dump.stderr)
        server = Server(*OPTIONS)
        try:
            pipe = subprocess.run(['redis-cli', '-p', str(server.port), '--pipe'],
                                  input=dump.stdout, capture_output=True, timeout=60, check=False)
            self.assertIn(b'errors: 0', pipe.stdout, pipe.stdout + pipe.stderr)
            client = redis.Redis(port=server.port)
            found = contents(client)
            client.close()
            return found
        finally:
            server.stop()

    def test_the_server_ended_in_order(self):
        self.assertEqual(self.folder.status, 0)

    def test_a_folder_that_a_server_wrote_is_whole(self):
        done = run(TOOL, 'check', self.folder.path)
        self.assertEqual((done.returncode, done.stderr), (0, ''), done.stdout)
        self.assertIn('is whole', done.stdout)
        self.assertNotIn('note:', done.stdout)
        self.assertIn(f'the last LSN is {self.folder.last_lsn}', done.stdout)
        self.assertEqual(run(TOOL, 'check', self.folder.path, '--quiet').stdout, '')

    def test_a_dump_makes_the_data_again(self):
        self.same(self.folder.contents, self.made_again())

    def test_the_log_alone_makes_the_data_again(self):
        self.same(self.folder.contents, self.made_again('--log'))

    def test_a_server_finds_what_the_dump_was_made_of(self):
        copy = tempfile.mkdtemp(prefix='vdb-files-')
        shutil.copytree(self.folder.path, copy, dirs_exist_ok=True)
        server = Server(*OPTIONS, folder=copy)
        client = redis.Redis(port=server.port)
        self.same(self.folder.contents, contents(client))
        client.close()
        server.stop()
        done = run(TOOL, 'check', copy)
        self.assertEqual((done.returncode, done.stdout[:len(FILE_NOTE)]), (0, FILE_NOTE))
        shutil.rmtree(copy)

    def test_lines_say_everything_and_ranges_of_the_log_can_be_had(self):
        lines = run(TOOL, 'dump', self.folder.path).stdout.splitlines()
        self.assertEqual(sum(line.startswith('element "cosine"') for line in lines), LARGE - 2)
        self.assertEqual(lines[0].split()[:4], ['snapshot', lines[0].split()[1], 'lsn',
                                                str(self.folder.snapshot_lsn)])
        first, last = self.folder.snapshot_lsn + 1, self.folder.last_lsn
        log = [line for line in lines if line[0].isdigit()]
        self.assertEqual({int(line.split()[0]) for line in log}, set(range(first, last + 1)))
        self.assertEqual([line.split()[3] for line in log if int(line.split()[0]) == first],
                         ['STRING_SET', 'PUT', 'KEY_REMOVE'])
        part = run(TOOL, 'dump', self.folder.path, '--log', '--from', 3, '--to', 5)
        self.assertEqual([line.split()[0] for line in part.stdout.splitlines()], ['3', '4', '5'])
        none = run(TOOL, 'dump', self.folder.path, '--snapshot', '--to', 3)
        self.assertEqual((none.returncode, none.stdout), (0, ''))

    def damaged(self, name, at, folder=None):
        """A copy of a folder with one bit changed."""
        copy = tempfile.mkdtemp(prefix='vdb-files-')
        shutil.copytree((folder or self.folder).path, copy, dirs_exist_ok=True)
        with open(os.path.join(copy, name), 'r+b') as f:
            f.seek(at)
            byte = f.read(1)[0]
            f.seek(at)
            f.write(bytes([byte ^ 1]))
        return copy

    def test_damage_is_named_with_its_file(self):
        source = random.Random(7)
        for name in os.listdir(self.folder.path):
            size = os.path.getsize(os.path.join(self.folder.path, name))
            if name == 'log.durable' or size == 0:
                continue
            for at in [0, size - 1] + [source.randrange(size) for _ in range(4)]:
                copy = self.damaged(name, at)
                done = run(TOOL, 'check', copy)
                self.assertEqual(done.returncode, 1, f'{name}, byte {at}: {done.stdout}')
                self.assertRegex(done.stdout, rf'(?m)^{name}: byte \d+: DAMAGED: ')
                dump = run(TOOL, 'dump', copy, '--format', 'resp', text=False)
                again = run(TOOL, 'dump', self.folder.path, '--format', 'resp', text=False)
                # What a dump does not read may be damaged; else it says so.
                self.assertTrue(dump.returncode == 1 or dump.stdout == again.stdout, (name, at))
                shutil.rmtree(copy)

    def repaired(self, folder):
        """What a server holds that was told to repair; its messages; vdb check must be content."""
        server = Server(*OPTIONS, '--repair', folder=folder)
        client = redis.Redis(port=server.port)
        found = contents(client)
        while client.info('persistence')['rdb_saves'] == 0:  # a repair ends with a snapshot
            time.sleep(0.01)
        client.close()
        self.assertEqual(server.stop(), 0, server.output)
        done = run(TOOL, 'check', folder)
        self.assertEqual(done.returncode, 0, done.stdout)
        return found, server.output

    def refuses(self, folder):
        """Does a server that is not told to repair end, with the reason?"""
        try:
            Server(*OPTIONS, folder=folder).stop()
            return False
        except RuntimeError as e:
            self.assertIn('--repair', str(e))
            return True

    def test_a_repair_loses_nothing_that_the_log_has(self):
        source = random.Random(8)
        for name in os.listdir(self.folder.path):
            size = os.path.getsize(os.path.join(self.folder.path, name))
            if not name.endswith(('.vpk', '.vmf')):
                continue
            for at in [3, source.randrange(size)]:
                copy = self.damaged(name, at)
                self.assertTrue(self.refuses(copy), (name, at))
                found, said = self.repaired(copy)
                self.same(self.folder.contents, found)
                self.assertIn(name, said)
                shutil.rmtree(copy)

    def test_a_repair_keeps_what_is_good_and_says_what_is_lost(self):
        """The log begins behind the first snapshot, so what a pack has is nowhere else."""
        source = random.Random(9)
        folder = Folder('--aof-segment-size', '4kb')
        pack = min(name for name in os.listdir(folder.path) if name.endswith('.vpk'))
        size = os.path.getsize(os.path.join(folder.path, pack))
        lossy = 0
        for at in [100] + [source.randrange(size) for _ in range(6)]:
            copy = self.damaged(pack, at, folder)
            self.assertTrue(self.refuses(copy), at)
            found, said = self.repaired(copy)
            self.assertIn('lost', said)
            for key, (kind, _, value) in found.items():
                whole = folder.contents[key][2]
                if kind == b'string':
                    self.assertEqual(value, whole)
                else:
                    self.assertLessEqual(set(value), set(whole), key)
                    lossy += len(value) < len(whole)
            lossy += len(found) < len(folder.contents)
            shutil.rmtree(copy)
        self.assertGreater(lossy, 0)
        shutil.rmtree(folder.path)

    def test_what_is_no_data_folder_is_said(self):
        with tempfile.TemporaryDirectory() as empty:
            self.assertEqual(run(TOOL, 'check', empty).returncode, 1)
            self.assertEqual(run(TOOL, 'check', empty + '/none').returncode, 1)
            self.assertEqual(run(TOOL, 'dump', empty + '/none').returncode, 1)
        self.assertEqual(run(TOOL, 'check').returncode, 2)
        self.assertEqual(run(TOOL, 'dump').returncode, 2)
        self.assertEqual(run(TOOL, 'dump', 'x', '--log', '--snapshot').returncode, 2)
        self.assertEqual(run(TOOL, 'dump', 'x', '--from', '3').returncode, 2)
        self.assertEqual(run(TOOL, 'dump', 'x', '--to', 'three').returncode, 2)

    def test_a_server_that_is_running_is_mentioned(self):
        server = Server(*OPTIONS)
        done = run(TOOL, 'check', server.folder)
        server.stop()
        self.assertIn('a server uses this folder', done.stderr)


if __name__ == '__main__':
    suite.main()
