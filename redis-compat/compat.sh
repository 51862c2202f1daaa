#!/usr/bin/env bash
# compat.sh: what make compat runs: cases, tools and tests of Redis, clients. Installs them, too.
set -uo pipefail
cd "$(dirname "$0")"
status=0
(cd .. && . tests/packages.sh && need_packages $PACKAGES_TEST $PACKAGES_WATCH) || status=1
./compat.py replay || status=1
./wire.py || status=1
./tools_test.py || status=1
suite/run.sh || status=1
clients/run.py install || status=1
frameworks/run.py install || status=1
exit $status
