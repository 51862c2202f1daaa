#!/usr/bin/python3
"""wire_test.py: the player of wire scripts finds what is wrong: checks that must fail fail, replies
of another shape than clients read are refused, files that break the format are, too."""

import os
import tempfile
import unittest

import wire_script
from resp import Token
from wire_reply import BadReply, Node, tree, views


def scalar(text, kind='$'):
    return Node(kind, text.encode())


def array(*members):
    return Node('*', members=list(members))


def by_name(**members):
    return Node('%', members=[(scalar(name), value) for name, value in members.items()])


def check(line):
    return wire_script.Check(wire_script.CHECK.fullmatch('  ' + line), 'here')


def holds(line, node):
    return wire_script.holds(check(line), node)


class Checks(unittest.TestCase):
    def test_each_kind_holds_and_fails(self):
        cases = [
            ('reply is OK', scalar('OK', '+'), scalar('KO', '+')),
            ('reply is :2', scalar('2', ':'), scalar('2')),
            ('reply is "2"', scalar('2'), scalar('2', ':')),
            ('reply is nil', Node('null', b'$-1'), scalar('nil')),
            ('reply is nil', Node('_'), array()),
            ('reply near 0.5', scalar('0.50001'), scalar('0.51')),
            ('reply near 0.5', scalar('0.5', ','), scalar('half')),
            ('reply has "b c"', scalar('a b c d'), scalar('b  c')),
            (r'reply matches /\d+/', scalar('12'), scalar('12 ')),
            ('reply json {"a": [1]}', scalar('{ "a":[1] }'), scalar('{"a":["1"]}')),
            ('reply json 1', scalar('1'), scalar('')),
            ('reply are a b', array(scalar('a'), scalar('b')), array(scalar('b'), scalar('a'))),
            ('reply are', array(), array(scalar('a'))),
            ('reply hold a b', array(scalar('b'), scalar('a')), array(scalar('a'), scalar('a'))),
            ('reply count 1', array(scalar('a')), array()),
            ('reply absent', None, scalar('')),
        ]
        for line, good, bad in cases:
            self.assertTrue(holds(line, good), line)
            self.assertFalse(holds(line, bad), line)
            if good is not None:
                self.assertFalse(holds(line, None), line)

    def test_a_scalar_is_no_array(self):
        self.assertFalse(holds('reply is a', array(scalar('a'))))
        self.assertFalse(holds('reply are a', scalar('a')))


class Replies(unittest.TestCase):
    ARGS = [b'FT.SEARCH', b'i', b'*']

    def test_a_search_is_the_same_in_both_protocols(self):
        two = array(scalar('1', ':'), scalar('k'), array(scalar('f'), scalar('v')))
        hit = by_name(id=scalar('k'), extra_attributes=by_name(f=scalar('v')), values=array())
        three = by_name(attributes=array(), warning=array(), total_results=scalar('1', ':'),
                        format=scalar('STRING'), results=array(hit))
        for reply in (two, three):
            found = views(reply, self.ARGS)
            self.assertEqual(found['total'].text(), b'1')
            self.assertEqual(found['hits'].find('0').find('f').text(), b'v')

    def test_other_shapes_are_refused(self):
        hit = by_name(id=scalar('k'), extra_attributes=by_name(), values=array())
        bad = [
            array(scalar('1')),
            array(scalar('1', ':'), scalar('k')),
            by_name(total_results=scalar('1', ':'), results=array(hit)),
            by_name(attributes=array(), warning=array(), total_results=scalar('1'),
                    format=scalar('STRING'), results=array()),
            by_name(attributes=array(), warning=array(), total_results=scalar('1', ':'),
                    format=scalar('STRING'), results=array(by_name(id=scalar('k')))),
        ]
        for reply in bad:
            with self.assertRaises(BadReply):
                views(reply, self.ARGS)
        with self.assertRaises(BadReply):
            views(array(scalar('1', ':'), array()), [b'FT.AGGREGATE', b'i', b'*', b'WITHCURSOR'])

    def test_tokens_become_a_tree(self):
        tokens = [Token(0, '*', b'3'), Token(1, 'null', b'$-1'), Token(1, '%', b'1'),
                  Token(2, '$', b'a'), Token(2, ':', b'1'), Token(1, '*', b'-1')]
        node = tree(tokens)
        self.assertEqual(str(node), '[null$-1, {$a: :1}, null-1]')


class Scripts(unittest.TestCase):
    def load(self, text):
        with tempfile.NamedTemporaryFile('w', suffix='.txt') as file:
            file.write(text)
            file.flush()
            return wire_script.Script(file.name)

    def test_words(self):
        self.assertEqual(wire_script.words('A "b \\x01\\"" \'c "d\' f32(1 -2) bf16(1) i8(-1)'),
                         [b'A', b'b \x01"', b'c "d', b'\x00\x00\x80\x3f\x00\x00\x00\xc0',
                          b'\x80\x3f', b'\xff'])

    def test_a_command_goes_on_and_uses_what_was_kept(self):
        script = self.load('@framework x\n== s\n> A b\n... <c>\n  reply is OK\n')
        self.assertEqual(script.sections[0].commands[0].args({b'<c>': b'7'}), [b'A', b'b', b'7'])

    def test_what_breaks_the_format_is_refused(self):
        bad = ['== s\n> A\n', '@framework x\n> A\n', '@framework x\n== s\n  reply is 1\n',
               '@framework x\n== s\n> A\n  where is 1\n', '@framework x\n== s\n> A\n  reply is\n',
               '@framework x\n== s\n> A\n  reply is 1\n... B\n',
               '@framework x\n@missing y\n', '@framework x\n== s\nA\n']
        for text in bad:
            with self.assertRaises(wire_script.BadScript):
                self.load(text)

    def test_all_that_are_there_are_read(self):
        there = [name for name in os.listdir(wire_script.FOLDER) if name.endswith('.txt')]
        self.assertEqual(len(wire_script.load()), len(there))


if __name__ == '__main__':
    result = unittest.main(exit=False).result
    bad = len(result.failures) + len(result.errors)
    print(f'{result.testsRun - bad} passed, {bad} failed, {len(result.skipped)} skipped')
    raise SystemExit(bad != 0)
