/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Slot: the word of a block table that says what a block of a file holds. This
 * is the only place that knows its bits.
 *
 * One flipped bit in a slot gives the same content or none at all, but for a
 * block that repeats one word, whose slot is the content. So magic and kinds
 * differ from each other, and from what may be such a word, in two bits at
 * least; and the checksum of what a slot names has the block's mark mixed in,
 * so that another block's does not verify.
 *
 *   slot == 0                     a hole
 *   upper 16 bits == SLOT_MAGIC   kind in bits 44..47: an object, its handle in
 *                                 bits 0..30; zeros; room, see below; a block
 *                                 of a cluster, its place in bits 40..43 and
 *                                 the cluster's in bits 0..36
 *   anything else                 same-filled: the block is this word repeated
 *
 * So nearly every repeated word is kept in the slot itself (zero has a kind of
 * its own). One is not, and such a block is compressed like any other, if a bit
 * makes the difference to a hole, or to SLOT_MAGIC: one in 3855 words.
 *
 * An object may be marked as tried: that its block settles (settle.h) would
 * save nothing, as far as its neighbours had been written then. Or as hot: it
 * is stored as it is until there is time to compress it (hot.h). When it was
 * stored is told by bits 34..43, a coarse time that comes round again.
 *
 * Room: fallocate(2) was there, so memory for the block is promised (tx.h) and
 * its first write cannot fail for want of it. It has no content: it is a hole,
 * which counts as a block, or zeros that had been written. Bits 0..43 say whose
 * room it is, so that an allocation that fails takes back its own only.
 */
#ifndef FS_SLOT_H
#define FS_SLOT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "cluster.h"
#include "state/inode_layout.h"
#include "state/tx.h"
#include "state/zsfs.h"

struct arena_thread;
struct zcomp_ctx;

enum slot_kind {
	SLOT_HOLE,
	SLOT_SAME,	 /* one word, repeated */
	SLOT_ZEROS,	 /* the same with 0, which would look like a hole */
	SLOT_OBJECT,	 /* an object of the pool */
	SLOT_DENSE,	 /* in a cluster (cluster.h) */
	SLOT_ROOM,	 /* a hole with room */
	SLOT_ROOM_ZEROS, /* zeros with room */
	SLOT_UNKNOWN,	 /* nothing that was ever written there */
};

/* How the block of a slot is stored, as people are told. */
enum slot_form {
	FORM_HOT,
	FORM_LZ4,
	FORM_ZSTD,
	FORM_RAW,
	FORM_DENSE,
	FORM_SAME, /* a hole, too */
	FORM_ROOM,
	FORM_UNKNOWN, /* damaged */
	NR_FORMS,
};

#define SLOT_MAGIC	  UINT64_C(0xd15c)
#define SLOT_KIND_SHIFT	  44
#define SLOT_HANDLE_MASK  UINT64_C(0x7fffffff)
#define SLOT_TAGGED(kind) (SLOT_MAGIC << 48 | UINT64_C(kind) << SLOT_KIND_SHIFT)
/* Kinds have two bits of the four, or none, or all. */
#define SLOT_TAG_OBJECT	    SLOT_TAGGED(3)
#define SLOT_TAG_ZEROS	    SLOT_TAGGED(5)
#define SLOT_TAG_ROOM	    SLOT_TAGGED(6)
#define SLOT_TAG_ROOM_ZEROS SLOT_TAGGED(9)
#define SLOT_TAG_DENSE	    SLOT_TAGGED(10)
#define SLOT_OWNER_MASK	    ((UINT64_C(1) << SLOT_KIND_SHIFT) - 1)
/* Of an object: tried. */
#define SLOT_TRIED (UINT64_C(1) << 32)
/* Of an object: hot. */
#define SLOT_HOT	 (UINT64_C(1) << 33)
#define SLOT_STAMP_SHIFT 34
#define SLOT_STAMPS	 1024u
#define SLOT_STAMP_MASK	 ((uint64_t)(SLOT_STAMPS - 1) << SLOT_STAMP_SHIFT)
/* Seconds from one stamp to the next. */
#define SLOT_STAMP_SECS 2u
/* Of a block in a cluster. */
#define SLOT_PLACE_SHIFT   40
#define SLOT_PLACE_MASK	   (UINT64_C(15) << SLOT_PLACE_SHIFT)
#define SLOT_CLUSTER_SHIFT 3
#define SLOT_CLUSTER_MASK  (ARENA_SIZE / 8 - 1)

