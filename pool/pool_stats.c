/* SPDX-License-Identifier: BSD-3-Clause */
/* Statistics of the pool. Every class is read under its lock, one at a time. */
#include "zsmalloc_i.h"

#include <string.h>

static uint64_t class_pages(const struct size_class *class)
{
	return class_zspages(class) * class->pages;
}

uint64_t zs_class_freeable_locked(const struct size_class *class)
{
	uint64_t room = class_zspages(class) * class->objs;

	return (room - class->root->objs_used) / class->objs * class->pages;
}

static uint64_t sum_classes(struct zs_pool *pool,
			    uint64_t (*fn)(const struct size_class *class))
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < pool->nr_classes; i++) {
		zs_lock(&pool->class[i].lock);
		sum += fn(&pool->class[i]);
		zs_unlock(&pool->class[i].lock);
	}
	return sum;
}

uint64_t zs_can_compact(struct zs_pool *pool)
{
	return sum_classes(pool, zs_class_freeable_locked);
}

uint64_t zs_get_total_pages(struct zs_pool *pool)
{
	return sum_classes(pool, class_pages);
}

void zs_pool_get_stats(struct zs_pool *pool, struct zs_pool_stats *out)
{
	struct zs_pool_root *root = pool->root;

	memset(out, 0, sizeof(*out));
	for (unsigned i = 0; i < pool->nr_classes; i++) {
		struct size_class *class = &pool->class[i];

		zs_lock(&class->lock);
		out->pages_used += class_pages(class);
		out->objs_used += class->root->objs_used;
		out->payload += class->root->payload;
		if (class->huge)
			out->huge_objs = class->root->objs_used;
		zs_unlock(&class->lock);
	}
	out->pages_compacted =
		__atomic_load_n(&root->pages_compacted, __ATOMIC_RELAXED);
	out->compactions =
		__atomic_load_n(&root->compactions, __ATOMIC_RELAXED);
	out->last_compacted =
		__atomic_load_n(&root->last_compacted, __ATOMIC_RELAXED);
	out->handle_bytes = arena_handles_backed(pool->arena) * 8;
}

/* @out is all zeros. */
static void fill_zspage_stats(const struct zs_class_root *root,
			      struct zs_class_stats *out)
{
	for (unsigned g = 0; g < ZS_NR_GROUPS; g++) {
		uint32_t n = root->group[g].count;

		out->inuse[group_fullness(g)] += n;
		if (group_has_list(g) && g < ZS_GROUP_ALMOST_FULL)
			out->almost_empty += n;
		else if (group_has_list(g))
			out->almost_full += n;
	}
}

static void fill_class_stats(const struct size_class *class,
			     struct zs_class_stats *out)
{
	const struct zs_class_root *root = class->root;

	memset(out, 0, sizeof(*out));
	out->index = class->index;
	out->size = class->size;
	out->pages_per_zspage = class->pages;
	out->objs_per_zspage = class->objs;
	out->huge = class->huge;
	fill_zspage_stats(root, out);
	out->obj_allocated = class_zspages(class) * class->objs;
	out->obj_used = root->objs_used;
	out->payload = root->payload;
	out->pages_used = class_pages(class);
	out->freeable = zs_class_freeable_locked(class);
}

unsigned zs_class_stats(struct zs_pool *pool,
			struct zs_class_stats out[ZS_SIZE_CLASSES])
{
	unsigned n = pool->nr_classes;

	for (unsigned i = 0; i < n; i++) {
		struct size_class *class = &pool->class[n - 1 - i];

		zs_lock(&class->lock);
		fill_class_stats(class, &out[i]);
		zs_unlock(&class->lock);
	}
	return n;
}
