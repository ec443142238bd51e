/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Names: looking up, making, linking, removing and renaming entries.
 *
 * What an operation must lock is only known from the entries it finds under the
 * directory's lock. So it locks the directory, finds the entry, and locks the
 * inode as well if that cannot deadlock; else it drops the locks, takes the
 * whole set in order and looks whether the entry still says the same.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "dentry.h"
#include "namei.h"
#include "reap.h"
#include "state/inode.h"
#include "state/tx.h"
#include "state/zsfs.h"

#define MAX_LINKS 0x7fffffffu

static struct dentry *find(struct tx *tx, const struct zinode *dir,
			   const char *name)
{
	return dentry_find(tx->fs, dir, name, strlen(name));
}

static int check_dir(const struct zinode *dir)
{
	if (!S_ISDIR(dir->mode))
		return -ENOTDIR;
	return dir->nlink ? 0 : -ENOENT;
}

static int check_name(const char *name)
{
	size_t len = strlen(name);

	if (len > ZSFS_NAME_MAX)
		return -ENAMETOOLONG;
	return len ? 0 : -ENOENT;
}

/*
 * Lock directory @dir and the inode that @name leads to. *@d is NULL when there
 * is no such entry. Returns 0 or -ENOTDIR, -ENOENT (a removed directory).
 */
static int lock_entry(struct tx *tx, struct zinode *dir, enum lock_mode dmode,
		      const char *name, enum lock_mode imode, struct dentry **d)
{
	struct zinode *i = NULL;

	for (;;) {
		struct lock_want want[] = {{dir, dmode}, {i, imode}};
		int err;

		tx_lock(tx, want, 2);
		err = check_dir(dir);
		if (err)
			return err;
		*d = find(tx, dir, name);
		if (!*d || inode_at((*d)->ino) == i)
			return 0;
		i = inode_at((*d)->ino);
		if (tx_lock_more(tx, i, imode))
			return 0;
		tx_unlock(tx);
	}
}

static struct zinode *resolve_dir(struct tx *tx, uint64_t nodeid, int *err)
{
	struct zinode *dir = inode_resolve(tx->fs, nodeid);

	*err = dir ? 0 : -ESTALE;
	return dir;
}

/* ---- lookup ---- */

/*
 * "." and "..", as a file server asks for them. The kernel may hold no count on
 * a handle's inode, so what it is can only be believed once it is locked.
 */
static int lookup_dot(struct tx *tx, struct zinode *dir, bool up,
		      struct zinode **out)
{
	struct zinode *i = dir, *to = dir;

	for (;;) {
		struct lock_want want[] = {{dir, LOCK_SHARED},
					   {i, LOCK_SHARED}};

		tx_lock(tx, want, 2);
		if (!inode_valid(tx->fs, dir))
			return -ESTALE;
		if (up) {
			int err = check_dir(dir);

			if (err)
				return err;
			to = inode_at(dir->dir.parent);
		}
		if (to == i)
			break;
		i = to;
		tx_unlock(tx);
	}
	/* A new inode's lock is not held by who makes it, this one is. */
	tx_count_lock(tx, i);
	if (!inode_valid(tx->fs, i) || !i->nlink)
		return -ESTALE;
	inode_add_nlookup(tx, i, 1);
	*out = i;
	return 0;
}

int zsfs_lookup(struct tx *tx, uint64_t parent, const char *name,
		struct zinode **out)
{
	struct zinode *dir, *i;
	struct dentry *d;
	int err;

	dir = resolve_dir(tx, parent, &err);
	if (!err)
		err = check_name(name);
	if (err)
		return err;
	if (!strcmp(name, ".") || !strcmp(name, ".."))
		return lookup_dot(tx, dir, name[1], out);
	err = lock_entry(tx, dir, LOCK_SHARED, name, LOCK_SHARED, &d);
	*out = NULL;
	if (err || !d)
		return err;
	i = inode_at(d->ino);
	tx_count_lock(tx, i);
	inode_add_nlookup(tx, i, 1);
	*out = i;
	return 0;
}

/* ---- make ---- */

