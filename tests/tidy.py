#!/usr/bin/python3
"""tidy.py: the mechanical part of the house style, checked.

    tests/tidy.py              the whole tree; one line per problem, exit 1 when there is any
    tests/tidy.py --summary    besides, comment share and CHECK density of every folder
    tests/tidy.py --root DIR   another tree

What it knows: which folder may include which (ARCHITECTURE.md, "Layers"), which file may include
which system header, how long functions, files and lines may be, banned functions, header guards,
what a header starts with, and words that mark unfinished work.
"""

import argparse
import os
import re
import sys

# The folder is the layer: what each folder may include besides itself. '' is src/*.c, the server.
LAYERS = {
    'base': [],
    'vec': ['base'],
    'net': ['base'],
    'conf': ['base'],
    'index': ['base', 'vec'],
    'types': ['base'],
    'text': ['base'],
    'json': ['base'],
    'ft': ['base', 'vec', 'text', 'json'],
    'db': ['base', 'vec', 'index', 'types', 'json', 'text', 'ft'],
    'persist': ['base', 'vec', 'index', 'types', 'json', 'text', 'ft', 'db'],
    'cluster': ['base', 'vec', 'index', 'types', 'json', 'text', 'ft', 'db', 'net'],
    'cmd': ['base', 'vec', 'index', 'types', 'json', 'text', 'ft', 'db', 'persist', 'cluster',
            'net', 'conf'],
    '': ['base', 'vec', 'index', 'types', 'json', 'text', 'ft', 'db', 'persist', 'cluster', 'cmd',
         'net', 'conf'],
    'tool': ['base', 'vec', 'net', 'index', 'types', 'json', 'text', 'ft', 'db', 'persist'],
}

# System headers that only some files of src/ may include: (pattern, files, why).
CONFINED = [
    (r'uv\.h|uv/.*', r'net/io_uv\.c', 'libuv is confined to net/io_uv.c'),
    (r'pthread\.h|threads\.h|sched\.h', r'base/thread\.[ch]', 'threads are base/thread.h'),
    (r'malloc\.h|jemalloc/.*', r'base/mem\.c', 'memory is base/mem.h'),
    (r'time\.h|sys/time\.h|unistd\.h', r'base/.*|net/io_uv\.c|tool/.*',
     'the outside world is base/io.h'),
    (r'sys/socket\.h|sys/un\.h|netinet/.*|arpa/.*|netdb\.h', r'net/io_uv\.c|tool/.*',
     'sockets are base/io.h'),
    (r'curl/.*', r'persist/http_curl\.c', 'libcurl is confined to persist/http_curl.c'),
    (r'openssl/.*', r'base/digest\.c', 'digests are base/digest.h'),
    (r'libs3\.h', r'persist/store_libs3\.c', 'libs3 is confined to persist/store_libs3.c'),
    (r'unicode/.*|libstemmer\.h', r'text/.*', 'languages are known in text/'),
    (r'hiredis/.*', r'tool/.*', 'hiredis is for the tool and the tests'),
    (r'immintrin\.h|arm_neon\.h|.*mmintrin\.h', r'vec/.*', 'instruction sets are known in vec/'),
    (r'alloca\.h', r'', 'the stack is not for sizes that vary'),
]

BANNED = {
    'strcpy': 'memcpy with a known length', 'strcat': 'struct buf', 'sprintf': 'snprintf',
    'vsprintf': 'vsnprintf', 'gets': 'fgets', 'strtok': 'struct slice', 'atoi': 'slice_to_i64',
    'atol': 'slice_to_i64', 'atoll': 'slice_to_i64', 'atof': 'slice_to_f64', 'rand': 'base/rng.h',
    'srand': 'base/rng.h', 'alloca': 'an arena', 'stpcpy': 'memcpy with a known length',
}
ALLOCATORS = ['malloc', 'calloc', 'realloc', 'free', 'strdup', 'strndup', 'aligned_alloc',
              'posix_memalign']

FUNCTION_LINES, FILE_LINES, LINE_COLUMNS = 70, 1000, 100
SKIPPED_FOLDERS = {'.git', 'node_modules', '__pycache__', 'corpus'}  # anywhere
SKIPPED_AT_TOP = {'build', 'data'}
TEXT = ('.c', '.h', '.cc', '.cu', '.def', '.py', '.sh', '.js', '.mjs', '.md', '.conf', '.yml')
UNFINISHED = re.compile(r'\b(' + '|'.join(['TO' 'DO', 'FIX' 'ME', 'XX' 'X']) + r')\b')


# Comments, strings and character literals, so that one never hides in another.
TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', re.S)


def without_comments(text):
    """The text with comments, strings and character literals blanked; lines stay where they are."""
    def blank(match):
        found = match.group(0)
        kept = re.sub(r'[^\n]', ' ', found)
        return '"' + kept[1:-1] + '"' if found[0] == '"' else kept
    return TOKEN.sub(blank, text)


def comment_lines(text):
    return sum(found.count('\n') + 1 for found in TOKEN.findall(text) if found[0] == '/')


