/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The two windows: segment descriptors, growing downwards from one place, and
 * handle cells, growing upwards from it. They grow in steps of
 * arena_header.step. The first step of each always stays; of the others the
 * handle window gives back those that hold no handle in use, the descriptor
 * window those that no segment needs.
 */
#include "segment_i.h"

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
	err = arena_back_fixed(a->fd, h, off, h->step);
	if (err) {
		arena_unback(a->fd, off, h->step);
		arena_set_intent(a, 0);
		return err;
	}
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
	return arena_place.window + arena_first_step(a->hdr->step);
}

uint64_t arena_handle_steps(const struct arena *a, uint64_t cells)
{
	uint64_t end = arena_place.window + cells * sizeof(uint64_t);
	uint64_t first = first_step_end(a), step = a->hdr->step;

	return end > first ? (end - first + step - 1) / step : 0;
}

void arena_drop_handles(struct arena *a, struct arena_thread *t, uint64_t steps)
{
	struct arena_header *h = a->hdr;
	uint64_t keep = first_step_end(a) + steps * h->step;
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

/* ---- giving back descriptors ---- */

/* Take the last segment out of the books, if nothing of it is present. */
static bool forget_last_segment(struct arena *a, struct arena_thread *t)
{
	struct arena_header *h = a->hdr;
	struct undo_log *u;
	uint32_t seg;
	bool absent;

	ranked_lock(&a->run_lock, RANK_RUN, 0);
	seg = (uint32_t)h->nr_segs - 1;
	absent = h->nr_segs && segment_of(seg)->bin == BIN_ABSENT;
	if (absent) {
		u = undo_begin(t);
		seg_forget_locked(a, u, seg);
		undo_save(u, &h->nr_segs);
		__atomic_store_n(&h->nr_segs, seg, __ATOMIC_RELEASE);
		undo_commit(u);
	}
	ranked_unlock(&a->run_lock, RANK_RUN, 0);
	return absent;
}

/* Steps of descriptors that no segment needs, without the first. */
static uint64_t spare_steps(const struct arena *a)
{
	const struct arena_header *h = a->hdr;
	uint64_t low = arena_place.window - h->nr_segs * sizeof(struct segment);
	uint64_t first = arena_place.window - arena_first_step(h->step);

	if (low > first)
		low = first;
	return (low - h->window_low) / h->step;
}

/* Who saw one of those segments in the books has looked at it by now. */
static void await_lookers(struct arena *a)
{
	ranked_lock(&a->slab_lock[SLAB_RECORD], RANK_SLAB, SLAB_RECORD);
	ranked_unlock(&a->slab_lock[SLAB_RECORD], RANK_SLAB, SLAB_RECORD);
}

void arena_drop_descriptors(struct arena *a, uint64_t steps)
{
	uint64_t len = steps * a->hdr->step;

	arena_unback(a->fd, a->hdr->window_low - len, len);
	arena_set_intent(a, 0);
}

uint64_t arena_trim_descriptors(struct arena *a, struct arena_thread *t)
{
	struct arena_header *h = a->hdr;
	uint64_t steps, len;
	struct undo_log *u;

	ranked_lock(&a->grow_lock, RANK_GROW, 0);
	while (forget_last_segment(a, t))
		;
	steps = spare_steps(a);
	len = steps * h->step;
	if (steps) {
		ranked_lock(&a->run_lock, RANK_RUN, 0);
		u = undo_begin(t);
		undo_set(u, &h->window_low, h->window_low + len);
		undo_set(u, &h->used, h->used - len);
		undo_set(u, &h->given_back,
			 h->given_back + len / ARENA_PAGE_SIZE);
		undo_set(u, &h->intent,
			 INTENT_MAKE(INTENT_TRIM_DESCS, steps, 0, 0));
		undo_commit(u);
		ranked_unlock(&a->run_lock, RANK_RUN, 0);
		await_lookers(a);
		arena_drop_descriptors(a, steps);
	}
	ranked_unlock(&a->grow_lock, RANK_GROW, 0);
	return len / ARENA_PAGE_SIZE;
}
