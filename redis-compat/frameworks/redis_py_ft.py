#!/usr/bin/python3
"""The .ft() of Debian's redis-py: indexes, queries and aggregations, with the objects that it makes
of the replies.

    redis_py_ft.py PORT
"""

import os
import struct
import sys
import unittest

import redis
from redis.commands.search import reducers
from redis.commands.search.aggregation import AggregateRequest, Cursor, Desc
from redis.commands.search.field import GeoField, NumericField, TagField, TextField, VectorField
from redis.commands.search.indexDefinition import IndexDefinition, IndexType
from redis.commands.search.query import GeoFilter, NumericFilter, Query

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.append(os.path.join(ROOT, 'tests', 'lib'))
import suite

PORT = int(sys.argv.pop(1))
BOOKS = (
    ('The Sea Wolf', 'novel,sea', 1904, '-122.4,37.8', (1, 0, 0)),
    ('The Call of the Wild', 'novel,dogs', 1903, '-139.4,64.1', (0.9, 0.1, 0)),
    ('Moby Dick, or the Whale', 'novel,sea', 1851, '-70.1,41.3', (0, 1, 0)),
    ('On the Origin of Species', 'science', 1859, '0.1,51.3', (0, 0, 1)),
)


def blob(numbers):
    return struct.pack(f'<{len(numbers)}f', *numbers)


def text(value):
    """Replies of a client that leaves bytes alone, since vectors are among them."""
    if isinstance(value, bytes):
        return value.decode()
    return [text(item) for item in value] if isinstance(value, list) else value


class Hashes(unittest.TestCase):
    def setUp(self):
        self.client = redis.Redis(port=PORT)
        self.client.flushall()
        self.ft = self.client.ft('books')
        self.ft.create_index((
            TextField('title', weight=2, sortable=True), TagField('kind', separator=','),
            NumericField('year', sortable=True), GeoField('place'),
            VectorField('v', 'HNSW', {'TYPE': 'FLOAT32', 'DIM': 3, 'DISTANCE_METRIC': 'COSINE'}),
        ), definition=IndexDefinition(prefix=['book:'], index_type=IndexType.HASH))
        for number, (title, kind, year, place, vector) in enumerate(BOOKS):
            self.client.hset(f'book:{number}', mapping={
                'title': title, 'kind': kind, 'year': year, 'place': place, 'v': blob(vector)})

    def tearDown(self):
        self.client.close()

    def ids(self, query, params=None):
        return [doc.id for doc in self.ft.search(query, params).docs]

    def knn(self, words, k):
        query = Query(words).sort_by('far').return_fields('title', 'far').paging(0, k).dialect(2)
        return self.ft.search(query, {'q': blob((1, 0, 0))})

    def test_words_and_phrases(self):
        self.assertEqual(self.ids('wild'), ['book:1'])
        self.assertEqual(self.ids('@title:"sea wolf"'), ['book:0'])
        self.assertEqual(self.ids('whales'), ['book:2'])
        self.assertEqual(self.ids(Query('whales').verbatim()), [])
        self.assertEqual(sorted(self.ids('wol* | wild')), ['book:0', 'book:1'])
        self.assertEqual(self.ids('%wolff%'), ['book:0'])
        self.assertEqual(self.ids('the -sea -call -whale -origin'), [])

    def test_tags_numbers_places(self):
        self.assertEqual(self.ids(Query('@kind:{sea}').sort_by('year')), ['book:2', 'book:0'])
        self.assertEqual(self.ids('@year:[1900 (1904]'), ['book:1'])
        self.assertEqual(self.ids(Query('*').add_filter(NumericFilter('year', 0, 1855))),
                         ['book:2'])
        self.assertEqual(self.ids('@place:[-122 37 200 km]'), ['book:0'])
        self.assertEqual(self.ids(Query('*').add_filter(GeoFilter('place', 0, 51, 100))),
                         ['book:3'])

    def test_results(self):
        found = self.ft.search(Query('@kind:{novel}').sort_by('year', asc=False).paging(1, 1))
        self.assertEqual(found.total, 3)
        self.assertEqual([doc.title for doc in found.docs], ['The Call of the Wild'])
        self.assertEqual(found.docs[0].year, '1903')
        self.assertEqual(self.ft.search(Query('*').no_content()).docs[0].id[:5], 'book:')
        scored = self.ft.search(Query('sea').with_scores())
        self.assertGreater(float(scored.docs[0].score), 0)
        self.assertEqual(self.ft.search(Query('nothinglikeit')).total, 0)

    def test_vectors(self):
        found = self.knn('*=>[KNN 2 @v $q AS far]', 2)
        self.assertEqual([doc.id for doc in found.docs], ['book:0', 'book:1'])
        self.assertAlmostEqual(float(found.docs[0].far), 0, places=5)
        self.assertAlmostEqual(float(found.docs[1].far), 0.00612, places=4)
        found = self.knn('(@kind:{science} | whale)=>[KNN 4 @v $q AS far]', 4)
        self.assertEqual(sorted(doc.id for doc in found.docs), ['book:2', 'book:3'])

    def test_aggregations(self):
        rows = self.ft.aggregate(
            AggregateRequest('*').group_by('@kind', reducers.count().alias('n'),
                                           reducers.max('@year').alias('last'))
            .sort_by(Desc('@n'), '@kind')).rows
        self.assertEqual([text(row[1]) for row in rows], ['novel,sea', 'novel,dogs', 'science'])
        self.assertEqual(text(rows[0]), ['kind', 'novel,sea', 'n', '2', 'last', '1904'])
        rows = self.ft.aggregate(
            AggregateRequest('@kind:{novel}').load('@title', '@year')
            .apply(decade='floor(@year / 10) * 10').filter('@decade == 1900')
            .sort_by('@year')).rows
        self.assertEqual([text(row[1]) for row in rows], ['The Call of the Wild', 'The Sea Wolf'])

    def test_cursors(self):
        result = self.ft.aggregate(AggregateRequest('*').load('@title').cursor(count=3))
        titles = [text(row[1]) for row in result.rows]
        while result.cursor.cid:
            result = self.ft.aggregate(Cursor(result.cursor.cid))
            titles += [text(row[1]) for row in result.rows]
        self.assertEqual(sorted(titles), sorted(book[0] for book in BOOKS))

    def test_the_index_itself(self):
        info = self.ft.info()
        self.assertEqual((info['index_name'], int(info['num_docs'])), ('books', 4))
        self.assertEqual(sorted(text(self.ft.tagvals('kind'))), ['dogs', 'novel', 'science', 'sea'])
        self.client.ft('books').alter_schema_add(TagField('lang'))
        self.client.hset('book:0', 'lang', 'en')
        self.assertEqual(self.ids('@lang:{en}'), ['book:0'])
        self.ft.aliasadd('library')
        self.assertEqual(self.client.ft('library').search('wild').total, 1)
        self.assertIn('UNION', text(self.ft.explain('wild | sea')))
        self.ft.dropindex(delete_documents=True)
        self.assertEqual(self.client.dbsize(), 0)
        with self.assertRaisesRegex(redis.ResponseError, 'no such index'):
            self.ft.search('*')


if __name__ == '__main__':
    print(f'client redis-py {redis.__version__} RESP2')
    suite.main()
