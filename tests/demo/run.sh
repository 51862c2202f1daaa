#!/usr/bin/env bash
# make run: builds vdb, starts it, fills it with 341,479 real word vectors and shows what it can do.
# The server then runs until Ctrl-C.
#     PORT=7000   another port than 6379
#     ONCE=1      stop after the show, as tests do
set -euo pipefail
cd "$(dirname "$0")/../.."
unset MAKEFLAGS MAKELEVEL MFLAGS
. tests/packages.sh
. tests/demo/port.sh

key=words
words=data/glove100/words
folder=data/run # what the server keeps
log=$folder/vdb-server.log
server=

say() { printf '\n%s\n' "$*"; }

# show COMMAND...: a command as a person would type it in redis-cli, and its answer.
show() {
    say "> $*"
    redis-cli -p "$port" "$@"
}

# The value of a field of INFO.
info() { redis-cli -p "$port" INFO "$1" | tr -d '\r' | sed -n "s/^$2://p"; }

stop_server() {
    trap - EXIT INT TERM
    if [ -n "$server" ] && kill -TERM "$server" 2>/dev/null; then
        wait "$server" || true
        say "vdb-server has stopped."
    fi
}

start_server() {
    mkdir -p $folder
    build/vdb-server --port "$port" --dir $folder >$log 2>&1 &
    server=$!
    # A background job of a script does not hear Ctrl-C, so it is told here.
    trap stop_server EXIT
    trap 'stop_server; exit 0' INT TERM
    if ! build/vdb ping --port "$port" --wait 10 >/dev/null; then
        echo "vdb-server does not answer. The end of $log:" >&2
        tail -n 20 $log >&2
        exit 1
    fi
}

fill() {
    local wanted have
    wanted=$(wc -l <$words.ids)
    have=$(redis-cli -p "$port" VCARD $key)
    if [ "$have" = "$wanted" ]; then
        say "The collection \"$key\" is there already."
        return
    fi
    say "Importing $words.fbin; the server answers meanwhile."
    build/vdb import $words.fbin --ids $words.ids --key $key --port "$port"
}

# The number of a field of VINFO.
field() { redis-cli -p "$port" VINFO $key | sed -n "/^$1\$/{n;p}"; }

say_memory() {
    say "$key: $(field size) vectors of $(field vector-dim) dimensions in" \
        "$(($(field memory-bytes) / 1000000)) MB, $(field bytes-per-vector) bytes each;" \
        "the whole server: $(($(info memory used_memory) / 1000000)) MB"
}

need_packages $PACKAGES_RUN $([ -e data/glove100/.complete ] || echo "$PACKAGES_GLOVE100")
echo "Building ..."
make -s -j"$(nproc)" all
tests/data/glove100.sh
choose_port
start_server
say "vdb-server answers on 127.0.0.1:$port."
fill
say_memory
show VSIM $key ELE king COUNT 5
show VSEARCH $key ELE king WITHDIST COUNT 5
say "Recall against exact search, and the time of a search:"
build/vdb bench --key $key --samples 200 --wait --port "$port"

say "Connect:  redis-cli -p $port      (try: VSIM $key ELE guitar COUNT 5 WITHSCORES)"
echo "Stop:     Ctrl-C"
[ -n "${ONCE:-}" ] || wait "$server"