class Tidy:
    def __init__(self, root):
        self.root = root
        self.problems = []
        self.files = 0
        self.folders = {}  # folder -> [lines with text, lines of comments, CHECKs]

    def say(self, path, line, what):
        self.problems.append(f'{path}:{line}: {what}')

    def run(self):
        for folder, folders, names in os.walk(self.root):
            skipped = SKIPPED_FOLDERS | (SKIPPED_AT_TOP if folder == self.root else set())
            folders[:] = sorted(f for f in folders if f not in skipped)
            for name in sorted(names):
                path = os.path.relpath(os.path.join(folder, name), self.root)
                if name.endswith(TEXT) or name in ('Makefile', 'Dockerfile'):
                    self.check_file(path)

    def check_file(self, path):
        with open(os.path.join(self.root, path), encoding='utf-8', errors='replace') as file:
            text = file.read()
        self.files += 1
        lines = text.split('\n')
        self.check_text(path, text, lines)
        if path.endswith(('.c', '.h')):
            code = without_comments(text)
            self.check_includes(path, lines)
            self.check_functions(path, code)
            self.check_calls(path, code)
            if path.endswith('.h'):
                self.check_header(path, text)
            self.count(path, text, code)

    def check_text(self, path, text, lines):
        if text and not text.endswith('\n'):
            self.say(path, len(lines), 'no newline at the end of the file')
        if len(lines) - 1 > FILE_LINES and not path.endswith('.md'):
            self.say(path, 1, f'{len(lines) - 1} lines; a file has at most {FILE_LINES}')
        for number, line in enumerate(lines, 1):
            if len(line) > LINE_COLUMNS and not path.endswith('.md'):
                self.say(path, number, f'{len(line)} columns; a line has at most {LINE_COLUMNS}')
            if line != line.rstrip() and not path.endswith('.md'):
                self.say(path, number, 'blanks at the end of the line')
            if '\t' in line and path.endswith(('.c', '.h', '.py')):
                self.say(path, number, 'a tab; indent with four blanks')
            if UNFINISHED.search(line):
                self.say(path, number, 'marks unfinished work; finish it')

    def check_includes(self, path, lines):
        in_src = path.startswith('src' + os.sep)
        inside = path[len('src/'):] if in_src else path
        layer = os.path.dirname(inside).split(os.sep)[0] if in_src else None
        if in_src and layer not in LAYERS:
            self.say(path, 1, f'src/{layer} is no layer; name it in tests/tidy.py')
            return
        for number, line in enumerate(lines, 1):
            match = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
            if match is None:
                continue
            bracket, name = match.groups()
            if in_src and bracket == '"':
                self.check_own_include(path, number, layer, name)
            if in_src and bracket == '<':
                for pattern, files, why in CONFINED:
                    if re.fullmatch(pattern, name) and not re.fullmatch(files, inside):
                        self.say(path, number, f'includes <{name}>: {why}')

    def check_own_include(self, path, number, layer, name):
        if not os.path.exists(os.path.join(self.root, 'src', name)):
            self.say(path, number, f'includes "{name}", which is not in src/ (write the path '
                     'from src/)')
            return
        target = name.split('/')[0] if '/' in name else ''
        if target != layer and target not in LAYERS[layer]:
            below = ', '.join(LAYERS[layer]) or 'nothing else'
            self.say(path, number, f'src/{layer} includes "{name}"; it may include {below}')

    def check_functions(self, path, code):
        """A body starts with { and ends with } in the first column, as .clang-format has it."""
        opened = None
        for number, line in enumerate(code.split('\n'), 1):
            if line.startswith('{'):
                opened = number
            elif line.startswith('}') and opened is not None:
                size = number - opened - 1
                if size > FUNCTION_LINES:
                    self.say(path, opened, f'a function of {size} lines; at most {FUNCTION_LINES}')
                opened = None

    def check_calls(self, path, code):
        in_src = path.startswith('src' + os.sep)
        for number, line in enumerate(code.split('\n'), 1):
            for name in re.findall(r'(?<![\w.>])(\w+)\s*\(', line):
                if name in BANNED:
                    self.say(path, number, f'{name}() is banned; use {BANNED[name]}')
                if in_src and name in ALLOCATORS and path != os.path.join('src', 'base', 'mem.c'):
                    self.say(path, number, f'{name}(): memory comes from base/mem.h')

    def check_header(self, path, text):
        inside = path[len('src/'):] if path.startswith('src' + os.sep) else path
        guard = 'VDB_' + re.sub(r'\W', '_', inside).upper()
        if f'#ifndef {guard}\n#define {guard}\n' not in text or not text.endswith('#endif\n'):
            self.say(path, 1, f'has no guard {guard}')
        if not text.startswith(f'/* {os.path.basename(path)}: '):
            self.say(path, 1, f'does not begin with "/* {os.path.basename(path)}: what it is for"')

    def count(self, path, text, code):
        folder = os.path.dirname(path)
        counts = self.folders.setdefault(folder, [0, 0, 0])
        counts[0] += sum(bool(line.strip()) for line in text.split('\n'))
        counts[1] += comment_lines(text)
        if not path.endswith('check.h'):
            counts[2] += len(re.findall(r'\bCHECK(?:_SLOW)?\s*\(', code))

    def print_summary(self):
        print(f'{"folder":24}{"lines":>8}{"comments":>10}{"CHECK per 1,000":>17}')
        for folder, (lines, comments, checks) in sorted(self.folders.items()):
            lines = max(lines, 1)
            print(f'{folder:24}{lines:8}{comments / lines:10.0%}{1000 * checks / lines:17.0f}')


def main():
    parser = argparse.ArgumentParser(description='checks the house style')
    here = os.path.dirname(os.path.abspath(__file__))
    parser.add_argument('--root', default=os.path.dirname(here))
    parser.add_argument('--summary', action='store_true', help='comment share, CHECK density')
    options = parser.parse_args()
    tidy = Tidy(options.root)
    tidy.run()
    for problem in tidy.problems:
        print(problem)
    if options.summary:
        tidy.print_summary()
    print(f'tidy: {tidy.files} files, {len(tidy.problems)} problems')
    return 1 if tidy.problems else 0


if __name__ == '__main__':
    sys.exit(main())
