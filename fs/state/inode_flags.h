/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Inode flags: what immutable and append-only forbid.
 *
 * The kernel's FUSE does not know that an inode has them, so what the VFS
 * refuses on other file systems is refused here, with the errors of the VFS and
 * where it looks: an immutable inode may not be changed in any way, nor may a
 * name lead to it that did not, or no longer; one that is append-only may grow,
 * and a directory get new names. Who may set them the VFS knows: the owner, and
 * for these two flags who has CAP_LINUX_IMMUTABLE.
 *
 * All are for inodes that are locked, and return 0 or -EPERM.
 */
#ifndef FS_INODE_FLAGS_H
#define FS_INODE_FLAGS_H

#include <stdbool.h>

#include "inode_layout.h"

/* Is it immutable or append-only? */
static inline bool inode_is_kept(const struct zinode *i)
{
	return i->flags & (INODE_IMMUTABLE | INODE_APPEND);
}

/* A new name in directory @dir. */
int inode_may_gain(const struct zinode *dir);
/* A name in directory @dir goes away, or leads elsewhere; it led to @i. */
int inode_may_lose(const struct zinode *dir, const struct zinode *i);
/* One more name for @i. */
int inode_may_link(const struct zinode *i);
/* Content that is there is changed or cut off. */
int inode_may_overwrite(const struct zinode *i);
/* Content is added behind the end. */
int inode_may_grow(const struct zinode *i);
/* Mode, owner, xattrs, or times that are not the present are set. */
int inode_may_set(const struct zinode *i);
/* All times are set to the present. */
int inode_may_touch(const struct zinode *i);

#endif
