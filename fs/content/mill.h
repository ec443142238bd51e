/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Mill: threads that compress groups of blocks (dense.h), as many as there are
 * CPUs, or as the system allows.
 *
 * One thread, the owner, reads groups, gives them away, and stores what comes
 * back. The mill's threads touch nothing that is shared but the jobs they were
 * given, so no lock of the file system ever waits for them, and their death
 * loses nothing.
 */
#ifndef FS_MILL_H
#define FS_MILL_H

#include <stdbool.h>
#include <stdint.h>

#include "settling.h"

/* Jobs of a mill at most. */
#define MILL_MOST_JOBS SETTLING_MOST

struct mill;
struct zsfs;

/* Of the owner, except while it is given away; then of the mill. */
struct mill_job {
	struct group g;	 /* read; the turn stays the owner's */
	uint32_t before; /* bytes of RAM that it takes */
	int level;	 /* of zstd */
	unsigned tries;	 /* the owner's */
	int len;	 /* of the frame, or what dense_compress() said */
	uint8_t *frame;	 /* ZCOMP_CLUSTER_SIZE bytes, as g.plain */
};

/*
 * Threads without the memory that they need for their work. @idle: they have
 * little more than CPU time that nobody else wants; else they have the priority
 * of the caller. 0 or -errno. The caller owns *out.
 */
int mill_create(struct zsfs *fs, bool idle, struct mill **out);
/* NULL does nothing. Waits for what is being compressed. */
void mill_destroy(struct mill *m);

/*
 * By the owner, before the first job and after the last one: the memory is
 * taken, 0 or -ENOMEM, and given back. The threads stay: those of a confined
 * worker do not end before it (base/sandbox_notes.h).
 */
int mill_begin(struct mill *m);
void mill_end(struct mill *m);

/* A job for the owner to fill; NULL: all are given away or done. */
struct mill_job *mill_free_job(struct mill *m);
void mill_give(struct mill *m, struct mill_job *j);

/*
 * A job that is done, which the owner frees in the end. NULL: there is none;
 * with @wait, not within a moment either, and zsfs_wake() follows when one is.
 */
struct mill_job *mill_take(struct mill *m, bool wait);
void mill_free(struct mill *m, struct mill_job *j);

/* Is nothing given away, or done and not taken? */
bool mill_is_empty(struct mill *m);

/* The groups of all jobs; inode is NULL where the owner has no use for it. */
unsigned mill_groups(struct mill *m, struct group *groups[MILL_MOST_JOBS]);

#endif
