/* SPDX-License-Identifier: BSD-3-Clause */
/* Room for content that comes later: fallocate(2). */
#ifndef FS_ALLOCATE_H
#define FS_ALLOCATE_H

#include <stdint.h>

struct tx;
struct zsfs;
struct zsfs_thread;

/* A range of a file that is given room; the caller sets the first three. */
struct allocation {
	uint64_t nodeid;
	uint64_t start; /* bytes, @end not included */
	uint64_t end;	/* above @start, at most INT64_MAX */
	uint64_t done;	/* blocks that were seen to; 0 to begin with */
};

/*
 * Is there room for all of it, as statfs tells? 0, -ESTALE, -EISDIR, -EINVAL;
 * -ENOSPC: and what another worker, which died of it, has taken behind the end
 * of the file is given back. With no transaction open.
 */
int zsfs_allocate_begin(struct zsfs_thread *th, const struct allocation *a);

/*
 * Do up to ZSFS_MAX_BLOCKS blocks. 1: there is more to do. 0: that was the last
 * step, with which the file grows. -ENOSPC: none of these has room.
 */
int zsfs_allocate_step(struct tx *tx, struct allocation *a);

/*
 * Up to @steps of them, with no transaction open; for room it waits as room.h
 * says. 1: there is more to do. 0: the last one was done in *@last, which is
 * open. -errno: what was taken behind the end of the file is given back, what
 * filled holes before it stays.
 */
int zsfs_allocate_steps(struct zsfs_thread *th, struct allocation *a,
			unsigned steps, struct tx **last);

#endif
