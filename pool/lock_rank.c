/* SPDX-License-Identifier: BSD-3-Clause */
/* What each thread holds (see lock_rank.h). */
#include "lock_rank.h"

#if ZS_DEBUG_LEVEL >= 2

#include <stdio.h>
#include <stdlib.h>

/* All readers or classes at once, and what lies around them. */
#define MAX_HELD 1024u

struct held {
	const char *name;
	unsigned rank, nr;
};

static _Thread_local struct held held[MAX_HELD];
static _Thread_local unsigned nr_held;

static void say_held(void)
{
	for (unsigned i = 0; i < nr_held; i++)
		fprintf(stderr, "  holds %s %u\n", held[i].name, held[i].nr);
}

static _Noreturn void complain(const char *name, unsigned nr, const char *what)
{
	fprintf(stderr, "lock order: %s %u %s\n", name, nr, what);
	say_held();
	abort();
}

static void must_be_above(unsigned rank, const char *name, unsigned nr)
{
	for (unsigned i = 0; i < nr_held; i++) {
		const struct held *h = &held[i];

		if (h->rank > rank || (h->rank == rank && h->nr >= nr))
			complain(name, nr, "is wanted");
	}
}

void lock_rank_wait(unsigned rank, const char *name, unsigned nr)
{
	if (rank == RANK_NONE)
		return;
	must_be_above(rank, name, nr);
	lock_rank_hold(rank, name, nr);
}

void lock_rank_hold(unsigned rank, const char *name, unsigned nr)
{
	if (rank == RANK_NONE)
		return;
	if (nr_held == MAX_HELD)
		complain(name, nr, "is one too many");
	held[nr_held++] = (struct held){name, rank, nr};
}

void lock_rank_leave(unsigned rank, const char *name, unsigned nr)
{
	for (unsigned i = nr_held; i-- > 0;) {
		if (held[i].rank != rank || held[i].nr != nr)
			continue;
		held[i] = held[--nr_held];
		return;
	}
	if (rank != RANK_NONE)
		complain(name, nr, "is left, and was not held");
}

#endif
