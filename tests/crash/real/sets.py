"""sets.py: writes to sets and sorted sets: what clients send, what it does to a model state, what
it answers. A set is a sorted set whose scores are all None."""

from effects import ANY
from model import Members

TIMEOUT = '0.001'  # where there is nothing to take


def change(key, run):
    """run(scores) -> reply changes scores, by member, in place; without any the key is gone."""
    def effect(state, _):
        held = state[key].scores if key in state else {}
        reply = run(held)
        if key not in state and held:
            state[key] = Members(held)
        elif key in state and not held:
            del state[key]
        return reply
    return effect


def store(destination, sources, combine):
    """combine(list of scores by member) -> scores, in place of whatever the key held."""
    def effect(state, _):
        scores = combine([dict(state[key].scores) if key in state else {} for key in sources])
        state.pop(destination, None)
        if scores:
            state[destination] = Members(scores)
        return len(scores)
    return effect


def ranked(scores):
    return sorted(scores, key=lambda member: (scores[member], member))


def text(score):
    return b'%d' % score if score == int(score) else repr(score).encode()


def take(scores, members):
    return [(member, text(scores.pop(member))) for member in members]


# -- makers: the words and the effect, or None -----------------------------------------------------

def member_of(client):
    """Mostly such as come again; integers among them."""
    if client.rng.random() < 0.2:
        return client.value()
    return client.rng.choice((b'm%d', b'%d')) % client.rng.randrange(6)


def members_of(client):
    return list({member_of(client) for _ in range(client.rng.randrange(1, 5))})


def make_sadd(client, key):
    members = members_of(client)

    def run(scores):
        before = len(scores)
        scores.update({member: None for member in members})
        return len(scores) - before
    return ('SADD', key, *members), change(key, run)


def remover(name):
    def make(client, key):
        members = members_of(client)

        def run(scores):
            return sum(scores.pop(member, run) is not run for member in members)
        return (name, key, *members), change(key, run)
    return make


def make_smove(client, key):
    other, member = client.key(b'm', 3), member_of(client)

    def effect(state, window):
        if key not in state or member not in state[key].scores:
            return 0
        if other != key:
            change(other, lambda scores: scores.update({member: None}))(state, window)
            change(key, lambda scores: scores.pop(member))(state, window)
        return 1
    return ('SMOVE', key, other, member), effect


def set_store(name, combine):
    def make(client, key):
        sources = [client.key(b'm', 3) for _ in range(2)]
        return (name, key, *sources), store(key, sources, combine)
    return make


def make_zadd(client, key):
    option = client.rng.choice((None, None, 'NX', 'XX', 'GT', 'LT'))
    pairs = {member: client.rng.randrange(-4, 9) / 2 for member in members_of(client)}
    words = ('ZADD', key) if option is None else ('ZADD', key, option)
    for member, score in pairs.items():
        words += (text(score), member)

    def run(scores):
        before = len(scores)
        for member, score in pairs.items():
            old = scores.get(member)
            if (old is None and option == 'XX') or (old is not None and option == 'NX'):
                continue
            if old is not None and ((option == 'GT' and score <= old) or
                                    (option == 'LT' and score >= old)):
                continue
            scores[member] = score
        return len(scores) - before
    return words, change(key, run)


def make_zincrby(client, key):
    member, delta = member_of(client), client.rng.randrange(-4, 5) / 4

    def run(scores):
        scores[member] = scores.get(member, 0) + delta
        return text(scores[member])
    return ('ZINCRBY', key, text(delta), member), change(key, run)


def make_spop(client, key):
    """All of them: which ones fewer would be, only the server knows."""
    def run(scores):
        scores.clear()
        return ANY
    return ('SPOP', key, 1000), change(key, run)


def make_by_rank(client, key):
    first, last = client.rng.randrange(4), client.rng.randrange(4)

    def run(scores):
        return len(take(scores, ranked(scores)[first:last + 1]))
    return ('ZREMRANGEBYRANK', key, first, last), change(key, run)


def make_by_score(client, key):
    low = client.rng.randrange(-2, 3)

    def run(scores):
        return len(take(scores, [m for m in ranked(scores) if low < scores[m] <= low + 1]))
    return ('ZREMRANGEBYSCORE', key, f'({low}', low + 1), change(key, run)


