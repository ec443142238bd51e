#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A FUSE mount whose connection was aborted goes on opening and reading files.
#
# Expected: after "echo 1 > /sys/fs/fuse/connections/N/abort" every access to the
#   mount fails with ENOTCONN; so that opening and reading a file that must be
#   there tells whether the mount is alive (health checks of containers, scripts
#   that wait for a mount to come back).
# What happens: that is so where the daemon answers OPEN. Where it answers OPEN
#   once with ENOSYS, as the protocol offers for daemons that need no handles,
#   the kernel opens without asking, and what it has cached of the entry, the
#   attributes and the content is as good as before: stat(2), open(2) and read(2)
#   succeed on a mount that is dead, for good. Only what is not cached fails.
# Why it matters: on a fast daemon (no OPEN, long timeouts, cached pages) a check
#   by a file that is looked at often never fails. Ask for what cannot be cached:
#   statfs(2), or a name that nobody has asked for.
#
# Versions: Linux 6.18, libfuse 3.14.0-4, gcc 12
# Output seen:
#   answers OPEN: alive: hello; aborted: cat ENOTCONN, statfs ENOTCONN
#   no OPEN: alive: hello; aborted: cat hello, statfs ENOTCONN
set -u
[ "$(id -u)" = 0 ] && [ -w /dev/fuse ] && command -v gcc >/dev/null ||
	{ echo "skipped: needs root, /dev/fuse and gcc"; exit 0; }
T=$(mktemp -d)
cd "$T" || exit 1
trap 'cd /; umount -l "$T/m" 2>/dev/null; umount -l "$T/c" 2>/dev/null; rm -rf --one-file-system "$T"' EXIT
apt-get -qq download libfuse3-dev=3.14.0-4 libfuse3-3=3.14.0-4 2>/dev/null ||
	{ echo "skipped: the packages are not to be had"; exit 0; }
for deb in ./*.deb; do dpkg -x "$deb" root; done
cat >one.c <<'END'
#define FUSE_USE_VERSION 35
#include <errno.h>
#include <fuse_lowlevel.h>
#include <stdlib.h>
static void attr_of(fuse_ino_t ino, struct stat *st) {
	*st = (struct stat){.st_ino = ino, .st_nlink = 1, .st_size = ino == 2 ? 6 : 0,
		.st_mode = ino == 2 ? S_IFREG | 0644 : S_IFDIR | 0755};
}
static void lookup(fuse_req_t r, fuse_ino_t p, const char *name) {
	struct fuse_entry_param e = {.ino = 2, .attr_timeout = 3600, .entry_timeout = 3600};
	if (p != 1 || name[0] != 'f') { fuse_reply_err(r, ENOENT); return; }
	attr_of(2, &e.attr); fuse_reply_entry(r, &e);
}
static void getattr(fuse_req_t r, fuse_ino_t ino, struct fuse_file_info *fi) {
	struct stat st; attr_of(ino, &st); fuse_reply_attr(r, &st, 3600);
}
static void open_(fuse_req_t r, fuse_ino_t ino, struct fuse_file_info *fi) {
	if (getenv("NO_OPEN")) fuse_reply_err(r, ENOSYS); else { fi->keep_cache = 1; fuse_reply_open(r, fi); }
}
static void read_(fuse_req_t r, fuse_ino_t ino, size_t n, off_t off, struct fuse_file_info *fi) {
	fuse_reply_buf(r, "hello\n", off ? 0 : 6);
}
int main(int argc, char **argv) {
	struct fuse_args args = FUSE_ARGS_INIT(1, argv);
	const struct fuse_lowlevel_ops ops = {.lookup = lookup, .getattr = getattr, .open = open_, .read = read_};
	struct fuse_session *s = fuse_session_new(&args, &ops, sizeof(ops), NULL);
	return !s || fuse_session_mount(s, argv[1]) || fuse_session_loop(s);
}
END
L=$(dirname "$(find "$T/root" -name 'libfuse3.so.3' | head -n 1)")
gcc -o one one.c -I root/usr/include/fuse3 "$L/libfuse3.so.3" -Wl,-rpath,"$L" || exit 1
mkdir m c && mount -t fusectl none c
said() { local text; text=$("$@" 2>&1) && echo "${text:-ok}" && return; case $text in *"not connected"*) echo ENOTCONN ;; *) echo "$text" ;; esac; }
try() {
	./one m & until mountpoint -q m; do sleep 0.05; done
	local alive; cat m/f >/dev/null; alive=$(said cat m/f)
	echo 1 >"c/$(stat -c %d m)/abort"
	wait
	echo "alive: $alive; aborted: cat $(said cat m/f), statfs $(said stat -f -c '' m)"
	umount -l m
}
answers=$(try) none=$(NO_OPEN=1 try)
echo "answers OPEN: $answers"
echo "no OPEN: $none"
[ "$answers" = "alive: hello; aborted: cat ENOTCONN, statfs ENOTCONN" ] &&
	[ "$none" = "alive: hello; aborted: cat hello, statfs ENOTCONN" ]
