#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Where small pages once were mapped of a file on tmpfs, no huge page is again.
#
# Expected: a part of a file that is punched out whole and allocated again has a huge
#   page of its own, and who has asked for huge pages there finds it mapped by one,
#   as in the beginning.
# What happens: the file has the huge page, and it is mapped by 512 small ones. The
#   page table that the small pages were in outlives them, empty, and a huge page is
#   mapped only where there is none. MADV_COLLAPSE mends that, once the small pages
#   are there; or the part is mapped anew before.
# Why it matters: a long-lived user of shared memory that gives parts back and takes
#   them again loses huge mappings one by one, while ShmemHugePages goes on growing:
#   only ShmemPmdMapped tells. Cold reads of the pool of a FUSE file system took 1.5
#   times as long for it on a virtual machine.
#
# Versions: Linux 6.18, python3.11 3.11.2-6+deb12u9
# Output seen:
#   mapped by huge pages: 2048 kB, again 2048, after small pages 0, after MADV_COLLAPSE 2048
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
cat >again.py <<'END'
import ctypes, mmap, os, re, sys
HUGE, PAGE = 2 << 20, 4096
HUGEPAGE, NOHUGEPAGE, POPULATE_WRITE, COLLAPSE = 14, 15, 23, 25
libc, size, at = ctypes.CDLL(None, use_errno=True), ctypes.c_long, ctypes.c_void_p
fd = os.open("m/file", os.O_RDWR | os.O_CREAT)
os.truncate(fd, 2 * HUGE)

def mapped(): # kB that are mapped by huge pages
    return sum(map(int, re.findall("ShmemPmdMapped: *([0-9]+)",
                                   open("/proc/self/smaps").read())))

m = mmap.mmap(fd, 2 * HUGE, mmap.MAP_SHARED)
addr = ctypes.addressof(ctypes.c_char.from_buffer(m))

def advise(what):
    return libc.madvise(at(addr), size(HUGE), what)

def take(): # the first huge page of the file
    os.posix_fallocate(fd, 0, HUGE)
    if advise(HUGEPAGE) or advise(POPULATE_WRITE):
        sys.exit("skipped: no MADV_POPULATE_WRITE")
    return mapped()

def give():
    if libc.fallocate(fd, 3, size(0), size(HUGE)): # KEEP_SIZE | PUNCH_HOLE
        sys.exit("fallocate failed")

first = take() if addr % HUGE == 0 else 0
if first != 2048:
    sys.exit("skipped: no huge page was to be had")
give()
second = take()
give()
advise(NOHUGEPAGE)
for i in range(0, HUGE, PAGE):
    m[i] = 1
give()
third = take()
asked = "refused" if advise(COLLAPSE) else mapped()
print(f"mapped by huge pages: {first} kB, again {second}, "
      f"after small pages {third}, after MADV_COLLAPSE {asked}")
END
seen=$(root/usr/bin/python3.11 again.py 2>&1)
echo "$seen"
[[ $seen != *skipped* ]] || exit 0
[[ $seen == *"2048 kB, again 2048, after small pages 0, "* ]]