/* Fill in what a new inode of its kind needs; it is not reachable yet. */
static int init_new(struct tx *tx, struct zinode *dir,
		    const struct new_inode *spec, struct zinode *i)
{
	i->nlookup = 1;
	i->nlink = 1;
	if (dir->mode & S_ISGID) {
		i->gid = dir->gid;
		if (S_ISDIR(i->mode))
			i->mode |= S_ISGID;
	}
	if (S_ISDIR(i->mode)) {
		i->nlink = 2;
		i->dir.parent = inode_ino(dir);
	} else if (S_ISLNK(i->mode)) {
		size_t len = strlen(spec->target);
		void *p;
		int err = tx_slab_alloc(tx, slab_cache_for(len + 1), &p);

		if (err)
			return err;
		memcpy(p, spec->target, len + 1);
		i->link.target = slab_ref(p);
		i->size = len;
	}
	return 0;
}

int zsfs_make(struct tx *tx, uint64_t parent, const char *name,
	      const struct new_inode *spec, struct zinode **out)
{
	struct zinode *dir, *i;
	int err;

	dir = resolve_dir(tx, parent, &err);
	if (!err)
		err = check_name(name);
	if (!err && S_ISLNK(spec->mode) &&
	    strlen(spec->target) >= ARENA_PAGE_SIZE)
		err = -ENAMETOOLONG;
	if (err)
		return err;
	tx_lock(tx, &(struct lock_want){dir, LOCK_EXCL}, 1);
	err = check_dir(dir);
	if (err)
		return err;
	if (find(tx, dir, name))
		return -EEXIST;
	if (S_ISDIR(spec->mode) && dir->nlink >= MAX_LINKS)
		return -EMLINK;
	err = inode_new(tx, spec->mode, spec->uid, spec->gid, spec->rdev, &i);
	if (!err)
		err = init_new(tx, dir, spec, i);
	if (!err)
		err = dentry_add(tx, dir, name, strlen(name), inode_ino(i),
				 i->mode);
	if (err)
		return err;
	if (S_ISDIR(i->mode))
		inode_set_nlink(tx, dir, dir->nlink + 1);
	inode_touch_mtime(tx, dir);
	inode_complete(tx, i);
	*out = i;
	return 0;
}

int zsfs_link(struct tx *tx, uint64_t nodeid, uint64_t parent, const char *name,
	      struct zinode **out)
{
	struct zinode *i = inode_resolve(tx->fs, nodeid), *dir;
	struct lock_want want[2];
	int err;

	dir = resolve_dir(tx, parent, &err);
	if (!i)
		err = -ESTALE;
	if (!err)
		err = check_name(name);
	if (err)
		return err;
	want[0] = (struct lock_want){dir, LOCK_EXCL};
	want[1] = (struct lock_want){i, LOCK_EXCL};
	tx_lock(tx, want, 2);
	err = check_dir(dir);
	if (err)
		return err;
	if (S_ISDIR(i->mode))
		return -EPERM;
	if (!i->nlink)
		return -ENOENT;
	if (i->nlink >= MAX_LINKS)
		return -EMLINK;
	if (find(tx, dir, name))
		return -EEXIST;
	err = dentry_add(tx, dir, name, strlen(name), inode_ino(i), i->mode);
	if (err)
		return err;
	inode_set_nlink(tx, i, i->nlink + 1);
	inode_touch_ctime(tx, i);
	inode_touch_mtime(tx, dir);
	tx_count_lock(tx, i);
	inode_add_nlookup(tx, i, 1);
	*out = i;
	return 0;
}

/* ---- remove ---- */

/* Take the last name of an empty directory away. */
static void drop_dir(struct tx *tx, struct zinode *parent, struct zinode *i)
{
	tx_set(tx, &i->dir.parent, 0);
	inode_touch_ctime(tx, i);
	inode_set_nlink(tx, parent, parent->nlink - 1);
	reap_set_nlink(tx, i, 0);
}

static void drop_file(struct tx *tx, struct zinode *i)
{
	inode_touch_ctime(tx, i);
	reap_set_nlink(tx, i, i->nlink - 1);
}

/* Find and lock an entry that is to go: its directory and its inode, too. */
static int lock_doomed(struct tx *tx, uint64_t parent, const char *name,
		       struct zinode **dir, struct dentry **d)
{
	int err;

