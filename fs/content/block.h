/* SPDX-License-Identifier: BSD-3-Clause */
/* Blocks: from 4096 plain bytes to what a slot names (slot.h). */
#ifndef FS_BLOCK_H
#define FS_BLOCK_H

#include <stdint.h>

#include "staged.h"
#include "zcomp.h"

struct table_cursor;
struct tx;
struct zinode;
struct zsfs;

/*
 * Bring @n plain blocks into stored form without touching shared state: finds
 * out of each whether it is same-filled, else compresses it into its part of
 * @room (4096 bytes for each), else points into @src itself. For request
 * threads and helpers alike.
 */
void block_stage(struct zsfs *fs, struct zcomp_ctx *zc,
		 const struct zcomp_params *comp, const uint8_t *src,
		 uint8_t *room, struct staged_block *out, unsigned n);

/*
 * Put @n staged blocks in the place of what block @block and those behind it
 * hold; *@put says how many were, also on failure. @c is a cursor in the
 * inode's table, for all blocks of a range. When memory is at its limit, a
 * block that does not take more than the one before may use the reserve
 * (tx.used_reserve). The inode is locked exclusive and saved (inode_save()). 0,
 * -ENOSPC, -ENOMEM.
 */
int block_put(struct tx *tx, struct zinode *i, struct table_cursor *c,
	      uint64_t block, const struct staged_block *b, unsigned n,
	      unsigned *put);

/* The same for what a client writes: what has settled is pressed (press.h). */
int block_write(struct tx *tx, struct zinode *i, struct table_cursor *c,
		uint64_t block, const struct staged_block *b, unsigned n,
		unsigned *put);

#endif
