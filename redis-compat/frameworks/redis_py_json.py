#!/usr/bin/python3
"""The .json() of Debian's redis-py.

    redis_py_json.py PORT
"""

import os
import sys
import unittest

import redis

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.append(os.path.join(ROOT, 'tests', 'lib'))
import suite

PORT = int(sys.argv.pop(1))


class Documents(unittest.TestCase):
    def setUp(self):
        self.client = redis.Redis(port=PORT, decode_responses=True)
        self.client.flushall()
        self.json = self.client.json()

    def tearDown(self):
        self.client.close()

    def test_set_and_get(self):
        value = {'name': 'käse', 'list': [1, 2.5, None, True], 'in': {'deep': 'x'}}
        self.assertTrue(self.json.set('doc', '$', value))
        self.assertEqual(self.json.get('doc'), value)
        self.assertEqual(self.json.get('doc', '$.in.deep'), ['x'])
        self.assertEqual(self.json.get('doc', '$.in', '$.name'),
                         {'$.in': [{'deep': 'x'}], '$.name': ['käse']})
        self.assertIsNone(self.json.get('none'))
        self.assertIsNone(self.json.set('doc', '$', 1, nx=True))
        self.assertIsNone(self.json.set('none', '$', 1, xx=True))
        self.assertEqual(self.json.mget(['doc', 'none'], '$.name'), [['käse'], None])
        self.assertEqual(self.client.type('doc'), 'ReJSON-RL')

    def test_changes(self):
        self.json.set('doc', '$', {'n': 1, 'list': [1], 'text': 'a', 'on': True})
        self.assertEqual(self.json.numincrby('doc', '$.n', 2), [3])
        self.assertEqual(self.json.arrappend('doc', '$.list', 2, {'x': 3}), [3])
        self.assertEqual(self.json.arrlen('doc', '$.list'), [3])
        self.assertEqual(self.json.strlen('doc', '$.text'), [1])
        self.assertEqual(self.json.objkeys('doc', '$'), [['n', 'list', 'text', 'on']])
        self.assertEqual(self.json.objlen('doc', '$'), [4])
        self.assertEqual(self.json.type('doc', '$.n'), ['integer'])
        self.assertEqual(self.json.delete('doc', '$.list'), 1)
        self.assertEqual(self.json.forget('doc', '$.none'), 0)
        self.assertEqual(self.json.get('doc'), {'n': 3, 'text': 'a', 'on': True})
        self.assertEqual(self.json.delete('doc'), 1)
        self.assertEqual(self.client.exists('doc'), 0)


if __name__ == '__main__':
    print(f'client redis-py {redis.__version__} RESP2')
    suite.main()
