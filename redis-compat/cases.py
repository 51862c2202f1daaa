"""cases.py: the format of cases/*.txt.

    # a comment                 '#' and a blank
    @source redis               recorded from redis-server (compat.py record writes the replies)
    @source vdb                 written by hand: Redis 7 has no such command
    == title                    a section: an empty keyspace and new connections
    > SET a "b c"               a command; "..." may hold blanks and \\r \\n \\t \\" \\\\ \\xff
    2> GET a                    the same, from a second connection
    r> RPUSH a x                for Redis alone; v> for vdb alone
    >> "PING\\r\\n"               bytes as they are
    +OK                         the reply: a line per element, members further in; text of $, = and
    *2                          ! in quotes, its length is left out
      $"b"
      $/id=\\d+.*/               a pattern (Python's) where the bytes cannot be fixed
      ?/id=\\d+.*/               a pattern for text: $ in RESP2, = with its "txt:" in RESP3
      ...                       and whatever comes at this depth, or nothing
    2 $-1                       only in RESP2
    3 _                         only in RESP3
    r -ERR what Redis says      only Redis; v: only vdb; r2 r3 v2 v3 as well

Right after the title:

    @section-missing why        vdb lacks what the section is about: as long as one case fails, none
                                counts; when all pass, the line has to go

Lines that begin with '@' before a command say something about it:

    @differs why                vdb answers otherwise on purpose; r and v lines say how
    @missing why                vdb does not answer this yet: Redis's reply alone is known
    @any-order                  members of the reply come in any order
    @silent                     there is no reply
    @closes                     the server closes the connection after the reply
    @wait ms                    so long before the command is sent
"""

import os
import re

from resp import line_of, unescape, Token, INDENT

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'cases')
COMMAND = re.compile(r'([rv]?)([2-9]?)(>>?) (.*)')
REPLY = re.compile(r'([rv]?)([23]?) (.*)')
WORD = re.compile(r'"((?:\\.|[^"\\])*)"|(\S+)')
NOTES = {'differs', 'missing', 'any-order', 'silent', 'closes', 'wait'}


class BadCase(Exception):
    """A case file that breaks the format."""


def words(text):
    """The words of a command line as bytes."""
    return [unescape(quoted) if bare == '' else bare.encode('latin-1')
            for quoted, bare in WORD.findall(text)]


class Case:
    """A command, what is said about it, and the lines of its reply as (server, proto, text)."""

    def __init__(self, match, notes, place):
        self.server, self.connection, arrow, self.text = match.groups()
        self.raw = arrow == '>>'
        self.args = words(self.text)
        self.notes = notes
        self.place = place
        self.section = None # the Section it stands in
        self.replies = []
        if not self.args or (self.raw and len(self.args) != 1):
            raise BadCase(f'{place}: not one word' if self.raw else f'{place}: no command')

    def lines(self, server, proto):
        """What a server ('r' or 'v') is expected to answer in a protocol ('2' or '3')."""
        return [text for s, p, text in self.replies if s in ('', server) and p in ('', proto)]

    def names(self):
        """What COMMAND LIST may call this command: with its subcommand, and without."""
        if self.raw:
            return []
        name = self.args[0].decode('latin-1').lower()
        sub = [f'{name}|{self.args[1].decode("latin-1").lower()}'] if len(self.args) > 1 else []
        return [*sub, name]

    def set_lines(self, server, two, three):
        """Replaces what a server answers; '' for both. What was of both is the other's now."""
        other = {'r': 'v', 'v': 'r'}.get(server)
        keep = [(other, p, text) for s, p, text in self.replies if other and s in ('', other)]
        if two == three:
            new = [(server, '', text) for text in two]
        else:
            new = [(server, '2', text) for text in two] + [(server, '3', text) for text in three]
        self.replies = new + keep if server != 'v' else keep + new


class Section:
    """Cases that start from an empty keyspace."""

    def __init__(self, title):
        self.title = title
        self.missing = None


