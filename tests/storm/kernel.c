/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the kernel makes of a step. Some it cannot say to a file system in this
 * form, others it refuses by itself; and where two things are wrong with a
 * step, it depends on who looks first.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "state/inode.h"
#include "storm.h"
#include "tree/xattr.h"

#define NOREPLACE 1u
#define EXCHANGE  2u
#define WHITEOUT  4u

static const struct minode *inode_of(const struct storm *st, unsigned id)
{
	return model_get(st->m, id);
}

static bool begins(const char *name, const char *with)
{
	return !strncmp(name, with, strlen(with));
}

/* ---- what is changed ---- */

static void adapt_make(const struct storm *st, struct step *s)
{
	(void)st;
	s->spec.uid = s->spec.gid = 0;
	if (S_ISDIR(s->spec.mode))
		s->spec.mode &= S_IFMT | 01777;
	if (S_ISLNK(s->spec.mode)) {
		s->spec.mode = S_IFLNK | 0777;
		s->spec.umask = 0;
	}
}

static void adapt_lookup(const struct storm *st, struct step *s)
{
	const struct minode *dir = inode_of(st, s->id);

	if (s->name[0] == '.' && (s->id == MODEL_ROOT || !dir->nlink))
		strcpy(s->name, "a");
}

/* Of files only, and within what an offset can be. */
static bool fits(const struct storm *st, struct step *s)
{
	if (!S_ISREG(inode_of(st, s->id)->mode)) {
		s->op = STEP_GETATTR;
		return false;
	}
	if (s->off > INT64_MAX - s->size)
		s->off = 0;
	return true;
}

static void adapt_range(const struct storm *st, struct step *s)
{
	fits(st, s);
	if (s->op == STEP_PUNCH && !st->tmpfs && s->seed & 1)
		s->flags |= STORM_ZERO;
}

/* tmpfs finds data where something was only read or copied. */
static void adapt_seek(const struct storm *st, struct step *s)
{
	fits(st, s);
	if (st->tmpfs)
		s->op = STEP_GETATTR;
}

static void adapt_write(const struct storm *st, struct step *s)
{
	const struct minode *i = inode_of(st, s->id);

	s->flags &= ~(MWRITE_KILL_PRIV | MWRITE_STRANGER);
	if (s->flags & MWRITE_APPEND)
		s->off = i->size;
	if (!fits(st, s))
		return;
	if (s->flags & MWRITE_APPEND && s->off != i->size)
		s->flags = 0;
}

/* The kernel cuts a copy at the end of the file before it looks at the rest. */
static void adapt_copy(const struct storm *st, struct step *s)
{
	const struct minode *from = inode_of(st, s->id);
	const struct minode *to = inode_of(st, s->id2);

	if (!fits(st, s))
		return;
	if (!S_ISREG(to->mode) || s->off2 > INT64_MAX - s->size ||
	    s->off >= from->size)
		s->op = STEP_GETATTR;
	else if (s->size > from->size - s->off)
		s->size = from->size - s->off;
}

/* Times of what is kept: with a cache of writes the kernel does not say whose.
 */
static void adapt_change(const struct storm *st, struct step *s)
{
	bool kept = inode_of(st, s->id)->flags & STORM_KEPT;
	const unsigned others = MSET_MODE | MSET_UID | MSET_GID;

	s->attr.set &= ~MSET_STRANGER;
	if (s->attr.set & MSET_KILL_PRIV ||
	    (st->cached && kept && !(s->attr.set & others)))
		s->attr.set = MSET_MODE;
}

static void adapt_truncate(const struct storm *st, struct step *s)
{
	(void)st;
	s->attr.size &= INT64_MAX;
}

static void adapt_flags(const struct storm *st, struct step *s)
{
	uint32_t mode = inode_of(st, s->id)->mode;

	if (!S_ISREG(mode) && !S_ISDIR(mode))
		s->op = STEP_GETATTR;
}

static void adapt_readlink(const struct storm *st, struct step *s)
{
	if (!S_ISLNK(inode_of(st, s->id)->mode))
		s->op = STEP_GETATTR;
}

/* Garbage for the kernel to refuse is tests/bats/acl.bats's. */
static void adapt_xattr(const struct storm *st, struct step *s)
{
	(void)st;
	if (s->op == STEP_XLIST)
		s->flags = 1;
	if (s->op != STEP_XSET)
		return;
	s->flags &= ~(unsigned)XATTR_KILL_SGID;
	if (!strcmp(s->name, "security.capability"))
		s->size = 20;
	if (!model_is_acl(s->name))
		return;
	s->noise = false;
	if (!s->size)
		s->op = STEP_XREMOVE;
}

