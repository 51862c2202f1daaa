#!/usr/bin/python3
"""bench_shrink.py: does memory come back after deletes? Prints a table.

    bench_shrink.py --server build/vdb-server --tools DIR [--share 0.9] [--restart log]

Fills a server with glove100, deletes a share of the elements in random order, watches the resident
set and the recall of searches meanwhile, and compares recall before and after, after a restart, and
in a new collection of what is left. What the figures mean is in README.md beside this file.
"""

import argparse
import os
import random
import struct
import sys
import tempfile
import time

from bench_elements import EFFORT, Elements, pipelined
from bench_server import Server, print_rows

SET = 'glove100'
CONFIG = {'snapshot': {'appendonly': 'no', 'save': ''},
          'log': {'appendonly': 'yes', 'appendfsync': 'everysec', 'save': ''}}
WAIT_S = 60
REST_S = 15
BAR = 0.70  # of the resident set, to be given back within WAIT_S


def read_vectors(path, rows):
    """Some vectors of an .fbin file, by row."""
    with open(path, 'rb') as f:
        _, dim = struct.unpack('<II', f.read(8))
        for row in sorted(rows):
            f.seek(8 + 4 * dim * row)
            yield row, f.read(4 * dim)


class Shrink(Elements):
    def fill_again(self, rows):
        """The same elements in a collection that never had others."""
        self.client.call('DEL', SET)
        self.create()
        path = os.path.join(self.args.data, SET, 'train.fbin')
        pipelined(self.client, [(b'VADD', SET.encode(), b'FP32', vector, b'%d' % row)
                                for row, vector in read_vectors(path, rows)])
        self.wait_for_links()

    def line(self, when, start, rss, recall, twice):
        info = self.info()
        print(f'| {when} | {time.monotonic() - start:.1f} | {rss / 1e6:.1f} | '
              f'{self.used() / 1e6:.1f} | {info["size"]} | {info["hnsw-max-node-uid"]} | '
              f'{info["dead-rows"]} | {info["free-rows"]} | {info["pending"]} | '
              f'{recall:.4f} | {twice} |', flush=True)

    def run(self):
        """Prints what happens; returns the figures, and the exact answers among the rest."""
        self.fill()
        time.sleep(3)
        before = self.server.rss_bytes()
        count = int(self.info()['size'])
        ids = list(range(count))
        random.Random(1).shuffle(ids)
        gone = [b'%d' % i for i in ids[:int(count * self.args.share)]]
        kept = {b'%d' % i for i in ids[len(gone):]}
        print(f'\n### glove100, {len(gone):,} of {count:,} deleted in random order; recall@10 at '
              f'EF {EFFORT}\n\n| when | s | RSS MB | used MB | live | rows | dead | free | pending '
              '| recall | twice |\n|---|---|---|---|---|---|---|---|---|---|---|')
        full, twice, _ = self.recall(self.truth())
        self.line('before', time.monotonic(), before, full, twice)
        start = time.monotonic()
        removed = sum(pipelined(self.client, [(b'VREM', SET.encode(), i) for i in gone]))
        if removed != len(gone):
            sys.exit(f'{removed} of {len(gone)} were there')
        truth = self.truth()
        if not all(answer <= kept for answer in truth):
            sys.exit('a deleted element was found')
        self.line('deleted', start, self.server.rss_bytes(), *self.recall(truth)[:2])
        reached, worst, doubles = None, 1.0, 0
        deleted_at = time.monotonic()
        shown = 0
        while time.monotonic() - deleted_at < self.args.wait:
            recall, twice, few = self.recall(truth)
            worst, doubles = min(worst, recall), doubles + twice + few
            rss = self.server.rss_bytes()
            if reached is None and rss <= before * (1 - BAR):
                reached = time.monotonic() - deleted_at
            if time.monotonic() - deleted_at > shown:
                self.line('later', start, rss, recall, twice)
                shown = (shown + 1) * 2
            time.sleep(0.2)
        after = self.server.rss_bytes()
        final, twice, _ = self.recall(truth)
        self.line('end', start, after, final, twice)
        print_rows('Memory given back', [
            ('RSS before, after', f'{before / 1e6:.1f}, {after / 1e6:.1f} MB: '
             f'{1 - after / before:.0%} less (bar: {BAR:.0%} within {WAIT_S} s)'),
            ('... reached', 'never' if reached is None else f'{reached:.1f} s after the deletes'),
            (f'recall@10 at EF {EFFORT}: all, the rest at the end, lowest meanwhile',
             f'{full:.4f}, {final:.4f}, {worst:.4f}'),
            ('answers with an element twice, or too few', str(doubles))])
        return {'before': before, 'after': after, 'reached': reached, 'full': full,
                'recall': final, 'truth': truth, 'kept': [int(i) for i in kept]}


def restart(shrink, options):
    """Ends the server and starts it again."""
    client, server = shrink.client, shrink.server
    if shrink.args.restart == 'snapshot':
        client.call('SAVE')
    server.stop()
    shrink.use(Server(shrink.args.server, options, server.folder))


def compare(shrink, options):
    """Recall of the rest after a restart, and as a new graph has it."""
    figures = shrink.run()
    restart(shrink, options)
    shrink.wait_for_links()
    at_once = shrink.recall(figures['truth'])[0]
    time.sleep(REST_S)
    later = shrink.recall(figures['truth'])[0]
    relinked = shrink.client.info('all').get('rows_relinked', '-')
    shrink.fill_again(figures['kept'])
    fresh = shrink.recall(shrink.truth())[0]
    print_rows(f'recall@10 at EF {EFFORT}', [
        ('all, before', f'{figures["full"]:.4f}'),
        ('the rest, when all is quiet', f'{figures["recall"]:.4f}'),
        (f'... after a restart from the {shrink.args.restart}, at once', f'{at_once:.4f}'),
        (f'... {REST_S} s later ({relinked} rows linked again)', f'{later:.4f}'),
        ('... in a new collection', f'{fresh:.4f}')])


def main():
    parser = argparse.ArgumentParser(description='Memory after deletes. Prints tables.')
    parser.add_argument('--server', default='build/vdb-server')
    parser.add_argument('--tools', required=True, help='folder of wire_load')
    parser.add_argument('--data', default='data')
    parser.add_argument('--share', type=float, default=0.9, help='of the elements is deleted')
    parser.add_argument('--wait', type=float, default=WAIT_S, help='seconds')
    parser.add_argument('--restart', default='snapshot', choices=CONFIG, help='from what')
    args = parser.parse_args()
    args.tools, args.data = os.path.abspath(args.tools), os.path.abspath(args.data)
    options = CONFIG[args.restart]
    with tempfile.TemporaryDirectory(prefix='bench-shrink-') as folder:
        shrink = Shrink(args, SET, Server(args.server, options, folder))
        try:
            compare(shrink, options)
        finally:
            shrink.server.stop()


if __name__ == '__main__':
    main()
