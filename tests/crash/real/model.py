"""model.py: what the keys of one connection hold, and whether a server holds the same.

A state is a dict from key (bytes) to Text or Vectors. A time of expiry is a window (from, to) in
Unix milliseconds, since nobody outside knows the clock that the server read; None: never."""

import copy
import json
import math
import struct

SLACK_MS = 1500  # a machine that runs several tests at once may pause any process for so long


class Text:
    def __init__(self, value, expire=None):
        self.value = value
        self.expire = expire

    def clone(self):
        return Text(self.value, self.expire)

    def __repr__(self):
        return f'{self.value!r} expire={self.expire}'


class Hash:
    """fields: name -> (value, when it expires or None)"""

    def __init__(self, fields=None, expire=None):
        self.fields = fields or {}
        self.expire = expire

    def clone(self):
        return Hash(dict(self.fields), self.expire)

    def __repr__(self):
        return f'{self.fields} expire={self.expire}'


class List:
    def __init__(self, values, expire=None):
        self.values = values
        self.expire = expire

    def clone(self):
        return List(list(self.values), self.expire)

    def __repr__(self):
        return f'{self.values} expire={self.expire}'


class Document:
    """value: what the JSON says, as Python has it"""

    def __init__(self, value, expire=None):
        self.value = value
        self.expire = expire

    def clone(self):
        return Document(copy.deepcopy(self.value), self.expire)

    def __repr__(self):
        return f'{self.value} expire={self.expire}'


class Members:
    """scores: member -> score; of a set None"""

    def __init__(self, scores, expire=None):
        self.scores = scores
        self.expire = expire

    def clone(self):
        return Members(dict(self.scores), self.expire)

    def __repr__(self):
        return f'{self.scores} expire={self.expire}'


class Index:
    """What FT.CREATE made. Its name is no key: in a state it stands beside them."""

    expire = None

    def __init__(self, prefix, fields, alias=False, synonyms=()):
        self.prefix = prefix
        self.fields = fields
        self.alias = alias  # whether its name with a + behind means it, too
        self.synonyms = set(synonyms)  # of its one group

    def clone(self):
        return Index(self.prefix, list(self.fields), self.alias, self.synonyms)

    def __eq__(self, other):
        return isinstance(other, Index) and vars(self) == vars(other)

    def __repr__(self):
        return (f'index of {self.prefix} with {self.fields}, alias: {self.alias}, '
                f'synonyms: {self.synonyms}')


class Words:
    """A dictionary, which is no key either."""

    expire = None

    def __init__(self, words):
        self.words = words

    def clone(self):
        return Words(set(self.words))

    def __eq__(self, other):
        return isinstance(other, Words) and self.words == other.words

    def __repr__(self):
        return f'dictionary of {self.words}'


CLIENTS_MAX = 64
EFFORT = 100  # EF of a collection that VCREATE says nothing of


class Vectors:
    """elements: id -> (vector as a tuple of floats, attribute or None)"""

    def __init__(self, dim, metric, created, elements=None, expire=None, effort=EFFORT):
        self.dim = dim
        self.metric = metric
        self.created = created
        self.effort = effort
        self.elements = elements or {}
        self.expire = expire

    def clone(self):
        return Vectors(self.dim, self.metric, self.created, dict(self.elements), self.expire,
                       self.effort)

    def __repr__(self):
        return f'{self.metric} dim={self.dim} {self.elements} expire={self.expire}'


def clone(state):
    return {key: value.clone() for key, value in state.items()}


def floats(blob):
    return struct.unpack(f'<{len(blob) // 4}f', blob)


def blob_of(vector):
    return struct.pack(f'<{len(vector)}f', *vector)


def same_vector(metric, want, have):
    """Under COSINE the server keeps a vector of length 1 and its length; else the very floats."""
    if have is None or len(want) != len(have):
        return False
    if metric != 'COSINE':
        return tuple(want) == tuple(have)
    return all(math.isclose(w, h, rel_tol=1e-5, abs_tol=1e-5) for w, h in zip(want, have))


