#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A FUSE mount that "umount -f" refuses to unmount is dead all the same.
#
# Expected: umount -f of a mount in use either takes it away or, as for other
#   file systems, fails with "target is busy" and changes nothing; umount(8)
#   speaks of an unreachable NFS server, umount2(2) of data loss where the flag
#   makes the unmount happen. And taking away one bind mount leaves the others.
# What happens: the kernel aborts the connection of the whole file system first,
#   and only then looks whether the mount is in use. The command fails with
#   EBUSY, the mount stays in the table, and every access to it fails with
#   ENOTCONN for good. umount -f of a bind mount of one folder succeeds, says
#   nothing, and has killed the mount it was made from. tmpfs: as expected.
# Why it matters: a FUSE daemon whose content is in its memory takes the end of
#   its connection for an unmount, ends, and the content is gone, although the
#   command said that nothing was unmounted. Shutdown scripts and containers
#   call umount -f. A daemon has to look into the mount table, and can mount
#   anew; that the file system still exists it can learn from the old
#   descriptor: a FUSE_NOTIFY_INVAL_INODE of the root is ENOENT only when it
#   is gone.
#
# Versions: Linux 6.18, util-linux 2.38.1, bindfs 1.14.7-1, libfuse2 2.9.9-6+b1
# Output seen:
#   tmpfs: umount -f in use: 32, then: precious; of a bind mount: 0, then: precious
#   bindfs: umount -f in use: 32, then: ENOTCONN; of a bind mount: 0, then: ENOTCONN
set -u
[ "$(id -u)" = 0 ] && [ -w /dev/fuse ] || { echo "skipped: needs root and /dev/fuse"; exit 0; }
[ "${1:-}" = in ] || exec unshare -m --propagation private bash "$0" in
T=$(mktemp -d)
cd "$T" || exit 1
trap 'cd /; umount -l "$T/m" 2>/dev/null; umount -l "$T/t"; rm -rf --one-file-system "$T"' EXIT
chmod 755 "$T"
apt-get -qq download bindfs=1.14.7-1 libfuse2=2.9.9-6+b1 2>/dev/null ||
	{ echo "skipped: the packages are not to be had"; exit 0; }
for deb in ./*.deb; do dpkg -x "$deb" root; done
LD_LIBRARY_PATH=$(dirname "$(find "$T/root" -name 'libfuse.so.2' | head -n 1)")
export LD_LIBRARY_PATH
mkdir source m t bind
mount -t tmpfs tmpfs t

content() {
	local text

	text=$(cat "$1/d/f" 2>&1) && echo "$text" && return
	case $text in *"not connected"*) echo ENOTCONN ;; *) echo "$text" ;; esac
}

# What umount -f of $1 in use, and of a bind mount of a part, does to it.
try() {
	local in_use after_use part after_part

	mkdir -p "$1/d"
	echo precious >"$1/d/f"
	exec 3<"$1/d/f"
	umount -f "$1" 2>/dev/null
	in_use=$? after_use=$(content "$1")
	exec 3<&-
	[ "$1" = t ] || { umount -l m; "$T/root/usr/bin/bindfs" source m; }
	mount --bind "$1/d" bind
	umount -f bind
	part=$? after_part=$(content "$1")
	echo "umount -f in use: $in_use, then: $after_use; of a bind mount: $part, then: $after_part"
}

"$T/root/usr/bin/bindfs" source m || { echo "skipped: bindfs does not mount here"; exit 0; }
tmpfs=$(try t) fuse=$(try m)
echo "tmpfs: $tmpfs"
echo "bindfs: $fuse"
[ "$tmpfs" = "umount -f in use: 32, then: precious; of a bind mount: 0, then: precious" ] &&
	[ "$fuse" = "umount -f in use: 32, then: ENOTCONN; of a bind mount: 0, then: ENOTCONN" ]
