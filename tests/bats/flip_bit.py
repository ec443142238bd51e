# SPDX-License-Identifier: BSD-3-Clause
"""Flip one bit of stored content behind the daemon's back.

flip_bit.py PID HEX: finds the bytes HEX in the arena of daemon PID and flips the
lowest bit of the first of them, wherever they are: the buffer of the request that
wrote them, and memory that is free again, may hold a copy, too. Content is found
where it is stored as it is (comp=none, or it does not compress).
"""
import os
import sys

CHUNK = 1 << 20


def arena_of(pid):
    """The descriptor of the daemon's that is by far the largest file."""
    best = None
    for fd in os.listdir(f"/proc/{pid}/fd"):
        path = f"/proc/{pid}/fd/{fd}"
        try:
            size = os.stat(path).st_size
        except OSError:
            continue
        if best is None or size > best[0]:
            best = (size, path)
    return best[1]


def find(f, want):
    """Offsets of want in the parts of the file that hold data."""
    found, at = [], 0
    size = os.fstat(f).st_size
    while at < size:
        try:
            start = os.lseek(f, at, os.SEEK_DATA)
        except OSError:
            break
        end = os.lseek(f, start, os.SEEK_HOLE)
        for off in range(start, end, CHUNK):
            # Objects may lie across the border of two chunks.
            data = os.pread(f, min(CHUNK + len(want), end - off), off)
            pos = data.find(want)
            while pos >= 0:
                if pos < CHUNK:
                    found.append(off + pos)
                pos = data.find(want, pos + 1)
        at = end
    return found


def main():
    pid, want = int(sys.argv[1]), bytes.fromhex(sys.argv[2])
    f = os.open(arena_of(pid), os.O_RDWR)
    places = find(f, want)
    if not places:
        sys.exit("the bytes are not in the arena")
    for place in places:
        byte = os.pread(f, 1, place)
        os.pwrite(f, bytes([byte[0] ^ 1]), place)


main()
