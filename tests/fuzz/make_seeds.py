#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""make_seeds.py FOLDER: the first inputs of fuzz_request and fuzz_recover, into
FOLDER/fuzz_request and FOLDER/fuzz_recover. request_input.h and damage.h say
what the bytes mean."""

import os
import struct
import sys

NAMES = """a b c d e f g long . .. empty a/b .zsstats .zsctl mm_stat io_stat
classes fullness stats.json tiers metrics compact comp_algorithm dense
settle_after hot size mem_limit nr_inodes mem_used_max verify settle
last_cmd_status user.a user.b user.long trusted.t security.capability security.s
acl_access acl_default zsfs.usage user. nonsense""".split()

(LOOKUP, FORGET, GETATTR, SETATTR, READLINK, SYMLINK) = range(1, 7)
(MKNOD, MKDIR, UNLINK, RMDIR, RENAME, LINK, OPEN, READ, WRITE, STATFS,
 RELEASE) = range(8, 19)
(FSYNC, SETXATTR, GETXATTR, LISTXATTR, REMOVEXATTR, FLUSH) = range(20, 26)
OPENDIR, READDIR, RELEASEDIR = 27, 28, 29
ACCESS, CREATE, INTERRUPT, BMAP, DESTROY, IOCTL, POLL = range(34, 41)
BATCH_FORGET, FALLOCATE, READDIRPLUS, RENAME2, LSEEK, COPY = range(42, 48)
SYNCFS, TMPFILE, STATX, COPY64 = 50, 51, 52, 53
(SETTLE, REAP, COMPACT, COOL, WARM_UP, VERIFY, PAUSE, FAIL, DIE, TIME, LOOK,
 SETTLE_FOR, TRIM, FILES, NO_FILES, OBJECTS, GAPS) = range(0xc0, 0xd1)
ROOT = 0
RAW, USER, NOBODY, HIDDEN, LARGE, WRONG, RESENT, FLAT, ALONE = (
    0x01, 0x02, 0x04, 0x06, 0x08, 0x10, 0x20, 0x40, 0x80)
WRITEBACK, NO_XATTR, SMALL, FEW, HOT, ZSTD, ATIME, TWICE = (
    1 << k for k in range(8))


def name(*words):
    return bytes(NAMES.index(w) for w in words)


def rec(op, node=ROOT, how=0, body=b""):
    return bytes((op, node, how, len(body))) + body


def known(n):
    return 1 + n


def mkfile(n, how=0, mode=0o644):
    return rec(CREATE, ROOT, how,
               struct.pack("<IIII", 0x8002, mode, 0o22, 0) + name(n))


def mkdir(n, node=ROOT):
    return rec(MKDIR, node, 0, struct.pack("<II", 0o755, 0) + name(n))


def lookup(n, node=ROOT, how=0):
    return rec(LOOKUP, node, how, name(n))


def read(node, size=4096, off=0, op=READ):
    return rec(op, node, 0, struct.pack("<QQIIQII", 0, off, size, 0, 0, 0, 0))


def write(node, data=b"", off=0, large=None, how=0, flags=0):
    head = struct.pack("<QQIIQII", 1, off, 0, flags, 0, 0, 0)
    more = struct.pack("<H", large) if large is not None else b""
    return rec(WRITE, node, how | (LARGE if large is not None else 0),
               head + more + data)


def setattr_(node, valid, size=0, mode=0):
    body = struct.pack("<IIQQQQQQIIIIIIII", valid, 0, 0, size, 0, 1, 2, 3,
                       4, 5, 6, mode, 0, 0, 0, 0)
    return rec(SETATTR, node, 0, body)


def setxattr(node, n, value, flags=0, large=None):
    head = struct.pack("<IIII", 0, flags, 0, 0)
    more = struct.pack("<H", large) if large is not None else b""
    return rec(SETXATTR, node, LARGE if large is not None else 0,
               head + name(n) + more + value)


def getxattr(node, n, size=100):
    return rec(GETXATTR, node, 0, struct.pack("<II", size, 0) + name(n))


def fallocate(node, off, length, mode):
    return rec(FALLOCATE, node, 0,
               struct.pack("<QQQII", 0, off, length, mode, 0))


def copy(op, node, off, to, to_off, length):
    return rec(op, node, 0, struct.pack("<QQQQQQQ", 0, off, to, 0, to_off,
                                        length, 0))


def ioctl(node, cmd, data=b"", out=64):
    return rec(IOCTL, node, 0,
               struct.pack("<QIIQII", 0, 0, cmd, 0, 0, out) + data)


def seek(node, off, whence):
    return rec(LSEEK, node, 0, struct.pack("<QQII", 0, off, whence, 0))


def rename(n, to, node=ROOT, dir_=0, flags=None):
    """In directory @node, to directory @dir_; with @flags a RENAME2."""
    if flags is None:
        return rec(RENAME, node, 0, struct.pack("<Q", dir_) + name(n, to))
    return rec(RENAME2, node, 0,
               struct.pack("<QII", dir_, flags, 0) + name(n, to))


def tmpfile(node=ROOT):
    return rec(TMPFILE, node, 0,
               struct.pack("<IIII", 0x8002, 0o644, 0, 0) + name("a"))


def counted(op, n, each=0):
    """FAIL or DIE at the n-th, then at each such one."""
    return rec(op, ROOT, 0, struct.pack("<HH", n, each))


def writes_to(*files):
    """Each (file, text) of .zsctl, whose nodeids are known from the second."""
    recs = [lookup(".zsctl")]
    for nr, (n, text) in enumerate(files):
        recs += [lookup(n, known(0)), write(known(1 + nr), text)]
    return recs


LISTS = bytes([2, 0, 0, 0, 1, 0, 7, 0, 255, 255, 255, 255, 4, 0, 5, 0, 255,
               255, 255, 255, 32, 0, 4, 0, 255, 255, 255, 255])
ACL = bytes([2, 0, 0, 0,
             1, 0, 7, 0, 255, 255, 255, 255, 2, 0, 6, 0, 5, 0, 0, 0,
             4, 0, 5, 0, 255, 255, 255, 255, 16, 0, 7, 0, 255, 255, 255, 255,
             32, 0, 4, 0, 255, 255, 255, 255])
GETFLAGS, SETFLAGS = 0x80086601, 0x40086602
GETX, SETX, VSET = 0x801C581F, 0x401C5820, 0x40407A01
A, B, C = known(0), known(1), known(2)

REQUESTS = {
    "names": [mkfile("a"), mkdir("d"), mkfile("b"), lookup("a"), lookup("c"),
              rec(RENAME, ROOT, 0, struct.pack("<Q", B) + name("b", "e")),
              rec(LINK, B, 0, struct.pack("<Q", A) + name("f")),
              rec(SYMLINK, ROOT, 0, name("g", "a")), rec(READLINK, known(3)),
              rec(UNLINK, ROOT, 0, name("a")), rec(RMDIR, ROOT, 0, name("d")),
              rec(RMDIR, B, 0, name("d")),
              rec(RENAME2, ROOT, 0, struct.pack("<QII", 0, 2, 0) +
                  name("g", "d")),
              rec(RENAME2, ROOT, 0, struct.pack("<QII", 0, 4, 0) +
                  name("g", "b")),
              rec(MKNOD, ROOT, USER, struct.pack("<IIII", 0o10644, 5, 0, 0) +
                  name("c")), rec(STATFS), read(ROOT, 4096, 0, READDIR)],
    "content": [mkfile("a"), write(A, b"hello"), write(A, large=0x1001, off=3),
                write(A, large=0x2000, off=100000), read(A, 100000),
                setattr_(A, 8, 5000), read(A, 9000), rec(SETTLE), read(A, 300),
                write(A, b"xyz", off=4000), rec(COOL), setattr_(A, 8, 90000),
                seek(A, 0, 3), seek(A, 0, 4), rec(GETATTR, A, 0, bytes(16)),
                rec(STATX, A, 0, bytes(24)), rec(VERIFY)],
    "room": [mkfile("a"), mkfile("b"), fallocate(A, 0, 200000, 0),
             write(A, large=0x1001), fallocate(A, 5000, 30000, 3),
             fallocate(A, 5000, 90000, 16), fallocate(A, 0, 1 << 40, 1),
             copy(COPY, A, 0, B, 0, 150000), copy(COPY64, A, 1, B, 77, 5000),
             copy(COPY, A, 0, A, 1 << 17, 50000), rec(SETTLE),
             copy(COPY, A, 0, B, 0, 65536), rec(COMPACT), rec(VERIFY)],
    "full": [mkfile("a"), *[write(A, large=0xffff, off=k << 20)
                            for k in range(20)],
             mkfile("b"), write(B, large=0xffff), rec(SETTLE),
             rec(UNLINK, ROOT, 0, name("a")),
             rec(FORGET, A, 0, struct.pack("<Q", 1)), rec(REAP), rec(STATFS)],
    "lists": [mkdir("d"), *[rec(CREATE, A, 0, bytes(16) + bytes((0x83, 65 + k,
                                                                 66, 67)))
                            for k in range(12)],
              read(A, 4096, 0, READDIRPLUS), read(A, 300, 0, READDIR),
              read(A, 300, 5 << 9, READDIRPLUS), read(A, 0, 0, READDIR),
              rec(OPENDIR, A, 0, bytes(8)), rec(RELEASEDIR, A, 0, bytes(24))],
    "attributes": [mkfile("a"), setxattr(A, "user.a", b"value"),
                   setxattr(A, "user.b", b"", 0, 0x100), getxattr(A, "user.a"),
                   getxattr(A, "user.b", 0), getxattr(A, "zsfs.usage", 4096),
                   rec(LISTXATTR, A, 0, struct.pack("<II", 1000, 0)),
                   setxattr(A, "acl_access", ACL), mkdir("d"),
                   setxattr(B, "acl_default", LISTS), mkfile("b"),
                   rec(CREATE, B, 0, bytes(16) + name("c")),
                   rec(REMOVEXATTR, A, 0, name("user.a")),
                   setxattr(A, "security.capability", b"x" * 20),
                   setxattr(A, "user.a", b"y" * 90, 1)],
    "flags": [mkfile("a", mode=0o6755), ioctl(A, GETFLAGS), ioctl(A, GETX),
              ioctl(A, SETFLAGS, struct.pack("<Q", 0x20)), write(A, b"x"),
              ioctl(A, SETX, struct.pack("<IIIII8s", 0, 0, 0, 0, 0, b"")),
              write(A, b"abc", flags=4), setattr_(A, 1 | 4, mode=0o4711),
              rec(TMPFILE, ROOT, 0, bytes(16) + bytes((0x81, 47))),
              rec(LINK, ROOT, 0, struct.pack("<Q", B) + name("g"))],
    "virtual": [lookup(".zsstats"), lookup("mm_stat", A),
                lookup("stats.json", A), read(C, 1 << 16), lookup(".zsctl"),
                lookup("mem_limit", known(3)), write(known(4), b"20M"),
                setattr_(known(4), 8), lookup("settle", known(3)),
                write(known(5), b"1"), lookup("verify", known(3)),
                write(known(6), b"1"), lookup("comp_algorithm", known(3)),
                write(known(7), b"zstd:3"), lookup("size", known(3)),
                write(known(8), b"1M"), lookup("last_cmd_status", known(3)),
                read(known(9)), read(A, 4096, 0, READDIR),
                read(A, 4096, 0, READDIRPLUS),
                ioctl(known(8), VSET, b"5M" + bytes(62)),
                rec(GETATTR, known(8), 0, bytes(16)),
                rec(BATCH_FORGET, ROOT, 0, bytes(8)[:0] + bytes((
                    C, 1, known(4), 1, known(5), 9, known(6), 0)))],
    "handles": [mkdir("d"), mkfile("a"), lookup(".", A), lookup("..", A),
                lookup(".", B), lookup("..", B), lookup(".", 0xa9),
                lookup("..", 0xa5), lookup(".", 0xff, 0)[:3] + bytes((9,)) +
                struct.pack("<Q", 0x1234567) + name("."),
                rec(UNLINK, ROOT, 0, name("a")), lookup(".", B),
                rec(FORGET, B, 0, struct.pack("<Q", 5)), lookup(".", B),
                lookup(".", 0x81), lookup("..", 0x90)],
    "ends": [mkfile("a"), write(A, large=0x4000),
             rec(UNLINK, ROOT, 0, name("a")), read(A, 100),
             rec(BATCH_FORGET, ROOT, 0, bytes((A, 1, A, 1, 0, 3, 0x85, 2))),
             rec(INTERRUPT, ROOT, 0, struct.pack("<Q", 4)),
             rec(FLUSH, A, 0, bytes(24)), rec(FSYNC, A, 0, bytes(16)),
             rec(OPEN, A, 0, bytes(8)), rec(RELEASE, A, 0, bytes(24)),
             rec(ACCESS, A, 0, bytes(8)), rec(SYNCFS, A, 0, bytes(8)),
             rec(POLL, A, 0, bytes(24)), rec(BMAP, A, 0, bytes(16)),
             rec(DESTROY), rec(63), rec(41, A, 0, bytes(40))],
    "wrong": [rec(LOOKUP, ROOT, RAW, b"no-end"),
              rec(CREATE, ROOT, RAW, bytes(16) + b"x"), rec(MKDIR, 0, RAW),
              rec(WRITE, ROOT, RAW | LARGE, struct.pack(
                  "<HQQIIQII", 0xf2f2, 0, 0, 1 << 31, 0, 0, 0, 0)),
              rec(RENAME, ROOT, RAW, bytes(8) + b"a\0b"),
              rec(LOOKUP, ROOT, WRONG, bytes((130,)) + name("a")),
              rec(FORGET, ROOT, WRONG, bytes((100,)) + bytes(8)),
              rec(BATCH_FORGET, 0, RAW, struct.pack("<II", 9999, 0)),
              rec(SETXATTR, 0, RAW, struct.pack("<IIII", 60000, 0, 0, 0) +
                  b"user.a\0x"), rec(IOCTL, 0, RAW, struct.pack(
                      "<QIIQII", 0, 0, SETFLAGS, 0, 1 << 20, 0)),
              rec(MKNOD, ROOT, 0, struct.pack("<IIII", 0o120644, 5, 0, 0) +
                  name("c")),
              rec(MKNOD, ROOT, 0, struct.pack("<IIII", 0o40644, 5, 0, 0) +
                  name("d")), mkfile("."), mkfile("a/b"), mkdir("empty")],
    "callers": [mkfile("a", USER, 0o2755), mkfile("b", NOBODY),
                mkfile("c", HIDDEN), write(A, b"x", how=NOBODY, flags=4),
                lookup(".zsctl", how=HIDDEN), rec(GETATTR, A, RESENT,
                                                  bytes(16))],
}

REQUESTS["names2"] = [
    mkdir("a"), mkdir("b"), mkdir("c", A), mkfile("d"), mkfile("e"),
    rename("c", "d", A, B), rename("d", "c", B, A),
    rename("a", "c", ROOT, C), rename("c", "f", A),
    rename("d", "g", ROOT, B, 4), rename("g", "e", B, 0, 5),
    rename("g", "a", B, 0, 2), rename("a", "b", ROOT, 0, 2),
    rename("e", "f", ROOT, 0, 6), rename("e", "b", ROOT, A, 1),
    rename("a", "b", ROOT, 0), rename("nonsense", "a", ROOT, 0, 4),
    tmpfile(), rec(LINK, ROOT, 0, struct.pack("<Q", known(5)) + name("d")),
    rec(LINK, A, 0, struct.pack("<Q", known(5)) + name("a")), tmpfile(B),
    rec(FORGET, known(6), 0, struct.pack("<Q", 1)),
    rec(LINK, ROOT, 0, struct.pack("<Q", known(6)) + name("e"))]
REQUESTS["stats"] = [
    mkfile("a"), write(A, large=0x2001), lookup(".zsstats"),
    *[r for nr, n in enumerate(("io_stat", "classes", "fullness", "tiers",
                                "metrics", "stats.json", "mm_stat"))
      for r in (lookup(n, B), read(known(2 + nr), 1 << 16))],
    getxattr(ROOT, "zsfs.usage", 4096), getxattr(ROOT, "zsfs.usage", 0)]
REQUESTS["controls"] = writes_to(
    ("settle_after", b"5"), ("hot", b"0"), ("hot", b"1M"), ("dense", b"zstd:9"),
    ("comp_algorithm", b"none"), ("size", b"3M"), ("nr_inodes", b"100"),
    ("mem_limit", b"21M"), ("mem_used_max", b"0"), ("compact", b"1"),
    ("verify", b"1"), ("settle", b"1"), ("last_cmd_status", b"x"),
    ("size", b"0"), ("settle_after", b"off"), ("comp_algorithm", b"lz4:16"))
REQUESTS["many"] = [
    mkdir("d"), rec(FILES, A, 0, bytes(4)), mkdir("a", A),
    rec(FILES, B, 0, b"\2"), getxattr(A, "zsfs.usage", 4096),
    *[r for k in range(4)
      for r in (read(A, 700, off, op) for off, op in (
          (k * 40 << 9, READDIR), (k * 300 + 7, READDIRPLUS)))],
    *[read(A, 4096, 1 << k, READDIRPLUS) for k in range(8, 40, 5)],
    rec(NO_FILES, A, 0, b"\1"), read(A, 60000, 0, READDIR),
    rec(NO_FILES, B, 0, bytes(4)), rec(VERIFY)]
REQUESTS["objects"] = [
    mkfile("a"), rec(OBJECTS, A, 0, bytes(4)), rec(GAPS, A, 0, bytes(4)),
    rec(COMPACT), rec(OBJECTS, A, 0, b"\7\x20"), rec(TRIM, ROOT, 0, b"\3"),
    rec(TIME, ROOT, 0, b"\x1a"), rec(SETTLE_FOR, ROOT, 0, b"\xff\x20"),
    rec(LOOK, ROOT, 0, b"\x0c"), rec(SETTLE), rec(GAPS, A, 0, b"\3\x20"),
    rec(COMPACT), read(A, 1 << 17, 1 << 16), rec(VERIFY)]


def with_first(first, *keys):
    """Records of others, after @first."""
    return [first, *[r for key in keys for r in REQUESTS[key]]]


for nr, (key, also) in enumerate((
        ("names", "content"), ("room", "attributes"), ("virtual", "ends"),
        ("lists", "names2"), ("controls", "flags"))):
    REQUESTS[f"deaths{nr}"] = with_first(counted(DIE, 70 + 3 * nr, 40 + nr),
                                         key, also)
    REQUESTS[f"failures{nr}"] = with_first(counted(FAIL, 3 + nr, 4 + 3 * nr),
                                           key, also)

MOUNTS = {"content": ZSTD | ATIME, "room": HOT, "full": TWICE, "lists": ATIME,
          "flags": WRITEBACK, "ends": WRITEBACK | TWICE, "callers": NO_XATTR,
          "names": FEW}


def damage(kind, how, where, at, value=0):
    return struct.pack("<BBHHH", kind, how, where, at, value)


def alone(record):
    return record[:2] + bytes((record[2] | ALONE,)) + record[3:]


def write_file(folder, name_, data):
    with open(os.path.join(folder, name_), "wb") as f:
        f.write(data)


def requests(folder):
    for key, recs in REQUESTS.items():
        mount, data = MOUNTS.get(key, 0), b"".join(recs)
        for also in ((0,) if key == "full" else (0, TWICE | SMALL | HOT)):
            write_file(folder, f"{key}_{also:x}",
                       bytes((mount ^ also,)) + data)
        write_file(folder, f"{key}_alone",
                   bytes((mount,)) + b"".join(map(alone, recs)))


KINDS = """content checksum head cell cluster header thread pool super slot
request meta""".split()
LATER = "free_cell free_chunk snapshot value".split()
COPIES, ATTACHED, LATER_KINDS = 8, 0x40, 0xf0


def damages(folder):
    with open(os.path.join(folder, "none"), "wb") as f:
        f.write(b"12345")
    kinds = list(enumerate(KINDS)) + list(enumerate(LATER, LATER_KINDS))
    for kind, word in kinds:
        for how in (*range(8), COPIES, ATTACHED):
            with open(os.path.join(folder, f"{word}_{how}"), "wb") as f:
                for k in range(3):
                    f.write(damage(kind, how, how * 37 + k * 101,
                                   how * 24 + k * 8, how * 5 + k))
    # One bit of a slot's nr_alloc; handles that are in a magazine twice.
    with open(os.path.join(folder, "slot_allocations"), "wb") as f:
        f.write(damage(9, 0, 0, 104, 6))
    for at, bit in ((16, 0), (24, 1), (32, 1)):
        with open(os.path.join(folder, f"thread_twice_{at}"), "wb") as f:
            f.write(damage(6, 0, 0, at, bit))


def main():
    for name_, make in (("fuzz_request", requests), ("fuzz_recover", damages)):
        folder = os.path.join(sys.argv[1], name_)
        os.makedirs(folder, exist_ok=True)
        make(folder)


main()
