/* SPDX-License-Identifier: BSD-3-Clause */
/* Ranks of the file system's locks (lock_rank.h), outermost first. */
#ifndef FS_RANKS_H
#define FS_RANKS_H

#include "lock_rank.h"

enum {
	RANK_WORK = 1, /* what control files start; goes on over pauses */
	RANK_GATE,     /* by thread */
	RANK_VERIFY,
	RANK_CHECK,
	RANK_RENAME,
	RANK_INODE, /* by stripe */
	RANK_COUNT, /* by stripe */
	RANK_LISTS, /* of what is to be reaped, 0, and of snapshots, 1 */
	RANK_LIMIT,
	RANK_HOT,
	RANK_CREW,
};

_Static_assert((int)RANK_CREW < (int)RANK_POOL,
	       "held while the pool is called");

#endif
