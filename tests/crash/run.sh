#!/usr/bin/env bash
# make test-crash: everything that crashes, faults and damage do to a server, as one table.
#     tests/crash/run.sh SECONDS [ATTEMPTS [REAL_SECONDS]]
# SECONDS: for each of the simulated parts lives, points, faults and bytes. ATTEMPTS: at most, for
# each of three seeds of each planted bug, in a build that has them. REAL_SECONDS: for each part on
# the real system (real/run.py). Those with 0 are left out. CRASH_OPTIONS goes to the simulated
# parts. Figures of long runs stand in tests/sim/README.md.
set -uo pipefail
cd "$(dirname "$0")/../.."
seconds=$1 attempts=${2:-0} real_seconds=${3:-0}
make="${MAKE:-make} -s --no-print-directory -j$(nproc)"
logs=build/tests/crash
rm -rf $logs
mkdir -p $logs

# part NAME COMMAND...
part() {
    echo "$1"
    "${@:2}" 2>&1 | tee "$logs/$(echo "$1" | tr -c 'a-z0-9\n' -).log"
}

unset MAKEFLAGS MAKELEVEL MFLAGS
plain=$($make crash-tests | tail -n 1) || exit 1
# shellcheck disable=SC2086
part "simulated, $seconds s for each part" "$plain" --seconds "$seconds" ${CRASH_OPTIONS:-}
if [ "$attempts" != 0 ]; then
    planted=$($make PLANTS=1 crash-tests | tail -n 1) || exit 1
    part "planted bugs, and how many attempts each of three seeds took" \
        "$planted" --part planted --attempts "$attempts"
fi
if [ "$real_seconds" != 0 ]; then
    $make all build/blockfile || exit 1
    part "on the real system, $real_seconds s for each part" \
        tests/crash/real/run.py --seconds "$real_seconds"
fi
# A part that died without its last line has failed.
passed=0 failed=0 skipped=0
for log in $logs/*.log; do
    line=$(grep -aoE '[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped' "$log" | tail -n 1)
    read -r p f s < <(echo "${line:-0 1 0}" | tr -cd '0-9 \n')
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
