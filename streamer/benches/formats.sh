#!/usr/bin/env bash
# CPU and memory of the streamer's formats, catching up with a file of lines and one of stack traces.
#
#   RUSTFLAGS='-C target-feature=+crt-static' cargo build --release --target x86_64-unknown-linux-gnu -p tributary-streamer
#   streamer/benches/formats.sh target/x86_64-unknown-linux-gnu/release/tributary-streamer [MEGABYTES]
set -euo pipefail

streamer=$(realpath "${1:?the streamer to measure}")
megabytes=${2:-512}
scratch=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill -KILL "$pid" 2>/dev/null || true; rm -rf "$scratch"' EXIT

line='2026-01-31T10:11:12.345678Z INFO request 12345678 GET /api/v1/orders served in 12 ms by worker 3 with 200 and 4711 bytes in all.'
trace=$'2026-01-31T10:11:12.345678Z ERROR com.example.OrderException: no such order\n\tat com.example.shop.OrderService.find(OrderService.java:42)'
trace+=$'\n\tat com.example.shop.OrderController.get(OrderController.java:17)\nCaused by: java.sql.SQLException: timeout\n\t... 23 more'

# User and system time of children that were waited for, in hundredths of a second.
children() { awk '{print $16 + $17}' "/proc/$$/stat"; }

# Reads file $1 to its end with the options that follow.
catch_up() {
    local file=$1 before after peak=0 seen bytes
    shift
    bytes=$(stat -c %s "$file")
    before=$(children)
    "$streamer" "$@" -- "$file" >/dev/null 2>&1 &
    pid=$!
    # Once the handler is there, the signal means: read to the end.
    until grep -q '^SigCgt:.*[^0[:space:]]' "/proc/$pid/status"; do sleep 0.01; done
    sleep 0.1
    kill -TERM "$pid"
    while seen=$(sed -n 's/^VmHWM:[[:space:]]*\([0-9]*\).*/\1/p' "/proc/$pid/status" 2>/dev/null) && [ -n "$seen" ]; do
        peak=$seen
        sleep 0.02
    done
    wait "$pid"
    pid=
    after=$(children)
    printf '%-55s %6.2f CPU-s/GB  %6d kB peak\n' "$*" "$(echo "($after - $before) * 10000000 / $bytes" | bc -l)" "$peak"
}

# Beyond the last line the pipe ends, and `yes` with it.
{ yes "$line" || true; } 2>/dev/null | head -c "$((megabytes * 1024 * 1024))" >"$scratch/lines.log"
{ yes "$trace" || true; } 2>/dev/null | head -c "$((megabytes * 1024 * 1024))" >"$scratch/traces.log"
for round in 1 2; do
    echo "lines of ${#line} bytes, round $round"
    catch_up "$scratch/lines.log" --format=raw
    catch_up "$scratch/lines.log" --prefix
    catch_up "$scratch/lines.log" --format=json --container=app
    for rules in java python go ruby '/^[0-9]{4}-/'; do
        catch_up "$scratch/lines.log" --format=json "--multiline=$rules"
    done
    echo "traces of five lines, round $round"
    catch_up "$scratch/traces.log" --format=json --multiline=java
    catch_up "$scratch/traces.log" --format=json '--multiline=/^[0-9]{4}-/'
done
