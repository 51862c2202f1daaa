#!/usr/bin/python3
"""bench_recall.py: what VSEARCH .. RECALL lands at. Prints a table.

    bench_recall.py --server build/vdb-server [--sets glove100,..] [--target 0.95] [--queries 400]

A server of its own for each set. Elements have a number n that is in the SCHEMA and the same as m
that is not: filters by n can go by an index, those by m cannot. Truth is the same search with
EXACT. Phases: calibrated by elements alone; by queries, of which others are then asked; a fifth of
the elements replaced and linked, by the old calibration; and by a new one.
"""

import argparse
import os
import random
import struct
import sys
import time

from bench_server import Server, print_rows
from bench_shrink import pipelined

KEY = 'r'
NUMBERS = 1000000
SETS = {'glove100': ('COSINE', 'query'), 'fashion784': ('L2', 'test'),
        'syn768': ('COSINE', 'query')}
SHARES = (1, 0.1, 0.01)
COUNTS = (1, 10, 100)
SHORT = 60  # queries, or there would be enough of them for a calibration by queries
WAIT_S = 300


class Matrix:
    """An .fbin file, by row."""

    def __init__(self, path):
        self.file = open(path, 'rb')
        self.rows, self.dim = struct.unpack('<II', self.file.read(8))

    def row(self, at):
        self.file.seek(8 + 4 * self.dim * at)
        return self.file.read(4 * self.dim)


class Bench:
    def __init__(self, args, name):
        self.args, self.name = args, name
        folder = os.path.join(args.data, name)
        self.metric, queries = SETS[name]
        self.train = Matrix(os.path.join(folder, 'train.fbin'))
        self.query = Matrix(os.path.join(folder, queries + '.fbin'))
        self.random = random.Random(5)
        self.held = self.train.rows // 6  # of the file: they replace others later
        self.rows = self.train.rows - self.held
        self.table = []
        self.low = 0
        self.server = Server(args.server, {'appendonly': 'no', 'save': '', 'workers': '2',
                                           'recall-cpu-percent': '0', 'recall-sample-every': '0'})
        self.client = self.server.client

    def put(self, pairs):
        """Pairs of id and row of the file."""
        commands = []
        for number, row in pairs:
            n = self.random.randrange(NUMBERS)
            text = b'{"n":%d,"m":%d}' % (n, n)
            commands.append((b'VADD', KEY.encode(), b'FP32', self.train.row(row), b'%d' % number,
                             b'SETATTR', text))
        for reply in pipelined(self.client, commands):
            assert reply in (0, 1), reply

    def wait_for_links(self):
        info = self.client.vinfo(KEY)
        while (info['pending'] > 0 or info['dead-rows'] > 0 or
               info.get('training', b'trained') != b'trained' or info['altering'] != b'no'):
            time.sleep(0.2)
            info = self.client.vinfo(KEY)

    def fill(self):
        self.client.call('VCREATE', KEY, 'DIM', self.train.dim, 'METRIC', self.metric,
                         *self.args.create.split(), 'SCHEMA', 'n', 'NUMERIC')
        for at in range(0, self.rows, 10000):
            self.put((i, i) for i in range(at, min(at + 10000, self.rows)))
        self.wait_for_links()

    def replace(self):
        """A fifth of the elements get vectors that were not there."""
        ids = self.random.sample(range(self.rows), -(-self.rows // 5))
        spare = [self.rows + i % self.held for i in range(len(ids))]
        self.put(zip(ids, spare))
        self.wait_for_links()

    def words(self, query, count, share, field, *how):
        words = ['VSEARCH', KEY, 'FP32', query, 'COUNT', count, *how]
        if share < 1:
            end = self.low + int(share * NUMBERS)
            words += ['FILTER', f'.{field} >= {self.low} and .{field} < {end}']
        return words

    def search(self, *words):
        return self.client.call(*self.words(*words))

    def measure(self, phase, queries):
        for field in ('n', 'm'):
            for share in SHARES if field == 'n' else SHARES[1:]:
                truths = []
                for query in queries:
                    self.low = self.random.randrange(int(NUMBERS * (1 - share)) or 1)
                    truths.append((query, self.low,
                                   self.search(query, max(COUNTS), share, 'n', 'EXACT')))
                for count in COUNTS:
                    self.measure_one(phase, truths, field, share, count)

    def measure_one(self, phase, truths, field, share, count):
        found = 0
        for query, low, truth in truths:
            self.low = low
            hits = self.search(query, count, share, field, 'RECALL', self.args.target)
            found += len(set(truth[:count]) & set(hits))
        self.low = truths[0][1]
        explained = self.client.call('VEXPLAIN', 'ANALYZE', *self.words(
            truths[0][0], count, share, field, 'RECALL', self.args.target))
        fields = dict(zip(explained[::2], explained[1::2]))
        recall = found / (len(truths) * count)
        which = 'all' if share == 1 else f'{share:.0%} by {field}'
        self.table.append((self.name, phase, which, count, f'{recall:.4f}',
                           fields[b'plan'].decode(), fields[b'recall'].decode()))
        print(*self.table[-1], sep=' | ', flush=True)

    def calibrate(self, kind):
        """Until it is done; the time it took."""
        start = time.monotonic()
        before = int(self.client.info('vectors')['recall_calibrations'])
        self.client.call('CONFIG', 'SET', 'recall-cpu-percent', '90')
        self.search(self.query.row(0), 10, 1, 'n', 'RECALL', self.args.target)
        while int(self.client.info('vectors')['recall_calibrations']) == before:
            time.sleep(0.1)
            if time.monotonic() - start > WAIT_S:
                sys.exit('the calibration does not end')
        self.client.call('CONFIG', 'SET', 'recall-cpu-percent', '0')
        info = self.client.vinfo(KEY)
        print(f'{self.name}: calibrated {kind} from {info["calibration-queries"]} queries in '
              f'{time.monotonic() - start:.1f} s, {info["calibration"].decode()}', flush=True)

    def run(self):
        self.fill()
        rows = list(range(self.query.rows))
        self.random.shuffle(rows)
        count = self.args.queries
        asked = [self.query.row(i) for i in rows[:count]]
        others = [self.query.row(i) for i in rows[count:count + 600]]
        self.calibrate('by elements')
        if 'elements' in self.args.phases:
            self.measure('by elements', asked[:SHORT])
        for query in others:
            self.search(query, 10, 1, 'n', 'RECALL', self.args.target)
        self.calibrate('by queries')
        if 'queries' in self.args.phases:
            self.measure('by queries', asked)
        if 'replaced' in self.args.phases:
            self.replace()
            self.measure('a fifth replaced', asked)
            self.calibrate('again')
            self.measure('calibrated again', asked)
        self.server.stop()
        return self.table


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--server', required=True)
    parser.add_argument('--data', default='data')
    parser.add_argument('--sets', default=','.join(SETS))
    parser.add_argument('--target', default='0.95')
    parser.add_argument('--queries', type=int, default=400)
    parser.add_argument('--create', default='', help='more words for VCREATE')
    parser.add_argument('--phases', default='elements,queries,replaced')
    args = parser.parse_args()
    rows = []
    for name in args.sets.split(','):
        rows += Bench(args, name).run()
    print_rows(f'RECALL {args.target}', rows,
               ('set', 'when', 'elements', 'k', 'recall', 'plan, of one', 'what VEXPLAIN says'))


if __name__ == '__main__':
    main()
