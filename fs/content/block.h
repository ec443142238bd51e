/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One block of a file: what its slot in the block table says, and the way
 * between a slot and 4096 plain bytes.
 *
 *   slot == 0                     a hole
 *   upper 16 bits == SLOT_MAGIC   kind in bits 44..47: SLOT_OBJ with the handle
 *                                 in bits 0..30, or SLOT_ZERO
 *   anything else                 same-filled: the block is this word repeated
 *
 * So every repeated word but those that begin with SLOT_MAGIC (and zero, which
 * has its own kind) is kept in the slot itself; one in 65536 words is not, and
 * such a block is compressed like any other.
 */
#ifndef FS_BLOCK_H
#define FS_BLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "zcomp.h"

struct arena_thread;
struct tx;
struct zsfs;
struct zsfs_thread;

#define SLOT_MAGIC UINT64_C(0xd15c)
#define SLOT_OBJ   UINT64_C(1)
#define SLOT_ZERO  UINT64_C(2)

enum block_kind { BLOCK_SAME, BLOCK_OBJ, BLOCK_FAILED };

/* One block of a write, prepared before any lock is taken. */
struct staged_block {
	uint64_t word; /* BLOCK_SAME: what it is filled with */
	uint32_t sum;  /* BLOCK_OBJ: checksum of the plain block */
	uint16_t len;  /* BLOCK_OBJ: payload bytes */
	uint8_t alg;   /* BLOCK_OBJ: enum zcomp_alg */
	uint8_t kind;  /* enum block_kind */
	const uint8_t *payload;
};

static inline bool slot_is_tagged(uint64_t slot)
{
	return slot >> 48 == SLOT_MAGIC;
}

static inline uint64_t slot_tagged(uint64_t kind, uint32_t handle)
{
	return SLOT_MAGIC << 48 | kind << 44 | handle;
}

static inline bool slot_is_obj(uint64_t slot)
{
	return slot_is_tagged(slot) && (slot >> 44 & 0xf) == SLOT_OBJ;
}

static inline uint32_t slot_handle(uint64_t slot)
{
	return (uint32_t)slot & 0x7fffffffu;
}

/*
 * Bring a plain block into stored form without touching shared state: finds out
 * whether it is same-filled, else compresses it into @room (4096 bytes), else
 * points to @src itself. For request threads and helpers alike.
 */
void block_stage(struct zsfs *fs, struct zcomp_ctx *zc,
		 const struct zcomp_params *comp, const void *src, void *room,
		 struct staged_block *out);

/*
 * Allocate what a staged block needs and give the slot for it. @old is the slot
 * it replaces. When memory is at its limit, an overwrite that does not take
 * more than before may use the reserve (tx.used_reserve). 0 or -errno.
 */
int block_store(struct tx *tx, const struct staged_block *b, uint64_t old,
		uint64_t *slot);

/* Put the content of @slot into @dst (4096 bytes). 0, -EIO, -ENOMEM. */
int block_read(struct zsfs *fs, struct arena_thread *at, struct zcomp_ctx *zc,
	       uint64_t slot, void *dst);

/* Count @slot as added to / taken from the file system's statistics. */
void block_count(struct tx *tx, uint64_t slot, int sign);

/* Free what @slot holds when @tx commits; adjusts the statistics. */
void block_release(struct tx *tx, uint64_t slot);

#endif
