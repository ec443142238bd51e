/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Idle: what was freed goes back to the system once nothing has been written or
 * freed for two seconds.
 *
 * While a mount is busy the arena keeps free memory at hand (arena_shrink()),
 * as the next write would have to ask for it again. Nobody looks at a mount
 * where nothing was freed.
 */
#ifndef FS_IDLE_H
#define FS_IDLE_H

#include <stdint.h>

struct zsfs;

/* Of the background thread; all zero at first. */
struct idle {
	uint64_t since; /* clock_ms() when it was busy last */
	uint64_t seen;	/* blocks written and freed by then */
};

/*
 * The background thread, outside of its gate: give back what is free if it is
 * time to. After how many milliseconds to look again, 0 = when something is
 * freed.
 */
unsigned idle_look(struct zsfs *fs, struct idle *i);

#endif
