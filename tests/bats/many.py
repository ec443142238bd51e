# SPDX-License-Identifier: BSD-3-Clause
"""many.py MOUNT FILES SIZE: so many small files come and go.

Makes FILES files of SIZE bytes that do not compress, in directories of a
thousand, has find(1) list them and rm(1) remove them, and waits until the
memory is back. Fails when a file takes more than it may, or when what is taken
afterwards is more than 1 % above what was taken before: by the mount's own
figures and by those of the kernel for the file in memory. What the processes
have for themselves may be 256 KiB more.
"""
import json
import os
import stat
import subprocess
import sys
import time

M, FILES, SIZE = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
PER_DIR = 1000
TOP = f"{M}/many"
NAME = "file0000000"
# Bytes of memory that a file may take beside its name.
MAY_TAKE = {0: 200, 10: 300, 4096: 4096 + 250}


def statistics():
    with open(f"{M}/.zsstats/stats.json") as f:
        return json.load(f)


def memory_file(pid):
    """Bytes that the kernel keeps for the mount's file in memory; 0: not told."""
    best = (0, 0)
    try:
        for fd in os.listdir(f"/proc/{pid}/fd"):
            st = os.stat(f"/proc/{pid}/fd/{fd}")
            if stat.S_ISREG(st.st_mode) and st.st_nlink == 0:
                best = max(best, (st.st_size, st.st_blocks * 512))
    except (PermissionError, FileNotFoundError):
        pass
    return best[1]


def anonymous(pid):
    try:
        with open(f"/proc/{pid}/status") as f:
            for line in f:
                if line.startswith("RssAnon:"):
                    return int(line.split()[1]) << 10
    except (PermissionError, FileNotFoundError):
        pass
    return 0


def taken():
    with open(f"{M}/.zsstats/mm_stat") as f:
        used = int(f.read().split()[2])
    s = statistics()["survival"]
    pids = [s[k] for k in ("keeper", "worker", "standby") if s.get(k)]
    return {
        "mem_used_total": used,
        "file in memory": memory_file(s["worker"]),
        "of the processes": sum(map(anonymous, pids)),
    }


def in_use():
    m = statistics()["memory"]
    return m["used"] - m["free_pages"] * 4096


def back(before, now):
    return (
        now["mem_used_total"] <= before["mem_used_total"] * 1.01
        and now["file in memory"] <= before["file in memory"] * 1.01
        and now["of the processes"] <= before["of the processes"] + (256 << 10)
    )


def settled():
    """What is taken once nothing was freed for a while."""
    for _ in range(10):
        first = taken()
        time.sleep(2.5)
        if taken() == first:
            break
    return taken()


def name_of(number):
    return f"{TOP}/{number // PER_DIR}/{NAME[:4]}{number:07}"


def make():
    data = os.urandom(SIZE)
    for number in range(FILES):
        if number % PER_DIR == 0:
            os.makedirs(os.path.dirname(name_of(number)))
        fd = os.open(name_of(number), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        if SIZE:
            # No two of them alike.
            part = number.to_bytes(8, "little") + data[8:]
            assert os.write(fd, part) == SIZE
        os.close(fd)


def find():
    command = ["find", TOP, "-type", "f", "-size", f"{SIZE}c"]
    found = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    assert found.count(b"\n") == FILES, found.count(b"\n")


def remove():
    subprocess.run(["rm", "-rf", TOP], check=True)


def timed(what, call):
    begun = time.monotonic()
    call()
    print(f"  {what}: {FILES / (time.monotonic() - begun):,.0f} files a second")


def wait_until_back(before):
    for _ in range(100):
        now = taken()
        if back(before, now):
            break
        time.sleep(0.2)
    return now


print(f"{FILES:,} files of {SIZE} bytes")
before, held = settled(), in_use()
timed("create", make)
full, each = taken(), (in_use() - held) / FILES - len(NAME)
print(f"  memory of each beside its name: {each:.1f} bytes")
timed("find", find)
timed("rm -rf", remove)
after = wait_until_back(before)
for k in before:
    print(f"  {k}: {before[k]:,} bytes, with them {full[k]:,}, then {after[k]:,}")
assert back(before, after)
assert FILES < 50000 or each <= MAY_TAKE.get(SIZE, each)
