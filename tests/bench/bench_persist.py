#!/usr/bin/python3
"""bench_persist.py: what durability costs, and how fast data is back. Prints tables, and at the end
the figures beside the bars they are to reach.

    bench_persist.py --server build/vdb-server --tools DIR [--parts always,restart,...] [--keep]

Starts vdb-server on spare ports in folders under data/bench-persist, which should be on the disk
that is meant: a tmpfs has no fsync to wait for. The load comes from wire_load, which stands in the
folder that --tools names. What every figure means is in README.md beside this file.
"""

import argparse
import hashlib
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import bench_shrink
from bench_server import Load, Server, print_rows, spare_port

PARTS = ['always', 'restart', 'tail', 'snapshot', 'shrink']
RECALL = 0.95
RECALL_MARGIN = 0.002  # graphs differ by this from the one at which the EF was chosen
SETS = {'glove100': (100, 'COSINE', 0.3), 'syn128': (128, 'COSINE', 1.0)}  # dim, metric, bar in s
# Snapshots when they are asked for only.
CONFIG = {'appendonly': 'yes', 'appendfsync': 'everysec', 'save': '', 'dir': 'files',
          'auto-aof-rewrite-percentage': '0'}
TAIL = 50000
SINGLE_WRITES = 100000
CHURN, REPLACED = 0.10, 0.01
UNCHANGED_SAVES = 25  # one alone is too short for a p99


def files_of(folder):
    for path, _, names in os.walk(folder):
        for name in names:
            yield os.path.join(path, name)


def snapshot_files(folder):
    """{path: (inode, size)}: a file that was written again is another one."""
    found = {}
    for path in files_of(folder):
        if path.endswith(('.vpk', '.vmf')):
            st = os.stat(path)
            found[path] = (st.st_ino, st.st_size)
    return found


def warm(folder):
    for path in files_of(folder):
        with open(path, 'rb') as f:
            while f.read(1 << 20):
                pass


def chill(folder):
    """Drops the files from the page cache; returns the share that stayed."""
    for path in files_of(folder):
        fd = os.open(path, os.O_RDONLY)
        os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(fd)
    paths = [p for p in files_of(folder) if os.path.getsize(p) > 0]
    if shutil.which('fincore') is None or not paths:
        return float('nan')
    out = subprocess.run(['fincore', '--bytes', '--noheadings', '--output', 'RES', *paths],
                         stdout=subprocess.PIPE, check=True).stdout
    return sum(map(int, out.split())) / sum(map(os.path.getsize, paths))


