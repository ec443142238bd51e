/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Names: looking up, making, linking and removing entries.
 *
 * What an operation must lock is only known from the entries it finds under the
 * directory's lock. So it locks the directory, finds the entry, and locks the
 * inode as well if that cannot deadlock; else it drops the locks, takes the
 * whole set in order and looks whether the entry still says the same.
 */
#include <errno.h>
#include <string.h>

#include "acl.h"
#include "dentry.h"
#include "namei.h"
#include "namei_i.h"
#include "reap.h"
#include "state/inode.h"
#include "state/inode_flags.h"
#include "state/tx.h"
#include "state/zsfs.h"

#define MAX_LINKS 0x7fffffffu

struct dentry *namei_find(struct tx *tx, const struct zinode *dir,
			  const char *name)
{
	return dentry_find(tx->fs, dir, name, strlen(name));
}

int namei_check_dir(const struct zinode *dir)
{
	if (!S_ISDIR(dir->mode))
		return -ENOTDIR;
	/* Who makes it may give it up meanwhile (lookup_dot()). */
	return __atomic_load_n(&dir->nlink, __ATOMIC_RELAXED) ? 0 : -ENOENT;
}

int namei_check_name(const char *name)
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
		err = namei_check_dir(dir);
		if (err)
			return err;
		*d = namei_find(tx, dir, name);
		if (!*d || inode_at((*d)->ino) == i)
			return 0;
		i = inode_at((*d)->ino);
		if (tx_lock_more(tx, i, imode))
			return 0;
		tx_unlock(tx);
	}
}

