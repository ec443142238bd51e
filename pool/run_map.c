/* SPDX-License-Identifier: BSD-3-Clause */
/* Runs of bits in the page maps of a segment. */
#include "run_map.h"

#include <string.h>

/* m[i] &= m[i + by]: keeps the starts of runs that are @by longer. */
static void and_shifted(uint64_t *m, const uint64_t *by_map, unsigned by)
{
	for (unsigned i = 0; i < MAP_WORDS - 1; i++)
		m[i] &= by_map[i] >> by | by_map[i + 1] << (64 - by);
	m[MAP_WORDS - 1] &= by_map[MAP_WORDS - 1] >> by;
}

static bool map_any(const uint64_t *m)
{
	uint64_t any = 0;

	for (unsigned i = 0; i < MAP_WORDS; i++)
		any |= m[i];
	return any;
}

int map_find(const uint64_t *map, unsigned n)
{
	uint64_t m[MAP_WORDS];
	unsigned have = 1;

	memcpy(m, map, sizeof(m));
	while (have < n) {
		unsigned by = n - have < have ? n - have : have;

		and_shifted(m, m, by);
		have += by;
	}
	for (unsigned i = 0; i < MAP_WORDS; i++) {
		if (m[i])
			return (int)(i * 64) + __builtin_ctzll(m[i]);
	}
	return -1;
}

int map_find_last(const uint64_t *map)
{
	for (unsigned i = MAP_WORDS; i-- > 0;) {
		if (map[i])
			return (int)(i * 64) + 63 - __builtin_clzll(map[i]);
	}
	return -1;
}

/*
 * The starts of runs of 1, 2, 4, 8, 16 in starts[0 .. result]; map not empty.
 */
static unsigned double_starts(const uint64_t *map,
			      uint64_t starts[5][MAP_WORDS])
{
	memcpy(starts[0], map, sizeof(starts[0]));
	for (unsigned k = 0; k < 4; k++) {
		memcpy(starts[k + 1], starts[k], sizeof(starts[0]));
		and_shifted(starts[k + 1], starts[k], 1u << k);
		if (!map_any(starts[k + 1]))
			return k;
	}
	return 4;
}

unsigned map_longest(const uint64_t *map)
{
	uint64_t starts[5][MAP_WORDS];
	uint64_t cur[MAP_WORDS], longer[MAP_WORDS];
	unsigned k, len;

	if (!map_any(map))
		return 0;
	k = double_starts(map, starts);
	len = 1u << k;
	if (len >= ARENA_MAX_RUN)
		return ARENA_MAX_RUN;
	memcpy(cur, starts[k], sizeof(cur));
	/* A run of len + 2^k is one of len with one of 2^k behind it. */
	while (k-- > 0) {
		memcpy(longer, cur, sizeof(cur));
		and_shifted(longer, starts[k], len);
		if (map_any(longer)) {
			memcpy(cur, longer, sizeof(cur));
			len += 1u << k;
		}
	}
	return len;
}

/* The bits of @map from @bit on; behind the end none is set. */
static uint64_t window_from(const uint64_t *map, unsigned bit)
{
	unsigned i = bit / 64, by = bit % 64;
	uint64_t w = i < MAP_WORDS ? map[i] >> by : 0;

	if (by && i + 1 < MAP_WORDS)
		w |= map[i + 1] << (64 - by);
	return w;
}

/* The bits of @map before @bit, the last of them highest. */
static uint64_t window_before(const uint64_t *map, unsigned bit)
{
	if (bit >= 64)
		return window_from(map, bit - 64);
	return bit ? map[0] << (64 - bit) : 0;
}

/* How many bits from @bit on are set, at most 64. */
static unsigned set_from(const uint64_t *map, unsigned bit)
{
	uint64_t clear = ~window_from(map, bit);

	return clear ? (unsigned)__builtin_ctzll(clear) : 64;
}

/* How many bits before @bit are set, at most 64. */
static unsigned set_before(const uint64_t *map, unsigned bit)
{
	uint64_t clear = ~window_before(map, bit);

	return clear ? (unsigned)__builtin_clzll(clear) : 64;
}

unsigned map_longest_set(const uint64_t *map, unsigned first, unsigned nr,
			 unsigned was)
{
	unsigned len = set_before(map, first) + nr + set_from(map, first + nr);

	if (len > ARENA_MAX_RUN)
		len = ARENA_MAX_RUN;
	return len > was ? len : was;
}

unsigned map_longest_cleared(const uint64_t *map, unsigned first, unsigned nr,
			     unsigned was)
{
	unsigned before = set_before(map, first);
	unsigned after = set_from(map, first + nr);

	/* What is left is as long, or it was in another run. */
	if (before >= was || after >= was || before + nr + after < was)
		return was;
	return map_longest(map);
}

unsigned map_next(const uint64_t *map, unsigned from, bool val)
{
	uint64_t flip = val ? 0 : ~UINT64_C(0);

	while (from < ARENA_SEG_PAGES) {
		uint64_t w = (map[from / 64] ^ flip) >> (from % 64);

		if (w)
			return from + (unsigned)__builtin_ctzll(w);
		from = (from / 64 + 1) * 64;
	}
	return ARENA_SEG_PAGES;
}

void map_change(struct undo_log *u, uint64_t *map, unsigned first, unsigned nr,
		bool val)
{
	while (nr) {
		unsigned bit = first % 64;
		unsigned n = nr < 64 - bit ? nr : 64 - bit;
		uint64_t mask = (~UINT64_C(0) >> (64 - n)) << bit;
		uint64_t *w = &map[first / 64];

		undo_set(u, w, val ? *w | mask : *w & ~mask);
		first += n;
		nr -= n;
	}
}
