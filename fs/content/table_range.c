/* SPDX-License-Identifier: BSD-3-Clause */
/* Dividing block tables, and freeing ranges of them (see table_range.h). */
#include "table_range.h"

#include <assert.h>
#include <string.h>

#include "block_table_i.h"
#include "slot.h"
#include "state/tx.h"

/* Undo entries and frees that freeing one block may take with its nodes. */
#define BLOCK_UNDO  21u
#define BLOCK_FREES (14u + CLUSTER_FREES)

/* ---- splitting ---- */

static int split_node(struct tx *tx, uint64_t *src, unsigned level,
		      uint64_t first, uint64_t *out);

/* Does @node hold anything from slot @k on? */
static bool has_from(const uint64_t *node, unsigned k)
{
	for (; k < TABLE_WIDTH; k++)
		if (node[k])
			return true;
	return false;
}

/* Split what *@link leads to, a node of level @level, and put it right. */
static int split_link(struct tx *tx, uint64_t *link, unsigned level,
		      uint64_t first, uint64_t *out)
{
	uint64_t *node = link_node(*link);
	int err = split_node(tx, node, level, first, out);

	if (err || !*out)
		return err;
	if (!has_from(node, 0)) {
		tx_free(tx, slab_ref(node));
		tx_set(tx, link, 0);
	} else if (level <= COUNTED_LEVEL) {
		tx_set(tx, link,
		       link_add(*link, -(int64_t)link_count(*out, level)));
	}
	return 0;
}

/*
 * Move what is from @first on in and below @src, of level @level, to a new
 * node. *@out = the link to it, 0 when there was nothing.
 */
static int split_node(struct tx *tx, uint64_t *src, unsigned level,
		      uint64_t first, uint64_t *out)
{
	unsigned d = digit(first, level), k = level > 1 ? d + 1 : d;
	uint64_t below = 0, *dst;
	int err = 0;

	*out = 0;
	if (level > 1 && src[d])
		err = split_link(tx, &src[d], level - 1, first, &below);
	if (err || (!below && !has_from(src, k)))
		return err;
	err = table_new_node(tx, TABLE_ORDER, &dst);
	if (err)
		return err;
	if (below)
		dst[d] = below;
	for (; k < TABLE_WIDTH; k++) {
		dst[k] = src[k];
		if (src[k])
			tx_set(tx, &src[k], 0);
	}
	*out = link_make(dst, level, node_count(dst, level));
	return 0;
}

int table_split(struct tx *tx, struct ztable *from, uint64_t first,
		struct ztable *to)
{
	uint64_t *root = root_node(from), moved;
	int err;

	assert(from->level >= 2);
	table_settle(tx);
	err = split_node(tx, root, from->level, first, &moved);
	if (err || !moved)
		return err;
	to->root = (uint64_t)(uintptr_t)link_node(moved);
	to->level = from->level;
	to->order = from->order;
	if (!has_from(root, 0)) {
		tx_free(tx, slab_ref(root));
		table_set_shape(tx, from, 0, 0, 0);
	}
	return 0;
}

/* ---- freeing ---- */

/*
 * Free up to *@max blocks of the leaf of *@at, which is in use, from there up
 * to @end. True when none is left there. *@at: the next one to look at.
 */
static bool free_in_leaf(struct tx *tx, struct zinode *i, uint64_t *at,
			 uint64_t end, unsigned *max)
{
	struct ztable *t = &i->file.blocks;
	struct table_cursor c = table_cursor(t);
	uint64_t *slot = table_at(&c, *at), first = *at;
	uint64_t n = c.first + c.width - first;

	if (n > end - first)
		n = end - first;
	for (; n; n--, slot++, ++*at) {
		struct slot_of old = {i, *at, *slot};

		if (!old.slot)
			continue;
		if (!*max || !tx_has_room(tx, BLOCK_UNDO, BLOCK_FREES))
			return false;
		--*max;
		table_unset(tx, t, *at, slot);
		slot_free(tx, old);
	}
	/* Nothing was left of it, or what lies around the range. */
	table_clear(tx, t, first);
	return true;
}

bool table_free_range(struct tx *tx, struct zinode *i, uint64_t *first,
		      uint64_t end, unsigned *max)
{
	uint64_t at = *first, slot;

	while (table_next(&i->file.blocks, &at, &slot) && at < end) {
		bool all = free_in_leaf(tx, i, &at, end, max);

		*first = at;
		if (!all)
			return false;
	}
	*first = end;
	return true;
}
