/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The two windows: segment descriptors, growing downwards from one place, and
 * handle cells, growing upwards from it. They grow in steps of
 * arena_header.step and only the handle window ever shrinks, as a whole.
 */
#include "arena_i.h"

static uint64_t handles_in(const struct arena *a)
{
	return (a->hdr->window_high - arena_place.window) / sizeof(uint64_t);
}

static void window_grown(struct arena *a, struct arena_thread *t,
			 enum arena_intent op)
{
	struct arena_header *h = a->hdr;
	struct undo_log *u;

	ranked_lock(&a->run_lock, RANK_RUN, 0);
	u = undo_begin(t);
	if (op == INTENT_WINDOW_LOW) {
		undo_set(u, &h->window_low, h->window_low - h->step);
	} else {
		undo_set(u, &h->window_high, h->window_high + h->step);
		undo_save(u, &h->handles_backed);
		__atomic_store_n(&h->handles_backed, handles_in(a),
				 __ATOMIC_RELEASE);
	}
	undo_set(u, &h->used, h->used + h->step);
	if (h->used > h->used_max)
		undo_set(u, &h->used_max, h->used);
	undo_set(u, &h->intent, 0);
	undo_commit(u);
	ranked_unlock(&a->run_lock, RANK_RUN, 0);
}

int arena_grow_window(struct arena *a, struct arena_thread *t,
		      enum arena_intent op)
{
	struct arena_header *h = a->hdr;
	uint64_t off = op == INTENT_WINDOW_LOW ? h->window_low - h->step
					       : h->window_high;
	int err;

	arena_set_intent(a, INTENT_MAKE(op, 0, 0, 0));
	err = arena_back(a->fd, off, h->step);
	if (err) {
		arena_unback(a->fd, off, h->step);
		arena_set_intent(a, 0);
		return err;
	}
	arena_populate(off, h->step);
	window_grown(a, t, op);
	return 0;
}

uint64_t arena_window_need(const struct arena *a, uint64_t segs)
{
	const struct arena_header *h = a->hdr;
	uint64_t low = arena_place.window -
		       (h->nr_segs + segs) * sizeof(struct segment);

	if (low >= h->window_low)
		return 0;
	return (h->window_low - low + h->step - 1) / h->step * h->step;
}

/* End of the first step, which creation backed and which always stays. */
static uint64_t first_step_end(const struct arena *a)
{
	return arena_place.window + arena_first_step(a->hdr->huge);
}

void arena_drop_handles(struct arena *a, struct arena_thread *t)
{
	struct arena_header *h = a->hdr;
	uint64_t keep = first_step_end(a);
	uint64_t drop = h->window_high - keep;
	struct undo_log *u;

	if (drop)
		arena_unback(a->fd, keep, drop);
	ranked_lock(&a->run_lock, RANK_RUN, 0);
	u = undo_begin(t);
	undo_set(u, &h->window_high, keep);
	undo_save(u, &h->handles_backed);
	__atomic_store_n(&h->handles_backed, handles_in(a), __ATOMIC_RELEASE);
	undo_set(u, &h->used, h->used - drop);
	undo_set(u, &h->given_back, h->given_back + drop / ARENA_PAGE_SIZE);
	undo_set(u, &h->intent, 0);
	undo_commit(u);
	ranked_unlock(&a->run_lock, RANK_RUN, 0);
}
