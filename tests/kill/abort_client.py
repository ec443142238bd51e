#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""abort_client.py [-d] DIR [WORKERS] [SEED]: a client of a mount whose connection
is aborted again and again (umount -f).

Each worker has a directory of its own in DIR and a model of what is in it. It
does one system call after another and compares every result with the model. A
call that an abort has cut off was carried out or not, but nothing else: the
worker looks, and goes on with what it found. SIGTERM: verify and remove all.

-d: write past the kernel's cache. With the option writeback an abort takes what
is in the cache, and close(2), even fsync(2), may not tell.

The last line says "abort_client: ok" and counts, or "FAILED" and why; exit code
0 or 1.
"""
import errno
import os
import random
import signal
import sys
import time

# EXDEV: one path was found in the old mount, the other in the new.
CUT_OFF = (errno.ENOTCONN, errno.ECONNABORTED, errno.EIO, errno.EXDEV)
OUTAGE_SECONDS = 10
NAMES = [f"f{i}" for i in range(24)]
MAX_SIZE = 200_000
BLOCK = 4096

stop = False


class Wrong(Exception):
    pass


def end(*_):
    global stop
    stop = True


def fill(rng, size):
    """Half text that compresses, half noise."""
    noise = rng.randbytes(size // 2)
    return noise + bytes([rng.randrange(256)]) * (size - len(noise))


def describe(content):
    return "no file" if content is None else f"{len(content)} bytes"


def first_difference(a, b):
    if a is None or b is None:
        return None
    same = min(len(a), len(b))
    return next((i for i in range(same) if a[i] != b[i]), same)


class Worker:
    def __init__(self, top, seed, direct):
        self.dir = top
        self.flags = os.O_WRONLY | (os.O_DIRECT if direct else 0)
        self.rng = random.Random(seed)
        self.files = {}
        self.ops = self.cut_off = 0
        self.worst = 0.0

    def path(self, name):
        return os.path.join(self.dir, name)

    # ---- looking ----

    def content(self, name):
        try:
            fd = os.open(self.path(name), os.O_RDONLY)
        except FileNotFoundError:
            return None
        try:
            parts = []
            while part := os.pread(fd, 1 << 20, sum(map(len, parts))):
                parts.append(part)
            return b"".join(parts)
        finally:
            os.close(fd)

    def until_it_answers(self, call, *args):
        began = time.monotonic()
        while True:
            try:
                found = call(*args)
                self.worst = max(self.worst, time.monotonic() - began)
                return found
            except OSError as e:
                if e.errno not in CUT_OFF:
                    raise
                if time.monotonic() - began > OUTAGE_SECONDS:
                    raise Wrong(f"no answer for {OUTAGE_SECONDS} s: {e}") from e
                time.sleep(0.0005)

    def was_cut_off(self):
        """Until the new mount is there the dead one answers from the kernel's
        cache, as if nothing had been carried out. statfs(2) is never cached."""
        self.cut_off += 1
        self.until_it_answers(os.statvfs, self.dir)

    def check(self, name, *allowed):
        found = self.until_it_answers(self.content, name)
        if found not in allowed:
            raise Wrong(f"{self.path(name)}: {describe(found)}, not one of "
                        f"{[describe(a) for a in allowed]}; first differences at "
                        f"{[first_difference(found, a) for a in allowed]}")
        return found

    def check_names(self):
        found = set(self.until_it_answers(os.listdir, self.dir))
        if found != set(self.files):
            raise Wrong(f"{self.dir}: names {found ^ set(self.files)}")

    # ---- changing: each call, and what it makes of the model ----

    def remember(self, name, content):
        if content is None:
            self.files.pop(name, None)
        else:
            self.files[name] = content

    def change(self, call, after):
        """@after: {name: content, None = not there}."""
        before = {name: self.files.get(name) for name in after}
        try:
            call()
        except OSError as e:
            if e.errno not in CUT_OFF:
                raise
            self.was_cut_off()
            found = {n: self.check(n, before[n], after[n]) for n in after}
            if found not in (before, after):
                raise Wrong(f"half of a change: {list(after)}") from e
            after = found
        for name, content in after.items():
            self.remember(name, content)

    def with_file(self, name, flags, call):
        def run():
            fd = os.open(self.path(name), flags, 0o600)
            try:
                call(fd)
            finally:
                os.close(fd)
        return run

    def create(self, name):
        self.change(self.with_file(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL,
                                   lambda fd: None), {name: b""})

    def write(self, name):
        """The kernel may send it in several requests, each of whole blocks."""
        old = self.files[name]
        off = self.rng.randrange(min(len(old) + 5000, MAX_SIZE))
        data = fill(self.rng, self.rng.randrange(1, 60_000))

        def written(n):
            return old[:off].ljust(off, b"\0") + data[:n] + old[off + n:]

        def call(fd):
            if os.pwrite(fd, data, off) < len(data):
                raise OSError(errno.ENOTCONN, "short write")

        try:
            self.with_file(name, self.flags, call)()
        except OSError as e:
            if e.errno not in CUT_OFF:
                raise
            self.was_cut_off()
            ends = range(BLOCK - off % BLOCK, len(data), BLOCK)
            self.files[name] = self.check(name, old, written(len(data)),
                                          *map(written, ends))
        else:
            self.files[name] = written(len(data))

    def truncate(self, name):
        size = self.rng.randrange(MAX_SIZE)
        new = self.files[name][:size].ljust(size, b"\0")
        self.change(lambda: os.truncate(self.path(name), size), {name: new})

    def rename(self, name):
        to = self.rng.choice(NAMES)
        if to != name:
            self.change(lambda: os.rename(self.path(name), self.path(to)),
                        {name: None, to: self.files[name]})

    def unlink(self, name):
        self.change(lambda: os.unlink(self.path(name)), {name: None})

    def step(self):
        name = self.rng.choice(NAMES)
        if name not in self.files:
            self.create(name)
        else:
            do = self.rng.choices([self.write, self.truncate, self.rename,
                                   self.unlink, None, "names"], [8, 2, 2, 2, 6, 1])[0]
            if do == "names":
                self.check_names()
            elif do:
                do(name)
            else:
                self.check(name, self.files[name])
        self.ops += 1

    def run(self):
        self.until_it_answers(os.makedirs, self.dir, 0o700, True)
        while not stop:
            self.step()
        self.check_names()
        for name in list(self.files):
            self.check(name, self.files[name])
            os.unlink(self.path(name))
        os.rmdir(self.dir)


def work(top, nr, seed, direct):
    w = Worker(os.path.join(top, f"a{nr}"), seed + nr, direct)
    try:
        w.run()
    except (Wrong, OSError) as e:
        print(f"abort_client: FAILED worker {nr}, seed {seed}: {e}", flush=True)
        os._exit(1)
    print(f"  worker {nr}: {w.ops} operations, {w.cut_off} cut off, longest "
          f"outage {w.worst * 1000:.1f} ms", flush=True)
    os._exit(0)


def await_all(pids):
    bad = told = False
    while pids:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid:
            pids.remove(pid)
            bad |= status != 0
        else:
            time.sleep(0.01)
        if (stop or bad) and not told:
            told = True
            for other in pids:
                os.kill(other, signal.SIGTERM)
    return bad


def main():
    direct = sys.argv[1] == "-d"
    top, *numbers = sys.argv[2 if direct else 1:]
    workers = int(numbers[0]) if numbers else 3
    seed = int(numbers[1]) if len(numbers) > 1 else random.randrange(1 << 30)
    signal.signal(signal.SIGTERM, end)
    pids = []
    for nr in range(workers):
        pid = os.fork()
        if pid == 0:
            work(top, nr, seed, direct)
        pids.append(pid)
    bad = await_all(pids)
    if not bad:
        print(f"abort_client: ok seed={seed}")
    sys.exit(1 if bad else 0)


main()
