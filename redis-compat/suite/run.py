"""run.py: runs parts of Redis's test suite, which starts a vdb-server wherever it would start a
redis-server; run.sh fetches the suite.

    run.py FOLDER TAGS PART...

The last line is what tests/all.sh sums up; a part that ends early counts what it has not reached as
one failure.
"""

import os
import re
import subprocess
import sys

FOLDER = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(FOLDER))
PART_S = 300
LOGS = os.path.join(ROOT, 'build', 'redis-suite', 'logs')
ESCAPES = re.compile(r'\x1b\[[0-9;]*m')

def write_skipfile():
    """skipped.txt as the suite wants it: without reasons, and patterns without their last '/'."""
    path = os.path.join(LOGS, 'skipfile')
    with open(os.path.join(FOLDER, 'skipped.txt'), encoding='utf-8') as file:
        names = [line for line in file.read().split('\n') if line and line[0] != '#']
    with open(path, 'w', encoding='utf-8') as out:
        out.write('\n'.join(re.sub('^(/.*)/$', r'\1', name) for name in names))
    return path


def run(suite, tags, part, skipfile):
    """(passed, failed, left out) of one part."""
    command = ['tclsh', 'tests/test_helper.tcl', '--single', part, '--tags', tags, '--skipfile',
               skipfile, '--clients', '1', '--singledb', '--ignore-encoding', '--ignore-digest',
               '--durable', '--timeout', '120']
    try:
        done = subprocess.run(command, cwd=suite, capture_output=True, text=True, timeout=PART_S,
                              errors='replace', check=False, env={**os.environ, 'VDB_ROOT': ROOT})
        said, status = ESCAPES.sub('', done.stdout + done.stderr), done.returncode
    except subprocess.TimeoutExpired as error:
        said, status = ESCAPES.sub('', (error.stdout or b'').decode()) + 'not done in time\n', 1
    with open(os.path.join(LOGS, part.replace('/', '-')), 'w', encoding='utf-8') as log:
        log.write(said)
    passed = len(re.findall(r'(?m)^\[ok\]', said))
    left_out = len(re.findall(r'(?m)^\[(?:skip|ignore)\]', said))
    bad = re.findall(r'(?m)^\[(?:err|exception)\].*(?:\n(?!\[).*){0,6}', said)
    failed = len(bad)
    if failed == 0 and status != 0:
        failed, bad = 1, [said[-2000:]]
    print(f'{part}: {passed} passed, {failed} failed, {left_out} left out', flush=True)
    for text in bad:
        print('    ' + text.replace('\n', '\n    '))
    return passed, failed, left_out


def main():
    suite, tags, parts = sys.argv[1], sys.argv[2], sys.argv[3:]
    os.makedirs(LOGS, exist_ok=True)
    skipfile = write_skipfile()
    total = [0, 0, 0]
    for part in parts:
        total = [a + b for a, b in zip(total, run(suite, tags, part, skipfile))]
    print(f'{total[2]} tests of these parts do not apply: skipped.txt, and tags in run.sh')
    print(f'{total[0]} passed, {total[1]} failed, 0 skipped')
    sys.exit(0 if total[1] == 0 else 1)


if __name__ == '__main__':
    main()
