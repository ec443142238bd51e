/* SPDX-License-Identifier: BSD-3-Clause */
/* What file.c offers to the other files of fs/ (operations: zsfs_i.h). */
#ifndef FS_FILE_H
#define FS_FILE_H

#include <stdbool.h>
#include <stdint.h>

struct tx;
struct zinode;

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
