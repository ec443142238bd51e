/* SPDX-License-Identifier: BSD-3-Clause */
/* Bytes that are promised, and taken later (see arena.h). */
#include "arena_i.h"

#include <errno.h>

int arena_promise(struct arena *a, uint64_t bytes)
{
	uint64_t available;

	if (zs_should_fail())
		return -ENOSPC;
	ranked_lock(&a->run_lock, RANK_RUN, 0);
	available = arena_available_locked(a);
	if (bytes <= available)
		a->promised += bytes;
	ranked_unlock(&a->run_lock, RANK_RUN, 0);
	return bytes <= available ? 0 : -ENOSPC;
}

void arena_add_promised(struct arena *a, int64_t bytes)
{
	ranked_lock(&a->run_lock, RANK_RUN, 0);
	assert((int64_t)a->promised + bytes >= 0);
	a->promised += (uint64_t)bytes;
	ranked_unlock(&a->run_lock, RANK_RUN, 0);
}

void arena_set_promised(struct arena *a, uint64_t bytes)
{
	ranked_lock(&a->run_lock, RANK_RUN, 0);
	a->promised = bytes;
	ranked_unlock(&a->run_lock, RANK_RUN, 0);
}

void arena_redeem(struct arena_thread *t, uint64_t bytes)
{
	assert(t->claim == ARENA_RESERVE && !t->redeem);
	t->redeem = bytes;
}

void arena_redeem_locked(struct arena *a, struct arena_thread *t,
			 uint64_t bytes)
{
	if (bytes > t->redeem)
		bytes = t->redeem;
	assert(a->promised >= bytes);
	a->promised -= bytes;
	t->redeem -= bytes;
}

void arena_redeem_end(struct arena *a, struct arena_thread *t)
{
	ranked_lock(&a->run_lock, RANK_RUN, 0);
	arena_redeem_locked(a, t, t->redeem);
	ranked_unlock(&a->run_lock, RANK_RUN, 0);
}
