/* SPDX-License-Identifier: BSD-3-Clause */
/* Staged blocks: blocks in stored form that are not stored yet (block.h). */
#ifndef FS_STAGED_H
#define FS_STAGED_H

#include <stdint.h>

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

#endif