def difference(want, have):
    """What differs between two values that are there, or None."""
    if type(want) is not type(have):
        return f'want {want}, have {have}'
    if isinstance(want, List):
        if want.values != have.values:
            return f'want {want.values}, have {have.values}'
    elif isinstance(want, Members):
        if want.scores != have.scores:
            return f'want {want.scores}, have {have.scores}'
    elif isinstance(want, (Text, Document)):
        if want.value != have.value:
            return f'want {want.value!r}, have {have.value!r}'
    elif isinstance(want, (Index, Words)):
        return None if want == have else f'want {want}, have {have}'
    elif isinstance(want, Hash):
        differs = hash_difference(want.fields, have.fields)
        if differs:
            return differs
    else:
        if want.created and want.metric != have.metric:
            return f'want metric {want.metric}, have {have.metric}'
        if want.effort != have.effort:
            return f'want EF {want.effort}, have {have.effort}'
        if want.elements.keys() != have.elements.keys():
            missing = sorted(want.elements.keys() - have.elements.keys())
            extra = sorted(have.elements.keys() - want.elements.keys())
            return f'elements missing {missing}, too many {extra}'
        for name, (vector, attribute) in want.elements.items():
            found_vector, found_attribute = have.elements[name]
            if attribute != found_attribute:
                return f'{name}: want attribute {attribute!r}, have {found_attribute!r}'
            if not same_vector(want.metric, vector, found_vector):
                return f'{name}: want vector {vector}, have {found_vector}'
    return expiry_difference(want.expire, have.expire)


def hash_difference(want, have):
    if want.keys() != have.keys():
        return (f'fields missing {sorted(want.keys() - have.keys())}, '
                f'too many {sorted(have.keys() - want.keys())}')
    for name, (value, expire) in want.items():
        if have[name][0] != value:
            return f'{name}: want {value!r}, have {have[name][0]!r}'
        differs = expiry_difference(expire, have[name][1])
        if differs:
            return f'{name}: {differs}'
    return None


def expiry_difference(want, have):
    if (want is None) != (have is None):
        return f'want expiry {want}, have {have}'
    if want is not None and not want[0] <= have[0] <= want[1]:
        return f'want expiry within {want}, have {have[0]}'
    return None


def mismatch(want, have, read_from_ms, read_to_ms):
    """What differs between a model and what was read from the server between two moments of the
    clock, or None. A key whose time comes about then may be there or not."""
    for key in want.keys() | have.keys():
        if key not in want:
            return f'{key} is there, and should not be: {have[key]}'
        expire = want[key].expire
        if expire is not None and expire[0] <= read_to_ms and key not in have:
            continue
        if key not in have:
            return f'{key} is missing; want {want[key]}'
        if expire is not None and expire[1] < read_from_ms:
            return f'{key} should have expired {read_from_ms - expire[1]} ms ago'
        differs = difference(want[key], have[key])
        if differs:
            return f'{key}: {differs}'
    return None


# -- reading a server ------------------------------------------------------------------------------

def read_state(connection, knows_expiry):
    """All keys of the server, as a state."""
    keys = sorted(connection.ask('KEYS', '*'))
    types = connection.ask_many([('TYPE', key) for key in keys])
    times = [-1] * len(keys)
    if knows_expiry:
        times = connection.ask_many([('PEXPIRETIME', key) for key in keys])
    texts = [key for key, kind in zip(keys, types) if kind == b'string']
    sets = [key for key, kind in zip(keys, types) if kind == b'vectorset']
    state = {}
    values = connection.ask_many([('GET', key) for key in texts])
    for key, value in zip(texts, values):
        if value is not None:  # else it expired since
            state[key] = Text(value)
    state.update(read_vectors(connection, sets))
    state.update(read_hashes(connection, [key for key, kind in zip(keys, types)
                                          if kind == b'hash']))
    lists = [key for key, kind in zip(keys, types) if kind == b'list']
    replies = connection.ask_many([('LRANGE', key, 0, -1) for key in lists])
    state.update({key: List(values) for key, values in zip(lists, replies) if values})
    state.update(read_members(connection, keys, types))
    documents = [key for key, kind in zip(keys, types) if kind == b'ReJSON-RL']
    replies = connection.ask_many([('JSON.GET', key) for key in documents])
    state.update({key: Document(json.loads(text)) for key, text in zip(documents, replies) if text})
    for key, time_ms in zip(keys, times):
        if key in state and time_ms >= 0:
            state[key].expire = (time_ms, time_ms)
    state.update(read_indexes(connection))
    state.update(read_dictionaries(connection))
    return state


