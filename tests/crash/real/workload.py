"""workload.py: commands of every kind that writes, on keys of one connection, and what became of
them.

Each connection has keys of its own (c2:s1), so its commands alone decide what they hold, in the
order they were sent. After a crash the server must hold the effect of the first n commands, where n
is at least the number acknowledged: nothing acknowledged is lost, nothing is done twice, an EXEC or
a VMADD is there whole or not at all."""

import collections
import json
import time

import documents
import effects as fx
import lists
import sets
import words
from model import Vectors, blob_of, clone, mismatch
from resp import ReplyError

FAR_MS = 10**9  # a time to live that no test outlives

# Commands with the flag "write" that need no commands of their own here.
EXEMPT = {
    'FLUSHALL': 'kill9.py sends it between cycles, when nothing is under way',
    'FLUSHDB': 'the same as FLUSHALL',
    'SORT': 'not in vdb', 'RESTORE': 'COPY takes the same way, and is made',
}


class Command:
    """wire: what is sent, one list of words for each reply. effect as in effects.py, of the last
    reply. on_reply: sees the last reply, for commands that read."""

    def __init__(self, wire, effect, on_reply=None, parts=None):
        self.wire = wire
        self.effect = effect
        self.parts = parts  # the effects of an EXEC
        self.on_reply = on_reply
        self.replies_left = len(wire)
        self.sent_ms = 0
        self.refused = False


def now_ms():
    return time.time_ns() // 1_000_000


