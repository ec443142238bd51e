/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Group: 16 neighbouring blocks of a file (cluster.h), while they are read to
 * be stored in another form.
 *
 * What takes long is done without a lock: the group is read under the inode's
 * lock, and what was made of it takes the place of the blocks only if nothing
 * that the lock protects has changed meanwhile (tx_turn()).
 */
#ifndef FS_GROUP_H
#define FS_GROUP_H

#include <stdbool.h>
#include <stdint.h>

#include "slot.h"

struct tx;
struct zinode;

/* Groups of a file that a walk looks at under one lock. */
#define LOOK_GROUPS 64u

struct group {
	struct zinode *inode; /* may end at any time */
	uint64_t gen;	      /* its number; 0: whichever is there */
	uint64_t first;	      /* block, a multiple of CLUSTER_BLOCKS */
	uint64_t turn;	      /* tx_turn() when it was read */
	uint64_t slot[CLUSTER_BLOCKS];
	uint16_t places; /* bits: which of the blocks were read */
	unsigned n;	 /* how many */
	uint8_t *plain;	 /* the caller's, their content one after another */
};

/* The block at @place, as group_look() saw it. */
static inline struct slot_of group_slot(const struct group *g, unsigned place)
{
	return (struct slot_of){g->inode, g->first + place, g->slot[place]};
}

/*
 * Lock the inode exclusive in @tx. False: it is no file any more, or another
 * one. Sets gen when it is 0.
 */
bool group_lock(struct tx *tx, struct group *g);

/* The same, shared, for who changes nothing. */
bool group_lock_shared(struct tx *tx, struct group *g);

/* See what the slots are. The inode is locked. */
void group_look(struct group *g);

/*
 * The same of the first group from block g->first on that holds something.
 * False: there is none.
 */
bool group_next(struct group *g);

/*
 * Read the blocks at @places. The inode is locked, shared or not. 0; -EIO when
 * one does not verify; -ENOMEM.
 */
int group_read(struct tx *tx, struct group *g, uint16_t places);

/* group_lock(), but false also when something may have changed. */
bool group_lock_again(struct tx *tx, struct group *g);

/* Give the block at @place, which is not a hole, another slot. */
void group_set(struct tx *tx, struct group *g, unsigned place, uint64_t slot);

#endif
