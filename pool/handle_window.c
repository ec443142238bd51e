/* SPDX-License-Identifier: BSD-3-Clause */
/* The handle window, as the pool asks for more of it and gives it back. */
#include "arena_i.h"

#include <errno.h>

/* None of what was promised to others may go for it. */
static bool may_grow(struct arena *a, const struct arena_thread *t)
{
	bool may;

	ranked_lock(&a->run_lock, RANK_RUN, 0);
	may = arena_within_bound_locked(a, t, a->hdr->step);
	ranked_unlock(&a->run_lock, RANK_RUN, 0);
	return may;
}

int arena_grow_handles(struct arena *a, struct arena_thread *t)
{
	struct arena_header *h = a->hdr;
	int err = -ENOSPC;

	if (zs_should_fail())
		return -ENOSPC;
	ranked_lock(&a->grow_lock, RANK_GROW, 0);
	if (h->window_high < arena_place.handles_end && may_grow(a, t) &&
	    arena_make_room(a, t, h->step))
		err = arena_grow_window(a, t, INTENT_WINDOW_HIGH);
	ranked_unlock(&a->grow_lock, RANK_GROW, 0);
	return err;
}

void arena_trim_handles(struct arena *a, struct arena_thread *t, uint64_t cells)
{
	uint64_t steps = arena_handle_steps(a, cells);

	ranked_lock(&a->grow_lock, RANK_GROW, 0);
	if (steps < arena_handle_steps(a, arena_handles_backed(a))) {
		arena_set_intent(a,
				 INTENT_MAKE(INTENT_TRIM_HANDLES, steps, 0, 0));
		arena_drop_handles(a, t, steps);
	}
	ranked_unlock(&a->grow_lock, RANK_GROW, 0);
}

bool arena_can_trim_handles(struct arena *a, uint64_t cells)
{
	return arena_handle_steps(a, cells) <
	       arena_handle_steps(a, arena_handles_backed(a));
}
