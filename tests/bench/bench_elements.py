"""bench_elements.py: what the benchmarks of deletes and replacements share: a collection of a data
set in a server, its memory, and the recall of its searches against exact ones."""

import os
import struct
import subprocess
import time

# (dimensions, metric, file of the queries) of the data sets
SETS = {'glove100': (100, 'COSINE', 'query.fbin'), 'fashion784': (784, 'L2', 'test.fbin'),
        'syn768': (768, 'COSINE', 'query.fbin')}
QUERIES = 500
COUNT = 10
EFFORT = 60
IN_FLIGHT = 1000


def read_queries(path, count):
    """The first vectors of an .fbin file, as blobs."""
    with open(path, 'rb') as f:
        rows, dim = struct.unpack('<II', f.read(8))
        return [f.read(4 * dim) for _ in range(min(count, rows))]


def pipelined(client, commands):
    """Sends commands with some in flight; returns the replies."""
    replies = []
    for at in range(0, len(commands), IN_FLIGHT):
        part = commands[at:at + IN_FLIGHT]
        client.socket.sendall(b''.join(
            b'*%d\r\n' % len(words) + b''.join(b'$%d\r\n%s\r\n' % (len(w), w) for w in words)
            for words in part))
        replies += [client.reply() for _ in part]
    return replies


class Elements:
    """The elements of a data set in a collection of its name."""

    def __init__(self, args, name, server):
        self.args, self.name = args, name
        self.use(server)
        self.queries = read_queries(os.path.join(args.data, name, SETS[name][2]), QUERIES)

    def use(self, server):
        self.server, self.client = server, server.client

    def info(self):
        return self.client.vinfo(self.name)

    def used(self):
        return int(self.client.info('memory')['used_memory'])

    def load(self, *words):
        """Runs wire_load; returns its seconds."""
        start = time.monotonic()
        subprocess.run([os.path.join(self.args.tools, 'wire_load'), '--port',
                        str(self.server.port), '--data', self.args.data, '--set', self.name,
                        '--seconds', '600', '--depth', '1000', *words],
                       stdout=subprocess.DEVNULL, check=True)
        return time.monotonic() - start

    def create(self):
        dim, metric, _ = SETS[self.name]
        self.client.call('VCREATE', self.name, 'DIM', dim, 'METRIC', metric)

    def fill(self):
        self.create()
        self.load('add=1')
        self.wait_for_links()

    def wait_for_links(self):
        while int(self.info()['pending']) > 0:
            time.sleep(0.1)

    def search(self, query, *how):
        return self.client.call('VSEARCH', self.name, 'FP32', query, 'COUNT', COUNT, *how)

    def truth(self):
        """Exact answers of all queries."""
        return [set(self.search(query, 'EXACT')) for query in self.queries]

    def recall(self, truth, effort=EFFORT):
        """(recall, elements found twice, answers with too few)"""
        found = twice = few = 0
        for query, wanted in zip(self.queries, truth):
            ids = self.search(query, 'EF', effort)
            found += len(wanted & set(ids))
            twice += len(ids) != len(set(ids))
            few += len(ids) < len(wanted)
        return found / sum(map(len, truth)), twice, few