struct zinode *namei_resolve_dir(struct tx *tx, uint64_t nodeid, int *err)
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
			int err = namei_check_dir(dir);

			if (err)
				return err;
			to = inode_at(dir->parent);
		}
		if (to == i)
			break;
		i = to;
		tx_unlock(tx);
	}
	/* A new inode's lock is not held by who makes it, this one is. */
	tx_count_lock(tx, i);
	if (!inode_lives(tx->fs, i) ||
	    !__atomic_load_n(&i->nlink, __ATOMIC_RELAXED))
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

	dir = namei_resolve_dir(tx, parent, &err);
	if (!err)
		err = namei_check_name(name);
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
int namei_init(struct tx *tx, struct zinode *dir, const struct new_inode *spec,
	       struct zinode *i)
{
	inode_begin_counts(i, S_ISDIR(i->mode) ? 2 : 1, 1);
	i->flags = dir->flags & INODE_INHERITED;
	if (dir->mode & S_ISGID) {
		i->gid = dir->gid;
		if (S_ISDIR(i->mode))
			i->mode |= S_ISGID;
	}
	if (S_ISDIR(i->mode)) {
		i->parent = inode_ino(dir);
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
	return acl_inherit(tx, dir, i, spec->umask);
}

int zsfs_make(struct tx *tx, uint64_t parent, const char *name,
	      const struct new_inode *spec, struct zinode **out)
{
	struct zinode *dir, *i;
	int err;

	dir = namei_resolve_dir(tx, parent, &err);
	if (!err)
		err = namei_check_name(name);
	if (!err && S_ISLNK(spec->mode) &&
	    strlen(spec->target) >= ARENA_PAGE_SIZE)
		err = -ENAMETOOLONG;
	if (err)
		return err;
	tx_lock(tx, &(struct lock_want){dir, LOCK_EXCL}, 1);
	err = namei_check_dir(dir);
	if (err)
		return err;
	if (namei_find(tx, dir, name))
		return -EEXIST;
	if (S_ISDIR(spec->mode) && dir->nlink >= MAX_LINKS)
		return -EMLINK;
	err = inode_may_gain(dir);
	if (!err)
		err = inode_new(tx, spec->mode, spec->uid, spec->gid,
				spec->rdev, &i);
	if (!err)
		err = namei_init(tx, dir, spec, i);
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

int zsfs_make_nameless(struct tx *tx, uint64_t dir,
		       const struct new_inode *spec, struct zinode **out)
{
	struct zinode *d, *i;
	int err;

	d = namei_resolve_dir(tx, dir, &err);
	if (err)
		return err;
	tx_lock(tx, &(struct lock_want){d, LOCK_SHARED}, 1);
	if (!S_ISDIR(d->mode))
		return -ENOTDIR;
	err = inode_may_gain(d);
	if (!err)
		err = inode_new(tx, spec->mode, spec->uid, spec->gid,
				spec->rdev, &i);
	if (!err)
		err = namei_init(tx, d, spec, i);
	if (err)
		return err;
	inode_begin_counts(i, 0, 1);
	i->flags |= INODE_NAMELESS;
	inode_complete(tx, i);
	*out = i;
	return 0;
}

/* What lost its last name has none again; what is being freed neither. */
static bool may_have_names(const struct zinode *i)
{
	return i->nlink || (i->flags & INODE_NAMELESS && i->nlookup);
}

/* May it have another name? The checks of link(2), in their order. */
static int check_linkable(const struct zinode *i)
{
	int err = inode_may_link(i);

	if (err)
		return err;
	if (S_ISDIR(i->mode))
		return -EPERM;
	if (!may_have_names(i))
		return -ENOENT;
	return i->nlink < MAX_LINKS ? 0 : -EMLINK;
}

int zsfs_link(struct tx *tx, uint64_t nodeid, uint64_t parent, const char *name,
	      struct zinode **out)
{
	struct zinode *i = inode_resolve(tx->fs, nodeid), *dir;
	struct lock_want want[2];
	int err;

	dir = namei_resolve_dir(tx, parent, &err);
	if (!i)
		err = -ESTALE;
	if (!err)
		err = namei_check_name(name);
	if (err)
		return err;
	want[0] = (struct lock_want){dir, LOCK_EXCL};
	want[1] = (struct lock_want){i, LOCK_EXCL};
	tx_lock(tx, want, 2);
	err = namei_check_dir(dir);
	if (err)
		return err;
	if (namei_find(tx, dir, name))
		return -EEXIST;
	err = inode_may_gain(dir);
	if (!err)
		err = check_linkable(i);
	if (err)
		return err;
	err = dentry_add(tx, dir, name, strlen(name), inode_ino(i), i->mode);
	if (err)
		return err;
	inode_set_nlink(tx, i, i->nlink + 1);
	tx_save(tx, &i->flags);
	i->flags &= ~INODE_NAMELESS;
	inode_touch_ctime(tx, i);
	inode_touch_mtime(tx, dir);
	tx_count_lock(tx, i);
	inode_add_nlookup(tx, i, 1);
	*out = i;
	return 0;
}

/* ---- remove ---- */

void namei_drop_dir(struct tx *tx, struct zinode *parent, struct zinode *i)
{
	tx_set(tx, &i->parent, 0);
	inode_touch_ctime(tx, i);
	inode_set_nlink(tx, parent, parent->nlink - 1);
	reap_set_nlink(tx, i, 0);
}

void namei_drop_file(struct tx *tx, struct zinode *i)
{
	inode_touch_ctime(tx, i);
	reap_set_nlink(tx, i, i->nlink - 1);
}

/* Find and lock an entry that is to go: its directory and its inode, too. */
static int lock_doomed(struct tx *tx, uint64_t parent, const char *name,
		       struct zinode **dir, struct dentry **d)
{
	int err;

	*dir = namei_resolve_dir(tx, parent, &err);
	if (!err)
		err = namei_check_name(name);
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
	err = inode_may_lose(dir, i);
	if (err)
		return err;
	if (S_ISDIR(i->mode))
		return -EISDIR;
	dentry_remove(tx, dir, d);
	inode_touch_mtime(tx, dir);
	namei_drop_file(tx, i);
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
	err = inode_may_lose(dir, i);
	if (err)
		return err;
	if (!S_ISDIR(i->mode))
		return -ENOTDIR;
	if (i->size)
		return -ENOTEMPTY;
	dentry_remove(tx, dir, d);
	inode_touch_mtime(tx, dir);
	namei_drop_dir(tx, dir, i);
	return 0;
}
