#!/usr/bin/python3
"""bench_wire.py: the server over loopback, beside redis-server and hnswlib. Prints tables.

    bench_wire.py --server build/vdb-server --tools DIR [--parts redis,ingest,...]

Starts vdb-server and (for the part redis) redis-server on spare ports, without persistence, and
stops them. The load comes from redis-benchmark and from wire_load, which stands with bench_index in
the folder that --tools names. What every figure means is in README.md beside this file.
"""

import argparse
import os
import re
import shutil
import statistics
import subprocess
import tempfile
import time

from bench_server import Client, Load, Server, median_of, print_rows, quantiles

PARTS = ['redis', 'hashes', 'types', 'ingest', 'search', 'mixed', 'visible', 'tenants', 'ft']
SET = 'glove100'
RECALL = 0.95
REDIS_TESTS = ['ping_inline', 'ping_mbulk', 'set', 'get']
# Hashes of one key with 100,000 fields, or of 100,000 keys with two.
HASH_TESTS = {
    'HSET, large': 'HSET large f__rand_int__ xxxxxxxx',
    'HGET, large': 'HGET large f__rand_int__',
    'HSET, small': 'HSET s:__rand_int__ f1 v1 f2 v2',
    'HGET, small': 'HGET s:__rand_int__ f1',
}
# Lists, sets and sorted sets of one key with up to 100,000 entries; what is read has 100.
TYPE_TESTS = {
    'LPUSH': 'LPUSH list element:__rand_int__',
    'LRANGE, 100': 'LRANGE list 0 99',
    'SADD': 'SADD set element:__rand_int__',
    'SISMEMBER': 'SISMEMBER set element:__rand_int__',
    'ZADD': 'ZADD zset 0 element:__rand_int__',
    'ZADD, other scores': 'ZADD moved __rand_int__ element:__rand_int__',
    'ZRANGE, 100': 'ZRANGE moved 5000 5099',
    'ZRANK': 'ZRANK moved element:__rand_int__',
}
CONFIG = {'appendonly': 'no', 'save': ''}


