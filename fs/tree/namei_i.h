/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What operations on names have in common. The caller holds the lock of the
 * directory that it names, and of the inode, exclusive where they change.
 */
#ifndef FS_NAMEI_I_H
#define FS_NAMEI_I_H

#include <stdint.h>

struct dentry;
struct new_inode;
struct tx;
struct zinode;

/* The directory that @nodeid may be; NULL and *@err = -ESTALE: no inode. */
struct zinode *namei_resolve_dir(struct tx *tx, uint64_t nodeid, int *err);

/* 0, -ENOENT (empty), -ENAMETOOLONG. Needs no lock. */
int namei_check_name(const char *name);
/* 0, -ENOTDIR, -ENOENT (it was removed). */
int namei_check_dir(const struct zinode *dir);

/* The entry, or NULL. */
struct dentry *namei_find(struct tx *tx, const struct zinode *dir,
			  const char *name);

/*
 * Fill in what a new inode of its kind needs, for its first name in @dir and
 * its first look-up; it is not reachable yet. 0, -ENOSPC, -ENOMEM.
 */
int namei_init(struct tx *tx, struct zinode *dir, const struct new_inode *spec,
	       struct zinode *i);

/* Take the last name of an empty directory, a name of another file, away. */
void namei_drop_dir(struct tx *tx, struct zinode *parent, struct zinode *i);
void namei_drop_file(struct tx *tx, struct zinode *i);

#endif
