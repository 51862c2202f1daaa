#!/usr/bin/env bash
# Runs the tests of the S3 backend, and of vdb-server with it, against a real S3 server
# (tests/s3/README.md):
#     tests/s3/run.sh [install] [SUBSTRING ...]
#
# With "install", installs Ceph when it is missing. Where the server cannot be had, says so and
# counts every test as skipped.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit
. tests/packages.sh
. tests/demo/port.sh
install=
[ "${1:-}" != install ] || { install=yes && shift; }

make -s --no-print-directory all s3-tests || exit 1
tests=$(make -s --no-print-directory print-s3-tests)
libs3= # the folder of a build with libs3, when the library is there
if [ -f /usr/include/libs3.h ]; then
    make_libs3="make -s --no-print-directory LIBS3=1 MODE=debug"
    $make_libs3 s3-tests s3-server || exit 1
    libs3=$(dirname "$($make_libs3 print-s3-tests)")
fi

skip_all() {
    local count
    count=$(cat tests/s3/*_test.* tests/lib/backups.py |
        grep -cE '^(TEST|OVERCOMES)\(|^    def test_')
    echo "SKIP s3: $*"
    echo "0 passed, 0 failed, $count skipped"
    exit 0
}

[ "$(id -u)" = 0 ] || skip_all "radosgw is started as root only"
if ! command -v radosgw-admin ceph-mon ceph-osd >/dev/null; then
    [ -n "$install" ] || skip_all "Ceph is not installed; make test installs it (67 MB)"
    (need_packages $PACKAGES_S3) >&2 || skip_all "the packages $PACKAGES_S3 cannot be installed"
fi

folder=$(mktemp -d /tmp/vdb-s3-server-XXXXXX)
proxies=
finish() {
    tests/s3/radosgw.sh stop "$folder/rgw"
    [ -z "$proxies" ] || kill $proxies 2>/dev/null
    rm -rf "$folder"
}
trap finish EXIT

port=$(free_port)
started=$SECONDS
tests/s3/radosgw.sh start "$folder/rgw" "$port" >&2 || skip_all "radosgw does not start here"
echo "radosgw answers after $((SECONDS - started)) s"
. "$folder/rgw/env"

openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 \
    -addext subjectAltName=IP:127.0.0.1 -keyout "$folder/key.pem" -out "$folder/cert.pem" \
    2>/dev/null
proxy_port=$(free_port)
tests/s3/fault_proxy.py "$proxy_port" "$port" &
proxies=$!
tls_port=$(free_port)
tests/s3/fault_proxy.py "$tls_port" "$port" --tls "$folder/cert.pem" "$folder/key.pem" &
proxies="$proxies $!"
libs3_port=$(free_port)
tests/s3/fault_proxy.py "$libs3_port" "$port" &
proxies="$proxies $!"
for p in "$proxy_port" "$tls_port" "$libs3_port"; do
    until (exec 3<>"/dev/tcp/127.0.0.1/$p") 2>/dev/null; do sleep 0.05; done
done
export VDB_S3_PROXY=http://127.0.0.1:$proxy_port VDB_S3_TLS=https://127.0.0.1:$tls_port \
    VDB_S3_CA=$folder/cert.pem

# They wait most of the time, so all run at once.
tests/s3/radosgw.sh bucket "$folder/rgw" vdb-server-test || exit 1
if [ $# != 0 ]; then
    "$tests" "$@"
    exit
fi
"$tests" >"$folder/1.log" 2>&1 &
running=$!
tests/s3/server_test.py >"$folder/2.log" 2>&1 &
running="$running $!"
if [ -n "$libs3" ]; then
    VDB_S3_PROXY=http://127.0.0.1:$libs3_port "$libs3/s3-tests" s3_libs3 >"$folder/3.log" 2>&1 &
    running="$running $!"
    VDB_S3_BACKEND=libs3 VDB_SERVER=$libs3/vdb-server tests/s3/server_test.py \
        Radosgw.test_a_lost_folder_comes_back Radosgw.test_files_of_many_parts_come_back \
        >"$folder/4.log" 2>&1 &
    running="$running $!"
else
    echo "SKIP s3_libs3: libs3-dev is not installed"
fi
status=0
for process in $running; do
    wait "$process" || status=1
done
cat "$folder"/[1-4].log
cat "$folder"/[1-4].log | awk '/passed, .* failed, .* skipped$/ { p += $1; f += $3; s += $5 }
    END { print p " passed, " f " failed, " s " skipped" }'
exit $status
