# SPDX-License-Identifier: BSD-3-Clause
"""Say which times (a, m, c) of which files each operation changes, in a folder.

Run on two file systems, the output is to be the same.
"""
import ctypes
import fcntl
import mmap
import os
import struct
import sys
import time

libc = ctypes.CDLL(None, use_errno=True)
UTIME_NOW, UTIME_OMIT = (1 << 30) - 1, (1 << 30) - 2
NOREPLACE, EXCHANGE = 1, 2
RO, WO, RW = os.O_RDONLY, os.O_WRONLY, os.O_RDWR


class Timespec(ctypes.Structure):
    _fields_ = [("sec", ctypes.c_long), ("nsec", ctypes.c_long)]


def utimens(atime, mtime):
    times = (Timespec * 2)(Timespec(*atime), Timespec(*mtime))
    assert libc.utimensat(-100, b"f", times, 0) == 0


def rename2(old, new, flags):
    assert libc.renameat2(-100, old, -100, new, flags) == 0


def with_fd(flags, fn, name="f"):
    fd = os.open(name, flags, 0o644)
    try:
        fn(fd)
    finally:
        os.close(fd)


def write(name, data=b"x" * 5000):
    with_fd(os.O_CREAT | os.O_WRONLY, lambda fd: os.write(fd, data), name)


ACL = "system.posix_acl_"


def acl(owner, user, group, other):
    """What they may; with a user more, and a mask, if there is one."""
    lines = [(1, owner), (2, user), (4, group), (16, 7), (32, other)]
    return struct.pack("<I", 2) + b"".join(
        struct.pack("<HHI", tag, perm, 5 if tag == 2 else 0xFFFFFFFF)
        for tag, perm in lines if user is not None or tag not in (2, 16))


def prepare():
    """f, g and its link h, the folders d and d/e, the symlink s."""
    write("f")
    write("empty", b"")
    time.sleep(0.02)  # so that f and g have other times
    write("g")
    os.link("g", "h")
    os.makedirs("d/e")
    os.symlink("f", "s")
    os.setxattr("empty", "user.old", b"x")
    os.setxattr("empty", ACL + "access", acl(6, 7, 5, 0))
    if os.getuid() == 0:
        os.setxattr("g", "security.capability", b"\x01\0\0\2\0\x20" + bytes(14))


def mapped_write(flush):
    def fn(fd):
        with mmap.mmap(fd, 4096) as m:
            m[0] = 65
            if flush:
                m.flush()
    with_fd(os.O_RDWR, fn)


def allocate(mode, start, length):
    def fn(fd):
        if libc.fallocate(fd, mode, ctypes.c_long(start), ctypes.c_long(length)):
            raise OSError(ctypes.get_errno(), "fallocate")
    with_fd(RW, fn)


def set_flags(flags, name="f"):
    with_fd(RO, lambda fd: fcntl.ioctl(fd, 0x40086602, struct.pack("i", flags)), name)


def direct_write(fd):
    with mmap.mmap(-1, 4096) as page:
        os.write(fd, page)


def copy(fd):
    with_fd(RO, lambda src: os.copy_file_range(src, fd, 100), "g")


def name_tmpfile():
    fd = os.open("d", os.O_TMPFILE | RW, 0o600)
    os.write(fd, b"x")
    assert libc.linkat(-100, b"/proc/self/fd/%d" % fd, -100, b"d/i", 0x400) == 0
    os.close(fd)


TOP = os.path.abspath(sys.argv[1])

