#!/usr/bin/env bash
# CPU, memory and loss of the streamer beside coreutils `tail -F`, in one run on one machine.
#
#   RUSTFLAGS='-C target-feature=+crt-static' cargo build --release --target x86_64-unknown-linux-gnu -p tributary-streamer
#   streamer/benches/against-tail.sh target/x86_64-unknown-linux-gnu/release/tributary-streamer [MEGABYTES]
set -euo pipefail

streamer=$(realpath "${1:?the streamer to measure}")
megabytes=${2:-1024}
scratch=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill -KILL "$pid" 2>/dev/null || true; rm -rf "$scratch"' EXIT


# Starts program $1 on file $2 with its output to $3, and leaves its process id in $pid.
launch() {
    if [ "$1" = streamer ]; then
        "$streamer" "$2" >"$3" 2>/dev/null &
    else
        tail -n +1 -F "$2" >"$3" 2>/dev/null &
    fi
    pid=$!
}

stop() {
    kill -TERM "$pid"
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
    launch "$1" "$scratch/big.log" "$scratch/pipe"
    until [ -e "$scratch/done" ]; do sleep 0.1; done
    printf '%-10s %8.2f CPU-s/GB  %6d kB peak\n' "$1" "$(echo "$(cpu) * 10000000 / $bytes" | bc -l)" "$(field VmHWM)"
    stop
    wait "$reader"
    rm "$scratch/pipe" "$scratch/done"
}

idle() {
    echo 'a line' >"$scratch/idle.log"
    launch "$1" "$scratch/idle.log" /dev/null
    sleep 2
    local before after
    before=$(field voluntary_ctxt_switches)
    sleep 10
    after=$(field voluntary_ctxt_switches)
    printf '%-10s %8.1f wakeups/s   %6d kB resident, %s kB of it its own\n' "$1" "$(echo "($after - $before) / 10" | bc -l)" \
        "$(field VmRSS)" "$(field RssAnon)"
    stop
}

# Numbered lines, renamed away every 20,000 lines; the next file comes 100 ms later.
rename_loss() {
    rm -f "$scratch"/rename.log*
    : >"$scratch/out"
    launch "$1" "$scratch/rename.log" "$scratch/out"
    sleep 0.3
    local round
    for round in 0 1 2 3 4 5; do
        seq -f 'line %.0f of a log that is renamed under load' $((round * 20000 + 1)) $((round * 20000 + 20000)) \
            >"$scratch/rename.log"
        sleep 0.4
        mv "$scratch/rename.log" "$scratch/rename.log.$round"
        echo 'a last word of the writer' >>"$scratch/rename.log.$round"
        sleep 0.1
    done
    sleep 0.5
    stop
    local got
    got=$(sort -u "$scratch/out" | grep -c '^line' || true)
    printf '%-10s %8d lost  %6d doubled of 120000 numbered lines; %d of 6 last words\n' "$1" $((120000 - got)) \
        $(($(grep -c '^line' "$scratch/out") - got)) "$(grep -c '^a last' "$scratch/out" || true)"
}

line='2026-01-31T10:11:12.345678Z INFO request 12345678 GET /api/v1/orders served in 12 ms by worker 3 with 200 and 4711 bytes in all.'
{ yes "$line" || true; } 2>/dev/null | head -c "$((megabytes * 1024 * 1024))" >"$scratch/big.log"
bytes=$(stat -c %s "$scratch/big.log")

echo "size of the binary: $(stat -c %s "$streamer") bytes"
for round in 1 2 3; do
    echo "catching up with $megabytes MiB through a pipe, round $round"
    catch_up streamer
    catch_up tail
done
echo 'idle with one file'
idle streamer
idle tail
echo 'rename'
rename_loss streamer
rename_loss tail
