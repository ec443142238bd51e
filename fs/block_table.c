/* SPDX-License-Identifier: BSD-3-Clause */
/* Block table: sparse array of slots in nodes of the arena. */
#include "block_table.h"

#include <assert.h>
#include <string.h>

#include "tx.h"

#define MASK (TABLE_WIDTH - 1)

static uint64_t *node_at(uint64_t addr)
{
	return (uint64_t *)(uintptr_t)addr;
}

/* Number of slots that a table of this shape can address; 0 = all of them. */
static uint64_t capacity(const struct ztable *t)
{
	unsigned bits;

	if (t->level == 0)
		return 1;
	bits = t->level == 1 ? t->order : t->level * TABLE_ORDER;
	return bits >= 64 ? 0 : UINT64_C(1) << bits;
}

static bool in_reach(const struct ztable *t, uint64_t idx)
{
	uint64_t cap = capacity(t);

	return cap == 0 || idx < cap;
}

static unsigned digit(uint64_t idx, unsigned level)
{
	return (unsigned)(idx >> ((level - 1) * TABLE_ORDER)) & MASK;
}

/* The leaf that holds @idx, NULL when there is none. Level >= 1, in reach. */
static uint64_t *find_leaf(const struct ztable *t, uint64_t idx)
{
	uint64_t addr = t->root;

	for (unsigned l = t->level; l > 1 && addr; l--)
		addr = node_at(addr)[digit(idx, l)];
	return addr ? node_at(addr) : NULL;
}

uint64_t table_get(const struct ztable *t, uint64_t idx)
{
	uint64_t *leaf;

	if (!in_reach(t, idx))
		return 0;
	if (t->level == 0)
		return t->root;
	leaf = find_leaf(t, idx);
	return leaf ? leaf[digit(idx, 1)] : 0;
}

/* ---- growing ---- */

static int new_node(struct tx *tx, unsigned order, uint64_t **out)
{
	size_t size = sizeof(uint64_t) << order;
	void *p;
	int err = tx_slab_alloc(tx, slab_cache_for(size), &p);

	if (err)
		return err;
	memset(p, 0, size);
	*out = p;
	return 0;
}

static void set_shape(struct tx *tx, struct ztable *t, uint64_t root,
		      unsigned level, unsigned order)
{
	tx_set(tx, &t->root, root);
	tx_save(tx, &t->level);
	t->level = level;
	t->order = order;
}

static unsigned leaf_order_for(uint64_t idx)
{
	return idx < 4 ? 2 : idx < 16 ? 4 : TABLE_ORDER;
}

/* From the inline slot to a leaf that reaches @idx. */
static int grow_inline(struct tx *tx, struct ztable *t, uint64_t idx)
{
	unsigned order = leaf_order_for(idx);
	uint64_t *leaf;
	int err = new_node(tx, order, &leaf);

	if (err)
		return err;
	leaf[0] = t->root;
	set_shape(tx, t, (uint64_t)(uintptr_t)leaf, 1, order);
	return 0;
}

/* From a small leaf to a larger one. */
static int grow_leaf(struct tx *tx, struct ztable *t, uint64_t idx)
{
	unsigned order = leaf_order_for(idx);
	uint64_t *leaf;
	int err = new_node(tx, order, &leaf);

	if (err)
		return err;
	memcpy(leaf, node_at(t->root), sizeof(uint64_t) << t->order);
	tx_free(tx, slab_ref(node_at(t->root)));
	set_shape(tx, t, (uint64_t)(uintptr_t)leaf, 1, order);
	return 0;
}

/* One more level on top. */
static int grow_level(struct tx *tx, struct ztable *t)
{
	uint64_t *top;
	int err = new_node(tx, TABLE_ORDER, &top);

	if (err)
		return err;
	top[0] = t->root;
	set_shape(tx, t, (uint64_t)(uintptr_t)top, t->level + 1, TABLE_ORDER);
	return 0;
}

/* Make an empty table reach @idx without nodes that hold nothing. */
static int start_tall(struct tx *tx, struct ztable *t, uint64_t idx)
{
	unsigned level = 2;
	uint64_t *top;
	int err;

	while (level * TABLE_ORDER < 64 && idx >> (level * TABLE_ORDER))
		level++;
	err = new_node(tx, TABLE_ORDER, &top);
	if (!err)
		set_shape(tx, t, (uint64_t)(uintptr_t)top, level, TABLE_ORDER);
	return err;
}

static int grow(struct tx *tx, struct ztable *t, uint64_t idx)
{
	int err = 0;

	while (!err && !in_reach(t, idx)) {
		if (t->root == 0 && idx >= TABLE_WIDTH)
			err = start_tall(tx, t, idx);
		else if (t->level == 0)
			err = grow_inline(tx, t, idx);
		else if (t->level == 1 && t->order < TABLE_ORDER)
			err = grow_leaf(tx, t, idx);
		else
			err = grow_level(tx, t);
	}
	return err;
}

/* ---- clearing ---- */

static bool node_empty(const uint64_t *node, unsigned order)
{
	for (unsigned i = 0; i < 1u << order; i++)
		if (node[i])
			return false;
	return true;
}

