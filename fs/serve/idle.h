/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Idle: once nothing has been written or freed for two seconds, the pool is
 * packed, and what is free goes back to the system.
 *
 * While a mount is busy the arena keeps free memory at hand (arena_shrink()),
 * as the next write would have to ask for it again, and a request that finds no
 * room packs as much as it needs (room.h). Nobody looks at a mount where
 * nothing was freed.
 */
#ifndef FS_IDLE_H
#define FS_IDLE_H

#include <stdint.h>

struct zsfs;

/* Of the background thread; all zero at first. */
struct idle {
	uint64_t since;	 /* clock_ms() when it was busy last */
	uint64_t seen;	 /* blocks written and freed by then */
	uint64_t packed; /* pages that this run of packing has freed */
};

/*
 * The background thread, outside of its gate: one step of packing or giving
 * back, if it is time to. What a step of a job returns (job_loop.h): JOB_DONE
 * when nothing is to be won until something is freed.
 */
unsigned idle_look(struct zsfs *fs, struct idle *i);

#endif
