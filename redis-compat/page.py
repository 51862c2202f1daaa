"""page.py: COMPATIBILITY.md, made of the case files, of the commands that redis-server 7.0.15 has
(redis-commands.txt, recorded) and of why some are missing (missing.txt)."""

import fnmatch
import functools
import os

import options
from resp import Connection

FOLDER = os.path.dirname(os.path.abspath(__file__))
PAGE = os.path.join(FOLDER, 'COMPATIBILITY.md')
REDIS_COMMANDS = os.path.join(FOLDER, 'redis-commands.txt')
REASONS = os.path.join(FOLDER, 'missing.txt')

HEAD = """# What is the same as Redis, and what is not

Made by `make compat-page` from the cases in [cases/](cases/), which `make check` replays byte for
byte in RESP2 and RESP3; never edited by hand. [README.md](README.md) says how.

- **same**: every case recorded from redis-server 7.0.15 gets the same bytes.
- **differs**: on purpose; the reason stands beside it. The other cases are the same.
- **missing**: not there; the reason stands beside it.
- **as Redis 8**: a vector-set command, which Redis 7 does not have; its cases are written by hand
  after a description of Redis 8.8.0.
- **own**: a command that Redis does not have.
- **newer**: Redis has it since a version after 7.0; its cases are written by hand.

A number is how many cases a command has, errors among them. Every container has HELP; its text is
vdb's.
"""

ORDER = ['string', 'generic', 'transactions', 'connection', 'server', 'vector_set', 'collection',
         'search', 'cluster']
TITLES = {'string': 'Strings', 'generic': 'Keys', 'transactions': 'Transactions',
          'connection': 'Connection', 'server': 'Server', 'vector_set': 'Vector sets',
          'collection': 'Collections',
          'search': 'Indexes over keys', 'cluster': 'Cluster'}
VECTOR_SETS = set('vadd vsim vrem vcard vdim vemb vlinks vsetattr vgetattr vinfo vrandmember '
                  'vismember vrange'.split())
NEWER = {'waitaof': '7.2', 'client|no-touch': '7.2', 'client|setinfo': '7.2'}


def names_of(port):
    """What COMMAND LIST of a server says, in lower case."""
    connection = Connection(port, 2)
    tokens = connection.ask([b'COMMAND', b'LIST'])
    connection.close()
    return sorted(token.payload.decode().lower() for token in tokens[1:])


def groups_of(port):
    """{command or container|subcommand: group} out of COMMAND DOCS in RESP2."""
    connection = Connection(port, 2)
    tokens = connection.ask([b'COMMAND', b'DOCS'])
    connection.close()
    groups, name = {}, None
    for at, token in enumerate(tokens[1:], 1):
        if token.depth == 1 and token.kind == '$':
            name = token.payload.decode()
        elif token.depth == 2 and token.payload == b'group':
            groups[name] = tokens[at + 1].payload.decode()
    return groups


def write_commands_of_redis(port):
    groups = groups_of(port)
    with open(REDIS_COMMANDS, 'w', encoding='utf-8') as out:
        out.write('# Commands of redis-server 7.0.15 and their groups; make compat-record writes '
                  'this.\n')
        for name in names_of(port):
            out.write(f'{name} {groups[name.split("|")[0]]}\n')


def lines_of_file(path):
    with open(path, encoding='utf-8') as file:
        return [line.rstrip('\n') for line in file if line.strip() and line[0] != '#']


@functools.lru_cache
def commands_of_redis():
    return dict(line.split(' ', 1) for line in lines_of_file(REDIS_COMMANDS))


def cases_of(files, known):
    """{name: its cases}; a case belongs to the longest name that is known."""
    found = {name: [] for name in known}
    for file in files:
        for case in file.cases():
            name = next((name for name in case.names() if name in found), None)
            if name is not None:
                found[name].append(case)
    return found


