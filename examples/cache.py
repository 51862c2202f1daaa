#!/usr/bin/python3
"""cache.py: a semantic cache in redis-py: a question that means what an earlier one meant gets its
answer, without asking the model again.

    cache.py PORT "a question" ...
"""

import sys
import time

import redis
from redis.commands.search.field import VectorField
from redis.commands.search.indexDefinition import IndexDefinition
from redis.commands.search.query import Query
from texts import best_title, embed

NEAR = 0.1


def ask(cache, question, model):
    """The answer, and whether the cache had it."""
    nearest = Query('*=>[KNN 1 @v $q AS far]').return_fields('answer', 'far').dialect(2)
    found = cache.ft('answers').search(nearest, {'q': embed(question)}).docs
    if found and float(found[0].far) < NEAR:
        return found[0].answer, True
    answer = model(question)
    cache.hset(f'answer:{question}', mapping={'v': embed(question), 'answer': answer})
    return answer, False


def open_cache(port):
    cache = redis.Redis(port=port)
    if b'answers' not in cache.execute_command('FT._LIST'):
        cache.ft('answers').create_index(
            [VectorField('v', 'HNSW', {'TYPE': 'FLOAT32', 'DIM': 384,
                                       'DISTANCE_METRIC': 'COSINE'})],
            definition=IndexDefinition(prefix=['answer:']))
    return cache


def slow_model(question):
    """Stands for a language model: thinks for a second, and says where to read."""
    time.sleep(1)
    return f'Read "{best_title(question)}".'


def main():
    cache = open_cache(int(sys.argv[1]))
    for question in sys.argv[2:]:
        start = time.monotonic()
        answer, hit = ask(cache, question, slow_model)
        source = 'the cache' if hit else 'the model'
        print(f'  {question}\n    {answer}  ({source}, '
              f'{1000 * (time.monotonic() - start):.0f} ms)')


if __name__ == '__main__':
    main()
