/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Growth and give-back: getting pages from the kernel, and returning them.
 *
 * One change at a time, under grow_lock. The kernel is asked outside run_lock,
 * so others go on allocating from what there is. Around each request:
 *   growing     intent set; fallocate; then, in one critical section, the
 *               pages enter the books and the intent is cleared
 *   giving back in one critical section the pages leave the books and the
 *               intent is set; punch; intent cleared
 * so memory that the file holds and the books do not is always named by the
 * intent, and whoever finds one (arena_recover.c) punches it.
 */
#include "segment_i.h"

#include <errno.h>

#define KEEP_MIN (UINT64_C(32) << 20)
/* Segments with holes to look at for one that fits under the limit. */
#define MAX_HOLE_TRIES 64
/* Segments to look at under one grow_lock. */
#define MAP_ON_SEGS 64u
/* Below the limit: with so much room left it need not be looked after. */
#define PLENTY (UINT64_C(64) << 20)

/* Giving back. */

/* A segment with nothing in use, as a link; 0 = none. */
static uint32_t free_segment_locked(const struct arena *a)
{
	uint32_t link = a->hdr->bin[BIN_FREE_HOLED];

	return link ? link : a->hdr->bin[BIN_FREE];
}

/* Give back the segment of @link, in which nothing is in use. */
static uint64_t drop_segment(struct arena *a, struct arena_thread *t,
			     uint32_t link)
{
	uint32_t seg = link - 1;
	uint64_t pages = segment_of(seg)->nr_present;
	struct undo_log *u = undo_begin(t);

	seg_remove_all_locked(a, u, seg);
	undo_set(u, &a->hdr->intent,
		 INTENT_MAKE(INTENT_DROP, seg, 0, ARENA_SEG_PAGES));
	undo_commit(u);
	ranked_unlock(&a->run_lock, RANK_RUN, 0);

	arena_unback(a->fd, seg_offset(seg), ARENA_SEG_SIZE);
	arena_set_intent(a, 0);
	return pages;
}

bool arena_can_shrink_locked(const struct arena *a, bool all)
{
	const struct arena_header *h = a->hdr;
	uint64_t limit = __atomic_load_n(&h->limit, __ATOMIC_RELAXED);
	uint64_t keep = h->used / 100 * 3;

	if (h->bin[BIN_FREE_HOLED])
		return true;
	/* In a damaged arena the count may be wrong. */
	if (!h->bin[BIN_FREE])
		return false;
	if (all)
		return h->free_segs > 0;
	if (keep < KEEP_MIN)
		keep = KEEP_MIN;
	if (keep < a->keep)
		keep = a->keep;
	if (limit && keep > limit / 4)
		keep = limit / 4;
	return h->free_segs * ARENA_SEG_SIZE > keep;
}

uint64_t arena_shrink(struct arena *a, struct arena_thread *t, bool all)
{
	uint64_t pages = 0;

	ranked_lock(&a->grow_lock, RANK_GROW, 0);
	for (;;) {
		ranked_lock(&a->run_lock, RANK_RUN, 0);
		if (!arena_can_shrink_locked(a, all))
			break;
		pages += drop_segment(a, t, free_segment_locked(a));
	}
	ranked_unlock(&a->run_lock, RANK_RUN, 0);
	ranked_unlock(&a->grow_lock, RANK_GROW, 0);
	return pages;
}

/* Growing. */

bool arena_make_room(struct arena *a, struct arena_thread *t, uint64_t bytes)
{
	uint64_t bound = arena_bound(a, t);
	uint32_t link;

	if (bytes > bound)
		return false;
	while (a->hdr->used > bound - bytes) {
		ranked_lock(&a->run_lock, RANK_RUN, 0);
		link = free_segment_locked(a);
		if (!link) {
			ranked_unlock(&a->run_lock, RANK_RUN, 0);
			return false;
		}
		drop_segment(a, t, link);
	}
	return true;
}

/* Get pages [first, first + nr) of @seg, which the books call absent. */
static int back_pages(struct arena *a, enum arena_intent op, uint32_t seg,
		      unsigned first, unsigned nr)
{
	uint64_t off = seg_page_offset(seg, first);
	uint64_t len = (uint64_t)nr * ARENA_PAGE_SIZE;
	int err;

	arena_set_intent(a, INTENT_MAKE(op, seg, first, nr));
	err = arena_back(a->fd, off, len);
	if (err) {
		arena_punch(a, off, len);
		arena_set_intent(a, 0);
		return err;
	}
	if (nr == ARENA_SEG_PAGES && a->hdr->huge)
		arena_populate_huge(a->fd, off, len);
	else
		arena_populate(off, len);
	return 0;
}

