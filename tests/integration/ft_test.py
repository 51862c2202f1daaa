#!/usr/bin/python3
"""Indexes over keys through a whole server: FT.INFO as clients read it by position, dictionaries
and synonyms, and all of it after a kill -9 and after a snapshot."""

import copy
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

FLAGS = {'CASESENSITIVE', 'SORTABLE', 'UNF', 'NOSTEM', 'NOINDEX', 'WITHSUFFIXTRIE', 'INDEXEMPTY',
         'INDEXMISSING'}
# Words of a schema, and what a client that opens the index again must read of them.
FIELDS = [
    (('title', 'TEXT'), ('text', {'weight': '1'}, set())),
    (('body', 'TEXT', 'WEIGHT', '2.5', 'NOSTEM', 'WITHSUFFIXTRIE', 'SORTABLE'),
     ('text', {'weight': '2.5'}, {'NOSTEM', 'SORTABLE', 'WITHSUFFIXTRIE'})),
    (('tag', 'TAG'), ('tag', {'separator': ','}, set())),
    (('tags', 'TAG', 'SEPARATOR', '|', 'CASESENSITIVE', 'SORTABLE', 'UNF', 'INDEXMISSING'),
     ('tag', {'separator': '|'}, {'CASESENSITIVE', 'SORTABLE', 'UNF', 'INDEXMISSING'})),
    (('n', 'NUMERIC'), ('numeric', {}, set())),
    (('year', 'NUMERIC', 'SORTABLE', 'NOINDEX'),
     ('numeric', {}, {'SORTABLE', 'UNF', 'NOINDEX'})),
    (('place', 'GEO'), ('geo', {}, set())),
    (('v', 'VECTOR', 'HNSW', '12', 'TYPE', 'FLOAT32', 'DIM', '4', 'DISTANCE_METRIC', 'COSINE', 'M',
      '24', 'EF_CONSTRUCTION', '300', 'EF_RUNTIME', '20'),
     ('vector', {'algorithm': 'HNSW', 'data_type': 'FLOAT32', 'dim': '4',
                 'distance_metric': 'COSINE', 'm': '24', 'ef_construction': '300',
                 'ef_runtime': '20'}, set())),
    (('flat', 'VECTOR', 'FLAT', '6', 'TYPE', 'FLOAT16', 'DIM', '3', 'DISTANCE_METRIC', 'L2'),
     ('vector', {'algorithm': 'FLAT', 'data_type': 'FLOAT16', 'dim': '3',
                 'distance_metric': 'L2'}, set())),
]


def pairs(items):
    return dict(zip(items[::2], items[1::2]))


def text(value):
    if isinstance(value, list):
        return [text(item) for item in value]
    return value.decode() if isinstance(value, bytes) else value


def schema_of(info):
    """What redisvl makes of FT.INFO in RESP2: names, prefixes and the kind of storage by position;
    of a field the first six items by position, then pairs as long as there are some, flags last."""
    definition = info['index_definition']
    fields = {}
    for attribute in info['attributes']:
        identifier, name, kind = attribute[1], attribute[3], attribute[5].lower()
        rest = attribute[6:]
        flags = set()
        while rest and rest[-1] in FLAGS:
            flags.add(rest.pop())
        if len(rest) % 2 != 0:
            raise IndexError(f'{identifier}: {rest} are no pairs')
        options = {key.lower(): str(value) for key, value in pairs(rest).items()}
        fields[name] = (kind, options, flags)
    return {'name': info['index_name'], 'storage': definition[1].lower(), 'prefixes': definition[3],
            'fields': fields}


