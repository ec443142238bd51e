# SPDX-License-Identifier: BSD-3-Clause
"""Times from a worker's death to the first reply of the next.

takeover_times.py MOUNTPOINT KILLS KEEPER [GIB]: stores GIB (4) of content, then
kills the worker and looks up a name that the kernel does not know, again and
again; prints medians and the worst.
"""
import os
import random
import signal
import statistics
import sys
import time


def text(size):
    words = [b"%08x " % random.getrandbits(32) for _ in range(3000)]
    out = bytearray()
    while len(out) < size:
        out += random.choice(words)
    return bytes(out[:size])


def worker(keeper):
    with open(f"/proc/{keeper}/task/{keeper}/children") as f:
        pids = f.read().split()
    names = {}
    for pid in pids:
        try:
            with open(f"/proc/{pid}/comm") as f:
                names[f.read().strip()] = int(pid)
        except OSError:
            pass
    return names.get("zsfs-worker"), names.get("zsfs-standby")


def main():
    mnt, kills, keeper = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    gib = float(sys.argv[4]) if len(sys.argv) > 4 else 4
    data = text(8 << 20)
    for i in range(int(gib * 128)):
        with open(f"{mnt}/f{i}", "wb") as f:
            # Another file, other content.
            f.write(data[i * 64:] + data[:i * 64])
    times = []
    while len(times) < kills:
        pid, standby = worker(keeper)
        if not pid or not standby:
            time.sleep(0.001)
            continue
        time.sleep(random.uniform(0.02, 0.05))
        start = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        try:
            os.stat(f"{mnt}/.zs-missing-{len(times)}")
        except FileNotFoundError:
            pass
        times.append((time.monotonic() - start) * 1000)
    times.sort()
    print(f"  kill to first reply, {gib:g} GiB stored, {len(times)} kills: "
          f"median {statistics.median(times):.2f} ms, "
          f"p99 {times[int(len(times) * 0.99)]:.2f} ms, "
          f"worst {times[-1]:.2f} ms")


main()
