# SPDX-License-Identifier: BSD-3-Clause
"""spy.py: which memory of daemons that begin from now on can this user open?

Prints a line for each descriptor of it: "begun" when its process had mapped some
before, or else "loaded", as a new program is before its first instruction. Until it
is killed; "ready" when it begins.
"""
import os

NAME = "memfd:zsfs-"
BEFORE = set(os.listdir("/proc"))


def has_mapped(pid):
    try:
        with open(f"/proc/{pid}/maps") as f:
            return NAME in f.read()
    except OSError:
        return False


def can_open(path):
    try:
        if NAME not in os.readlink(path):
            return False
        os.close(os.open(path, os.O_RDWR))
    except OSError:
        return False
    return True


def look_at(pid):
    folder = f"/proc/{pid}/fd"
    # First: who maps it while we look was only loaded when we began.
    when = "begun" if has_mapped(pid) else "loaded"
    try:
        numbers = os.listdir(folder)
    except OSError:
        return
    for n in numbers:
        if can_open(f"{folder}/{n}"):
            print(when, pid, n, flush=True)


print("ready", flush=True)
while True:
    for pid in os.listdir("/proc"):
        if pid not in BEFORE and pid.isdigit():
            look_at(pid)
