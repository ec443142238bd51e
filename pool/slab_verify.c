/* SPDX-License-Identifier: BSD-3-Clause */
/* Checking the slabs: their free lists, partial lists and counters. */
#include "arena_verify_i.h"
#include "run_map.h"

#include <inttypes.h>

#define MAX_OBJS (ARENA_PAGE_SIZE / 32)

static const uint64_t *object_word(uint64_t pfn, enum slab_cache cache,
				   unsigned idx)
{
	return (const uint64_t *)((const char *)pfn_to_addr(pfn) +
				  idx * slab_object_size(cache));
}

/* Walk the free list; what is on it is set in @is_free. */
static int walk_free_list(struct verify *v, uint64_t pfn, bool *is_free)
{
	const struct page_desc *d = page_desc_of(pfn);
	unsigned objs = slab_objs_per_page(d->class);
	unsigned idx = d->freeobj, n = 0;

	while (idx != NO_FREE_OBJ) {
		uint64_t word;

		if (idx >= objs || is_free[idx])
			return BROKEN(v,
				      "slab %" PRIu64 ": free list goes astray",
				      pfn);
		word = *object_word(pfn, d->class, idx);
		if (word & 1 || word > 2 * UINT64_C(0xffff))
			return BROKEN(v,
				      "slab %" PRIu64
				      ": free object %u holds %#" PRIx64,
				      pfn, idx, word);
		is_free[idx] = true;
		n++;
		idx = (uint16_t)((word >> 1) - 1);
	}
	if (n + d->inuse != objs)
		return BROKEN(v,
			      "slab %" PRIu64
			      ": %u free and %u used of %u objects",
			      pfn, n, d->inuse, objs);
	return 0;
}

static int verify_records(struct verify *v, uint64_t pfn, const bool *is_free)
{
	for (unsigned i = 0; i < slab_objs_per_page(SLAB_RECORD); i++) {
		if (is_free[i] == (*object_word(pfn, SLAB_RECORD, i) & 1))
			return BROKEN(v,
				      "slab %" PRIu64 ": record %u is neither "
				      "free nor used",
				      pfn, i);
	}
	return 0;
}

int verify_slab(struct verify *v, uint64_t pfn)
{
	const struct page_desc *d = page_desc_of(pfn);
	const struct segment *s = segment_of(pfn_seg(pfn));
	bool is_free[MAX_OBJS] = {false};
	unsigned cache = d->class;
	int err;

	if (d->run_off || cache >= SLAB_NR_CACHES)
		return BROKEN(v,
			      "slab %" PRIu64 ": cache %u, page %u of its run",
			      pfn, cache, d->run_off);
	if (map_test(s->record, pfn % ARENA_SEG_PAGES) !=
	    (cache == SLAB_RECORD))
		return BROKEN(v,
			      "slab %" PRIu64
			      ": cache %u, but map of records says "
			      "otherwise",
			      pfn, cache);
	if (!d->inuse && v->a->hdr->slab[cache].spare != pfn)
		return BROKEN(v, "slab %" PRIu64 " is empty and not the spare",
			      pfn);
	err = walk_free_list(v, pfn, is_free);
	if (!err && cache == SLAB_RECORD)
		err = verify_records(v, pfn, is_free);
	v->slabs[cache]++;
	v->slab_objs[cache] += d->inuse;
	v->slab_partial[cache] += d->inuse && d->freeobj != NO_FREE_OBJ;
	return err;
}

static bool is_slab_of(const struct verify *v, unsigned cache, uint32_t pfn)
{
	const struct page_desc *d;

	if (!pfn_in_use(v->a, pfn))
		return false;
	d = page_desc_of(pfn);
	return d->type == ARENA_PAGE_SLAB && d->class == cache;
}

static int verify_partial_list(struct verify *v, unsigned cache)
{
	uint32_t pfn = v->a->hdr->slab[cache].partial, prev = 0;
	uint64_t n = 0;

	while (pfn) {
		const struct page_desc *d;

		if (!is_slab_of(v, cache, pfn) || ++n > v->slab_partial[cache])
			return BROKEN(v, "cache %u: partial list goes astray",
				      cache);
		d = page_desc_of(pfn);
		if (d->prev != prev || !d->inuse || d->freeobj == NO_FREE_OBJ)
			return BROKEN(v, "cache %u: slab %u is misplaced",
				      cache, pfn);
		prev = pfn;
		pfn = d->next;
	}
	if (n != v->slab_partial[cache])
		return BROKEN(v,
			      "cache %u: %" PRIu64 " slabs missing in its list",
			      cache, v->slab_partial[cache] - n);
	return 0;
}

static int verify_cache(struct verify *v, unsigned cache)
{
	const struct slab_head *h = &v->a->hdr->slab[cache];

	if (h->slabs != v->slabs[cache] || h->objs != v->slab_objs[cache])
		return BROKEN(v,
			      "cache %u: %" PRIu64 " objects in %" PRIu64
			      " slabs, not %" PRIu64 " in %" PRIu64,
			      cache, v->slab_objs[cache], v->slabs[cache],
			      h->objs, h->slabs);
	if (h->spare &&
	    (!is_slab_of(v, cache, h->spare) || page_desc_of(h->spare)->inuse))
		return BROKEN(v, "cache %u: spare %u is no empty slab", cache,
			      h->spare);
	return verify_partial_list(v, cache);
}

int verify_slab_lists(struct verify *v)
{
	int err = 0;

	for (unsigned i = 0; !err && i < SLAB_NR_CACHES; i++)
		err = verify_cache(v, i);
	return err;
}
