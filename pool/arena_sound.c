/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Does what a dead process left make sense, as far as recovery goes by it?
 *
 * Recovery writes where logs say and gives back what words of the arena name.
 * If those are damaged it would damage the rest, so they are looked at first.
 * That is little: what the header says and what threads were at, not the
 * segments (arena_verify()).
 */
#include "run_map.h"

/* The fields are changed one by one under a log, so each by itself is. */
static bool has_sound_windows(const struct arena *a)
{
	const struct arena_header *h = a->hdr;
	const struct arena_place *p = &arena_place;
	uint64_t descs = h->nr_segs * sizeof(struct segment);

	return h->nr_segs <= p->max_segs && h->window_low >= h->root_bytes &&
	       h->window_low <= p->window && h->window_high >= p->window &&
	       h->window_high <= p->data_pfn * ARENA_PAGE_SIZE &&
	       h->window_low % ARENA_PAGE_SIZE == 0 &&
	       h->window_high % ARENA_PAGE_SIZE == 0 &&
	       p->window - h->window_low >= descs;
}

/*
 * Does the header, or a thread's half, have a word at @off that changes under a
 * log? What is fixed does not, and neither do the logs themselves, by which a
 * rollback goes.
 */
static bool is_loggable(const struct arena *a, uint64_t off)
{
	const struct arena_header *h = a->hdr;
	uint64_t at = off - h->threads_off;

	if (off < h->threads_off)
		return off == offsetof(struct arena_header, intent) ||
		       (off >= offsetof(struct arena_header, used) &&
			off < sizeof(*h));
	return at / h->thread_size < a->nr_threads &&
	       at % h->thread_size <
		       offsetof(struct arena_thread_shared, handles);
}

/*
 * Is there a word of the arena at @addr that may be touched? The root area is
 * its owner's, who looks at it later.
 */
static bool may_touch(const struct arena *a, uint64_t addr)
{
	const struct arena_header *h = a->hdr;
	uint64_t off = addr - ARENA_BASE, pfn = off / ARENA_PAGE_SIZE;

	if (addr % sizeof(uint64_t) || off >= arena_place.size)
		return false;
	if (off < h->root_off)
		return is_loggable(a, off);
	if (off < h->root_bytes ||
	    (off >= h->window_low && off < h->window_high))
		return true;
	return pfn_valid(a, pfn) && map_test(segment_of(pfn_seg(pfn))->present,
					     pfn % ARENA_SEG_PAGES);
}

static bool is_sound_log(const struct arena *a, const struct undo_log *u)
{
	if (u->max != UNDO_ROOM || u->n > UNDO_ROOM)
		return false;
	for (uint64_t i = 0; i < u->n; i++)
		if (!may_touch(a, u->e[i].addr))
			return false;
	return true;
}

bool arena_has_sound_logs(const struct arena *a)
{
	if (!has_sound_windows(a))
		return false;
	for (unsigned i = 0; i < a->nr_threads; i++)
		if (!is_sound_log(a, &a->threads[i].shared->undo))
			return false;
	return true;
}

/* ---- what is there once the logs are rolled back ---- */

/* What is punched must be what the books call absent. */
static bool are_absent(const struct arena *a, uint64_t intent)
{
	uint32_t seg = INTENT_SEG(intent);
	unsigned end = INTENT_PAGE(intent) + INTENT_NR(intent);

	if (seg >= arena_place.max_segs || end > ARENA_SEG_PAGES)
		return false;
	for (unsigned k = INTENT_PAGE(intent); k < end; k++)
		if (seg < a->hdr->nr_segs &&
		    map_test(segment_of(seg)->present, k))
			return false;
	return true;
}

static bool has_sound_intent(const struct arena *a)
{
	const struct arena_header *h = a->hdr;
	uint64_t steps = INTENT_SEG(h->intent) * h->step;

	switch (INTENT_OP(h->intent)) {
	case INTENT_NONE:
		return true;
	case INTENT_GROW:
	case INTENT_DROP:
	case INTENT_FILL:
	case INTENT_PUNCH:
		return are_absent(a, h->intent);
	case INTENT_WINDOW_LOW:
		return h->window_low - h->root_bytes >= h->step;
	case INTENT_WINDOW_HIGH:
		return h->window_high < arena_place.handles_end;
	case INTENT_TRIM_HANDLES:
		return arena_place.window + arena_first_step(h->step) + steps <=
		       h->window_high;
	case INTENT_TRIM_DESCS:
		return h->window_low - h->root_bytes >= steps;
	default:
		return false;
	}
}

static bool is_page_of(const struct arena *a, uint64_t pfn, unsigned off)
{
	return pfn_in_use(a, pfn) && page_desc_of(pfn)->run_off == off;
}

static bool are_pages_of(const struct arena *a, uint64_t pfn, unsigned pages)
{
	unsigned off = 0;

	if (pages > ARENA_MAX_RUN ||
	    pfn % ARENA_SEG_PAGES + pages > ARENA_SEG_PAGES)
		return false;
	while (off < pages && is_page_of(a, pfn + off, off))
		off++;
	return pages && off == pages;
}

bool arena_is_run(const struct arena *a, uint64_t ref)
{
	return REF_KIND(ref) == REF_RUN &&
	       are_pages_of(a, run_ref_pfn(ref), arena_run_pages(ref));
}

