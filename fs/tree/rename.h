/* SPDX-License-Identifier: BSD-3-Clause */
/* Renaming: a name moves, replaces another, or trades places with it. */
#ifndef FS_RENAME_H
#define FS_RENAME_H

#include <stdint.h>

struct new_inode;
struct tx;

/*
 * An operation as those of namei.h: of entry @name of directory @from to
 * @new_name of directory @to. @flags: RENAME_EXCHANGE alone, or any of
 * RENAME_NOREPLACE and RENAME_WHITEOUT, else -EINVAL. With RENAME_WHITEOUT a
 * file as @whiteout says is left at the old name, where overlayfs then sees
 * that a name of a layer below is gone; it takes memory and counts as any new
 * one. Where old and new name are of one inode nothing is done.
 */
int zsfs_rename(struct tx *tx, uint64_t from, const char *name, uint64_t to,
		const char *new_name, unsigned flags,
		const struct new_inode *whiteout);

#endif