/* Free the empty nodes on the way to @idx, from the lowest one up. */
static void prune(struct tx *tx, struct ztable *t, uint64_t **path,
		  unsigned lowest, uint64_t idx)
{
	for (unsigned l = lowest; l <= t->level; l++) {
		unsigned order = t->level == 1 ? t->order : TABLE_ORDER;

		if (!node_empty(path[l], order))
			return;
		tx_free(tx, slab_ref(path[l]));
		if (l == t->level) {
			set_shape(tx, t, 0, 0, 0);
			return;
		}
		tx_set(tx, &path[l + 1][digit(idx, l + 1)], 0);
	}
}

void table_clear(struct tx *tx, struct ztable *t, uint64_t idx)
{
	uint64_t *path[13];
	uint64_t addr = t->root;
	unsigned lowest = t->level + 1;

	if (!t->root || !in_reach(t, idx))
		return;
	if (t->level == 0) {
		tx_set(tx, &t->root, 0);
		return;
	}
	for (unsigned l = t->level; l >= 1 && addr; l--) {
		path[l] = node_at(addr);
		addr = path[l][digit(idx, l)];
		lowest = l;
	}
	if (lowest == 1 && addr)
		tx_set(tx, &path[1][digit(idx, 1)], 0);
	prune(tx, t, path, lowest, idx);
}

int table_prepare(struct tx *tx, struct ztable *t, uint64_t idx,
		  uint64_t **slot)
{
	uint64_t *node;
	int err = grow(tx, t, idx);

	if (err)
		goto err_prune;
	if (t->level == 0) {
		*slot = &t->root;
		return 0;
	}
	node = node_at(t->root);
	for (unsigned l = t->level; l > 1; l--) {
		uint64_t *link = &node[digit(idx, l)];

		if (!*link) {
			err = new_node(tx, TABLE_ORDER, &node);
			if (err)
				goto err_prune;
			tx_set(tx, link, (uint64_t)(uintptr_t)node);
		}
		node = node_at(*link);
	}
	*slot = &node[digit(idx, 1)];
	return 0;

err_prune:
	/* No node that holds nothing may stay behind. */
	table_clear(tx, t, idx);
	return err;
}

/* ---- searching ---- */

/*
 * First slot != 0 at or after @idx below the node @addr of level @level, whose
 * indices start at @base.
 */
static bool next_below(uint64_t addr, unsigned level, unsigned width,
		       uint64_t base, uint64_t *idx, uint64_t *val)
{
	unsigned shift = (level - 1) * TABLE_ORDER;
	const uint64_t *node = node_at(addr);
	unsigned i = 0;

	if (*idx > base)
		i = (unsigned)((*idx - base) >> shift);
	for (; i < width; i++) {
		uint64_t at = base + ((uint64_t)i << shift);

		if (!node[i])
			continue;
		if (level == 1) {
			*idx = at;
			*val = node[i];
			return true;
		}
		if (next_below(node[i], level - 1, TABLE_WIDTH, at, idx, val))
			return true;
	}
	return false;
}

bool table_next(const struct ztable *t, uint64_t *idx, uint64_t *val)
{
	unsigned width = t->level == 1 ? 1u << t->order : TABLE_WIDTH;

	if (!t->root || !in_reach(t, *idx))
		return false;
	if (t->level == 0) {
		*val = t->root;
		return true;
	}
	return next_below(t->root, t->level, width, 0, idx, val);
}

bool table_last(const struct ztable *t, uint64_t *idx, uint64_t *val)
{
	unsigned width = t->level == 1 ? 1u << t->order : TABLE_WIDTH;
	uint64_t addr = t->root, at = 0;

	if (!t->root)
		return false;
	for (unsigned l = t->level; l >= 1; l--) {
		const uint64_t *node = node_at(addr);
		unsigned i = width;

		while (i > 0 && !node[i - 1])
			i--;
		assert(i > 0);
		at |= (uint64_t)(i - 1) << ((l - 1) * TABLE_ORDER);
		addr = node[i - 1];
		width = TABLE_WIDTH;
	}
	*idx = at;
	*val = addr;
	return true;
}

uint64_t table_next_hole(const struct ztable *t, uint64_t idx)
{
	while (in_reach(t, idx)) {
		uint64_t *leaf;
		uint64_t end;

		if (t->level == 0)
			return t->root ? idx + 1 : idx;
		leaf = find_leaf(t, idx);
		if (!leaf)
			return idx;
		end = (idx | MASK) + 1;
		for (; idx < end && in_reach(t, idx); idx++)
			if (!leaf[digit(idx, 1)])
				return idx;
		if (idx == 0)
			break;
	}
	return idx;
}

static int each_below(uint64_t addr, unsigned level, unsigned order,
		      int (*fn)(uint64_t, unsigned, void *), void *arg)
{
	const uint64_t *node = node_at(addr);
	int ret = fn(addr, order, arg);

	if (level == 1)
		return ret;
	for (unsigned i = 0; !ret && i < TABLE_WIDTH; i++)
		if (node[i])
			ret = each_below(node[i], level - 1, TABLE_ORDER, fn,
					 arg);
	return ret;
}

int table_for_each_node(const struct ztable *t,
			int (*fn)(uint64_t node, unsigned order, void *arg),
			void *arg)
{
	if (t->level == 0)
		return 0;
	return each_below(t->root, t->level,
			  t->level == 1 ? t->order : TABLE_ORDER, fn, arg);
}
