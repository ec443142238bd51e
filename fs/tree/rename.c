/* SPDX-License-Identifier: BSD-3-Clause */
/* Renaming (see rename.h). */
#include "rename.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "dentry.h"
#include "namei.h"
#include "namei_i.h"
#include "reap.h"
#include "state/inode.h"
#include "state/inode_flags.h"
#include "state/tx.h"
#include "state/zsfs.h"

struct rename {
	struct zinode *from, *to; /* directories */
	const char *name, *new_name;
	struct dentry *s, *t;	/* entries; t may be NULL */
	struct zinode *si, *ti; /* their inodes */
	const struct new_inode *whiteout;
	unsigned flags;
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
		err = namei_check_dir(r->from);
		if (!err)
			err = namei_check_dir(r->to);
		if (err)
			return err;
		r->s = namei_find(tx, r->from, r->name);
		r->t = namei_find(tx, r->to, r->new_name);
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
		dir = inode_at(dir->parent);
	}
	return i == root;
}

/* What the flags of all four forbid. */
static int check_kept(const struct rename *r)
{
	int err = inode_may_lose(r->from, r->si);

	if (err)
		return err;
	return r->t ? inode_may_lose(r->to, r->ti) : inode_may_gain(r->to);
}

/* What is at the new name may be in the way. */
static int check_target(struct tx *tx, const struct rename *r, unsigned flags)
{
	bool s_dir = S_ISDIR(r->si->mode), t_dir = S_ISDIR(r->ti->mode);

	if (flags & RENAME_EXCHANGE)
		return t_dir && r->from != r->to && is_above(tx, r->ti, r->from)
			       ? -EINVAL
			       : 0;
	if (s_dir && !t_dir)
		return -ENOTDIR;
	if (!s_dir && t_dir)
		return -EISDIR;
	return s_dir && r->ti->size ? -ENOTEMPTY : 0;
}

/* The checks of rename(2), in the order that gives its errors. */
static int check_rename(struct tx *tx, const struct rename *r)
{
	unsigned flags = r->flags;
	int err;

	if (S_ISDIR(r->si->mode) && r->from != r->to &&
	    is_above(tx, r->si, r->to))
		return -EINVAL;
	if (!r->t && flags & RENAME_EXCHANGE)
		return -ENOENT;
	if (r->t && flags & RENAME_NOREPLACE)
		return -EEXIST;
	if (r->si == r->ti)
		return 0;
	err = check_kept(r);
	return err || !r->t ? err : check_target(tx, r, flags);
}

static void add_links(struct tx *tx, struct zinode *dir, int n)
{
	if (n)
		inode_set_nlink(tx, dir, dir->nlink + (uint32_t)n);
}

static void set_parent(struct tx *tx, struct zinode *i, struct zinode *dir)
{
	if (S_ISDIR(i->mode))
		tx_set(tx, &i->parent, inode_ino(dir));
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

/* A device for the old name. */
static int new_whiteout(struct tx *tx, const struct rename *r,
			struct zinode **out)
{
	const struct new_inode *spec = r->whiteout;
	int err = inode_new(tx, spec->mode, spec->uid, spec->gid, spec->rdev,
			    out);

	if (!err)
		err = namei_init(tx, r->from, spec, *out);
	if (!err)
		(*out)->nlookup = 0; /* nobody is told of it */
	return err;
}

static void leave_whiteout(struct tx *tx, const struct rename *r,
			   struct zinode *i)
{
	dentry_set_ino(tx, r->from, r->s, inode_ino(i), i->mode);
	/* The end of what is replaced takes a lock of these, too. */
	if (r->ti)
		tx_count_lock_all(tx);
	inode_complete(tx, i);
}

static int add_name(struct tx *tx, const struct rename *r)
{
	if (!r->t)
		return dentry_add(tx, r->to, r->new_name, strlen(r->new_name),
				  inode_ino(r->si), r->si->mode);
	dentry_set_ino(tx, r->to, r->t, inode_ino(r->si), r->si->mode);
	return 0;
}

/* Move the entry; what was at the new name is gone afterwards. */
static int move_entry(struct tx *tx, struct rename *r, struct zinode *whiteout)
{
	bool is_dir = S_ISDIR(r->si->mode);
	int err = add_name(tx, r);

	if (err)
		return err;
	if (whiteout)
		leave_whiteout(tx, r, whiteout);
	else
		dentry_remove(tx, r->from, r->s);
	if (is_dir && r->from != r->to) {
		set_parent(tx, r->si, r->to);
		add_links(tx, r->from, -1);
		add_links(tx, r->to, 1);
	}
	if (r->ti && is_dir)
		namei_drop_dir(tx, r->to, r->ti);
	else if (r->ti)
		namei_drop_file(tx, r->ti);
	return 0;
}

static int change_names(struct tx *tx, struct rename *r)
{
	struct zinode *whiteout = NULL;
	enum alloc_policy was;
	int err = 0;

	if (r->flags & RENAME_WHITEOUT)
		err = new_whiteout(tx, r, &whiteout);
	if (err)
		return err;
	/* A name is not worth less than what it names: works when full. */
	was = tx_raise_policy(tx, ALLOC_REPLACE);
	if (r->flags & RENAME_EXCHANGE)
		exchange(tx, r);
	else
		err = move_entry(tx, r, whiteout);
	tx->policy = was;
	return err;
}

static bool are_valid(unsigned flags)
{
	if (flags & RENAME_EXCHANGE)
		return flags == RENAME_EXCHANGE;
	return !(flags & ~(unsigned)(RENAME_NOREPLACE | RENAME_WHITEOUT));
}

int zsfs_rename(struct tx *tx, uint64_t from, const char *name, uint64_t to,
		const char *new_name, unsigned flags,
		const struct new_inode *whiteout)
{
	struct rename r = {
		.name = name,
		.new_name = new_name,
		.whiteout = whiteout,
		.flags = flags,
	};
	int err, err2;

	if (!are_valid(flags))
		return -EINVAL;
	r.from = namei_resolve_dir(tx, from, &err);
	r.to = namei_resolve_dir(tx, to, &err2);
	if (!err)
		err = err2;
	if (!err)
		err = namei_check_name(name);
	if (!err)
		err = namei_check_name(new_name);
	if (err)
		return err;
	if (r.from != r.to)
		tx_rename_lock(tx);
	err = lock_rename(tx, &r);
	if (!err)
		err = check_rename(tx, &r);
	if (err || r.si == r.ti)
		return err;
	err = change_names(tx, &r);
	if (err)
		return err;
	inode_touch_ctime(tx, r.si);
	note_renamed(tx, 0, r.si, r.from != r.to);
	inode_touch_mtime(tx, r.from);
	if (r.to != r.from)
		inode_touch_mtime(tx, r.to);
	return 0;
}