_Static_assert(!(SLOT_CLUSTER_MASK & SLOT_PLACE_MASK), "apart");

/* May a block of this word, repeated, be kept as slot_same()? */
static inline bool slot_can_hold(uint64_t word)
{
	uint64_t unlike = word >> 48 ^ SLOT_MAGIC;

	return unlike & (unlike - 1) && (!word || word & (word - 1));
}

static inline enum slot_kind slot_kind(uint64_t slot)
{
	if ((slot & ~(SLOT_HANDLE_MASK | SLOT_TRIED | SLOT_HOT |
		      SLOT_STAMP_MASK)) == SLOT_TAG_OBJECT)
		return SLOT_OBJECT;
	if (slot == 0)
		return SLOT_HOLE;
	if (slot_can_hold(slot))
		return SLOT_SAME;
	if (slot == SLOT_TAG_ZEROS)
		return SLOT_ZEROS;
	if ((slot & ~SLOT_OWNER_MASK) == SLOT_TAG_ROOM)
		return SLOT_ROOM;
	if ((slot & ~SLOT_OWNER_MASK) == SLOT_TAG_ROOM_ZEROS)
		return SLOT_ROOM_ZEROS;
	if ((slot & ~(SLOT_PLACE_MASK | SLOT_CLUSTER_MASK)) == SLOT_TAG_DENSE)
		return SLOT_DENSE;
	return SLOT_UNKNOWN;
}

/* Is there room for the block? */
static inline bool slot_has_room(uint64_t slot)
{
	enum slot_kind kind = slot_kind(slot);

	return kind == SLOT_ROOM || kind == SLOT_ROOM_ZEROS;
}

/* The slot for a hole, or zeros, with room that @owner has asked for. */
static inline uint64_t slot_room(uint64_t slot, uint64_t owner)
{
	return (slot ? SLOT_TAG_ROOM_ZEROS : SLOT_TAG_ROOM) |
	       (owner & SLOT_OWNER_MASK);
}

static inline bool slot_is_room_of(uint64_t slot, uint64_t owner)
{
	return slot_has_room(slot) && !((slot ^ owner) & SLOT_OWNER_MASK);
}

static inline uint64_t slot_same(uint64_t word)
{
	return word ? word : SLOT_TAG_ZEROS;
}

/* The time, as slots have it. Stands still while the machine is suspended. */
static inline unsigned slot_stamp_now(void)
{
	return (unsigned)(clock_seconds() / SLOT_STAMP_SECS) % SLOT_STAMPS;
}

static inline uint64_t slot_object(uint32_t handle, unsigned stamp)
{
	return SLOT_TAG_OBJECT | (uint64_t)stamp << SLOT_STAMP_SHIFT | handle;
}

/* Stamps since a SLOT_OBJECT was stored, as of @now. */
static inline unsigned slot_age(uint64_t slot, unsigned now)
{
	unsigned then = (unsigned)(slot >> SLOT_STAMP_SHIFT) % SLOT_STAMPS;

	return (now - then) % SLOT_STAMPS;
}

/* Is it a block of zeros, a hole for one, that needs no look at an object? */
static inline bool slot_is_zero(uint64_t slot)
{
	enum slot_kind kind = slot_kind(slot);

	return kind == SLOT_HOLE || kind == SLOT_ZEROS || kind == SLOT_ROOM ||
	       kind == SLOT_ROOM_ZEROS;
}

/* The handle of a SLOT_OBJECT. */
static inline uint32_t slot_handle(uint64_t slot)
{
	return (uint32_t)(slot & SLOT_HANDLE_MASK);
}

static inline bool slot_is_tried(uint64_t slot)
{
	return slot_kind(slot) == SLOT_OBJECT && slot & SLOT_TRIED;
}

static inline bool slot_is_hot(uint64_t slot)
{
	return slot_kind(slot) == SLOT_OBJECT && slot & SLOT_HOT;
}

static inline uint64_t slot_dense(const struct cluster *cl, unsigned place)
{
	return SLOT_TAG_DENSE | (uint64_t)place << SLOT_PLACE_SHIFT |
	       ((uint64_t)(uintptr_t)cl - ARENA_BASE) >> SLOT_CLUSTER_SHIFT;
}

/* The cluster of a SLOT_DENSE, and the block's place in it. */
static inline struct cluster *slot_cluster(uint64_t slot)
{
	return (struct cluster *)(uintptr_t)(ARENA_BASE +
					     ((slot & SLOT_CLUSTER_MASK)
					      << SLOT_CLUSTER_SHIFT));
}

