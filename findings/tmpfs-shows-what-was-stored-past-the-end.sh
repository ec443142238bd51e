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
# Versions: Linux 6.18, xfsprogs 6.1.0-1
# Output seen:
#   byte 6000 of a file of 5000 bytes, after ftruncate to 9000: tmpfs 7a, ext4 00
#   after a write of one byte at 8999: tmpfs 7a, ext4 00
set -u
[ "$(stat -f -c %T /dev/shm 2>/dev/null)" = tmpfs ] && [ -w /dev/shm ] ||
	{ echo "skipped: /dev/shm is not a tmpfs"; exit 0; }
T=$(mktemp -d)
S=$(mktemp -d -p /dev/shm)
cd "$T" || exit 1
trap 'cd /; rm -rf "$T" "$S"' EXIT
[ "$(stat -f -c %T .)" = ext2/ext3 ] ||
	{ echo "skipped: the folder of temporary files is not on ext4"; exit 0; }
apt-get -qq download xfsprogs=6.1.0-1 libedit2=3.1-20221030-2 libbsd0=0.11.7-2 \
	libmd0=1.0.4-2 libdevmapper1.02.1=2:1.02.185-2 2>/dev/null ||
	{ echo "skipped: the packages are not to be had"; exit 0; }
for deb in ./*.deb; do dpkg -x "$deb" root; done
export LD_LIBRARY_PATH=$T/root/usr/lib/x86_64-linux-gnu:$T/root/lib/x86_64-linux-gnu
# seen DIR COMMAND: byte 6000, which was stored through a mapping, after COMMAND
seen() {
	root/usr/sbin/xfs_io -f -c "pwrite -q -S 0x61 0 5000" -c "mmap 0 8192" \
		-c "mwrite -S 0x7a 6000 1" -c "$2" -c "pread -v 6000 1" "$1/f" |
		awk 'NR == 1 { print $2 }'
	rm "$1/f"
}
truncated="tmpfs $(seen "$S" "truncate 9000"), ext4 $(seen . "truncate 9000")"
written="tmpfs $(seen "$S" "pwrite -q 8999 1"), ext4 $(seen . "pwrite -q 8999 1")"
echo "byte 6000 of a file of 5000 bytes, after ftruncate to 9000: $truncated"
echo "after a write of one byte at 8999: $written"
[ "$truncated / $written" = "tmpfs 7a, ext4 00 / tmpfs 7a, ext4 00" ] ||
	{ echo "reality has changed"; exit 1; }
