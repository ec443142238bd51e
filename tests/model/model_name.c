/* SPDX-License-Identifier: BSD-3-Clause */
/* Model: names. Directories are plain lists. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "model.h"
#include "state/inode.h"

long model_find(const struct minode *dir, const char *name)
{
	for (size_t k = 0; k < dir->nr_entries; k++)
		if (!strcmp(dir->entries[k].name, name))
			return (long)k;
	return -1;
}

static struct minode *child(struct model *m, const struct minode *dir, long at)
{
	return model_get(m, dir->entries[at].id);
}

static int check_name(const char *name)
{
	if (strlen(name) > MODEL_NAME_MAX)
		return -ENAMETOOLONG;
	return *name ? 0 : -ENOENT;
}

/* A directory that was removed has no names and takes none. */
static int check_dir(const struct minode *dir)
{
	if (!S_ISDIR(dir->mode))
		return -ENOTDIR;
	return dir->nlink ? 0 : -ENOENT;
}

#define KEPT (INODE_IMMUTABLE | INODE_APPEND)

/* May a name of @dir that leads to @i go away? */
static int may_lose(const struct minode *dir, const struct minode *i)
{
	return (dir->flags | i->flags) & KEPT ? -EPERM : 0;
}

static int may_gain(const struct minode *dir)
{
	return dir->flags & INODE_IMMUTABLE ? -EPERM : 0;
}

static void changed(struct minode *dir)
{
	dir->size = dir->nr_entries;
	dir->mtime = MODEL_CLOCK;
}

static void add_entry(struct minode *dir, const char *name, unsigned id)
{
	char *copy = strdup(name);

	if (dir->nr_entries == dir->room_entries) {
		dir->room_entries = dir->room_entries * 2 + 8;
		dir->entries =
			realloc(dir->entries,
				dir->room_entries * sizeof(dir->entries[0]));
	}
	if (!copy || !dir->entries)
		abort();
	dir->entries[dir->nr_entries++] = (struct mentry){copy, id};
	changed(dir);
}

static void remove_entry(struct minode *dir, long at)
{
	free(dir->entries[at].name);
	dir->nr_entries--;
	memmove(&dir->entries[at], &dir->entries[at + 1],
		(dir->nr_entries - (size_t)at) * sizeof(dir->entries[0]));
	changed(dir);
}

static int lookup_dots(struct model *m, struct minode *dir, bool up,
		       unsigned *id)
{
	int err = up ? check_dir(dir) : 0;

	if (err)
		return err;
	*id = up ? dir->parent : dir->id;
	if (!model_get(m, *id)->nlink)
		return -ESTALE;
	model_get(m, *id)->nlookup++;
	return 0;
}

int model_lookup(struct model *m, unsigned dir, const char *name, unsigned *id)
{
	struct minode *d = model_get(m, dir);
	int err = check_name(name);
	long at;

	if (!strcmp(name, ".") || !strcmp(name, ".."))
		return lookup_dots(m, d, name[1], id);
	if (!err)
		err = check_dir(d);
	if (err)
		return err;
	at = model_find(d, name);
	if (at < 0)
		return -ENOENT;
	*id = d->entries[at].id;
	child(m, d, at)->nlookup++;
	return 0;
}

static void inherit(const struct minode *dir, struct minode *i, uint32_t umask)
{
	i->flags = dir->flags & INODE_INHERITED;
	model_inherit_acl(dir, i, umask);
	if (!(dir->mode & S_ISGID))
		return;
	i->gid = dir->gid;
	if (S_ISDIR(i->mode))
		i->mode |= S_ISGID;
}

