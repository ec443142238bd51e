/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Cluster: up to 16 neighbouring blocks of a file in one compressed frame,
 * which is the dense form of what has settled (settle.h).
 *
 * The blocks of a file stand in groups of 16. A group has at most one cluster,
 * with those of its blocks that were compressed together; a block's place is
 * its number in the group. The frame is cut into pieces, objects of the pool:
 * all have 4096 bytes but the last. A descriptor from a slab names them, and
 * the slots of the blocks name the descriptor (slot.h).
 *
 * A block leaves when its slot is given something else; the frame stays as it
 * is. Who takes the last block out frees pieces and descriptor in the same
 * transaction. Everything here is protected by the lock of the inode.
 */
#ifndef FS_CLUSTER_H
#define FS_CLUSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "zcomp.h"

struct arena_thread;
struct tx;
struct zsfs;

#define CLUSTER_BLOCKS ZCOMP_CLUSTER_BLOCKS
/* It saves an eighth at least of what its blocks took as they are. */
#define CLUSTER_MAX_LEN	   (ZCOMP_CLUSTER_SIZE / 8 * 7)
#define CLUSTER_PIECE_SIZE 4096u
#define CLUSTER_MAX_PIECES (CLUSTER_MAX_LEN / CLUSTER_PIECE_SIZE)
/* Refs that go with the last block: pieces and descriptor. */
#define CLUSTER_FREES (CLUSTER_MAX_PIECES + 1)
/* Tag of a piece in the pool, beside the numbers of algorithms. */
#define CLUSTER_TAG 7u

_Static_assert(CLUSTER_TAG >= ZCOMP_NR_ALGS, "is no algorithm's");

/* The descriptor. What it says of the frame never changes. */
struct cluster {
	uint64_t sum;	  /* of content, places, whose it is, and frame */
	uint16_t made;	  /* bits: places whose blocks are in the frame */
	uint16_t live;	  /* of them, those that slots still name */
	uint16_t len;	  /* bytes of the frame */
	uint16_t mark;	  /* whose it is: cluster_is_of() */
	uint32_t piece[]; /* handles */
};

_Static_assert(CLUSTER_MAX_LEN <= UINT16_MAX, "a length fits");

static inline unsigned cluster_pieces(uint32_t len)
{
	return (len + CLUSTER_PIECE_SIZE - 1) / CLUSTER_PIECE_SIZE;
}

/* Bytes of piece number @k. */
static inline uint32_t cluster_piece_size(uint32_t len, unsigned k)
{
	uint32_t left = len - k * CLUSTER_PIECE_SIZE;

	return left < CLUSTER_PIECE_SIZE ? left : CLUSTER_PIECE_SIZE;
}

/* The word that piece number @k has in the pool. */
static inline uint32_t cluster_piece_word(uint64_t sum, unsigned k)
{
	return (uint32_t)sum + k;
}

/* Bytes of a descriptor of a frame of @len bytes. */
static inline size_t cluster_size(uint32_t len)
{
	return sizeof(struct cluster) + cluster_pieces(len) * sizeof(uint32_t);
}

/* Bytes of the plain content of the frame. */
static inline uint32_t cluster_plain(const struct cluster *cl)
{
	return (uint32_t)__builtin_popcount(cl->made) * ZCOMP_BLOCK_SIZE;
}

/* Does less than half of it live? */
static inline bool cluster_is_thin(const struct cluster *cl)
{
	return __builtin_popcount(cl->live) * 2 < __builtin_popcount(cl->made);
}

/*
 * Is @cl, which a slot names that may be damaged, the cluster of the group with
 * the slot_group_mark() @mark? As far as 16 bits can tell.
 */
bool cluster_is_of(const struct zsfs *fs, const struct cluster *cl,
		   uint32_t mark);

/* Number of the pieces that take a page each, as raw blocks do. */
unsigned cluster_huge_pieces(const struct zsfs *fs, uint32_t len);

/* RAM in bytes that they all take in the pool. */
uint32_t cluster_pieces_cost(const struct zsfs *fs, uint32_t len);

/* RAM in bytes that a cluster with a frame of @len bytes takes. */
uint32_t cluster_cost(const struct zsfs *fs, uint32_t len);

/*
 * Put the block at @place, 4096 bytes, into @dst. For request threads and
 * helpers alike: @zc keeps the decompressed cluster, so that its other blocks
 * are a copy. @mark: slot_group_mark(). The inode is locked. 0; -EIO when the
 * cluster does not verify, or is another group's; -ENOMEM.
 */
int cluster_read(struct zsfs *fs, struct arena_thread *at, struct zcomp_ctx *zc,
		 const struct cluster *cl, unsigned place, uint32_t mark,
		 void *dst);

/*
 * A new cluster of the blocks at @made, whose content is @plain, one after
 * another, from @len bytes of a frame, in @tx, which counts it; @mark as for
 * cluster_read(). Slots that name it are the caller's. 0, -ENOSPC, -ENOMEM.
 */
int cluster_store(struct tx *tx, uint32_t mark, uint16_t made,
		  const uint8_t *plain, const uint8_t *frame, uint32_t len,
		  struct cluster **out);

/*
 * The slot of the block at @place, which lives, names @cl no longer, from the
 * commit on; with the last one @cl is freed. tx.thinned tells when less than
 * half is left.
 */
void cluster_leave(struct tx *tx, struct cluster *cl, unsigned place);

#endif
