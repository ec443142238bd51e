/* SPDX-License-Identifier: BSD-3-Clause */
/* Blocks: from 4096 plain bytes to what a slot names (slot.h). */
#ifndef FS_BLOCK_H
#define FS_BLOCK_H

#include <stdint.h>

#include "zcomp.h"

struct tx;
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
 * Bring a plain block into stored form without touching shared state: finds out
 * whether it is same-filled, else compresses it into @room (4096 bytes), else
 * points to @src itself. For request threads and helpers alike.
 */
void block_stage(struct zsfs *fs, struct zcomp_ctx *zc,
		 const struct zcomp_params *comp, const void *src, void *room,
		 struct staged_block *out);

/*
 * Allocate what a staged block needs, give the slot for it and count it. The
 * inode is locked exclusive. 0, -ENOSPC, -ENOMEM.
 */
int block_store(struct tx *tx, const struct staged_block *b, uint64_t *slot);

/*
 * The same, and put it into *@slot of a block table, which is not a hole, in
 * the place of what that holds. When memory is at its limit, a block that does
 * not take more than before may use the reserve (tx.used_reserve).
 */
int block_replace(struct tx *tx, const struct staged_block *b, uint64_t *slot);

#endif