/* A folder with names stays open, or nothing would find them again. */
static void adapt_forget(const struct storm *st, struct step *s)
{
	if (inode_of(st, s->id)->nr_entries)
		s->op = STEP_READDIR;
}

/* Here are no virtual files, and nothing settles because it is told to. */
static void adapt_none(const struct storm *st, struct step *s)
{
	(void)st;
	s->op = STEP_REAP;
}

typedef void adapt_fn(const struct storm *st, struct step *s);

void kernel_adapt(const struct storm *st, struct step *s)
{
	static adapt_fn *const adapters[STEP_NR] = {
		[STEP_MAKE] = adapt_make,      [STEP_NAMELESS] = adapt_make,
		[STEP_RENAME] = adapt_make,    [STEP_LOOKUP] = adapt_lookup,
		[STEP_WRITE] = adapt_write,    [STEP_READ] = adapt_range,
		[STEP_ALLOCATE] = adapt_range, [STEP_PUNCH] = adapt_range,
		[STEP_SEEK] = adapt_seek,      [STEP_COPY] = adapt_copy,
		[STEP_CHANGE] = adapt_change,  [STEP_TRUNCATE] = adapt_truncate,
		[STEP_FLAGS] = adapt_flags,    [STEP_READLINK] = adapt_readlink,
		[STEP_XSET] = adapt_xattr,     [STEP_XGET] = adapt_xattr,
		[STEP_XLIST] = adapt_xattr,    [STEP_XREMOVE] = adapt_xattr,
		[STEP_VLOOKUP] = adapt_none,   [STEP_VFORGET] = adapt_none,
		[STEP_SETTLE] = adapt_none,    [STEP_WARM] = adapt_none,
		[STEP_COOL] = adapt_none,      [STEP_FORGET] = adapt_forget,
	};

	if (adapters[s->op])
		adapters[s->op](st, s);
}

/* ---- what is refused ---- */

static bool is_missing(const struct minode *dir, const char *name)
{
	return model_find(dir, name) < 0;
}

/* Before it is asked whether the name is there. */
static int check_place(const struct minode *dir, const char *name)
{
	if (!S_ISDIR(dir->mode))
		return -ENOTDIR;
	if (!dir->nlink)
		return -ENOENT;
	return strlen(name) > MODEL_NAME_MAX ? -ENAMETOOLONG : 0;
}

static int refuse_make(const struct storm *st, const struct step *s)
{
	if (S_ISLNK(s->spec.mode) && s->size > 4095)
		return -ENAMETOOLONG;
	return check_place(inode_of(st, s->id), s->name);
}

static int refuse_nameless(const struct storm *st, const struct step *s)
{
	return S_ISDIR(inode_of(st, s->id)->mode) ? 0 : -ENOTDIR;
}

static int refuse_lookup(const struct storm *st, const struct step *s)
{
	return check_place(inode_of(st, s->id), s->name);
}

static int refuse_remove(const struct storm *st, const struct step *s)
{
	const struct minode *dir = inode_of(st, s->id);
	int err = check_place(dir, s->name);
	bool is_dir;

	if (err || is_missing(dir, s->name) || st->tmpfs)
		return err;
	is_dir = S_ISDIR(
		inode_of(st, dir->entries[model_find(dir, s->name)].id)->mode);
	if (s->op == STEP_UNLINK)
		return is_dir ? -EISDIR : 0;
	return is_dir ? 0 : -ENOTDIR;
}

static int refuse_link(const struct storm *st, const struct step *s)
{
	const struct minode *dir = inode_of(st, s->id2);
	const struct minode *i = inode_of(st, s->id);
	int err = check_place(dir, s->name);

	if (err || !is_missing(dir, s->name) || st->tmpfs)
		return err;
	if (S_ISDIR(i->mode))
		return -EPERM;
	return i->nlink || i->flags & INODE_NAMELESS ? 0 : -ENOENT;
}

static bool is_above(const struct storm *st, const struct minode *i,
		     const struct minode *dir)
{
	while (dir != i && dir->id != MODEL_ROOT)
		dir = inode_of(st, dir->parent);
	return dir == i;
}

static const struct minode *child(const struct storm *st,
				  const struct minode *dir, const char *name)
{
	long at = model_find(dir, name);

	return at < 0 ? NULL : inode_of(st, dir->entries[at].id);
}

