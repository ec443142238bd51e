/* SPDX-License-Identifier: BSD-3-Clause */
/* Storm: everything that can be seen of a file against the model. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "compare.h"
#include "state/inode.h"
#include "storm.h"

/* ---- attributes ---- */

/* What tmpfs counts otherwise. */
static void adjust(const struct storm *st, const struct minode *i,
		   struct stat *sb)
{
	if (!st->tmpfs)
		return;
	if (S_ISDIR(i->mode))
		sb->st_size -= 40;
	sb->st_blocks = (blkcnt_t)i->nr_blocks * (MODEL_BLOCK / 512);
}

static bool same_time(const struct timespec *ts,
		      const struct statx_timestamp *x)
{
	return ts->tv_sec == x->tv_sec && ts->tv_nsec == x->tv_nsec;
}

/* What the kernel keeps (@sb) against what the file system has. */
static const char *stale(const struct stat *sb, const struct statx *sx)
{
	if (sb->st_nlink != sx->stx_nlink)
		return "links";
	if (sb->st_mode != sx->stx_mode)
		return "mode";
	if (sb->st_uid != sx->stx_uid || sb->st_gid != sx->stx_gid)
		return "owner";
	if ((uint64_t)sb->st_size != sx->stx_size)
		return "size";
	if ((uint64_t)sb->st_blocks != sx->stx_blocks)
		return "blocks";
	if (!same_time(&sb->st_mtim, &sx->stx_mtime))
		return "mtime";
	return same_time(&sb->st_ctim, &sx->stx_ctime) ? NULL : "ctime";
}

/* The kernel's are old where it caches writes (zsfs(1)): ask. */
static void fresh_blocks(const struct place *p, struct stat *sb)
{
	struct statx sx;

	if (!statx(p->fd, p->path,
		   AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_STATX_FORCE_SYNC,
		   STATX_BASIC_STATS, &sx))
		sb->st_blocks = (blkcnt_t)sx.stx_blocks;
}

static int check_fresh(struct storm *st, unsigned id, const struct place *p,
		       const struct stat *sb)
{
	struct statx sx;
	const char *what;

	if (statx(p->fd, p->path,
		  AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_STATX_FORCE_SYNC,
		  STATX_BASIC_STATS, &sx))
		return storm_wrong(st, "statx: %s", strerror(errno));
	what = stale(sb, &sx);
	return what ? storm_wrong(st, "inode %u: the kernel's %s is stale", id,
				  what)
		    : 0;
}

static bool is_before(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec
				      : a->tv_nsec < b->tv_nsec;
}

static const char *compare_inode(struct storm *st, const struct minode *i,
				 const struct stat *sb)
{
	const char *what = compare_stat(i, sb);
	struct timespec now;

	if (what || i->mtime != MODEL_CLOCK)
		return what;
	clock_gettime(CLOCK_REALTIME, &now);
	if (is_before(&sb->st_mtim, storm_since(st, i->id)) ||
	    is_before(&now, &sb->st_mtim))
		return "mtime by the clock";
	return NULL;
}

