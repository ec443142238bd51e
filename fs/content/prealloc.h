/* SPDX-License-Identifier: BSD-3-Clause */
/* Room for blocks that are written later (slot.h), given step by step. */
#ifndef FS_PREALLOC_H
#define FS_PREALLOC_H

#include <stdint.h>

struct tx;
struct zinode;

/*
 * Both are one step of a regular file's blocks from *@block up to @end, which
 * is not included, with as many as @tx has room for; the inode is locked
 * exclusively and saved (inode_save()); inode_note_stored() is the caller's. 0:
 * that was all. 1: there is more to do, from *@block on. What @owner asked for
 * is told from what others did.
 *
 * Room for holes, which then count as blocks, and for zeros that take no
 * memory. -ENOSPC, -ENOMEM: the transaction must be aborted.
 */
int file_give_room(struct tx *tx, struct zinode *i, uint64_t owner,
		   uint64_t *block, uint64_t end);

/* Undo that, where nothing was written meanwhile. Needs no memory. */
int file_take_room(struct tx *tx, struct zinode *i, uint64_t owner,
		   uint64_t *block, uint64_t end);

#endif
