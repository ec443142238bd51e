/* SPDX-License-Identifier: BSD-3-Clause */
/* The handle window, as the pool asks for more of it and resets it. */
#include "arena_i.h"

#include <errno.h>

int arena_grow_handles(struct arena *a, struct arena_thread *t)
{
	struct arena_header *h = a->hdr;
	int err = -ENOSPC;

	if (zs_should_fail())
		return -ENOSPC;
	ranked_lock(&a->grow_lock, RANK_GROW, 0);
	if (h->window_high < arena_place.handles_end &&
	    arena_make_room(a, t, h->step))
		err = arena_grow_window(a, t, INTENT_WINDOW_HIGH);
	ranked_unlock(&a->grow_lock, RANK_GROW, 0);
	return err;
}

void arena_reset_handles(struct arena *a, struct arena_thread *t)
{
	ranked_lock(&a->grow_lock, RANK_GROW, 0);
	arena_set_intent(a, INTENT_MAKE(INTENT_WINDOW_RESET, 0, 0, 0));
	arena_drop_handles(a, t);
	ranked_unlock(&a->grow_lock, RANK_GROW, 0);
}
