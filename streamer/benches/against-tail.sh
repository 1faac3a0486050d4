#!/usr/bin/env bash
# CPU, memory, wakeups and first byte of the streamer beside the `tail -F` of coreutils and of busybox, in one run on one machine.
# What they lose: losses.py.
#
#   RUSTFLAGS='-C target-feature=+crt-static' cargo build --release --target x86_64-unknown-linux-gnu -p tributary-streamer
#   streamer/benches/against-tail.sh target/x86_64-unknown-linux-gnu/release/tributary-streamer [MEGABYTES]
set -euo pipefail

streamer=$(realpath "${1:?the streamer to measure}")
megabytes=${2:-1024}
scratch=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill -KILL "$pid" 2>/dev/null || true; rm -rf "$scratch"' EXIT


# Starts program $1 with its output to $2 on the files that follow, and leaves its process id in $pid.
launch() {
    local program=$1 output=$2
    shift 2
    case $program in
    streamer) "$streamer" "${glob:-$1}" >"$output" 2>/dev/null & ;;
    coreutils) tail -n +1 -F "$@" >"$output" 2>/dev/null & ;;
    busybox) busybox tail -n +1 -F "$@" >"$output" 2>/dev/null & ;;
    esac
    pid=$!
}

stop() {
    # A tail whose reader is gone has ended by itself.
    kill -TERM "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
    pid=
}

field() { sed -n "s/^$1:[[:space:]]*\([0-9]*\).*/\1/p" "/proc/$pid/status"; }

# User and system time of $pid, in hundredths of a second.
cpu() { awk '{print $14 + $15}' "/proc/$pid/stat"; }

catch_up() {
    mkfifo "$scratch/pipe"
    # The pipe stays open after the last byte: tail ends when its reader does.
    { head -c "$bytes" >/dev/null; touch "$scratch/done"; sleep 2; } <"$scratch/pipe" &
    local reader=$!
    launch "$1" "$scratch/pipe" "$scratch/big.log"
    until [ -e "$scratch/done" ]; do sleep 0.1; done
    printf '%-10s %8.2f CPU-s/GB  %6d kB peak\n' "$1" "$(echo "$(cpu) * 10000000 / $bytes" | bc -l)" "$(field VmHWM)"
    stop
    wait "$reader"
    rm "$scratch/pipe" "$scratch/done"
}

# What program $1 takes while nothing happens to the files that follow.
idle() {
    local program=$1 before after
    shift
    launch "$program" /dev/null "$@"
    # Where nothing tells of changes, the streamer looks more often for half a minute.
    sleep 3
    before=$(field voluntary_ctxt_switches)
    sleep 20
    after=$(field voluntary_ctxt_switches)
    printf '%-10s %8.1f wakeups/s   %6d kB resident, %s kB of it its own\n' "$program" "$(echo "($after - $before) / 20" | bc -l)" \
        "$(field VmRSS)" "$(field RssAnon)"
    stop
}

# Milliseconds from the start of program $1 to its first byte; the least of twenty, as other programs run too.
first_byte() {
    local least=999999 begun took
    for _ in $(seq 20); do
        rm -f "$scratch/pipe"
        mkfifo "$scratch/pipe"
        begun=$(date +%s%N)
        launch "$1" "$scratch/pipe" "$scratch/idle.log"
        head -c 1 "$scratch/pipe" >/dev/null
        took=$((($(date +%s%N) - begun) / 1000))
        [ "$took" -ge "$least" ] || least=$took
        stop
    done
    rm "$scratch/pipe"
    printf '%-10s %8.1f ms to the first byte, the shell and two other programs included\n' "$1" "$(echo "$least / 1000" | bc -l)"
}

line='2026-01-31T10:11:12.345678Z INFO request 12345678 GET /api/v1/orders served in 12 ms by worker 3 with 200 and 4711 bytes in all.'
{ yes "$line" || true; } 2>/dev/null | head -c "$((megabytes * 1024 * 1024))" >"$scratch/big.log"
bytes=$(stat -c %s "$scratch/big.log")

echo "size of the binary: $(stat -c %s "$streamer") bytes"
for round in 1 2 3; do
    echo "catching up with $megabytes MiB through a pipe, round $round"
    for program in streamer coreutils busybox; do catch_up "$program"; done
done
echo 'a line' >"$scratch/idle.log"
mkdir "$scratch/many"
for number in $(seq 100); do echo 'a line' >"$scratch/many/$number.log"; done
echo 'start'
for program in streamer coreutils busybox; do first_byte "$program"; done
echo 'idle with one file'
for program in streamer coreutils busybox; do idle "$program" "$scratch/idle.log"; done
echo 'idle with 100 files'
for program in streamer coreutils busybox; do glob="$scratch/many/*.log" idle "$program" "$scratch"/many/*.log; done
