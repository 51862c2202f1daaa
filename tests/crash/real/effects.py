"""effects.py: what each write command does to a model state, and what it answers.

An effect is a function (state, window) -> reply. window: the clock was between these two moments
(Unix milliseconds) when the command ran. ANY stands for a reply that is not judged."""

from model import Hash, Index, Text, Vectors, clone

ANY = object()


def value_of(state, key):
    return state[key].value if key in state else None


def put_text(state, key, value, keep_ttl=False):
    expire = state[key].expire if keep_ttl and key in state else None
    state[key] = Text(value, expire)


def after(window, ms):
    return (window[0] + ms, window[1] + ms)


def set_text(key, value, reply=b'OK', keep_ttl=False, ttl_ms=None, at_ms=None, when=None):
    """SET and its relatives. when: None, 'NX' or 'XX'."""
    def effect(state, window):
        if (when == 'NX' and key in state) or (when == 'XX' and key not in state):
            return 0 if reply == 1 else None
        put_text(state, key, value, keep_ttl)
        if ttl_ms is not None:
            state[key].expire = after(window, ttl_ms)
        if at_ms is not None:
            state[key].expire = (at_ms, at_ms)
        return reply
    return effect


def set_many(pairs, only_if_none=False):
    def effect(state, _):
        if only_if_none and any(key in state for key, _ in pairs):
            return 0
        for key, value in pairs:
            put_text(state, key, value)
        return 1 if only_if_none else b'OK'
    return effect


def append(key, value):
    def effect(state, _):
        put_text(state, key, (value_of(state, key) or b'') + value, keep_ttl=True)
        return len(state[key].value)
    return effect


def set_range(key, at, value):
    def effect(state, _):
        old = value_of(state, key) or b''
        put_text(state, key, old[:at].ljust(at, b'\0') + value + old[at + len(value):],
                 keep_ttl=True)
        return len(state[key].value)
    return effect


def add(key, by):
    def effect(state, _):
        put_text(state, key, b'%d' % (int(value_of(state, key) or 0) + by), keep_ttl=True)
        return int(state[key].value)
    return effect


def add_float(key, by):
    """by is a multiple of 1/8, so that sums are exact; written as Redis writes them."""
    def effect(state, _):
        total = float(value_of(state, key) or 0) + by
        put_text(state, key, b'%d' % total if total == int(total) else repr(total).encode(),
                 keep_ttl=True)
        return state[key].value
    return effect


def take(key):
    def effect(state, _):
        old = value_of(state, key)
        state.pop(key, None)
        return old
    return effect


def remove(keys, judged=True):
    def effect(state, _):
        there = [key for key in keys if state.pop(key, None) is not None]
        return len(there) if judged else ANY
    return effect


def drop(key):
    def effect(state, _):
        state.pop(key, None)
        return b'OK'
    return effect


def rename(old, new, only_if_none=False):
    def effect(state, _):
        if only_if_none and new in state:
            return 0
        state[new] = state.pop(old)
        return 1 if only_if_none else b'OK'
    return effect


def copy(old, new):
    def effect(state, _):
        if new in state:
            return 0
        state[new] = state[old].clone()
        return 1
    return effect


def expire(key, ttl_ms=None, at_ms=None):
    def effect(state, window):
        if key not in state:
            return 0
        state[key].expire = (at_ms, at_ms) if at_ms is not None else after(window, ttl_ms)
        return 1
    return effect


def get_and_expire(key, ttl_ms):
    """GETEX; ttl_ms None: PERSIST."""
    def effect(state, window):
        if key not in state:
            return None
        state[key].expire = None if ttl_ms is None else after(window, ttl_ms)
        return state[key].value
    return effect


def persist(key):
    def effect(state, _):
        if key not in state or state[key].expire is None:
            return 0
        state[key].expire = None
        return 1
    return effect


# -- hashes ----------------------------------------------------------------------------------------

def fields_of(state, key):
    return state[key].fields if key in state else {}


def set_fields(key, pairs, reply=None, keep=False, ttl_ms=None, when=None):
    """HSET and its relatives. reply None: how many are new. keep: fields keep their time. when:
    'none' or 'all' of the fields have to be there."""
    def effect(state, window):
        held = dict(fields_of(state, key))
        there = [name in held for name, _ in pairs]
        if (when == 'none' and any(there)) or (when == 'all' and not all(there)):
            return 0
        before = len(held)
        for name, value in pairs:
            expire = held[name][1] if keep and name in held else None
            held[name] = (value, after(window, ttl_ms) if ttl_ms is not None else expire)
        state.setdefault(key, Hash()).fields = held
        return len(held) - before if reply is None else reply
    return effect