/* Both directories are there; @i is moved to where @t is, or NULL. */
static int refuse_move(const struct storm *st, const struct step *s,
		       const struct minode *i, const struct minode *t)
{
	const struct minode *from = inode_of(st, s->id);
	const struct minode *to = inode_of(st, s->id2);

	if (t && s->flags & NOREPLACE)
		return -EEXIST;
	if (!t && s->flags & EXCHANGE)
		return -ENOENT;
	if (S_ISDIR(i->mode) && is_above(st, i, to))
		return -EINVAL;
	if (t && S_ISDIR(t->mode) && is_above(st, t, from))
		return s->flags & EXCHANGE ? -EINVAL : -ENOTEMPTY;
	if (!t || t == i || s->flags & EXCHANGE || st->tmpfs)
		return 0;
	if (S_ISDIR(i->mode) && !S_ISDIR(t->mode))
		return -ENOTDIR;
	return !S_ISDIR(i->mode) && S_ISDIR(t->mode) ? -EISDIR : 0;
}

static int refuse_rename(const struct storm *st, const struct step *s)
{
	const struct minode *from = inode_of(st, s->id);
	const struct minode *to = inode_of(st, s->id2);
	int err;

	if (s->flags & EXCHANGE && s->flags != EXCHANGE)
		return -EINVAL;
	if (!S_ISDIR(from->mode) || !S_ISDIR(to->mode))
		return -ENOTDIR;
	err = check_place(from, s->name);
	if (!err && is_missing(from, s->name))
		err = -ENOENT;
	if (!err)
		err = check_place(to, s->name2);
	if (err)
		return err;
	return refuse_move(st, s, child(st, from, s->name),
			   child(st, to, s->name2));
}

static int refuse_truncate(const struct storm *st, const struct step *s)
{
	uint32_t mode = inode_of(st, s->id)->mode;

	if (S_ISDIR(mode))
		return -EISDIR;
	return S_ISREG(mode) ? 0 : -EINVAL;
}

/* Onto itself. */
static int refuse_copy(const struct storm *st, const struct step *s)
{
	bool overlap = s->off < s->off2 + s->size && s->off2 < s->off + s->size;

	/* Where opening a file is refused, that comes first. */
	if ((st->tmpfs || st->cached) &&
	    inode_of(st, s->id2)->flags & STORM_KEPT)
		return 0;
	return s->id == s->id2 && overlap ? -EINVAL : 0;
}

static int refuse_change(const struct storm *st, const struct step *s)
{
	bool link = S_ISLNK(inode_of(st, s->id)->mode);

	return link && s->attr.set & MSET_MODE ? -EOPNOTSUPP : 0;
}

/* Only files and directories have attributes of users. */
static int refuse_user(const struct minode *i, const struct step *s)
{
	if (S_ISREG(i->mode) || S_ISDIR(i->mode) || !begins(s->name, "user."))
		return 0;
	return s->op == STEP_XGET ? -ENODATA : -EPERM;
}

/* What the kernel looks at before it asks. */
static int refuse_list(const struct step *s)
{
	uint64_t lines = (s->size - 4) / 8;

	if (lines == 1 || lines == 2)
		return -EINVAL;
	return lines > 511 ? -E2BIG : 0;
}

static int refuse_xattr(const struct storm *st, const struct step *s)
{
	const struct minode *i = inode_of(st, s->id);
	bool acl = model_is_acl(s->name);
	int err;

	if (s->op == STEP_XLIST)
		return 0;
	if (strlen(s->name) > MODEL_NAME_MAX)
		return -ERANGE;
	if (s->op == STEP_XSET && s->size > 65536)
		return -E2BIG;
	if (acl && s->op == STEP_XSET && (s->size < 4 || s->size % 8 != 4))
		return -EINVAL;
	if (acl && S_ISLNK(i->mode))
		return -EOPNOTSUPP;
	err = refuse_user(i, s);
	if (!err && st->tmpfs && s->op != STEP_XGET && i->flags & STORM_KEPT)
		err = -EPERM;
	if (!err && !st->tmpfs && acl && s->op == STEP_XSET)
		err = refuse_list(s);
	return err;
}

typedef int refuse_fn(const struct storm *st, const struct step *s);

int kernel_refuses(const struct storm *st, const struct step *s)
{
	static refuse_fn *const refusers[STEP_NR] = {
		[STEP_MAKE] = refuse_make,
		[STEP_NAMELESS] = refuse_nameless,
		[STEP_LOOKUP] = refuse_lookup,
		[STEP_UNLINK] = refuse_remove,
		[STEP_RMDIR] = refuse_remove,
		[STEP_LINK] = refuse_link,
		[STEP_RENAME] = refuse_rename,
		[STEP_CHANGE] = refuse_change,
		[STEP_XSET] = refuse_xattr,
		[STEP_XGET] = refuse_xattr,
		[STEP_XREMOVE] = refuse_xattr,
		[STEP_TRUNCATE] = refuse_truncate,
		[STEP_COPY] = refuse_copy,
	};

	return refusers[s->op] ? refusers[s->op](st, s) : 0;
}