class Client:
    """The commands of one connection. acked: the state after all that was acknowledged; sent: the
    state after all that was sent, if the server does it all."""

    def __init__(self, index, rng, known, peers):
        self.index = index
        self.rng = rng
        self.prefix = b'c%d:' % index
        self.peers = [peer for peer in range(peers) if peer != index]
        self.makers = [make for name, make in MAKERS if name in known]
        self.knows_expiry = 'PEXPIRETIME' in known
        self.knows_multi = 'MULTI' in known
        self.serial = 0
        self.acked = {}
        self.sent = {}
        self.pending = collections.deque()
        self.base = {}  # the state when the server was last judged
        self.history = []  # (command, window) acknowledged since
        self.writes_acked = 0
        self.writes_refused = 0
        self.out_of_step = False  # a refusal: sent is not what the server will hold
        self.seen = {}  # peer -> the highest counter of it that was read
        self.wrong = None  # the first reply that is not what the model says

    def key(self, kind, count):
        return self.prefix + b'%s%d' % (kind, self.rng.randrange(count))

    def value(self):
        self.serial += 1
        long = self.rng.random() < 0.03
        return b'%d.' % self.serial + b'v' * (self.rng.randrange(20000) if long else
                                              self.rng.randrange(30))

    # -- sending -----------------------------------------------------------------------------------

    def next(self):
        """Makes one more command, notes it as sent and returns what goes over the wire."""
        command = None
        while command is None:
            if self.knows_multi and self.rng.random() < 0.08:
                command = self.make_exec()
            elif self.peers and self.rng.random() < 0.08:
                command = self.make_read_of_peer()
            else:
                command = self.rng.choice(self.makers)(self)
        command.sent_ms = now_ms()
        command.effect(self.sent, (command.sent_ms, command.sent_ms))
        self.pending.append(command)
        return command.wire

    def make_exec(self):
        """MULTI to EXEC, sometimes under a WATCH of a key that nobody else writes."""
        commands = []
        saved = clone(self.sent)
        for _ in range(self.rng.randrange(1, 6)):
            command = self.rng.choice(self.makers)(self)
            if command is not None:
                commands.append(command)
                command.effect(self.sent, (now_ms(), now_ms()))
        self.sent = saved
        wire = [('MULTI',), *[command.wire[0] for command in commands], ('EXEC',)]
        if self.rng.random() < 0.3:
            wire.insert(0, ('WATCH', self.key(b's', 6)))
        parts = [command.effect for command in commands]
        return Command(wire, fx.all_of(parts), parts=parts)

    def make_read_of_peer(self):
        """What a reply of another connection's counter said must have been, whatever is lost: the
        second command writes it down, so its record stands behind the counter's in the log."""
        peer = self.rng.choice(self.peers)
        if peer in self.seen and self.rng.random() < 0.5:
            key, value = self.prefix + b'saw%d' % peer, b'%d' % self.seen[peer]
            return Command([('SET', key, value)], fx.set_text(key, value))

        def note(reply):
            if isinstance(reply, bytes) and not isinstance(reply, ReplyError):
                self.seen[peer] = int(reply)
        return Command([('GET', b'c%d:count' % peer)], fx.nothing, note)

    # -- hearing -----------------------------------------------------------------------------------

    def hear(self, reply):
        command = self.pending[0]
        command.replies_left -= 1
        command.refused |= isinstance(reply, ReplyError)
        if command.replies_left > 0:
            return
        self.pending.popleft()
        if command.on_reply is not None:
            command.on_reply(reply)
        elif command.refused:
            self.hear_refusal(command, reply)
        else:
            self.hear_success(command, reply)

    def hear_refusal(self, command, reply):
        """What was refused must never be seen. Commands made on the assumption that it would be
        done may then fail for other reasons."""
        if not is_refusal(reply) and not self.out_of_step:
            self.note_wrong(command, 'success', reply)
        self.writes_refused += 1
        self.out_of_step = True

    def hear_success(self, command, reply):
        self.writes_acked += 1
        window = (command.sent_ms, now_ms())
        if command.parts is not None and self.out_of_step and isinstance(reply, list):
            want = [fx.ANY if isinstance(answer, ReplyError) else part(self.acked, window)
                    for part, answer in zip(command.parts, reply)]
        else:
            want = command.effect(self.acked, window)
        self.history.append((command, window))
        if not same_reply(want, reply):
            self.note_wrong(command, want, reply)

    def take_acked(self):
        count, self.writes_acked = self.writes_acked, 0
        return count

    def note_wrong(self, command, want, reply):
        if self.wrong is None:
            self.wrong = f'{command.wire}: want {want}, the server answers {reply!r}'

    def may_send(self, depth):
        """After a refusal: once nothing is under way, from what the server really holds."""
        if self.out_of_step and not self.pending:
            self.out_of_step = False
            self.sent = clone(self.acked)
        return not self.out_of_step and len(self.pending) < depth

    # -- judging -----------------------------------------------------------------------------------

    def survivors(self, held, read_from_ms, read_to_ms, safe_until_ms=None):
        """How many commands the server has done beyond those acknowledged, judged by what it holds
        now; the model then goes on from there. Raises AssertionError when no number fits. With
        safe_until_ms only what was acknowledged before that moment must be there: the number is
        below 0 when acknowledged writes are lost."""
        state, commands, must = self.acked, [], 0
        if safe_until_ms is not None:
            state, commands = self.base, list(self.history)
            must = sum(window[1] < safe_until_ms for _, window in commands)
        acked = len(commands)
        state = clone(state)
        commands += [(command, (command.sent_ms, read_from_ms)) for command in self.pending]
        reasons = []
        for done in range(len(commands) + 1):
            if done >= must:
                differs = mismatch(state, held, read_from_ms, read_to_ms)
                if differs is None:
                    self.restart_from(state)
                    return done - acked
                reasons.append(differs)
            if done < len(commands):
                command, window = commands[done]
                command.effect(state, window)
        raise AssertionError(
            f'connection {self.index}: no prefix of what was sent fits. After what must be there: '
            f'{reasons[0]}. After {len(commands) - must} more: {reasons[-1]}')

    def restart_from(self, state):
        self.acked = clone(state)
        self.sent = clone(state)
        self.base = clone(state)
        self.history = []
        self.pending.clear()
        self.out_of_step = False
        self.seen = {}


def is_refusal(reply):
    """Errors that a server with a failing disk may answer instead of writing."""
    return isinstance(reply, ReplyError) and reply.split(b' ')[0] in (b'MISCONF', b'EXECABORT')


