#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-3-Clause
# O_TMPFILE: files that get a name later, or never.
load helpers

setup() {
	zsfs_setup
	zsfs_mount
	cd "$M"
}

teardown() {
	cd /
	zsfs_teardown
}

# In Python: tmp() and link() and what fails with which errno.
tmpfile() {
	"$PYTHON" -c '
import ctypes, errno, os, signal, stat, subprocess, sys
libc = ctypes.CDLL(None, use_errno=True)
def tmp(d=".", flags=os.O_RDWR, mode=0o600):
    return os.open(d, os.O_TMPFILE | flags, mode)
def link(fd, name):
    if libc.linkat(-100, b"/proc/self/fd/%d" % fd, -100, name.encode(), 0x400):
        return errno.errorcode[ctypes.get_errno()]
    return "ok"
def same(got, want):
    assert got == want, (got, want)
'"$1" "${@:2}"
}

@test "tmpfile: it is a file like any other, without a name" {
	tmpfile '
fd = tmp()
os.write(fd, b"before" * 2000)
os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
same(os.pread(fd, 12000, 0), b"before" * 2000)
same(os.fstat(fd).st_nlink, 0)
same(os.fstat(fd).st_size, 12000)
same(os.listdir("."), [])
os.ftruncate(fd, 3)
same(os.pread(fd, 9, 0), b"bef")
os.fchmod(fd, 0o640)
same(stat.S_IMODE(os.fstat(fd).st_mode), 0o640)
other = tmp()
same(os.fstat(other).st_ino != os.fstat(fd).st_ino, True)
same(os.stat("/proc/self/fd/%d" % fd).st_size, 3)
again = os.open("/proc/self/fd/%d" % fd, os.O_RDWR)
os.write(again, b"xyz")
same(os.pread(fd, 9, 0), b"xyz")
'
}

@test "tmpfile: what is closed is gone" {
	zsfs_only
	was=$(stat -f -c '%d %f' .)
	fsop -n 300 tmpfile . >/dev/null
	tmpfile '
fd = tmp()
os.write(fd, os.urandom(5000000))
'
	poll 5 eval '[ "$(stat -f -c "%d" .)" = "${was% *}" ]'
	same "$(json .content.inodes)" 1
}

@test "tmpfile: it is given a name, once and again" {
	tmpfile '
os.mkdir("d")
fd = tmp("d")
os.write(fd, b"x" * 10000)
before = os.fstat(fd)
same(link(fd, "a"), "ok")
same(os.fstat(fd).st_nlink, 1)
same(os.stat("a").st_ino, before.st_ino)
same(os.stat("a").st_size, 10000)
same(link(fd, "a"), "EEXIST")
same(link(fd, "d/b"), "ok")
same(os.stat("a").st_nlink, 2)
os.unlink("a")
os.unlink("d/b")
same(os.fstat(fd).st_nlink, 0)
same(link(fd, "c"), "ENOENT")
same(os.listdir("."), ["d"])
same(os.pread(fd, 20000, 0), b"x" * 10000)
'
}

@test "tmpfile: what cannot be given a name" {
	tmpfile '
same(link(tmp(".", os.O_RDWR | os.O_EXCL), "a"), "ENOENT")
fd = os.open("f", os.O_CREAT | os.O_RDWR)
os.unlink("f")
same(link(fd, "a"), "ENOENT")
same(os.listdir("."), [])
for flags, want in (os.O_RDONLY, errno.EINVAL), (os.O_WRONLY, 0):
    try:
        os.close(tmp(".", flags))
        got = 0
    except OSError as e:
        got = e.errno
    same(got, want)
open("f", "w").close()
for place, want in ("f", errno.ENOTDIR), ("none", errno.ENOENT):
    try:
        tmp(place)
        got = 0
    except OSError as e:
        got = e.errno
    same(got, want)
'
}

@test "tmpfile: in a folder that was removed" {
	tmpfile '
os.mkdir("d")
os.chdir("d")
os.rmdir("../d")
fd = tmp()
same(link(fd, "../linked"), "ok")
same(os.stat("../linked").st_nlink, 1)
'
}

@test "tmpfile: mode, umask and owner are those of a new file" {
	root_only
	tmpfile '
os.umask(0o027)
same(stat.S_IMODE(os.fstat(tmp(".", os.O_RDWR, 0o6777)).st_mode), 0o6750)
os.mkdir("d")
os.chown("d", 3, 4)
os.chmod("d", 0o2777)
os.setegid(6)
os.seteuid(5)
st = os.fstat(tmp("d"))
same((st.st_uid, st.st_gid), (5, 4))
st = os.fstat(tmp("."))
same((st.st_uid, st.st_gid), (5, 6))
'
}

@test "tmpfile: at the limits it is ENOSPC" {
	zsfs_only
	echo 2 >.zsctl/nr_inodes
	tmpfile '
fd = tmp()
try:
    tmp()
    same("made", "ENOSPC")
except OSError as e:
    same(e.errno, errno.ENOSPC)
same(link(fd, "a"), "ok")
'
}

@test "tmpfile: no worker's death loses or keeps one" {
	zsfs_only
	not_cached "the kernel writes back when it wants to"
	tmpfile '
def kill():
    was = worker()
    os.kill(was, signal.SIGKILL)
    while worker() in (0, was):
        pass
def worker():
    import json
    return json.load(open(".zsstats/stats.json"))["survival"]["worker"]
fds = [tmp() for n in range(50)]
for n, fd in enumerate(fds):
    os.write(fd, b"%d" % n * 5000)
kill()
for n, fd in enumerate(fds):
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    same(os.pread(fd, 10, 0), (b"%d" % n * 5000)[:10])
for n, fd in enumerate(fds[:25]):
    same(link(fd, "f%d" % n), "ok")
kill()
for n, fd in enumerate(fds):
    same(os.fstat(fd).st_nlink, int(n < 25))
    os.close(fd)
same(len(os.listdir(".")), 25)
'
	poll 5 eval '[ "$(json .content.inodes)" = 26 ]'
}
