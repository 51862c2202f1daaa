#!/usr/bin/env bash
# make demo-crash: what survives a crash, told with figures. 341,479 real word vectors; then
#     1. kill -9, start again: how long until the first correct search?
#     2. the whole data folder is deleted: the same, restored from an object store
#     3. a collection is dropped by mistake: the same, as it was a moment before
# The object store is Ceph's radosgw on this machine; where that cannot be had, a local folder
# stands in for it, and the story says so.
set -euo pipefail
cd "$(dirname "$0")/../.."
unset MAKEFLAGS MAKELEVEL MFLAGS
. tests/packages.sh
. tests/demo/port.sh

key=words
words=data/glove100/words
folder=data/demo-crash # made anew by every run
files=$folder/files    # the server's option dir
log=$folder/vdb-server.log
server=
rgw=   # the folder of radosgw, while it runs
store= # options of the server for its object store

say() { printf '%s\n' "$*"; }
now_ms() { date +%s%3N; }
seconds() { printf '%d.%03d' $(($1 / 1000)) $(($1 % 1000)); }
cli() { redis-cli -p "$port" "$@"; }
# The value of a field of INFO.
info() { cli INFO "$1" | tr -d '\r' | sed -n "s/^$2://p"; }
# The questions that tell whether the data is back.
ask() {
    local word
    for word in king guitar purple monday; do
        cli VSIM $key ELE $word COUNT 5
    done
}

finish() {
    [ -z "$server" ] || kill_server
    [ -z "$rgw" ] || tests/s3/radosgw.sh stop "$rgw"
}

# Sets store to radosgw, or to a local folder where that cannot be had.
open_store() {
    local rgw_port
    if [ "$(id -u)" != 0 ]; then
        say "   Ceph's radosgw needs root here; a local folder is the object store."
    elif (need_packages $PACKAGES_S3); then
        rgw_port=$(free_port)
        rgw=$(mktemp -d /tmp/vdb-demo-rgw-XXXXXX)/rgw
        if tests/s3/radosgw.sh start "$rgw" "$rgw_port" && tests/s3/radosgw.sh bucket "$rgw" words
        then
            . "$rgw/env"
            export AWS_ACCESS_KEY_ID=$VDB_S3_ACCESS_KEY AWS_SECRET_ACCESS_KEY=$VDB_S3_SECRET_KEY
            url=s3://words/demo
            store="--object-store-endpoint $VDB_S3_ENDPOINT"
            say "   The object store is Ceph's radosgw, $VDB_S3_ENDPOINT."
            return
        fi
        say "   radosgw does not start here; a local folder is the object store."
    else
        say "   Ceph cannot be installed; a local folder is the object store."
    fi
    url=file://$PWD/$folder/store
}

# start_server OPTION...: begins to start; who needs it waits.
start_server() {
    # shellcheck disable=SC2086 # words
    build/vdb-server --port "$port" --dir $files --save "" $store "$@" >>$log 2>&1 &
    server=$!
}

# kill_server: as a crash does it.
kill_server() {
    kill -9 "$server" 2>/dev/null || true
    { wait "$server" || true; } 2>/dev/null # no word of bash about it
    server=
}

# start_until_correct WHAT OPTION...: starts the server, and says how long until the questions had
# the answers that they had before.
start_until_correct() {
    local what=$1 start took from
    shift
    from=$(wc -l <$log)
    start=$(now_ms)
    start_server "$@"
    until [ "$(ask 2>/dev/null)" = "$expected" ]; do
        kill -0 "$server" 2>/dev/null || give_up "the server has ended"
        [ $(($(now_ms) - start)) -lt 120000 ] || give_up "the answers are not what they were"
        sleep 0.005
    done
    took=$(seconds $(($(now_ms) - start)))
    say "   $what: first correct search after $took s; $(cli VCARD $key) vectors."
    tail -n "+$((from + 1))" $log |
        sed -n '/restored from\|loaded up to/ s/^.*\* /   In its own words: /p'
}

give_up() {
    say "$* The end of $log:"
    tail -n 20 $log
    exit 1
}

