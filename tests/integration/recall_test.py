#!/usr/bin/python3
"""VSEARCH .. RECALL finds the share that is named, whatever the filter, after much was replaced and
after VALTER; and what checks of searches show follows the effort of searches."""

import os
import random
import struct
import sys
import time
import unittest

import redis

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.append(os.path.join(TESTS, 'lib'))
import suite
from server import Server

DIM, COUNT, BATCH, K, QUERIES, WAIT_S = 24, 6000, 1000, 10, 80, 60
WINDOW = 256  # RECALL_WINDOW
TARGET, LOW, HIGH = 0.9, 0.85, 0.97


class Recall(unittest.TestCase):
    def setUp(self):
        self.random = random.Random(11)
        self.server = Server('--recall-cpu-percent', '90', '--recall-sample-every', '0')
        self.client = redis.Redis(port=self.server.port)
        self.call('VCREATE', 'c', 'DIM', DIM, 'METRIC', 'L2', 'M', 8, 'EFC', 60, 'SCHEMA', 'n',
                  'NUMERIC')
        self.put(range(COUNT))

    def tearDown(self):
        self.client.close()
        self.assertEqual(self.server.stop(), 0)

    def call(self, *words):
        return self.client.execute_command(*words)

    def vector(self):
        return struct.pack(f'{DIM}f', *(self.random.random() for _ in range(DIM)))

    def put(self, numbers):
        for first in range(0, len(numbers), BATCH):
            some = self.client.pipeline(transaction=False)
            for number in numbers[first:first + BATCH]:
                n = self.random.randrange(1000)
                some.execute_command('VADD', 'c', 'FP32', self.vector(), number, 'SETATTR',
                                     f'{{"n":{n},"m":{n}}}')
            some.execute()
        self.wait(lambda: self.info('pending') == 0)

    def info(self, name):
        fields = self.call('VINFO', 'c')
        value = dict(zip(fields[::2], fields[1::2]))[name.encode()]
        return value if isinstance(value, int) else value.decode()

    def wait(self, is_so):
        end = time.monotonic() + WAIT_S
        while not is_so():
            self.assertLess(time.monotonic(), end)
            time.sleep(0.005)

    def calibrations(self):
        return self.client.info('vectors')['recall_calibrations']

    def search(self, vector, words, *how):
        return self.call('VSEARCH', 'c', 'FP32', vector, 'COUNT', K, *words, *how)

    def measure(self, words=(), how=('RECALL', TARGET)):
        found = 0
        for _ in range(QUERIES):
            vector = self.vector()
            truth = self.search(vector, words, 'EXACT')
            hits = self.search(vector, words, *how)
            self.assertEqual((len(hits), len(truth)), (K, K))
            found += len(set(truth) & set(hits))
        return found / (QUERIES * K)

    def calibrate(self, by):
        """Asks for a target until it is known what it takes."""
        before = self.calibrations()
        self.search(self.vector(), (), 'RECALL', TARGET)
        self.wait(lambda: self.calibrations() > before)
        self.assertEqual(self.info('calibration'), by)

    def explained(self, *how):
        """What VEXPLAIN says of the target, and how a search goes."""
        fields = self.call('VEXPLAIN', 'VSEARCH', 'c', 'FP32', self.vector(), 'COUNT', K, *how)
        fields = dict(zip(fields[::2], fields[1::2]))
        return fields[b'recall'].decode(), fields[b'plan'].decode()

    def test_a_target_is_reached(self):
        self.assertEqual(self.info('calibration'), 'none')
        self.assertIn('a guess', self.explained('RECALL', TARGET)[0])
        self.calibrate('by elements')
        says, _ = self.explained('RECALL', TARGET)
        self.assertRegex(says, r'^target 0.9, effort \d+, estimated 0\.[89]\d+ '
                               r'\(0\.\d+ to 0\.9\d+\) from \d+ queries$')
        low = self.measure()
        self.calibrate('by queries')  # QUERIES of them are there by now
        recall = self.measure()
        print(f'  {TARGET}: {low:.3f} by elements, {recall:.3f} by queries')
        self.assertTrue(LOW <= low <= HIGH, low)
        self.assertTrue(LOW <= recall <= HIGH, recall)
        for words in (('FILTER', '.n < 300'), ('FILTER', '.m < 300')):
            self.assertGreaterEqual(self.measure(words), LOW)
        self.assertEqual(self.measure(('FILTER', '.n < 30')), 1)
        self.assertEqual(self.measure((), ('RECALL', 1)), 1)
        self.assertEqual(self.explained('RECALL', 1),
                         ('target 1, all rows are looked at', 'scan of all'))

    def test_it_is_measured_again_when_much_has_changed(self):
        self.calibrate('by elements')
        self.call('CONFIG', 'SET', 'recall-cpu-percent', 0)
        fifth = COUNT // 5
        self.put(range(fifth - 1))
        self.assertEqual(self.info('calibration'), 'by elements')
        self.put([fifth])
        self.assertEqual(self.info('calibration'), 'aged')
        self.assertIn('higher since much has changed', self.explained('RECALL', TARGET)[0])
        self.assertGreaterEqual(self.measure(), LOW)
        self.call('CONFIG', 'SET', 'recall-cpu-percent', 90)
        self.wait(lambda: self.info('calibration') == 'by queries')
        recall = self.measure()
        self.assertTrue(LOW <= recall <= HIGH, recall)
        self.call('VALTER', 'c', 'QUANT', 'NONE')
        self.wait(lambda: self.info('altering') == 'no')
        self.assertEqual((self.info('quant'), self.info('calibration')), ('NONE', 'none'))
        self.calibrate('by queries')
        recall = self.measure()
        self.assertTrue(LOW <= recall <= HIGH, recall)
        for codes in ('NONE', 'PQ'):
            self.call('VALTER', 'c', 'INDEX', 'IVF', 'NLIST', 100, 'QUANT', codes)
            self.wait(lambda: self.info('altering') == 'no' and self.info('index-now') == 'IVF')
            self.calibrate('by queries')
            recall = self.measure()
            filtered = self.measure(('FILTER', '.n < 300'))
            print(f'  lists, QUANT {codes}: {recall:.3f}, {filtered:.3f} of a third')
            self.assertTrue(LOW <= recall <= HIGH, recall)
            self.assertGreaterEqual(filtered, LOW)
            self.assertIn('lists', self.explained('RECALL', TARGET)[0])
        self.call('VALTER', 'c', 'INDEX', 'FLAT', 'QUANT', 'NONE')
        self.wait(lambda: self.info('altering') == 'no')
        self.assertEqual(self.info('calibration'), 'exact')
        self.assertEqual(self.measure(), 1)

    def test_checks_follow_the_effort(self):
        self.call('CONFIG', 'SET', 'recall-sample-every', 1)
        measured = []
        for effort in (300, 10):
            self.call('VALTER', 'c', 'EF', effort)
            self.call('CONFIG', 'RESETSTAT')
            for done in range(WINDOW):
                self.search(self.vector(), ())
                self.wait(lambda: self.client.info('vectors')['recall_checks'] > done)
            low, recall, high = (float(self.info(name))
                                 for name in ('recall-low', 'recall', 'recall-high'))
            self.assertTrue(low < recall <= high, (low, recall, high))
            self.assertEqual(self.info('recall-checks'), WINDOW)
            shown = self.client.info('recall')['recall']
            self.assertEqual(shown['checks'], WINDOW)
            self.assertAlmostEqual(shown['recall'], recall, 3)
            counters = self.client.info('vectors')
            self.assertEqual(counters['recall_checked_hits'], WINDOW * K)
            self.assertAlmostEqual(1 - counters['recall_missed_hits'] / (WINDOW * K), recall, 3)
            self.call('CONFIG', 'SET', 'recall-sample-every', 0)
            found = self.measure((), ())
            self.call('CONFIG', 'SET', 'recall-sample-every', 1)
            print(f'  EF {effort}: {recall:.3f} ({low:.3f} to {high:.3f}), is {found:.3f}')
            self.assertAlmostEqual(found, recall, delta=0.05)
            measured.append((low, high))
        self.assertLess(measured[1][1], measured[0][0])


if __name__ == '__main__':
    suite.main()