def same_reply(want, have):
    if want is fx.ANY:
        return True
    if isinstance(want, list) and isinstance(have, list):
        return len(want) == len(have) and all(map(same_reply, want, have))
    return want == have


def uncovered(connection):
    """Commands that write, of which no client here makes any: a new kind of write needs a maker."""
    covered = {name for name, _ in MAKERS} | EXEMPT.keys()
    return sorted(row[0].decode().upper() for row in connection.ask('COMMAND')
                  if b'write' in row[2] and row[0].decode().upper() not in covered)


def known_commands(connection):
    return {row[0].decode().upper() for row in connection.ask('COMMAND')}


# -- makers: a command that suits what the client has sent so far, or None -------------------------

def text_maker(make):
    """make(client, key, value) for a key that may hold anything that SET would replace."""
    return lambda client: make(client, client.key(b's', 6), client.value())


def make_set(client, key, value):
    """SET replaces a value of any type. Its options came to the server with EXPIRE."""
    if client.rng.random() < 0.05:
        key = client.key(client.rng.choice((b'v', b'w')), 2)
    words = ['SET', key, value]
    options = {}
    if client.knows_expiry and client.rng.random() < 0.5:
        at_ms = now_ms() + FAR_MS
        more, options = client.rng.choice((
            (('KEEPTTL',), {'keep_ttl': True}), (('NX',), {'when': 'NX'}),
            (('XX',), {'when': 'XX'}), (('EX', FAR_MS // 1000), {'ttl_ms': FAR_MS}),
            (('PX', FAR_MS), {'ttl_ms': FAR_MS}), (('PXAT', at_ms), {'at_ms': at_ms})))
        words += more
    return Command([words], fx.set_text(key, value, **options))


def make_setnx(_client, key, value):
    return Command([('SETNX', key, value)], fx.set_text(key, value, reply=1, when='NX'))


def make_setex(_client, key, value):
    return Command([('SETEX', key, FAR_MS // 1000, value)],
                   fx.set_text(key, value, ttl_ms=FAR_MS))


def make_psetex(client, _key, value):
    """Short: the key must be gone when its time has come, and not before."""
    key, ttl_ms = client.key(b'e', 3), client.rng.randrange(1, 3000)
    return Command([('PSETEX', key, ttl_ms, value)], fx.set_text(key, value, ttl_ms=ttl_ms))


def make_mset(client, _key, _value):
    pairs = [(client.prefix + b's%d' % i, client.value())
             for i in client.rng.sample(range(6), 3)]
    return Command([('MSET', *[word for pair in pairs for word in pair])], fx.set_many(pairs))


def make_msetnx(client, _key, _value):
    pairs = [(client.prefix + b's%d' % i, client.value())
             for i in client.rng.sample(range(6), 2)]
    return Command([('MSETNX', *[word for pair in pairs for word in pair])],
                   fx.set_many(pairs, only_if_none=True))


def make_append(client, key, value):
    if len(getattr(client.sent.get(key), 'value', b'')) > 5000:
        return None
    return Command([('APPEND', key, value)], fx.append(key, value))


def make_setrange(client, key, value):
    at = client.rng.randrange(40)
    return Command([('SETRANGE', key, at, value)], fx.set_range(key, at, value))


def make_getset(client, key, value):
    old = client.sent.get(key)
    if old is None:
        return None
    take, put = fx.take(key), fx.set_text(key, value)

    def effect(state, window):
        reply = take(state, window)
        put(state, window)
        return reply
    return Command([('GETSET', key, value)], effect)


def make_getdel(_client, key, _value):
    return Command([('GETDEL', key)], fx.take(key))


def make_getex(client, key, _value):
    if client.rng.random() < 0.5:
        return Command([('GETEX', key, 'PERSIST')], fx.get_and_expire(key, None))
    return Command([('GETEX', key, 'PX', FAR_MS)], fx.get_and_expire(key, FAR_MS))


def number_maker(name, sign):
    def make(client):
        by = client.rng.randrange(1000)
        key = client.key(b'n', 3)
        if name.endswith('BY'):
            return Command([(name, key, by)], fx.add(key, sign * by))
        return Command([(name, key)], fx.add(key, sign))
    return make


def make_incr(client):
    """Half of them count how many: the counter that other connections look at."""
    if client.rng.random() < 0.5:
        return number_maker('INCR', 1)(client)
    key = client.prefix + b'count'
    return Command([('INCR', key)], fx.add(key, 1))


def make_incrbyfloat(client):
    key, by = client.key(b'f', 2), client.rng.randrange(-80, 80) / 8
    return Command([('INCRBYFLOAT', key, repr(by))], fx.add_float(key, by))


def remover(name):
    def make(client):
        keys = [client.key(kind, 6) for kind in client.rng.choices((b's', b'n', b'v', b'w'), k=2)]
        return Command([(name, *keys)], fx.remove(keys))
    return make


def rename_maker(name):
    def make(client):
        old, new = client.key(b's', 6), client.key(b's', 6)
        if old not in client.sent or old == new:
            return None
        return Command([(name, old, new)], fx.rename(old, new, name == 'RENAMENX'))
    return make


def make_copy(client):
    old, new = client.key(b's', 6), client.key(b's', 6)
    if old not in client.sent or old == new:
        return None
    return Command([('COPY', old, new)], fx.copy(old, new))


def expire_maker(name, unit_ms, absolute):
    def make(client):
        key = client.key(client.rng.choice((b's', b'v', b'w')), 3)
        if absolute:
            at = (now_ms() + FAR_MS) // unit_ms
            return Command([(name, key, at)], fx.expire(key, at_ms=at * unit_ms))
        return Command([(name, key, FAR_MS // unit_ms)], fx.expire(key, ttl_ms=FAR_MS))
    return make


def make_persist(client):
    key = client.key(client.rng.choice((b's', b'v', b'w')), 3)
    return Command([('PERSIST', key)], fx.persist(key))


# -- makers for hashes -----------------------------------------------------------------------------

def some_fields(client, count=3):
    return [b'f%d' % i for i in client.rng.sample(range(20), client.rng.randrange(1, count + 1))]


def hash_maker(make):
    """make(client, key, names)"""
    return lambda client: make(client, client.key(b'h', 3), some_fields(client))


def pairs_of(client, names):
    pairs = [(name, client.value()) for name in names]
    return pairs, [word for pair in pairs for word in pair]


def make_hset(client, key, names):
    pairs, words = pairs_of(client, names)
    return Command([('HSET', key, *words)], fx.set_fields(key, pairs))


def make_hmset(client, key, names):
    pairs, words = pairs_of(client, names)
    return Command([('HMSET', key, *words)], fx.set_fields(key, pairs, reply=b'OK'))


def make_hsetnx(client, key, names):
    value = client.value()
    return Command([('HSETNX', key, names[0], value)],
                   fx.set_fields(key, [(names[0], value)], reply=1, when='none'))


def make_hsetex(client, key, names):
    pairs, words = pairs_of(client, names)
    option, options = client.rng.choice((
        ((), {}), (('KEEPTTL',), {'keep': True}), (('FNX',), {'when': 'none'}),
        (('FXX', 'PX', FAR_MS), {'when': 'all', 'ttl_ms': FAR_MS})))
    return Command([('HSETEX', key, *option, 'FIELDS', len(names), *words)],
                   fx.set_fields(key, pairs, reply=1, **options))


def make_hincrby(client, key, _names):
    by, name = client.rng.randrange(-50, 50), b'n%d' % client.rng.randrange(3)
    return Command([('HINCRBY', key, name, by)], fx.add_to_field(key, name, by))


def make_hincrbyfloat(client, key, _names):
    by, name = client.rng.randrange(-80, 80) / 8, b'd%d' % client.rng.randrange(3)
    return Command([('HINCRBYFLOAT', key, name, repr(by))], fx.add_to_field(key, name, by))


def make_hdel(_client, key, names):
    return Command([('HDEL', key, *names)], fx.take_fields(key, names))


def make_hgetdel(_client, key, names):
    return Command([('HGETDEL', key, 'FIELDS', len(names), *names)],
                   fx.take_fields(key, names, replies=True))


def make_hgetex(client, key, names):
    if client.rng.random() < 0.5:
        return Command([('HGETEX', key, 'PERSIST', 'FIELDS', len(names), *names)],
                       fx.time_fields(key, names, values=True, persist=True))
    return Command([('HGETEX', key, 'PX', FAR_MS, 'FIELDS', len(names), *names)],
                   fx.time_fields(key, names, ttl_ms=FAR_MS, values=True))


def make_hpersist(_client, key, names):
    return Command([('HPERSIST', key, 'FIELDS', len(names), *names)],
                   fx.time_fields(key, names, persist=True))


def hexpire_maker(name, unit_ms, absolute):
    def make(_client, key, names):
        fields = ('FIELDS', len(names), *names)
        if absolute:
            at = (now_ms() + FAR_MS) // unit_ms
            return Command([(name, key, at, *fields)],
                           fx.time_fields(key, names, at_ms=at * unit_ms))
        return Command([(name, key, FAR_MS // unit_ms, *fields)],
                       fx.time_fields(key, names, ttl_ms=FAR_MS))
    return hash_maker(make)


# -- makers for vectors ----------------------------------------------------------------------------

def kind_maker(letter, name, make):
    def made(client):
        pair = make(name, client, client.key(letter, 3))
        return None if pair is None else Command([pair[0]], pair[1])
    return made


def member_maker(letter, make):
    def made(client):
        words, effect = make(client, client.key(letter, 3))
        return Command([words], effect)
    return made


DIMS = {b'v': 4, b'w': 3}  # v: created collections; w: sets that VADD makes
METRICS = ('L2', 'COSINE', 'IP')
IDS = 30
REMOVED_AS_ONE = 15  # vector_remove.c looks at the clock after more


def some_vector(client, dim):
    """Small whole numbers: exact as floats. Never zero, which has no direction."""
    client.serial += 1
    return (float(client.serial % 30000 + 1),
            *[float(client.rng.randrange(-100, 100)) for _ in range(dim - 1)])


def some_id(client):
    return b'id%d' % client.rng.randrange(IDS)


def some_attribute(client):
    """None: leave it. Empty: take it away."""
    kind = client.rng.random()
    return None if kind < 0.4 else b'' if kind < 0.5 else b'{"serial":%d}' % client.serial


def any_set(client, held_only=True):
    """A key that holds vectors, and its dimension."""
    kind = client.rng.choice((b'v', b'w'))
    key = client.key(kind, 2)
    if held_only and not isinstance(client.sent.get(key), Vectors):
        return None, 0
    return key, DIMS[kind]


def make_vcreate(client):
    key, metric = client.key(b'v', 2), client.rng.choice(METRICS)
    if key in client.sent:
        return None
    quant = client.rng.choice(('SQ8', 'PQ', 'RABITQ'))
    lists = ('INDEX', 'IVF', 'NLIST', 4, 'QUANT', quant) if client.rng.random() < 0.4 else ()
    return Command([('VCREATE', key, 'DIM', DIMS[b'v'], 'METRIC', metric) + lists],
                   fx.create(key, DIMS[b'v'], metric))


def make_ft_create(client):
    name, prefix = client.key(b'x', 2), client.key(b'h', 4)
    if name in client.sent:
        return None
    return Command([('FT.CREATE', name, 'ON', 'HASH', 'PREFIX', 1, prefix, 'SCHEMA',
                     'f0', 'NUMERIC', 'f1', 'TAG', 'f2', 'TEXT')], fx.create_index(name, prefix))


def make_ft_dropindex(client):
    name = client.key(b'x', 2)
    if name not in client.sent:
        return None
    return Command([('FT.DROPINDEX', name)], fx.drop_index(name))


def make_ft_drop(client):
    name = client.key(b'x', 2)
    if name not in client.sent:
        return None
    return Command([('FT.DROP', name, 'KEEPDOCS')], fx.drop_index(name))


def make_ft_alter(client):
    name = client.key(b'x', 2)
    if name not in client.sent:
        return None
    field = b'added%d' % len(client.sent[name].fields)
    return Command([('FT.ALTER', name, 'SCHEMA', 'ADD', field, 'TAG')],
                   fx.alter_index(name, field))


def make_ft_alias(client):
    name = client.key(b'x', 2)
    if name not in client.sent:
        return None
    if client.sent[name].alias and client.rng.random() < 0.5:
        return Command([('FT.ALIASDEL', name + b'+')], fx.set_alias(name, False))
    command = 'FT.ALIASUPDATE' if client.sent[name].alias else 'FT.ALIASADD'
    return Command([(command, name + b'+', name)], fx.set_alias(name, True))


def word_maker(make):
    def made(client):
        found = make(client)
        return found and Command([found[0]], found[1])
    return made


def make_valter(client):
    key, _ = any_set(client)
    if key is None or not client.sent[key].created:
        return None
    effort = client.rng.randrange(10, 200)
    shape = client.rng.choice([(), ('INDEX', 'FLAT', 'QUANT', 'AUTO'),
                               ('INDEX', 'HNSW', 'QUANT', 'NONE'),
                               ('INDEX', 'HNSW', 'QUANT', 'SQ8', 'M', client.rng.randrange(4, 20)),
                               ('INDEX', 'IVF', 'NLIST', 3, 'QUANT', 'PQ'),
                               ('INDEX', 'IVF', 'NLIST', 5, 'QUANT', 'SQ8'),
                               ('INDEX', 'AUTO', 'QUANT', 'SQ8'),
                               ('INDEX', 'HNSW', 'QUANT', 'RABITQ')])
    return Command([('VALTER', key, 'EF', effort) + shape], fx.alter(key, effort))


def make_vdrop(client):
    key, _ = any_set(client)
    if key is None or client.rng.random() < 0.8:
        return None
    return Command([('VDROP', key)], fx.drop(key))


def make_vadd(client):
    key, dim = any_set(client, held_only=False)
    held = client.sent.get(key)
    if not isinstance(held, Vectors) and (held is not None or dim != DIMS[b'w']):
        return None
    name, vector, attribute = some_id(client), some_vector(client, dim), some_attribute(client)
    words = ['VADD', key, 'FP32', blob_of(vector), name]
    if attribute is not None:
        words += ['SETATTR', attribute]
    return Command([words], fx.put_one(key, dim, (name, vector, attribute)))


def make_vmadd(client):
    key, dim = any_set(client)
    if key is None:
        return None
    names = [b'id%d' % i for i in client.rng.sample(range(IDS), client.rng.randrange(1, 12))]
    vectors = [some_vector(client, dim) for _ in names]
    words = ['VMADD', key, 'FP32', len(names), *names, b''.join(map(blob_of, vectors))]
    attributes = [None] * len(names)
    if client.rng.random() < 0.5:
        attributes = [some_attribute(client) or b'' for _ in names]
        words += ['ATTRS', len(names), *attributes]
    return Command([words], fx.put(key, dim, list(zip(names, vectors, attributes))))


def make_vrem(client):
    key, _ = any_set(client)
    if key is None:
        return None
    names = list({some_id(client) for _ in range(client.rng.choice((1, 1, 5)))})
    return Command([('VREM', key, *names)], fx.take_elements(key, names))


def make_vremwhere(client):
    """The few elements that share an attribute: as many are removed as one change, whatever the
    time."""
    key, _ = any_set(client)
    if key is None:
        return None
    attributes = [attribute for _, attribute in client.sent[key].elements.values() if attribute]
    if not attributes:
        return None
    attribute = client.rng.choice(attributes)
    if attributes.count(attribute) > REMOVED_AS_ONE:
        return None
    expression = b'.serial == %d' % json.loads(attribute)['serial']
    return Command([('VREMWHERE', key, expression)], fx.take_matching(key, attribute))


def make_vsetattr(client):
    key, _ = any_set(client)
    if key is None:
        return None
    name, attribute = some_id(client), some_attribute(client) or b''
    return Command([('VSETATTR', key, name, attribute)], fx.set_attribute(key, name, attribute))


MAKERS = [
    ('SET', text_maker(make_set)), ('SETNX', text_maker(make_setnx)),
    ('SETEX', text_maker(make_setex)), ('PSETEX', text_maker(make_psetex)),
    ('MSET', text_maker(make_mset)), ('MSETNX', text_maker(make_msetnx)),
    ('APPEND', text_maker(make_append)), ('SETRANGE', text_maker(make_setrange)),
    ('GETSET', text_maker(make_getset)), ('GETDEL', text_maker(make_getdel)),
    ('GETEX', text_maker(make_getex)), ('INCR', make_incr), ('INCRBY', number_maker('INCRBY', 1)),
    ('DECR', number_maker('DECR', -1)), ('DECRBY', number_maker('DECRBY', -1)),
    ('INCRBYFLOAT', make_incrbyfloat), ('DEL', remover('DEL')), ('UNLINK', remover('UNLINK')),
    ('RENAME', rename_maker('RENAME')), ('RENAMENX', rename_maker('RENAMENX')),
    ('COPY', make_copy), ('EXPIRE', expire_maker('EXPIRE', 1000, False)),
    ('PEXPIRE', expire_maker('PEXPIRE', 1, False)),
    ('EXPIREAT', expire_maker('EXPIREAT', 1000, True)),
    ('PEXPIREAT', expire_maker('PEXPIREAT', 1, True)), ('PERSIST', make_persist),
    ('HSET', hash_maker(make_hset)), ('HSET', hash_maker(make_hset)),
    ('HMSET', hash_maker(make_hmset)), ('HSETNX', hash_maker(make_hsetnx)),
    ('HSETEX', hash_maker(make_hsetex)), ('HINCRBY', hash_maker(make_hincrby)),
    ('HINCRBYFLOAT', hash_maker(make_hincrbyfloat)), ('HDEL', hash_maker(make_hdel)),
    ('HGETDEL', hash_maker(make_hgetdel)), ('HGETEX', hash_maker(make_hgetex)),
    ('HPERSIST', hash_maker(make_hpersist)), ('HEXPIRE', hexpire_maker('HEXPIRE', 1000, False)),
    ('HPEXPIRE', hexpire_maker('HPEXPIRE', 1, False)),
    ('HEXPIREAT', hexpire_maker('HEXPIREAT', 1000, True)),
    ('HPEXPIREAT', hexpire_maker('HPEXPIREAT', 1, True)),
    ('FT.CREATE', make_ft_create), ('FT.DROPINDEX', make_ft_dropindex), ('FT.DROP', make_ft_drop),
    ('FT.ALTER', make_ft_alter), ('FT.ALIASADD', make_ft_alias),
    ('FT.ALIASUPDATE', make_ft_alias), ('FT.ALIASDEL', make_ft_alias),
    *[(name, word_maker(make)) for name, make in words.MAKERS],
    ('VCREATE', make_vcreate), ('VALTER', make_valter),
    ('VDROP', make_vdrop), ('VADD', make_vadd), ('VADD', make_vadd),
    ('VADD', make_vadd), ('VMADD', make_vmadd), ('VMADD', make_vmadd), ('VREM', make_vrem),
    ('VREMWHERE', make_vremwhere), ('VSETATTR', make_vsetattr),
    *[(name, kind_maker(b'l', name, make)) for name, make in lists.MAKERS],
    *[(name, kind_maker(b'j', name, make)) for name, make in documents.MAKERS],
    *[(name, member_maker(letter, make)) for letter, name, make in sets.MAKERS],
]
