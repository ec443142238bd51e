/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Checking the arena: segments, bins, counters, and what the file holds.
 *
 * Everything is counted anew from the maps and descriptors of the segments and
 * compared with what the books say. Nothing is believed before it is checked,
 * so that a broken arena gives a sentence and not a crash.
 */
#include "arena_verify_i.h"
#include "segment_i.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

int arena_broken(char *msg, size_t size, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(msg, size, fmt, ap);
	va_end(ap);
	return -EUCLEAN;
}

static int verify_rest(struct verify *v)
{
	const struct arena *a = v->a;

	if (a->hdr->intent)
		return BROKEN(v, "intent %#" PRIx64 " at rest", a->hdr->intent);
	for (unsigned i = 0; i < a->nr_threads; i++) {
		const struct arena_thread_shared *s = a->threads[i].shared;

		if (s->undo.n)
			return BROKEN(v, "thread %u: undo log not empty", i);
		if (s->pending_run)
			return BROKEN(v, "thread %u: a run is pending", i);
	}
	return 0;
}

/* Segments. */

static int verify_maps(struct verify *v, uint32_t seg)
{
	const struct segment *s = segment_of(seg);
	unsigned nr_free = 0, nr_present = 0;

	for (unsigned i = 0; i < MAP_WORDS; i++) {
		if (s->free[i] & ~s->present[i])
			return BROKEN(v, "segment %u: free page is absent",
				      seg);
		if (s->record[i] & (~s->present[i] | s->free[i]))
			return BROKEN(v, "segment %u: records in no run", seg);
		nr_free += (unsigned)__builtin_popcountll(s->free[i]);
		nr_present += (unsigned)__builtin_popcountll(s->present[i]);
	}
	if (nr_free != s->nr_free || nr_present != s->nr_present)
		return BROKEN(v, "segment %u: %u free, %u present, not %u, %u",
			      seg, nr_free, nr_present, s->nr_free,
			      s->nr_present);
	if (s->max_run != map_longest(s->free))
		return BROKEN(v, "segment %u: longest run is %u, not %u", seg,
			      map_longest(s->free), s->max_run);
	if (s->transient > (s->nr_free != s->nr_present))
		return BROKEN(v, "segment %u: transient, %u of %u pages free",
			      seg, s->nr_free, s->nr_present);
	if (s->bin != seg_bin_for(s))
		return BROKEN(v, "segment %u: in bin %u, not %u", seg, s->bin,
			      seg_bin_for(s));
	return 0;
}

static int verify_holes(struct verify *v, uint32_t seg)
{
	const struct segment *s = segment_of(seg);
	unsigned end = 0;

	if (!s->nr_present)
		return 0;
	for (;;) {
		unsigned first = map_next(s->present, end, false);

		if (first == ARENA_SEG_PAGES)
			return 0;
		end = map_next(s->present, first, true);
		if (end - first < ARENA_MIN_HOLE)
			return BROKEN(v, "segment %u: hole of %u pages at %u",
				      seg, end - first, first);
	}
}

static int verify_page(struct verify *v, uint32_t seg, unsigned page)
{
	const struct segment *s = segment_of(seg);
	const struct page_desc *d = &s->desc[page];

	if (map_test(s->free, page) || !map_test(s->present, page)) {
		if (d->word)
			return BROKEN(v,
				      "segment %u page %u: not in use, "
				      "descriptor %#" PRIx64,
				      seg, page, d->word);
		return 0;
	}
	if (d->type == ARENA_PAGE_NONE || d->type >= ARENA_NR_PAGE_TYPES)
		return BROKEN(v, "segment %u page %u: type %u", seg, page,
			      d->type);
	if (d->run_off >= ARENA_MAX_RUN || d->run_off > page)
		return BROKEN(v, "segment %u page %u: run offset %u", seg, page,
			      d->run_off);
	if (d->run_off &&
	    (d[-1].type != d->type || d[-1].run_off + 1 != d->run_off))
		return BROKEN(v, "segment %u page %u: run is torn", seg, page);
	v->pages[d->type]++;
	v->in_use++;
	if (d->type == ARENA_PAGE_SLAB)
		return verify_slab(v, seg_pfn(seg) + page);
	if (map_test(s->record, page))
		return BROKEN(v, "segment %u page %u: no slab of records", seg,
			      page);
	return 0;
}

static int verify_segment(struct verify *v, uint32_t seg)
{
	const struct segment *s = segment_of(seg);
	int err = verify_maps(v, seg);

	if (!err)
		err = verify_holes(v, seg);
	for (unsigned i = 0; !err && i < ARENA_SEG_PAGES; i++)
		err = verify_page(v, seg, i);
	if (err)
		return err;

	v->free += s->nr_free;
	v->present += s->nr_present;
	v->segments += s->nr_present != 0;
	v->free_segs += s->nr_present && s->nr_free == s->nr_present;
	v->free_transient += s->transient ? s->nr_free : 0;
	v->in_bin[s->bin]++;
	if (seg_is_holed(s->nr_free, s->nr_present)) {
		v->holed++;
		v->hole_pages += ARENA_SEG_PAGES - s->nr_present;
	}
	return 0;
}

