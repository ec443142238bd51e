#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""neighbours.py FOLDER [SECONDS [ATTACKERS [ATTACK]]]: small calls beside others'.

Attackers, each a user of its own, or with ATTACK (write_mibs, say) processes of one
user that all do this, do all day what costs a file system most: delete
and cut large files, look for holes, open snapshots, fill the mount, write MiBs,
list large folders, make and rename files. A victim, another user, makes small calls.
How long those took goes to stdout, in ms; run it on a tmpfs to see what of that is
the processors' doing. Needs root, to become so many users.
"""

import json
import os
import random
import signal
import sys
import time

FOLDER = sys.argv[1]
SECONDS = float(sys.argv[2]) if len(sys.argv) > 2 else 30
ATTACKERS = int(sys.argv[3]) if len(sys.argv) > 3 else 64
ATTACK = sys.argv[4] if len(sys.argv) > 4 else None
FIRST_UID = 20000
MIB = 1 << 20


def delete_large(home):
    """2,048 blocks far apart, so that no range of them is quick to free."""
    path = f"{home}/large"
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    for n in range(2048):
        os.pwrite(fd, b"x" * 4096, n * 16 * MIB)
    os.close(fd)
    os.unlink(path)


def cut_large(home):
    with open(f"{home}/cut", "wb") as file:
        for _ in range(32):
            file.write(b"cut " * (MIB // 4))
        file.truncate(0)


def seek_holes(home):
    path = f"{home}/holes"
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    if os.fstat(fd).st_size == 0:
        for n in range(4096):
            os.pwrite(fd, b"x", n * 8192)
    os.lseek(fd, 0, os.SEEK_SET)
    at = 0
    while True:
        try:
            at = os.lseek(fd, os.lseek(fd, at, os.SEEK_HOLE), os.SEEK_DATA)
        except OSError:
            break
    os.close(fd)


def take_snapshots(home):
    fds = []
    for name in ("stats.json", "classes", "mm_stat", "metrics") * 4:
        fds.append(os.open(f"{FOLDER}/.zsstats/{name}", os.O_RDONLY))
        os.read(fds[-1], 100)
    for fd in fds:
        os.close(fd)


def fill(home):
    path = f"{home}/fill"
    data = os.urandom(MIB)
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        for _ in range(4096):
            os.write(fd, data)
    except OSError:
        pass
    os.close(fd)
    os.unlink(path)


def write_mibs(home):
    data = random.randbytes(MIB // 2) * 2
    fd = os.open(f"{home}/mibs", os.O_RDWR | os.O_CREAT, 0o600)
    for n in range(16):
        os.pwrite(fd, data, n % 8 * MIB)
    os.close(fd)


def list_large(home):
    folder = f"{home}/list"
    if not os.path.isdir(folder):
        os.mkdir(folder)
        for n in range(5000):
            os.close(os.open(f"{folder}/{n}", os.O_CREAT | os.O_WRONLY))
    with os.scandir(folder) as entries:
        for _ in entries:
            pass
    try:
        os.getxattr(folder, "zsfs.usage")
    except OSError:
        pass  # another file system


def make_files(home):
    for n in range(100):
        os.close(os.open(f"{home}/a{n}", os.O_CREAT | os.O_WRONLY))
        os.rename(f"{home}/a{n}", f"{home}/b{n}")
    for n in range(100):
        os.unlink(f"{home}/b{n}")


ATTACKS = (delete_large, cut_large, seek_holes, take_snapshots, fill, write_mibs,
           list_large, make_files)


def make_home(uid):
    home = f"{FOLDER}/user{uid}"
    os.makedirs(home, exist_ok=True)
    os.chown(home, uid, uid)
    return home


def become(uid):
    home = make_home(uid)
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    return home


def attack(n, until):
    home = become(FIRST_UID + (0 if ATTACK else n))
    what = globals()[ATTACK] if ATTACK else ATTACKS[n % len(ATTACKS)]
    while time.monotonic() < until:
        try:
            what(home)
        except OSError:
            time.sleep(0.001)


def small_calls(home):
    """Calls and their arguments, to be timed one by one."""
    path, other = f"{home}/small", f"{home}/other"
    fd = yield os.open, (path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        yield os.pwrite, (fd, b"x" * 100, 0)
    except OSError:
        pass  # the mount is full now and then
    yield os.fstat, (fd,)
    os.close(fd)
    yield os.stat, (path,)
    yield os.rename, (path, other)
    yield os.listdir, (home,)
    yield os.unlink, (other,)


def suffer(until):
    home = become(FIRST_UID - 1)
    took, errors = {}, 0
    while time.monotonic() < until:
        calls = small_calls(home)
        try:
            call, args = next(calls)
            while True:
                begun = time.monotonic_ns()
                try:
                    result, failed = call(*args), None
                except OSError as error:
                    failed = error
                took.setdefault(call.__name__, []).append(
                    (time.monotonic_ns() - begun) / 1e6)
                call, args = calls.throw(failed) if failed else calls.send(result)
        except (StopIteration, OSError) as end:
            errors += isinstance(end, OSError)
        time.sleep(0.001)
    return took, errors


def summary(times):
    times = sorted(times)

    def at(share):
        return round(times[min(len(times) - 1, int(len(times) * share))], 3)
    return {"calls": len(times), "median": at(0.5), "p99": at(0.99),
            "p99.9": at(0.999), "worst": round(times[-1], 3)}


def end_all(pids):
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    for pid in pids:
        os.waitpid(pid, 0)


def main():
    make_home(FIRST_UID - 1)  # before the mount is full
    until, pids = time.monotonic() + SECONDS + 2, []
    for n in range(ATTACKERS):
        pid = os.fork()
        if pid == 0:
            try:
                attack(n, until)
            finally:
                os._exit(0)
        pids.append(pid)
    source, sink = os.pipe()
    pid = os.fork()
    if pid == 0:
        time.sleep(2)
        took, errors = suffer(until)
        every = [ms for times in took.values() for ms in times]
        out = {name: summary(times) for name, times in took.items()}
        out["all"], out["errors"] = summary(every), errors
        os.write(sink, json.dumps(out, indent=1).encode())
        os._exit(0)
    os.close(sink)
    with os.fdopen(source) as file:
        print(file.read())
    end_all(pids + [pid])


main()
