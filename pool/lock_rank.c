/* SPDX-License-Identifier: BSD-3-Clause */
/* What each thread holds (see lock_rank.h). */
#include "lock_rank.h"

#if ZS_DEBUG_LEVEL >= 2

#include <stdio.h>
#include <stdlib.h>

/* All readers or classes at once, and what lies around them. */
#define MAX_HELD 1024u

struct held {
	unsigned rank, nr;
};

static _Thread_local struct held held[MAX_HELD];
static _Thread_local unsigned nr_held;

static void say_held(void)
{
	for (unsigned i = 0; i < nr_held; i++)
		fprintf(stderr, "  holds rank %u number %u\n", held[i].rank,
			held[i].nr);
}

static void must_be_above(unsigned rank, unsigned nr)
{
	for (unsigned i = 0; i < nr_held; i++) {
		const struct held *h = &held[i];

		if (h->rank < rank || (h->rank == rank && h->nr < nr))
			continue;
		fprintf(stderr, "lock order: rank %u number %u is wanted\n",
			rank, nr);
		say_held();
		abort();
	}
}

void lock_rank_take(unsigned rank, unsigned nr)
{
	if (rank == RANK_NONE)
		return;
	must_be_above(rank, nr);
	if (nr_held == MAX_HELD)
		abort();
	held[nr_held++] = (struct held){rank, nr};
}

void lock_rank_drop(unsigned rank, unsigned nr)
{
	for (unsigned i = nr_held; i-- > 0;) {
		if (held[i].rank != rank || held[i].nr != nr)
			continue;
		held[i] = held[--nr_held];
		return;
	}
}

#endif