	*dir = resolve_dir(tx, parent, &err);
	if (!err)
		err = check_name(name);
	if (!err)
		err = lock_entry(tx, *dir, LOCK_EXCL, name, LOCK_EXCL, d);
	if (err)
		return err;
	return *d ? 0 : -ENOENT;
}

int zsfs_unlink(struct tx *tx, uint64_t parent, const char *name)
{
	struct zinode *dir, *i;
	struct dentry *d;
	int err;

	err = lock_doomed(tx, parent, name, &dir, &d);
	if (err)
		return err;
	i = inode_at(d->ino);
	if (S_ISDIR(i->mode))
		return -EISDIR;
	dentry_remove(tx, dir, d);
	inode_touch_mtime(tx, dir);
	drop_file(tx, i);
	return 0;
}

int zsfs_rmdir(struct tx *tx, uint64_t parent, const char *name)
{
	struct zinode *dir, *i;
	struct dentry *d;
	int err;

	err = lock_doomed(tx, parent, name, &dir, &d);
	if (err)
		return err;
	i = inode_at(d->ino);
	if (!S_ISDIR(i->mode))
		return -ENOTDIR;
	if (i->dir.nr_entries)
		return -ENOTEMPTY;
	dentry_remove(tx, dir, d);
	inode_touch_mtime(tx, dir);
	drop_dir(tx, dir, i);
	return 0;
}

/* ---- rename ---- */

struct rename {
	struct zinode *from, *to; /* directories */
	const char *name, *new_name;
	struct dentry *s, *t;	/* entries; t may be NULL */
	struct zinode *si, *ti; /* their inodes */
};

/* Lock both directories and both inodes; fills in the entries. */
static int lock_rename(struct tx *tx, struct rename *r)
{
	struct zinode *si = NULL, *ti = NULL;

	for (;;) {
		struct lock_want want[] = {
			{r->from, LOCK_EXCL},
			{r->to, LOCK_EXCL},
			{si, LOCK_EXCL},
			{ti, LOCK_EXCL},
		};
		int err;

		tx_lock(tx, want, 4);
		err = check_dir(r->from);
		if (!err)
			err = check_dir(r->to);
		if (err)
			return err;
		r->s = find(tx, r->from, r->name);
		r->t = find(tx, r->to, r->new_name);
		if (!r->s)
			return -ENOENT;
		r->si = inode_at(r->s->ino);
		r->ti = r->t ? inode_at(r->t->ino) : NULL;
		if ((r->si == si || tx_lock_more(tx, r->si, LOCK_EXCL)) &&
		    (!r->ti || r->ti == ti ||
		     tx_lock_more(tx, r->ti, LOCK_EXCL)))
			return 0;
		si = r->si;
		ti = r->ti;
		tx_unlock(tx);
	}
}

/*
 * Is directory @i @dir itself or above it? Parents of directories only change
 * under the rename lock, which the caller holds when the directories differ.
 */
static bool is_above(struct tx *tx, const struct zinode *i,
		     const struct zinode *dir)
{
	const struct zinode *root = inode_resolve(tx->fs, ROOT_NODEID);

	while (dir != root) {
		if (dir == i)
			return true;
		dir = inode_at(dir->dir.parent);
	}
	return i == root;
}

/* The checks of rename(2), in the order that gives its errors. */
static int check_rename(struct tx *tx, const struct rename *r, unsigned flags)
{
	bool s_dir = S_ISDIR(r->si->mode);

	if (s_dir && r->from != r->to && is_above(tx, r->si, r->to))
		return -EINVAL;
	if (!r->t)
		return flags & RENAME_EXCHANGE ? -ENOENT : 0;
	if (flags & RENAME_NOREPLACE)
		return -EEXIST;
	if (r->si == r->ti)
		return 0;
	if (flags & RENAME_EXCHANGE) {
		if (S_ISDIR(r->ti->mode) && r->from != r->to &&
		    is_above(tx, r->ti, r->from))
			return -EINVAL;
		return 0;
	}
	if (s_dir && !S_ISDIR(r->ti->mode))
		return -ENOTDIR;
	if (!s_dir && S_ISDIR(r->ti->mode))
		return -EISDIR;
	if (s_dir && r->ti->dir.nr_entries)
		return -ENOTEMPTY;
	return 0;
}

