# SPDX-License-Identifier: BSD-3-Clause
"""always.py MOUNT make|use: what always works, whatever limit is reached.

`make` sets up an empty mount; `use`, after it was filled, does with all of it
what makes nothing more: each call must succeed, and nothing may be lost. Then
nothing of what was set up is left.
"""
import array
import ctypes
import errno
import fcntl
import os
import sys

M, WHAT = sys.argv[1], sys.argv[2]
TOP = f"{M}/always"
N = 40
BLOCK = 4096
GETFLAGS, SETFLAGS = 0x80086601, 0x40086602
IMMUTABLE, NODUMP = 0x10, 0x40
ACL = "system.posix_acl_access"
KEEP_SIZE, PUNCH_HOLE = 1, 2

libc = ctypes.CDLL(None, use_errno=True)
libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_long, ctypes.c_long]
libc.renameat2.argtypes = [ctypes.c_int, ctypes.c_char_p] * 2 + [ctypes.c_uint]


def call(function, *args):
    if function(*args):
        raise OSError(ctypes.get_errno(), f"{function.__name__}{args}")


def data(k, n=3 * BLOCK):
    return bytes((k * 31 + j * j * 97 >> 3) & 255 for j in range(n))


def flags(path, change=None):
    fd = os.open(path, os.O_RDONLY)
    buf = array.array("i", [0])
    fcntl.ioctl(fd, GETFLAGS, buf, True)
    if change is not None:
        fcntl.ioctl(fd, SETFLAGS, array.array("i", [change]))
    os.close(fd)
    return buf[0]


def acl(*entries):
    parts = [(tag, perm, who & 0xFFFFFFFF) for tag, perm, who in entries]
    out = (2).to_bytes(4, "little")
    for tag, perm, who in parts:
        out += tag.to_bytes(2, "little") + perm.to_bytes(2, "little")
        out += who.to_bytes(4, "little")
    return out


def make():
    os.makedirs(f"{TOP}/dirs")
    os.makedirs(f"{TOP}/files")
    for k in range(N):
        path = f"{TOP}/files/{k}"
        with open(path, "wb") as f:
            f.write(data(k))
        os.setxattr(path, "user.small", b"x" * 20)
        os.setxattr(path, "user.large", data(k, 5000))
        os.setxattr(path, ACL, acl((1, 6, -1), (2, 7, 12345), (4, 4, -1), (16, 7, -1), (32, 4, -1)))
        if os.geteuid() == 0:
            os.setxattr(path, "trusted.t", b"y" * 300)
            flags(path, NODUMP)
        os.makedirs(f"{TOP}/dirs/{k}/below")
        os.symlink("x" * (k * 40), f"{TOP}/dirs/{k}/below/link") if k else None
        os.link(path, f"{TOP}/dirs/{k}/other name")
    with open(f"{TOP}/room", "wb") as f:
        call(libc.fallocate, f.fileno(), 0, 0, 64 * BLOCK)
    with open(f"{TOP}/large", "wb") as f:
        for k in range(256):
            f.write(data(k, BLOCK))


def change_attributes(path):
    os.removexattr(path, "user.large")
    # No larger than it was.
    os.setxattr(path, "user.small", b"z" * 20, os.XATTR_REPLACE)
    assert os.getxattr(path, "user.small") == b"z" * 20
    os.removexattr(path, "user.small")
    os.removexattr(path, ACL)
    os.chmod(path, 0o640)
    os.utime(path, (1, 2))
    if os.geteuid() == 0:
        os.removexattr(path, "trusted.t")
        os.chown(path, 1, 2)
        flags(path, IMMUTABLE | NODUMP)
        assert flags(path) == IMMUTABLE | NODUMP
        flags(path, 0)
    assert os.listxattr(path) == []


def change_content(path, k):
    want = bytearray(data(k))
    fd = os.open(path, os.O_RDWR)
    os.pwrite(fd, want[:BLOCK], 0)
    os.pwrite(fd, want[700:900], 700)
    call(libc.fallocate, fd, KEEP_SIZE | PUNCH_HOLE, BLOCK, BLOCK)
    want[BLOCK : 2 * BLOCK] = bytes(BLOCK)
    # Parts of two blocks.
    call(libc.fallocate, fd, KEEP_SIZE | PUNCH_HOLE, 100, 50)
    want[100:150] = bytes(50)
    os.ftruncate(fd, 2 * BLOCK + 1000)
    del want[2 * BLOCK + 1000 :]
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    assert os.pread(fd, 1 << 20, 0) == want, path
    os.ftruncate(fd, 0)
    os.close(fd)


def change_names(k):
    at = f"{TOP}/dirs/{k}"
    os.rename(f"{at}/other name", f"{at}/a name that is longer than the other one")
    os.rename(f"{at}/below", f"{TOP}/dirs/below {k}")
    os.unlink(f"{at}/a name that is longer than the other one")
    if k:
        os.unlink(f"{TOP}/dirs/below {k}/link")
    os.rmdir(at)
    os.rename(f"{TOP}/dirs/below {k}", at)
    os.rmdir(at)


def exchange():
    both = f"{TOP}/files/0".encode(), f"{TOP}/large".encode()
    size = os.stat(both[1]).st_size
    call(libc.renameat2, -100, both[0], -100, both[1], 2)
    assert os.stat(both[0]).st_size == size
    os.replace(*both)


def redeem():
    """What was reserved is there."""
    fd = os.open(f"{TOP}/room", os.O_RDWR)
    for k in range(64):
        assert os.pwrite(fd, os.urandom(BLOCK), k * BLOCK) == BLOCK
    os.fsync(fd)
    call(libc.fallocate, fd, KEEP_SIZE | PUNCH_HOLE, 0, 64 * BLOCK)
    assert os.fstat(fd).st_blocks == 0
    os.close(fd)
    os.unlink(f"{TOP}/room")


def look():
    for folder in (".zsstats", ".zsctl"):
        for name in os.listdir(f"{M}/{folder}"):
            with open(f"{M}/{folder}/{name}") as f:
                assert name in ("last_cmd_status", "compact") or f.read(), name
    os.statvfs(M)
    for at, _, names in os.walk(TOP):
        for name in names:
            os.lstat(f"{at}/{name}")


def use():
    redeem()
    look()
    for k in range(N):
        path = f"{TOP}/files/{k}"
        with open(path, "rb") as f:
            assert f.read() == data(k)
        change_names(k)
        change_attributes(path)
        change_content(path, k)
    exchange()
    os.truncate(f"{TOP}/large", 0)
    for k in range(1, N):
        os.unlink(f"{TOP}/files/{k}")
    os.rmdir(f"{TOP}/files")
    os.unlink(f"{TOP}/large")
    os.rmdir(f"{TOP}/dirs")
    os.rmdir(TOP)
    look()


use() if WHAT == "use" else make()
