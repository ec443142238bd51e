/* SPDX-License-Identifier: BSD-3-Clause */
/* What file.c offers to the other files of fs/ (operations: zsfs_i.h). */
#ifndef FS_FILE_H
#define FS_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "state/tx.h"

struct staged_block;
struct zinode;
struct zsfs;

/* Lock a regular file: 0, -ESTALE, -EISDIR, -EINVAL for anything else. */
int file_lock(struct tx *tx, uint64_t nodeid, enum lock_mode mode,
	      struct zinode **out);
/*
 * The same, shared and without a transaction, for who only looks; the caller
 * ends it with inode_unlock().
 */
int file_lock_shared(struct zsfs *fs, uint64_t nodeid, struct zinode **out);

/*
 * Put a staged block in the place of what block @block holds. The inode is
 * locked exclusive and saved (inode_save()). 0, -ENOSPC, -ENOMEM.
 */
int file_put_block(struct tx *tx, struct zinode *i, uint64_t block,
		   const struct staged_block *b);

/*
 * Replace @len bytes at @at of one block by @src, or by zeros when @src is
 * NULL. The inode is locked exclusive and saved (inode_save()). 0 or -errno.
 */
int file_patch_block(struct tx *tx, struct zinode *i, uint64_t block,
		     unsigned at, const void *src, unsigned len);

/*
 * Take from the mode what a write or chown by an ordinary user takes; true if
 * that changed it. The inode is saved.
 */
bool inode_kill_priv(struct zinode *i);

#endif
