/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Slot: the word of a block table that says what a block of a file holds. This
 * is the only place that knows its bits.
 *
 *   slot == 0                     a hole
 *   upper 16 bits == SLOT_MAGIC   kind in bits 44..47: an object, its handle in
 *                                 bits 0..30, or zeros
 *   anything else                 same-filled: the block is this word repeated
 *
 * So every repeated word but those that begin with SLOT_MAGIC (and zero, which
 * has its own kind) is kept in the slot itself; one in 65536 words is not, and
 * such a block is compressed like any other.
 */
#ifndef FS_SLOT_H
#define FS_SLOT_H

#include <stdbool.h>
#include <stdint.h>

struct arena_thread;
struct tx;
struct zcomp_ctx;
struct zsfs;

enum slot_kind {
	SLOT_HOLE,
	SLOT_SAME,    /* one word, repeated */
	SLOT_ZEROS,   /* the same with 0, which would look like a hole */
	SLOT_OBJECT,  /* an object of the pool */
	SLOT_UNKNOWN, /* nothing that was ever written there */
};

#define SLOT_MAGIC	  UINT64_C(0xd15c)
#define SLOT_KIND_SHIFT	  44
#define SLOT_HANDLE_MASK  UINT64_C(0x7fffffff)
#define SLOT_TAGGED(kind) (SLOT_MAGIC << 48 | UINT64_C(kind) << SLOT_KIND_SHIFT)
#define SLOT_TAG_OBJECT	  SLOT_TAGGED(1)
#define SLOT_TAG_ZEROS	  SLOT_TAGGED(2)

static inline enum slot_kind slot_kind(uint64_t slot)
{
	if (slot == 0)
		return SLOT_HOLE;
	if (slot >> 48 != SLOT_MAGIC)
		return SLOT_SAME;
	if ((slot & ~SLOT_HANDLE_MASK) == SLOT_TAG_OBJECT)
		return SLOT_OBJECT;
	return slot == SLOT_TAG_ZEROS ? SLOT_ZEROS : SLOT_UNKNOWN;
}

/* May a block of this word, repeated, be kept as slot_same()? */
static inline bool slot_can_hold(uint64_t word)
{
	return word >> 48 != SLOT_MAGIC;
}

static inline uint64_t slot_same(uint64_t word)
{
	return word ? word : SLOT_TAG_ZEROS;
}

static inline uint64_t slot_object(uint32_t handle)
{
	return SLOT_TAG_OBJECT | handle;
}

/* The handle of a SLOT_OBJECT. */
static inline uint32_t slot_handle(uint64_t slot)
{
	return (uint32_t)(slot & SLOT_HANDLE_MASK);
}

/*
 * Payload bytes of the object in @slot. Takes no lock; the caller's lock of the
 * inode keeps the object. False: there is none.
 */
bool slot_size(struct zsfs *fs, uint64_t slot, uint32_t *size);

/*
 * Put the content of @slot, 4096 bytes, into @dst. For request threads and
 * helpers alike; the lock of the inode is held. 0; -EIO when the content does
 * not verify; -ENOMEM.
 */
int slot_read(struct zsfs *fs, struct arena_thread *at, struct zcomp_ctx *zc,
	      uint64_t slot, void *dst);

/* Count a slot that was just stored; @size: payload bytes of a SLOT_OBJECT. */
void slot_count(struct tx *tx, uint64_t slot, uint32_t size);

/* Free what @slot holds when @tx commits, and count that. */
void slot_free(struct tx *tx, uint64_t slot);

#endif
