/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Slabs: pages cut into equal objects.
 *
 * A slab's free objects form a list through their first words, by index:
 *   (next + 1) << 1, 0 at the end. So the first word of a free object is even.
 * The list's head and the number of objects in use are in the page's
 * descriptor, whose `class` names the cache.
 *
 * Invariants (under the cache's lock)
 *   - slabs with both free and used objects are in the partial list, full ones
 *     in none; the only one without used objects is the spare
 *   - segment.record has the bit of every slab of SLAB_RECORD, and no other
 *
 * A page comes and goes in two steps: from or to the arena by way of the
 * thread's pending_run, and from there into or out of the cache.
 */
#include "run_map.h"

#include <errno.h>

/* recip: offset * recip >> 24 == offset / size for every offset in a page. */
struct slab_size {
	uint32_t size;
	uint32_t objs;
	uint32_t recip;
};

#define SLAB_OF(n)                                                             \
	{                                                                      \
		(n), ARENA_PAGE_SIZE / (n), (1u << 24) / (n) + 1               \
	}

static const struct slab_size sizes[SLAB_NR_CACHES] = {
	[SLAB_RECORD] = SLAB_OF(SLAB_RECORD_SIZE),
	[SLAB_BUF_32] = SLAB_OF(32),
	[SLAB_BUF_40] = SLAB_OF(40),
	[SLAB_BUF_48] = SLAB_OF(48),
	[SLAB_BUF_56] = SLAB_OF(56),
	[SLAB_BUF_64] = SLAB_OF(64),
	[SLAB_BUF_72] = SLAB_OF(72),
	[SLAB_BUF_80] = SLAB_OF(80),
	[SLAB_BUF_88] = SLAB_OF(88),
	[SLAB_BUF_96] = SLAB_OF(96),
	[SLAB_BUF_104] = SLAB_OF(104),
	[SLAB_BUF_112] = SLAB_OF(112),
	[SLAB_BUF_120] = SLAB_OF(120),
	[SLAB_BUF_128] = SLAB_OF(128),
	[SLAB_BUF_144] = SLAB_OF(144),
	[SLAB_BUF_160] = SLAB_OF(160),
	[SLAB_BUF_176] = SLAB_OF(176),
	[SLAB_BUF_192] = SLAB_OF(192),
	[SLAB_BUF_208] = SLAB_OF(208),
	[SLAB_BUF_224] = SLAB_OF(224),
	[SLAB_BUF_240] = SLAB_OF(240),
	[SLAB_BUF_256] = SLAB_OF(256),
	[SLAB_BUF_272] = SLAB_OF(272),
	[SLAB_BUF_288] = SLAB_OF(288),
	[SLAB_BUF_512] = SLAB_OF(512),
	[SLAB_BUF_1024] = SLAB_OF(1024),
	[SLAB_BUF_2048] = SLAB_OF(2048),
	[SLAB_BUF_4096] = SLAB_OF(4096),
};

enum slab_cache slab_cache_for(size_t size)
{
	unsigned cache = SLAB_BUF_512;

	assert(size >= 1 && size <= ARENA_PAGE_SIZE);
	if (size <= 32)
		return SLAB_BUF_32;
	if (size <= 128)
		return SLAB_BUF_32 + (unsigned)(size - 32 + 7) / 8;
	if (size <= 288)
		return SLAB_BUF_128 + (unsigned)(size - 128 + 15) / 16;
	while (sizes[cache].size < size)
		cache++;
	return cache;
}

size_t slab_object_size(enum slab_cache cache)
{
	return sizes[cache].size;
}

unsigned slab_objs_per_page(enum slab_cache cache)
{
	return sizes[cache].objs;
}

static uint64_t *object_at(uint64_t pfn, enum slab_cache cache, unsigned idx)
{
	return (uint64_t *)((char *)pfn_to_addr(pfn) +
			    (size_t)idx * sizes[cache].size);
}

static unsigned index_of(const void *obj, enum slab_cache cache)
{
	unsigned off = (uintptr_t)obj % ARENA_PAGE_SIZE;

	return (unsigned)((uint64_t)off * sizes[cache].recip >> 24);
}

/* The partial list. */

static void link_partial(struct arena *a, struct undo_log *u,
			 enum slab_cache cache, uint32_t pfn)
{
	struct slab_head *h = &a->hdr->slab[cache];
	struct page_desc *d = page_desc_of(pfn);

	undo_save(u, &d->head);
	d->next = h->partial;
	d->prev = 0;
	if (h->partial)
		UNDO_SET(u, &page_desc_of(h->partial)->prev, pfn);
	UNDO_SET(u, &h->partial, pfn);
}

static void unlink_partial(struct arena *a, struct undo_log *u,
			   enum slab_cache cache, uint32_t pfn)
{
	struct slab_head *h = &a->hdr->slab[cache];
	struct page_desc *d = page_desc_of(pfn);

	if (d->next)
		UNDO_SET(u, &page_desc_of(d->next)->prev, d->prev);
	if (d->prev)
		UNDO_SET(u, &page_desc_of(d->prev)->next, d->next);
	else
		UNDO_SET(u, &h->partial, d->next);
	undo_set(u, &d->head, 0);
}

/* Pages of a cache. */

static void mark_record_slab(struct undo_log *u, uint64_t pfn, bool val)
{
	map_change(u, segment_of(pfn_seg(pfn))->record, pfn % ARENA_SEG_PAGES,
		   1, val);
}

/* Make the page in pending_run an empty slab, for now in no list. */
static uint32_t attach_page(struct arena *a, struct arena_thread *t,
			    struct undo_log *u, enum slab_cache cache)
{
	uint64_t pfn = run_ref_pfn(t->shared->pending_run);
	struct page_desc *d = page_desc_of(pfn);
	unsigned objs = sizes[cache].objs;

	/* Nobody else knows the page: its content needs no undo. */
	for (unsigned i = 0; i < objs; i++)
		*object_at(pfn, cache, i) =
			i + 1 < objs ? (uint64_t)(i + 2) << 1 : 0;
	undo_save(u, &d->word);
	d->inuse = 0;
	d->freeobj = 0;
	d->class = (uint8_t)cache;
	if (cache == SLAB_RECORD)
		mark_record_slab(u, pfn, true);
	undo_set(u, &a->hdr->slab[cache].slabs, a->hdr->slab[cache].slabs + 1);
	undo_set(u, &t->shared->pending_run, 0);
	return (uint32_t)pfn;
}

/* The reverse, of an empty slab that is in no list any more. */
static void detach_page(struct arena *a, struct arena_thread *t,
			struct undo_log *u, enum slab_cache cache, uint32_t pfn)
{
	struct page_desc *d = page_desc_of(pfn);

	undo_save(u, &d->word);
	d->class = SLAB_NO_CACHE;
	if (cache == SLAB_RECORD)
		mark_record_slab(u, pfn, false);
	undo_set(u, &a->hdr->slab[cache].slabs, a->hdr->slab[cache].slabs - 1);
	undo_set(u, &t->shared->pending_run, run_ref(pfn, 1));
}

/* Allocation. */

/* Take the first free object of slab @pfn. */
static void take_object(struct arena *a, struct undo_log *u,
			enum slab_cache cache, uint32_t pfn, uint64_t *ref)
{
	struct slab_head *h = &a->hdr->slab[cache];
	struct page_desc *d = page_desc_of(pfn);
	uint64_t *obj = object_at(pfn, cache, d->freeobj);
	bool was_empty = !d->inuse;

	undo_save(u, &d->word);
	d->freeobj = (uint16_t)((*obj >> 1) - 1); /* at the end NO_FREE_OBJ */
	d->inuse++;
	if (was_empty && d->freeobj != NO_FREE_OBJ)
		link_partial(a, u, cache, pfn);
	else if (!was_empty && d->freeobj == NO_FREE_OBJ)
		unlink_partial(a, u, cache, pfn);
	undo_set(u, &h->objs, h->objs + 1);
	if (cache == SLAB_RECORD)
		undo_set(u, obj, 1);
	undo_set(u, ref, slab_ref(obj));
}

static bool take_locked(struct arena *a, struct arena_thread *t,
			enum slab_cache cache, uint64_t *ref)
{
	struct slab_head *h = &a->hdr->slab[cache];
	uint32_t pfn = h->partial ? h->partial : h->spare;
	struct undo_log *u;

	if (!pfn)
		return false;
	u = undo_begin(t);
	if (pfn == h->spare)
		UNDO_SET(u, &h->spare, 0);
	take_object(a, u, cache, pfn, ref);
	undo_commit(u);
	return true;
}

static int take_from_new_page(struct arena *a, struct arena_thread *t,
			      enum slab_cache cache, uint64_t *ref)
{
	struct undo_log *u;
	int err = arena_run_alloc(a, t, 1, ARENA_PAGE_SLAB,
				  &t->shared->pending_run);

	if (err)
		return err;
	ranked_lock(&a->slab_lock[cache], RANK_SLAB, cache);
	u = undo_begin(t);
	take_object(a, u, cache, attach_page(a, t, u, cache), ref);
	undo_commit(u);
	ranked_unlock(&a->slab_lock[cache], RANK_SLAB, cache);
	return 0;
}

int slab_alloc(struct arena *a, struct arena_thread *t, enum slab_cache cache,
	       uint64_t *ref)
{
	bool done;

	assert(cache < SLAB_NR_CACHES && !*ref);
	if (zs_should_fail())
		return -ENOSPC;
	ranked_lock(&a->slab_lock[cache], RANK_SLAB, cache);
	done = take_locked(a, t, cache, ref);
	ranked_unlock(&a->slab_lock[cache], RANK_SLAB, cache);
	return done ? 0 : take_from_new_page(a, t, cache, ref);
}

/* Freeing. */

/* Put an object back into its slab; lists are the caller's. */
static void put_object(struct arena *a, struct undo_log *u,
		       enum slab_cache cache, uint64_t *obj, uint64_t *ref)
{
	struct slab_head *h = &a->hdr->slab[cache];
	struct page_desc *d = page_desc_of(addr_to_pfn(obj));

	undo_set(u, obj, ((uint64_t)(uint16_t)(d->freeobj + 1)) << 1);
	undo_save(u, &d->word);
	d->freeobj = (uint16_t)index_of(obj, cache);
	d->inuse--;
	undo_set(u, &h->objs, h->objs - 1);
	undo_set(u, ref, 0);
}

/* True when a page went to pending_run. */
static bool put_locked(struct arena *a, struct arena_thread *t,
		       enum slab_cache cache, uint64_t *ref)
{
	struct slab_head *h = &a->hdr->slab[cache];
	uint64_t *obj = slab_addr(*ref);
	uint32_t pfn = (uint32_t)addr_to_pfn(obj);
	struct page_desc *d = page_desc_of(pfn);
	struct undo_log *u = undo_begin(t);
	bool was_full = d->freeobj == NO_FREE_OBJ;
	bool detach = false;

	put_object(a, u, cache, obj, ref);
	if (d->inuse) {
		if (was_full)
			link_partial(a, u, cache, pfn);
	} else {
		if (!was_full)
			unlink_partial(a, u, cache, pfn);
		detach = h->spare != 0;
		if (detach)
			detach_page(a, t, u, cache, pfn);
		else
			UNDO_SET(u, &h->spare, pfn);
	}
	undo_commit(u);
	return detach;
}

#ifndef NDEBUG
static bool is_object(const struct arena *a, uint64_t ref)
{
	const void *p = slab_addr(ref);
	const struct page_desc *d;

	if (REF_KIND(ref) != REF_SLAB || !pfn_valid(a, addr_to_pfn(p)))
		return false;
	d = page_desc_of(addr_to_pfn(p));
	return d->type == ARENA_PAGE_SLAB && d->class < SLAB_NR_CACHES &&
	       d->inuse &&
	       object_at(addr_to_pfn(p), d->class, index_of(p, d->class)) == p;
}
#endif

void slab_free(struct arena *a, struct arena_thread *t, uint64_t *ref)
{
	enum slab_cache cache;
	bool detached;

	if (!*ref)
		return;
	/* The page is ours as long as the object is: its class stays. */
	cache = page_desc_of(addr_to_pfn(slab_addr(*ref)))->class;
	ranked_lock(&a->slab_lock[cache], RANK_SLAB, cache);
	assert(is_object(a, *ref));
	detached = put_locked(a, t, cache, ref);
	ranked_unlock(&a->slab_lock[cache], RANK_SLAB, cache);
	if (detached)
		arena_run_free(a, t, &t->shared->pending_run);
}

void slab_drop_spares(struct arena *a, struct arena_thread *t)
{
	for (unsigned cache = 0; cache < SLAB_NR_CACHES; cache++) {
		struct slab_head *h = &a->hdr->slab[cache];

		ranked_lock(&a->slab_lock[cache], RANK_SLAB, cache);
		if (h->spare) {
			struct undo_log *u = undo_begin(t);

			detach_page(a, t, u, cache, h->spare);
			UNDO_SET(u, &h->spare, 0);
			undo_commit(u);
		}
		ranked_unlock(&a->slab_lock[cache], RANK_SLAB, cache);
		arena_run_free(a, t, &t->shared->pending_run);
	}
}

bool arena_holds_slab(const struct arena *a, const void *p, size_t size)
{
	uint64_t pfn = addr_to_pfn(p);
	const struct page_desc *d;

	if ((uint64_t)(uintptr_t)p - ARENA_BASE >= ARENA_SIZE ||
	    !pfn_valid(a, pfn))
		return false;
	d = page_desc_of(pfn);
	return d->type == ARENA_PAGE_SLAB && d->class != SLAB_RECORD &&
	       d->class < SLAB_NR_CACHES && sizes[d->class].size >= size &&
	       object_at(pfn, d->class, index_of(p, d->class)) == p;
}

/* Records. */

static bool is_record_slab(uint64_t pfn)
{
	return map_test(segment_of(pfn_seg(pfn))->record,
			pfn % ARENA_SEG_PAGES);
}

/* The owner keeps the first 32 bits odd, which are even in a free one. */
static bool record_in_use(const void *obj)
{
	return __atomic_load_n((const uint32_t *)obj, __ATOMIC_RELAXED) & 1;
}

bool slab_record_valid(struct arena *a, const void *p)
{
	uint64_t off = (uint64_t)(uintptr_t)p - ARENA_BASE;
	uint64_t pfn = off / ARENA_PAGE_SIZE;
	unsigned idx = index_of(p, SLAB_RECORD);
	bool valid;

	if (off >= ARENA_SIZE || idx >= sizes[SLAB_RECORD].objs ||
	    object_at(pfn, SLAB_RECORD, idx) != p)
		return false;
	ranked_lock(&a->slab_lock[SLAB_RECORD], RANK_SLAB, SLAB_RECORD);
	/* Descriptors only go while nobody is in here. */
	valid = pfn_valid(a, pfn) && is_record_slab(pfn) && record_in_use(p);
	ranked_unlock(&a->slab_lock[SLAB_RECORD], RANK_SLAB, SLAB_RECORD);
	return valid;
}

/* The first object in use of slab @pfn from number @idx on, or NULL. */
static void *next_in_slab(uint64_t pfn, unsigned idx)
{
	for (; idx < sizes[SLAB_RECORD].objs; idx++) {
		uint64_t *obj = object_at(pfn, SLAB_RECORD, idx);

		if (record_in_use(obj))
			return obj;
	}
	return NULL;
}

/* In the slabs from page number @pfn on. */
static void *next_record_locked(struct arena *a, uint64_t pfn)
{
	uint64_t seg = pfn_seg(pfn);
	unsigned i = pfn % ARENA_SEG_PAGES;

	for (; seg < arena_nr_segs(a); seg++, i = 0) {
		const uint64_t *map = segment_of((uint32_t)seg)->record;

		for (i = map_next(map, i, true); i < ARENA_SEG_PAGES;
		     i = map_next(map, i + 1, true)) {
			void *obj = next_in_slab(seg_pfn((uint32_t)seg) + i, 0);

			if (obj)
				return obj;
		}
	}
	return NULL;
}

void *slab_next_record(struct arena *a, const void *after)
{
	uint64_t pfn = after ? addr_to_pfn(after) : seg_pfn(0);
	void *obj = NULL;

	ranked_lock(&a->slab_lock[SLAB_RECORD], RANK_SLAB, SLAB_RECORD);
	/* Descriptors only go while nobody is in here. */
	if (after && pfn_valid(a, pfn) && is_record_slab(pfn))
		obj = next_in_slab(pfn, index_of(after, SLAB_RECORD) + 1);
	if (!obj)
		obj = next_record_locked(a, pfn + (after ? 1 : 0));
	ranked_unlock(&a->slab_lock[SLAB_RECORD], RANK_SLAB, SLAB_RECORD);
	return obj;
}

static int for_each_in_slab(uint64_t pfn, int (*fn)(void *obj, void *arg),
			    void *arg)
{
	int err = 0;

	/* @fn may free the object it is given, and with it the slab. */
	for (unsigned i = 0;
	     !err && i < sizes[SLAB_RECORD].objs && is_record_slab(pfn); i++) {
		uint64_t *obj = object_at(pfn, SLAB_RECORD, i);

		if (record_in_use(obj))
			err = fn(obj, arg);
	}
	return err;
}

int slab_for_each_record(struct arena *a, int (*fn)(void *obj, void *arg),
			 void *arg)
{
	int err = 0;

	for (uint64_t seg = 0; !err && seg < arena_nr_segs(a); seg++) {
		const uint64_t *map = segment_of((uint32_t)seg)->record;
		unsigned i = map_next(map, 0, true);

		for (; !err && i < ARENA_SEG_PAGES;
		     i = map_next(map, i + 1, true))
			err = for_each_in_slab(seg_pfn((uint32_t)seg) + i, fn,
					       arg);
	}
	return err;
}