class Ft(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix='vdb-ft-')
        self.server = self.start()

    def tearDown(self):
        self.server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self):
        return server.Server('--appendonly', 'yes', '--appendfsync', 'always', folder=self.folder)

    def crash(self):
        self.server.process.kill()
        self.server.process.wait()
        self.server = self.start()

    def ask(self, *words):
        with Raw(self.server.port) as connection:
            return connection.ask(*words)

    def create(self, name, *fields, kind='HASH'):
        words = [word for field in fields for word in field]
        self.assertEqual(self.ask('FT.CREATE', name, 'ON', kind, 'PREFIX', '2', 'a:', 'b:',
                                  'SCHEMA', *words), '+OK')

    def test_a_schema_is_read_back_by_position(self):
        self.create('i', *(words for words, _ in FIELDS))
        schema = schema_of(pairs(text(self.ask('FT.INFO', 'i'))))
        self.assertEqual(schema['fields'], {words[0]: wanted for words, wanted in FIELDS})
        self.assertEqual((schema['name'], schema['storage'], schema['prefixes']),
                         ('i', 'hash', ['a:', 'b:']))

    def test_a_schema_of_json_is_read_back_by_position(self):
        self.create('j', *(('$.' + words[0], 'AS', *words) for words, _ in FIELDS), kind='JSON')
        schema = schema_of(pairs(text(self.ask('FT.INFO', 'j'))))
        wanted = {words[0]: copy.deepcopy(wanted) for words, wanted in FIELDS}
        wanted['tag'] = ('tag', {'separator': ''}, set())  # values have arrays instead
        wanted['body'][2].add('UNF')  # what JSON says is sorted by as it is
        self.assertEqual(schema['fields'], wanted)
        self.assertEqual(schema['storage'], 'json')

    def test_maps_of_resp3_say_the_same(self):
        self.create('i', *(words for words, _ in FIELDS))
        with Raw(self.server.port) as connection:
            connection.ask('HELLO', '3')
            info = connection.ask('FT.INFO', 'i')
        self.assertEqual(info[b'index_definition'][b'prefixes'], [b'a:', b'b:'])
        for (words, (kind, wanted, flags)), field in zip(FIELDS, info[b'attributes']):
            named = {key.decode().lower(): text(value) for key, value in field.items()}
            self.assertEqual((named['identifier'], named['attribute'], named['type'].lower()),
                             (words[0], words[0], kind))
            self.assertEqual(set(named['flags']), flags)
            self.assertEqual({key: float(named[key]) if key == 'weight' else str(named[key])
                              for key in wanted},
                             {key: float(value) if key == 'weight' else value
                              for key, value in wanted.items()})

    @unittest.skipUnless(redis, 'redis-py is not installed')
    def test_redis_py_reads_an_index(self):
        self.create('i', *(words for words, _ in FIELDS))
        self.ask('HSET', 'a:1', 'title', 'one', 'n', '3')
        self.ask('HSET', 'a:2', 'n', 'no number')
        client = redis.Redis(port=self.server.port)
        info = client.ft('i').info()
        self.assertEqual((int(info['num_docs']), int(info['hash_indexing_failures'])), (1, 1))
        self.assertEqual(float(info['percent_indexed']), 1)
        client.close()

    def words_are_there(self):
        self.assertEqual(sorted(self.ask('FT.DICTDUMP', 'd')), [b'one', b'three'])
        self.assertEqual(pairs(self.ask('FT.SYNDUMP', 'i')), {b'boy': [b'g'], b'child': [b'g']})
        self.assertEqual(self.ask('FT.SEARCH', 'i', 'child', 'NOCONTENT'), [1, b'a:1'])

    def test_words_outlive_crashes_and_snapshots(self):
        self.create('i', ('title', 'TEXT'))
        self.ask('HSET', 'a:1', 'title', 'a boy')
        self.assertEqual(self.ask('FT.DICTADD', 'd', 'one', 'two', 'three'), 3)
        self.assertEqual(self.ask('FT.DICTDEL', 'd', 'two', 'four'), 1)
        self.assertEqual(self.ask('FT.SYNUPDATE', 'i', 'g', 'Boy', 'child'), '+OK')
        self.words_are_there()
        self.crash()
        self.words_are_there()
        self.assertEqual(self.ask('SAVE'), '+OK')
        self.crash()
        self.words_are_there()
        self.assertEqual(self.ask('FLUSHALL'), '+OK')
        self.assertEqual(self.ask('FT.DICTDUMP', 'd'), [])

    @unittest.skipUnless(redis, 'redis-py is not installed')
    def test_redis_py_knows_words(self):
        self.create('i', ('title', 'TEXT'))
        client = redis.Redis(port=self.server.port)
        self.assertEqual(client.ft('i').dict_add('d', 'one', 'two'), 2)
        self.assertEqual(client.ft('i').dict_del('d', 'one'), 1)
        self.assertEqual(client.ft('i').dict_dump('d'), [b'two'])
        self.assertTrue(client.ft('i').synupdate('g', False, 'boy', 'child'))
        self.assertEqual(client.ft('i').syndump(), {b'boy': [b'g'], b'child': [b'g']})
        self.ask('HSET', 'a:1', 'title', 'very important')
        self.assertEqual(client.ft('i').spellcheck('impornant'),
                         {b'impornant': [{'score': b'1', 'suggestion': b'important'}]})
        self.assertEqual(client.ft('i').spellcheck('tvo', distance=2, include='d'),
                         {b'tvo': [{'score': b'0', 'suggestion': b'two'}]})
        self.assertEqual(client.ft('i').spellcheck('two', exclude='d'), {})
        client.close()


if __name__ == '__main__':
    suite.main()
