/* SPDX-License-Identifier: BSD-3-Clause */
/* Blocks: from 4096 plain bytes to what a slot names (slot.h). */
#ifndef FS_BLOCK_H
#define FS_BLOCK_H

#include <stdint.h>

#include "zcomp.h"

struct table_cursor;
struct tx;
struct zinode;
struct zsfs;

enum block_kind { BLOCK_SAME, BLOCK_OBJ };

/* One block of a write, prepared before any lock is taken. */
struct staged_block {
	uint64_t word; /* BLOCK_SAME: what it is filled with */
	uint32_t sum;  /* BLOCK_OBJ: checksum of the plain block */
	uint16_t len;  /* BLOCK_OBJ: payload bytes */
	uint8_t alg;   /* BLOCK_OBJ: enum zcomp_alg */
	uint8_t kind;  /* enum block_kind */
	const uint8_t *payload;
};

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

#endif