def without_case(files, listed):
    found = cases_of(files, listed)
    containers = {name.split('|')[0] for name in listed if '|' in name}
    return [name for name in listed if not found[name] and name not in containers]


def group_of(name, redis):
    if name in VECTOR_SETS:
        return 'vector_set'
    if name in redis:
        return redis[name]
    container = name.split('|')[0]
    if container in redis:
        return redis[container]
    if name.startswith('ft.'):
        return 'search'
    return 'collection' if name.startswith('v') else 'generic'


def why_missing(name, group, reasons):
    for pattern, reason in reasons:
        if fnmatch.fnmatch(name, pattern) or pattern == f'@{group}':
            return reason
    return 'not yet'


def notes(cases, word):
    """The different reasons of some cases, in order."""
    found = [case.notes[word] for case in cases if word in case.notes]
    if word == 'missing':
        found += [case.section.missing for case in cases if case.section.missing]
    return list(dict.fromkeys(found))


def row(name, cases, redis):
    """state and remark of a command that vdb has."""
    purpose, missing = notes(cases, 'differs'), notes(cases, 'missing')
    if name in VECTOR_SETS:
        state = 'as Redis 8'
    elif name in NEWER:
        state = f'newer ({NEWER[name]})'
    elif name not in redis:
        state = 'own'
    else:
        state = 'differs' if purpose else 'same'
    remark = [*purpose, *(f'missing: {reason}' for reason in missing)]
    if missing and state == 'same':
        state = 'missing in part'
    return state, '; '.join(remark)


def text(files, listed):
    redis = commands_of_redis()
    found = cases_of(files, set(listed) | set(redis))
    reasons = [line.split(' ', 1) for line in lines_of_file(REASONS)]
    containers = {name.split('|')[0] for name in [*listed, *redis] if '|' in name}
    groups = {}
    for name in sorted(set(listed) | set(redis)):
        if name.endswith('|help') and name in listed:
            continue
        # A container that does nothing by itself is told by its subcommands.
        if name in containers and name != 'command' and (name in listed) == any(
                sub in listed for sub in redis if sub.startswith(name + '|')):
            continue
        groups.setdefault(group_of(name, redis), []).append(name)
    states, parts = {}, []
    for group in [*ORDER, *sorted(set(groups) - set(ORDER))]:
        parts += table(groups.get(group, []), group, listed, redis, found, reasons, states)
    sums = ', '.join(f'{count} {state}' for state, count in sorted(states.items()))
    return (HEAD + f'\n{len(listed)} commands and subcommands of vdb. {sums}.\n' +
            '\n'.join(parts) + options.text())


def table(names, group, listed, redis, found, reasons, states):
    have = [name for name in names if name in listed]
    lack = [name for name in names if name not in listed]
    lines = [f'\n## {TITLES.get(group, group)}\n'] if names else []
    if have:
        lines += ['| command | cases | state | remarks |', '|---|---|---|---|']
    for name in have:
        state, remark = row(name, found[name], redis)
        kind = state.split(' (')[0]
        states[kind] = states.get(kind, 0) + 1
        shown = name.upper().replace('|', ' ')
        remark = remark.replace('|', '&#124;')
        lines.append(f'| {shown} | {len(found[name])} | {state} | {remark} |')
    why = {}
    for name in lack:
        why.setdefault(why_missing(name, group, reasons), []).append(name)
    if have and lack:
        lines.append('')
    for reason, missing in why.items():
        states['missing'] = states.get('missing', 0) + len(missing)
        shown = ', '.join(name.upper().replace('|', ' ') for name in missing)
        lines.append(f'**Missing** ({reason}): {shown}.\n')
    return lines


def is_current(files, listed):
    try:
        with open(PAGE, encoding='utf-8') as page:
            return page.read() == text(files, listed)
    except FileNotFoundError:
        return False


def write(files, listed):
    with open(PAGE, 'w', encoding='utf-8') as page:
        page.write(text(files, listed))
