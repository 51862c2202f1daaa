"""options.py: what there is of each option of FT and JSON commands, from options.txt.

The file is kept by hand, since nothing else knows what RediSearch has and vdb lacks; check() sees
to it that it stays true: an option that is there has a case that vdb accepts, one that is missing
has one that vdb refuses and none that it accepts, and every word in capitals in the sources is
listed."""

import glob
import os
import re

FOLDER = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(FOLDER)
LIST = os.path.join(FOLDER, 'options.txt')
STATES = ('same', 'differs', 'missing')
SOURCES = ('src/cmd/ft_*.c', 'src/cmd/cmd_ft*.c', 'src/cmd/cmd_json*.c', 'src/ft/index_spec*',
           'src/ft/aggregate*', 'src/ft/query_bracket.c', 'src/text/match.h')
WORD = re.compile(r'"([A-Z][A-Z0-9_.]*|\$[a-z_]+)"')
# Words of the sources that are values, not options.
VALUES = {'FT.TAGVALS', 'OK', 'TERM', 'WILDCARD'}
QUERY = 'the query'
WHOLE = 'the command'

HEAD = """
## Options of FT and JSON commands

As RediSearch 2.10 and RedisJSON 2.8 document them. **same**: at least one case has the option, and
vdb does what is documented; **differs**, on purpose, and **missing**: the reason stands beside it,
and what is missing is refused with an error. [options.txt](options.txt) is the list, `make check`
compares it with the cases and with the sources.

| command | same | differs | missing |
|---|---|---|---|
"""


class Option:
    """A few words that stand in a command in this order; what there is of it, and why."""

    def __init__(self, command, state, text):
        name, _, self.reason = text.partition(': ')
        self.command, self.state, self.name = command, state, name
        self.words = [word.lower().encode('latin-1') for word in name.split()]

    def fits(self, case):
        """Does a case have it?"""
        if case.raw or len(case.args) < 2:
            return False
        if self.command == QUERY:
            return case.args[0].upper() in (b'FT.SEARCH', b'FT.AGGREGATE', b'FT.EXPLAIN') and any(
                self.words[0] in arg.lower() for arg in case.args[2:])
        if self.name == WHOLE or self.command.lower() not in case.names():
            return False
        left = iter(arg.lower() for arg in case.args[1:])
        return all(word in left for word in self.words)


def load():
    """[(command, [its Options])] in the order of the file."""
    found = []
    with open(LIST, encoding='utf-8') as file:
        for number, line in enumerate(file, 1):
            line = line.rstrip('\n')
            state, _, rest = line.strip().partition(' ')
            if not line or line.startswith('#'):
                continue
            if not line.startswith(' '):
                found.append((line, []))
            elif state not in STATES:
                raise ValueError(f'options.txt:{number}: {state}')
            else:
                texts = rest.split(', ') if state == 'same' else [rest]
                found[-1][1].extend(Option(found[-1][0], state, text.strip()) for text in texts)
    return found


def replies_of_vdb(case):
    return [lines[0] for lines in (case.lines('v', '2'), case.lines('v', '3')) if lines]


def is_tried(case):
    """Does vdb answer what stands there?"""
    return 'missing' not in case.notes and not case.section.missing and replies_of_vdb(case)


def accepts(case):
    return any(not line.startswith('-') for line in replies_of_vdb(case))


def wrong_with(option, tried):
    cases = [case for case in tried if option.fits(case)]
    accepted = [case for case in cases if accepts(case)]
    if option.state == 'missing':
        if accepted:
            return f'is there: {accepted[0].place}'
        return None if cases else 'has no case in which vdb refuses it'
    if option.state != 'same' and not option.reason:
        return 'has no reason'
    return None if accepted else 'has no case that vdb accepts'


def words_of_sources():
    found = set()
    for pattern in SOURCES:
        for path in glob.glob(os.path.join(ROOT, pattern)):
            with open(path, encoding='utf-8') as file:
                found |= set(WORD.findall(file.read()))
    return found - VALUES


def check(files, listed):
    """Sentences about what is not true."""
    parts = load()
    tried = [case for file in files for case in file.cases() if is_tried(case)]
    wrong = []
    told = set()
    for command, options in parts:
        names = command.lower().split(', ')
        told |= set(names)
        lacks = any(option.name == WHOLE for option in options)
        wrong += [f'{name.upper()} is {"a" if lacks else "no"} command of vdb' for name in names
                  if command != QUERY and (name in listed) == lacks]
        for option in options:
            what = None if lacks else wrong_with(option, tried)
            if what:
                wrong.append(f'{command} {option.name} ({option.state}) {what}')
    wrong += [f'{name.upper()} is not listed' for name in listed
              if name.startswith(('ft.', 'json.')) and '|' not in name and name not in told]
    known = {word for _, options in parts for option in options
             for word in re.findall(r'\$?\w[\w.]*', option.name.lower())}
    wrong += [f'{word} stands in the sources and is not listed'
              for word in sorted(words_of_sources()) if word.lower() not in known]
    return wrong


def cell(options, state):
    shown = []
    for option in options:
        if option.state == state:
            name = f'`{option.name}`'.replace('|', '&#124;')
            shown.append(f'{name}: {option.reason}' if option.reason else name)
    return ('; ' if state != 'same' else ' ').join(shown)


def text():
    parts = load()
    rows = [f'| {command} | ' + ' | '.join(cell(options, state) for state in STATES) + ' |'
            for command, options in parts if options]
    plain = ', '.join(command for command, options in parts if not options)
    return HEAD + '\n'.join(rows) + f'\n\nWithout options: {plain}.\n'
