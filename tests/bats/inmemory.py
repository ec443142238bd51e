# SPDX-License-Identifier: BSD-3-Clause
"""inmemory.py PID TEXT: is the text in memory that is not MADV_DONTDUMP?

Prints a line for each such mapping of the process that has it. Pages that are not
there are not looked at, because looking would make them.
"""
import re
import struct
import sys

PID, TEXT = sys.argv[1], sys.argv[2].encode()
PAGE = 4096


def mappings():
    """Start, end, name and flags of each."""
    head = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+ *(.*)")
    with open(f"/proc/{PID}/smaps") as f:
        for line in f:
            m = head.match(line)
            if m:
                at = int(m[1], 16), int(m[2], 16), m[4] or m[3]
            elif line.startswith("VmFlags:"):
                yield *at, line.split()[1:]


def present(pagemap, start, end):
    pagemap.seek(start // PAGE * 8)
    n = (end - start) // PAGE
    for k, (word,) in enumerate(struct.iter_unpack("Q", pagemap.read(n * 8))):
        if word >> 63:
            yield start + k * PAGE


def has_text(mem, pages):
    end, tail = None, b""
    for at in pages:
        mem.seek(at)
        page = mem.read(PAGE)
        if TEXT in (tail if at == end else b"") + page:
            return True
        end, tail = at + PAGE, page[-len(TEXT):]
    return False


with open(f"/proc/{PID}/mem", "rb", 0) as mem, \
        open(f"/proc/{PID}/pagemap", "rb", 0) as pagemap:
    for start, end, name, flags in mappings():
        if "dd" in flags or "rd" not in flags or name.startswith("[v"):
            continue
        if has_text(mem, present(pagemap, start, end)):
            print(f"{start:x}-{end:x} {name}")
