#!/usr/bin/env bash
# radosgw.sh: a real S3 server for tests: Ceph's radosgw with one monitor and one disk in memory, on
# loopback, in a folder of its own. radosgw checks signatures, which smaller servers do not.
#
#     tests/s3/radosgw.sh start DIR PORT    returns when it answers; DIR must not exist
#     tests/s3/radosgw.sh bucket DIR NAME   makes a bucket
#     tests/s3/radosgw.sh stop DIR          ends it and removes DIR
#
# DIR/env then has VDB_S3_ENDPOINT, VDB_S3_ACCESS_KEY and VDB_S3_SECRET_KEY, as lines of a shell.
# Needs the packages PACKAGES_S3 of tests/packages.sh, and root: without it the monitor refuses.
set -euo pipefail

WAIT_S=90

fail() {
    echo "radosgw.sh: $*" >&2
    exit 1
}

free_port() {
    python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])'
}

# wait_for WHAT COMMAND...: until the command succeeds.
wait_for() {
    local what=$1 until=$((SECONDS + WAIT_S))
    shift
    until "$@" >>"$dir/log/wait.log" 2>&1; do
        [ $SECONDS -lt $until ] || fail "$what did not come; see $dir/log"
        sleep 0.1
    done
}

# daemon NAME COMMAND...: in the background; stop finds it by its number.
daemon() {
    local name=$1
    shift
    setsid "$@" -f >"$dir/log/$name.out" 2>&1 </dev/null &
    echo $! >"$dir/$name.pid"
}

write_conf() {
    cat >"$dir/ceph.conf" <<CONF
[global]
fsid = $fsid
mon host = [v2:127.0.0.1:$mon_port]
mon initial members = a
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
auth allow insecure global id reclaim = false
keyring = $dir/keyring
run dir = $dir/run
log file = $dir/log/\$name.log
admin socket = $dir/run/\$name.asok
public addr = 127.0.0.1
ms bind ipv6 = false
ms bind msgr1 = false
mon data = $dir/mon
osd data = $dir/osd
osd objectstore = memstore
memstore device bytes = 4294967296
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
osd crush chooseleaf type = 0
mon allow pool size one = true
mon data avail warn = 1
mon data avail crit = 0
rgw data = $dir/rgw
rgw frontends = beast endpoint=127.0.0.1:$port
rgw dns name = localhost
rgw thread pool size = 16
rgw enable usage log = false
rgw run sync thread = false
rgw multipart min part size = 65536
CONF
}

make_keys() {
    local tool="ceph-authtool $dir/keyring"
    $tool --create-keyring --gen-key -n mon. --cap mon 'allow *'
    $tool --gen-key -n client.admin --cap mon 'allow *' --cap osd 'allow *' --cap mgr 'allow *'
    $tool --gen-key -n osd.0 --cap mon 'allow profile osd' --cap osd 'allow *'
    $tool --gen-key -n client.rgw --cap mon 'allow rw' --cap osd 'allow rwx'
} >/dev/null

start() {
    [ "$(id -u)" = 0 ] || fail "needs root"
    mkdir -p "$dir/run" "$dir/log" "$dir/mon" "$dir/osd" "$dir/rgw"
    fsid=$(cat /proc/sys/kernel/random/uuid)
    osd_uuid=$(cat /proc/sys/kernel/random/uuid)
    mon_port=$(free_port)
    local ceph="ceph -c $dir/ceph.conf --connect-timeout 20"
    write_conf
    make_keys
    monmaptool --create --fsid "$fsid" --addv a "[v2:127.0.0.1:$mon_port]" "$dir/monmap" >/dev/null
    ceph-mon -c "$dir/ceph.conf" -i a --mkfs --monmap "$dir/monmap" --keyring "$dir/keyring"
    daemon mon ceph-mon -c "$dir/ceph.conf" -i a
    wait_for "the monitor" $ceph mon stat
    $ceph auth import -i "$dir/keyring" 2>/dev/null
    $ceph osd new "$osd_uuid" 0 >/dev/null
    ceph-osd -c "$dir/ceph.conf" -i 0 --mkfs --osd-uuid "$osd_uuid" 2>/dev/null
    daemon osd ceph-osd -c "$dir/ceph.conf" -i 0
    daemon rgw radosgw -c "$dir/ceph.conf" -n client.rgw
    wait_for "radosgw" curl -sf -o /dev/null "http://127.0.0.1:$port/"
    local key=VDBTESTKEY secret
    secret=$(od -An -N20 -tx1 /dev/urandom | tr -d ' \n')
    radosgw-admin -c "$dir/ceph.conf" -n client.rgw user create --uid=vdb --display-name=vdb \
        --access-key=$key --secret-key="$secret" >/dev/null 2>>"$dir/log/wait.log"
    cat >"$dir/env" <<ENV
export VDB_S3_ENDPOINT=http://127.0.0.1:$port VDB_S3_ACCESS_KEY=$key VDB_S3_SECRET_KEY=$secret
ENV
}

make_bucket() {
    . "$dir/env"
    local nothing
    nothing=$(printf '' | sha256sum | cut -d ' ' -f 1)
    curl -sSf -o /dev/null -X PUT --aws-sigv4 aws:amz:us-east-1:s3 \
        -u "$VDB_S3_ACCESS_KEY:$VDB_S3_SECRET_KEY" -H "x-amz-content-sha256: $nothing" \
        "$VDB_S3_ENDPOINT/$1" || fail "the bucket $1 could not be made"
}

# By force, the disk first: nothing of it is worth an orderly end, which takes eight seconds.
stop() {
    local name
    for name in osd rgw mon; do
        [ ! -f "$dir/$name.pid" ] || kill -9 "$(cat "$dir/$name.pid")" 2>/dev/null || true
    done
    rm -rf "$dir"
}

command=${1:-} dir=${2:-} port=${3:-}
case $command in
start)
    [ -n "$dir" ] && [ -n "$port" ] && [ ! -e "$dir" ] || fail "usage: radosgw.sh start DIR PORT"
    mkdir -p "$dir"
    dir=$(cd "$dir" && pwd)
    trap '[ $? = 0 ] || { tail -n 5 "$dir"/log/*.out >&2; stop; }' EXIT
    start
    ;;
bucket)
    [ -f "$dir/env" ] && [ -n "$port" ] || fail "usage: radosgw.sh bucket DIR NAME"
    make_bucket "$port"
    ;;
stop)
    [ -f "$dir/ceph.conf" ] || exit 0
    stop
    ;;
*) fail "usage: radosgw.sh start DIR PORT | bucket DIR NAME | stop DIR" ;;
esac
