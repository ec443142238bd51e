/* SPDX-License-Identifier: BSD-3-Clause */
/* killclient: operations on one inode, done to the file system and the model.
 */
#include "killclient_file.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "killclient_alarm.h"
#include "killclient_check.h"
#include "killclient_record.h"

#define MAX_HELD 8u

static char path[PATH_MAX];

static size_t at_most(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Offsets like the neighbourhood of block borders. */
static size_t pick(size_t below)
{
	size_t off = rnd((unsigned)below);

	if (rnd(3) == 0)
		off = (off & ~(size_t)(BLOCK - 1)) + rnd(3);
	return at_most(off, below - 1);
}

/* Mostly small. */
static size_t some_len(void)
{
	static const unsigned lens[] = {1,     300,   BLOCK,	 BLOCK,
					20000, 20000, 150 << 10, MAX_WRITE};

	return 1 + rnd(lens[rnd(sizeof(lens) / sizeof(lens[0]))]);
}

/* New content of @n, in the model. */
static void change(struct node *n, size_t off, size_t len)
{
	if (rnd(10) == 0)
		memset(n->data + off, 0, len);
	else
		data_fill(n->data + off, n->id, ++n->version, off, len);
	if (off + len > n->size)
		n->size = off + len;
	n->mtime_known = false;
}

static void check_after(struct node *n, int fd)
{
	struct stat st;

	must(CALL(fstat, fd, &st), "fstat", path);
	check_stat(&st, n, path);
	check_close(n, fd, path);
}

/* ---- writing ---- */

void file_write(struct tree *t)
{
	struct node *n = tree_some_file(t);
	size_t off, len;
	int fd;

	if (!n)
		return;
	off = pick(rnd(3) ? at_most(n->size + 1, n->limit) : n->limit);
	len = at_most(some_len(), n->limit - off);
	if (off + len > n->size && tree_bytes(t) + len + off > MAX_BYTES)
		return;
	fd = check_open(t, n, O_RDWR, path);
	change(n, off, len);
	data_put(fd, n->data + off, len, (off_t)off, path);
	if (rnd(4) == 0)
		check_drop(fd, path);
	if (rnd(3) == 0)
		check_range(t, n, fd, off, len, path);
	check_after(n, fd);
}

static void set_append(int fd, bool append)
{
	int flags = CALL(fcntl, fd, F_GETFL);

	must(flags, "fcntl (F_GETFL)", path);
	flags = append ? flags | O_APPEND : flags & ~O_APPEND;
	must(CALL(fcntl, fd, F_SETFL, flags), "fcntl (F_SETFL)", path);
}

void file_append_to(struct tree *t, struct node *n, size_t len)
{
	size_t off = n->size;
	int fd;

	len = at_most(len, n->limit - off);
	if (!len || tree_bytes(t) + len > MAX_BYTES)
		return;
	fd = check_open(t, n, O_WRONLY | O_APPEND, path);
	if (fd == n->fd)
		set_append(fd, true);
	change(n, off, len);
	data_put(fd, n->data + off, len, -1, path);
	if (fd == n->fd)
		set_append(fd, false);
	check_after(n, fd);
}

void file_append(struct tree *t)
{
	struct node *n = tree_some_file(t);

	if (n)
		file_append_to(t, n, some_len());
}

static void resize(struct node *n, size_t size)
{
	if (size < n->size)
		memset(n->data + size, 0, n->size - size);
	n->size = size;
	n->mtime_known = false;
}

void file_truncate(struct tree *t)
{
	struct node *n = tree_some_file(t);
	size_t size;
	int fd;

	if (!n)
		return;
	size = rnd(2) ? pick(n->limit) : pick(n->size + 1);
	if (size > n->size && tree_bytes(t) + size > MAX_BYTES)
		return;
	fd = check_open(t, n, O_RDWR, path);
	must(CALL(ftruncate, fd, (off_t)size), "ftruncate", path);
	resize(n, size);
	check_after(n, fd);
}

void file_allocate(struct tree *t)
{
	struct node *n = tree_some_file(t);
	size_t off, len;
	int fd, keep;

	if (!n)
		return;
	off = pick(n->limit);
	len = at_most(some_len(), n->limit - off);
	if (!len || tree_bytes(t) + off + len > MAX_BYTES)
		return;
	fd = check_open(t, n, O_RDWR, path);
	keep = rnd(3) ? 0 : FALLOC_FL_KEEP_SIZE;
	must(CALL(fallocate, fd, keep, (off_t)off, (off_t)len), "fallocate",
	     path);
	resize(n, !keep && off + len > n->size ? off + len : n->size);
	check_after(n, fd);
}

void file_punch(struct tree *t)
{
	struct node *n = tree_some_file(t);
	size_t off, len;
	int fd;

	if (!n)
		return;
	off = pick(n->limit);
	len = at_most(some_len(), n->limit - off);
	if (!len)
		return;
	fd = check_open(t, n, O_RDWR, path);
	must(CALL(fallocate, fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		  (off_t)off, (off_t)len),
	     "fallocate (punch)", path);
	if (off < n->size)
		memset(n->data + off, 0, at_most(len, n->size - off));
	n->mtime_known = false;
	if (rnd(2))
		check_range(t, n, fd, off, len, path);
	check_after(n, fd);
}

/* From one file to another, or to another place in the same. */
void file_copy(struct tree *t)
{
	struct node *n = tree_some_file(t), *from = tree_some_file(t);
	static char from_path[PATH_MAX];
	off_t at, out;
	size_t off, len;
	int fd, in;

	if (!n || from == n || !from->size)
		return;
	off = pick(from->size);
	len = at_most(some_len(), from->size - off);
	len = at_most(len, n->limit);
	out = (off_t)pick(n->limit - len + 1);
	if (rnd(2))
		out -= (out - (off_t)off) % BLOCK;
	if (out < 0 || (size_t)out + len > n->limit ||
	    tree_bytes(t) + (size_t)out + len > MAX_BYTES)
		return;
	in = check_open(t, from, O_RDWR, from_path);
	fd = check_open(t, n, O_RDWR, path);
	at = (off_t)off;
	memcpy(n->data + out, from->data + off, len);
	resize(n, (size_t)out + len > n->size ? (size_t)out + len : n->size);
	while (len) {
		long done =
			must(CALL(copy_file_range, in, &at, fd, &out, len, 0),
			     "copy_file_range", path);

		if (!done)
			fail("copy_file_range %s: nothing was copied", path);
		len -= (size_t)done;
	}
	check_close(from, in, from_path);
	check_after(n, fd);
}

void file_empty(struct tree *t)
{
	struct node *n = tree_some_file(t);
	int fd;

	if (!n || n->fd >= 0)
		return;
	fd = check_open(t, n, O_RDWR | O_TRUNC, path);
	resize(n, 0);
	check_after(n, fd);
}

/* ---- reading ---- */

void file_read(struct tree *t)
{
	struct node *n = tree_some_file(t);
	int fd;

	if (!n)
		return;
	fd = check_open(t, n, O_RDONLY, path);
	if (rnd(3) == 0)
		check_drop(fd, path);
	for (unsigned i = 1 + rnd(4); i; i--)
		check_range(t, n, fd, pick(n->size + 100), some_len(), path);
	check_close(n, fd, path);
}

void file_verify(struct tree *t)
{
	struct node *n = tree_some_file(t);

	if (n)
		check_file(t, n, rnd(2));
}

static void check_data_from(struct node *n, int fd, size_t off)
{
	off_t at = CALL(lseek, fd, (off_t)off, SEEK_DATA);
	size_t end = (size_t)at;

	if (at < 0 && errno == ENXIO)
		end = n->size;
	else
		must(at, "lseek (SEEK_DATA)", path);
	if (end < off || end > n->size)
		fail("lseek (SEEK_DATA) %s: from %zu: expected at most %zu, "
		     "got %lld",
		     path, off, n->size, (long long)at);
	if (!data_is_zero(n->data + off, end - off))
		fail("lseek (SEEK_DATA) %s: from %zu: got %lld, but there is "
		     "data before",
		     path, off, (long long)at);
}

static void check_hole_from(struct node *n, int fd, size_t off)
{
	off_t at = CALL(lseek, fd, (off_t)off, SEEK_HOLE);
	size_t end = (size_t)at;

	must(at, "lseek (SEEK_HOLE)", path);
	if (end < off || end > n->size)
		fail("lseek (SEEK_HOLE) %s: from %zu: expected at most %zu, "
		     "got %lld",
		     path, off, n->size, (long long)at);
	if (end < n->size && n->data[end])
		fail("lseek (SEEK_HOLE) %s: from %zu: got %lld, but there is "
		     "data",
		     path, off, (long long)at);
}

void file_seek(struct tree *t)
{
	struct node *n = tree_some_file(t);
	int fd;

	if (!n)
		return;
	fd = check_open(t, n, O_RDONLY, path);
	if (n->size) {
		check_data_from(n, fd, pick(n->size));
		check_hole_from(n, fd, pick(n->size));
	}
	must_fail(CALL(lseek, fd, (off_t)n->size, SEEK_DATA), ENXIO,
		  "lseek (SEEK_DATA)", path);
	must(CALL(lseek, fd, 0, SEEK_SET), "lseek (SEEK_SET)", path);
	check_close(n, fd, path);
}

/* ---- mapping ---- */

static void use_map(struct node *n, unsigned char *map)
{
	size_t off = pick(n->size), len;

	len = at_most(some_len(), n->size - off);
	data_compare(map + off, n->data + off, off, len, "mmap", path);
	off = pick(n->size);
	len = at_most(some_len(), n->size - off);
	change(n, off, len);
	memcpy(map + off, n->data + off, len);
	must(CALL(msync, map, n->size, MS_SYNC), "msync", path);
}

/* A signal that interrupts the read behind a page fault would be SIGBUS. */
void file_map(struct tree *t)
{
	struct node *n = tree_some_file(t);
	void *map;
	int fd;

	if (!n || !n->size || !t->mappings)
		return;
	alarm_block();
	fd = check_open(t, n, O_RDWR, path);
	if (rnd(2))
		check_drop(fd, path);
	map = CALL(mmap, NULL, n->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		   0);
	must((long)map, "mmap", path);
	use_map(n, map);
	must(CALL(munmap, map, n->size), "munmap", path);
	check_after(n, fd);
	alarm_unblock();
}

/* ---- the rest ---- */

void file_sync(struct tree *t)
{
	struct node *n = tree_some_file(t);
	int fd;

	if (!n)
		return;
	fd = check_open(t, n, O_RDWR, path);
	must(rnd(2) ? CALL(fsync, fd) : CALL(fdatasync, fd), "fsync", path);
	check_after(n, fd);
}

void file_hold(struct tree *t)
{
	struct node *n = tree_some_file(t);
	int fd;

	if (!n || n->pinned)
		return;
	if (n->fd >= 0) {
		fd = n->fd;
		check_file(t, n, rnd(2));
		must_close(fd, "a file that was kept open");
		tree_close(n);
	} else if (tree_nr_open(t) < MAX_HELD) {
		n->fd = check_open(t, n, O_RDWR, path);
	}
}

void file_chmod(struct tree *t)
{
	struct entry *e = tree_some_entry(t, rnd(2) ? S_IFREG : 0);
	mode_t mode = rnd(0200);

	if (!e || S_ISLNK(e->node->mode))
		return;
	mode |= S_ISDIR(e->node->mode) ? 0700 : 0600;
	tree_entry_path(t, e, path);
	must(CALL(chmod, path, mode), "chmod", path);
	e->node->mode = (e->node->mode & S_IFMT) | mode;
	check_entry(t, e);
}

static void check_atime(struct timespec want)
{
	struct stat st;

	must(CALL(lstat, path, &st), "lstat", path);
	if (st.st_atim.tv_sec != want.tv_sec ||
	    st.st_atim.tv_nsec != want.tv_nsec)
		fail("stat %s: atime: expected %lld.%09ld, got %lld.%09ld",
		     path, (long long)want.tv_sec, want.tv_nsec,
		     (long long)st.st_atim.tv_sec, st.st_atim.tv_nsec);
}

void file_utimes(struct tree *t)
{
	struct entry *e = tree_some_entry(t, 0);
	struct timespec ts[2];

	if (!e)
		return;
	for (unsigned i = 0; i < 2; i++) {
		ts[i].tv_sec = 1000000000 + rnd(1000000000);
		ts[i].tv_nsec = rnd(1000000000);
	}
	tree_entry_path(t, e, path);
	must(CALL(utimensat, AT_FDCWD, path, ts, AT_SYMLINK_NOFOLLOW),
	     "utimensat", path);
	e->node->mtime = ts[1];
	e->node->mtime_known = true;
	check_atime(ts[0]);
	check_entry(t, e);
}

void file_stat(struct tree *t)
{
	struct entry *e = tree_some_entry(t, 0);

	if (e)
		check_entry(t, e);
}
