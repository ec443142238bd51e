/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pressing: overwriting what has settled when memory is at its limit.
 *
 * Blocks of their own take more than they did in a cluster, so that to write
 * what compresses no worse would be ENOSPC. Then the cluster is made anew with
 * them, where it takes no more than before, or a little: the reserve lends the
 * memory, and half of it may be kept.
 */
#ifndef FS_PRESS_H
#define FS_PRESS_H

#include <stdint.h>

#include "staged.h"

struct tx;
struct zinode;

/*
 * Put as many of the @n staged blocks as stand in the group of block @block in
 * the place of what it and those behind it hold. The block at @block is not a
 * hole. The inode is locked exclusive and saved (inode_save()). The number of
 * blocks put; 0: it would take too much more than before, or there is no
 * memory.
 */
unsigned press_blocks(struct tx *tx, struct zinode *i, uint64_t block,
		      const struct staged_block *b, unsigned n);

#endif
