/* SPDX-License-Identifier: BSD-3-Clause */
/* killclient: comparing the file system with the model. */
#include "killclient_check.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "killclient_record.h"
#include "killclient_xattr.h"

/* ---- descriptors ---- */

int check_open(struct tree *t, struct node *n, int flags, char *path)
{
	struct entry *e = tree_name_of(t, n);

	if (e)
		tree_entry_path(t, e, path);
	else
		strcpy(path, "(a file without a name)");
	if (n->fd >= 0)
		return n->fd;
	return (int)must(CALL(open, path, flags | O_CLOEXEC), "open", path);
}

void check_close(struct node *n, int fd, const char *path)
{
	if (fd != n->fd)
		must_close(fd, path);
}

/* ---- attributes ---- */

static void same(unsigned long long got, unsigned long long want,
		 const char *what, const char *path)
{
	if (got != want)
		fail("stat %s: %s: expected %llu (0%llo), got %llu (0%llo)",
		     path, what, want, want, got, got);
}

static void check_mtime(const struct stat *st, const struct node *n,
			const char *path)
{
	if (!n->mtime_known)
		return;
	same((unsigned long long)st->st_mtim.tv_sec,
	     (unsigned long long)n->mtime.tv_sec, "mtime, seconds", path);
	same((unsigned long long)st->st_mtim.tv_nsec,
	     (unsigned long long)n->mtime.tv_nsec, "mtime, nanoseconds", path);
}

void check_stat(const struct stat *st, struct node *n, const char *path)
{
	same(st->st_mode, n->mode, "mode", path);
	if (S_ISDIR(n->mode))
		same(st->st_nlink, 2 + n->nr_subdirs, "nlink", path);
	else
		same(st->st_nlink, n->names, "nlink", path);
	if (S_ISREG(n->mode))
		same((unsigned long long)st->st_size, n->size, "size", path);
	if (S_ISCHR(n->mode))
		same(st->st_rdev, 0, "device", path);
	if (S_ISLNK(n->mode))
		same((unsigned long long)st->st_size, strlen(n->target), "size",
		     path);
	if (n->ino)
		same(st->st_ino, n->ino, "inode number", path);
	n->ino = st->st_ino;
	check_mtime(st, n, path);
}

static void check_target(const struct node *n, const char *path)
{
	char got[MAX_TARGET + 2];
	ssize_t len = CALL(readlink, path, got, sizeof(got));

	must(len, "readlink", path);
	got[len < (ssize_t)sizeof(got) ? len : len - 1] = '\0';
	if ((size_t)len != strlen(n->target) || strcmp(got, n->target))
		fail("readlink %s: expected \"%s\", got \"%s\" (%zd bytes)",
		     path, n->target, got, len);
}

/* Where the system tells it. */
static void check_birth(struct node *n, const char *path)
{
	struct statx sx;
	uint64_t birth;

	must(CALL(statx, AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_BTIME, &sx),
	     "statx", path);
	if (!(sx.stx_mask & STATX_BTIME))
		return;
	birth = (uint64_t)sx.stx_btime.tv_sec * 1000000000 +
		sx.stx_btime.tv_nsec;
	if (n->birth)
		same(birth, n->birth, "birth", path);
	n->birth = birth;
}

void check_entry(struct tree *t, struct entry *e)
{
	char path[PATH_MAX];
	struct stat st;

	tree_entry_path(t, e, path);
	must(CALL(lstat, path, &st), "lstat", path);
	check_stat(&st, e->node, path);
	if (rnd(4) == 0)
		check_birth(e->node, path);
	if (S_ISLNK(e->node->mode))
		check_target(e->node, path);
}

/* ---- listings ---- */

static void seen(struct tree *t, struct node *dir, const struct dirent64 *d,
		 const char *path)
{
	struct entry *e;

	if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, ".."))
		return;
	e = tree_find(t, dir, d->d_name);
	if (!e)
		fail("readdir %s: additional name \"%s\"", path, d->d_name);
	if (e->seen == t->listings)
		fail("readdir %s: \"%s\" is there twice", path, d->d_name);
	e->seen = t->listings;
	if (d->d_type != DT_UNKNOWN && d->d_type != IFTODT(e->node->mode))
		fail("readdir %s: \"%s\": expected type %u, got %u", path,
		     d->d_name, IFTODT(e->node->mode), d->d_type);
	if (e->node->ino && d->d_ino != e->node->ino)
		fail("readdir %s: \"%s\": expected inode number %llu, got %llu",
		     path, d->d_name, (unsigned long long)e->node->ino,
		     (unsigned long long)d->d_ino);
}

