/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Segments: which pages are present and free, and who has what to give.
 *
 * Every segment with something to give is in one bin (BIN_*): by its longest
 * free run up to 15 pages, then by how full it is, and wholly free ones apart.
 * A run is taken from the first bin that has one long enough, so long runs are
 * not broken for short ones, fuller segments fill up first, and empty ones
 * stay empty until they are needed or given back. Inside a segment it is the
 * first fit by address.
 *
 * What is transient has segments apart, all in one bin: whoever lives long
 * among it would keep a segment in use, and full of holes, when the rest is
 * gone. A wholly free segment becomes one of them when it is taken for that,
 * and ceases to be when it is wholly free again, or when its room is needed.
 *
 * Invariants (under run_lock)
 *   - a free page is present; nr_free and nr_present count the bits
 *   - bin, bin list, hole list and the header's counters follow from the
 *     counts, the longest free run and the transient flag of the segments:
 *     only seg_settle_locked() and seg_set_transient_locked() change them
 *   - a transient segment is neither absent nor wholly free
 */
#include "segment_i.h"

/* One of the two lists that run through the segments. */
struct seg_links {
	uint32_t *next;
	uint32_t *prev;
};

static struct seg_links links_of(uint32_t link, bool hole)
{
	struct segment *s = segment_of(link - 1);

	if (hole)
		return (struct seg_links){&s->hole_next, &s->hole_prev};
	return (struct seg_links){&s->next, &s->prev};
}

static void link_seg(struct undo_log *u, uint32_t *head, uint32_t seg,
		     bool hole)
{
	struct seg_links l = links_of(seg + 1, hole);

	/* next and prev share a word. */
	undo_save(u, l.next);
	*l.next = *head;
	*l.prev = 0;
	if (*head)
		UNDO_SET(u, links_of(*head, hole).prev, seg + 1);
	UNDO_SET(u, head, seg + 1);
}

static void unlink_seg(struct undo_log *u, uint32_t *head, uint32_t seg,
		       bool hole)
{
	struct seg_links l = links_of(seg + 1, hole);

	if (*l.next)
		UNDO_SET(u, links_of(*l.next, hole).prev, *l.prev);
	if (*l.prev)
		UNDO_SET(u, links_of(*l.prev, hole).next, *l.next);
	else
		UNDO_SET(u, head, *l.next);
	undo_save(u, l.next);
	*l.next = 0;
	*l.prev = 0;
}

unsigned seg_bin_for(const struct segment *s)
{
	if (!s->nr_present)
		return BIN_ABSENT;
	if (s->nr_free == ARENA_SEG_PAGES)
		return BIN_FREE;
	if (s->nr_free == s->nr_present)
		return BIN_FREE_HOLED;
	if (s->transient)
		return s->nr_free ? BIN_TRANSIENT : BIN_NONE;
	if (s->max_run < ARENA_MAX_RUN)
		return s->max_run;
	return BIN_NR + s->nr_free / 64;
}

bool seg_is_holed(unsigned nr_free, unsigned nr_present)
{
	return nr_present < ARENA_SEG_PAGES && nr_free < nr_present;
}

static void rebin_locked(struct arena *a, struct undo_log *u, uint32_t seg)
{
	struct segment *s = segment_of(seg);
	unsigned bin = seg_bin_for(s);

	if (bin == s->bin)
		return;
	if (s->bin != BIN_NONE)
		unlink_seg(u, &a->hdr->bin[s->bin], seg, false);
	if (bin != BIN_NONE)
		link_seg(u, &a->hdr->bin[bin], seg, false);
	s->bin = (uint8_t)bin; /* saved with the counts */
}

static int64_t pages_in_holes(unsigned nr_free, unsigned nr_present)
{
	return seg_is_holed(nr_free, nr_present)
		       ? (int64_t)(ARENA_SEG_PAGES - nr_present)
		       : 0;
}

/* What follows from a change of the number of present pages. */
static void settle_present_locked(struct arena *a, struct undo_log *u,
				  unsigned was, unsigned now)
{
	struct arena_header *h = a->hdr;

	undo_add(u, &h->used, ((int64_t)now - was) * ARENA_PAGE_SIZE);
	if (h->used > h->used_max)
		undo_set(u, &h->used_max, h->used);
	undo_add(u, &h->segments, !!now - !!was);
	if (now < was)
		undo_add(u, &h->given_back, (int64_t)was - now);
}

