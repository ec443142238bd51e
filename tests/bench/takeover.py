#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""takeover.py MOUNTPOINT [KILLS]: how a client sees the end of workers.

Writes 4 KiB again and again, with the time of each write, while another process
kills the worker (11 times). Of these the one with the median pause goes to stdout
as JSON: "samples" has [ms from the kill on, us that it took], "errors" how many of
all writes failed, "pauses" the longest write of each kill in us.
"""

import json
import os
import signal
import sys
import time

BEFORE, AFTER = 0.1, 0.15
MOUNT = sys.argv[1]
KILLS = int(sys.argv[2]) if len(sys.argv) > 2 else 11


def survival():
    with open(f"{MOUNT}/.zsstats/stats.json", encoding="ascii") as file:
        return json.load(file)["survival"]


def ready_worker():
    end = time.monotonic() + 30
    while time.monotonic() < end:
        state = survival()
        if state["worker"] and state["standby"]:
            return state["worker"]
        time.sleep(0.05)
    sys.exit("takeover.py: no standby gets ready")


def kill_later(pid, pipe):
    """In a process of its own: when it was done goes into the pipe."""
    if os.fork():
        return
    time.sleep(BEFORE)
    at = time.monotonic_ns()
    os.kill(pid, signal.SIGKILL)
    os.write(pipe, str(at).encode())
    os._exit(0)


def killed_at(pipe):
    """When the worker was killed, None: not yet."""
    try:
        return int(os.read(pipe, 100))
    except BlockingIOError:
        return None


def write_past_kill(fd, pipe):
    """[(begun, took)] in ns, how many failed, and when the worker was killed,
    however late that was"""
    block, times, errors = os.urandom(2048) + bytes(2048), [], 0
    now, at = time.monotonic_ns(), None
    while at is None or now < at + int(AFTER * 1e9):
        begun = now
        try:
            errors += os.pwrite(fd, block, len(times) % 256 * 4096) != 4096
        except OSError:
            errors += 1
        now = time.monotonic_ns()
        times.append((begun, now - begun))
        at = at or killed_at(pipe)
    return times, errors, at


def one_kill(fd):
    pid = ready_worker()
    time.sleep(0.2)
    source, sink = os.pipe()
    os.set_blocking(source, False)
    kill_later(pid, sink)
    times, errors, at = write_past_kill(fd, source)
    os.wait()
    os.close(source)
    os.close(sink)
    samples = [(round((begun - at) / 1e6, 4), round(took / 1e3, 1))
               for begun, took in times]
    return samples, errors


def pause(samples):
    return max(took for begun, took in samples if begun + took / 1000 >= 0)


def main():
    fd = os.open(f"{MOUNT}/takeover", os.O_RDWR | os.O_CREAT, 0o600)
    kills = [one_kill(fd) for _ in range(KILLS)]
    os.close(fd)
    os.unlink(f"{MOUNT}/takeover")
    by_pause = sorted((samples for samples, _ in kills), key=pause)
    json.dump({"samples": by_pause[len(kills) // 2],
               "errors": sum(errors for _, errors in kills),
               "pauses": [pause(samples) for samples in by_pause]}, sys.stdout)


main()
