/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Settling: blocks that stay as they are take less RAM.
 *
 * Each group of 16 blocks of a file becomes a cluster (cluster.h): those of
 * them that are objects, and what is left of a cluster before. What has only
 * one such block is compressed anew by itself. Holes, same-filled blocks and
 * room stay in their slots. What would not save an eighth stays, too, and is
 * marked as tried, so that it is looked at again only when a block of the group
 * was written.
 *
 * It is done group by group, each in a transaction of its own, and compressed
 * without a lock; so it can end anywhere. What replaces takes memory before
 * what was there is freed: that is one group at a time, and where objects that
 * go leave gaps the pool is packed as it goes on.
 */
#ifndef FS_SETTLE_H
#define FS_SETTLE_H

#include <stdbool.h>
#include <stdint.h>

struct zsfs;
struct zsfs_thread;

/*
 * Settle all that can be: where there is a settler (zsfs.settler), it does so,
 * and @th, which leaves its gate, waits for it; see settler.h. Else @th does it
 * by itself. @th has no transaction open, and nothing is locked. A
 * block that does not verify, or that others keep writing to, is left out, and
 * all the rest when memory is so full that there is no room for a cluster
 * beside what it replaces. 0; -ENOMEM when the system has no memory; -EINTR
 * when zsfs_is_interrupted(); -EBUSY while that rests (state/chore.h).
 */
int zsfs_settle(struct zsfs_thread *th);

/*
 * Where blocks settle by themselves, the same until @bytes of RAM are saved or
 * clock_ms() is @until, for a request that found no room at @since. The next
 * call goes on where this one ended. True: something was saved, not all has
 * been looked at since then, or another thread is at it.
 */
bool zsfs_settle_for(struct zsfs_thread *th, uint64_t bytes, uint64_t since,
		     uint64_t until);

/* Is there anything that zsfs_settle_for() might save? */
bool zsfs_can_settle(struct zsfs *fs);

struct settle_progress {
	uint64_t done;	/* blocks in clusters, or settled as they are */
	uint64_t to_do; /* blocks that were not looked at since written */
	uint64_t saved; /* bytes of RAM, so far */
};

void settle_get_progress(struct zsfs *fs, struct settle_progress *out);

#endif
