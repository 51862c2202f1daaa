"""wire_reply.py: replies as trees, and what clients make of those of FT.*: by position in RESP2, by
name in RESP3. A reply of another shape is a BadReply: a client would stumble over it, too.
"""

PAIRED = b'%|'


class BadReply(Exception):
    """A reply that is not of the shape that clients read."""


class Node:
    """A scalar (members is None, payload is its bytes) or an aggregate."""

    def __init__(self, kind, payload=b'', members=None):
        self.kind, self.payload, self.members = kind, payload, members

    def text(self):
        return self.payload

    def find(self, step):
        """The member at an index, or of a name."""
        if self.members is None:
            return None
        if self.kind == '%':
            return next((value for key, value in self.members if key.text() == step.encode()),
                        None)
        index = int(step) if step.isdigit() else len(self.members)
        return self.members[index] if index < len(self.members) else None

    def __str__(self):
        if self.members is None:
            return self.kind + self.payload.decode('latin-1')
        if self.kind == '%':
            return '{' + ', '.join(f'{key}: {value}' for key, value in self.members) + '}'
        return '[' + ', '.join(map(str, self.members)) + ']'


def tree(tokens):
    """The tokens of one reply (resp.Connection.read) as a Node."""
    tokens = iter(tokens)

    def one():
        token = next(tokens)
        kind = token.kind
        if kind not in '*~>%' or token.payload == b'-1':
            return Node('null' if token.payload == b'-1' and kind == '*' else kind, token.payload)
        count = int(token.payload)
        if kind == '%':
            return Node('%', members=[(one(), one()) for _ in range(count)])
        return Node(kind, members=[one() for _ in range(count)])
    return one()


def array(members):
    return Node('*', members=members)


def by_name(members):
    return Node('%', members=members)


def pairs(node):
    """Names and values in turn, or a map, as a map."""
    if node.kind == '%':
        return node
    if node.members is None or len(node.members) % 2 != 0:
        raise BadReply(f'no pairs: {node}')
    return by_name(list(zip(node.members[0::2], node.members[1::2])))


def need(node, name, kinds):
    found = node.find(name)
    if found is None or found.kind not in kinds:
        raise BadReply(f'{name} is not there, or not of kind {kinds}: {node}')
    return found


def search(node, args):
    """total, ids, scores and hits, their fields, of a reply of FT.SEARCH."""
    upper = {arg.upper() for arg in args[3:]}
    scored, bare = b'WITHSCORES' in upper, b'NOCONTENT' in upper
    if node.kind == '%':
        total = need(node, 'total_results', ':')
        for name, kinds in (('attributes', '*'), ('format', '$+'), ('warning', '*')):
            need(node, name, kinds)
        found = [(need(hit, 'id', '$'), need(hit, 'score', ',') if scored else None,
                  None if bare else need(hit, 'extra_attributes', '%'))
                 for hit in need(node, 'results', '*').members if need(hit, 'values', '*')]
    else:
        if not node.members or node.members[0].kind != ':':
            raise BadReply(f'no total: {node}')
        total, rest = node.members[0], node.members[1:]
        step = 1 + scored + (not bare)
        if len(rest) % step != 0:
            raise BadReply(f'not {step} members for each hit: {node}')
        found = [(rest[at], rest[at + 1] if scored else None,
                  None if bare else pairs(rest[at + step - 1])) for at in range(0, len(rest), step)]
    out = {'total': total, 'ids': array([key for key, _, _ in found])}
    if scored:
        out['scores'] = array([score for _, score, _ in found])
    if not bare:
        out['hits'] = array([fields for _, _, fields in found])
    return out


def aggregate(node, args):
    """total, rows and cursor of a reply of FT.AGGREGATE or FT.CURSOR READ."""
    out = {}
    if args[0].upper() == b'FT.CURSOR' or b'WITHCURSOR' in {arg.upper() for arg in args}:
        if node.kind != '*' or len(node.members) != 2 or node.members[1].kind != ':':
            raise BadReply(f'no pair of a reply and a cursor: {node}')
        node, out['cursor'] = node.members
    if node.kind == '%':
        out['total'] = need(node, 'total_results', ':')
        out['rows'] = array([need(row, 'extra_attributes', '%')
                             for row in need(node, 'results', '*').members])
    else:
        if not node.members or node.members[0].kind != ':':
            raise BadReply(f'no total: {node}')
        out['total'] = node.members[0]
        out['rows'] = array([pairs(row) for row in node.members[1:]])
    return out


READERS = {b'FT.SEARCH': search, b'FT.AGGREGATE': aggregate, b'FT.CURSOR': aggregate}


def views(node, args):
    """All that a check may begin with, by name."""
    out = {'reply': node}
    if node.kind in '-!':
        return out | {'error': Node('$', node.text())}
    name = args[0].upper()
    if name == b'FT.INFO':
        out['info'] = pairs(node)
    elif name in READERS and args[1].upper() != b'DEL':
        out |= READERS[name](node, args)
    elif node.members is not None and (node.kind == '%' or len(node.members) % 2 == 0):
        out['pairs'] = pairs(node)
    return out
