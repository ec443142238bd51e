/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Trimming: everything that can be given back to the kernel on demand. Whole
 * segments go as growth.c gives them back at any time; the free runs inside
 * segments in use are punched here, by the same protocol.
 */
#include "segment_i.h"

/* Take pages out of the books; they are punched by the caller. */
static void detach_pages_locked(struct arena *a, struct arena_thread *t,
				enum arena_intent op, uint32_t seg,
				unsigned first, unsigned nr)
{
	struct undo_log *u = undo_begin(t);

	seg_remove_pages_locked(a, u, seg, first, nr);
	undo_set(u, &a->hdr->intent, INTENT_MAKE(op, seg, first, nr));
	undo_commit(u);
}

/* Punch the first long enough free run at or behind *pos. Pages punched. */
static unsigned punch_next(struct arena *a, struct arena_thread *t,
			   uint32_t seg, unsigned *pos)
{
	struct segment *s = segment_of(seg);
	unsigned first, end = *pos;
	bool whole;

	ranked_lock(&a->run_lock, RANK_RUN, 0);
	do {
		first = map_next(s->free, end, true);
		end = map_next(s->free, first, false);
	} while (first < ARENA_SEG_PAGES && end - first < ARENA_MIN_HOLE);
	*pos = end;
	/* Wholly free segments go back whole, or not at all. */
	if (first == ARENA_SEG_PAGES || s->nr_free == s->nr_present) {
		ranked_unlock(&a->run_lock, RANK_RUN, 0);
		return 0;
	}
	whole = s->nr_present == ARENA_SEG_PAGES;
	detach_pages_locked(a, t, INTENT_PUNCH, seg, first, end - first);
	ranked_unlock(&a->run_lock, RANK_RUN, 0);

	if (whole && a->hdr->huge)
		arena_want_small(seg_offset(seg), ARENA_SEG_SIZE);
	arena_punch(a, seg_page_offset(seg, first),
		    (uint64_t)(end - first) * ARENA_PAGE_SIZE);
	arena_set_intent(a, 0);
	return end - first;
}

static uint64_t punch_segments(struct arena *a, struct arena_thread *t)
{
	uint64_t pages = 0;

	for (uint64_t seg = 0; seg < arena_nr_segs(a); seg++) {
		unsigned pos = 0, n;

		/*
		 * Others may grow between two segments, or forget the last
		 * ones.
		 */
		ranked_lock(&a->grow_lock, RANK_GROW, 0);
		do {
			n = seg < arena_nr_segs(a)
				    ? punch_next(a, t, (uint32_t)seg, &pos)
				    : 0;
			pages += n;
		} while (n);
		ranked_unlock(&a->grow_lock, RANK_GROW, 0);
	}
	return pages;
}

static void punch_absent_of(struct arena *a, uint32_t seg)
{
	const struct segment *s = segment_of(seg);
	unsigned first, end = 0;

	while ((first = map_next(s->present, end, false)) < ARENA_SEG_PAGES) {
		end = map_next(s->present, first, true);
		arena_unback(a->fd, seg_page_offset(seg, first),
			     (uint64_t)(end - first) * ARENA_PAGE_SIZE);
	}
}

void arena_punch_absent(struct arena *a)
{
	uint64_t seg = 0, excess;

	do {
		/* Pages become present and absent under this lock alone. */
		ranked_lock(&a->grow_lock, RANK_GROW, 0);
		excess = arena_excess(a);
		if (excess && seg < arena_nr_segs(a))
			punch_absent_of(a, (uint32_t)seg);
		a->excess = excess;
		ranked_unlock(&a->grow_lock, RANK_GROW, 0);
	} while (excess && ++seg < arena_nr_segs(a));
}

uint64_t arena_trim(struct arena *a, struct arena_thread *t, bool all,
		    bool punch)
{
	uint64_t pages;

	if (all)
		slab_drop_spares(a, t);
	pages = arena_shrink(a, t, all);
	if (punch)
		pages += punch_segments(a, t);
	if (all) {
		pages += arena_trim_descriptors(a, t);
		arena_punch_absent(a);
	}
	return pages;
}
