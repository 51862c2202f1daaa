#!/usr/bin/env bash
# Runs the tests, part by part, and ends with one line that sums them up:
#     tests/all.sh check    what every commit must pass, in under 90 seconds
#     tests/all.sh test     besides, everything under the sanitizers; installs what is missing
#
# A part is a command. Where its output ends with "N passed, N failed, N skipped", those count; else
# the part itself counts as one test. A part that cannot run at all has failed. The output of each
# part stays in build/tests/.
set -uo pipefail
cd "$(dirname "$0")/.."
mode=${1:-check}
case $mode in check | test) ;; *)
    echo "usage: tests/all.sh check|test" >&2
    exit 2
    ;;
esac
. tests/packages.sh
[ "$mode" = check ] || need_packages $PACKAGES_TEST
[ "$mode" = check ] || (need_packages $PACKAGES_WATCH) || echo "going on without $PACKAGES_WATCH"
[ "$mode" = check ] || (need_packages $PACKAGES_LIBS3) || echo "going on without $PACKAGES_LIBS3"

unset MAKEFLAGS MAKELEVEL MFLAGS
cores=$(nproc)
make="make -s -j$cores --no-print-directory"
logs=build/tests
passed=0 failed=0 skipped=0
mkdir -p $logs

# part NAME COMMAND...
part() {
    local name=$1 status=0 line start=$SECONDS p=0 f=0 s=0
    shift
    local log=$logs/$(echo "$name" | tr -c 'a-zA-Z0-9\n' -).log
    "$@" >"$log" 2>&1 </dev/null || status=$?
    line=$(grep -aoE '[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped' "$log" | tail -n 1)
    if [ -n "$line" ]; then
        read -r p f s < <(echo "$line" | tr -cd '0-9 \n')
        [ $status = 0 ] || [ "$f" != 0 ] || f=1
    elif [ $status = 0 ]; then
        p=1
    else
        f=1
    fi
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
    printf '%-44s %5d passed %3d failed %3d skipped  %4d s\n' "$name" "$p" "$f" "$s" \
        $((SECONDS - start))
    grep -aE '^SKIP ' "$log"
    if [ "$f" != 0 ]; then
        echo "--- the end of $log:"
        tail -n 40 "$log"
        echo "---"
    fi
}

# in_shares SANITIZERS: the unit tests under sanitizers, a process for each core.
in_shares() {
    local tests share status=0 pids=()
    $make "SAN=$1" unit-tests || return
    tests=$(make -s --no-print-directory "SAN=$1" print-unit-tests)
    for ((share = 0; share < cores; share++)); do
        "$tests" --share=$share/$cores >$logs/share-$share.log 2>&1 &
        pids+=($!)
    done
    for share in "${!pids[@]}"; do
        wait "${pids[$share]}" || status=1
        sed '$ { /passed, .* skipped$/d }' $logs/share-$share.log
    done
    awk '/^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$/ { p += $1; f += $3; s += $5; ended++ }
         END { printf "%d passed, %d failed, %d skipped\n", p, f + ('$cores' - ended), s }' \
        $(for share in "${!pids[@]}"; do echo $logs/share-$share.log; done)
    return $status
}

part "build" $make all debug-server
part "style (tests/tidy.py)" tests/tidy.py --summary
part "style rules catch what they should" tests/tidy_test.py
part "unit tests" $make unit
part "fuzz corpora" $make fuzz-replay
part "integration tests" $make integration
for script in tests/integration/*_test.{sh,py,mjs}; do
    [ ! -x "$script" ] || part "$(basename "$script")" "$script"
done
if [ "$mode" = check ]; then
    part "crashes and damage, simulated, a share" tests/crash/run.sh 1 0
else
    part "crashes, damage, planted bugs, simulated" tests/crash/run.sh 6 2000
fi
[ ! -d /usr/include/fuse3 ] || part "build of the disk that loses power" $make build/blockfile
for script in tests/crash/real/*_test.py; do
    part "$(basename "$script")" "$script"
done
if [ "$mode" = test ]; then
    part "kills and faults on the real system" tests/crash/real/run.py --seconds 12
fi
part "memory that fails, odd arguments, a share" $make robust-sim S=8
part "replies as recorded from Redis" redis-compat/compat.py replay
part "the list of options" redis-compat/options_test.py
part "the player of wire scripts" redis-compat/wire_test.py
part "what frameworks say and read" redis-compat/wire.py
part "redis-cli, redis-benchmark, exporter" redis-compat/tools_test.py
part "Redis clients" redis-compat/clients/run.py $([ "$mode" = check ] || echo install)
if [ "$mode" = test ]; then
    part "frameworks" redis-compat/frameworks/run.py install
    part "examples" examples/examples_test.py install
    [ ! -f /usr/include/libs3.h ] ||
        part "build with libs3" $make LIBS3=1 MODE=debug s3-tests s3-server
    part "Redis's own tests" redis-compat/suite/run.sh
    part "S3 against Ceph's radosgw" tests/s3/run.sh install
    for sanitizers in address,undefined thread; do
        part "unit tests, SAN=$sanitizers" in_shares $sanitizers
        part "failing memory, arguments, SAN=$sanitizers" $make SAN=$sanitizers robust-sim S=5
        part "integration tests, SAN=$sanitizers" $make SAN=$sanitizers integration
        part "build, SAN=$sanitizers" $make SAN=$sanitizers all
        part "tool_test.py, SAN=$sanitizers" tests/integration/tool_test.py
        part "files_test.py, SAN=$sanitizers" tests/integration/files_test.py
        part "connections_test.py, SAN=$sanitizers" tests/integration/connections_test.py
        part "cve_test.py, SAN=$sanitizers" tests/integration/cve_test.py
    done
    part "build of the release again" $make all
    part "fuzz corpora, SAN=address,undefined" $make SAN=address,undefined fuzz-replay
fi

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
