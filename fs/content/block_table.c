/* SPDX-License-Identifier: BSD-3-Clause */
/* Block table: sparse array of slots in nodes of the arena. */
#include "block_table.h"

#include <assert.h>
#include <string.h>

#include "block_table_i.h"
#include "state/tx.h"

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

/* The leaf that holds @idx, NULL when there is none. Level >= 1, in reach. */
static uint64_t *find_leaf(const struct ztable *t, uint64_t idx)
{
	uint64_t *node = root_node(t);

	for (unsigned l = t->level; l > 1 && node; l--)
		node = link_node(node[digit(idx, l)]);
	return node;
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

void table_seek(struct table_cursor *c, uint64_t idx)
{
	const struct ztable *t = c->table;

	c->walks++;
	c->first = t->level > 1 ? idx & ~(uint64_t)(TABLE_WIDTH - 1) : 0;
	if (!in_reach(t, idx)) {
		c->leaf = NULL;
		c->first = idx;
		c->width = 1;
	} else if (t->level == 0) {
		c->leaf = (uint64_t *)(uintptr_t)&t->root;
		c->width = 1;
	} else {
		c->leaf = find_leaf(t, idx);
		c->width = t->level == 1 ? 1u << t->order : TABLE_WIDTH;
	}
}

/* ---- growing ---- */

int table_new_node(struct tx *tx, unsigned order, uint64_t **out)
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

void table_set_shape(struct tx *tx, struct ztable *t, uint64_t root,
		     unsigned level, unsigned order)
{
	tx_set(tx, &t->root, root);
	tx_save(tx, &t->level);
	t->level = (uint16_t)level;
	t->order = (uint16_t)order;
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
	int err = table_new_node(tx, order, &leaf);

	if (err)
		return err;
	leaf[0] = t->root;
	table_set_shape(tx, t, (uint64_t)(uintptr_t)leaf, 1, order);
	return 0;
}

/* From a small leaf to a larger one. */
static int grow_leaf(struct tx *tx, struct ztable *t, uint64_t idx)
{
	unsigned order = leaf_order_for(idx);
	uint64_t *leaf;
	int err = table_new_node(tx, order, &leaf);

	if (err)
		return err;
	memcpy(leaf, root_node(t), sizeof(uint64_t) << t->order);
	tx_free(tx, slab_ref(root_node(t)));
	table_set_shape(tx, t, (uint64_t)(uintptr_t)leaf, 1, order);
	return 0;
}

/* One more level on top. */
static int grow_level(struct tx *tx, struct ztable *t)
{
	uint64_t *top;
	int err = table_new_node(tx, TABLE_ORDER, &top);

	if (err)
		return err;
	top[0] = link_make(root_node(t), t->level,
			   node_count(root_node(t), t->level));
	table_set_shape(tx, t, (uint64_t)(uintptr_t)top, t->level + 1,
			TABLE_ORDER);
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
	err = table_new_node(tx, TABLE_ORDER, &top);
	if (!err)
		table_set_shape(tx, t, (uint64_t)(uintptr_t)top, level,
				TABLE_ORDER);
	return err;
}

static int grow(struct tx *tx, struct ztable *t, uint64_t idx)
{
	int err = 0;

	if (!in_reach(t, idx))
		table_settle(tx);
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

/* ---- counting ---- */

void table_settle(struct tx *tx)
{
	const struct ztable *t = tx->uncounted.table;
	uint64_t idx = tx->uncounted.leaf << TABLE_ORDER;
	uint64_t *node;

	if (!t)
		return;
	tx->uncounted.table = NULL;
	node = root_node(t);
	for (unsigned l = t->level; l > 1 && node; l--) {
		uint64_t *link = &node[digit(idx, l)];

		node = link_node(*link);
		if (node && l - 1 <= COUNTED_LEVEL)
			tx_set(tx, link, link_add(*link, tx->uncounted.n));
	}
}

/* One slot more, or one less, in the leaf of @idx. */
static void count(struct tx *tx, struct ztable *t, uint64_t idx, int64_t n)
{
	uint64_t leaf = idx >> TABLE_ORDER;

	/* Without links nothing is counted. */
	if (t->level <= 1)
		return;
	if (tx->uncounted.table != t || tx->uncounted.leaf != leaf) {
		table_settle(tx);
		tx->uncounted.table = t;
		tx->uncounted.settle = table_settle;
		tx->uncounted.leaf = leaf;
		tx->uncounted.n = 0;
	}
	tx->uncounted.n += n;
}

void table_set(struct tx *tx, struct ztable *t, uint64_t idx, uint64_t *slot,
	       uint64_t val)
{
	assert(val);
	if (!*slot)
		count(tx, t, idx, 1);
	tx_set(tx, slot, val);
}

void table_set_new(struct tx *tx, struct ztable *t, uint64_t idx,
		   uint64_t *slot, unsigned n, uint64_t val)
{
	if (t->level <= 1) {
		assert(n == 1);
		table_set(tx, t, idx, slot, val);
		return;
	}
	count(tx, t, idx, n);
	for (; n; n--, slot++) {
		assert(val && !*slot);
		*slot = val;
	}
}

void table_unset(struct tx *tx, struct ztable *t, uint64_t idx, uint64_t *slot)
{
	assert(*slot);
	count(tx, t, idx, -1);
	tx_set(tx, slot, 0);
}

/* In the subtrees of @node, of level @level > 1, from slot @k on. */
static uint64_t count_links(const uint64_t *node, unsigned level, unsigned k)
{
	uint64_t n = 0;

	for (; k < TABLE_WIDTH; k++)
		n += link_count(node[k], level - 1);
	return n;
}

uint64_t node_count(const uint64_t *node, unsigned level)
{
	uint64_t n = 0;

	if (level > 1)
		return count_links(node, level, 0);
	for (unsigned k = 0; k < TABLE_WIDTH; k++)
		n += node[k] != 0;
	return n;
}

uint64_t table_count(const struct ztable *t, uint64_t first)
{
	unsigned width = t->level == 1 ? 1u << t->order : TABLE_WIDTH;
	const uint64_t *node = root_node(t);
	uint64_t n = 0;

	if (!node || !in_reach(t, first))
		return 0;
	if (t->level == 0)
		return 1;
	for (unsigned l = t->level; l > 1 && node; l--) {
		n += count_links(node, l, digit(first, l) + 1);
		node = link_node(node[digit(first, l)]);
	}
	for (unsigned k = digit(first, 1); node && k < width; k++)
		n += node[k] != 0;
	return n;
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
		/* What counts it goes with the link to it. */
		table_settle(tx);
		tx_free(tx, slab_ref(path[l]));
		if (l == t->level) {
			table_set_shape(tx, t, 0, 0, 0);
			return;
		}
		tx_set(tx, &path[l + 1][digit(idx, l + 1)], 0);
	}
}

void table_clear(struct tx *tx, struct ztable *t, uint64_t idx)
{
	uint64_t *path[13];
	uint64_t *node = root_node(t);
	unsigned lowest = t->level + 1;

	if (!t->root || !in_reach(t, idx))
		return;
	if (t->level == 0) {
		tx_set(tx, &t->root, 0);
		return;
	}
	for (unsigned l = t->level; l >= 1 && node; l--) {
		path[l] = node;
		lowest = l;
		if (l > 1)
			node = link_node(node[digit(idx, l)]);
	}
	if (lowest == 1 && path[1][digit(idx, 1)])
		table_unset(tx, t, idx, &path[1][digit(idx, 1)]);
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
	node = root_node(t);
	for (unsigned l = t->level; l > 1; l--) {
		uint64_t *link = &node[digit(idx, l)];

		if (!*link) {
			err = table_new_node(tx, TABLE_ORDER, &node);
			if (err)
				goto err_prune;
			tx_set(tx, link, link_make(node, l - 1, 0));
		}
		node = link_node(*link);
	}
	*slot = &node[digit(idx, 1)];
	return 0;

err_prune:
	/* No node that holds nothing may stay behind. */
	table_clear(tx, t, idx);
	return err;
}

int table_make(struct tx *tx, struct ztable *t, struct table_cursor *c,
	       uint64_t idx, uint64_t **slot)
{
	assert(c->table == t && !table_at(c, idx));
	table_drop(c);
	return table_prepare(tx, t, idx, slot);
}

/* ---- searching ---- */

/*
 * First slot != 0 at or after @idx below @node, of level @level, whose indices
 * start at @base.
 */
static bool next_below(const uint64_t *node, unsigned level, unsigned width,
		       uint64_t base, uint64_t *idx, uint64_t *val)
{
	unsigned shift = (level - 1) * TABLE_ORDER;
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
		if (next_below(link_node(node[i]), level - 1, TABLE_WIDTH, at,
			       idx, val))
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
	return next_below(root_node(t), t->level, width, 0, idx, val);
}

/*
 * First slot that is 0 at or after *@idx below @node, of level @level, whose
 * indices start at @base. Goes into no subtree that is full.
 */
static bool hole_below(const uint64_t *node, unsigned level, unsigned width,
		       uint64_t base, uint64_t *idx)
{
	unsigned shift = (level - 1) * TABLE_ORDER;
	unsigned i = 0;

	if (*idx > base)
		i = (unsigned)((*idx - base) >> shift);
	for (; i < width; i++) {
		uint64_t at = base + ((uint64_t)i << shift);

		if (*idx < at)
			*idx = at;
		if (!node[i])
			return true;
		if (level == 1 || link_is_full(node[i], level - 1))
			continue;
		if (hole_below(link_node(node[i]), level - 1, TABLE_WIDTH, at,
			       idx))
			return true;
	}
	return false;
}

uint64_t table_next_hole(const struct ztable *t, uint64_t idx)
{
	unsigned width = t->level == 1 ? 1u << t->order : TABLE_WIDTH;

	if (!t->root || !in_reach(t, idx))
		return idx;
	if (t->level == 0)
		return idx + 1;
	if (hole_below(root_node(t), t->level, width, 0, &idx))
		return idx;
	return capacity(t);
}
