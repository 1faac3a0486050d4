#!/usr/bin/env bash
# Instructions that the streamer takes for fixed inputs of 15 to 20 MB, held to those in instructions.txt within a few percent: they are
# the same on every run, where seconds are not. One file each, as looks at many go by the clock.
#
#   RUSTFLAGS='-C target-feature=+crt-static' cargo build --release --target x86_64-unknown-linux-gnu -p tributary-streamer
#   streamer/benches/instructions.sh target/x86_64-unknown-linux-gnu/release/tributary-streamer [--renew]
#
# --renew writes what was counted to instructions.txt: after a new compiler, or a change that is worth what it costs.
set -euo pipefail

streamer=$(realpath "${1:?the streamer to measure}")
held=$(dirname "$(realpath "$0")")/instructions.txt
percent=5
if ! command -v valgrind >/dev/null; then
    echo 'SKIPPED: instructions are not counted, valgrind is not installed'
    exit 0
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

line='2026-01-31T10:11:12.345678Z INFO request 12345678 GET /api/v1/orders served in 12 ms by worker 3 with 200 and 4711 bytes in all.'
trace=$'2026-01-31T10:11:12.345678Z ERROR com.example.OrderException: no such order\n\tat com.example.shop.OrderService.find(OrderService.java:42)\n\t... 23 more'
# Beyond the last line the pipe ends, and `yes` with it.
{ yes "$line" || true; } 2>/dev/null | head -n 155000 >"$scratch/lines.log"
{ yes "$trace" || true; } 2>/dev/null | head -n 300000 >"$scratch/traces.log"

# Instructions for name $1: reads what the options that follow say to its end.
count() {
    local name=$1 pid
    shift
    valgrind --tool=callgrind --callgrind-out-file="$scratch/$name.out" "$streamer" "$@" >"$scratch/printed" 2>/dev/null &
    pid=$!
    # All has been read when the output grows no more; valgrind makes it some fifty times as slow.
    local before=-1 now=0
    until [ "$now" -gt 0 ] && [ "$now" = "$before" ]; do
        before=$now
        sleep 2
        now=$(stat -c %s "$scratch/printed")
    done
    kill -TERM "$pid"
    wait "$pid"
    echo "$name $(sed -n 's/^summary: //p' "$scratch/$name.out")"
}

{
    count raw "$scratch/lines.log"
    count prefix --prefix "$scratch/lines.log"
    count json --format=json "$scratch/lines.log"
    count java --format=json --multiline=java "$scratch/traces.log"
} >"$scratch/counted"

if [ "${2:-}" = --renew ]; then
    cp "$scratch/counted" "$held"
    cat "$held"
    exit 0
fi
failed=0
while read -r name instructions; do
    was=$(sed -n "s/^$name //p" "$held")
    change=$(((instructions - was) * 1000 / was))
    printf '%-14s %14d instructions, %+d.%d %% of what is held\n' "$name" "$instructions" $((change / 10)) $((${change#-} % 10))
    if [ "${change#-}" -gt $((percent * 10)) ]; then
        failed=1
    fi
done <"$scratch/counted"
if [ "$failed" = 1 ]; then
    echo "more than $percent % off: find out why, or renew with --renew" >&2
fi
exit "$failed"