class File:
    """A case file: items are Cases, and other lines as text."""

    def __init__(self, path):
        self.path = path
        self.name = os.path.basename(path)
        self.items = []
        self.source = None
        with open(path, encoding='utf-8') as file:
            self.read(file.read().split('\n'))
        if self.source not in ('redis', 'vdb'):
            raise BadCase(f'{self.name}: no @source redis or @source vdb')

    def read(self, lines):
        notes, case, section = {}, None, Section('')
        for number, line in enumerate(lines, 1):
            place = f'{self.name}:{number}'
            command = COMMAND.fullmatch(line)
            if command:
                case, notes = Case(command, notes, place), {}
                case.section = section
                self.items.append(case)
            elif line.startswith('@'):
                word, _, value = line[1:].partition(' ')
                if word == 'source':
                    self.source = value
                    self.items.append(line)
                elif word == 'section-missing':
                    section.missing = value
                    self.items.append(line)
                elif word in NOTES:
                    notes[word] = value
                else:
                    raise BadCase(f'{place}: @{word}')
                case = None
            elif line == '' or line.startswith(('# ', '== ')) or line == '#':
                case = None
                self.items.append(line)
                if line.startswith('== '):
                    section = Section(line[3:])
            elif case is None:
                raise BadCase(f'{place}: a reply to no command: {line}')
            else:
                case.replies.append(reply_line(line))
        if notes:
            raise BadCase(f'{self.name}: notes at the end belong to no command')

    def cases(self):
        return [item for item in self.items if isinstance(item, Case)]

    def text(self):
        out = []
        for item in self.items:
            if isinstance(item, str):
                out.append(item)
                continue
            out += [f'@{word} {value}'.rstrip() for word, value in item.notes.items()]
            out.append(f'{item.server}{item.connection}{">>" if item.raw else ">"} {item.text}')
            out += [f'{s}{p} {text}' if s + p else text for s, p, text in item.replies]
        return '\n'.join(out)


def reply_line(line):
    """(server, proto, text) of a line; text keeps its indentation."""
    match = REPLY.fullmatch(line)
    if match and match.group(1) + match.group(2):
        return match.groups()
    return '', '', line


def token_of(line):
    """(depth, kind, payload or pattern) of a reply line."""
    body = line.lstrip(' ')
    depth = (len(line) - len(body)) // INDENT
    if body == '...':
        return Token(depth, '...', None)
    kind, rest = body[:1], body[1:]
    if len(rest) > 1 and rest[0] == '/' and rest[-1] == '/':
        return Token(depth, kind, re.compile(rest[1:-1].encode('latin-1'), re.S))
    if kind in '$=!' and rest.startswith('"'):
        return Token(depth, kind, unescape(rest[1:-1]))
    if kind in '$=!':
        return Token(depth, 'null', body.encode())
    return Token(depth, kind, unescape(rest))


def same(wanted, token):
    if wanted.kind == '?' and (token.kind == '$' or token.payload[:4] == b'txt:'):
        text = token.payload if token.kind == '$' else token.payload[4:]
        return wanted.depth == token.depth and wanted.payload.fullmatch(text) is not None
    if wanted.kind != token.kind or wanted.depth != token.depth:
        return False
    if isinstance(wanted.payload, re.Pattern):
        return wanted.payload.fullmatch(token.payload) is not None
    return wanted.payload == token.payload


def matches(lines, tokens):
    """Whether a reply is what the lines say."""
    at = 0
    for wanted in map(token_of, lines):
        if wanted.kind == '...':
            while at < len(tokens) and tokens[at].depth >= wanted.depth:
                at += 1
        elif at < len(tokens) and same(wanted, tokens[at]):
            at += 1
        else:
            return False
    return at == len(tokens)


def in_order(tokens):
    """The tokens with the members of the reply sorted."""
    members = []
    for token in tokens[1:]:
        if token.depth == 1:
            members.append([])
        members[-1].append(token)
    if tokens and tokens[0].kind == '%':
        members = [a + b for a, b in zip(members[0::2], members[1::2])]
    members.sort(key=str)
    return tokens[:1] + [token for member in members for token in member]


def lines_of(tokens):
    return [line_of(token) for token in tokens]


def load(names=()):
    """The case files, all or those whose name contains one of the words."""
    paths = sorted(name for name in os.listdir(FOLDER) if name.endswith('.txt'))
    return [File(os.path.join(FOLDER, path)) for path in paths
            if not names or any(name in path for name in names)]
