/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reader counts: what the request threads did to be near their clients, since
 * this process began (serve/readers.h). All words are atomic.
 */
#ifndef FS_READER_COUNTS_H
#define FS_READER_COUNTS_H

#include <stdbool.h>
#include <stdint.h>

/* X(field, name in stats.json) */
#define READER_COUNTS(X)                                                       \
	X(looks, "looks")	    /* where the client of a request runs */   \
	X(near, "on_client_cpu")    /* of them: on the leader's CPU */         \
	X(moves, "moves")	    /* of the leader, to its client */         \
	X(hand_overs, "hand_overs") /* of the lead */                          \
	X(crowded, "crowded")	    /* changes to ALL: requests waited */      \
	X(starved, "starved")	    /* changes to ALL: nothing was answered */ \
	X(unknown, "unknown") /* changes to ALL: clients are not visible */

struct reader_counts {
	uint64_t following; /* 0: always all threads read */
	uint64_t one;	    /* 1: one reads now */
#define FIELD(field, name) uint64_t field;
	READER_COUNTS(FIELD)
#undef FIELD
};

static inline void reader_count(uint64_t *n)
{
	__atomic_add_fetch(n, 1, __ATOMIC_RELAXED);
}

#endif
