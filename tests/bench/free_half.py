#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Free half of a file's blocks at random, by writing zeros over them.

usage: free_half.py FILE
"""

import os
import random
import sys

BLOCK = 4096


def main():
    fd = os.open(sys.argv[1], os.O_WRONLY)
    blocks = os.fstat(fd).st_size // BLOCK
    zeros = bytes(BLOCK)
    for n in random.Random(1).sample(range(blocks), blocks // 2):
        if os.pwrite(fd, zeros, n * BLOCK) != BLOCK:
            sys.exit(f"free_half.py: short write at block {n}")
    os.close(fd)


main()
