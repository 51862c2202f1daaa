"""texts.py: vectors of questions without a model, as texts.mjs has them: the mean of the texts
whose titles share the question's rarest words, from the npm package @sap-ux/fiori-docs-embeddings.
"""

import array
import json
import math
import os
import re

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'node_modules', '@sap-ux',
                      'fiori-docs-embeddings', 'data', 'embeddings')
DIMENSIONS = 384
NEAR_TITLES = 4
COMMON = set('how do can what which where are is and the to an of for in on with my'.split())


def read():
    """The titles of the texts and their vectors, one after the other."""
    vectors = array.array('f')
    with open(os.path.join(FOLDER, 'embeddings.bin'), 'rb') as file:
        vectors.frombytes(file.read())
    with open(os.path.join(FOLDER, 'records.jsonl'), encoding='utf-8') as file:
        return [json.loads(line)['title'] for line in file], vectors


TITLES, VECTORS = read()


def stems(text):
    """The words of a text without what is common and without endings."""
    words = re.findall('[a-z0-9]{2,}', text.lower())
    return {re.sub('(ing|ments?|s|ed)$', '', word) for word in words if word not in COMMON}


STEMS = [stems(title) for title in TITLES]


def nearest_titles(question):
    """(score, number) of the texts whose titles share the rarest words."""
    scores = {}
    for word in stems(question):
        having = [at for at, title in enumerate(STEMS) if word in title]
        for at in having:
            rarity = math.log(len(TITLES) / len(having)) ** 2
            scores[at] = scores.get(at, 0) + rarity / math.sqrt(len(STEMS[at]))
    return sorted(((score, at) for at, score in scores.items()), reverse=True)[:NEAR_TITLES]


def embed(question):
    """The vector of a question, as the blob that FT.SEARCH takes."""
    total = array.array('f', bytes(4 * DIMENSIONS))
    for score, at in nearest_titles(question):
        for i in range(DIMENSIONS):
            total[i] += score * VECTORS[at * DIMENSIONS + i]
    return total.tobytes()


def best_title(question):
    found = nearest_titles(question)
    return TITLES[found[0][1]] if found else ''
