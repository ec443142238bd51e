#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# With FUSE's write-back cache, fsync(2) of what an abort has lost can succeed.
#
# Expected: what write(2) left in the page cache and fsync(2) does not get stored
#   is an error of that fsync(2).
# What happens: on a connection that was aborted (umount -f, or the connection's
#   abort file) the WRITE of a dirty page is not queued any more, and where it is
#   given up nobody notes an error for the mapping. The page is clean, and the
#   bytes are gone. fsync(2) fails only if the times of the file are dirty as
#   well, because their SETATTR fails; when the write came in the same clock tick
#   as one whose times were sent already, they are not.
# Why it matters: a daemon that offers the write-back cache and makes a new
#   connection after an abort has to tell its users that fsync(2) on descriptors
#   of the old one proves nothing.
#
# Versions: Linux 6.18, libfuse 3.14.0-4, gcc 12
# Output seen:
#   20 times written after an fsync, aborted, and fsynced: 18 said 0, 2 ENOTCONN;
#   stored: 20 of the first, 0 of the others
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
#include <fuse_lowlevel.h>
#include <unistd.h>
typedef struct fuse_file_info info;
static struct stat attr_of(fuse_ino_t ino) { return (struct stat){.st_ino = ino, .st_nlink = 1, .st_mode = ino == 2 ? S_IFREG | 0644 : S_IFDIR | 0755}; }
static void init(void *u, struct fuse_conn_info *c) { c->want |= FUSE_CAP_WRITEBACK_CACHE; }
static void lookup(fuse_req_t r, fuse_ino_t p, const char *name) {
	struct fuse_entry_param e = {.ino = 2, .attr = attr_of(2), .attr_timeout = 3600, .entry_timeout = 3600};
	fuse_reply_entry(r, &e);
}
static void getattr(fuse_req_t r, fuse_ino_t ino, info *fi) { struct stat st = attr_of(ino); fuse_reply_attr(r, &st, 3600); }
static void setattr(fuse_req_t r, fuse_ino_t ino, struct stat *a, int set, info *fi) { getattr(r, ino, fi); }
static void write_(fuse_req_t r, fuse_ino_t ino, const char *b, size_t n, off_t off, info *fi) { write(2, b, n); fuse_reply_write(r, n); }
int main(int argc, char **argv) {
	struct fuse_args args = FUSE_ARGS_INIT(1, argv);
	struct fuse_lowlevel_ops ops = {.init = init, .lookup = lookup, .getattr = getattr, .setattr = setattr, .write = write_};
	struct fuse_session *s = fuse_session_new(&args, &ops, sizeof(ops), NULL);
	return !s || fuse_session_mount(s, argv[1]) || fuse_session_loop(s);
}
END
cat >client.py <<'END'
import errno, os, sys
f, abort = os.open("m/f", os.O_WRONLY), os.open(sys.argv[1], os.O_WRONLY)
os.pwrite(f, b"first", 0)
os.fsync(f)
os.pwrite(f, b"later", 0)
os.write(abort, b"1")
try:
    os.fsync(f)
    print("0")
except OSError as e:
    print(errno.errorcode[e.errno])
END
L=$(dirname "$(find "$T/root" -name 'libfuse3.so.3' | head -n 1)")
gcc -o one one.c -I root/usr/include/fuse3 "$L/libfuse3.so.3" -Wl,-rpath,"$L" || exit 1
mkdir -p m c && mount -t fusectl none c
for _ in $(seq 20); do
	./one m 2>>stored & server=$!
	until mountpoint -q m; do sleep 0.02; done
	python3 client.py "c/$(awk -v at="$T/m" '$5 == at { split($3, d, ":"); print d[2] }' /proc/self/mountinfo)/abort" 2>/dev/null
	umount -l m
	wait $server 2>/dev/null
done >said
echo "20 times written after an fsync, aborted, and fsynced:" \
	"$(grep -c '^0$' said) said 0, $(grep -c ENOTCONN said) ENOTCONN;" \
	"stored: $(grep -o first stored | wc -l) of the first, $(grep -o later stored | wc -l) of the others"
[ "$(grep -c '^0$' said)" -gt "$(grep -o later stored | wc -l)" ]
