#!/usr/bin/python3
"""Every rule of tidy.py catches what it is for, and leaves sound code alone."""

import os
import subprocess
import sys
import tempfile
import unittest

TESTS = os.path.dirname(os.path.abspath(__file__))
TIDY = os.path.join(TESTS, 'tidy.py')
sys.path.append(os.path.join(TESTS, 'lib'))
import suite

HEADER = '/* a.h: what it is for. */\n#ifndef VDB_BASE_A_H\n#define VDB_BASE_A_H\n\n#endif\n'


def tidy(files):
    """Runs tidy.py on a tree of these files; returns (exit status, lines)."""
    with tempfile.TemporaryDirectory() as root:
        for path, text in files.items():
            full = os.path.join(root, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, 'w', encoding='utf-8') as file:
                file.write(text)
        done = subprocess.run([sys.executable, TIDY, '--root', root], capture_output=True,
                              text=True, check=False)
        return done.returncode, done.stdout.splitlines()


class TidyTest(unittest.TestCase):
    def finds(self, path, text, expected, others=None):
        status, lines = tidy({path: text, 'src/base/a.h': HEADER, **(others or {})})
        self.assertEqual(status, 1, lines)
        self.assertTrue(any(line.startswith(path) and expected in line for line in lines), lines)

    def accepts(self, files):
        status, lines = tidy({'src/base/a.h': HEADER, **files})
        self.assertEqual((status, len(lines)), (0, 1), lines)

    def test_sound_code_passes(self):
        self.accepts({'src/vec/b.c': '#include "base/a.h"\n\nint f(void)\n{\n    return 1;\n}\n'})

    def test_includes_upwards_and_of_siblings_are_found(self):
        db = HEADER.replace('VDB_BASE', 'VDB_DB')
        self.finds('src/vec/b.c', '#include "db/a.h"\n', 'src/vec includes', {'src/db/a.h': db})
        self.finds('src/net/b.c', '#include "db/a.h"\n', 'src/net includes', {'src/db/a.h': db})
        self.finds('src/base/b.c', '#include "a.h"\n', 'not in src/')
        self.finds('src/odd/b.c', '\n', 'is no layer')
        self.accepts({'src/cmd/b.c': '#include "db/a.h"\n', 'src/db/a.h': db})

    def test_system_headers_are_confined(self):
        for header in ('uv.h', 'pthread.h', 'malloc.h', 'jemalloc/jemalloc.h', 'time.h',
                       'unistd.h', 'sys/socket.h', 'hiredis/hiredis.h', 'immintrin.h'):
            self.finds('src/db/b.c', f'#include <{header}>\n', f'includes <{header}>')
        self.accepts({'src/net/io_uv.c': '#include <uv.h>\n',
                      'src/base/thread.c': '#include <pthread.h>\n',
                      'src/base/mem.c': '#include <jemalloc/jemalloc.h>\n'})

    def test_sizes_are_limited(self):
        body = 'int f(void)\n{\n' + '    g();\n' * 71 + '}\n'
        self.finds('src/base/b.c', body, 'a function of 71 lines')
        self.finds('src/base/b.c', '\n' * 1001, '1001 lines')
        self.finds('src/base/b.c', 'int ' + 'x' * 96 + ';\n', '101 columns')
        self.accepts({'src/base/b.c': body.replace('    g();\n', '', 1)})

    def test_banned_calls_are_found_outside_comments_and_strings(self):
        self.finds('src/base/b.c', 'int f(void)\n{\n    strcpy(a, b);\n}\n', 'strcpy() is banned')
        self.finds('src/base/b.c', 'int f(void)\n{\n    free(a);\n}\n', 'base/mem.h')
        self.accepts({'src/base/b.c': '/* strcpy(a, b) */\nconst char *s = "atoi(x) // no";\n',
                      'src/base/mem.c': 'int f(void)\n{\n    free(a);\n}\n',
                      'src/base/c.c': 'int f(void)\n{\n    ops->free(a);\n}\n'})

    def test_headers_need_a_guard_and_a_purpose(self):
        self.finds('src/base/b.h', HEADER.replace('a.h', 'b.h'), 'VDB_BASE_B_H')
        self.finds('src/base/b.h', HEADER.replace('_A_H', '_B_H'), 'does not begin')

    def test_text_is_clean(self):
        self.finds('src/base/b.c', 'int a; \n', 'blanks at the end')
        self.finds('src/base/b.c', '\tint a;\n', 'a tab')
        self.finds('src/base/b.c', 'int a;', 'no newline')
        self.finds('README.md', 'TO' 'DO later\n', 'unfinished work')
        self.finds('tests/data/a.sh', 'true \n', 'blanks at the end')

    def test_what_is_built_or_downloaded_is_left_alone(self):
        self.accepts({'build/a.c': '\tint a;', 'data/b.md': 'no newline'})


if __name__ == '__main__':
    suite.main()
