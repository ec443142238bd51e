#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# On FUSE, a write(2) that begins within a page is sent as two requests.
#
# Expected: with FUSE_BIG_WRITES, and far below max_write, one write(2) is one
#   WRITE, wherever it begins.
# What happens: the kernel ends a WRITE at the first page that it holds only in
#   part, because that is not up to date and stays locked until the answer. So the
#   rest of the page that the write before began is a request of its own, and what
#   is behind it another. After the page has been read it is one again.
# Why it matters: tar(1) writes what it extracts in pieces of 10 KiB that begin at
#   any multiple of 512, so a server gets twice as many WRITE as it makes calls,
#   each with a round trip; and a small WRITE does not tell of a program that
#   writes little.
#
# Versions: Linux 6.18, python3.11 3.11.2-6+deb12u9
# Output seen:
#   WRITE sent by 20 calls of 10240 bytes, one behind the other:
#     from offset 0: 30, from offset 512: 40; of 8192 from 0: 20; after a read: 20
set -u
[ "$(id -u)" = 0 ] && [ -w /dev/fuse ] || { echo "skipped: needs root and /dev/fuse"; exit 0; }
T=$(mktemp -d)
cd "$T" || exit 1
trap 'cd /; umount -l "$T/m" 2>/dev/null; rm -rf --one-file-system "$T"' EXIT
V=3.11.2-6+deb12u9
apt-get -qq download {,lib}python3.11-minimal=$V libpython3.11-stdlib=$V libffi8=3.4.4-1 2>/dev/null ||
	{ echo "skipped: the packages are not to be had"; exit 0; }
for deb in ./*.deb; do dpkg -x "$deb" root; done
export PYTHONHOME=$T/root/usr LD_LIBRARY_PATH=$T/root/usr/lib/x86_64-linux-gnu
mkdir m
cat >one.py <<'END'
import ctypes, os, struct, sys
LOOKUP, GETATTR, SETATTR, READ, WRITE, INIT = 1, 3, 4, 15, 16, 26
point = sys.argv[1]
fd = os.open("/dev/fuse", os.O_RDWR)
data = f"fd={fd},rootmode=40000,user_id=0,group_id=0,default_permissions".encode()
if ctypes.CDLL(None).mount(b"one", point.encode(), b"fuse", 0, data):
    sys.exit("skipped: no mount")
def attr(ino):  # what is stored does not matter here
    return struct.pack("<QQQQQQIIIIIIIIII", ino, 1 << 20 if ino == 2 else 0, 0, 0, 0, 0, 0, 0, 0,
                       0o100644 if ino == 2 else 0o40755, 1, 0, 0, 0, 4096, 0)
def serve():
    asked = 0
    while True:
        try: request = os.read(fd, 1 << 20)
        except OSError: os._exit(0)
        _, op, unique, node, *_ = struct.unpack_from("<IIQQIIII", request)
        error, reply = 0, b""
        if op == INIT: reply = struct.pack("<IIIIHHIIHHIIQ", 7, 36, 65536, 1 << 5, 16, 12, 65536, 1, 16, 0, 0, 0, 0) + bytes(16)
        elif op == LOOKUP: reply = struct.pack("<QQQQII", 2, 1, 99999, 99999, 0, 0) + attr(2)
        elif op in (GETATTR, SETATTR): reply = struct.pack("<QII", 99999, 0, 0) + attr(node)
        elif op == READ: reply = bytes(struct.unpack_from("<QQI", request, 40)[2])
        elif op == WRITE: asked, reply = asked + 1, struct.pack("<II", struct.unpack_from("<I", request, 56)[0], 0)
        elif op == 17: reply, asked = struct.pack("<QQQQQIIII", *[asked] * 5, 4096, 255, 4096, 0) + bytes(24), 0
        elif op in (2, 42): continue
        else: error = -38
        os.write(fd, struct.pack("<IiQ", 16 + len(reply), error, unique) + reply)
if os.fork() == 0:
    os.close(1)
    serve()
os.close(fd)
f = os.open(point + "/f", os.O_RDWR)
def sent(first, size, read=False):
    os.posix_fadvise(f, 0, 0, os.POSIX_FADV_DONTNEED)
    if read: os.pread(f, 1 << 18, 0)
    os.statvfs(point)
    for k in range(20): os.pwrite(f, bytes(size), first + k * size)
    return os.statvfs(point).f_blocks
print(sent(0, 10240), sent(512, 10240), sent(0, 8192), sent(512, 10240, True))
END
sent=$(timeout 20 root/usr/bin/python3.11 one.py "$T/m")
case $sent in *[!0-9\ ]* | "") echo "skipped: no mount of FUSE here"; exit 0 ;; esac
read -r a b c d <<<"$sent"
echo "WRITE sent by 20 calls of 10240 bytes, one behind the other:"
echo "  from offset 0: $a, from offset 512: $b; of 8192 from 0: $c; after a read: $d"
[ "$sent" = "30 40 20 20" ] || { echo "reality has changed"; exit 1; }
