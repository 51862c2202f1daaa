#!/usr/bin/python3
"""VALTER of index and codes: what is there is found before, meanwhile and after, and after a crash
at each of these times, whether a snapshot has it or the log."""

import os
import random
import shutil
import struct
import sys
import tempfile
import time
import unittest

import redis

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.append(os.path.join(TESTS, 'lib'))
import suite
from server import Server, TOOL, run

DIM, COUNT, LOOKS, BATCH = 16, 11000, 30, 1000


def vector_of(number):
    chance = random.Random(number)
    return struct.pack(f'{DIM}f', *(chance.gauss(0, 1) for _ in range(DIM)))


class Alter(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix='vdb-test-')
        self.version = {}
        self.start()
        self.client.execute_command('VCREATE', 'c', 'DIM', DIM, 'METRIC', 'L2')
        for first in range(0, COUNT, BATCH):
            self.put(range(first, first + BATCH))
        self.settle()

    def tearDown(self):
        self.assertEqual(self.server.stop(), 0)
        shutil.rmtree(self.folder)

    def start(self):
        self.server = Server(folder=self.folder)
        self.client = redis.Redis(port=self.server.port)
        while self.client.info('persistence')['loading']:
            time.sleep(0.01)

    def crash(self):
        self.server.process.kill()
        self.server.process.wait()
        self.start()

    def put(self, numbers):
        some = self.client.pipeline(transaction=False)
        for number in numbers:
            self.version[number] = self.version.get(number, 0) + COUNT
            some.execute_command('VADD', 'c', 'FP32',
                                 vector_of(number + self.version[number]), number)
        some.execute()

    def alter(self, words):
        self.assertEqual(self.client.execute_command('VALTER', 'c', *words.split()), b'OK')

    def info(self, name):
        pairs = self.client.execute_command('VINFO', 'c')
        fields = dict(zip(pairs[::2], pairs[1::2]))
        return fields[name.encode()]

    def settle(self):
        while self.info('altering') != b'no' or self.info('pending') > 0:
            time.sleep(0.02)

    def finds_all(self, index, quant, m, most=1e-5):
        """What serves is that, and elements are what was put."""
        for name, value in (('index', index), ('quant', quant), ('hnsw-m', m)):
            self.assertEqual(self.info(name), value)
        self.assertEqual(self.client.execute_command('VCARD', 'c'), COUNT)
        missed = 0
        for number in random.Random(1).sample(range(COUNT), LOOKS):
            wanted = vector_of(number + self.version[number])
            nearest = self.client.execute_command('VSIM', 'c', 'FP32', wanted, 'COUNT', 1)
            missed += nearest != [b'%d' % number]
            is_now = [float(x) for x in self.client.execute_command('VEMB', 'c', number)]
            for a, b in zip(struct.unpack(f'{DIM}f', wanted), is_now):
                self.assertAlmostEqual(a, b, delta=most)
        self.assertLessEqual(missed, 1)

    def is_whole(self):
        self.assertIn('is whole', run(TOOL, 'check', self.folder).stdout)

    def test_a_crash_at_any_time(self):
        self.client.save()
        self.finds_all(b'AUTO', b'SQ8', 16)
        self.alter('QUANT NONE M 9')
        self.put(range(0, COUNT, 100))
        self.crash()  # the log has the wish
        self.finds_all(b'AUTO', b'SQ8', 16)
        self.settle()
        self.finds_all(b'AUTO', b'NONE', 9)
        self.client.save()  # rows of another layout than in the snapshot before
        self.is_whole()
        self.crash()
        self.finds_all(b'AUTO', b'NONE', 9)
        self.alter('INDEX HNSW QUANT SQ8 M 12')
        self.client.save()
        self.put(range(5, COUNT, 100))
        self.crash()  # the snapshot may have it half done
        self.settle()
        self.finds_all(b'HNSW', b'SQ8', 12)
        self.alter('INDEX FLAT')
        self.settle()
        self.finds_all(b'FLAT', b'SQ8', 12)

    def test_codes_that_are_rotated_and_back(self):
        self.alter('QUANT RABITQ')
        self.put(range(3, COUNT, 50))
        self.crash()
        self.settle()
        self.finds_all(b'AUTO', b'RABITQ', 16)
        self.client.save()
        self.is_whole()
        self.put(range(4, COUNT, 50))
        self.crash()
        self.finds_all(b'AUTO', b'RABITQ', 16)
        self.alter('QUANT SQ8')
        self.put(range(5, COUNT, 50))
        self.client.save()
        self.crash()
        self.settle()
        self.finds_all(b'AUTO', b'SQ8', 16)

    def test_vectors_go(self):
        self.alter('M 8 ORIGINALS DROP')
        self.put(range(0, COUNT, 50))
        self.settle()
        self.finds_all(b'AUTO', b'SQ8', 8, most=0.1)
        self.client.save()
        self.is_whole()
        self.crash()
        self.finds_all(b'AUTO', b'SQ8', 8, most=0.1)
        self.assertEqual(self.info('originals'), b'DROP')

    def test_it_may_be_renamed_copied_and_dropped_meanwhile(self):
        self.alter('QUANT NONE M 9')
        self.client.rename('c', 'other')
        self.client.copy('other', 'c')
        self.finds_all(self.info('index'), self.info('quant'), self.info('hnsw-m'))
        dumped = self.client.dump('c')
        self.client.delete('c')
        self.client.restore('c', 0, dumped)
        self.settle()
        self.finds_all(b'AUTO', b'NONE', 9)
        self.alter('QUANT SQ8')
        self.client.flushall()
        self.assertEqual(self.client.dbsize(), 0)


if __name__ == '__main__':
    suite.main()
