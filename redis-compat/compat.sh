#!/usr/bin/env bash
# compat.sh: what make compat runs: cases, then the clients. Installs what they need.
set -uo pipefail
cd "$(dirname "$0")"
status=0
./compat.py replay || status=1
clients/run.py install || status=1
exit $status
