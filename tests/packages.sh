# packages.sh: the Debian packages that each task needs, and how they are asked for. Sourced by the
# scripts behind make run, make test and the data sets.
#
#     . tests/packages.sh
#     need_packages $PACKAGES_RUN
#
# Names what is missing before it installs it. Without root and without sudo that asks no password,
# it prints the one line to run and ends the script.

PACKAGES_BUILD="gcc libc6-dev make libuv1-dev libjemalloc-dev libxxhash-dev libhiredis-dev \
    libcurl4-openssl-dev libssl-dev libroaring-dev libicu-dev libstemmer-dev libopenblas-serial-dev"
PACKAGES_GLOVE100="nodejs npm ca-certificates"
PACKAGES_FASHION784="nodejs dataset-fashion-mnist"
PACKAGES_RUN="$PACKAGES_BUILD redis-tools"
PACKAGES_CRASH="libfuse3-dev e2fsprogs mount util-linux strace"
PACKAGES_TEST="$PACKAGES_BUILD $PACKAGES_CRASH redis-tools python3 python3-redis binutils nodejs \
    npm"
# Watches a server in the tests, which skip what needs it when it cannot be had.
PACKAGES_WATCH="prometheus-redis-exporter"
# A real S3 server for the tests: 46 packages, 67 MB to fetch and 250 MB on the disk.
PACKAGES_S3="ceph-mon ceph-osd radosgw ceph-common curl openssl"
# For make LIBS3=1, which the tests build beside.
PACKAGES_LIBS3="libs3-dev"
# The clients of Redis that redis-compat/clients uses: 70 packages where none of it is there.
PACKAGES_CLIENTS="gcc libc6-dev libhiredis-dev python3 python3-redis python3-hiredis nodejs npm \
    ruby ruby-redis php-cli php-redis php-predis perl libredis-perl lua5.1 lua-redis golang-go \
    golang-github-gomodule-redigo-dev erlang-base erlang-redis-client"
PACKAGES_BENCH="g++ redis-server redis-tools libhnswlib-dev libfaiss-dev libopenblas-dev"
PACKAGES_PLOT="python3 gnuplot-nox"

# Some things count as installed when their command is there, wherever it came from.
have_package() {
    case $1 in
    nodejs) command -v node >/dev/null && return ;;
    gcc | make | npm | python3 | g++ | redis-server) command -v "$1" >/dev/null && return ;;
    redis-tools) command -v redis-cli >/dev/null && return ;;
    esac
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# Lists of packages are there unless the image was slimmed.
have_apt_lists() {
    ls /var/lib/apt/lists/*_Packages* >/dev/null 2>&1
}

# A package such as redis-server starts its service when it is installed, and at every boot. Here it
# is only a program that tests and benchmarks start by themselves: policy-rc.d (101: not allowed)
# keeps the installation from starting it, update-rc.d keeps the next boot from doing so.
install_quietly() {
    local policy=/usr/sbin/policy-rc.d own_policy=
    if ! $AS_ROOT test -e "$policy"; then
        own_policy=yes
        printf '#!/bin/sh\nexit 101\n' | $AS_ROOT tee "$policy" >/dev/null
        $AS_ROOT chmod 755 "$policy"
    fi
    local status=0
    $AS_ROOT env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        "$@" || status=$?
    [ -z "$own_policy" ] || $AS_ROOT rm -f "$policy"
    local service
    for service in redis-server prometheus-redis-exporter; do
        case " $* " in
        *" $service "*) [ $status != 0 ] || $AS_ROOT update-rc.d $service disable ;;
        esac
    done
    return $status
}

need_packages() {
    local missing="" name
    for name in "$@"; do
        have_package "$name" || missing="$missing $name"
    done
    [ -n "$missing" ] || return 0
    if ! command -v apt-get >/dev/null; then
        echo "vdb: these Debian packages, or what they are called here, are needed:$missing" >&2
        exit 1
    fi
    AS_ROOT=
    if [ "$(id -u)" != 0 ]; then
        if ! sudo -n true 2>/dev/null; then
            echo "vdb: some packages are missing, and installing them needs root. Run this:" >&2
            echo "    sudo apt-get install -y$missing" >&2
            exit 1
        fi
        AS_ROOT="sudo -n"
    fi
    echo "vdb: installing these Debian packages:$missing"
    have_apt_lists || $AS_ROOT apt-get update -qq
    # Old lists name versions that the archive has replaced since: fetch new ones, try once more.
    # shellcheck disable=SC2086 # a list of words
    install_quietly $missing || { $AS_ROOT apt-get update -qq && install_quietly $missing; }
}
