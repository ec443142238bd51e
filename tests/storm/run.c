/* SPDX-License-Identifier: BSD-3-Clause */
/* Storm: steps as system calls: names, attributes, extended attributes. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/statfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "state/inode.h"
#include "storm.h"

void result_of(struct storm *st, int64_t ret)
{
	st->res.err = ret < 0 ? -errno : 0;
	st->res.value = ret < 0 ? 0 : (uint64_t)ret;
}

/* Each step has a few ways to do it, by bits of its seed. */
static bool way(const struct step *s, unsigned bit)
{
	return s->seed >> (40 + bit) & 1;
}

static int fd_of(struct storm *st, const struct step *s)
{
	return storm_hold(st, s->id)->fd;
}

/* A path to what is held, which for what is no file cannot be used itself. */
static const char *path_to(int fd)
{
	static char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return path;
}

static void place(struct storm *st, const struct step *s, struct place *p)
{
	place_of(st, s->id, s->name, way(s, 0) && way(s, 1), p);
}

static void found(struct storm *st, const struct stat *sb)
{
	st->res.value = st->res.number = sb->st_ino;
}

/* What the step was about is open from now on. */
static void hold_found(struct storm *st, const struct place *p, mode_t type)
{
	struct stat sb;

	st->found = place_open(p, type);
	result_of(st, st->found.fd < 0 ? -1 : fstat(st->found.fd, &sb));
	if (!st->res.err)
		found(st, &sb);
}

/* ---- names ---- */

static mode_t type_of(const struct storm *st, unsigned dir, const char *name)
{
	const struct minode *d = model_get(st->m, dir);
	long at = model_find(d, name);

	if (name[0] == '.')
		return S_IFDIR;
	return at < 0 ? 0 : model_get(st->m, d->entries[at].id)->mode;
}

static void run_lookup(struct storm *st, const struct step *s)
{
	struct place p;

	place(st, s, &p);
	hold_found(st, &p, type_of(st, s->id, s->name));
}

static int make(const struct step *s, const struct place *p)
{
	mode_t mode = s->spec.mode;
	char target[STEP_TARGET_ROOM];

	if (S_ISDIR(mode))
		return mkdirat(p->fd, p->path, mode & 07777);
	if (!S_ISLNK(mode))
		return mknodat(p->fd, p->path, mode, s->spec.rdev);
	step_target(s, target);
	return symlinkat(target, p->fd, p->path);
}

static void create(struct storm *st, const struct step *s,
		   const struct place *p)
{
	struct stat sb;
	int fd = openat(p->fd, p->path,
			O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW | O_CLOEXEC,
			s->spec.mode & 07777);

	result_of(st, fd < 0 ? -1 : fstat(fd, &sb));
	st->found = (struct hold){.fd = fd, .writable = true};
	if (!st->res.err)
		found(st, &sb);
}

static void run_make(struct storm *st, const struct step *s)
{
	struct place p;

	place(st, s, &p);
	umask(s->spec.umask);
	if (S_ISREG(s->spec.mode) && way(s, 2)) {
		create(st, s, &p);
		return;
	}
	result_of(st, make(s, &p));
	if (!st->res.err)
		hold_found(st, &p, s->spec.mode);
}

static void run_nameless(struct storm *st, const struct step *s)
{
	struct stat sb;
	int fd;

	umask(s->spec.umask);
	fd = openat(fd_of(st, s), ".", O_TMPFILE | O_RDWR | O_CLOEXEC,
		    s->spec.mode & 07777);
	result_of(st, fd < 0 ? -1 : fstat(fd, &sb));
	st->found = (struct hold){.fd = fd, .writable = true};
	if (!st->res.err)
		found(st, &sb);
}

static void run_link(struct storm *st, const struct step *s)
{
	struct place p;
	struct stat sb;

	place_of(st, s->id2, s->name, way(s, 0), &p);
	result_of(st, linkat(fd_of(st, s), "", p.fd, p.path, AT_EMPTY_PATH));
	if (st->res.err)
		return;
	result_of(st, fstatat(p.fd, p.path, &sb, AT_SYMLINK_NOFOLLOW));
	found(st, &sb);
}

static void run_remove(struct storm *st, const struct step *s)
{
	struct place p;

	place(st, s, &p);
	result_of(st, unlinkat(p.fd, p.path,
			       s->op == STEP_RMDIR ? AT_REMOVEDIR : 0));
}

static void run_rename(struct storm *st, const struct step *s)
{
	struct place p, q;
	struct stat sb;

	place(st, s, &p);
	place_of(st, s->id2, s->name2, way(s, 2), &q);
	result_of(st, renameat2(p.fd, p.path, q.fd, q.path, s->flags));
	if (st->res.err || !(s->flags & RENAME_WHITEOUT))
		return;
	/* Where nothing was done nothing was left. */
	if (!fstatat(p.fd, p.path, &sb, AT_SYMLINK_NOFOLLOW))
		found(st, &sb);
}

/* Half of the time closing it is all that is done. */
static void run_forget(struct storm *st, const struct step *s)
{
	struct hold *h = storm_hold(st, s->id);

	st->res.err = 0;
	if (s->id == MODEL_ROOT || s->size < model_get(st->m, s->id)->nlookup)
		return;
	if (way(s, 0))
		storm_clean(h);
	storm_release(h);
}

static void run_readdir(struct storm *st, const struct step *s)
{
	size_t room = way(s, 0) ? 32768 : 512 + (s->seed & 4095);

	st->res.err = list_names(st, s->id, fd_of(st, s), room);
}

