#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Keep every CPU that this process may use busy until it is killed.

They also end when who started them ends, so that no hog is left behind.
"""

import os
import time


def hog(cpu, parent):
    os.sched_setaffinity(0, {cpu})
    while os.getppid() == parent:
        for _ in range(100000):
            pass


def main():
    parent = os.getppid()
    here = os.getpid()
    for cpu in os.sched_getaffinity(0):
        if os.fork() == 0:
            hog(cpu, here)
            return
    while os.getppid() == parent:
        time.sleep(0.1)


main()