/* What follows from a change of the holes. */
static void settle_holes_locked(struct arena *a, struct undo_log *u,
				uint32_t seg, struct seg_counts was,
				struct seg_counts to)
{
	bool was_holed = seg_is_holed(was.nr_free, was.nr_present);
	bool holed = seg_is_holed(to.nr_free, to.nr_present);

	if (was_holed && !holed)
		unlink_seg(u, &a->hdr->hole_head, seg, true);
	if (holed && !was_holed)
		link_seg(u, &a->hdr->hole_head, seg, true);
	undo_add(u, &a->hdr->hole_pages,
		 pages_in_holes(to.nr_free, to.nr_present) -
			 pages_in_holes(was.nr_free, was.nr_present));
}

static bool is_free_seg(struct seg_counts c)
{
	return c.nr_present && c.nr_free == c.nr_present;
}

/* How many of its free pages are for what is transient. */
static int64_t transient_pages(const struct segment *s)
{
	return s->transient ? s->nr_free : 0;
}

void seg_set_transient_locked(struct arena *a, struct undo_log *u, uint32_t seg,
			      bool transient)
{
	struct segment *s = segment_of(seg);
	int64_t was = transient_pages(s);

	if (s->transient == transient)
		return;
	undo_save(u, &s->nr_free); /* and bin, transient */
	s->transient = transient;
	rebin_locked(a, u, seg);
	undo_add(u, &a->hdr->free_transient, transient_pages(s) - was);
}

void seg_settle_locked(struct arena *a, struct undo_log *u, uint32_t seg,
		       struct seg_counts to)
{
	struct arena_header *h = a->hdr;
	struct segment *s = segment_of(seg);
	struct seg_counts was = {.nr_free = s->nr_free,
				 .nr_present = s->nr_present};
	int64_t was_transient = transient_pages(s);

	undo_save(u, &s->nr_free); /* and all up to transient */
	s->nr_free = (uint16_t)to.nr_free;
	s->nr_present = (uint16_t)to.nr_present;
	s->max_run = (uint8_t)to.max_run;
	s->transient &= to.nr_free != to.nr_present;
	rebin_locked(a, u, seg);

	if (was.nr_present < ARENA_SEG_PAGES || to.nr_present < ARENA_SEG_PAGES)
		settle_holes_locked(a, u, seg, was, to);
	if (to.nr_present != was.nr_present)
		settle_present_locked(a, u, was.nr_present, to.nr_present);
	undo_add(u, &h->free_pages, (int64_t)to.nr_free - was.nr_free);
	undo_add(u, &h->free_segs, is_free_seg(to) - is_free_seg(was));
	undo_add(u, &h->free_transient, transient_pages(s) - was_transient);
}

void seg_add_pages_locked(struct arena *a, struct undo_log *u, uint32_t seg,
			  unsigned first, unsigned nr)
{
	struct segment *s = segment_of(seg);

	map_change(u, s->present, first, nr, true);
	map_change(u, s->free, first, nr, true);
	seg_settle_freed_locked(a, u, seg, first, nr, s->nr_present + nr);
}

void seg_remove_pages_locked(struct arena *a, struct undo_log *u, uint32_t seg,
			     unsigned first, unsigned nr)
{
	struct segment *s = segment_of(seg);

	map_change(u, s->present, first, nr, false);
	map_change(u, s->free, first, nr, false);
	seg_settle_taken_locked(a, u, seg, first, nr, s->nr_present - nr);
}

void seg_remove_all_locked(struct arena *a, struct undo_log *u, uint32_t seg)
{
	struct segment *s = segment_of(seg);

	for (unsigned i = 0; i < MAP_WORDS; i++) {
		undo_set(u, &s->present[i], 0);
		undo_set(u, &s->free[i], 0);
	}
	seg_settle_locked(a, u, seg, (struct seg_counts){0});
}

void seg_forget_locked(struct arena *a, struct undo_log *u, uint32_t seg)
{
	struct segment *s = segment_of(seg);

	assert(s->bin == BIN_ABSENT);
	unlink_seg(u, &a->hdr->bin[BIN_ABSENT], seg, false);
	UNDO_SET(u, &s->bin, BIN_NONE);
}
