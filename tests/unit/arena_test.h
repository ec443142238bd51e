/* SPDX-License-Identifier: BSD-3-Clause */
/* What the tests of the arena share. */
#ifndef TESTS_UNIT_ARENA_TEST_H
#define TESTS_UNIT_ARENA_TEST_H

#include <sys/stat.h>

#include "arena_i.h"
#include "check.h"

#define MIB (UINT64_C(1) << 20)

/* Both kinds of backing; without privileges they are the same. */
static const bool backings[] = {false, true};
#define FOR_EACH_BACKING(no_huge)                                              \
	for (unsigned b_ = 0; b_ < 2; b_++)                                    \
		for (bool no_huge = backings[b_], once_ = true; once_;         \
		     once_ = false)

static inline struct arena *new_arena(uint64_t limit, bool no_huge)
{
	struct arena_params p = {
		.limit = limit,
		.nr_threads = 4,
		.root_size = 1 << 20,
		.no_huge = no_huge,
	};
	struct arena *a = NULL;

	CHECK_EQ(arena_create(&p, &a), 0);
	return a;
}

static inline void check_verify(struct arena *a)
{
	char msg[200] = "";
	int err = arena_verify(a, msg, sizeof(msg));

	if (err)
		CHECK_FAILED("verify: %s", msg);
}

/* Bytes the file holds. */
static inline uint64_t file_bytes(struct arena *a)
{
	struct stat st;

	CHECK_EQ(fstat(arena_fd(a), &st), 0);
	return (uint64_t)st.st_blocks * 512;
}

static inline struct arena_stats stats_of(struct arena *a)
{
	struct arena_stats s;

	arena_get_stats(a, &s);
	return s;
}

#define MAX_REFS 20000

/* Refs kept in private memory: these tests kill nobody. */
static uint64_t refs[MAX_REFS] __attribute__((unused));

static inline void free_refs(struct arena *a, struct arena_thread *t,
			     unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		arena_run_free(a, t, &refs[i]);
}

/* Runs of @pages until there are @max or the arena refuses. How many. */
static inline unsigned fill(struct arena *a, struct arena_thread *t,
			    unsigned pages, unsigned max, int *err)
{
	unsigned n = 0;

	*err = 0;
	while (n < max && !*err) {
		*err = arena_run_alloc(a, t, pages, ARENA_PAGE_DATA, &refs[n]);
		if (!*err)
			n++;
	}
	return n;
}

/* Of the first @n runs leave every @step-th. */
static inline void free_all_but(struct arena *a, struct arena_thread *t,
				unsigned n, unsigned step)
{
	for (unsigned i = 0; i < n; i++)
		if (i % step)
			arena_run_free(a, t, &refs[i]);
}

/* A run's own pattern, to see that no two runs share a byte. */
static inline void stamp_run(uint64_t ref, bool check)
{
	uint64_t *p = arena_run_addr(ref);
	unsigned words = arena_run_pages(ref) * ARENA_PAGE_SIZE / 8;

	for (unsigned i = 0; i < words; i += 64) {
		if (check)
			CHECK(p[i] == ref + i);
		p[i] = ref + i;
	}
}

static inline uint64_t xorshift(uint64_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	*s ^= *s << 17;
	return *s;
}

#endif