class Bench:
    def __init__(self, args):
        self.args = args
        self.root = os.path.join(args.data, 'bench-persist')
        os.makedirs(self.root, exist_ok=True)
        self.servers = []
        self.bars = []

    # Servers, their folders, and what fills them.

    def start(self, folder, wait=True, port=None, **options):
        server = Server(self.args.server, {**CONFIG, **options}, folder, wait, port)
        self.servers.append(server)
        return server

    def stop(self, server, how=signal.SIGTERM):
        self.servers.remove(server)
        server.stop(how)

    def fresh_folder(self):
        return tempfile.mkdtemp(prefix='run-', dir=self.root)

    def loader(self, set_name):
        return Load(self.args.tools, self.args.data, set_name)

    def rows_of(self, set_name):
        with open(os.path.join(self.args.data, set_name, 'train.fbin'), 'rb') as f:
            return int.from_bytes(f.read(4), 'little')

    def create(self, server, set_name):
        dim, metric, _ = SETS[set_name]
        server.client.call('VCREATE', set_name, 'DIM', dim, 'METRIC', metric)

    def wait_quiet(self, server, set_name):
        """Until nothing is to be linked nor swept any more."""
        while True:
            info = server.client.vinfo(set_name)
            if int(info['pending']) == 0 and int(info['dead-rows']) == 0:
                return
            time.sleep(0.05)

    def fill(self, server, set_name, count=0):
        self.create(server, set_name)
        self.loader(set_name).run(server.port, '--seconds', 3600, '--depth', 1000, '--count', count,
                                  'add=1')
        self.wait_quiet(server, set_name)

    def bar(self, what, asked, measured, met):
        self.bars.append((what, asked, measured, 'yes' if met else '**no**'))

    # The parts.

    def fsyncs(self, server):
        return int(server.client.info('persistence')['aof_fsyncs'])

    def one_always(self, policy):
        """(acknowledgements/s, acknowledgements per fsync, p99 in us)"""
        folder = self.fresh_folder()
        server = self.start(folder, appendfsync=policy)
        self.create(server, 'glove100')
        before = self.fsyncs(server)
        add = self.loader('glove100').run(server.port, '--seconds', 60, '--depth', 1, '--count',
                                          SINGLE_WRITES, 'add=50')['add']
        synced = self.fsyncs(server) - before
        self.stop(server)
        shutil.rmtree(folder)
        return add['rate'], add['done'] / max(synced, 1), add['p99_us']

    def always(self):
        policies = ('always', 'everysec', 'no')
        runs = {policy: [] for policy in policies}
        for _ in range(self.args.passes):
            for policy in policies:
                runs[policy].append(self.one_always(policy))
        middle = {p: [statistics.median(column) for column in zip(*runs[p])] for p in policies}
        print_rows(f'{SINGLE_WRITES:,} VADDs of 100 dimensions, 50 connections, one in flight each',
                   [(p, f'{r:,.0f}', f'{a:,.1f}', f'{l:,.0f}') for p, (r, a, l) in middle.items()],
                   ('appendfsync', 'acknowledged/s', 'acknowledged per fsync', 'p99 us'))
        share = middle['always'][0] / middle['everysec'][0]
        self.bar('acknowledgements per fsync, appendfsync always', '>= 20',
                 f'{middle["always"][1]:.1f}', middle['always'][1] >= 20)
        self.bar("rate of always to everysec's", '>= 0.60', f'{share:.2f}', share >= 0.60)

    def have_snapshot(self, set_name):
        """A folder with a snapshot of the whole set, linked; and the EF that has the recall."""
        folder = os.path.join(self.root, set_name)
        mark = os.path.join(folder, 'made-by')
        with open(self.args.server, 'rb') as f:
            build = hashlib.sha256(f.read()).hexdigest()
        if os.path.exists(mark):
            with open(mark, encoding='ascii') as f:
                made_by, effort = f.read().split()
            if made_by == build or self.args.keep:
                return folder, int(effort)
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        server = self.start(folder)
        self.fill(server, set_name)
        effort = self.loader(set_name).find_effort(server.port, RECALL + RECALL_MARGIN)
        server.client.call('SAVE')
        self.stop(server)
        with open(mark, 'w', encoding='ascii') as f:
            f.write(f'{build} {effort}')
        return folder, effort

    def one_restart(self, folder, set_name, effort):
        """Seconds from starting the process until it serves, and until 2,000 queries are answered;
        their recall; the resident set."""
        port = spare_port()
        loader = self.loader(set_name)
        probe = loader.start(port, '--await', 600, '--seconds', 600, '--warmup', 0, '--searches',
                             2000, '--effort', f'EF {effort}', 'search=8')
        probe.stdout.readline()
        server = self.start(folder, wait=False, port=port)
        roles = loader.parse(probe)
        rss = server.rss_bytes()
        self.stop(server)
        search = roles['search']
        return (roles['await']['at_s'] - server.started_s, search['end_s'] - server.started_s,
                search['recall'], rss)

    def restart_of(self, set_name):
        folder, effort = self.have_snapshot(set_name)
        rows, runs, stayed = [], {'in the page cache': [], 'cold disk': []}, []
        for _ in range(self.args.passes):
            stayed.append(chill(folder))
            runs['cold disk'].append(self.one_restart(folder, set_name, effort))
            warm(folder)
            runs['in the page cache'].append(self.one_restart(folder, set_name, effort))
        middles = {name: [statistics.median(column) for column in zip(*runs[name])]
                   for name in runs}
        for name, middle in middles.items():
            note = f' ({max(stayed):.0%} of the bytes stayed cached)' if name == 'cold disk' else ''
            rows.append((name + note, f'{middle[0]:.3f}', f'{middle[1]:.3f}', f'{middle[2]:.4f}',
                         f'{middle[3] / 1e6:,.0f}'))
        size = sum(map(os.path.getsize, files_of(os.path.join(folder, CONFIG['dir']))))
        count = self.rows_of(set_name)
        print_rows(f'Restart from a snapshot: {set_name}, {count:,} vectors, {size / 1e6:,.0f} MB '
                   f'of files, EF {effort}', rows,
                   ('files', 'serves after s', '2,000 queries answered after s', 'their recall',
                    'RSS MB'))
        limit = SETS[set_name][2]
        seconds, recall = middles['in the page cache'][1:3]
        self.bar(f'restart until 2,000 queries have recall {RECALL}, {set_name}, cached',
                 f'< {limit} s', f'{seconds:.3f} s at {recall:.4f} (cold disk: '
                 f'{middles["cold disk"][1]:.3f} s)', seconds < limit and recall >= RECALL)

    def restart(self):
        for set_name in self.args.sets:
            self.restart_of(set_name)

    def crashed_folder(self):
        """A snapshot of glove100; in the log the last TAIL of it, added again; then kill -9."""
        folder = self.fresh_folder()
        shutil.copytree(self.have_snapshot('glove100')[0], folder, dirs_exist_ok=True)
        server = self.start(folder)
        count = self.rows_of('glove100')
        self.loader('glove100').run(server.port, '--seconds', 600, '--depth', 1000, '--from',
                                    count - TAIL, 'add=1')
        server.client.call('WAITAOF', 1, 0, 10000)
        self.stop(server, signal.SIGKILL)
        return folder, count

    def one_tail(self, folder, count):
        """Seconds until the data is visible, until it is linked; how much was to be linked."""
        server = self.start(folder, wait=False)
        client = server.connect()
        seen_s = time.monotonic() - server.started_s
        have, pending = client.call('VCARD', 'glove100'), int(client.vinfo('glove100')['pending'])
        if have != count:
            sys.exit(f'{have:,} of {count:,} elements came back')
        found = client.call('VSEARCH', 'glove100', 'ELE', str(count - 1), 'COUNT', 1)
        if found != [str(count - 1).encode()]:
            sys.exit('the last element written is not found')
        server.client = client
        self.wait_quiet(server, 'glove100')
        linked_s = time.monotonic() - server.started_s
        self.stop(server)
        return seen_s, linked_s, pending

    def tail(self):
        crashed, count = self.crashed_folder()
        runs = []
        for _ in range(self.args.passes):
            folder = self.fresh_folder()
            shutil.copytree(crashed, folder, dirs_exist_ok=True)
            runs.append(self.one_tail(folder, count))
            shutil.rmtree(folder)
        shutil.rmtree(crashed)
        seen, linked, pending = (statistics.median(column) for column in zip(*runs))
        print_rows(f'Restart after kill -9: glove100, the last {TAIL:,} of it replaced in the log',
                   [('data visible', f'{seen:.3f} s'), ('... of it still to be linked',
                    f'{pending:,.0f}'), ('all linked', f'{linked:.1f} s')])
        self.bar(f'data visible after kill -9 with {TAIL:,} writes in the log', '< 1 s',
                 f'{seen:.3f} s', seen < 1)

    def searches(self, server, conns, *words):
        return self.loader('glove100').run(server.port, '--effort', 'EF 60', f'search={conns}',
                                           *words)

    def one_save(self, server, conns, saves=1):
        """Snapshots one after the other while others search: (p99 of these, seconds of each, bytes
        written, growth of RSS)"""
        before, rss = snapshot_files(server.folder), server.rss_bytes()
        server.reset_peak()
        roles = self.searches(server, conns, '--seconds', 600, '--saves', saves, 'save=1')
        grown = (server.rss_bytes('VmHWM') - rss) / rss
        written = sum(st[1] for path, st in snapshot_files(server.folder).items()
                      if before.get(path) != st)
        return roles['search']['p99_us'], roles['save']['p50_us'] / 1e6, written, grown

    def one_snapshot(self, conns):
        """{figure: value}: a snapshot of all, one after 1 % was replaced, one after nothing."""
        folder = self.fresh_folder()
        server = self.start(folder)
        self.fill(server, 'glove100')
        count = self.rows_of('glove100')
        replace = ('--seconds', 600, '--depth', 1000, 'replace=1')
        self.loader('glove100').run(server.port, '--count', int(count * CHURN), *replace)
        self.wait_quiet(server, 'glove100')
        figures = {'idle': [self.searches(server, conns)['search']['p99_us']]}
        figures['first'] = self.one_save(server, conns)
        self.loader('glove100').run(server.port, '--count', int(count * REPLACED), '--seed', 2,
                                    *replace)
        self.wait_quiet(server, 'glove100')
        figures['idle'].append(self.searches(server, conns)['search']['p99_us'])
        figures['second'] = self.one_save(server, conns)
        figures['third'] = self.one_save(server, conns, UNCHANGED_SAVES)
        self.stop(server)
        shutil.rmtree(folder)
        return figures

    def snapshot_rows(self, conns, runs):
        """Prints the table of one number of connections; returns (p99 ratio, growth, share)."""
        idle = statistics.median(x for run in runs for x in run['idle'])
        rows = [('none (idle)', f'{idle:,.0f}', '', '', '', '')]
        worst, most, first = 0, 0, None
        for name, text in (('first', f'the first, after {CHURN:.0%} churn'),
                           ('second', f'the second, {REPLACED:.0%} replaced'),
                           ('third', f'{UNCHANGED_SAVES} more, nothing changed')):
            p99, seconds, written, grown = (statistics.median(column)
                                            for column in zip(*(run[name] for run in runs)))
            first = first or written
            rows.append((text, f'{p99:,.0f}', f'{p99 / idle:.2f}x', f'{seconds:.2f}',
                         f'{written / 1e6:,.1f} ({written / first:.1%})', f'{grown:.1%}'))
            worst, most = max(worst, p99 / idle), max(most, grown)
            if name == 'second':
                share = written / first
        print_rows(f'Snapshots while serving: glove100, searches of {conns} connections, medians '
                   f'of {len(runs)} runs', rows,
                   ('snapshot', 'p99 us', 'to idle', 'seconds', 'MB written', 'RSS peak, more'))
        return worst, most, share

    def snapshot(self):
        runs = {1: [], 8: []}
        for _ in range((self.args.passes + 1) // 2):
            for conns, of_conns in runs.items():
                of_conns.append(self.one_snapshot(conns))
        for conns, of_conns in runs.items():
            worst, most, share = self.snapshot_rows(conns, of_conns)
            self.bar(f'p99 of searches during a snapshot to idle, {conns} connections', '< 2x',
                     f'{worst:.2f}x', worst < 2)
            self.bar(f'memory of a snapshot, {conns} connections', '< 5 %', f'{most:.1%}',
                     most < 0.05)
            self.bar(f'second snapshot, {REPLACED:.0%} replaced, to the first', '< 30 %',
                     f'{share:.1%}', share < 0.30)

    def shrink(self):
        """bench_shrink with a log and a snapshot, and then across a restart."""
        folder = self.fresh_folder()
        self.args.share, self.args.wait = 0.9, bench_shrink.WAIT_S
        run = bench_shrink.Shrink(self.args, self.start(folder))
        figures = run.run()
        run.client.call('SAVE')
        self.stop(run.server)
        run.use(self.start(folder))
        recall = run.recall(figures['truth'])[0]
        rss = run.server.rss_bytes()
        self.stop(run.server)
        shutil.rmtree(folder)
        before = figures['before']
        freed, freed_then = 1 - figures['after'] / before, 1 - rss / before
        print_rows('... and across a restart', [
            ('RSS', f'{rss / 1e6:.1f} MB: {freed_then:.0%} less than before the deletes'),
            ('recall of the rest before, after', f'{figures["recall"]:.4f}, {recall:.4f}')])
        reached = figures['reached']
        when = 'not within a minute' if reached is None else f'{reached:.1f} s after the last'
        self.bar('RSS given back after deleting 90 % of glove100', '>= 70 % in 60 s',
                 f'{freed:.0%}, 70 % {when}', reached is not None)
        self.bar('... and across a restart, recall as before', '>= 70 %',
                 f'{freed_then:.0%}, recall {recall:.4f} after {figures["recall"]:.4f}',
                 freed_then >= 0.70 and recall >= figures['recall'] - 0.005)

    def run_part(self, part):
        try:
            getattr(self, part)()
        except RuntimeError as e:
            print(f'\n{part}: the server says: {e}')
        finally:
            for server in list(self.servers):
                self.stop(server, signal.SIGKILL)
            for name in os.listdir(self.root):
                if name.startswith('run-'):
                    shutil.rmtree(os.path.join(self.root, name), ignore_errors=True)

    def run(self, parts):
        for part in parts:
            self.run_part(part)
        print_rows(f'Durability: the bars, medians of {self.args.passes} runs', self.bars,
                   ('bar', 'asked', 'measured', 'met'))


def main():
    parser = argparse.ArgumentParser(description='What durability costs. Prints tables.')
    parser.add_argument('--server', default='build/vdb-server')
    parser.add_argument('--tools', required=True, help='folder of wire_load')
    parser.add_argument('--data', default='data')
    parser.add_argument('--parts', default=','.join(PARTS), help='of: ' + ', '.join(PARTS))
    parser.add_argument('--sets', default=','.join(SETS),
                        help='for restart, of: ' + ', '.join(SETS))
    parser.add_argument('--passes', type=int, default=3)
    parser.add_argument('--keep', action='store_true',
                        help='restart: use the snapshots that another build of the server made')
    args = parser.parse_args()
    args.server = os.path.abspath(args.server)
    args.tools, args.data = os.path.abspath(args.tools), os.path.abspath(args.data)
    args.sets, parts = args.sets.split(','), args.parts.split(',')
    for given, known in ((parts, PARTS), (args.sets, SETS)):
        if set(given) - set(known):
            parser.error('not known: ' + ', '.join(set(given) - set(known)))
    Bench(args).run(parts)


if __name__ == '__main__':
    main()
