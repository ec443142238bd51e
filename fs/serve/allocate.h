/* SPDX-License-Identifier: BSD-3-Clause */
/* Room for content that comes later, and holes: fallocate(2). */
#ifndef FS_ALLOCATE_H
#define FS_ALLOCATE_H

#include <stdbool.h>
#include <stdint.h>

struct tx;
struct zsfs;
struct zsfs_thread;

/* A range of a file; the caller sets all but @done. */
struct allocation {
	uint64_t nodeid;
	uint64_t start; /* bytes, @end not included */
	uint64_t end;	/* above @start, at most INT64_MAX */
	bool punch;	/* it becomes a hole; else it is given room */
	uint64_t done;	/* of it so far: blocks, or of a hole bytes; first 0 */
};

/*
 * Is there room for all of it, which is no hole, as statfs tells? 0, -ESTALE,
 * -EISDIR, -EINVAL; -ENOSPC: and what another worker, which died of it, has
 * taken behind the end of the file is given back. With no transaction open.
 */
int zsfs_allocate_begin(struct zsfs_thread *th, const struct allocation *a);

/*
 * Do one step: of a hole what file_punch() does, else up to ZSFS_MAX_BLOCKS
 * blocks. 1: there is more to do. 0: that was the last step, with which the
 * file grows and has new times. -ENOSPC: none of these blocks has room; or
 * -errno.
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
