#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A hole of one page in a file on tmpfs unmaps the huge page around it, all of it.
#
# Expected: who punches 4 KiB out of a huge page loses the mapping of 4 KiB, and has
#   the other 511 pages mapped one by one from then on. So it is for anonymous
#   memory with MADV_DONTNEED.
# What happens: of a file on tmpfs all 2 MiB are unmapped. Nothing is lost, but who
#   reads them next faults again for each part.
# Why it matters: an allocator of shared memory that gives small free parts back
#   makes others pay for what it did not touch. 512 MiB in a file with some hundred
#   such holes took a reader 0.6 to 0.9 s in place of 0.3 on a virtual machine,
#   where a fault is dear. Rss of such a process also says too little afterwards.
#
# Versions: Linux 6.18, python3.11 3.11.2-6+deb12u9
# Output seen:
#   anonymous: 2048 kB mapped, after the hole 2044, read again 2044
#   tmpfs: 2048 kB mapped, after the hole 0, read again 2044
set -u
T=$(mktemp -d)
trap 'cd /; umount "$T/m" 2>/dev/null; rm -rf "$T"' EXIT
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
import ctypes, mmap, os, re, sys
HUGE, PAGE, HOLE = 2 << 20, 4096, 1 << 20
libc, size, at = ctypes.CDLL(None), ctypes.c_long, ctypes.c_void_p

def mapped(addr): # kB of the huge page at @addr, or -1: it is none
    inside, kb = False, {}
    for line in open("/proc/self/smaps"):
        area = re.match("([0-9a-f]+)-([0-9a-f]+) ", line)
        if area:
            inside = int(area[1], 16) <= addr < int(area[2], 16)
        elif inside and line.split()[1].isdigit():
            kb[line.split()[0]] = int(line.split()[1])
    return kb["Rss:"], kb["AnonHugePages:"] + kb["ShmemPmdMapped:"]

tmpfs = sys.argv[1] == "tmpfs"
fd = os.open("m/file", os.O_RDWR | os.O_CREAT) if tmpfs else -1
if tmpfs:
    os.posix_fallocate(fd, 0, 2 * HUGE)
m = mmap.mmap(fd, 2 * HUGE, mmap.MAP_SHARED if tmpfs else
              mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
addr = ctypes.addressof(ctypes.c_char.from_buffer(m))
start = -addr % HUGE
libc.madvise(at(addr + start), size(HUGE), 14) # MADV_HUGEPAGE
for i in range(start, start + HUGE, PAGE):
    m[i] = 1
before, huge = mapped(addr + start)
if huge != 2048 or tmpfs and start:
    sys.exit("skipped: no huge page was to be had")
if tmpfs: # FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE
    libc.fallocate(fd, 3, size(HOLE), size(PAGE))
else:
    m.madvise(mmap.MADV_DONTNEED, start + HOLE, PAGE)
after = mapped(addr + start)[0]
for i in range(start, start + HUGE, PAGE):
    if i != start + HOLE:
        assert m[i] == 1
print(f"{sys.argv[1]}: {before} kB mapped, after the hole {after}, "
      f"read again {mapped(addr + start)[0]}")
END
seen=$(for kind in anonymous tmpfs; do root/usr/bin/python3.11 look.py $kind 2>&1; done)
echo "$seen"
[[ $seen != *skipped* ]] || exit 0
[ "$seen" = "anonymous: 2048 kB mapped, after the hole 2044, read again 2044
tmpfs: 2048 kB mapped, after the hole 0, read again 2044" ]