/* Enter what back_pages() got into the books. */
static void attach_pages(struct arena *a, struct arena_thread *t, uint32_t seg,
			 unsigned first, unsigned nr)
{
	struct undo_log *u;

	ranked_lock(&a->run_lock, RANK_RUN, 0);
	u = undo_begin(t);
	if (seg == a->hdr->nr_segs) {
		undo_save(u, &a->hdr->nr_segs);
		__atomic_store_n(&a->hdr->nr_segs, seg + UINT64_C(1),
				 __ATOMIC_RELEASE);
	}
	/* Who fills a hole may be anybody. */
	seg_set_transient_locked(a, u, seg, false);
	seg_add_pages_locked(a, u, seg, first, nr);
	undo_set(u, &a->hdr->intent, 0);
	undo_commit(u);
	ranked_unlock(&a->run_lock, RANK_RUN, 0);
}

static int grow_segment(struct arena *a, struct arena_thread *t)
{
	struct arena_header *h = a->hdr;
	uint32_t absent = h->bin[BIN_ABSENT];
	uint32_t seg = absent ? absent - 1 : (uint32_t)h->nr_segs;
	uint64_t need = absent ? 0 : arena_window_need(a, 1);
	int err;

	if (seg >= arena_place.max_segs ||
	    !arena_make_room(a, t, need + ARENA_SEG_SIZE))
		return -ENOSPC;
	for (; need; need -= h->step) {
		err = arena_grow_window(a, t, INTENT_WINDOW_LOW);
		if (err)
			return err;
	}
	err = back_pages(a, INTENT_GROW, seg, 0, ARENA_SEG_PAGES);
	if (!err)
		attach_pages(a, t, seg, 0, ARENA_SEG_PAGES);
	return err;
}

/* The first hole on the way to a free run of @pages in @s. Its length or 0. */
static unsigned hole_for_run(const struct segment *s, unsigned pages,
			     unsigned *first)
{
	uint64_t may_be_free[MAP_WORDS];
	int run;

	for (unsigned i = 0; i < MAP_WORDS; i++)
		may_be_free[i] = s->free[i] | ~s->present[i];
	run = map_find(may_be_free, pages);
	if (run < 0)
		return 0;
	*first = map_next(s->present, (unsigned)run, false);
	return map_next(s->present, *first, true) - *first;
}

/*
 * Find a hole of at most @max pages where filling it, and perhaps the next ones
 * behind it, makes a run of @pages. Its segment as a link, 0 = none.
 */
static uint32_t find_hole_locked(const struct arena *a, unsigned pages,
				 uint64_t max, unsigned *first, unsigned *nr)
{
	uint32_t link = a->hdr->hole_head;

	for (unsigned i = 0; link && i < MAX_HOLE_TRIES; i++) {
		const struct segment *s = segment_of(link - 1);

		*nr = hole_for_run(s, pages, first);
		if (*nr && *nr <= max)
			return link;
		link = s->hole_next;
	}
	return 0;
}

/*
 * Fill a hole of a segment in use: a cheaper way to grow than a new segment.
 * -EAGAIN when there is none that would help.
 */
static int fill_hole(struct arena *a, struct arena_thread *t, unsigned pages)
{
	uint64_t bound = arena_bound(a, t);
	uint64_t used = a->hdr->used;
	uint64_t room = bound > used ? (bound - used) / ARENA_PAGE_SIZE : 0;
	unsigned first, nr;
	uint32_t link;
	int err;

	ranked_lock(&a->run_lock, RANK_RUN, 0);
	link = find_hole_locked(a, pages, room, &first, &nr);
	ranked_unlock(&a->run_lock, RANK_RUN, 0);
	if (!link)
		return -EAGAIN;
	err = back_pages(a, INTENT_FILL, link - 1, first, nr);
	if (!err)
		attach_pages(a, t, link - 1, first, nr);
	return err;
}

/*
 * On huge pages, is a new segment better than a hole of one in use? It is
 * mapped by one, and a filled hole by small pages. Not where room is short, or
 * as much is absent as is there already: descriptors take memory, too.
 */
