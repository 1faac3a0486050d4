#!/usr/bin/env python3
"""Which lines readers of growing files lose, double, reorder or tear, for each kind of writer: all of them read the same files at
the same time.

    losses.py STREAMER [SECONDS [KIND...]]

Prints a table. Needs logrotate and busybox.
"""

import glob
import gzip
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

WRITER = os.path.join(os.path.dirname(__file__), "../tests/programs/writer.py")
LINE = re.compile(rb"line (\d{9}) of a log that a program keeps small while others read it")


def readers(streamer, path):
    return {
        "streamer": [streamer, path],
        "streamer, no inotify": [streamer, "--no-inotify", path],
        "coreutils tail -F": ["tail", "-n", "+1", "-F", path],
        "busybox tail -F": ["busybox", "tail", "-n", "+1", "-F", path],
    }


def numbers_in(content):
    """The numbers of the whole lines in order, and how many other lines there are."""
    numbers, torn = [], 0
    for line in content.splitlines():
        found = LINE.fullmatch(line)
        if found:
            numbers.append(int(found[1]))
        else:
            torn += 1
    return numbers, torn


def on_disk(directory):
    kept = set()
    for path in glob.glob(f"{directory}/*"):
        opener = gzip.open if path.endswith(".gz") else open
        with opener(path, "rb") as file:
            kept.update(numbers_in(file.read())[0])
    return kept


def verdict(content, written, nowhere):
    numbers, torn = numbers_in(content)
    seen = set(numbers)
    lost = written - len(seen) - nowhere
    doubled = len(numbers) - len(seen)
    reordered = sum(after < before for before, after in zip(numbers, numbers[1:]))
    others = [f"{count:,} {what}" for count, what in [(doubled, "doubled"), (reordered, "jumps back"), (torn, "torn")] if count]
    return ", ".join([f"{lost:,}"] + others)


def measure(streamer, kind, seconds):
    with tempfile.TemporaryDirectory() as scratch:
        directory = os.path.join(scratch, "logs")
        os.mkdir(directory)
        os.chmod(directory, 0o755)
        path = os.path.join(directory, "app.log")
        running = {}
        for name, command in readers(streamer, path).items():
            output = open(os.path.join(scratch, "output of " + name), "wb")
            running[name] = subprocess.Popen(command, stdout=output, stderr=subprocess.DEVNULL)
        time.sleep(0.5)
        writer = subprocess.run([sys.executable, WRITER, kind, path, str(seconds)], check=True, stdout=subprocess.PIPE)
        written = int(writer.stdout)
        # Busybox looks once a second.
        time.sleep(2.5)
        for process in running.values():
            process.send_signal(signal.SIGTERM)
            process.wait()
        # Only there does a rotation take lines from all readers, and all rotated files are kept.
        nowhere = written - len(on_disk(directory)) if kind == "logrotate-copytruncate-loaded" else 0
        row = []
        for name in running:
            with open(os.path.join(scratch, "output of " + name), "rb") as file:
                content = file.read()
            numbers = set(numbers_in(content)[0])
            # A reader may have seen some of what no copy has.
            unseen = nowhere - (len(numbers - on_disk(directory)) if nowhere else 0)
            row.append(verdict(content, written, unseen))
        return written, nowhere, row


def main():
    streamer = os.path.realpath(sys.argv[1])
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 10.0
    all_kinds = subprocess.run([sys.executable, WRITER, "--kinds"], check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    columns = list(readers(streamer, ""))
    print("| writer | lines | on no disk |", " | ".join(columns), "|")
    print("|---" * (3 + len(columns)) + "|")
    for kind in sys.argv[3:] or all_kinds:
        written, nowhere, row = measure(streamer, kind, seconds)
        print(f"| {kind} | {written:,} | {nowhere:,} |", " | ".join(row), "|", flush=True)


main()