/* Lists. */

static int verify_bin(struct verify *v, unsigned bin)
{
	uint32_t link = v->a->hdr->bin[bin], prev = 0;
	uint64_t n = 0;

	while (link) {
		const struct segment *s;

		if (link > v->a->hdr->nr_segs || ++n > v->in_bin[bin])
			return BROKEN(v, "bin %u: list goes astray", bin);
		s = segment_of(link - 1);
		if (s->bin != bin || s->prev != prev)
			return BROKEN(v, "bin %u: segment %u is misplaced", bin,
				      link - 1);
		prev = link;
		link = s->next;
	}
	if (n != v->in_bin[bin])
		return BROKEN(
			v, "bin %u: %" PRIu64 " segments are not in its list",
			bin, v->in_bin[bin] - n);
	return 0;
}

static int verify_hole_list(struct verify *v)
{
	uint32_t link = v->a->hdr->hole_head, prev = 0;
	uint64_t n = 0;

	while (link) {
		const struct segment *s;

		if (link > v->a->hdr->nr_segs || ++n > v->holed)
			return BROKEN(v, "hole list goes astray");
		s = segment_of(link - 1);
		if (s->hole_prev != prev ||
		    !seg_is_holed(s->nr_free, s->nr_present))
			return BROKEN(v, "hole list: segment %u is misplaced",
				      link - 1);
		prev = link;
		link = s->hole_next;
	}
	if (n != v->holed)
		return BROKEN(v, "hole list: %" PRIu64 " segments are missing",
			      v->holed - n);
	return 0;
}

/* Counters. */

static int verify_counter(struct verify *v, const char *name, uint64_t have,
			  uint64_t want)
{
	if (have == want)
		return 0;
	return BROKEN(v, "%s is %" PRIu64 ", not %" PRIu64, name, have, want);
}

static int verify_counters(struct verify *v)
{
	const struct arena_header *h = v->a->hdr;
	uint64_t used =
		arena_fixed_bytes_locked(v->a) + v->present * ARENA_PAGE_SIZE;
	const struct {
		const char *name;
		uint64_t have, want;
	} counters[] = {
		{"used", h->used, used},
		{"in_use", h->in_use, v->in_use},
		{"free_pages", h->free_pages, v->free},
		{"free_transient", h->free_transient, v->free_transient},
		{"hole_pages", h->hole_pages, v->hole_pages},
		{"segments", h->segments, v->segments},
		{"free_segs", h->free_segs, v->free_segs},
		{"pages of zspages", h->pages[ARENA_PAGE_ZSPAGE],
		 v->pages[ARENA_PAGE_ZSPAGE]},
		{"pages of slabs", h->pages[ARENA_PAGE_SLAB],
		 v->pages[ARENA_PAGE_SLAB]},
		{"pages of data", h->pages[ARENA_PAGE_DATA],
		 v->pages[ARENA_PAGE_DATA]},
		{"handles_backed", h->handles_backed,
		 (h->window_high - arena_place.window) / sizeof(uint64_t)},
	};
	int err = 0;

	for (unsigned i = 0; !err && i < sizeof(counters) / sizeof(*counters);
	     i++)
		err = verify_counter(v, counters[i].name, counters[i].have,
				     counters[i].want);
	if (!err && h->used_max < h->used)
		err = BROKEN(v, "peak is lower than use");
	return err;
}

/*
 * The file must hold all that the books say. It may hold more only on huge
 * pages: the kernel does not split one that somebody uses while we punch.
 */
static int verify_backing(struct verify *v)
{
	const struct arena_header *h = v->a->hdr;
	struct stat st;
	uint64_t held;

	if (fstat(v->a->fd, &st) < 0)
		return BROKEN(v, "fstat: %s", strerror(errno));
	held = (uint64_t)st.st_blocks * 512;
	if (held < h->used || (held > h->used && !h->huge))
		return BROKEN(v,
			      "the file holds %" PRIu64 " bytes, not %" PRIu64,
			      held, h->used);
	return 0;
}

int arena_verify(struct arena *a, char *msg, size_t size)
{
	struct verify v = {.a = a, .msg = msg, .size = size};
	int err = verify_rest(&v);

	if (!err && a->hdr->nr_segs > arena_place.max_segs)
		err = BROKEN(&v, "too many segments");
	if (!err && arena_window_need(a, 0))
		err = BROKEN(&v, "descriptors are not backed");
	for (uint64_t seg = 0; !err && seg < a->hdr->nr_segs; seg++)
		err = verify_segment(&v, (uint32_t)seg);
	for (unsigned bin = BIN_RUN; !err && bin < NR_BINS; bin++)
		err = verify_bin(&v, bin);
	if (!err)
		err = verify_hole_list(&v);
	if (!err)
		err = verify_counters(&v);
	if (!err)
		err = verify_slab_lists(&v);
	if (!err)
		err = verify_backing(&v);
	return err;
}
