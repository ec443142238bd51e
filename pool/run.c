/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Runs: pages that are handed out of segments and come back, under the bound
 * of the thread that takes them.
 */
#include "segment_i.h"

#include <errno.h>

static void set_type(struct undo_log *u, struct page_desc *d, unsigned pages,
		     enum arena_page_type type)
{
	for (unsigned i = 0; i < pages; i++) {
		struct page_desc val = {0};

		if (type != ARENA_PAGE_NONE) {
			val.type = (uint8_t)type;
			val.run_off = (uint8_t)i;
			d[i].head = 0;
		}
		undo_set(u, &d[i].word, val.word);
	}
}

static void change_in_use_locked(struct arena *a, struct undo_log *u,
				 enum arena_page_type type, int pages)
{
	undo_add(u, &a->hdr->in_use, pages);
	undo_add(u, &a->hdr->pages[type], pages);
}

/* A single page that is transient is taken from a segment for that. */
static bool is_apart(const struct arena_thread *t, unsigned pages)
{
	return t->transient && pages == 1;
}

/* A segment for what is transient with a run of @pages; a link, 0 = none. */
static uint32_t transient_with_run_locked(const struct arena *a, unsigned pages)
{
	uint32_t link = a->hdr->bin[BIN_TRANSIENT];

	for (uint64_t n = 0; link && n < a->hdr->nr_segs; n++) {
		if (segment_of(link - 1)->max_run >= pages)
			return link;
		link = segment_of(link - 1)->next;
	}
	return 0;
}

/* Have it be one for everybody. False: there is none. */
static bool join_locked(struct arena *a, struct arena_thread *t, unsigned pages)
{
	uint32_t link = transient_with_run_locked(a, pages);
	struct undo_log *u;

	/* Where the list is damaged nothing would become of it. */
	if (!link || segment_of(link - 1)->bin != BIN_TRANSIENT ||
	    !segment_of(link - 1)->transient)
		return false;
	u = undo_begin(t);
	seg_set_transient_locked(a, u, link - 1, false);
	undo_commit(u);
	return true;
}

static bool join(struct arena *a, struct arena_thread *t, unsigned pages)
{
	bool joined;

	ranked_lock(&a->run_lock, RANK_RUN, 0);
	joined = join_locked(a, t, pages);
	ranked_unlock(&a->run_lock, RANK_RUN, 0);
	return joined;
}

/* The segment to take a run of @pages from, as a link; 0 = none. */
static uint32_t find_segment_locked(struct arena *a, struct arena_thread *t,
				    unsigned pages)
{
	const uint32_t *bin = a->hdr->bin;
	uint32_t link;

	if (is_apart(t, pages))
		return bin[BIN_TRANSIENT] ? bin[BIN_TRANSIENT] : bin[BIN_FREE];
	link = seg_with_run_locked(a, pages);
	if (!link && !a->keep && join_locked(a, t, pages))
		link = seg_with_run_locked(a, pages);
	return link;
}

/* 0, -ENOSPC at the limit, -EAGAIN when the arena must grow first. */
static int take_run_locked(struct arena *a, struct arena_thread *t,
			   unsigned pages, enum arena_page_type type,
			   uint64_t *ref)
{
	struct undo_log *u;
	struct segment *s;
	uint32_t link;
	int first;

	if (!arena_within_bound_locked(a, t, pages * ARENA_PAGE_SIZE))
		return -ENOSPC;
	link = find_segment_locked(a, t, pages);
	if (!link)
		return -EAGAIN;
	s = segment_of(link - 1);
	/*
	 * Slabs, which cannot be moved, come from the other end of a segment
	 * than zspages, so that compaction leaves long free runs.
	 */
	first = type == ARENA_PAGE_SLAB && pages == 1
			? map_find_last(s->free)
			: map_find(s->free, pages);
	assert(first >= 0);

	u = undo_begin(t);
	if (is_apart(t, pages))
		seg_set_transient_locked(a, u, link - 1, true);
	set_type(u, &s->desc[first], pages, type);
	seg_take_pages_locked(a, u, link - 1, (unsigned)first, pages);
	change_in_use_locked(a, u, type, (int)pages);
	undo_set(u, ref, run_ref(seg_pfn(link - 1) + (unsigned)first, pages));
	undo_commit(u);
	if (t->redeem)
		arena_redeem_locked(a, t, pages * ARENA_PAGE_SIZE);
	return 0;
}

int arena_run_alloc(struct arena *a, struct arena_thread *t, unsigned pages,
		    enum arena_page_type type, uint64_t *ref)
{
	int err;

	assert(pages >= 1 && pages <= ARENA_MAX_RUN && !*ref);
	assert(type > ARENA_PAGE_NONE && type < ARENA_NR_PAGE_TYPES);
	if (zs_should_fail())
		return -ENOSPC;
	for (;;) {
		ranked_lock(&a->run_lock, RANK_RUN, 0);
		err = take_run_locked(a, t, pages, type, ref);
		ranked_unlock(&a->run_lock, RANK_RUN, 0);
		if (err != -EAGAIN)
			return err;
		if (t->transient)
			return -ENOSPC;
		err = arena_grow(a, t, pages);
		if (err && !join(a, t, pages))
			return err;
	}
}

void arena_run_free(struct arena *a, struct arena_thread *t, uint64_t *ref)
{
	uint64_t pfn = run_ref_pfn(*ref);
	unsigned pages = arena_run_pages(*ref);
	struct page_desc *d;
	struct undo_log *u;
	bool shrink;

	if (!*ref)
		return;
	d = page_desc_of(pfn);

	ranked_lock(&a->run_lock, RANK_RUN, 0);
	assert(arena_is_run(a, *ref));
	u = undo_begin(t);
	change_in_use_locked(a, u, d->type, -(int)pages);
	set_type(u, d, pages, ARENA_PAGE_NONE);
	seg_free_pages_locked(a, u, pfn_seg(pfn), pfn % ARENA_SEG_PAGES, pages);
	undo_set(u, ref, 0);
	undo_commit(u);
	shrink = arena_can_shrink_locked(a, false);
	ranked_unlock(&a->run_lock, RANK_RUN, 0);

	if (shrink)
		arena_shrink(a, t, false);
}
