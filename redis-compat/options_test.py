#!/usr/bin/python3
"""options_test.py: what options.txt says is compared with the cases: each kind of lie is found."""

import os
import sys
import tempfile
import unittest

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'tests', 'lib'))
import cases
import options
import suite

CASES = '''@source vdb
> FT.A idx one x
+OK
> FT.A idx two three
-no
> FT.A idx four
2 *0
3 %0
@missing it is not there
> FT.A idx five
+OK
'''


class Options(unittest.TestCase):
    def wrong(self, listing, listed=('ft.a',)):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, 'cases.txt')
            with open(path, 'w', encoding='utf-8') as out:
                out.write(CASES)
            with open(os.path.join(folder, 'options.txt'), 'w', encoding='utf-8') as out:
                out.write(listing)
            list_before, sources_before = options.LIST, options.SOURCES
            options.LIST, options.SOURCES = out.name, ()
            try:
                return options.check([cases.File(path)], list(listed))
            finally:
                options.LIST, options.SOURCES = list_before, sources_before

    def test_what_is_true_is_not_complained_about(self):
        self.assertEqual(self.wrong('FT.A\n  same one, four\n  missing two three: none\n'), [])
        self.assertEqual(self.wrong('FT.A\n  differs one: a little\n'), [])
        self.assertEqual(self.wrong('FT.A\n\nFT.B\n  missing the command: not yet\n'), [])

    def test_each_lie_is_found(self):
        for listing in ('FT.A\n  same two\n', 'FT.A\n  same five\n', 'FT.A\n  same x one\n',
                        'FT.A\n  missing one: none\n', 'FT.A\n  missing six: none\n',
                        'FT.A\n  differs one\n', 'FT.A\n\nFT.B\n',
                        'FT.A\n  missing the command: not yet\n'):
            self.assertEqual(len(self.wrong(listing)), 1, listing)

    def test_commands_that_are_not_listed_are_found(self):
        self.assertEqual(self.wrong('FT.A\n', ('ft.a', 'json.b')), ['JSON.B is not listed'])

    def test_words_of_the_sources_are_all_listed(self):
        known = options.words_of_sources()
        self.assertTrue({'NOCONTENT', 'GROUPBY', 'HNSW', '$weight', 'INDENT'} <= known)
        self.assertFalse({'OK'} & known)


if __name__ == '__main__':
    suite.main()