class Bench:
    def __init__(self, args):
        self.args = args
        self.vdb = Server(args.server, CONFIG)
        self.loader = Load(args.tools, args.data, SET)

    def load(self, *words, watch=None):
        return self.loader.run(self.vdb.port, *words, watch=watch)

    def effort(self):
        return f'EF {self.loader.find_effort(self.vdb.port, RECALL)}'

    def pending(self):
        return int(self.vdb.client.vinfo(SET)['pending'])

    def wait_linked(self):
        start = time.monotonic()
        while self.pending() > 0:
            time.sleep(0.02)
        return time.monotonic() - start

    def create(self):
        self.vdb.client.call('VCREATE', SET, 'DIM', 100, 'METRIC', 'COSINE')

    def have_collection(self):
        """The parts that search need the whole set, linked."""
        if not self.vdb.client.vinfo(SET):
            self.create()
            self.load('--seconds', 600, '--depth', 1000, 'add=1')
        self.wait_linked()

    # The parts.

    def beside_redis(self, title, tests):
        """tests: {name: words of redis-benchmark}."""
        redis = Server('/usr/bin/redis-server', CONFIG)
        print(f'\n### {title}: redis-benchmark -c 50, requests/s, medians of '
              f'{self.args.passes} alternating runs\n')
        print('| test | -P | vdb | redis-server | ratio | bar |\n|---|---|---|---|---|---|')
        for pipeline, count in ((1, 100000), (16, 500000)):
            for name, words in tests.items():
                rates = {self.vdb: [], redis: []}
                for _ in range(self.args.passes):
                    for server, of_server in rates.items():
                        of_server.append(redis_benchmark(server.port, words, pipeline, count))
                ours, theirs = (statistics.median(of_server) for of_server in rates.values())
                print(f'| {name} | {pipeline} | {ours:,.0f} | {theirs:,.0f} | '
                      f'{ours / theirs:.2f}x | 1.00x |', flush=True)
        redis.stop()

    def redis(self):
        self.beside_redis('Plain commands', {test: ['-t', test] for test in REDIS_TESTS})

    def hashes(self):
        self.beside_redis('Hashes', {name: ['-r', '100000', *words.split()]
                                     for name, words in HASH_TESTS.items()})

    def types(self):
        self.beside_redis('Lists, sets and sorted sets', {name: ['-r', '100000', *words.split()]
                                                          for name, words in TYPE_TESTS.items()})

    def ingest(self):
        print('\n### Ingest of glove100, 1 connection\n')
        print('| command | first 100,000/s | all acknowledged/s | all acknowledged s | '
              'linked s | RSS bytes/vector |\n|---|---|---|---|---|---|')
        for name, words in (('VADD FP32, 1,000 in flight', ('--depth', 1000, 'add=1')),
                            ('VMADD of 1,000, 4 in flight', ('--depth', 4, 'madd=1'))):
            self.vdb.stop()
            self.vdb = Server(self.args.server, CONFIG)
            before = self.vdb.rss_bytes()
            self.create()
            start = time.monotonic()
            tally = next(iter(self.load('--seconds', 600, '--mark', 100000, *words).values()))
            self.wait_linked()
            linked_s = time.monotonic() - start
            size = (self.vdb.rss_bytes() - before) / tally['done']
            print(f'| {name} | {100000 / tally["mark_s"]:,.0f} | {tally["rate"]:,.0f} | '
                  f'{tally["seconds"]:.2f} | {linked_s:.1f} | {size:,.0f} |', flush=True)

    def searches(self, conns, seconds, effort):
        return self.load('--seconds', seconds, '--effort', effort, f'search={conns}')['search']

    def in_process(self):
        """Microseconds of one search at the recall, {system: us}, measured without a server."""
        command = [os.path.join(self.args.tools, 'bench_index'), '--data', self.args.data,
                   '--cache', os.path.join(self.args.data, 'bench-cache'),
                   '--systems', 'vdb,hnswlib', '--brief', str(RECALL), SET]
        lines = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.decode()
        return {f[1]: float(f[4]) for f in (line.split() for line in lines.splitlines())}

    def linked(self):
        """How many rows the server has linked, when it has done nothing else for a second."""
        last, count = -1, 0
        while count != last:
            time.sleep(1)
            last, count = count, int(self.vdb.client.info('vectors')['rows_linked'])
        return count

    def create_index(self):
        self.vdb.client.call('FT.CREATE', SET, 'PREFIX', 1, SET + ':', 'SCHEMA', 'cat', 'TAG', 'n',
                             'NUMERIC', 'v', 'VECTOR', 'HNSW', 6, 'TYPE', 'FLOAT32', 'DIM', 100,
                             'DISTANCE_METRIC', 'COSINE')

    def ft(self):
        """Hashes with an index beside a collection of the same vectors and attributes."""
        self.ft_ingest()
        option, conns = 'EF_RUNTIME', (1, 8)
        native = 'EF %d' % self.loader.find_effort(self.vdb.port, RECALL)
        effort = option + ' %d' % self.loader.find_effort(self.vdb.port, RECALL, 'ft', option)
        shows = ('distance', 'keys', 'all')
        runs = {}
        for _ in range(self.args.passes):
            for count in conns:
                words = ('--seconds', 1.5)
                runs.setdefault(('native', count), []).append(
                    self.load(*words, '--effort', native, f'search={count}')['search'])
                for what in shows:
                    runs.setdefault((what, count), []).append(
                        self.load(*words, '--effort', effort, '--shows', what,
                                  f'ft={count}')['ft'])
        rows = []
        for (what, count), of in runs.items():
            rate = median_of(of, 'rate')
            share = rate / median_of(runs['native', count], 'rate')
            name = f'VSEARCH {native}' if what == 'native' else f'FT.SEARCH {effort}, {what}'
            rows.append((name, count, f'{rate:,.0f}', f'{median_of(of, "recall"):.4f}',
                         f'{share:.2f}', '' if what == 'native' else '0.80'))
        print_rows('FT.SEARCH KNN 10 over hashes beside VSEARCH', rows,
                   ('search', 'connections', 'QPS', 'recall@10', 'of VSEARCH', 'bar'))
        self.ft_hybrid(effort)
        self.ft_restart(effort)

    def ft_restart(self, effort):
        """A start from a snapshot of the collection and of the hashes with their index."""
        self.vdb.client.call('SAVE')
        with tempfile.TemporaryDirectory(prefix='bench-wire-') as folder:
            shutil.copytree(self.vdb.folder, folder, dirs_exist_ok=True)
            self.vdb.stop()
            rows = []
            for _ in range(self.args.passes):
                self.vdb = Server(self.args.server, CONFIG, folder=folder)
                served_s = time.monotonic() - self.vdb.started_s
                run = self.load('--seconds', 1.5, '--effort', effort, 'ft=1')['ft']
                linked = self.vdb.client.info('vectors')['rows_linked']
                rows.append((f'{served_s:.2f}', linked, f'{run["rate"]:,.0f}',
                             f'{run["recall"]:.4f}'))
                self.vdb.stop()
            print_rows('Start from a snapshot of both', rows,
                       ('serves after s', 'rows linked since', 'QPS', 'recall@10'))
        self.vdb = Server(self.args.server, CONFIG)

    def ft_ingest(self):
        rates = {'adddoc': [], 'hset': []}
        for i in range(2):
            self.vdb.stop()
            self.vdb = Server(self.args.server, CONFIG)
            sizes = {}
            for role, of in rates.items():
                before = self.vdb.rss_bytes()
                if role == 'hset':
                    self.create_index()
                else:
                    self.vdb.client.call('VCREATE', SET, 'DIM', 100, 'METRIC', 'COSINE', 'SCHEMA',
                                         'cat', 'TAG', 'n', 'NUMERIC')
                of.append(self.load('--seconds', 600, '--depth', 1000, '--mark', 100000,
                                    f'{role}=1')[role])
                self.linked()
                sizes[role] = (self.vdb.rss_bytes() - before) / of[-1]['done']
        rows = []
        for role, of in rates.items():
            first = [100000 / run['mark_s'] for run in of]
            alls = [run['rate'] for run in of]
            rows.append(({'adddoc': 'VADD SETATTR', 'hset': 'HSET, indexed'}[role],
                         f'{statistics.mean(first):,.0f}', f'{statistics.mean(alls):,.0f}',
                         f'{sizes[role]:,.0f}'))
        share = [median_of(rates['adddoc'], 'mark_s') / median_of(rates['hset'], 'mark_s'),
                 median_of(rates['hset'], 'rate') / median_of(rates['adddoc'], 'rate')]
        rows.append(('share', f'{share[0]:.2f}', f'{share[1]:.2f}', ''))
        rows.append(('bar', '0.60', '0.60', ''))
        print_rows('Ingest of vector, tag and number, 1 connection, 1,000 in flight', rows,
                   ('command', 'first 100,000/s', 'all acknowledged/s', 'RSS bytes/document'))

    def ft_hybrid(self, effort):
        rows = []
        for by in ('tag', 'number'):
            for per_mille in (500, 100, 10, 1):
                run = self.load('--seconds', 1.5, '--queries', 200, '--by', by, '--per-mille',
                                per_mille, '--effort', effort, 'ft=1')['ft']
                rows.append((by, f'{per_mille / 10:g} %', f'{run["rate"]:,.0f}',
                             f'{run["recall"]:.4f}', '0.95', f'{run["few"]:.0f}', '0'))
        print_rows('FT.SEARCH KNN 10 with a filter, 1 connection', rows,
                   ('filter', 'lets through', 'QPS', 'recall@10', 'bar',
                    'replies with less than 10', 'bar'))

    def search(self):
        self.have_collection()
        inside = self.in_process()
        effort = self.effort()
        runs = {'ping': [], 'search': [], 'eight': []}
        for _ in range(self.args.passes):
            runs['ping'].append(self.load('--seconds', 1, 'ping=1')['ping'])
            runs['search'].append(self.searches(1, 2, effort))
            runs['eight'].append(self.searches(8, 2, effort))
        ping, one, eight = (median_of(runs[k], 'p50_us') for k in ('ping', 'search', 'eight'))
        one_qps, eight_qps = (median_of(runs[k], 'rate') for k in ('search', 'eight'))
        recall = median_of(runs['search'], 'recall')
        rows = [
            ('effort, recall over the wire', f'{effort}, {recall:.4f}'),
            ('in process: vdb, hnswlib (one thread)',
             f'{inside["vdb"]:.0f}, {inside["hnswlib"]:.0f} us'),
            ('PING p50', f'{ping:.1f} us'),
            ('VSEARCH p50, 1 connection', f'{one:.1f} us ({one_qps:,.0f} QPS)'),
            ('... less the search itself and a PING', f'{one - inside["vdb"] - ping:.1f} us'),
            ('VSEARCH, 8 connections', f'{eight_qps:,.0f} QPS, p50 {eight:.0f} us, '
             f'p99 {median_of(runs["eight"], "p99_us"):.0f} us'),
            ('... to one hnswlib thread', f'{eight_qps * inside["hnswlib"] / 1e6:.2f}x'),
        ]
        print_rows(f'VSEARCH FP32 of 100 dimensions, recall {RECALL}, k 10', rows)

    def mixed(self):
        self.have_collection()
        effort = self.effort()
        first = 10_000_000
        waiting = []
        runs = {'idle': [], 'busy': [], 'ping': [], 'ping_idle': [], 'noise': []}
        for i in range(max(self.args.passes // 2, 1)):
            self.wait_linked()
            idle = self.load('--seconds', 5, '--effort', effort, 'search=8', 'ping=1')
            busy = self.load('--seconds', 8, '--effort', effort, '--first', first + i * 1_000_000,
                             'search=8', 'noise=1', 'ping=1',
                             watch=lambda: waiting.append(self.pending()))
            runs['idle'].append(idle['search'])
            runs['ping_idle'].append(idle['ping'])
            runs['busy'].append(busy['search'])
            runs['ping'].append(busy['ping'])
            runs['noise'].append(busy['noise'])
        idle, busy = (median_of(runs[k], 'rate') for k in ('idle', 'busy'))
        rows = [
            ('VSEARCH idle', f'{idle:,.0f} QPS, recall {median_of(runs["idle"], "recall"):.4f}'),
            ('VSEARCH while 1 connection adds',
             f'{busy:,.0f} QPS ({busy / idle:.2f} of idle), '
             f'recall {median_of(runs["busy"], "recall"):.4f}'),
            ('added meanwhile', f'{median_of(runs["noise"], "rate"):,.0f}/s'),
            ('not linked yet meanwhile', f'{statistics.median(waiting):,.0f} (median)'),
            ('PING p50, p99, p99.9 while 8 search', quantiles(runs['ping_idle'])),
            ('PING p50, p99, p99.9 while 8 search and 1 adds', quantiles(runs['ping'])),
        ]
        print_rows('Searches and PING under load: 8 connections search, 1 adds', rows)

    def visible(self):
        """A VADD acknowledged on one connection is found by the next VSEARCH on another."""
        name, count = 'visible', 5000
        other = Client(self.vdb.port)
        self.vdb.client.call('VCREATE', name, 'DIM', 16, 'METRIC', 'L2')
        missed = 0
        for i in range(count):
            vector = ['VALUES', 16] + [str((i * 7919 >> bit) % 97 + bit / 7) for bit in range(16)]
            self.vdb.client.call('VADD', name, *vector, f'e{i}')
            found = other.call('VSEARCH', name, 'ELE', f'e{i}', 'COUNT', 10)
            near = other.call('VSEARCH', name, *vector, 'COUNT', 10, 'EF', 100)
            missed += not (found and f'e{i}'.encode() in near)
        self.vdb.client.call('VDROP', name)
        print_rows('Visible at once', [(f'{count} VADDs, each searched on another connection',
                                        f'{missed} not found')])

    def tenants(self):
        count = 10000
        server, self.vdb = self.vdb, Server(self.args.server, CONFIG)
        before = self.vdb.rss_bytes()
        create = self.load('--seconds', 60, '--tenants', count, 'create=1')['create']
        fill = self.load('--seconds', 60, '--tenants', count, 'fill=1')['fill']
        size = (self.vdb.rss_bytes() - before) / count
        self.vdb.stop()
        self.vdb = server
        print_rows(f'{count:,} collections of 10 vectors of 128 dimensions',
                   [('created', f'{create["rate"]:,.0f}/s'), ('VADDs', f'{fill["rate"]:,.0f}/s'),
                    ('RSS of each', f'{size / 1024:.1f} KiB')])


def redis_benchmark(port, words, pipeline, count):
    """Requests per second of one run."""
    command = ['redis-benchmark', '-p', str(port), '-c', '50', '-P', str(pipeline),
               '-n', str(count), '--csv', *words]
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    return float(re.search(r'^"[^"]+","([\d.]+)"', run.stdout.decode(), re.M)[1])


def main():
    parser = argparse.ArgumentParser(description='The server over loopback. Prints tables.')
    parser.add_argument('--server', default='build/vdb-server')
    parser.add_argument('--tools', required=True, help='folder of wire_load and bench_index')
    parser.add_argument('--data', default='data')
    parser.add_argument('--parts', default=','.join(PARTS), help='of: ' + ', '.join(PARTS))
    parser.add_argument('--passes', type=int, default=5)
    args = parser.parse_args()
    args.tools, args.data = os.path.abspath(args.tools), os.path.abspath(args.data)
    parts = args.parts.split(',')
    if set(parts) - set(PARTS):
        parser.error('no such part: ' + ', '.join(set(parts) - set(PARTS)))
    bench = Bench(args)
    try:
        for part in parts:
            getattr(bench, part)()
    finally:
        bench.vdb.stop()


if __name__ == '__main__':
    main()
