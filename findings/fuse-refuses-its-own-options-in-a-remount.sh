#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A FUSE mount refuses to be remounted with the options that it shows itself.
#
# Expected: a remount may name what is in force. That is what mount(8) does: to
#   change noatime it says again all that /proc/self/mountinfo has of the mount.
# What happens: by mount(2) FUSE does not look at the options of a remount, and
#   only the flags change. By fspick(2) and fsconfig(2) it refuses each of them,
#   even "user_id=0" of a mount that has it: "No changes allowed in reconfigure".
#   tmpfs takes its own back either way.
# Why it matters: mount -i -o remount,noatime, and ro, rw, nosuid, work on every
#   FUSE mount with util-linux 2.38, which calls mount(2), and on none with 2.41,
#   which calls fsconfig(2) (tried on Debian 12 and 13). LIBMOUNT_FORCE_MOUNT2=always
#   is the way around, or -o remount,bind, or what the file system's helper does.
#
# Versions: Linux 6.18, bindfs 1.14.7-1, libfuse2 2.9.9-6+b1, util-linux 2.38 and 2.41
# Output seen:
#   fuse.bindfs, mount(2), user_id=0 again: done, noatime is set
#   fuse.bindfs, fsconfig(2), user_id=0 again: Invalid argument, "e fuse: No changes allowed in reconfigure"
#   tmpfs, mount(2), mode=700 again: done, noatime is set
#   tmpfs, fsconfig(2), mode=700 again: done
set -u
[ "$(id -u)" = 0 ] && [ -w /dev/fuse ] || { echo "skipped: needs root and /dev/fuse"; exit 0; }
T=$(mktemp -d)
cd "$T" || exit 1
trap 'cd /; umount -l "$T/fuse" "$T/tmp" 2>/dev/null; rm -rf --one-file-system "$T"' EXIT
apt-get -qq download bindfs=1.14.7-1 libfuse2=2.9.9-6+b1 2>/dev/null ||
	{ echo "skipped: the packages are not to be had"; exit 0; }
for deb in ./*.deb; do dpkg -x "$deb" root; done
mkdir fuse tmp from
LD_LIBRARY_PATH=$T/root/lib/x86_64-linux-gnu:$T/root/usr/lib/x86_64-linux-gnu \
	"$T/root/usr/bin/bindfs" "$T/from" "$T/fuse" || { echo "skipped: no mount"; exit 0; }
mount -t tmpfs -o mode=700 tmpfs "$T/tmp" || { echo "skipped: no tmpfs"; exit 0; }
cat >remount.py <<'END'
import ctypes, os, sys
C = ctypes.CDLL(None, use_errno=True)
FSCONFIG, FSPICK, SET_STRING, RECONFIGURE, REMOUNT, NOATIME = 431, 433, 1, 7, 32, 1024
point, kind, key, value = sys.argv[1:]
def flags():
    with open("/proc/self/mountinfo") as f:
        return next(l.split()[5] for l in f if l.split()[4] == point)
def why():
    return os.strerror(ctypes.get_errno())
failed = C.mount(None, point.encode(), None, REMOUNT | NOATIME, f"{key}={value}".encode())
print(f"{kind}, mount(2), {key}={value} again:",
      why() if failed else "done, noatime is " + ("set" if "noatime" in flags() else "not set"))
fd = C.syscall(FSPICK, -100, point.encode(), 0)
if fd < 0:
    sys.exit(f"fspick: {why()}")
failed = C.syscall(FSCONFIG, fd, SET_STRING, key.encode(), value.encode(), 0)
said = why()
try:
    said += f', "{os.read(fd, 200).decode().strip()}"' if failed else ""
except OSError:
    pass
if not failed:
    failed = C.syscall(FSCONFIG, fd, RECONFIGURE, None, None, 0)
    said = why() if failed else "done"
print(f"{kind}, fsconfig(2), {key}={value} again: {said}")
END
out=$(python3 remount.py "$T/fuse" fuse.bindfs user_id 0 && python3 remount.py "$T/tmp" tmpfs mode 700)
echo "$out"
case $out in
*'fspick:'*) echo "skipped: this kernel has no fspick(2)" ;;
*'fuse.bindfs, mount(2), user_id=0 again: done, noatime is set'*'No changes allowed'*'tmpfs, fsconfig(2), mode=700 again: done'*) ;;
*) echo "reality has changed" && exit 1 ;;
esac