def add_to_field(key, name, by):
    """by: whole, or a multiple of 1/8 (HINCRBYFLOAT)."""
    def effect(state, _):
        held = state.setdefault(key, Hash()).fields
        value, expire = held.get(name, (b'0', None))
        total = float(value) + by if isinstance(by, float) else int(value) + by
        text = b'%d' % total if total == int(total) else repr(total).encode()
        held[name] = (text, expire)
        return text if isinstance(by, float) else total
    return effect


def take_fields(key, names, replies=False):
    """HDEL; with replies HGETDEL. names: distinct."""
    def effect(state, _):
        taken = [fields_of(state, key).pop(name, (None,))[0] for name in names]
        if key in state and not state[key].fields:
            del state[key]
        return taken if replies else sum(value is not None for value in taken)
    return effect


def time_fields(key, names, ttl_ms=None, at_ms=None, values=False, persist=False):
    """HEXPIRE and its relatives, HPERSIST; with values HGETEX."""
    def effect(state, window):
        held = fields_of(state, key)
        replies = []
        for name in names:
            value, expire = held.get(name, (None, None))
            if value is None:
                replies.append(None if values else -2)
                continue
            at = (at_ms, at_ms) if at_ms is not None else None
            held[name] = (value, None if persist else at or after(window, ttl_ms))
            replies.append(value if values else -1 if persist and expire is None else 1)
        return replies
    return effect


# -- vectors ---------------------------------------------------------------------------------------

def create_index(name, prefix):
    def effect(state, _):
        state[name] = Index([prefix], [b'f0', b'f1', b'f2'])
        return b'OK'
    return effect


def drop_index(name):
    def effect(state, _):
        del state[name]
        return b'OK'
    return effect


def alter_index(name, field):
    def effect(state, _):
        state[name].fields.append(field)
        return b'OK'
    return effect


def set_alias(name, alias):
    def effect(state, _):
        state[name].alias = alias
        return b'OK'
    return effect


def create(key, dim, metric):
    def effect(state, _):
        state[key] = Vectors(dim, metric, True)
        return b'OK'
    return effect


def put(key, dim, elements):
    """elements: [(id, vector, attribute)]. attribute None leaves the old one, b'' removes it.
    Replies for each: 1 added, 0 replaced. Makes the set when there is none, as VADD does."""
    def effect(state, _):
        held = state.setdefault(key, Vectors(dim, 'COSINE', False)).elements
        replies = []
        for name, vector, attribute in elements:
            old = held.get(name)
            replies.append(0 if old else 1)
            kept = old[1] if old and attribute is None else attribute or None
            held[name] = (vector, kept)
        return replies
    return effect


def put_one(key, dim, element):
    many = put(key, dim, [element])
    return lambda state, window: many(state, window)[0]


def take_elements(key, names):
    def effect(state, _):
        if key not in state:
            return 0
        held = state[key].elements
        count = sum(held.pop(name, None) is not None for name in set(names))
        if not held and not state[key].created:
            del state[key]
        return count
    return effect


def take_matching(key, attribute):
    def effect(state, window):
        held = state[key].elements if key in state else {}
        names = [name for name, (_, found) in held.items() if found == attribute]
        return take_elements(key, names)(state, window)
    return effect


def alter(key, effort):
    def effect(state, _):
        state[key].effort = effort
        return b'OK'
    return effect


def set_attribute(key, name, attribute):
    def effect(state, _):
        if key not in state or name not in state[key].elements:
            return 0
        vector, _ = state[key].elements[name]
        state[key].elements[name] = (vector, attribute or None)
        return 1
    return effect


# -- several at once -------------------------------------------------------------------------------

def all_of(effects):
    """EXEC."""
    def effect(state, window):
        return [one(state, window) for one in effects]
    return effect


def nothing(_state, _window):
    return ANY


def preview(effect, state, window):
    """The state after the effect; the one given stays."""
    after_it = clone(state)
    effect(after_it, window)
    return after_it