CASES = {
    "read": lambda: with_fd(RO, lambda fd: os.read(fd, 10)),
    "read noatime": lambda: with_fd(RO | os.O_NOATIME, lambda fd: os.read(fd, 10)),
    "list": lambda: os.listdir("."),
    "readlink": lambda: os.readlink("s"),
    "follow": lambda: os.stat("s"),
    "open": lambda: with_fd(RW, lambda fd: None),
    "open creat": lambda: with_fd(RW | os.O_CREAT, lambda fd: None),
    "open trunc": lambda: with_fd(WO | os.O_TRUNC, lambda fd: None),
    "open trunc empty": lambda: with_fd(WO | os.O_TRUNC, lambda fd: None, "empty"),
    "lock": lambda: with_fd(RO, lambda fd: fcntl.flock(fd, fcntl.LOCK_EX)),
    "fsync": lambda: with_fd(WO, os.fsync),
    "write": lambda: with_fd(WO, lambda fd: os.write(fd, b"y")),
    "write nothing": lambda: with_fd(WO, lambda fd: os.write(fd, b"")),
    "append": lambda: with_fd(WO | os.O_APPEND, lambda fd: os.write(fd, b"y")),
    "mapped write": lambda: mapped_write(True),
    "truncate smaller": lambda: os.truncate("f", 10),
    "truncate same": lambda: os.truncate("f", 5000),
    "truncate larger": lambda: os.truncate("f", 9000),
    "ftruncate same": lambda: with_fd(RW, lambda fd: os.ftruncate(fd, 5000)),
    "chmod": lambda: os.chmod("f", 0o600),
    "chmod same": lambda: os.chmod("f", 0o644),
    "chown same": lambda: os.chown("f", os.getuid(), os.getgid()),
    "chown none": lambda: os.chown("f", -1, -1),
    "utime": lambda: os.utime("f"),
    "utime set": lambda: os.utime("f", (1, 1)),
    "utime omit now": lambda: utimens((0, UTIME_OMIT), (0, UTIME_NOW)),
    "utime now omit": lambda: utimens((0, UTIME_NOW), (0, UTIME_OMIT)),
    "utime omit omit": lambda: utimens((0, UTIME_OMIT), (0, UTIME_OMIT)),
    "utime now set": lambda: utimens((0, UTIME_NOW), (5, 5)),
    "utime set omit": lambda: utimens((5, 5), (0, UTIME_OMIT)),
    "link": lambda: os.link("f", "d/i"),
    "unlink": lambda: os.unlink("f"),
    "unlink one of two": lambda: os.unlink("h"),
    "rename": lambda: os.rename("f", "i"),
    "rename away": lambda: os.rename("f", "d/f"),
    "rename folder": lambda: os.rename("d/e", "e"),
    "rename over": lambda: os.rename("f", "g"),
    "rename to itself": lambda: os.rename("g", "h"),
    "rename noreplace": lambda: rename2(b"f", b"i", NOREPLACE),
    "exchange": lambda: rename2(b"f", b"g", EXCHANGE),
    "exchange folder": lambda: rename2(b"f", b"d/e", EXCHANGE),
    "mkdir": lambda: os.mkdir("d/x"),
    "rmdir": lambda: os.rmdir("d/e"),
    "mkfifo": lambda: os.mkfifo("d/x"),
    "symlink": lambda: os.symlink("f", "d/x"),
    "create": lambda: write("d/x"),
    "allocate": lambda: allocate(0, 0, 100),
    "allocate more": lambda: allocate(0, 0, 9000),
    "allocate keeping": lambda: allocate(1, 0, 100),
    "allocate more keeping": lambda: allocate(1, 0, 9000),
    "allocate far keeping": lambda: allocate(1, 1 << 30, 9000),
    "allocate nothing": lambda: allocate(0, 0, 0),
    "allocate too far": lambda: allocate(0, (1 << 63) - 1, 1),
    "allocate too much": lambda: allocate(0, 0, 1 << 60),
    "allocate unknown": lambda: allocate(4, 0, 4096),
    "punch": lambda: allocate(3, 0, 4096),
    "punch nothing": lambda: allocate(3, 8192, 4096),
    "punch a part": lambda: allocate(3, 100, 10),
    "punch a hole": lambda: (allocate(3, 0, 4096), allocate(3, 0, 4096))[0],
    "set attribute": lambda: os.setxattr("f", "user.a", b"x"),
    "set attribute that is not there": lambda: os.setxattr("f", "user.a", b"x", 2),
    "set attribute of a folder": lambda: os.setxattr("d", "user.a", b"x"),
    "set attribute of a link": lambda: os.setxattr("s", "trusted.a", b"x", 0, follow_symlinks=False),
    "remove attribute": lambda: os.removexattr("empty", "user.old"),
    "remove attribute that is not there": lambda: os.removexattr("f", "user.a"),
    "read attributes": lambda: (os.listxattr("empty"), os.getxattr("empty", "user.old")),
    "set list": lambda: os.setxattr("f", ACL + "access", acl(6, 7, 5, 0)),
    "set list that is only a mode": lambda: os.setxattr("f", ACL + "access", acl(6, None, 4, 4)),
    "set default list": lambda: os.setxattr("d", ACL + "default", acl(7, 7, 5, 0)),
    "remove list": lambda: os.removexattr("empty", ACL + "access"),
    "remove list that is not there": lambda: os.removexattr("f", ACL + "access"),
    "set list that is none": lambda: os.setxattr("f", ACL + "access", b"x"),
    "write where capabilities are": lambda: with_fd(WO, lambda fd: os.write(fd, b"y"), "g"),
    "flags": lambda: set_flags(0x40),
    "flags same": lambda: set_flags(0),
    "flags of a folder": lambda: set_flags(0x40, "d"),
    "flags not known": lambda: set_flags(4),
    "copy range": lambda: with_fd(WO, copy),
    "tmpfile": lambda: os.close(os.open("d", os.O_TMPFILE | RW, 0o600)),
    "name a tmpfile": name_tmpfile,
    "whiteout": lambda: rename2(b"f", b"i", 4),
    "whiteout away": lambda: rename2(b"f", b"d/i", 4),
    "chown owner": lambda: os.chown("f", 1, -1),
    "chown group": lambda: os.chown("f", -1, 1),
    "lchown link": lambda: os.lchown("s", 1, 1),
    "chmod folder": lambda: os.chmod("d", 0o700),
    "write far": lambda: with_fd(WO, lambda fd: os.pwrite(fd, b"y", 100000)),
    "direct write": lambda: with_fd(WO | os.O_DIRECT, direct_write),
    "statfs": lambda: os.statvfs("."),
    "access": lambda: os.access("f", os.W_OK),
    "mkdir exists": lambda: os.mkdir("d"),
    "rmdir full": lambda: os.rmdir("d"),
    "unlink folder": lambda: os.unlink("d"),
}
# What was written is in the kernel's cache, and reading it there is not seen.
IGNORED = {"read": "a", "mapped write": "a", "copy range": "a"}


def times():
    """By inode number, so that renamed files are followed."""
    found = {}
    names = ["."] + [n for n in ("f", "g", "h", "i", "s", "d", "d/f", "d/i", "d/e",
                                 "e", "empty") if os.path.lexists(n)]
    for name in names:
        st = os.lstat(name)
        found[st.st_ino] = (name, (st.st_atime_ns, st.st_mtime_ns, st.st_ctime_ns))
    return found


def run(top, case, operation):
    folder = os.path.join(top, case.replace(" ", "_"))
    os.mkdir(folder)
    os.chdir(folder)
    prepare()
    before = times()
    time.sleep(0.02)
    try:
        operation()
        said = []
    except OSError as e:
        said = [os.strerror(e.errno)]
    after = times()
    for ino, (name, old) in before.items():
        if ino not in after:
            continue
        changed = "".join(what for what, x, y in zip("amc", old, after[ino][1])
                          if x != y and what not in IGNORED.get(case, ""))
        if changed:
            said.append(f"{name}:{changed}")
    time.sleep(0.01)
    if times() != after:
        said.append("and later again")
    print(f"{case}: {' '.join(said)}")


for case, operation in CASES.items():
    run(TOP, case, operation)
