/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Inside of the block table: nodes and the links to them.
 *
 * A node of level l > 1 holds links to nodes of level l - 1, all of 512 bytes:
 *
 *   63..32  slots in use below, for nodes of up to level COUNTED_LEVEL; above
 *           that 0: there the links below are added up, which are few
 *   31..0   place of the node: (address - ARENA_BASE) / 512; 0 = no link
 */
#ifndef FS_BLOCK_TABLE_I_H
#define FS_BLOCK_TABLE_I_H

#include <stdbool.h>
#include <stdint.h>

#include "arena.h"
#include "block_table.h"

/* 64 ^ 5 slots are the most that 32 bits can count. */
#define COUNTED_LEVEL 5u

#define NODE_SHIFT 9
_Static_assert(sizeof(uint64_t) << TABLE_ORDER == 1u << NODE_SHIFT,
	       "size of a node");
_Static_assert(ARENA_SIZE >> NODE_SHIFT <= UINT64_C(1) << 32,
	       "a node's place has 32 bits");

static inline unsigned digit(uint64_t idx, unsigned level)
{
	return (unsigned)(idx >> ((level - 1) * TABLE_ORDER)) &
	       (TABLE_WIDTH - 1);
}

/* Of a table with nodes (level >= 1), or NULL. */
static inline uint64_t *root_node(const struct ztable *t)
{
	return (uint64_t *)(uintptr_t)t->root;
}

static inline uint64_t *link_node(uint64_t link)
{
	uint64_t place = link & UINT32_MAX;

	return place ? (uint64_t *)(uintptr_t)(ARENA_BASE +
					       (place << NODE_SHIFT))
		     : NULL;
}

/* @level: of the node; @n: slots in use in and below it. */
static inline uint64_t link_make(const uint64_t *node, unsigned level,
				 uint64_t n)
{
	uint64_t place = ((uint64_t)(uintptr_t)node - ARENA_BASE) >> NODE_SHIFT;

	return (level <= COUNTED_LEVEL ? n << 32 : 0) | place;
}

/* @n slots more, or less, below; where links count. */
static inline uint64_t link_add(uint64_t link, int64_t n)
{
	return link + ((uint64_t)n << 32);
}

/* Slots in use in and below @node of level @level. */
uint64_t node_count(const uint64_t *node, unsigned level);

/* Slots in use below @link, which leads to a node of level @level. */
static inline uint64_t link_count(uint64_t link, unsigned level)
{
	if (level <= COUNTED_LEVEL)
		return link >> 32;
	return link ? node_count(link_node(link), level) : 0;
}

/* Is there no hole below @link? Never where links do not count. */
static inline bool link_is_full(uint64_t link, unsigned level)
{
	return level <= COUNTED_LEVEL &&
	       link >> 32 == UINT64_C(1) << (level * TABLE_ORDER);
}

/* A new empty node of 1 << @order slots. 0, -ENOSPC, -ENOMEM. */
int table_new_node(struct tx *tx, unsigned order, uint64_t **out);

void table_set_shape(struct tx *tx, struct ztable *t, uint64_t root,
		     unsigned level, unsigned order);

#endif
