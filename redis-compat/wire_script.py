"""wire_script.py: the format of wire/*.txt: what a framework says, and what it reads of the
replies.

    # a comment
    @framework redisvl 0.26       whose commands these are
    @learnt from its source       how that is known
    == title                      a section: an empty keyspace and a new connection
    @missing why                  right after it: vdb lacks what the section needs. As long as a
                                  check fails, none counts; when all hold, the line has to go
    > HSET d:1 v f32(1 0) t "a b"  a command; "..." may hold \\r \\n \\t \\" \\\\ \\xff, '...' is
    ... more words                taken as it is; f32(..) f64 f16 bf16 i8 u8 are blobs of numbers;
                                  lines that begin with ... go on
    >~ FT.INFO idx                the same, asked again until all checks hold, for some seconds
      reply is :2                 checks: where in the reply, and what is there
      2 reply/1 is doc:1          only in RESP2; 3: only in RESP3

A command without checks must be answered OK or QUEUED.

Where: words joined by '/': indexes of arrays, keys of maps. It begins with

    reply      the reply as it is
    pairs      a map, or an array of names and values in turn, by name
    error      the text of an error; a command answered by one must have a check of it
    total ids hits scores rows cursor    what clients make of FT.SEARCH, FT.AGGREGATE and
               FT.CURSOR, by position in RESP2 and by name in RESP3: hits/0/price
    info       FT.INFO, by name

What:

    is X          a scalar; X may be nil, +OK, :1, "text" (no number), or a bare word of any kind
    near X        a number, to 4 digits
    has "text"    a scalar with that in it
    matches /re/  a scalar, all of it
    json X        a text that is this JSON, whatever its blanks and the order of its keys
    are X Y ..    an array of scalars; none: an empty one
    hold X Y ..   the same in any order
    count N       how many members it has
    absent        there is no such thing
    keep NAME     the scalar is a word of later commands, written <NAME>
"""

import json
import math
import os
import re
import struct

from resp import unescape

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'wire')
BLOBS = {'f32': 'f', 'f64': 'd', 'f16': 'e', 'i8': 'b', 'u8': 'B'}
WORD = re.compile(r'"((?:\\.|[^"\\])*)"|\'([^\']*)\'|(bf16|f32|f64|f16|i8|u8)\(([^)]*)\)|(\S+)')
CHECK = re.compile(r'  ([23] )?(\S+) '
                   r'(is|near|has|matches|json|are|hold|count|absent|keep)(?: (.*))?')
ROOTS = {'reply', 'pairs', 'error', 'total', 'ids', 'hits', 'scores', 'rows', 'cursor', 'info'}


class BadScript(Exception):
    """A script that breaks the format."""


def blob(kind, numbers):
    values = [float(number) for number in numbers.split()]
    if kind == 'bf16':
        return b''.join(struct.pack('<f', value)[2:] for value in values)
    if kind in ('i8', 'u8'):
        values = [int(value) for value in values]
    return struct.pack(f'<{len(values)}{BLOBS[kind]}', *values)


def words(text):
    """The words of a command line as bytes."""
    out = []
    for quoted, plain, kind, numbers, bare in WORD.findall(text):
        if kind:
            out.append(blob(kind, numbers))
        elif bare:
            out.append(bare.encode())
        else:
            out.append(plain.encode() if plain else unescape(quoted))
    return out


class Check:
    """A line that says what is somewhere in a reply."""

    def __init__(self, match, place):
        proto, where, self.what, self.wanted = match.groups()
        self.protos = proto.strip() if proto else '23'
        self.root, *self.steps = where.split('/')
        self.wanted = self.wanted or ''
        self.text = match.group(0).strip()
        if self.root not in ROOTS:
            raise BadScript(f'{place}: {self.root} is no place to look at')
        if (self.what == 'absent') == bool(self.wanted) and self.what not in ('are', 'hold'):
            raise BadScript(f'{place}: {self.text}')


class Command:
    """A command and the checks of its reply."""

    def __init__(self, text, again, place):
        self.text = text
        self.again = again
        self.place = place
        self.checks = []

    def args(self, kept):
        """The words to send; those that were kept stand for what they are now."""
        return [kept.get(word, word) for word in words(self.text)]


class Section:
    """Commands that start from an empty keyspace."""

    def __init__(self, title):
        self.title = title
        self.missing = None
        self.commands = []


class Script:
    """A file: its framework and its sections."""

    def __init__(self, path):
        self.name = os.path.basename(path)
        self.framework = None
        self.sections = []
        with open(path, encoding='utf-8') as file:
            for number, line in enumerate(file.read().split('\n'), 1):
                self.read(line, f'{self.name}:{number}')
        if self.framework is None:
            raise BadScript(f'{self.name}: no @framework')

    def read(self, line, place):
        section = self.sections[-1] if self.sections else None
        last = section.commands[-1] if section and section.commands else None
        check = CHECK.fullmatch(line)
        if line == '' or line.startswith('#'):
            return
        if line.startswith('@framework '):
            self.framework = line[len('@framework '):]
        elif line.startswith('@learnt '):
            return
        elif line.startswith('== '):
            self.sections.append(Section(line[3:]))
        elif line.startswith('@missing ') and section and not last:
            section.missing = line[len('@missing '):]
        elif line.startswith(('> ', '>~ ')) and section:
            section.commands.append(
                Command(line.split(' ', 1)[1], line.startswith('>~'), place))
        elif line.startswith('... ') and last and not last.checks:
            last.text += ' ' + line[4:]
        elif check and last:
            last.checks.append(Check(check, place))
        else:
            raise BadScript(f'{place}: {line}')


def scalar_is(node, wanted):
    """Whether a scalar is what the word after 'is' says."""
    if wanted == 'nil':
        return node.kind in ('null', '_')
    if wanted[:1] in '+:,#' and len(wanted) > 1:
        return node.kind == wanted[0] and node.text() == wanted[1:].encode()
    if wanted.startswith('"'):
        return node.kind in '$=' and node.text() == words(wanted)[0]
    return node.kind in '+:,#$=(' and node.text() == words(wanted)[0]


def near(node, wanted):
    try:
        return math.isclose(float(node.text()), float(wanted), rel_tol=1e-4, abs_tol=1e-4)
    except ValueError:
        return False


def json_is(node, wanted):
    try:
        return json.loads(node.text()) == json.loads(wanted)
    except ValueError:
        return False


def holds(check, node):
    """Whether what was found, None for nothing, is what the check says."""
    what, wanted = check.what, check.wanted
    if what == 'absent' or node is None:
        return what == 'absent' and node is None
    if what == 'count':
        return node.members is not None and len(node.members) == int(wanted)
    if what in ('are', 'hold'):
        if node.members is None or any(member.members is not None for member in node.members):
            return False
        found = [member.text() for member in node.members]
        return found == words(wanted) if what == 'are' else sorted(found) == sorted(words(wanted))
    if node.members is not None:
        return False
    if what == 'is':
        return scalar_is(node, wanted)
    if what == 'near':
        return near(node, wanted)
    if what == 'json':
        return json_is(node, wanted)
    if what == 'has':
        return words(wanted)[0] in node.text()
    if what == 'matches':
        return re.fullmatch(wanted.strip('/').encode(), node.text(), re.S) is not None
    return what == 'keep'


def load(names=()):
    """The scripts, all or those whose name contains one of the words."""
    files = sorted(name for name in os.listdir(FOLDER) if name.endswith('.txt'))
    return [Script(os.path.join(FOLDER, name)) for name in files
            if not names or any(word in name for word in names)]
