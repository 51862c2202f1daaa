#!/usr/bin/python3
"""bench_churn.py: what replacing every element does to recall and memory. Prints tables.

    bench_churn.py --server build/vdb-server --tools DIR [--turns 3] [glove100 fashion784 syn768]

Fills a server, then replaces all elements in random order, every one by the vector of another, so
that afterwards the same vectors are there under other ids: recall and memory can be compared with
those of the first filling, which nothing was deleted from.
"""

import argparse
import os
import sys
import tempfile
import time

from bench_elements import SETS, Elements
from bench_server import Server, print_rows

CONFIG = {'appendonly': 'no', 'save': ''}
EFFORTS = {'glove100': (60, 200), 'fashion784': (16, 60), 'syn768': (10, 24)}
REST_S = 5  # sweeps of the last dead rows, memory given back
BARS = {'recall': 0.005, 'memory': 0.05}


class Churn(Elements):
    def rests(self):
        """Waits until nothing is to be linked or swept."""
        self.wait_for_links()
        end = time.monotonic() + 60
        while int(self.info()['dead-rows']) > 0 and time.monotonic() < end:
            time.sleep(0.1)
        self.wait_for_links()
        time.sleep(REST_S)

    def figures(self, truth):
        """Prints a line but for its beginning; (recalls, RSS)."""
        info, rss = self.info(), self.server.rss_bytes()
        recalls = []
        for effort in EFFORTS[self.name]:
            recall, twice, few = self.recall(truth, effort)
            if twice or few:
                sys.exit(f'{twice} answers have an element twice, {few} have too few')
            recalls.append(recall)
        print(f' {rss / 1e6:.1f} | {self.used() / 1e6:.1f} | {info["dead-rows"]} | '
              f'{info["free-rows"]} | {info["pending"]} | '
              + ' | '.join(f'{recall:.4f}' for recall in recalls) + ' |', flush=True)
        return recalls, rss

    def turn(self, number, count):
        """Replaces all; prints two lines."""
        seconds = self.load('--count', str(count), '--seed', str(number), 'replace=1')
        truth = self.truth()
        print(f'| turn {number}: acknowledged, {count / seconds:,.0f}/s |', end='')
        self.figures(truth)
        start = time.monotonic()
        self.rests()
        print(f'| turn {number}: {time.monotonic() - start:.1f} s later |', end='')
        return self.figures(truth)

    def run(self, turns):
        efforts = EFFORTS[self.name]
        print(f'\n### {self.name}: every element replaced {turns} times; recall@10\n\n'
              '| when | RSS MB | used MB | dead | free | pending | '
              + ' | '.join(f'EF {effort}' for effort in efforts) + ' |\n'
              + '|---' * (6 + len(efforts)) + '|')
        self.fill()
        self.rests()
        count = int(self.info()['size'])
        print('| filled |', end='')
        fresh = self.figures(self.truth())
        last = fresh
        for number in range(1, turns + 1):
            last = self.turn(number, count)
        worst = min(now - then for now, then in zip(last[0], fresh[0]))
        print_rows(f'{self.name} after {turns} turns', [
            ('recall, to a fresh graph', f'{worst:+.4f}', f'-{BARS["recall"]}'),
            ('resident set, to a fresh one', f'{last[1] / fresh[1] - 1:+.1%}',
             f'{BARS["memory"]:+.0%}')], ('what', 'figure', 'bar'))


def main():
    parser = argparse.ArgumentParser(description='Recall and memory of churn. Prints tables.')
    parser.add_argument('--server', default='build/vdb-server')
    parser.add_argument('--tools', required=True, help='folder of wire_load')
    parser.add_argument('--data', default='data')
    parser.add_argument('--turns', type=int, default=3)
    parser.add_argument('sets', nargs='*', metavar='SET', help=' '.join(SETS))
    args = parser.parse_args()
    args.tools, args.data = os.path.abspath(args.tools), os.path.abspath(args.data)
    for name in args.sets or SETS:
        if name not in SETS:
            parser.error(f'{name} is none of {", ".join(SETS)}')
        with tempfile.TemporaryDirectory(prefix='bench-churn-') as folder:
            churn = Churn(args, name, Server(args.server, CONFIG, folder))
            try:
                churn.run(args.turns)
            finally:
                churn.server.stop()


if __name__ == '__main__':
    main()