static void check_missing(struct tree *t, const struct node *dir,
			  const char *path)
{
	for (struct entry *e = t->entries; e < t->entries + MAX_ENTRIES; e++)
		if (e->node && e->dir == dir && e->seen != t->listings)
			fail("readdir %s: \"%s\" is missing", path, e->name);
}

static void read_names(struct tree *t, struct node *dir, int fd,
		       const char *path)
{
	_Alignas(struct dirent64) char buf[8192];
	size_t room = rnd(2) ? sizeof(buf) : 400 + rnd(600);
	struct dirent64 *d;

	for (;;) {
		ssize_t n = CALL(getdents64, fd, buf, room);

		must(n, "getdents", path);
		if (n == 0)
			return;
		for (ssize_t at = 0; at < n; at += d->d_reclen) {
			d = (struct dirent64 *)(void *)(buf + at);
			seen(t, dir, d, path);
		}
	}
}

void check_dir(struct tree *t, struct node *dir)
{
	char path[PATH_MAX];
	struct stat st;
	int fd;

	tree_path(t, dir, NULL, path);
	fd = (int)must(CALL(open, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
		       "open", path);
	must(CALL(fstat, fd, &st), "fstat", path);
	check_stat(&st, dir, path);
	t->listings++;
	read_names(t, dir, fd, path);
	check_missing(t, dir, path);
	must_close(fd, path);
}

/* ---- content ---- */

void check_range(struct tree *t, struct node *n, int fd, size_t off, size_t len,
		 const char *path)
{
	size_t want = 0;

	if (off < n->size)
		want = len < n->size - off ? len : n->size - off;
	data_get(fd, t->buf, len, (off_t)off, want, false, path);
	if (want)
		data_compare(t->buf, n->data + off, off, want, "pread", path);
}

void check_drop(int fd, const char *path)
{
	int err;

	must(CALL(fsync, fd), "fsync", path);
	call_begin("posix_fadvise");
	err = posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	call_end();
	if (err) {
		errno = err;
		must(-1, "posix_fadvise", path);
	}
}

/* Not by the page cache, where the file system can. */
static void check_direct(struct tree *t, struct node *n, const char *path)
{
	size_t len = (n->size + BLOCK) & ~(size_t)(BLOCK - 1);
	int fd = CALL(open, path, O_RDONLY | O_DIRECT | O_CLOEXEC);

	if (fd < 0 && errno == EINVAL) {
		t->no_direct = true;
		return;
	}
	must(fd, "open (O_DIRECT)", path);
	if (data_get(fd, t->buf, len, 0, n->size, true, path)) {
		if (n->size)
			data_compare(t->buf, n->data, 0, n->size,
				     "pread (O_DIRECT)", path);
	} else {
		t->no_direct = true;
	}
	must_close(fd, path);
}

void check_file(struct tree *t, struct node *n, bool drop)
{
	char path[PATH_MAX];
	struct stat st;
	int fd = check_open(t, n, O_RDONLY, path);

	must(CALL(fstat, fd, &st), "fstat", path);
	check_stat(&st, n, path);
	if (drop)
		check_drop(fd, path);
	check_range(t, n, fd, 0, n->size + 1, path);
	check_close(n, fd, path);
	/* A second close would drop the locks of a file that has some. */
	if (n->fd < 0 && !t->no_direct && rnd(3) == 0)
		check_direct(t, n, path);
}

void check_tree(struct tree *t)
{
	char entry_path[PATH_MAX];

	for (struct entry *e = t->entries; e < t->entries + MAX_ENTRIES; e++) {
		if (!e->node)
			continue;
		check_entry(t, e);
		if (S_ISREG(e->node->mode) || S_ISDIR(e->node->mode))
			xattr_check(t, e->node,
				    tree_entry_path(t, e, entry_path));
	}
	for (struct node *n = t->nodes; n < t->nodes + MAX_NODES; n++) {
		if (S_ISDIR(n->mode))
			check_dir(t, n);
		else if (S_ISREG(n->mode))
			check_file(t, n, true);
	}
}
