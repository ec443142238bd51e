/* SPDX-License-Identifier: BSD-3-Clause */
/* A walk through all nodes of a block table, whose counts it checks. */
#include <errno.h>

#include "block_table_i.h"

struct each {
	const struct arena *arena;
	int (*fn)(const struct table_node *node, void *arg);
	void *arg;
};

static int each_below(const struct each *e, const struct table_node *node,
		      uint64_t *n);

/* Visit what slot @k of @node, which is above the leaves, leads to. */
static int each_link(const struct each *e, const struct table_node *node,
		     unsigned k, uint64_t *n)
{
	uint64_t link = node->slots[k];
	struct table_node below = {
		.link = &node->slots[k],
		.slots = link_node(link),
		.level = node->level - 1,
		.order = TABLE_ORDER,
		.first = node->first +
			 ((uint64_t)k << (node->level - 1) * TABLE_ORDER),
	};
	int ret = each_below(e, &below, n);

	if (ret == TABLE_SKIP)
		*n = link_count(link, below.level);
	else if (ret)
		return ret;
	return *n && link_count(link, below.level) == *n ? 0 : -EUCLEAN;
}

/* Visit @node and all below it; *@n = slots in use there. */
static int each_below(const struct each *e, const struct table_node *node,
		      uint64_t *n)
{
	int ret = -EUCLEAN;

	*n = 0;
	if (!node->level || arena_holds_slab(e->arena, node->slots,
					     sizeof(uint64_t) << node->order))
		ret = e->fn(node, e->arg);
	for (unsigned k = 0; !ret && k < 1u << node->order; k++) {
		uint64_t below = node->slots[k] != 0;

		if (node->level > 1 && node->slots[k])
			ret = each_link(e, node, k, &below);
		*n += below;
	}
	return ret;
}

static bool has_shape(const struct ztable *t)
{
	unsigned max_level = (64 + TABLE_ORDER - 1) / TABLE_ORDER;

	if (t->level == 0)
		return t->order == 0;
	if (t->level == 1 && t->order != 2 && t->order != 4 &&
	    t->order != TABLE_ORDER)
		return false;
	return t->root && t->level <= max_level;
}

int table_for_each_node(const struct arena *a, const struct ztable *t,
			int (*fn)(const struct table_node *node, void *arg),
			void *arg)
{
	struct each e = {a, fn, arg};
	struct table_node top = {
		.slots = t->level ? root_node(t) : &t->root,
		.level = t->level,
		.order = t->level > 1 ? TABLE_ORDER : t->order,
	};
	uint64_t n;
	int ret;

	if (!has_shape(t))
		return -EUCLEAN;
	if (!t->root)
		return 0;
	ret = each_below(&e, &top, &n);
	if (ret == TABLE_SKIP)
		return 0;
	return ret || n ? ret : -EUCLEAN;
}