bool arena_holds_run(const struct arena *a, const void *p, unsigned pages,
		     enum arena_page_type type)
{
	uint64_t off = (uint64_t)(uintptr_t)p - ARENA_BASE;
	uint64_t pfn = off / ARENA_PAGE_SIZE;

	return off < arena_place.size && off % ARENA_PAGE_SIZE == 0 &&
	       are_pages_of(a, pfn, pages) && page_desc_of(pfn)->type == type;
}

bool arena_holds_word(const struct arena *a, uint64_t addr)
{
	uint64_t off = addr - ARENA_BASE, pfn = off / ARENA_PAGE_SIZE;
	unsigned type;

	if (addr % sizeof(uint64_t) || off >= arena_place.size ||
	    !pfn_in_use(a, pfn))
		return false;
	type = page_desc_of(pfn)->type;
	return type == ARENA_PAGE_SLAB || type == ARENA_PAGE_DATA;
}

bool arena_owns(struct arena *a, uint64_t ref)
{
	const void *p = slab_addr(ref);

	if (REF_KIND(ref) == REF_RUN)
		return arena_is_run(a, ref);
	return REF_KIND(ref) == REF_SLAB &&
	       (arena_holds_slab(a, p, 1) || slab_record_valid(a, p));
}

static bool is_slab_of(const struct arena *a, unsigned cache, uint32_t pfn)
{
	return pfn_in_use(a, pfn) &&
	       page_desc_of(pfn)->type == ARENA_PAGE_SLAB &&
	       page_desc_of(pfn)->class == cache;
}

/* A slab that objects are taken from has some that are free. */
static bool is_partial(const struct arena *a, unsigned cache, uint32_t pfn)
{
	unsigned objs = slab_objs_per_page(cache);

	return !pfn || (is_slab_of(a, cache, pfn) && page_desc_of(pfn)->inuse &&
			page_desc_of(pfn)->inuse < objs &&
			page_desc_of(pfn)->freeobj < objs);
}

static bool is_spare(const struct arena *a, unsigned cache, uint32_t pfn)
{
	return !pfn || (is_slab_of(a, cache, pfn) && !page_desc_of(pfn)->inuse);
}

/* Nothing of the segment of @link, if there is one, is in use. */
static bool is_unused(uint32_t link)
{
	const struct segment *s = link ? segment_of(link - 1) : NULL;

	return !s || s->nr_free == s->nr_present;
}

/* Bin @nr begins with nothing, or with a segment that is in it. */
static bool has_sound_bin(const struct arena_header *h, unsigned nr)
{
	uint32_t link = h->bin[nr];

	return !link || (link <= h->nr_segs && segment_of(link - 1)->bin == nr);
}

static bool has_sound_holes(const struct arena_header *h)
{
	uint32_t link = h->hole_head;

	return !link || (link <= h->nr_segs &&
			 segment_of(link - 1)->nr_present < ARENA_SEG_PAGES);
}

static bool has_sound_lists(const struct arena *a)
{
	const struct arena_header *h = a->hdr;

	if (!has_sound_holes(h))
		return false;
	for (unsigned i = 0; i < NR_BINS; i++)
		if (!has_sound_bin(h, i))
			return false;
	if (!is_unused(h->bin[BIN_FREE]) || !is_unused(h->bin[BIN_FREE_HOLED]))
		return false;
	for (unsigned i = 0; i < SLAB_NR_CACHES; i++)
		if (!is_partial(a, i, h->slab[i].partial) ||
		    !is_spare(a, i, h->slab[i].spare))
			return false;
	return true;
}

/*
 * Is @ref a run that nothing names? It was to hold objects, and holds none; a
 * slab's spare is known to its cache.
 */
static bool is_pending(const struct arena *a, uint64_t ref)
{
	const struct page_desc *d = page_desc_of(run_ref_pfn(ref));

	if (!arena_is_run(a, ref) || d->inuse || d->type == ARENA_PAGE_DATA)
		return false;
	return d->type != ARENA_PAGE_SLAB || d->class >= SLAB_NR_CACHES ||
	       a->hdr->slab[d->class].spare != run_ref_pfn(ref);
}

/* Are there no segments behind the last? */
static bool has_sound_segments(const struct arena *a)
{
	const struct arena_header *h = a->hdr;
	uint64_t end =
		(arena_place.window - h->window_low) / sizeof(struct segment);

	for (uint64_t seg = h->nr_segs; seg < end; seg++)
		if (segment_of((uint32_t)seg)->nr_present)
			return false;
	return true;
}

static bool has_sound_threads(const struct arena *a)
{
	for (unsigned i = 0; i < a->nr_threads; i++) {
		uint64_t run = a->threads[i].shared->pending_run;

		if (run && !is_pending(a, run))
			return false;
	}
	return true;
}

bool arena_has_sound_books(const struct arena *a)
{
	const struct arena_header *h = a->hdr;

	return has_sound_windows(a) &&
	       h->handles_backed * sizeof(uint64_t) ==
		       h->window_high - arena_place.window &&
	       has_sound_intent(a) && has_sound_segments(a) &&
	       has_sound_lists(a) && has_sound_threads(a);
}
