#!/usr/bin/env bash
# make example-rag, make example-cache: builds vdb, installs what the example uses, starts a server
# of its own, runs the example, and stops the server.
#     PORT=7000   another port than 6379
set -euo pipefail
cd "$(dirname "$0")/.."
unset MAKEFLAGS MAKELEVEL MFLAGS
. tests/packages.sh
. tests/demo/port.sh

which=${1:-}
case $which in rag | cache | install) ;; *)
    echo "usage: examples/run.sh rag|cache|install" >&2
    exit 2
    ;;
esac
server=
folder=data/example-$which # what the server keeps; made anew by every run
NODE_MAJOR=20              # what LangChain.js asks for

say() { printf '\n%s\n' "$*"; }

start_server() {
    build/vdb-server --port "$port" --dir $folder >>$folder/vdb-server.log 2>&1 &
    server=$!
    if ! build/vdb ping --port "$port" --wait 10 >/dev/null; then
        echo "vdb-server does not answer. The end of $folder/vdb-server.log:" >&2
        tail -n 20 $folder/vdb-server.log >&2
        exit 1
    fi
}

end_server() {
    [ -n "$server" ] || return 0
    kill "-$1" "$server" 2>/dev/null || true
    { wait "$server" || true; } 2>/dev/null # no word of bash about it
    server=
}

install() {
    need_packages $PACKAGES_BUILD nodejs npm python3 python3-redis
    local version
    version=$(node --version)
    if [ "$(echo "$version" | tr -d v | cut -d. -f1)" -lt $NODE_MAJOR ]; then
        echo "The examples need Node.js $NODE_MAJOR; this is $version." >&2
        exit 1
    fi
    if ! cmp -s examples/package-lock.json examples/node_modules/.lock; then
        echo "Installing LangChain.js and the texts, 60 MB ..."
        (cd examples && npm ci --no-audit --no-fund --prefer-offline --silent)
        cp examples/package-lock.json examples/node_modules/.lock
    fi
    echo "Building ..."
    make -s -j"$(nproc)" all
}

cache_story() {
    local ask="/usr/bin/python3 examples/cache.py $port"
    say "A question, and another one that means the same:"
    $ask "How do I deploy an application to Cloud Foundry?" "deploying apps on Cloud Foundry"
    say "kill -9, and the server starts again."
    end_server KILL
    start_server
    say "What it was told before:"
    $ask "Deploy to Cloud Foundry?" "Test a table with OPA5"
}

install
[ "$which" != install ] || exit 0
target=example-$which # for the words of choose_port
choose_port
rm -rf $folder
mkdir -p $folder
trap 'end_server TERM' EXIT
start_server
say "vdb-server answers on 127.0.0.1:$port."
if [ "$which" = rag ]; then
    node examples/rag.mjs "redis://127.0.0.1:$port"
else
    cache_story
fi
