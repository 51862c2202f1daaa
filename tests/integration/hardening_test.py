#!/usr/bin/python3
"""The released server is built so that a memory error is hard to exploit. Read from the binary."""

import os
import re
import subprocess
import sys
import unittest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BINARY = os.path.join(os.path.dirname(TESTS), 'build', 'vdb-server')
sys.path.append(os.path.join(TESTS, 'lib'))
import suite


def readelf(option):
    done = subprocess.run(['readelf', '--wide', option, BINARY], capture_output=True, text=True,
                          check=True)
    return done.stdout


class HardeningTest(unittest.TestCase):
    def test_it_is_loaded_at_a_random_address(self):
        self.assertRegex(readelf('-h'), r'Type:\s+DYN')
        self.assertRegex(readelf('-d'), r'FLAGS_1.*\bPIE\b')

    def test_the_table_of_functions_is_read_only(self):
        self.assertIn('GNU_RELRO', readelf('-l'))
        self.assertRegex(readelf('-d'), r'FLAGS_1.*\bNOW\b|BIND_NOW')

    def test_no_memory_is_both_writable_and_executable(self):
        # Type, offset, two addresses, two sizes, flags, alignment.
        segments = re.findall(r'^ +(LOAD|GNU_STACK) +(?:0x\w+ +){5}([RWE ]+?) +0x', readelf('-l'),
                              re.M)
        self.assertIn('GNU_STACK', dict(segments))
        for name, flags in segments:
            self.assertFalse('W' in flags and 'E' in flags, f'{name} is {flags}')

    def test_stacks_are_guarded(self):
        self.assertIn('__stack_chk_fail', readelf('--dyn-syms'))

    def test_copies_into_known_buffers_are_checked(self):
        self.assertRegex(readelf('--dyn-syms'), r'\b__\w+_chk\b')


if __name__ == '__main__':
    suite.main()
