#!/usr/bin/env python3
"""Writes numbered lines to a file, and rotates it as one kind of logger or tool does.

    writer.py KIND FILE SECONDS

Prints how many lines were written. `writer.py --kinds` prints the kinds.
"""

import gzip
import itertools
import logging
import logging.handlers
import os
import shutil
import subprocess
import sys
import threading
import time

KEPT = 6
# Of each rotation: long beside what a busy machine keeps a reader waiting.
PERIOD = 0.5


def text(number):
    return f"line {number:09} of a log that a program keeps small while others read it"


class Clock:
    """Says when to rotate, and when the time is over; some 15,000 lines a second go by."""

    def __init__(self, seconds):
        self.end = time.monotonic() + seconds
        self.rotate_at = time.monotonic() + PERIOD
        self.number = 0

    def lines(self):
        while time.monotonic() < self.end:
            for _ in range(20):
                yield self.number
                self.number += 1
            time.sleep(0.001)

    def is_time_to_rotate(self):
        due = time.monotonic() >= self.rotate_at
        if due:
            self.rotate_at += PERIOD
        return due


def shift(path, suffix="", kept=KEPT):
    """Moves each rotated file one number up; the oldest goes."""
    for number in range(kept, 0, -1):
        old, new = f"{path}.{number}{suffix}", f"{path}.{number + 1}{suffix}"
        if os.path.exists(old):
            if number == kept:
                os.remove(old)
            else:
                os.rename(old, new)


def plain(path, clock, rotate):
    """Writes each line with one write(2); `rotate` gets the open file and returns the one to go on in."""
    file = open(path, "ab", buffering=0)
    for number in clock.lines():
        file.write(text(number).encode() + b"\n")
        if clock.is_time_to_rotate():
            file = rotate(file)


def rename_with_gap(path, clock):
    def rotate(file):
        shift(path)
        os.rename(path, f"{path}.1")
        time.sleep(0.1)
        return open(path, "ab", buffering=0)

    plain(path, clock, rotate)


def late_writer(path, clock):
    """Goes on in the renamed file for as long as the next rotation takes to come, in turns."""
    state = {"late": False}

    def rotate(file):
        state["late"] = not state["late"]
        if state["late"]:
            shift(path)
            os.rename(path, f"{path}.1")
            open(path, "ab").close()
            return file
        return open(path, "ab", buffering=0)

    plain(path, clock, rotate)


def symlink_swap(path, clock):
    state = {"number": 0}
    directory = os.path.dirname(path)

    def swap():
        state["number"] += 1
        target = os.path.join(directory, f"data-{state['number']}")
        file = open(target, "ab", buffering=0)
        os.symlink(target, f"{path}.new")
        os.rename(f"{path}.new", path)
        return file

    swap().close()
    plain(path, clock, lambda file: swap())


def kubelet(path, clock):
    """As container logs are rotated: a time in the name, compressed one rotation later."""
    rotated = []

    def rotate(file):
        name = f"{path}.{time.strftime('%Y%m%d-%H%M%S')}{time.time_ns() % 1_000_000_000:09}"
        if rotated:
            compress(rotated[-1])
        os.rename(path, name)
        rotated.append(name)
        for old in rotated[:-KEPT]:
            if os.path.exists(f"{old}.gz"):
                os.remove(f"{old}.gz")
        return open(path, "ab", buffering=0)

    plain(path, clock, rotate)


def log4j(path, clock):
    """A chain of indexes, compressed in the background as soon as a file is rolled."""
    workers = []

    def rotate(file):
        for worker in workers:
            worker.join()
        shift(path, ".gz")
        os.rename(path, f"{path}.1")
        workers[:] = [threading.Thread(target=compress, args=(f"{path}.1",))]
        workers[0].start()
        return open(path, "ab", buffering=0)

    plain(path, clock, rotate)
    for worker in workers:
        worker.join()


def compress(path):
    with open(path, "rb") as source, gzip.open(f"{path}.tmp", "wb", compresslevel=1) as target:
        shutil.copyfileobj(source, target)
    os.rename(f"{path}.tmp", f"{path}.gz")
    os.remove(path)


def logrotate(path, clock, *options, reopens=True, every=1):
    """Rotates every so many periods."""
    configuration, state = f"{path}.conf", f"{path}.state"
    with open(configuration, "w") as file:
        file.write(f"{path} {{\n  rotate {KEPT}\n  size 1\n  missingok\n")
        file.writelines(f"  {option}\n" for option in options)
        file.write("}\n")
    # It refuses a file or a directory that others may write to.
    os.chmod(configuration, 0o600)
    periods = itertools.count(1)

    def rotate(file):
        if next(periods) % every:
            return file
        subprocess.run(["logrotate", "--state", state, configuration], check=True)
        return open(path, "ab", buffering=0) if reopens else file

    plain(path, clock, rotate)


def logrotate_copytruncate(path, clock):
    """Under load: what is written between the copy and the truncation is on no disk."""
    configuration, state = f"{path}.conf", f"{path}.state"
    with open(configuration, "w") as file:
        file.write(f"{path} {{\n  rotate 1000\n  size 1\n  missingok\n  copytruncate\n}}\n")
    os.chmod(configuration, 0o600)
    over = threading.Event()

    def rotations():
        while not over.wait(PERIOD):
            subprocess.run(["logrotate", "--state", state, configuration], check=True)

    rotator = threading.Thread(target=rotations)
    rotator.start()
    clock.rotate_at = float("inf")
    plain(path, clock, lambda file: file)
    over.set()
    rotator.join()


def handled(handler, clock, rotate=lambda: None):
    logger = logging.getLogger("writer")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger.addHandler(handler)
    for number in clock.lines():
        logger.info(text(number))
        if clock.is_time_to_rotate():
            rotate()


def python_watched(path, clock):
    def rotate():
        shift(path)
        os.rename(path, f"{path}.1")

    handled(logging.handlers.WatchedFileHandler(path), clock, rotate)


KINDS = {
    "rename-gap": rename_with_gap,
    "late-writer": late_writer,
    "symlink-swap": symlink_swap,
    "kubelet": kubelet,
    "log4j": log4j,
    "python-rotating": lambda path, clock: handled(
        logging.handlers.RotatingFileHandler(path, maxBytes=400_000, backupCount=KEPT), clock
    ),
    "python-timed": lambda path, clock: handled(
        logging.handlers.TimedRotatingFileHandler(path, when="S", interval=1, backupCount=KEPT), clock
    ),
    "python-watched": python_watched,
    "logrotate-create": lambda path, clock: logrotate(path, clock, "create"),
    "logrotate-nocreate": lambda path, clock: logrotate(path, clock, "nocreate"),
    "logrotate-compress": lambda path, clock: logrotate(path, clock, "create", "compress", "delaycompress"),
    # Its names are told apart by seconds.
    "logrotate-dateext": lambda path, clock: logrotate(
        path, clock, "create", "dateext", "dateformat -%Y%m%d-%s", every=3
    ),
    "logrotate-copytruncate-paused": lambda path, clock: logrotate(path, clock, "copytruncate", reopens=False),
    "logrotate-copytruncate-loaded": logrotate_copytruncate,
}


def main():
    if sys.argv[1:] == ["--kinds"]:
        print("\n".join(KINDS))
        return
    kind, path, seconds = sys.argv[1:]
    clock = Clock(float(seconds))
    KINDS[kind](path, clock)
    print(clock.number)


main()
