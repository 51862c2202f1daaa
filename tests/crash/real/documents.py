"""documents.py: writes to JSON documents: what clients send, what it does to a model state, what it
answers. A document is {"n": number, "l": numbers, "s": text, "b": true or false}, or lacks some of
them: JSON.DEL takes them, and a write before may be lost."""

import json

from model import Document


def change(key, name, run):
    """run(document) changes a member that is there, and returns the reply for it."""
    def effect(state, _):
        if key not in state:  # a write before is lost
            return None
        held = state[key].value
        return [run(held)] if name in held else []
    return effect


def number(key, run):
    def effect(state, _):
        if key not in state:
            return None
        held = state[key].value
        if 'n' not in held:
            return b'[]'
        held['n'] = run(held['n'])
        return b'[%d]' % held['n']
    return effect


def put(pairs):
    """Whole documents; a key that has one keeps its time."""
    def effect(state, _):
        for key, value in pairs:
            state[key] = Document(json.loads(value), state[key].expire if key in state else None)
        return b'OK'
    return effect


def merge(key, members):
    def effect(state, _):
        if key not in state:
            state[key] = Document({})
        state[key].value.update(members)
        return b'OK'
    return effect


def remove(key, name):
    """name None: all of it, as when the last member goes."""
    def effect(state, _):
        if key not in state or (name is not None and name not in state[key].value):
            return 0
        if name is None or state[key].value.keys() == {name}:
            del state[key]
        else:
            del state[key].value[name]
        return 1
    return effect


def clear(key):
    def effect(state, _):
        if key not in state or not state[key].value.get('l'):
            return 0
        state[key].value['l'] = []
        return 1
    return effect


# -- makers: the words and the effect, or None -----------------------------------------------------

def some_document(client):
    value = client.value().decode()
    return json.dumps({'n': client.rng.randrange(1000), 's': value, 'b': True,
                       'l': [client.rng.randrange(100) for _ in range(client.rng.randrange(9))]})


def make_set(name, client, key):
    if key in client.sent and client.rng.random() < 0.5:
        value = client.rng.randrange(1000)
        return (name, key, '$.n', value), merge(key, {'n': value})
    value = some_document(client)
    return (name, key, '$', value), put([(key, value)])


def make_mset(name, client, key):
    pairs = [(key, some_document(client)), (client.key(b'j', 3), some_document(client))]
    return (name, *[word for key, value in pairs for word in (key, '$', value)]), put(pairs)


def make_merge(name, client, key):
    members = {'n': client.rng.randrange(1000), 's': client.value().decode()}
    return (name, key, '$', json.dumps(members)), merge(key, members)


def make_number(name, client, key):
    by = client.rng.randrange(100 if name == 'JSON.NUMINCRBY' else 2)
    run = {'JSON.NUMINCRBY': lambda n: n + by, 'JSON.NUMMULTBY': lambda n: n * by,
           'JSON.NUMPOWBY': lambda n: n ** by}[name]
    return (name, key, '$.n', by), number(key, run)


def make_append_text(name, client, key):
    more = client.value().decode()

    def run(held):
        held['s'] += more
        return len(held['s'])
    return (name, key, '$.s', json.dumps(more)), change(key, 's', run)


def make_append(name, client, key):
    values = [client.rng.randrange(100) for _ in range(client.rng.randrange(1, 5))]

    def run(held):
        held['l'] += values
        return len(held['l'])
    return (name, key, '$.l', *values), change(key, 'l', run)


def make_insert(name, client, key):
    value = client.rng.randrange(100)

    def run(held):
        held['l'].insert(0, value)
        return len(held['l'])
    return (name, key, '$.l', 0, value), change(key, 'l', run)


def make_pop(name, client, key):
    place = client.rng.choice((0, -1))

    def run(held):
        return b'%d' % held['l'].pop(place) if held['l'] else None
    return (name, key, '$.l', place), change(key, 'l', run)


def make_trim(name, client, key):
    first, last = client.rng.randrange(3), client.rng.choice((4, 20))

    def run(held):
        held['l'] = held['l'][first:last + 1]
        return len(held['l'])
    return (name, key, '$.l', first, last), change(key, 'l', run)


def make_clear(name, _, key):
    return (name, key, '$.l'), clear(key)


def make_toggle(name, _, key):
    def run(held):
        held['b'] = not held['b']
        return int(held['b'])
    return (name, key, '$.b'), change(key, 'b', run)


def make_remove(name, client, key):
    member_name = client.rng.choice((None, 'n', 'l', 's', 'b'))
    path = '$' if member_name is None else f'$.{member_name}'
    return (name, key, path), remove(key, member_name)


ADDS = [('JSON.SET', make_set), ('JSON.SET', make_set), ('JSON.MSET', make_mset),
        ('JSON.MERGE', make_merge), ('JSON.DEL', make_remove), ('JSON.FORGET', make_remove)]
# These want a document that is there.
CHANGES = [('JSON.NUMINCRBY', make_number), ('JSON.NUMMULTBY', make_number),
           ('JSON.NUMPOWBY', make_number), ('JSON.STRAPPEND', make_append_text),
           ('JSON.ARRAPPEND', make_append), ('JSON.ARRINSERT', make_insert),
           ('JSON.ARRPOP', make_pop), ('JSON.ARRTRIM', make_trim), ('JSON.CLEAR', make_clear),
           ('JSON.TOGGLE', make_toggle)]


def if_there(make):
    def made(name, client, key):
        return make(name, client, key) if key in client.sent else None
    return made


MAKERS = ADDS + [(name, if_there(make)) for name, make in CHANGES]
