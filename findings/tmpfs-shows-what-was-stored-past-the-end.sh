#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# tmpfs shows bytes that a program stored through a mapping past the end of a file.
#
# Expected: what is stored past the end of a file in its last page is not part of
#   the file (POSIX); when ftruncate(2) or a write further on makes the file
#   longer, the new part reads as zeros.
# What happens: tmpfs clears the tail of a page when a file gets shorter, not when
#   it gets longer, so the bytes appear in the file. ext4 clears them.
# Why it matters: "as on tmpfs" and "as on a disk" differ here, so a test of a file
#   system that takes its answers from tmpfs takes a wrong one. Bytes that a
#   program believes outside of the file get into it, and into its checksum.
#
# Versions: Linux 6.18, python3 3.11
# Output seen:
#   byte 6000 of a file of 5000 bytes, after ftruncate to 9000: tmpfs 7a, ext4 00
#   after a write of one byte at 8999: tmpfs 7a, ext4 00
set -u
command -v python3 >/dev/null || { echo "skipped: needs python3"; exit 0; }
[ "$(stat -f -c %T /dev/shm 2>/dev/null)" = tmpfs ] && [ -w /dev/shm ] ||
	{ echo "skipped: /dev/shm is not a tmpfs"; exit 0; }
[ "$(stat -f -c %T "${TMPDIR:-/tmp}")" = ext2/ext3 ] ||
	{ echo "skipped: the folder of temporary files is not on ext4"; exit 0; }
D=$(mktemp -d)
S=$(mktemp -d -p /dev/shm)
trap 'rm -rf "$D" "$S"' EXIT
seen()
{
	python3 - "$1/f" "$2" <<'END'
import ctypes, os, sys
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
os.write(fd, b"a" * 5000)
at = libc.mmap(None, 8192, 3, 1, fd, 0)     # readable, writable, shared
ctypes.memset(at + 6000, ord("z"), 1)
if sys.argv[2] == "truncate":
    os.ftruncate(fd, 9000)
else:
    os.pwrite(fd, b"b", 8999)
print(os.pread(fd, 1, 6000).hex())
END
}
truncated="tmpfs $(seen "$S" truncate), ext4 $(seen "$D" truncate)"
written="tmpfs $(seen "$S" write), ext4 $(seen "$D" write)"
echo "byte 6000 of a file of 5000 bytes, after ftruncate to 9000: $truncated"
echo "after a write of one byte at 8999: $written"
[ "$truncated / $written" = "tmpfs 7a, ext4 00 / tmpfs 7a, ext4 00" ] ||
	{ echo "reality has changed"; exit 1; }
