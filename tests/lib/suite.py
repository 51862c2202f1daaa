"""suite.py: runs the unittest cases of a script; its last line is what tests/all.sh sums up."""

import sys
import unittest


def main():
    result = unittest.main(module='__main__', exit=False, verbosity=0).result
    failed = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
    skipped = len(result.skipped)
    for test, reason in result.skipped:
        print(f'SKIP {test.id()}: {reason}')
    passed = result.testsRun - failed - skipped
    print(f'{max(passed, 0)} passed, {failed} failed, {skipped} skipped')
    sys.exit(0 if failed == 0 else 1)
