#!/usr/bin/python3
"""bench_churn.py: what replacing every element does to recall and memory. Prints tables.

    bench_churn.py --server build/vdb-server --tools DIR [--turns 3] [glove100 fashion784 syn768]

Fills a server, then replaces all elements in random order, every one by the vector of another, so
that afterwards the same vectors are there under other ids. Recall and memory are compared with
those of a new server, filled with what the last turn left in the order in which that came: the
order alone moves recall by more than churn does (README.md, "Churn").
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

    def fill_as(self, number):
        """What a turn leaves, in the order in which it came; prints a line."""
        self.create()
        self.load('--seed', str(number), 'replace=1')
        self.rests()
        print(f'| new, in the order of turn {number} |', end='')
        return self.figures(self.truth())

    def run(self, turns):
        """Recalls and RSS after all turns."""
        efforts = EFFORTS[self.name]
        print(f'\n### {self.name}: every element replaced {turns} times; recall@10\n\n'
              '| when | RSS MB | used MB | dead | free | pending | '
              + ' | '.join(f'EF {effort}' for effort in efforts) + ' |\n'
              + '|---' * (6 + len(efforts)) + '|')
        self.fill()
        self.rests()
        count = int(self.info()['size'])
        print('| filled, in the order of the set |', end='')
        last = self.figures(self.truth())
        for number in range(1, turns + 1):
            last = self.turn(number, count)
        return last


def compare(name, turns, last, fresh):
    worst = min(now - then for now, then in zip(last[0], fresh[0]))
    print_rows(f'{name} after {turns} turns', [
        ('recall, to a fresh graph', f'{worst:+.4f}', f'-{BARS["recall"]}'),
        ('resident set, to a fresh one', f'{last[1] / fresh[1] - 1:+.1%}',
         f'{BARS["memory"]:+.0%}')], ('what', 'figure', 'bar'))


def in_new_server(args, name, work):
    """work(churn) in a server of its own."""
    with tempfile.TemporaryDirectory(prefix='bench-churn-') as folder:
        churn = Churn(args, name, Server(args.server, CONFIG, folder))
        try:
            return work(churn)
        finally:
            churn.server.stop()


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
        last = in_new_server(args, name, lambda churn: churn.run(args.turns))
        fresh = in_new_server(args, name, lambda churn: churn.fill_as(args.turns))
        compare(name, args.turns, last, fresh)


if __name__ == '__main__':
    main()
