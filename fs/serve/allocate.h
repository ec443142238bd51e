/* SPDX-License-Identifier: BSD-3-Clause */
/* Room for content that comes later, and holes: fallocate(2). */
#ifndef FS_ALLOCATE_H
#define FS_ALLOCATE_H

#include <stdbool.h>
#include <stdint.h>

struct tx;
struct zsfs_thread;

/* A range of a file; the caller sets all but @done and @searched. */
struct allocation {
	uint64_t nodeid;
	uint64_t start; /* bytes, @end not included */
	uint64_t end;	/* above @start, at most INT64_MAX */
	uint64_t owner; /* whose room it is (slot.h): request_number() */
	bool punch;	/* it becomes a hole */
	bool room;	/* it is given room, after that */
	bool keep_size; /* the file does not grow with it */
	uint64_t done;	/* bytes of it, by what is at work; 0 to begin with */
	uint64_t searched; /* msecs for room, for the step; 0 to begin with */
};

/*
 * Is there room for all of it that is a hole, as statfs tells, if it is to have
 * room? 0, -ESTALE, -EISDIR, -EINVAL; -ENOSPC: and what another worker, which
 * died of it, has taken for it is given back. With no transaction open.
 */
int zsfs_allocate_begin(struct zsfs_thread *th, const struct allocation *a);

/*
 * Do one step: what file_punch() or file_give_room() does. 1: there is more to
 * do. 0: that was the last step, with which the file grows and has new times.
 * -ENOSPC: there is no room for these blocks; or -errno.
 */
int zsfs_allocate_step(struct tx *tx, struct allocation *a);

/*
 * Up to @steps of them, with no transaction open; for room it waits as room.h
 * says, some milliseconds for each. 1: there is more to do. 0: the last one
 * was done in *@last, which is open. -errno: all that it took is given back; a
 * hole that it made stays.
 */
int zsfs_allocate_steps(struct zsfs_thread *th, struct allocation *a,
			unsigned steps, struct tx **last);

#endif
