/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Maps of a segment: a bit for each of its pages, in MAP_WORDS words. Functions
 * take no lock: what protects the map is the caller's.
 */
#ifndef POOL_RUN_MAP_H
#define POOL_RUN_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include "arena_i.h"

/* First run of at least @n set bits; its first bit, or -1. */
int map_find(const uint64_t *map, unsigned n);
/* The last bit that is set, -1 = none. */
int map_find_last(const uint64_t *map);
/* Longest run of set bits, at most ARENA_MAX_RUN. */
unsigned map_longest(const uint64_t *map);
/*
 * The same after @nr bits from @first have been set, or cleared, when it was
 * @was before.
 */
unsigned map_longest_set(const uint64_t *map, unsigned first, unsigned nr,
			 unsigned was);
unsigned map_longest_cleared(const uint64_t *map, unsigned first, unsigned nr,
			     unsigned was);
/* First set (@val) or clear bit at or behind @from, or ARENA_SEG_PAGES. */
unsigned map_next(const uint64_t *map, unsigned from, bool val);
/* Set or clear @nr bits from @first. */
void map_change(struct undo_log *u, uint64_t *map, unsigned first, unsigned nr,
		bool val);
static inline bool map_test(const uint64_t *map, unsigned bit)
{
	return map[bit / 64] >> (bit % 64) & 1;
}

#endif
