/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Settling one group of blocks (group.h): what the pass over all files
 * (settle.h) and the settler (settler.h) consist of.
 */
#ifndef FS_SETTLING_H
#define FS_SETTLING_H

#include <stdbool.h>
#include <stdint.h>

#include "group.h"

struct tx;
struct zsfs;
struct zsfs_thread;

/* Groups that are under way at once, at most. */
#define SETTLING_MOST 16u

struct settling {
	struct zsfs *fs;
	struct zsfs_thread *th; /* no transaction is open on it */
	int level;		/* of zstd */
	unsigned age;		/* stored so long ago at least, slot_stamp()s */
	bool young;		/* find met a group that is younger */
	uint64_t saved;		/* bytes of RAM */
	uint64_t pages;		/* taken since the pool was packed */
	/* Groups that may have been read, too, and are to be put later. */
	struct group *others[SETTLING_MOST];
	unsigned nr_others;
};

/*
 * group_lock() of who settles: what it does while it has the lock is no change
 * to what the others have read.
 */
bool settling_lock(struct settling *p, struct tx *tx, struct group *g);

/*
 * Find the first group from g->first on that wants settling and is old enough.
 * 0: there it is; 1: look on from there; -ENOENT: there is none.
 */
int settling_find(struct settling *p, struct group *g);

/*
 * Read the group; *before: bytes of RAM that it takes. -ENOENT: it does not
 * want settling any more; -EIO, -ENOMEM.
 */
int settling_read(struct settling *p, struct group *g, uint32_t *before);

/* RAM in bytes that what takes @before must not exceed to be worth it. */
static inline uint32_t settling_most(uint32_t before)
{
	return before - before / 8;
}

/*
 * Put @len bytes of @frame in the place of what was read, which took @before
 * bytes of RAM; @len -ENOSPC: mark the blocks as tried. -EAGAIN: others have
 * changed something meanwhile; -ENOSPC: there is no room for it beside what it
 * replaces; -ENOMEM; -EIO: it does not fit a transaction; any other @len below
 * 0.
 */
int settling_put(struct settling *p, struct group *g, const uint8_t *frame,
		 int len, uint32_t before);

/*
 * Pack the pool until as many pages are free again as clusters have taken; with
 * @enough, only when those are some.
 */
void settling_pack(struct settling *p, bool enough);

#endif
