#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# On FUSE, after each answer with attributes the next write(2) sends a GETXATTR.
#
# Expected: with FUSE_HANDLE_KILLPRIV_V2 the server clears set-user-ID bits and
#   file capabilities itself, and the kernel marks inodes that have neither
#   (S_NOSEC); so a file costs one question for security.capability at the most.
# What happens: every answer that carries attributes takes the mark away, so who
#   writes and stats in turns (a log with a size limit, an archiver) sends a
#   GETXATTR for each write, and fchown(2) sends one every time. Without the flag
#   each write does. The only way out is ENOSYS to GETXATTR, which ends extended
#   attributes for the life of the mount.
# Why it matters: a server that learns to keep extended attributes pays a round
#   trip for each new file with content, which has none.
#
# Versions: Linux 6.18, python3.11 3.11.2-6+deb12u9
# Output seen:
#   GETXATTR sent by 20 calls of each, with FUSE_HANDLE_KILLPRIV_V2:
#     write 1; write and fstat 19; fchown 20. Without it: 20, 20, 20
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
LOOKUP, GETATTR, SETATTR, OPEN, WRITE, GETXATTR, INIT, V2 = 1, 3, 4, 14, 16, 22, 26, 1 << 28
point, flags = sys.argv[1], 1 << 5 | (V2 if sys.argv[2] == "v2" else 0)
fd = os.open("/dev/fuse", os.O_RDWR)
data = f"fd={fd},rootmode=40000,user_id=0,group_id=0,default_permissions".encode()
if ctypes.CDLL(None).mount(b"one", point.encode(), b"fuse", 0, data):
    sys.exit("skipped: no mount")
def attr(ino):  # sizes and times are 0: what is stored does not matter here
    return struct.pack("<QQQQQQIIIIIIIIII", ino, 0, 0, 0, 0, 0, 0, 0, 0,
                       0o100644 if ino == 2 else 0o40755, 1, 0, 0, 0, 4096, 0)
def serve():
    asked = 0
    while True:
        try: request = os.read(fd, 1 << 20)
        except OSError: os._exit(0)
        _, op, unique, node, *_ = struct.unpack_from("<IIQQIIII", request)
        error, reply = 0, b""
        if op == INIT: reply = struct.pack("<IIIIHHIIHHIIQ", 7, 36, 65536, flags, 16, 12, 65536, 1, 16, 0, 0, 0, 0) + bytes(16)
        elif op == LOOKUP: reply = struct.pack("<QQQQII", 2, 1, 99999, 99999, 0, 0) + attr(2)
        elif op in (GETATTR, SETATTR): reply = struct.pack("<QII", 99999, 0, 0) + attr(node)
        elif op == WRITE: reply = struct.pack("<II", struct.unpack_from("<I", request, 56)[0], 0)
        elif op == GETXATTR: asked, error = asked + 1, -61
        elif op == 17: reply, asked = struct.pack("<QQQQQIIII", *[asked] * 5, 4096, 255, 4096, 0) + bytes(24), 0
        elif op in (2, 42): continue
        else: error = -38
        os.write(fd, struct.pack("<IiQ", 16 + len(reply), error, unique) + reply)
if os.fork() == 0:
    os.close(1)
    serve()
os.close(fd)
f = os.open(point + "/f", os.O_WRONLY)
asked = lambda: os.statvfs(point).f_blocks
def write(): os.write(f, b"x")
def write_stat(): write(); os.stat(f"/proc/self/fd/{f}")
def chown(): os.fchown(f, 0, 0)
for call in write, write_stat, chown:
    asked()
    for _ in range(20): call()
    print(asked(), end=" ")
END
with=$(timeout 20 root/usr/bin/python3.11 one.py "$T/m" v2); umount -l m
without=$(timeout 20 root/usr/bin/python3.11 one.py "$T/m" v1)
case $with$without in *[!0-9\ ]* | "") echo "skipped: no mount of FUSE here"; exit 0 ;; esac
echo "GETXATTR sent by 20 calls of write, of write and fstat, of fchown:"
echo "  with FUSE_HANDLE_KILLPRIV_V2: ${with% }; without: ${without% }"
[ "$with/ $without" = "1 19 20 / 20 20 20 " ] || { echo "reality has changed"; exit 1; }
