#!/usr/bin/python3
"""An index of JSON documents through Debian's redis-py.

    redis_py_json_ft.py PORT
"""

import os
import struct
import sys
import unittest

import redis
from redis.commands.search.field import NumericField, TagField, TextField, VectorField
from redis.commands.search.indexDefinition import IndexDefinition, IndexType
from redis.commands.search.query import Query

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.append(os.path.join(ROOT, 'tests', 'lib'))
import suite

PORT = int(sys.argv.pop(1))


def blob(numbers):
    return struct.pack(f'<{len(numbers)}f', *numbers)


class Indexes(unittest.TestCase):
    def setUp(self):
        self.client = redis.Redis(port=PORT, decode_responses=True)
        self.client.flushall()
        self.json = self.client.json()

    def tearDown(self):
        self.client.close()

    def test_an_index_of_documents(self):
        ft = self.client.ft('docs')
        ft.create_index((
            TextField('$.title', as_name='title'), TagField('$.tags.*', as_name='tags'),
            NumericField('$.n', as_name='n'),
            VectorField('$.v', 'FLAT', {'TYPE': 'FLOAT32', 'DIM': 2, 'DISTANCE_METRIC': 'L2'},
                        as_name='v'),
        ), definition=IndexDefinition(prefix=['doc:'], index_type=IndexType.JSON))
        for number in range(5):
            self.json.set(f'doc:{number}', '$', {
                'title': f'text number {number}', 'tags': ['all', f't{number}'], 'n': number,
                'v': [number, 0]})
        found = ft.search(Query('@tags:{t3}'))
        self.assertEqual(found.docs[0].id, 'doc:3')
        self.assertIn('"text number 3"', found.docs[0].json)
        query = (Query('(@n:[1 4])=>[KNN 2 @v $q AS far]').sort_by('far').dialect(2)
                 .return_field('$.title', as_field='called').return_field('far'))
        docs = ft.search(query, {'q': blob((2, 0))}).docs
        self.assertEqual((docs[0].id, docs[0].called), ('doc:2', 'text number 2'))
        self.assertEqual(float(docs[1].far), 1)
        self.json.set('doc:3', '$.tags', ['none'])
        self.assertEqual(ft.search(Query('@tags:{t3}')).total, 0)


if __name__ == '__main__':
    print(f'client redis-py {redis.__version__} RESP2')
    suite.main()