static inline unsigned slot_place(uint64_t slot)
{
	return (unsigned)((slot & SLOT_PLACE_MASK) >> SLOT_PLACE_SHIFT);
}

/*
 * Payload bytes of the object in @slot, 0 when there is none that is a block.
 * Takes no lock; the caller's lock of the inode keeps the object.
 */
static inline uint32_t slot_size(const struct zsfs *fs, uint64_t slot)
{
	unsigned tag = CLUSTER_TAG;
	uint32_t size = 0;

	if (slot_kind(slot) == SLOT_OBJECT)
		size = zs_obj_size(fs->pool, slot_handle(slot), &tag);
	return tag == CLUSTER_TAG ? 0 : size;
}

/* As slot_size(). */
enum slot_form slot_form(struct zsfs *fs, uint64_t slot);
const char *slot_form_name(enum slot_form form);

/* A block of a file, and its slot. */
struct slot_of {
	const struct zinode *inode;
	uint64_t block;
	uint64_t slot;
};

/*
 * What a block has mixed (xor) into the checksum of its content: that of no
 * other block that there ever was, as far as 32 bits can tell.
 */
static inline uint32_t slot_mark(const struct zinode *i, uint64_t block)
{
	uint64_t file = i->gen * UINT64_C(0xd6e8feb86659fd93);

	return (uint32_t)((file ^ block) * UINT64_C(0x9e3779b97f4a7c15) >> 32);
}

/* That of the cluster which the group of @block may have. */
static inline uint32_t slot_group_mark(const struct zinode *i, uint64_t block)
{
	return slot_mark(i, block - block % CLUSTER_BLOCKS);
}

/*
 * The cluster that the block of @of is in. NULL: it is in none, or its slot is
 * damaged. The inode is locked.
 */
struct cluster *slot_own_cluster(const struct zsfs *fs, struct slot_of of);

/*
 * Put the content of @of, 4096 bytes, into @dst. For request threads and
 * helpers alike; the lock of the inode is held. 0; -EIO when the content does
 * not verify, or is another block's; -ENOMEM.
 */
int slot_read(struct zsfs *fs, struct arena_thread *at, struct zcomp_ctx *zc,
	      struct slot_of of, void *dst);

/*
 * The slot for a block that is being stored, which is counted: one word,
 * repeated; an object of @size payload bytes.
 */
static inline uint64_t slot_store_same(struct tx *tx, uint64_t word)
{
	tx_stat(tx, ST_SAME, 1);
	return slot_same(word);
}

static inline uint64_t slot_store_object(struct tx *tx, uint32_t handle,
					 uint32_t size)
{
	tx->stored += size;
	return slot_object(handle, slot_stamp_now());
}

/* Room for a block more, or less. */
static inline void slot_count_room(struct tx *tx, int64_t n)
{
	tx_stat(tx, ST_ROOM, n);
	tx->stored += n * (int64_t)ZSFS_BLOCK_SIZE;
}

/* A damaged slot may name no object: then there is nothing to free. */
static inline void slot_free_object(struct tx *tx, uint64_t slot)
{
	uint32_t size = slot_size(tx->fs, slot);

	tx->stored -= size;
	tx_stat(tx, ST_TRIED, -(int64_t)slot_is_tried(slot));
	tx_stat(tx, ST_HOT, -(int64_t)slot_is_hot(slot));
	tx_stat(tx, ST_SPARED, slot_is_hot(slot));
	if (size)
		tx_free(tx, REF_MAKE(REF_OBJ, slot_handle(slot)));
}

/* What is not the block's stays, and is lost if nobody else names it. */
static inline void slot_free_dense(struct tx *tx, struct slot_of of)
{
	struct cluster *cl = slot_own_cluster(tx->fs, of);

	tx_stat(tx, ST_DENSE, -1);
	if (cl)
		cluster_leave(tx, cl, slot_place(of.slot));
}

/* Free what the slot of @of, not a hole, holds when @tx commits; count that. */
static inline void slot_free(struct tx *tx, struct slot_of of)
{
	enum slot_kind kind = slot_kind(of.slot);

	assert(of.slot);
	if (slot_has_room(of.slot)) {
		slot_count_room(tx, -1);
		return;
	}
	tx_stat(tx, ST_FREED, 1);
	if (kind == SLOT_OBJECT)
		slot_free_object(tx, of.slot);
	else if (kind == SLOT_DENSE)
		slot_free_dense(tx, of);
	else if (kind != SLOT_UNKNOWN)
		tx_stat(tx, ST_SAME, -1);
}

#endif
