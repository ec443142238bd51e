# SPDX-License-Identifier: BSD-3-Clause
"""full.py MOUNT WORKER SIZE [cached] [threads]: what must hold at mem_limit.

Fills an empty mount with what does not compress, in files of SIZE bytes, until
there is no room, and goes on from there. WORKER is the process that serves.
`cached`: mounted with writeback, where a write is done only once it is synced.
`threads`: eight fill it at a time.
"""
import concurrent.futures
import errno
import hashlib
import os
import random
import stat
import sys
import time

M, worker, SIZE = sys.argv[1], sys.argv[2], int(sys.argv[3])
CACHED = "cached" in sys.argv[4:]
THREADS = 8 if "threads" in sys.argv[4:] else 1
PIECE = min(SIZE, 1 << 20)
BLOCK = 4096
rnd = random.Random(SIZE)
files = {}  # name -> the seed of each of its blocks, or their bytes


def block(seed):
    if isinstance(seed, bytes):
        return seed
    return hashlib.shake_128(b"%d" % seed).digest(BLOCK)


def put_control(name, value):
    with open(f"{M}/.zsctl/{name}", "w") as f:
        f.write(value)


def arena():
    """Bytes of the arena's file in memory as the kernel counts them, or 0."""
    best = (0, 0)
    try:
        for fd in os.listdir(f"/proc/{worker}/fd"):
            try:
                st = os.stat(f"/proc/{worker}/fd/{fd}")
            except FileNotFoundError:
                continue
            if stat.S_ISREG(st.st_mode) and st.st_nlink == 0:
                best = max(best, (st.st_size, st.st_blocks * 512))
    except (PermissionError, FileNotFoundError):  # not ours to look at
        pass
    return best[1]


def within():
    """No more memory is taken than mem_limit, nor than is shown."""
    seen = arena()
    for _ in range(40):
        with open(f"{M}/.zsstats/mm_stat") as f:
            now, limit, most = (int(n) for n in f.read().split()[2:5])
        assert now <= most <= limit, (now, most, limit)
        # More may be backed ahead of need, and be seen before it is counted.
        if seen <= most:
            break
        time.sleep(0.05)
    assert seen <= (most if THREADS == 1 else limit), (seen, most)
    return limit


def agree():
    """df says what du says."""
    held = 0
    for at, _, names in os.walk(M):
        held += sum(os.lstat(f"{at}/{name}").st_blocks for name in names)
    for _ in range(100):
        st = os.statvfs(M)
        used = (st.f_blocks - st.f_bfree) * BLOCK
        if used == held * 512:
            break
        time.sleep(0.1)  # what was deleted goes in steps
    assert used == held * 512, (st, held)
    within()


def full(call, *args):
    """Does it end in ENOSPC?"""
    try:
        call(*args)
    except OSError as e:
        assert e.errno == errno.ENOSPC, e
        return True
    return False


