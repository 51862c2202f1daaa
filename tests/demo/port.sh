# port.sh: which port is free, and who has the one that is not. Sourced.

port_is_busy() {
    (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# The name and number of the process that listens on a port, as far as this user may know.
port_owner() {
    local hex inode link pid
    hex=$(printf '%04X' "$1")
    inode=$(cat /proc/net/tcp /proc/net/tcp6 2>/dev/null |
        awk -v port=":$hex\$" '$2 ~ port && $4 == "0A" { print $10; exit }' || true)
    link=$(find /proc/[0-9]*/fd -lname "socket:\[$inode\]" -print -quit 2>/dev/null || true)
    if [ -n "$link" ]; then
        pid=${link#/proc/} pid=${pid%%/*}
        echo "$(cat "/proc/$pid/comm") (process $pid)"
        return
    fi
    echo "a process of another user"
}

# Sets port: PORT when it was given, else 6379, else 6380.
choose_port() {
    port=${PORT:-6379}
    port_is_busy "$port" || return 0
    echo "Port $port is taken by $(port_owner "$port")."
    if [ -z "${PORT:-}" ] && ! port_is_busy 6380; then
        port=6380
        echo "Taking 6380 instead; 'make ${target:-run} PORT=7000' takes another."
        return
    fi
    echo "Choose a free one, as in: make ${target:-run} PORT=7000" >&2
    exit 1
}

# Prints a port that is free.
free_port() {
    python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])'
}
