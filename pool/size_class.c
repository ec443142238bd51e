/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Size classes: which chunk sizes there are, and how many pages a zspage of
 * each has. Everything follows from the chain size, so none of it is stored.
 */
#include "zsmalloc_i.h"

/* How many pages leave the least unused at the end of a zspage. */
static unsigned zspage_chain_size(unsigned size, unsigned max_pages)
{
	unsigned best = 1, least_waste = ARENA_PAGE_SIZE;

	if (!(size & (size - 1)))
		return 1;
	for (unsigned pages = 1; pages <= max_pages; pages++) {
		unsigned waste = pages * ARENA_PAGE_SIZE % size;

		if (waste < least_waste) {
			least_waste = waste;
			best = pages;
		}
	}
	return best;
}

/*
 * Chunks of both sizes come as many to a zspage of the same length: then the
 * smaller class would save nothing and only spread the objects thinner.
 */
static bool can_merge(const struct size_class *larger, unsigned pages,
		      unsigned objs)
{
	return larger && larger->pages == pages && larger->objs == objs;
}

static uint32_t recip_of(unsigned x)
{
	return (uint32_t)(((UINT64_C(1) << 32) + x - 1) / x);
}

static struct size_class *add_class(struct zs_pool *pool, unsigned index,
				    unsigned size, unsigned pages)
{
	unsigned slot = pool->nr_classes++;
	struct size_class *class = &pool->class[slot];

	zs_lock_init(&class->lock, RANK_CLASS, slot);
	class->slot = (uint8_t)slot;
	class->index = (uint16_t)index;
	class->size = (uint16_t)size;
	class->pages = (uint16_t)pages;
	class->objs = (uint16_t)(pages * ARENA_PAGE_SIZE / size);
	class->almost_empty_max = class->objs * 3 / 4;
	class->huge = class->objs == 1;
	class->unit_recip = recip_of(size / ZS_CHUNK_UNIT);
	class->objs_recip = class->huge ? 0 : recip_of(class->objs);
	class->root = &pool->root->class[slot];
	return class;
}

/* Largest first, since a class may only be merged into a larger one. */
void zs_init_classes(struct zs_pool *pool, unsigned chain_size)
{
	const struct size_class *last = NULL;

	pool->nr_classes = 0;
	for (unsigned i = ZS_SIZE_CLASSES; i-- > 0;) {
		unsigned size = ZS_MIN_ALLOC_SIZE + i * ZS_SIZE_CLASS_DELTA;
		unsigned pages = zspage_chain_size(size, chain_size);

		if (!can_merge(last, pages, pages * ARENA_PAGE_SIZE / size))
			last = add_class(pool, i, size, pages);
		pool->slot_of[i] = last->slot;
	}
	/* Slot 0 is the huge class, slot 1 the largest that shares pages. */
	pool->huge_size = pool->class[1].size - ZS_HEAD_SIZE + 1;
}

unsigned zs_lookup_class_index(struct zs_pool *pool, size_t size)
{
	return size_class_for(pool, size)->index;
}

size_t zs_huge_class_size(struct zs_pool *pool)
{
	return pool->huge_size;
}

unsigned zs_chain_size(struct zs_pool *pool)
{
	return pool->root->chain_size;
}
