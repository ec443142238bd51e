#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# With FUSE's write-back cache, a rename that was killed fails somebody else's
# fsync(2).
#
# Expected: fsync(2) fails when content or attributes could not be stored, and a
#   process that was killed leaves no trace for others.
# What happens: where the kernel caches writes it also keeps the times of a file,
#   and rename, link and unlink tell them with SETATTR when they are done. If the
#   process is killed while that waits to be read by the daemon, Linux gives the
#   request up and notes EINTR as an error of the file's mapping, as if content
#   had been lost. The next one who opens the file has it from fsync(2), or EIO
#   from close(2), although all is stored.
# Why it matters: a database that finds a failed fsync(2) stops; and who tests a
#   daemon by killing clients looks for lost data that is not lost.
#
# Versions: Linux 6.18, libfuse 3.14.0-4, gcc 12
# Output seen:
#   renamed by one who lived: fsync of the next one: success
#   renamed by one who was killed: fsync of the next one: sync: error syncing
#   'm/g': Interrupted system call
set -u
[ "$(id -u)" = 0 ] && [ -w /dev/fuse ] && command -v gcc >/dev/null ||
	{ echo "skipped: needs root, /dev/fuse and gcc"; exit 0; }
T=$(mktemp -d)
cd "$T" || exit 1
trap 'cd /; umount -l "$T/m" 2>/dev/null; rm -rf --one-file-system "$T"' EXIT
apt-get -qq download libfuse3-dev=3.14.0-4 libfuse3-3=3.14.0-4 2>/dev/null ||
	{ echo "skipped: the packages are not to be had"; exit 0; }
for deb in ./*.deb; do dpkg -x "$deb" root; done
cat >one.c <<'END'
#define FUSE_USE_VERSION 35
#include <errno.h>
#include <fuse_lowlevel.h>
#include <unistd.h>
typedef struct fuse_file_info info;
static struct stat attr_of(fuse_ino_t ino) { return (struct stat){.st_ino = ino, .st_nlink = 1, .st_mode = ino == 2 ? S_IFREG | 0644 : S_IFDIR | 0755}; }
static void init(void *u, struct fuse_conn_info *c) { c->want |= FUSE_CAP_WRITEBACK_CACHE; }
static void lookup(fuse_req_t r, fuse_ino_t p, const char *name) {
	struct fuse_entry_param e = {.ino = 2, .attr = attr_of(2), .attr_timeout = 3600, .entry_timeout = 3600};
	if (*name == 'f') fuse_reply_entry(r, &e); else fuse_reply_err(r, ENOENT);
}
static void getattr(fuse_req_t r, fuse_ino_t ino, info *fi) { struct stat st = attr_of(ino); fuse_reply_attr(r, &st, 3600); }
static void setattr(fuse_req_t r, fuse_ino_t ino, struct stat *a, int set, info *fi) { getattr(r, ino, fi); }
static void write_(fuse_req_t r, fuse_ino_t ino, const char *b, size_t n, off_t off, info *fi) { fuse_reply_write(r, n); }
static void rename_(fuse_req_t r, fuse_ino_t p, const char *a, fuse_ino_t q, const char *b, unsigned f) { fuse_reply_err(r, 0); sleep(1); /* busy with others */ }
int main(int argc, char **argv) {
	struct fuse_args args = FUSE_ARGS_INIT(1, argv);
	struct fuse_lowlevel_ops ops = {.init = init, .lookup = lookup, .getattr = getattr, .setattr = setattr, .write = write_, .rename = rename_};
	struct fuse_session *s = fuse_session_new(&args, &ops, sizeof(ops), NULL);
	return !s || fuse_session_mount(s, argv[1]) || fuse_session_loop(s);
}
END
gcc -w -D_FILE_OFFSET_BITS=64 -Iroot/usr/include/fuse3 one.c -o one -Lroot/lib/x86_64-linux-gnu -l:libfuse3.so.3 || exit 1
cat >client.py <<'END'
import os, signal, sys
f = os.open("m/f", os.O_WRONLY)
os.pwrite(f, b"content", 0)
signal.setitimer(signal.ITIMER_REAL, float(sys.argv[1]))  # which kills
os.rename("m/f", "m/g")
END
try() { # try SECONDS TEXT: how the next one's fsync ends when it is killed then
	mkdir -p m
	LD_LIBRARY_PATH=root/lib/x86_64-linux-gnu ./one m & sleep 0.5
	timeout 20 python3 client.py "$1"
	seen=$(timeout 20 sync m/g 2>&1) && seen=success
	echo "renamed by one who $2: fsync of the next one: $seen"
	umount m
	wait
}
try 20 lived 2>/dev/null; [ "$seen" = success ] || exit 1
try 0.3 "was killed" 2>/dev/null; [[ $seen == *Interrupted* ]]
