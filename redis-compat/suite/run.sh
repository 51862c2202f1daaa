#!/usr/bin/env bash
# run.sh: the parts of Redis's own test suite that apply, against vdb-server.
#
#     redis-compat/suite/run.sh            every part below
#     redis-compat/suite/run.sh PART ...   some: unit/type/string unit/expire
#
# The suite comes from Debian's source package of redis 7.0.15 (apt-get source, 3 MB) into
# build/redis-suite; as_redis.py stands in for redis-server there, with a server that has DEBUG.
# Left out is what has one of the TAGS below, and the tests that skipped.txt names, each with its
# reason.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/packages.sh
need_packages tcl redis-tools dpkg-dev ca-certificates

PARTS="unit/type/string unit/type/incr unit/type/hash unit/type/list unit/type/list-2 \
    unit/type/list-3 unit/type/set unit/type/zset unit/pubsub unit/pubsubshard unit/keyspace \
    unit/expire unit/scan unit/sort \
    unit/multi unit/introspection unit/introspection-2 unit/protocol unit/querybuf unit/limits \
    unit/auth \
    unit/other unit/dump unit/quit unit/info-command unit/slowlog unit/latency-monitor unit/pause \
    unit/obuf-limits unit/maxmemory"
TAGS="-needs:repl -needs:save \
    -stream -hyperloglog -geo -bitops -scripting -acl"
folder=$PWD/build/redis-suite
suite=$folder/redis-7.0.15

# apt's own lists may have no sources, and are not ours to change: these are the same places, for
# sources.
fetch() {
    local apt=(apt-get -q -o Dir::Etc::sourcelist="$folder/none"
        -o Dir::Etc::sourceparts="$folder/parts" -o Dir::State::lists="$folder/lists"
        -o APT::Sandbox::User=root)
    local list
    mkdir -p "$folder/parts" "$folder/lists/partial"
    : >"$folder/none"
    for list in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
        [ ! -r "$list" ] ||
            sed -n 's/^deb /deb-src /p' "$list" >"$folder/parts/$(basename "$list" .list).list"
    done
    for list in /etc/apt/sources.list.d/*.sources; do
        [ ! -r "$list" ] ||
            sed 's/^Types:.*/Types: deb-src/' "$list" >"$folder/parts/$(basename "$list")"
    done
    "${apt[@]}" update
    (cd "$folder" && "${apt[@]}" source --download-only redis && tar xzf redis_7.0.15.orig.tar.gz)
}

adapt() {
    ln -sf "$(command -v redis-cli)" "$(command -v redis-benchmark)" "$suite/src/"
    printf '#!/bin/sh\nexec "$VDB_ROOT/redis-compat/suite/as_redis.py" "$@"\n' \
        >"$suite/src/redis-server"
    chmod +x "$suite/src/redis-server"
}

if [ ! -e "$suite/adapted" ]; then
    mkdir -p "$folder"
    if ! fetch >"$folder/fetch.log" 2>&1; then
        cat "$folder/fetch.log"
        echo "SKIP Redis's own tests: Debian's source package of redis cannot be fetched"
        echo "0 passed, 0 failed, 1 skipped"
        exit 0
    fi
    adapt
    touch "$suite/adapted"
fi
make --no-print-directory -s debug-server
export VDB_SERVER=${VDB_SERVER:-$PWD/build/vdb-server-debug}
exec python3 redis-compat/suite/run.py "$suite" "$TAGS" ${@:-$PARTS}
