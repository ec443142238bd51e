#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# On an overlay whose upper layer is a FUSE file system, removing one of three
# hard links makes another ESTALE.
#
# Expected: the kernel takes a FUSE file system for an upper layer when it has
#   whiteouts, extended attributes and d_type. Hard links work there then as
#   they do on tmpfs: after "rm a" the file's other names b and t are two.
# What happens: overlayfs keeps one entry of the upper layer for an inode, that
#   of the name it saw first, and asks it whether the other names are still
#   good, too. When that name is removed, or replaced by a rename, FUSE expires
#   the entry, and the next access to b has the daemon look up "a": not there,
#   or another file. So overlayfs answers ESTALE for b, which exists, also when
#   the path is walked again. With two names it does not happen, and it is over
#   when the kernel drops its caches. What the daemon answers makes no
#   difference: to long or short timeouts of entries, in a passthrough or not.
# Why it matters: packages with hard links are upgraded by a link and a rename,
#   so dpkg in an image over such a layer fails, now and then, with "Stale file
#   handle", and the daemon is looked at for what the kernel makes.
#
# Versions: Linux 6.18 (overlayfs, fuse), gocryptfs 2.3-1+b4
# Output seen:
#   tmpfs, rm a of 3: b 2; mv c a of 3: b 2; rm a of 2: b 1
#   gocryptfs, rm a of 3: ESTALE, later b 2; mv c a of 3: ESTALE, later b 2; rm a of 2: b 1
set -u
[ "$(id -u)" = 0 ] && [ -w /dev/fuse ] || { echo "skipped: needs root and /dev/fuse"; exit 0; }
[ "${1:-}" = in ] || exec unshare -m --propagation private bash "$0" in
T=$(mktemp -d)
cd "$T" || exit 1
trap 'cd /; umount -l "$T"/all.* "$T/t" "$T/g" 2>/dev/null; rm -rf --one-file-system "$T"' EXIT
apt-get -qq download gocryptfs=2.3-1+b4 2>/dev/null ||
	{ echo "skipped: the package is not to be had"; exit 0; }
dpkg -x ./*.deb root
mkdir low t g cipher all.t all.g
mount -t tmpfs tmpfs t
gocryptfs() { root/usr/bin/gocryptfs -q -nosyslog -extpass "echo any" "$@" >/dev/null 2>&1; }
if ! gocryptfs -init cipher || ! gocryptfs -allow_other -dev -suid cipher g; then
	echo "skipped: gocryptfs does not mount here"
	exit 0
fi

# layer UPPER: an overlay over it in all.UPPER
layer() {
	mkdir "$1/up" "$1/work"
	mount -t overlay over -o "userxattr,lowerdir=low,upperdir=$1/up,workdir=$1/work" "all.$1"
}

# after NAMES COMMAND: what becomes of b, a file's second name of so many
after() {
	local now

	rm -f a b c t
	echo 1 >a
	echo 2 >c
	ln a b
	[ "$1" = 2 ] || ln b t
	$2
	now=$(stat -c '%n %h' b 2>&1)
	[[ $now != *Stale* ]] || {
		echo 2 >/proc/sys/vm/drop_caches
		now="ESTALE, later $(stat -c '%n %h' b 2>&1)"
	}
	echo "$2 of $1: $now"
}

look() {
	(cd "all.$1" && echo "$(after 3 'rm a'); $(after 3 'mv c a'); $(after 2 'rm a')")
}

layer t && layer g || { echo "skipped: no overlay over gocryptfs here"; exit 0; }
tmpfs=$(look t) fuse=$(look g)
echo "tmpfs, $tmpfs"
echo "gocryptfs, $fuse"
[ "$tmpfs" = "rm a of 3: b 2; mv c a of 3: b 2; rm a of 2: b 1" ] &&
	[ "$fuse" = "rm a of 3: ESTALE, later b 2; mv c a of 3: ESTALE, later b 2; rm a of 2: b 1" ]
