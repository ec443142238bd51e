/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reader counts: what the request threads did to be near their clients, since
 * this process began (serve/readers.h). All words are atomic.
 */
#ifndef FS_READER_COUNTS_H
#define FS_READER_COUNTS_H

#include <stdbool.h>
#include <stdint.h>

/* X(NAME, name in stats.json): why all threads came to read. */
#define READERS_WHY(X)                                                         \
	X(LONG, "long")	      /* a request that may take long */               \
	X(SEVERAL, "several") /* clients ask in turns */                       \
	X(CROWDED, "crowded") /* requests waited most of the time */           \
	X(STARVED, "starved") /* one waited, and none was answered */          \
	X(UNKNOWN, "unknown") /* clients are not visible */                    \
	X(BUSY, "busy")	      /* threads of our own keep the CPUs */

#define READERS_NAME(name, json) READERS_##name,
enum readers_why { READERS_WHY(READERS_NAME) READERS_NR_WHY };
#undef READERS_NAME

struct reader_counts {
	uint64_t following; /* 0: always all threads read */
	uint64_t one;	    /* 1: one reads now */
	uint64_t looks;	    /* where the client of a request runs */
	uint64_t near;	    /* of them: on the leader's CPU */
	uint64_t moves;	    /* of the leader, to its client */
	uint64_t why[READERS_NR_WHY];
	uint64_t
		put_aside; /* requests that others overtook (serve/receive.h) */
	/* No count: threads of the process keep all CPUs (content/mill.h). */
	uint64_t busy;
};

static inline void reader_count(uint64_t *n)
{
	__atomic_add_fetch(n, 1, __ATOMIC_RELAXED);
}

#endif
