#!/usr/bin/python3
"""plot.py: draws recall against speed from the points of bench_index --csv, an SVG for each set.

    plot.py POINTS.csv FOLDER

Only settings that no other of the same system beats in both are drawn. Recall stands on a scale of
its logit, so that 0.9, 0.99 and 0.999 are as far apart as they are hard.
"""

import csv
import math
import os
import subprocess
import sys

RECALLS = (0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)
SIZE = '900,560'


def logit(recall):
    recall = min(max(recall, 0.5), 0.9995)
    return math.log(recall / (1 - recall))


def read_points(path):
    """{set: {system: [(recall, qps)]}}, in the order of the file."""
    sets = {}
    with open(path, encoding='utf-8', newline='') as file:
        for name, system, _, recall, qps in csv.reader(file):
            sets.setdefault(name, {}).setdefault(system, []).append((float(recall), float(qps)))
    return sets


def front(points):
    """Those that none beats in both, by rising recall."""
    best, kept = 0, []
    for recall, qps in sorted(points, reverse=True):
        if qps > best:
            kept.append((recall, qps))
            best = qps
    return kept[::-1]


def quoted(text):
    return '"' + text.replace('\\', '').replace('"', '') + '"'


def script(name, systems, path):
    """What gnuplot is told."""
    ticks = ', '.join(f'"{r:g}" {logit(r):.4f}' for r in RECALLS)
    lines = [f'set terminal svg size {SIZE} background rgb "white" font "sans-serif,13"',
             f'set output {quoted(path)}', f'set title {quoted(name)}', 'set grid',
             'set logscale y', 'set format y "%.0s%c"', 'set xlabel "recall@10" noenhanced',
             'set ylabel "searches a second, one thread"', f'set xtics ({ticks})',
             f'set xrange [{logit(0.8):.4f}:{logit(0.9995):.4f}]',
             'set key outside right top', 'set style data linespoints']
    plots, data = [], []
    for i, (system, points) in enumerate(systems.items()):
        width = 3 if system.startswith('vdb') else 1.5
        plots.append(f'"-" title {quoted(system)} lw {width} pt {i + 1} ps 0.6')
        data += [f'{logit(recall):.4f} {qps:.1f}' for recall, qps in front(points)] + ['e']
    return '\n'.join(lines + ['plot ' + ', '.join(plots)] + data) + '\n'


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    for name, systems in read_points(sys.argv[1]).items():
        path = os.path.join(sys.argv[2], f'curves-{name}.svg')
        subprocess.run(['gnuplot'], input=script(name, systems, path), text=True, check=True)
        print(path)


if __name__ == '__main__':
    main()