/* What differs, or NULL. */
static const char *look(struct storm *st, const struct minode *i,
			const struct place *p, struct stat *seen)
{
	struct stat *sb = &st->out.st;

	if (fstatat(p->fd, p->path, seen, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return strerror(errno);
	if (st->cached)
		fresh_blocks(p, seen);
	*sb = *seen;
	adjust(st, i, sb);
	return compare_inode(st, i, sb);
}

int check_attributes(struct storm *st, unsigned id, const struct place *p,
		     bool real)
{
	const struct minode *i = model_get(st->m, id);
	struct stat seen, *sb = &st->out.st;
	const char *what = look(st, i, p, &seen);

	/* Linux may show what is old while it takes in what others asked. */
	if (st->readers)
		what = look(st, i, p, &seen);
	if (what)
		return storm_wrong(
			st,
			"inode %u: wrong %s: mode %o links %lu size %jd blocks "
			"%jd mtime %jd, should be %o %u %" PRIu64 " %zu %jd",
			id, what, sb->st_mode, sb->st_nlink,
			(intmax_t)sb->st_size, (intmax_t)sb->st_blocks,
			(intmax_t)sb->st_mtim.tv_sec, i->mode, i->nlink,
			i->size, i->nr_blocks, (intmax_t)i->mtime);
	return real ? check_fresh(st, id, p, &seen) : 0;
}

static int check_flags(struct storm *st, const struct minode *i, int fd)
{
	const int all =
		FS_APPEND_FL | FS_IMMUTABLE_FL | FS_NODUMP_FL | FS_NOATIME_FL;
	int flags = 0;

	if (ioctl(fd, FS_IOC_GETFLAGS, &flags))
		return storm_wrong(st, "flags: %s", strerror(errno));
	if ((unsigned)(flags & all) != (i->flags & INODE_FLAGS))
		return storm_wrong(st, "inode %u: flags %x, should be %x",
				   i->id, flags, i->flags & INODE_FLAGS);
	return 0;
}

static int check_xattrs(struct storm *st, const struct minode *i, int fd)
{
	char path[32];
	size_t len;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	for (size_t k = 0; k < i->nr_xattrs; k++) {
		const struct mxattr *x = &i->xattrs[k];

		n = getxattr(path, x->name, st->out.buf, 65536);
		if (n != (ssize_t)x->size ||
		    memcmp(st->out.buf, x->value, x->size))
			return storm_wrong(st, "inode %u: attribute %.40s",
					   i->id, x->name);
	}
	n = listxattr(path, NULL, 0);
	model_listxattr(st->m, i->id, true, 0, &len);
	return n == (ssize_t)len
		       ? 0
		       : storm_wrong(st, "inode %u: attributes", i->id);
}

/* ---- content ---- */

static int check_block(struct storm *st, const struct minode *i,
		       const struct mblock *b, int fd)
{
	uint64_t off = b->index * MODEL_BLOCK, left;
	size_t n = MODEL_BLOCK;

	if (off >= i->size)
		return 0;
	left = i->size - off;
	if (left < n)
		n = left;
	if (pread(fd, st->out.buf, n, (off_t)off) == (ssize_t)n &&
	    !memcmp(st->out.buf, b->data, n))
		return 0;
	return storm_wrong(st, "inode %u: content of block %" PRIu64, i->id,
			   b->index);
}

static int check_seek(struct storm *st, const struct minode *i, int fd,
		      uint64_t off, bool hole, uint64_t *next)
{
	off_t at = lseek(fd, (off_t)off, hole ? SEEK_HOLE : SEEK_DATA);
	int err = model_seek(st->m, i->id, off, hole, next);

	if (at < 0 ? err == -errno : !err && (uint64_t)at == *next)
		return err;
	storm_wrong(st,
		    "inode %u: the next %s after %" PRIu64 " is at %jd, "
		    "should be %" PRIu64,
		    i->id, hole ? "hole" : "data", off, (intmax_t)at, *next);
	return 1;
}

static int check_holes(struct storm *st, const struct minode *i, int fd)
{
	uint64_t off = 0;
	int err = 0;

	for (bool hole = false; !err; hole = !hole)
		err = check_seek(st, i, fd, off, hole, &off);
	return err == -ENXIO ? 0 : -1;
}

static int check_file(struct storm *st, const struct minode *i, int fd)
{
	if (st->nr & 1)
		posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	for (size_t k = 0; k < i->nr_blocks; k++)
		if (check_block(st, i, &i->blocks[k], fd))
			return -1;
	return st->tmpfs ? 0 : check_holes(st, i, fd);
}

/* ---- the tree ---- */

static int check_link(struct storm *st, const struct minode *i, int fd)
{
	ssize_t n = readlinkat(fd, "", (char *)st->out.buf, STEP_TARGET_ROOM);

	if (n == (ssize_t)i->size && !memcmp(st->out.buf, i->target, i->size))
		return 0;
	return storm_wrong(st, "inode %u: target", i->id);
}

static int check_names(struct storm *st, const struct minode *i, int fd)
{
	const struct step s = {.op = STEP_READDIR, .id = i->id};

	st->res.err = list_names(st, i->id, fd, 32768);
	if (*st->msg)
		return -1;
	return step_follow(st->m, &s, &st->out, 0, st->msg, STORM_MSG);
}

static int check_opened(struct storm *st, struct minode *i, int fd)
{
	int err = check_xattrs(st, i, fd);

	if (!err && (S_ISREG(i->mode) || S_ISDIR(i->mode)))
		err = check_flags(st, i, fd);
	if (err)
		return err;
	i->atime = MODEL_ANY_TIME;
	if (S_ISREG(i->mode))
		return check_file(st, i, fd);
	if (S_ISDIR(i->mode))
		return check_names(st, i, fd);
	return S_ISLNK(i->mode) ? check_link(st, i, fd) : 0;
}

static int check_inode(struct storm *st, unsigned id, const struct place *p)
{
	struct minode *i = model_get(st->m, id);
	struct hold *h = storm_hold(st, id), mine;
	int err;

	storm_clean(h);
	if (check_attributes(st, id, p, true))
		return -1;
	if (h->fd >= 0)
		return check_opened(st, i, h->fd);
	mine = place_open(p, i->mode);
	if (mine.fd < 0)
		return storm_wrong(st, "opening inode %u: %s", id,
				   strerror(errno));
	err = check_opened(st, i, mine.fd);
	close(mine.fd);
	return err;
}

/* By its name, or, where it has none any more, by what is open. */
static int check_one(struct storm *st, unsigned id)
{
	struct place p;

	if (id != MODEL_ROOT && place_find(st, id, &p))
		return check_inode(st, id, &p);
	p.fd = storm_hold(st, id)->fd;
	p.path = "";
	/* Too deep for a path, in a directory that is not open. */
	return p.fd < 0 ? 0 : check_inode(st, id, &p);
}

int check_all(struct storm *st)
{
	for (unsigned id = 0; id < st->m->nr_ids; id++)
		if (model_get(st->m, id) && check_one(st, id))
			return -1;
	return 0;
}