static bool prefers_segment_locked(const struct arena *a,
				   const struct arena_thread *t)
{
	const struct arena_header *h = a->hdr;
	uint64_t bound = arena_bound(a, t);

	return h->huge && h->hole_pages * ARENA_PAGE_SIZE < h->used &&
	       bound > h->used && bound - h->used > PLENTY;
}

static int grow_somewhere(struct arena *a, struct arena_thread *t,
			  unsigned pages, bool segment)
{
	int err;

	if (segment && !grow_segment(a, t))
		return 0;
	err = fill_hole(a, t, pages);
	return err == -EAGAIN ? grow_segment(a, t) : err;
}

int arena_grow(struct arena *a, struct arena_thread *t, unsigned pages)
{
	bool done, segment;
	int err;

	if (zs_should_fail())
		return -ENOSPC;
	ranked_lock(&a->grow_lock, RANK_GROW, 0);
	ranked_lock(&a->run_lock, RANK_RUN, 0);
	/* Somebody may have grown it while we waited. */
	done = seg_with_run_locked(a, pages) != 0;
	segment = prefers_segment_locked(a, t);
	ranked_unlock(&a->run_lock, RANK_RUN, 0);
	err = done ? 0 : grow_somewhere(a, t, pages, segment);
	ranked_unlock(&a->grow_lock, RANK_GROW, 0);
	return err;
}

/* May a segment be backed that displaces nothing? Under grow_lock. */
static bool has_room_ahead(struct arena *a, struct arena_thread *t,
			   uint64_t bytes)
{
	const struct arena_header *h = a->hdr;
	uint64_t most = ARENA_SEG_SIZE + arena_window_need(a, 1);
	uint64_t bound = arena_bound(a, t);
	bool wanted;

	ranked_lock(&a->run_lock, RANK_RUN, 0);
	wanted = arena_transient_locked(a) < bytes &&
		 (bound == UINT64_MAX || h->used + most <= bound);
	ranked_unlock(&a->run_lock, RANK_RUN, 0);
	return wanted;
}

bool arena_back_ahead(struct arena *a, struct arena_thread *t, uint64_t bytes)
{
	bool grown;

	ranked_lock(&a->grow_lock, RANK_GROW, 0);
	grown = has_room_ahead(a, t, bytes) && !grow_segment(a, t);
	ranked_unlock(&a->grow_lock, RANK_GROW, 0);
	return grown;
}

static bool is_whole(uint64_t seg)
{
	return segment_of((uint32_t)seg)->nr_present == ARENA_SEG_PAGES;
}

/* Have those of segments @seg .. @end - 1 that are whole want huge pages. */
static void map_whole(uint64_t seg, uint64_t end)
{
	for (uint64_t first; seg < end; seg++) {
		for (first = seg; seg < end && is_whole(seg); seg++)
			;
		if (seg > first)
			arena_want_huge(seg_offset((uint32_t)first),
					(seg - first) * ARENA_SEG_SIZE);
	}
}

bool arena_map_on(struct arena *a, uint64_t *seg)
{
	uint64_t end, nr;

	if (!a->hdr->huge)
		return false;
	ranked_lock(&a->grow_lock, RANK_GROW, 0);
	nr = a->hdr->nr_segs;
	end = nr > *seg + MAP_ON_SEGS ? *seg + MAP_ON_SEGS : nr;
	map_whole(*seg, end);
	*seg = end;
	ranked_unlock(&a->grow_lock, RANK_GROW, 0);
	return end < nr;
}

uint64_t arena_growable_locked(const struct arena *a, uint64_t bytes)
{
	const struct arena_header *h = a->hdr;
	uint64_t holes = h->hole_pages * ARENA_PAGE_SIZE;
	uint64_t absent = h->nr_segs - h->segments;
	uint64_t segs, need;

	/* While a segment's worth is left, any hole can be filled. */
	if (bytes < holes)
		return bytes > ARENA_SEG_SIZE ? bytes - ARENA_SEG_SIZE : 0;
	bytes -= holes;
	segs = bytes / ARENA_SEG_SIZE;
	if (segs > arena_place.max_segs - h->segments)
		segs = arena_place.max_segs - h->segments;
	need = segs > absent ? arena_window_need(a, segs - absent) : 0;
	if (segs * ARENA_SEG_SIZE + need > bytes)
		segs = bytes > need ? (bytes - need) / ARENA_SEG_SIZE : 0;
	return holes + segs * ARENA_SEG_SIZE;
}