def make_by_name(client, key):
    """All of them: which ones fewer would be is not said where scores differ."""
    def run(scores):
        return len(take(scores, list(scores)))
    return ('ZREMRANGEBYLEX', key, '-', '+'), change(key, run)


def popper(name, highest):
    def make(client, key):
        count = client.rng.randrange(1, 4)

        def run(scores):
            members = ranked(scores)[::-1 if highest else 1][:count]
            return [part for pair in take(scores, members) for part in pair]
        return (name, key, count), change(key, run)
    return make


def mpopper(*name):
    def make(client, key):
        def run(scores):
            taken = take(scores, ranked(scores)[:2])
            return [key, [list(pair) for pair in taken]] if taken else None
        return (*name, 1, key, 'MIN', 'COUNT', 2), change(key, run)
    return make


def waiter(name, highest):
    def make(client, key):
        def run(scores):
            taken = take(scores, ranked(scores)[-1:] if highest else ranked(scores)[:1])
            return [key, *taken[0]] if taken else None
        return (name, key, TIMEOUT), change(key, run)
    return make


def make_rangestore(client, key):
    source = client.key(b'z', 3)
    first, last = client.rng.randrange(3), client.rng.randrange(6)
    return (('ZRANGESTORE', key, source, first, last),
            store(key, [source], lambda all_: {m: all_[0][m]
                                               for m in ranked(all_[0])[first:last + 1]}))


def added(all_):
    one, other = all_
    return {m: one.get(m, 0) + other.get(m, 0) for m in one.keys() | other.keys()}


def added_in_both(all_):
    one, other = all_
    return {m: one[m] + other[m] for m in one.keys() & other.keys()}


def only_first(all_):
    return {m: score for m, score in all_[0].items() if m not in all_[1]}


def sorted_store(name, combine):
    def make(client, key):
        sources = [client.key(b'z', 3) for _ in range(2)]
        return (name, key, 2, *sources), store(key, sources, combine)
    return make


def union(all_):
    return {**all_[0], **all_[1]}


def inter(all_):
    return {m: None for m in all_[0].keys() & all_[1].keys()}


def diff(all_):
    return {m: None for m in all_[0].keys() - all_[1].keys()}


MAKERS = [(b'm', 'SADD', make_sadd), (b'm', 'SADD', make_sadd), (b'm', 'SREM', remover('SREM')),
          (b'm', 'SMOVE', make_smove), (b'm', 'SPOP', make_spop),
          (b'm', 'SUNIONSTORE', set_store('SUNIONSTORE', union)),
          (b'm', 'SINTERSTORE', set_store('SINTERSTORE', inter)),
          (b'm', 'SDIFFSTORE', set_store('SDIFFSTORE', diff)),
          (b'z', 'ZADD', make_zadd), (b'z', 'ZADD', make_zadd), (b'z', 'ZADD', make_zadd),
          (b'z', 'ZINCRBY', make_zincrby), (b'z', 'ZREM', remover('ZREM')),
          (b'z', 'ZREMRANGEBYRANK', make_by_rank), (b'z', 'ZREMRANGEBYSCORE', make_by_score),
          (b'z', 'ZREMRANGEBYLEX', make_by_name),
          (b'z', 'ZPOPMIN', popper('ZPOPMIN', False)), (b'z', 'ZPOPMAX', popper('ZPOPMAX', True)),
          (b'z', 'ZMPOP', mpopper('ZMPOP')), (b'z', 'BZMPOP', mpopper('BZMPOP', TIMEOUT)),
          (b'z', 'BZPOPMIN', waiter('BZPOPMIN', False)),
          (b'z', 'BZPOPMAX', waiter('BZPOPMAX', True)), (b'z', 'ZRANGESTORE', make_rangestore),
          (b'z', 'ZUNIONSTORE', sorted_store('ZUNIONSTORE', added)),
          (b'z', 'ZINTERSTORE', sorted_store('ZINTERSTORE', added_in_both)),
          (b'z', 'ZDIFFSTORE', sorted_store('ZDIFFSTORE', only_first))]
