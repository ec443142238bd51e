/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files that check the arena share. */
#ifndef POOL_ARENA_VERIFY_I_H
#define POOL_ARENA_VERIFY_I_H

#include "arena_i.h"

/* One walk: where to complain, and what was counted. */
struct verify {
	const struct arena *a;
	char *msg;
	size_t size;

	uint64_t in_use;
	uint64_t free;
	uint64_t present;
	uint64_t segments;
	uint64_t free_segs;
	uint64_t free_transient;
	uint64_t holed;
	uint64_t hole_pages;
	uint64_t pages[ARENA_NR_PAGE_TYPES];
	uint64_t in_bin[NR_BINS];

	uint64_t slabs[SLAB_NR_CACHES];
	uint64_t slab_objs[SLAB_NR_CACHES];
	uint64_t slab_partial[SLAB_NR_CACHES];
};

#define BROKEN(v, ...) arena_broken((v)->msg, (v)->size, __VA_ARGS__)

/* slab_verify.c */
/* Check and count the slab page @pfn. */
int verify_slab(struct verify *v, uint64_t pfn);
/* Check the caches' lists and counters, after all slabs were counted. */
int verify_slab_lists(struct verify *v);

#endif
