/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pace: background work beside many requests goes on in bursts, with rests.
 *
 * A client's request is answered soonest by a thread on its own CPU, and that
 * cannot be had while threads of our own keep the CPUs (serve/readers.h). So
 * work that has time rests while a client makes many requests, for most of the
 * time but not for all of it: a client may go on for hours.
 */
#ifndef FS_PACE_H
#define FS_PACE_H

#include <stdbool.h>
#include <stdint.h>

/* All zero before the work begins. Times are clock_ms(). */
struct pace {
	uint64_t since;	   /* the burst, or the rest, began; 0: not yet */
	uint64_t looked;   /* the last look at requests */
	uint64_t requests; /* begun by then */
	bool resting;
};

/*
 * Look at @now, with @requests begun so far, whether to rest. Milliseconds
 * until the next look, in which nothing is to be done; 0: go on.
 */
unsigned pace_rest(struct pace *p, uint64_t now, uint64_t requests);

#endif