fill() {
    local start
    start=$(now_ms)
    build/vdb import $words.fbin --ids $words.ids --key $key --port "$port" >/dev/null
    until [ "$(cli VINFO $key | sed -n '/^pending$/{n;p}')" = 0 ]; do sleep 0.1; done
    start=$(seconds $(($(now_ms) - start)))
    say "   $(cli VCARD $key) word vectors imported and linked in $start s."
}

# Adds until the server dies, and prints how many were acknowledged.
add_until_killed() {
    python3 - "$port" $key <<'PYTHON'
import socket, sys
port, key = int(sys.argv[1]), sys.argv[2]
link = socket.create_connection(('127.0.0.1', port))
values = ' '.join(['0.1'] * 99)
done = 0
try:
    while True:
        link.sendall(f'VADD {key} VALUES 100 {values} {done % 97} new-{done}\r\n'.encode())
        if link.recv(64) != b':1\r\n':
            break
        done += 1
except OSError:
    pass
print(done)
PYTHON
}

crash() {
    local adder new have
    say "1. kill -9 while a client writes"
    cli SAVE >/dev/null
    say "   A snapshot was taken; then a client adds more, one by one."
    add_until_killed >$folder/acknowledged &
    adder=$!
    sleep 1
    kill_server
    wait $adder
    new=$(cat $folder/acknowledged)
    say "   Killed. $new had been acknowledged, which only the log has."
    start_until_correct "Started again" --object-store "$url"
    have=$(($(cli VCARD $key) - $(wc -l <$words.ids)))
    # The last one may have been logged when its answer was lost.
    [ "$have" = "$new" ] || [ "$have" = $((new + 1)) ] || give_up "$have of them came back."
    say "   All that was acknowledged is there."
}

# wait_stored: until the object store has every change.
wait_stored() {
    local start
    start=$(now_ms)
    until [ "$(info persistence object_store_lag_records)" = 0 ] &&
        [ "$(info persistence object_store_in_progress)" = 0 ] &&
        [ "$(info persistence object_store_log_lsn)" -ge "$1" ]; do
        [ $(($(now_ms) - start)) -lt 120000 ] ||
            give_up "the store lags: $(info persistence object_store_last_error)"
        sleep 0.05
    done
}

lose() {
    local start sent mb before
    say "2. The whole data folder is lost"
    start=$(now_ms)
    sent=$(info persistence object_store_uploaded_bytes)
    wait_stored "$(cli VBACKUP)"
    mb=$((($(info persistence object_store_uploaded_bytes) - sent) / 1000000))
    say "   A backup (VBACKUP) was complete after $(seconds $(($(now_ms) - start))) s, for which" \
        "$mb MB were sent; the rest was there."
    before=$(cli VCARD $key)
    kill_server
    rm -rf $files
    start_until_correct "Killed, folder deleted, started again" --object-store "$url"
    [ "$(cli VCARD $key)" = "$before" ] || give_up "there were $before vectors."
}

drop() {
    local moment before
    say "3. VDROP by mistake"
    before=$(cli VCARD $key)
    moment=$(date -u +%Y-%m-%dT%H:%M:%S.%3NZ)
    sleep 0.1
    say "   $moment: $before vectors. A moment later: VDROP $key: $(cli VDROP $key)"
    wait_stored "$(cli VBACKUP)"
    say "   The drop has gone to the store too: $(cli EXISTS $key) of it is left."
    kill_server
    rm -rf $files
    start_until_correct "Restored from the store --at $moment" --restore-from "$url" --at "$moment"
    [ "$(cli VCARD $key)" = "$before" ] || give_up "there were $before vectors."
}

need_packages $PACKAGES_RUN python3 $([ -e data/glove100/.complete ] || echo "$PACKAGES_GLOVE100")
say "Building ..."
make -s -j"$(nproc)" all
tests/data/glove100.sh
choose_port
rm -rf $folder
mkdir -p $folder
trap finish EXIT
trap 'exit 1' INT TERM
open_store
start_server --object-store "$url"
build/vdb ping --port "$port" --wait 10 >/dev/null || give_up "vdb-server does not answer"
fill
expected=$(ask)
say "   The nearest to king: $(echo "$expected" | head -n 5 | tr '\n' ' ')"
crash
lose
drop
