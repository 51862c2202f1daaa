#!/usr/bin/python3
"""JSON documents through a whole server: shapes in both protocols, redis-py's json(), an index that
follows them, and all of it after a kill -9."""

import json
import os
import shutil
import sys
import tempfile
import unittest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.append(os.path.join(TESTS, 'lib'))
import server
import suite
from raw import Raw

try:
    import redis
except ImportError:
    redis = None

DOCUMENT = {'name': 'caf\u00e9 "\U0001f600"', 'n': 2, 'list': [1, 2.5, None, True],
            'deep': {'n': 3}}
# A command, and what RESP2 and RESP3 reply.
SHAPES = [
    (('JSON.GET', 'd', '$.n'), b'[2]', b'[2]'),
    (('JSON.GET', 'd', '.n'), b'2', b'2'),
    (('JSON.GET', 'none', '$'), None, None),
    (('JSON.GET', 'd', '$.n', '$.deep.n'), b'{"$.n":[2],"$.deep.n":[3]}',
     b'{"$.n":[2],"$.deep.n":[3]}'),
    (('JSON.MGET', 'd', 'none', '$..n'), [b'[2,3]', None], [b'[2,3]', None]),
    (('JSON.TYPE', 'd', '$.list'), [b'array'], [[b'array']]),
    (('JSON.TYPE', 'd', '.list'), b'array', [b'array']),
    (('JSON.NUMINCRBY', 'd', '$..n', '1.5'), b'[3.5,4.5]', [3.5, 4.5]),
    (('JSON.NUMINCRBY', 'd', '$..n', '-1.5'), b'[2.0,3.0]', [2, 3]),
    (('JSON.ARRAPPEND', 'd', '$.list', '"x"'), [5], [5]),
    (('JSON.ARRPOP', 'd', '$.list'), [b'"x"'], [b'"x"']),
    (('JSON.ARRLEN', 'd', '$..*'), [None, None, 4, None, None, None, None, None, None],
     [None, None, 4, None, None, None, None, None, None]),
    (('JSON.STRLEN', 'd', '$.name'), [12], [12]),
    (('JSON.OBJKEYS', 'd', '$.deep'), [[b'n']], [[b'n']]),
    (('JSON.OBJLEN', 'd', '.'), 4, 4),
    (('JSON.TOGGLE', 'd', '$.list[3]'), [0], [0]),
    (('JSON.TOGGLE', 'd', '$.list[3]'), [1], [1]),
    (('JSON.SET', 'd', '$.none.n', '1'), None, None),
    (('JSON.SET', 'd', '$.new', '1', 'XX'), None, None),
    (('JSON.DEL', 'd', '$.none'), 0, 0),
    (('TYPE', 'd'), '+ReJSON-RL', '+ReJSON-RL'),
]


def crash(running):
    running.process.kill()
    running.process.wait()


class Json(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix='vdb-json-')
        self.server = self.start()

    def tearDown(self):
        self.server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self):
        return server.Server('--appendonly', 'yes', '--appendfsync', 'always', folder=self.folder)

    def raw(self, protocol):
        connection = Raw(self.server.port)
        if protocol == 3:
            self.assertEqual(connection.ask('HELLO', '3')[b'proto'], 3)
        return connection

    def put(self):
        with self.raw(2) as ask:
            self.assertEqual(ask.ask('JSON.SET', 'd', '$', json.dumps(DOCUMENT)), '+OK')

    def test_shapes_of_both_protocols(self):
        for protocol in (2, 3):
            self.put()
            with self.raw(protocol) as ask:
                for words, *wanted in SHAPES:
                    with self.subTest(words=words, protocol=protocol):
                        self.assertEqual(ask.ask(*words), wanted[protocol - 2])

    def test_a_crash_loses_nothing_and_the_index_is_there(self):
        large = {'text': 'needle in ' + 'hay ' * 50000, 'numbers': list(range(20000))}
        with self.raw(3) as ask:
            ask.ask('FT.CREATE', 'i', 'ON', 'JSON', 'SCHEMA', '$.name', 'AS', 'name', 'TEXT',
                    '$.text', 'AS', 'text', 'TEXT', '$.n', 'AS', 'n', 'NUMERIC')
            self.put()
            self.assertEqual(ask.ask('JSON.SET', 'large', '$', json.dumps(large)), '+OK')
            self.assertEqual(ask.ask('JSON.MERGE', 'd', '$', '{"n":null,"m":[7]}'), '+OK')
            self.assertEqual(ask.ask('JSON.ARRINSERT', 'd', '$.m', '0', '"\u00e9"'), [2])
            before = [ask.ask('JSON.GET', key) for key in ('d', 'large')]
        crash(self.server)
        self.server = self.start()
        with self.raw(2) as ask:
            self.assertEqual([ask.ask('JSON.GET', key) for key in ('d', 'large')], before)
            self.assertEqual(json.loads(before[1]), large)
            self.assertEqual(json.loads(before[0]), {**{k: v for k, v in DOCUMENT.items()
                                                        if k != 'n'}, 'm': ['\u00e9', 7]})
            self.assertEqual(ask.ask('FT.SEARCH', 'i', 'caf\u00e9', 'NOCONTENT'), [1, b'd'])
            self.assertEqual(ask.ask('FT.SEARCH', 'i', '@text:needle', 'NOCONTENT'), [1, b'large'])
            self.assertEqual(ask.ask('FT.SEARCH', 'i', '@n:[0 9]', 'NOCONTENT'), [0])

    @unittest.skipUnless(redis, 'redis-py is not installed')
    def test_redis_py(self):
        client = redis.Redis(port=self.server.port)
        documents = client.json()
        self.assertTrue(documents.set('d', '$', DOCUMENT))
        self.assertEqual(documents.get('d'), DOCUMENT)
        self.assertEqual(documents.get('d', '$.deep.n'), [3])
        self.assertEqual(documents.numincrby('d', '$.n', 2), [4])
        self.assertEqual(documents.arrappend('d', '$.list', 'x', {'y': 1}), [6])
        self.assertEqual(documents.arrindex('d', '$.list', 'x'), [4])
        self.assertEqual(documents.objkeys('d', '$.deep'), [[b'n']])
        self.assertEqual(documents.mget(['d', 'none'], '$.n'), [[4], None])
        self.assertEqual(documents.delete('d', '$.list'), 1)
        with client.pipeline() as pipeline:
            pipeline.json().set('e', '$', [1])
            pipeline.json().get('e')
            self.assertEqual(pipeline.execute()[0], True)
        self.assertEqual(documents.get('e'), [1])
        client.close()


if __name__ == '__main__':
    suite.main()
