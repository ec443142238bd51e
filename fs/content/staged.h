/* SPDX-License-Identifier: BSD-3-Clause */
/* Staged blocks: 4096 plain bytes in stored form, not stored yet (block.h). */
#ifndef FS_STAGED_H
#define FS_STAGED_H

#include <stdbool.h>
#include <stdint.h>

#include "zcomp.h"

struct zsfs;

enum block_kind { BLOCK_SAME, BLOCK_OBJ };

/* One block of a write, prepared before any lock is taken. */
struct staged_block {
	uint64_t word; /* BLOCK_SAME: what it is filled with */
	uint32_t sum;  /* BLOCK_OBJ: checksum of the plain block */
	uint16_t len;  /* BLOCK_OBJ: payload bytes */
	uint8_t alg;   /* BLOCK_OBJ: enum zcomp_alg */
	uint8_t kind;  /* enum block_kind */
	bool hot;      /* BLOCK_OBJ: as it is, until it is compressed */
	const uint8_t *payload;
};

/* Have @out be the block at @src as it is. */
static inline void staged_raw(const void *src, struct staged_block *out)
{
	out->alg = ZCOMP_RAW;
	out->len = ZCOMP_BLOCK_SIZE;
	out->payload = src;
}

/*
 * Bring @n plain blocks into stored form without touching shared state: finds
 * out of each whether it is same-filled, else compresses it into its part of
 * @room (4096 bytes for each), else points into @src itself. For request
 * threads and helpers alike.
 */
void block_stage(struct zsfs *fs, struct zcomp_ctx *zc,
		 const struct zcomp_params *comp, const uint8_t *src,
		 uint8_t *room, struct staged_block *out, unsigned n);

/* The same without compressing: what is not same-filled is hot (hot.h). */
void block_stage_hot(const uint8_t *src, struct staged_block *out, unsigned n);

#endif
