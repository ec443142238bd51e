#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# khugepaged fills holes that were punched into a file on a tmpfs with huge=always.
#
# Expected: memory that fallocate(2) punched out of a file on tmpfs is free until
#   somebody writes there again.
# What happens: it comes back by itself, zeroed, and counts (st_blocks, df, the
#   cgroup), as soon as khugepaged gets to a process that has the file mapped: any
#   2 MiB with one page left become a huge page, because max_ptes_none (511 of 512
#   by default) counts holes as it counts anonymous memory that nobody touched.
#   transparent_hugepage/enabled=madvise does not change it. A mapping that said
#   MADV_NOHUGEPAGE is left alone, and keeps the huge pages that it had before.
# Why it matters: who gives parts of shared memory back (an allocator, the RAM of a
#   guest) and counts what is left is wrong after a while, by up to 511 pages for
#   each that is left. By default eight huge pages are looked at in ten seconds.
#
# Versions: Linux 6.18, python3.11 3.11.2-6+deb12u9
# Output seen:
#   not mapped: punched to 16384 bytes, later 16384
#   mapped: punched to 16384 bytes, later 8388608
#   mapped, MADV_NOHUGEPAGE: punched to 16384 bytes, later 16384
set -u
knob=/sys/kernel/mm/transparent_hugepage/khugepaged/scan_sleep_millisecs
[ -w "$knob" ] || { echo "skipped: khugepaged is not to be had"; exit 0; }
T=$(mktemp -d)
sleeps=$(cat "$knob")
trap 'echo "$sleeps" >"$knob"; cd /; umount "$T/m" 2>/dev/null; rm -rf "$T"' EXIT
mkdir "$T/m"
cd "$T" && mount -t tmpfs -o huge=always none m 2>/dev/null ||
	{ echo "skipped: no tmpfs with huge pages"; exit 0; }
v=3.11.2-6+deb12u9
apt-get -qq download python3.11-minimal=$v libpython3.11-minimal=$v \
	libpython3.11-stdlib=$v libffi8=3.4.4-1 2>/dev/null ||
	{ echo "skipped: the packages are not to be had"; exit 0; }
for deb in ./*.deb; do dpkg -x "$deb" root; done
export LD_LIBRARY_PATH=$T/root/usr/lib/x86_64-linux-gnu PYTHONHOME=$T/root/usr
cat >look.py <<'END'
import ctypes, mmap, os, sys, time
HUGE, PAGE, N = 2 << 20, 4096, 4
MADV_NOHUGEPAGE, PUNCH_HOLE_KEEP_SIZE = 15, 3
fd = os.open("m/file", os.O_RDWR | os.O_CREAT)
held = lambda: os.fstat(fd).st_blocks * 512
os.posix_fallocate(fd, 0, N * HUGE)
how = sys.argv[1]
if how != "not mapped":
    m = mmap.mmap(fd, N * HUGE)
    if how != "mapped":
        m.madvise(MADV_NOHUGEPAGE)
punch = ctypes.CDLL(None).fallocate
for at in range(PAGE, N * HUGE, HUGE):
    punch(fd, PUNCH_HOLE_KEEP_SIZE, ctypes.c_long(at), ctypes.c_long(HUGE - PAGE))
punched = held()
open(sys.argv[2], "w").write("10") # sooner than every ten seconds
time.sleep(10)
print(f"{how}: punched to {punched} bytes, later {held()}")
END
seen=$(for how in "not mapped" mapped "mapped, MADV_NOHUGEPAGE"; do
	echo "$sleeps" >"$knob"
	rm -f m/file
	root/usr/bin/python3.11 look.py "$how" "$knob"
done)
echo "$seen"
[ "$seen" = "not mapped: punched to 16384 bytes, later 16384
mapped: punched to 16384 bytes, later 8388608
mapped, MADV_NOHUGEPAGE: punched to 16384 bytes, later 16384" ]