int model_make(struct model *m, unsigned dir, const char *name,
	       const struct mspec *spec, unsigned *id)
{
	struct minode *d = model_get(m, dir), *i;
	int err = check_name(name);

	if (!err && S_ISLNK(spec->mode) && strlen(spec->target) > 4095)
		err = -ENAMETOOLONG;
	if (!err)
		err = check_dir(d);
	if (err)
		return err;
	if (model_find(d, name) >= 0)
		return -EEXIST;
	err = may_gain(d);
	if (err)
		return err;
	*id = model_new_inode(m, spec);
	if (*id == MODEL_NO_ID)
		return -ENOSPC;
	i = model_get(m, *id);
	i->nlookup = 1;
	i->nlink = 1;
	inherit(d, i, spec->umask);
	if (S_ISDIR(i->mode)) {
		i->nlink = 2;
		i->parent = dir;
		d->nlink++;
	}
	add_entry(d, name, *id);
	return 0;
}

int model_make_nameless(struct model *m, unsigned dir, const struct mspec *spec,
			unsigned *id)
{
	const struct minode *d = model_get(m, dir);

	int err = S_ISDIR(d->mode) ? may_gain(d) : -ENOTDIR;

	if (err)
		return err;
	*id = model_new_inode(m, spec);
	if (*id == MODEL_NO_ID)
		return -ENOSPC;
	inherit(d, model_get(m, *id), spec->umask);
	model_get(m, *id)->nlookup = 1;
	model_get(m, *id)->flags |= INODE_NAMELESS;
	return 0;
}

int model_link(struct model *m, unsigned id, unsigned dir, const char *name)
{
	struct minode *d = model_get(m, dir), *i = model_get(m, id);
	int err = check_name(name);

	if (!err)
		err = check_dir(d);
	if (err)
		return err;
	if (model_find(d, name) >= 0)
		return -EEXIST;
	err = may_gain(d);
	if (err)
		return err;
	if (i->flags & KEPT || S_ISDIR(i->mode))
		return -EPERM;
	if (!i->nlink && !(i->flags & INODE_NAMELESS))
		return -ENOENT;
	add_entry(d, name, id);
	i->flags &= ~INODE_NAMELESS;
	i->nlink++;
	i->nlookup++;
	return 0;
}

static int find_entry(struct model *m, struct minode *dir, const char *name,
		      long *at)
{
	int err = check_name(name);

	if (!err)
		err = check_dir(dir);
	if (err)
		return err;
	*at = model_find(dir, name);
	return *at < 0 ? -ENOENT : 0;
}

/* @i, which was in @dir, lost that name. */
static void lose_name(struct model *m, struct minode *dir, struct minode *i)
{
	if (S_ISDIR(i->mode)) {
		i->nlink = 0;
		dir->nlink--;
	} else {
		i->nlink--;
	}
	model_put(m, i->id);
}

int model_unlink(struct model *m, unsigned dir, const char *name)
{
	struct minode *d = model_get(m, dir), *i;
	long at;
	int err = find_entry(m, d, name, &at);

	if (err)
		return err;
	i = child(m, d, at);
	err = may_lose(d, i);
	if (err)
		return err;
	if (S_ISDIR(i->mode))
		return -EISDIR;
	remove_entry(d, at);
	lose_name(m, d, i);
	return 0;
}

int model_rmdir(struct model *m, unsigned dir, const char *name)
{
	struct minode *d = model_get(m, dir), *i;
	long at;
	int err = find_entry(m, d, name, &at);

	if (err)
		return err;
	i = child(m, d, at);
	err = may_lose(d, i);
	if (err)
		return err;
	if (!S_ISDIR(i->mode))
		return -ENOTDIR;
	if (i->nr_entries)
		return -ENOTEMPTY;
	remove_entry(d, at);
	lose_name(m, d, i);
	return 0;
}

/* ---- rename ---- */

#define NOREPLACE 1u
#define EXCHANGE  2u
#define WHITEOUT  4u

/* Is directory @i @dir or above it? */
static bool is_above(struct model *m, const struct minode *i,
		     const struct minode *dir)
{
	while (dir != i && dir->id != MODEL_ROOT)
		dir = model_get(m, dir->parent);
	return dir == i;
}