def read_indexes(connection):
    names = connection.ask('FT._LIST')
    if not isinstance(names, list):
        return {}  # a server without FT.CREATE
    state = {}
    for name, info in zip(names, connection.ask_many([('FT.INFO', name) for name in names])):
        definition = info[info.index(b'index_definition') + 1]
        fields = [field[3] for field in info[info.index(b'attributes') + 1]]
        alias = isinstance(connection.ask('FT.INFO', name + b'+'), list)
        synonyms = connection.ask('FT.SYNDUMP', name)[::2]
        state[name] = Index(definition[definition.index(b'prefixes') + 1], fields, alias, synonyms)
    return state


def read_dictionaries(connection):
    """A server does not tell their names: all that clients may have."""
    names = [b'c%d:dict0' % client for client in range(CLIENTS_MAX)]
    replies = connection.ask_many([('FT.DICTDUMP', name) for name in names])
    return {name: Words(set(words)) for name, words in zip(names, replies)
            if isinstance(words, list) and words}


def read_members(connection, keys, types):
    sets = [key for key, kind in zip(keys, types) if kind == b'set']
    replies = connection.ask_many([('SMEMBERS', key) for key in sets])
    state = {key: Members(dict.fromkeys(members)) for key, members in zip(sets, replies)}
    ordered = [key for key, kind in zip(keys, types) if kind == b'zset']
    replies = connection.ask_many([('ZRANGE', key, 0, -1, 'WITHSCORES') for key in ordered])
    for key, flat in zip(ordered, replies):
        scores = {member: float(score) for member, score in zip(flat[::2], flat[1::2])}
        by_name = connection.ask('ZMSCORE', key, *scores)
        if [float(score) for score in by_name] != list(scores.values()):
            raise AssertionError(f'{key}: ZRANGE answers {flat}, ZMSCORE {by_name}')
        state[key] = Members(scores)
    return {key: value for key, value in state.items() if value.scores}


def read_hashes(connection, keys):
    state = {}
    replies = connection.ask_many([('HGETALL', key) for key in keys])
    for key, flat in zip(keys, replies):
        names = flat[::2]
        times = connection.ask('HPEXPIRETIME', key, 'FIELDS', len(names), *names) if names else []
        if len(set(names)) != len(names) or connection.ask('HLEN', key) != len(names):
            raise AssertionError(f'{key}: HGETALL answers {flat}')
        state[key] = Hash({name: (value, None if time_ms < 0 else (time_ms, time_ms))
                           for name, value, time_ms in zip(names, flat[1::2], times)})
    return state


def read_vectors(connection, keys):
    infos = connection.ask_many([('VINFO', key) for key in keys])
    names = connection.ask_many([('VRANGE', key, '-', '+') for key in keys])
    cards = connection.ask_many([('VCARD', key) for key in keys])
    state = {}
    wanted = []
    for key, info, ids, card in zip(keys, infos, names, cards):
        if not isinstance(info, list):
            continue
        fields = dict(zip(info[::2], info[1::2]))
        if len(ids) != card or len(set(ids)) != card:
            raise AssertionError(f'{key}: VCARD says {card}, VRANGE lists {ids}')
        metric = fields.get(b'metric', b'COSINE').decode()
        state[key] = Vectors(int(fields[b'vector-dim']), metric, b'metric' in fields,
                             effort=int(fields.get(b'ef', EFFORT)))
        if ids:
            wanted.append((key, ids))
    replies = connection.ask_many([('VGET', key, len(ids), *ids, 'WITHVECTORS', 'RAW')
                                   for key, ids in wanted])
    for (key, ids), reply in zip(wanted, replies):
        for name, element in zip(ids, reply):
            found, attribute, vector = element
            if found != name:
                raise AssertionError(f'{key}: VGET of {name} answers {found}')
            state[key].elements[name] = (floats(vector), attribute or None)
    return state
