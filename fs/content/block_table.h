/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Block table: a sparse array of 8-byte slots, index -> slot.
 *
 * Maps the block numbers of a file to blocks, the cookies of a directory to
 * entries, and its hash buckets to chains. 0 means "nothing there".
 *
 *   level 0   the root word is the slot of index 0: a one-block file needs no
 *             memory for its table
 *   level 1   the root points to a leaf of 4, 16 or 64 slots (order 2, 4, 6)
 *   level n   a radix tree of 64-way nodes, n - 1 of them above the leaves
 *
 * Nodes have no header. A link to a node counts the slots in use below it, so
 * that a part of a table is counted without a walk through it. A node that
 * becomes empty is freed, the tree does not get lower until it is empty. All
 * changes go through a transaction; the caller holds the inode's lock,
 * exclusive for changes, shared for the rest.
 *
 * Counts are brought up to date once for several changes of a leaf, at the
 * latest by the commit: in between they leave out what the transaction says in
 * tx.uncounted (table_settle()).
 */
#ifndef FS_BLOCK_TABLE_H
#define FS_BLOCK_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "state/inode_layout.h"

struct tx;

#define TABLE_ORDER 6
#define TABLE_WIDTH 64u

/* The slot at @idx, 0 when there is nothing. */
uint64_t table_get(const struct ztable *t, uint64_t idx);

/*
 * A place in a table, for whoever goes through many slots in order: the table
 * is walked from its root once for each leaf. Whatever else changes the table
 * than through the cursor makes it start anew (table_drop()).
 */
struct table_cursor {
	const struct ztable *table;
	uint64_t *leaf; /* NULL: there is none */
	uint64_t first; /* index of its first slot */
	uint64_t width; /* slots that are known here; 0: nowhere yet */
	unsigned walks; /* from the root, so far */
};

static inline struct table_cursor table_cursor(const struct ztable *t)
{
	return (struct table_cursor){.table = t};
}

/* Find the leaf of @idx, if there is one. */
void table_seek(struct table_cursor *c, uint64_t idx);

/*
 * Address of the slot at @idx, NULL when there is no leaf for it. Good until
 * the next change of the table.
 */
static inline uint64_t *table_at(struct table_cursor *c, uint64_t idx)
{
	if (idx - c->first >= c->width)
		table_seek(c, idx);
	return c->leaf ? &c->leaf[idx - c->first] : NULL;
}

/* The table is changed by other means. */
static inline void table_drop(struct table_cursor *c)
{
	c->width = 0;
}

/* table_prepare() where table_at() found no leaf; @t is the table of @c. */
int table_make(struct tx *tx, struct ztable *t, struct table_cursor *c,
	       uint64_t idx, uint64_t **slot);

/*
 * Address of the slot at @idx with all nodes above it in place, allocated in
 * @tx as needed; the caller sets it by table_set(). Good until the next change
 * of the table. The caller stores a slot that is not 0, or undoes the growth by
 * table_clear(). Returns 0, -ENOSPC, -ENOMEM (no node is left that holds
 * nothing).
 */
int table_prepare(struct tx *tx, struct ztable *t, uint64_t idx,
		  uint64_t **slot);

/* Put @val, not 0, into the slot of @idx that table_prepare() gave. */
void table_set(struct tx *tx, struct ztable *t, uint64_t idx, uint64_t *slot,
	       uint64_t val);

/*
 * The same for @n slots of one leaf that table_make() has just given, none of
 * which were in use: they need no undo.
 */
void table_set_new(struct tx *tx, struct ztable *t, uint64_t idx,
		   uint64_t *slot, unsigned n, uint64_t val);

/*
 * Clear the slot at @idx, not 0, that table_at() gave. When that is done with
 * all that is to go of a leaf, table_clear() of one of them must follow.
 */
void table_unset(struct tx *tx, struct ztable *t, uint64_t idx, uint64_t *slot);

/*
 * Clear the slot at @idx and free the nodes that are empty then, also when the
 * slot was clear already.
 */
void table_clear(struct tx *tx, struct ztable *t, uint64_t idx);

/* Bring the counts up to date with what @tx has changed. */
void table_settle(struct tx *tx);

/*
 * Number of slots in use from @first on, without a walk through them. Changes
 * of an open transaction have to be settled.
 */
uint64_t table_count(const struct ztable *t, uint64_t first);

/*
 * Find the first slot that is not 0 at or after *@idx; set *@idx and *@val.
 * False when there is none.
 */
bool table_next(const struct ztable *t, uint64_t *idx, uint64_t *val);

/*
 * First index at or after @idx whose slot is 0 (SEEK_HOLE). Passes over what is
 * full, so it takes the time of a few look-ups. Changes of an open transaction
 * have to be settled.
 */
uint64_t table_next_hole(const struct ztable *t, uint64_t idx);

/* A node, or the inline slot, which is at level 0 and has order 0. */
struct table_node {
	const uint64_t *link;  /* to it, NULL for the top */
	const uint64_t *slots; /* 1 << order; above level 1 links */
	unsigned level, order;
	uint64_t first; /* index of the first of them, or below it */
};

/* Returned for a node: believe its count, and show none of those below it. */
#define TABLE_SKIP 1

/*
 * For verification: call @fn for each node, from the root down, until it
 * returns something else than 0 and TABLE_SKIP, which is then returned;
 * -EUCLEAN when the table has a shape that there is not, a node is not where @a
 * has such, a count is wrong, or a node holds nothing.
 */
int table_for_each_node(const struct arena *a, const struct ztable *t,
			int (*fn)(const struct table_node *node, void *arg),
			void *arg);

#endif