static void run_readlink(struct storm *st, const struct step *s)
{
	ssize_t n = readlinkat(fd_of(st, s), "", (char *)st->out.buf,
			       STEP_TARGET_ROOM);

	result_of(st, n);
	st->out.len = n < 0 ? 0 : (size_t)n;
}

/* ---- attributes ---- */

static int set_mode(struct storm *st, const struct step *s)
{
	const struct minode *i = model_get(st->m, s->id);
	int fd = fd_of(st, s);

	if ((S_ISREG(i->mode) || S_ISDIR(i->mode)) && way(s, 0))
		return fchmod(fd, s->attr.mode & 07777);
	return chmod(path_to(fd), s->attr.mode & 07777);
}

static int set_owner(struct storm *st, const struct step *s)
{
	uid_t uid = s->attr.set & MSET_UID ? s->attr.uid : (uid_t)-1;
	gid_t gid = s->attr.set & MSET_GID ? s->attr.gid : (gid_t)-1;

	return fchownat(fd_of(st, s), "", uid, gid, AT_EMPTY_PATH);
}

static struct timespec time_of(unsigned set, unsigned value, unsigned now,
			       int64_t t)
{
	if (set & now)
		return (struct timespec){.tv_nsec = UTIME_NOW};
	if (set & value)
		return (struct timespec){.tv_sec = t};
	return (struct timespec){.tv_nsec = UTIME_OMIT};
}

/* What is written back later has the time at which it is. */
static int set_times(struct storm *st, const struct step *s)
{
	unsigned set = s->attr.set;
	struct timespec ts[2] = {
		time_of(set, MSET_ATIME, MSET_ATIME_NOW, s->attr.atime),
		time_of(set, MSET_MTIME, MSET_MTIME_NOW, s->attr.mtime),
	};

	storm_clean(storm_hold(st, s->id));
	return utimensat(fd_of(st, s), "", ts, AT_EMPTY_PATH);
}

static void run_change(struct storm *st, const struct step *s)
{
	if (s->attr.set & MSET_MODE)
		result_of(st, set_mode(st, s));
	else if (s->attr.set & (MSET_UID | MSET_GID))
		result_of(st, set_owner(st, s));
	else
		result_of(st, set_times(st, s));
}

static void run_setflags(struct storm *st, const struct step *s)
{
	int flags = (int)s->flags;

	result_of(st, ioctl(fd_of(st, s), FS_IOC_SETFLAGS, &flags));
}

static void run_getattr(struct storm *st, const struct step *s)
{
	struct place p = {.fd = fd_of(st, s), .path = ""};
	struct place q;

	storm_clean(storm_hold(st, s->id));
	if (way(s, 0) && place_find(st, s->id, &q))
		check_attributes(st, s->id, &q, way(s, 1));
	else
		check_attributes(st, s->id, &p, way(s, 1));
	st->res.err = 0;
}

/* ---- extended attributes ---- */

static void run_setxattr(struct storm *st, const struct step *s)
{
	step_value(s, st->out.buf);
	result_of(st, setxattr(path_to(fd_of(st, s)), s->name, st->out.buf,
			       s->size, (int)s->flags));
}

static void run_removexattr(struct storm *st, const struct step *s)
{
	result_of(st, removexattr(path_to(fd_of(st, s)), s->name));
}

static void run_getxattr(struct storm *st, const struct step *s)
{
	const char *path = path_to(fd_of(st, s));
	char *buf = (char *)st->out.buf;

	result_of(st, s->op == STEP_XGET ? getxattr(path, s->name, buf, s->size)
					 : listxattr(path, buf, s->size));
	st->out.len = s->size ? st->res.value : 0;
}

/* ---- of the whole file system ---- */

static void run_statfs(struct storm *st, const struct step *s)
{
	struct statfs sf;

	(void)s;
	result_of(st, fstatfs(storm_hold(st, MODEL_ROOT)->fd, &sf));
	if (!st->res.err && (sf.f_bsize != 4096 || sf.f_namelen != 255 ||
			     sf.f_bfree > sf.f_blocks))
		storm_wrong(st, "statfs: %lu of %lu blocks free", sf.f_bfree,
			    sf.f_blocks);
}

void storm_run(struct storm *st, const struct step *s)
{
	static storm_fn *const runners[STEP_NR] = {
		[STEP_LOOKUP] = run_lookup,
		[STEP_FORGET] = run_forget,
		[STEP_MAKE] = run_make,
		[STEP_LINK] = run_link,
		[STEP_UNLINK] = run_remove,
		[STEP_RMDIR] = run_remove,
		[STEP_RENAME] = run_rename,
		[STEP_WRITE] = run_write,
		[STEP_READ] = run_read,
		[STEP_TRUNCATE] = run_truncate,
		[STEP_CHANGE] = run_change,
		[STEP_GETATTR] = run_getattr,
		[STEP_READLINK] = run_readlink,
		[STEP_SEEK] = run_seek,
		[STEP_READDIR] = run_readdir,
		[STEP_COMPACT] = run_flush,
		[STEP_TRIM] = run_unmap,
		[STEP_CODEC] = run_statfs,
		[STEP_ALLOCATE] = run_allocate,
		[STEP_PUNCH] = run_allocate,
		[STEP_REAP] = run_statfs,
		[STEP_NAMELESS] = run_nameless,
		[STEP_FLAGS] = run_setflags,
		[STEP_XSET] = run_setxattr,
		[STEP_XREMOVE] = run_removexattr,
		[STEP_XGET] = run_getxattr,
		[STEP_XLIST] = run_getxattr,
		[STEP_COPY] = run_copy,
	};

	st->res = (struct step_result){0};
	st->out.len = 0;
	st->found = (struct hold){.fd = -1};
	runners[s->op](st, s);
}
