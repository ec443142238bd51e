/* SPDX-License-Identifier: BSD-3-Clause */
/* Blocks: from staged ones (staged.h) to what a slot names (slot.h). */
#ifndef FS_BLOCK_H
#define FS_BLOCK_H

#include <stdint.h>

#include "staged.h"

struct table_cursor;
struct tx;
struct zinode;

/*
 * Put @n staged blocks in the place of what block @block and those behind it
 * hold; *@put says how many were, also on failure. @c is a cursor in the
 * inode's table, for all blocks of a range. When memory is at its limit, a
 * block that does not take more than the one before may use the reserve
 * (tx.used_reserve). Hot ones are compressed now where no memory is backed for
 * them. The inode is locked exclusive and saved (inode_save()). 0,
 * -ENOSPC, -ENOMEM.
 */
int block_put(struct tx *tx, struct zinode *i, struct table_cursor *c,
	      uint64_t block, const struct staged_block *b, unsigned n,
	      unsigned *put);

/*
 * The same for what a client writes. At the limit what has settled is pressed
 * (press.h), and what takes more than the block before may use what is kept for
 * that (ARENA_GROW).
 */
int block_write(struct tx *tx, struct zinode *i, struct table_cursor *c,
		uint64_t block, const struct staged_block *b, unsigned n,
		unsigned *put);

#endif
