"""words.py: writes to dictionaries and to synonyms of indexes: what clients send, what it does to
a model state, what it answers. Neither has keys: a dictionary stands in a state by its own name,
which no key has."""

from model import Words


def words_of(client):
    return [b'w%d' % client.rng.randrange(8) for _ in range(client.rng.randrange(1, 4))]


def add(name, words):
    def effect(state, _):
        held = state[name].words if name in state else set()
        before = len(held)
        held.update(words)
        state[name] = Words(held)
        return len(held) - before
    return effect


def remove(name, words):
    def effect(state, _):
        held = state[name].words if name in state else set()
        before = len(held)
        held.difference_update(words)
        if not held:
            state.pop(name, None)
        return before - len(held)
    return effect


def join(index, words):
    def effect(state, _):
        state[index].synonyms.update(words)
        return b'OK'
    return effect


# -- makers: the command and its effect, or None ---------------------------------------------------

def make_add(client):
    name, words = client.key(b'dict', 1), words_of(client)
    return ('FT.DICTADD', name, *words), add(name, words)


def make_remove(client):
    name, words = client.key(b'dict', 1), words_of(client)
    return ('FT.DICTDEL', name, *words), remove(name, words)


def make_synonyms(client):
    index, words = client.key(b'x', 2), words_of(client)
    if index not in client.sent:
        return None
    return ('FT.SYNUPDATE', index, 'group', *words), join(index, words)


MAKERS = [('FT.DICTADD', make_add), ('FT.DICTDEL', make_remove), ('FT.SYNUPDATE', make_synonyms)]