static int check_rename(struct model *m, const struct minode *s,
			const struct minode *t, const struct minode *from,
			const struct minode *to, unsigned flags)
{
	int err = may_lose(from, s);

	if (S_ISDIR(s->mode) && is_above(m, s, to))
		return -EINVAL;
	if (!t)
		return flags & EXCHANGE ? -ENOENT : err ? err : may_gain(to);
	if (flags & NOREPLACE)
		return -EEXIST;
	if (s == t)
		return 0;
	if (err || may_lose(to, t))
		return -EPERM;
	if (flags & EXCHANGE)
		return S_ISDIR(t->mode) && is_above(m, t, from) ? -EINVAL : 0;
	if (S_ISDIR(s->mode) && !S_ISDIR(t->mode))
		return -ENOTDIR;
	if (!S_ISDIR(s->mode) && S_ISDIR(t->mode))
		return -EISDIR;
	return t->nr_entries ? -ENOTEMPTY : 0;
}

/* @i moved from one directory to another. */
static void moved(struct minode *i, struct minode *from, struct minode *to)
{
	if (!S_ISDIR(i->mode))
		return;
	i->parent = to->id;
	from->nlink--;
	to->nlink++;
}

/* @left stays at the old name, NULL: nothing. */
static void replace(struct model *m, struct minode *from, const char *name,
		    struct minode *to, const char *new_name,
		    const struct minode *left)
{
	struct minode *s = child(m, from, model_find(from, name)), *t = NULL;
	long at = model_find(to, new_name);

	if (at >= 0) {
		t = child(m, to, at);
		to->entries[at].id = s->id;
		changed(to);
	} else {
		add_entry(to, new_name, s->id);
	}
	at = model_find(from, name);
	if (left) {
		from->entries[at].id = left->id;
		changed(from);
	} else {
		remove_entry(from, at);
	}
	moved(s, from, to);
	if (t)
		lose_name(m, to, t);
}

/* What stays at a name in @from; *@out = NULL when that is not asked for. */
static int new_whiteout(struct model *m, const struct minode *from,
			unsigned flags, const struct mspec *spec,
			struct minode **out)
{
	unsigned id;

	*out = NULL;
	if (!(flags & WHITEOUT))
		return 0;
	id = model_new_inode(m, spec);
	if (id == MODEL_NO_ID)
		return -ENOSPC;
	*out = model_get(m, id);
	(*out)->nlink = 1;
	inherit(from, *out, spec->umask);
	return 0;
}

static int check_args(unsigned flags, const char *name, const char *new_name,
		      const struct minode *from, const struct minode *to)
{
	int err = flags & EXCHANGE && flags != EXCHANGE ? -EINVAL : 0;

	if (!err)
		err = check_name(name);
	if (!err)
		err = check_name(new_name);
	if (!err)
		err = check_dir(from);
	return err ? err : check_dir(to);
}

int model_rename(struct model *m, unsigned from, const char *name, unsigned to,
		 const char *new_name, unsigned flags,
		 const struct mspec *whiteout, unsigned *left)
{
	struct minode *f = model_get(m, from), *t = model_get(m, to);
	struct minode *si, *ti, *w;
	int err = check_args(flags, name, new_name, f, t);
	long s, d;

	*left = MODEL_NO_ID;
	if (err)
		return err;
	s = model_find(f, name);
	d = model_find(t, new_name);
	if (s < 0)
		return -ENOENT;
	si = child(m, f, s);
	ti = d < 0 ? NULL : child(m, t, d);
	err = check_rename(m, si, ti, f, t, flags);
	if (err || si == ti)
		return err;
	if (!(flags & EXCHANGE)) {
		err = new_whiteout(m, f, flags, whiteout, &w);
		if (err)
			return err;
		replace(m, f, name, t, new_name, w);
		*left = w ? w->id : MODEL_NO_ID;
		return 0;
	}
	f->entries[s].id = ti->id;
	t->entries[d].id = si->id;
	changed(f);
	changed(t);
	moved(si, f, t);
	moved(ti, t, f);
	return 0;
}
