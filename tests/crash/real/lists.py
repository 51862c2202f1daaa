"""lists.py: writes to lists: what clients send, what it does to a model state, what it answers."""

from model import List

TIMEOUT = '0.001'  # where there is nothing to take


def change(key, run):
    """run(values) -> reply changes the values of a list in place; an empty one is gone."""
    def effect(state, _):
        held = state[key].values if key in state else []
        reply = run(held)
        if key not in state and held:
            state[key] = List(held)
        elif key in state and not held:
            del state[key]
        return reply
    return effect


def push(values, head, must_be=False):
    def run(held):
        if must_be and not held:
            return 0
        for value in values:
            held.insert(0 if head else len(held), value)
        return len(held)
    return run


def pop(head, count=None):
    def run(held):
        if not held:
            return None
        taken = [held.pop(0 if head else -1) for _ in range(min(count or 1, len(held)))]
        return taken if count is not None else taken[0]
    return run


def trim(first, last):
    def run(held):
        held[:] = held[first:last + 1 if last != -1 else None]
        return b'OK'
    return run


def put(place, value):
    def run(held):
        if not -len(held) <= place < len(held): # a push before it is lost
            return None
        held[place] = value
        return b'OK'
    return run


def insert(before, pivot, value):
    def run(held):
        if pivot not in held:
            return -1 if held else 0
        held.insert(held.index(pivot) + (not before), value)
        return len(held)
    return run


def remove(count, value):
    def run(held):
        left = removed = min(abs(count) or len(held), held.count(value))
        if count < 0:
            held.reverse()
        while left:
            held.remove(value)
            left -= 1
        if count < 0:
            held.reverse()
        return removed
    return run


def move(source, destination, from_head, to_head):
    def effect(state, window):
        value = change(source, pop(from_head))(state, window)
        if value is not None:
            change(destination, push([value], to_head))(state, window)
        return value
    return effect


# -- makers: the words and the effect, or None -----------------------------------------------------

def value_of(client):
    """Half of them are such as come again."""
    return b'v%d' % client.rng.randrange(5) if client.rng.random() < 0.5 else client.value()


def make_push(name, client, key):
    values = [value_of(client) for _ in range(client.rng.randrange(1, 5))]
    return (name, key, *values), change(key, push(values, name[0] == 'L', name.endswith('X')))


def make_pop(name, client, key):
    count = client.rng.choice((None, None, 1, 3))
    words = (name, key) if count is None else (name, key, count)
    return words, change(key, pop(name[0] == 'L', count))


def make_trim(name, client, key):
    first, last = client.rng.randrange(3), client.rng.choice((-1, 8, 20))
    return (name, key, first, last), change(key, trim(first, last))


def make_set(name, client, key):
    if key not in client.sent:
        return None
    place, value = client.rng.randrange(len(client.sent[key].values)), value_of(client)
    return (name, key, place, value), change(key, put(place, value))


def make_insert(name, client, key):
    before, pivot, value = client.rng.random() < 0.5, value_of(client), value_of(client)
    return ((name, key, 'BEFORE' if before else 'AFTER', pivot, value),
            change(key, insert(before, pivot, value)))


def make_remove(name, client, key):
    count, value = client.rng.choice((0, 1, -2)), value_of(client)
    return (name, key, count, value), change(key, remove(count, value))


def make_move(name, client, key):
    other = client.key(b'l', 3)
    from_head, to_head = False, True
    words = (name, key, other)
    if name.endswith('LMOVE'):
        from_head, to_head = (client.rng.random() < 0.5 for _ in range(2))
        words += ('LEFT' if from_head else 'RIGHT', 'LEFT' if to_head else 'RIGHT')
    if name.startswith('B'):
        words += (TIMEOUT,)
    return words, move(key, other, from_head, to_head)


def make_mpop(name, client, key):
    head, count = client.rng.random() < 0.5, client.rng.randrange(1, 4)

    def run(held):
        taken = pop(head, count)(held)
        return taken and [key, taken]
    words = (1, key, 'LEFT' if head else 'RIGHT', 'COUNT', count)
    return (name, *(TIMEOUT,) * name.startswith('B'), *words), change(key, run)


def make_sort(name, client, key):
    other = client.key(b'l', 3)
    first, count = client.rng.randrange(3), client.rng.choice((-1, 2, 5))

    def effect(state, _):
        held = sorted(state[key].values) if key in state else []
        held = held[first:] if count == -1 else held[first:first + count]
        state.pop(other, None)
        if held:
            state[other] = List(held)
        return len(held)
    return (name, key, 'ALPHA', 'LIMIT', first, count, 'STORE', other), effect


def make_wait(name, _, key):
    def run(held):
        taken = pop(name == 'BLPOP')(held)
        return None if taken is None else [key, taken]
    return (name, key, TIMEOUT), change(key, run)


MAKERS = [('RPUSH', make_push), ('RPUSH', make_push), ('LPUSH', make_push), ('RPUSHX', make_push),
          ('LPUSHX', make_push), ('LPOP', make_pop), ('RPOP', make_pop), ('LTRIM', make_trim),
          ('LSET', make_set), ('LINSERT', make_insert), ('LREM', make_remove),
          ('LMOVE', make_move), ('RPOPLPUSH', make_move), ('LMPOP', make_mpop),
          ('BLPOP', make_wait), ('BRPOP', make_wait), ('BLMOVE', make_move),
          ('BRPOPLPUSH', make_move), ('BLMPOP', make_mpop), ('SORT', make_sort)]
