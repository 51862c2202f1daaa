#!/usr/bin/python3
"""examples_test.py: the examples do what they say.

    examples_test.py            runs them when what they use is installed, else skips them
    examples_test.py install    lets them install it
"""

import os
import re
import subprocess
import sys
import unittest

FOLDER = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.join(os.path.dirname(FOLDER), 'tests', 'lib'))
import suite
from server import free_port

INSTALLED = os.path.join(FOLDER, 'node_modules', '.lock')
RUN_S, INSTALL_S = 120, 600
INSTALLING = 'install' in sys.argv[1:]
if INSTALLING:
    sys.argv.remove('install')


def why_not():
    """Why the examples cannot run, or None."""
    if INSTALLING:
        done = subprocess.run([os.path.join(FOLDER, 'run.sh'), 'install'], capture_output=True,
                              text=True, timeout=INSTALL_S, check=False)
        return None if done.returncode == 0 else f'cannot be installed: {done.stderr[-500:]}'
    return None if os.path.exists(INSTALLED) else 'not installed; make example-rag does it'


WHY_NOT = why_not()


@unittest.skipIf(WHY_NOT, WHY_NOT)
class Examples(unittest.TestCase):
    def story(self, name):
        done = subprocess.run([os.path.join(FOLDER, 'run.sh'), name], capture_output=True,
                              text=True, timeout=RUN_S, check=False,
                              env={**os.environ, 'PORT': str(free_port())})
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def test_the_cache_survives_a_kill(self):
        before, after = self.story('cache').split('kill -9')
        self.assertEqual(re.findall(r'\(the (\w+), \d+ ms\)', before), ['model', 'cache'])
        self.assertEqual(re.findall(r'\(the (\w+), \d+ ms\)', after), ['cache', 'model'])
        answer = 'Read "Deploying an SAP Fiori Application (ABAP and Cloud Foundry)".'
        self.assertEqual(before.count(answer), 2)
        self.assertEqual(after.count(answer), 1)

    def test_retrieval_finds_and_filters(self):
        said = self.story('rag')
        self.assertIn('778 texts are in the store', said)
        blocks = said.split('\n\n')[-5:]
        for block in blocks:
            self.assertEqual(len(re.findall(r'(?m)^  \d\.\d{3}  ', block)), 3, block)
            self.assertRegex(block, r'\d ms a search')
        self.assertIn('Deploying an SAP Fiori Application', blocks[0])
        self.assertEqual(blocks[1].count('[Fiori Samples]'), 3)
        self.assertIn('Draft Handling', blocks[2])
        self.assertEqual(blocks[4].lower().count('actions'), 5)
        self.assertNotIn('[Fiori Samples]', blocks[4])


if __name__ == '__main__':
    suite.main()