def write(fd, name, first, n):
    """Random blocks over those from @first on; how many found room."""
    seeds = [rnd.getrandbits(60) for _ in range(n)]
    data = b"".join(block(s) for s in seeds)
    try:
        done = os.pwrite(fd, data, first * BLOCK)
        if CACHED:
            os.fsync(fd)
    except OSError as e:
        assert e.errno == errno.ENOSPC, e
        done = 0
    assert done % BLOCK == 0
    for k in range(done // BLOCK):
        files[name][first + k : first + k + 1] = [seeds[k]]
    return done // BLOCK


def fill_file(name):
    fd = os.open(name, os.O_RDWR | os.O_CREAT)
    files[name] = []
    for first in range(0, SIZE // BLOCK, PIECE // BLOCK):
        if write(fd, name, first, PIECE // BLOCK) < PIECE // BLOCK:
            os.close(fd)
            return False
    os.close(fd)
    return True


def fill(thread):
    for number in range(1 << 30):
        folder = f"{M}/d{thread}-{number // 50}"
        try:
            os.makedirs(folder, exist_ok=True)
            if not fill_file(f"{folder}/f{number}"):
                return
        except OSError as e:
            assert e.errno == errno.ENOSPC, e
            return
        if number % (1 + (8 << 20) // SIZE) == 0:
            within()


def fill_all():
    with concurrent.futures.ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(fill, range(THREADS)))


def check(name):
    fd = os.open(name, os.O_RDONLY)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    for k, seed in enumerate(files[name]):
        assert os.pread(fd, BLOCK, k * BLOCK) == block(seed), (name, k)
    os.close(fd)


def overwrite(rounds):
    """Random over random: nothing more is needed for that."""
    names = [name for name in files if files[name]]
    for k in range(rounds):
        name = rnd.choice(names)
        n = min(len(files[name]), rnd.choice((1, 1, 1, 16, 256)))
        fd = os.open(name, os.O_WRONLY)
        first = rnd.randrange(len(files[name]) - n + 1)
        assert write(fd, name, first, n) == n, (name, first, n, k)
        os.close(fd)
        if k % 50 == 0:
            within()


def overwrite_parts(rounds):
    """The same with a part of a block, or of two."""
    names = [name for name in files if files[name]]
    for k in range(rounds):
        name = rnd.choice(names)
        end = len(files[name]) * BLOCK
        at = rnd.randrange(end)
        part = os.urandom(rnd.choice((1, 100, 2000, BLOCK)))[: end - at]
        first, last = at // BLOCK, (at + len(part) - 1) // BLOCK
        now = bytearray(b"".join(map(block, files[name][first : last + 1])))
        now[at - first * BLOCK : at - first * BLOCK + len(part)] = part
        fd = os.open(name, os.O_WRONLY)
        assert os.pwrite(fd, part, at) == len(part), (name, at, len(part), k)
        os.close(fd)
        for b in range(first, last + 1):
            files[name][b] = bytes(now[(b - first) * BLOCK :][:BLOCK])
    within()


def overwrite_text():
    """Random over text: at last no room, and the text is still there."""
    fd = os.open(f"{M}/text", os.O_RDWR)
    failed = 0
    for k in range(0, 512, 8):
        try:
            done = os.pwrite(fd, os.urandom(8 * BLOCK), k * BLOCK)
        except OSError as e:
            assert e.errno == errno.ENOSPC, e
            done = 0
        failed += done < 8 * BLOCK
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        for b in range(k + done // BLOCK, k + 8):
            assert os.pread(fd, BLOCK, b * BLOCK) == text, b
    os.close(fd)
    assert failed, "all of it fitted"
    within()


def always_works():
    name = max(files, key=lambda n: len(files[n]))
    was = len(files[name])
    os.truncate(name, was // 2 * BLOCK + 100)
    os.truncate(name, was // 2 * BLOCK)
    del files[name][was // 2 :]
    for k in range(100):
        os.rename(f"{M}/many/{k}/f", f"{M}/many/renamed and longer than before {k}")
        os.rename(f"{M}/many/{k}/below", f"{M}/many/below {k}")
        os.rmdir(f"{M}/many/{k}")
        os.chmod(f"{M}/many/below {k}", 0o700)
        os.utime(f"{M}/many/below {k}", (1, 1))
        os.rmdir(f"{M}/many/below {k}")
    for k in range(100):
        os.unlink(f"{M}/many/renamed and longer than before {k}")
    os.rmdir(f"{M}/many")
    for file in os.listdir(f"{M}/.zsstats") + os.listdir(f"{M}/.zsctl"):
        for folder in (".zsstats", ".zsctl"):
            if os.path.exists(f"{M}/{folder}/{file}"):
                open(f"{M}/{folder}/{file}").read()


text = (b"what compresses well, " * 200)[:BLOCK]
with open(f"{M}/text", "wb") as f:
    f.write(text * 512)
for k in range(100):
    os.makedirs(f"{M}/many/{k}/below")
    open(f"{M}/many/{k}/f", "w").write(f"{k}\n")
os.sync()
st = os.statvfs(M)
fill_all()
promised, got = st.f_bavail * BLOCK, sum(map(len, files.values())) * BLOCK
print(f"promised {promised}, stored {got}: {100 * got / promised:.2f} %")
assert got * 100 >= promised * 98
agree()
if not CACHED:
    for rounds in (1500, 300, 300):
        overwrite(rounds)
        overwrite_parts(rounds)
        overwrite_text()
        agree()
always_works()
agree()
for name in files:
    check(name)
limit = within()
put_control("mem_limit", str(limit + (48 << 20)))
SIZE, PIECE = 16 << 20, 1 << 20
assert fill_file(f"{M}/more")
check(f"{M}/more")
agree()
for name in files:
    os.unlink(name)
os.unlink(f"{M}/text")
agree()