static void add_links(struct tx *tx, struct zinode *dir, int n)
{
	if (n)
		inode_set_nlink(tx, dir, dir->nlink + (uint32_t)n);
}

static void set_parent(struct tx *tx, struct zinode *i, struct zinode *dir)
{
	if (S_ISDIR(i->mode))
		tx_set(tx, &i->dir.parent, inode_ino(dir));
}

/* For the kernel, which only notes that the ctime of @i is old. */
static void note_renamed(struct tx *tx, unsigned nr, const struct zinode *i,
			 bool moved)
{
	struct zsfs_slot *slot = tx->slot;

	slot->touched[ZSFS_TOUCHED_DIRS + nr] = inode_nodeid(tx->fs, i);
	if (moved && S_ISDIR(i->mode))
		slot->moved |= UINT64_C(1) << (ZSFS_TOUCHED_DIRS + nr);
}

static void exchange(struct tx *tx, struct rename *r)
{
	int delta = (int)!!S_ISDIR(r->si->mode) - (int)!!S_ISDIR(r->ti->mode);

	dentry_set_ino(tx, r->from, r->s, inode_ino(r->ti), r->ti->mode);
	dentry_set_ino(tx, r->to, r->t, inode_ino(r->si), r->si->mode);
	if (r->from != r->to) {
		set_parent(tx, r->si, r->to);
		set_parent(tx, r->ti, r->from);
		add_links(tx, r->to, delta);
		add_links(tx, r->from, -delta);
	}
	inode_touch_ctime(tx, r->ti);
	note_renamed(tx, 1, r->ti, r->from != r->to);
}

/* Move the entry; what was at the new name is gone afterwards. */
static int move_entry(struct tx *tx, struct rename *r)
{
	bool is_dir = S_ISDIR(r->si->mode);
	int err;

	if (r->t) {
		dentry_set_ino(tx, r->to, r->t, inode_ino(r->si), r->si->mode);
	} else {
		err = dentry_add(tx, r->to, r->new_name, strlen(r->new_name),
				 inode_ino(r->si), r->si->mode);
		if (err)
			return err;
	}
	dentry_remove(tx, r->from, r->s);
	if (is_dir && r->from != r->to) {
		set_parent(tx, r->si, r->to);
		add_links(tx, r->from, -1);
		add_links(tx, r->to, 1);
	}
	if (r->ti && is_dir)
		drop_dir(tx, r->to, r->ti);
	else if (r->ti)
		drop_file(tx, r->ti);
	return 0;
}

int zsfs_rename(struct tx *tx, uint64_t from, const char *name, uint64_t to,
		const char *new_name, unsigned flags)
{
	struct rename r = {.name = name, .new_name = new_name};
	enum alloc_policy was;
	int err, err2;

	if (flags & ~(unsigned)(RENAME_NOREPLACE | RENAME_EXCHANGE))
		return -EINVAL;
	r.from = resolve_dir(tx, from, &err);
	r.to = resolve_dir(tx, to, &err2);
	if (!err)
		err = err2;
	if (!err)
		err = check_name(name);
	if (!err)
		err = check_name(new_name);
	if (err)
		return err;
	if (r.from != r.to)
		tx_rename_lock(tx);
	err = lock_rename(tx, &r);
	if (!err)
		err = check_rename(tx, &r, flags);
	if (err || r.si == r.ti)
		return err;
	/* A name is not worth less than what it names: works when full. */
	was = tx_raise_policy(tx, ALLOC_REPLACE);
	if (flags & RENAME_EXCHANGE)
		exchange(tx, &r);
	else
		err = move_entry(tx, &r);
	tx->policy = was;
	if (err)
		return err;
	inode_touch_ctime(tx, r.si);
	note_renamed(tx, 0, r.si, r.from != r.to);
	inode_touch_mtime(tx, r.from);
	if (r.to != r.from)
		inode_touch_mtime(tx, r.to);
	return 0;
}
