/* SPDX-License-Identifier: BSD-3-Clause */
/* The arena: what is transient has segments apart. */
#include <errno.h>

#include "arena_test.h"

#define SEGS  3u
#define PAGES (SEGS * ARENA_SEG_PAGES)

static struct arena *a;
static struct arena_thread *t;
static uint64_t usual[PAGES];

static uint32_t seg_of(uint64_t ref)
{
	return pfn_seg(run_ref_pfn(ref));
}

static int take(bool transient, unsigned pages, uint64_t *ref)
{
	int err;

	arena_thread_transient(t, transient);
	err = arena_run_alloc(a, t, pages, ARENA_PAGE_DATA, ref);
	arena_thread_transient(t, false);
	return err;
}

/* @n free segments that are there to stay. */
static void begin(unsigned n)
{
	a = new_arena(0, true);
	t = arena_thread(a, 0);
	memset(usual, 0, sizeof(usual));
	arena_set_keep(a, 64 * MIB);
	while (arena_back_ahead(a, t, n * (uint64_t)ARENA_SEG_SIZE))
		;
	CHECK_EQ(stats_of(a).free_segments, n);
}

static void end(void)
{
	for (unsigned i = 0; i < PAGES; i++)
		arena_run_free(a, t, &usual[i]);
	free_refs(a, t, PAGES);
	check_verify(a);
	CHECK_EQ(stats_of(a).free_transient, 0);
	arena_close(a);
}

/* One of each in turns, in as many segments as there are. */
static void take_both(unsigned pages)
{
	for (unsigned i = 0; i < pages; i++) {
		REQUIRE(take(true, 1, &refs[i]) == 0);
		REQUIRE(take(false, 1, &usual[i]) == 0);
	}
	check_verify(a);
}

static void test_apart(void)
{
	begin(SEGS + 1);
	take_both(ARENA_SEG_PAGES + 100);
	for (unsigned i = 0; i < ARENA_SEG_PAGES + 100; i++)
		for (unsigned k = 0; k < ARENA_SEG_PAGES + 100; k++)
			REQUIRE(seg_of(refs[i]) != seg_of(usual[k]));
	CHECK_EQ(stats_of(a).free_transient, ARENA_SEG_PAGES - 100);
	free_refs(a, t, ARENA_SEG_PAGES + 100);
	/* Nothing of it keeps a segment in use. */
	CHECK_EQ(stats_of(a).free_segments, SEGS + 1 - 2);
	CHECK_EQ(stats_of(a).free_transient, 0);
	end();
}

static void test_backed_only(void)
{
	begin(0);
	CHECK_EQ(take(true, 1, &refs[0]), -ENOSPC);
	CHECK(!arena_has_backed(a, t, 1));
	/* What is free among the usual is not for it. */
	CHECK_EQ(take(false, 1, &usual[0]), 0);
	CHECK(!arena_has_backed(a, t, 1));
	CHECK_EQ(take(true, 1, &refs[0]), -ENOSPC);
	CHECK(arena_back_ahead(a, t, 1));
	CHECK(!arena_back_ahead(a, t, ARENA_SEG_SIZE));
	CHECK(arena_has_backed(a, t, ARENA_SEG_SIZE));
	CHECK_EQ(take(true, 1, &refs[0]), 0);
	CHECK(seg_of(refs[0]) != seg_of(usual[0]));
	CHECK(!arena_has_backed(a, t, ARENA_SEG_SIZE));
	CHECK(arena_has_backed(a, t, ARENA_SEG_SIZE - ARENA_PAGE_SIZE));
	end();
}

/* Longer runs are taken where all are. */
static void test_long_runs(void)
{
	begin(1);
	CHECK_EQ(take(true, 2, &refs[0]), 0);
	CHECK_EQ(stats_of(a).free_transient, 0);
	CHECK_EQ(take(true, 1, &refs[1]), -ENOSPC);
	end();
}

/* When nothing is kept for it any more, anybody takes what is free. */
static void test_joined_at_rest(void)
{
	begin(1);
	CHECK_EQ(take(true, 1, &refs[0]), 0);
	CHECK_EQ(take(false, 1, &usual[0]), 0);
	CHECK(seg_of(refs[0]) != seg_of(usual[0]));
	arena_run_free(a, t, &usual[0]);
	arena_set_keep(a, 0);
	arena_trim(a, t, true, false);
	CHECK_EQ(stats_of(a).segments, 1);
	CHECK_EQ(take(false, 16, &usual[0]), 0);
	CHECK(seg_of(refs[0]) == seg_of(usual[0]));
	CHECK_EQ(stats_of(a).free_transient, 0);
	/* It is one for everybody now. */
	CHECK_EQ(take(true, 1, &refs[1]), -ENOSPC);
	end();
}

/* Nor is it left alone where the arena cannot grow. */
static void test_joined_at_limit(void)
{
	unsigned n = 0;
	int err = 0;

	begin(SEGS);
	for (unsigned i = 0; i < SEGS; i++) {
		for (unsigned k = 0; k < ARENA_SEG_PAGES; k++)
			CHECK_EQ(take(true, 1, &refs[n++]), 0);
	}
	for (unsigned i = 0; i < n; i++) {
		if (i % 100)
			arena_run_free(a, t, &refs[i]);
	}
	CHECK_EQ(stats_of(a).free_transient, stats_of(a).free_pages);
	arena_set_limit(a, stats_of(a).used);
	n = (unsigned)stats_of(a).free_pages;
	for (unsigned i = 0; i < n && !err; i++)
		err = take(false, 1, &usual[i]);
	CHECK_EQ(err, 0);
	CHECK_EQ(stats_of(a).free_pages, 0);
	CHECK_EQ(take(false, 1, &usual[n]), -ENOSPC);
	end();
}

/* The hole of one is filled for whoever needs it. */
static void test_joined_by_filling(void)
{
	begin(1);
	for (unsigned k = 0; k < ARENA_SEG_PAGES; k++)
		CHECK_EQ(take(true, 1, &refs[k]), 0);
	for (unsigned k = 100; k < 200; k++)
		arena_run_free(a, t, &refs[k]);
	CHECK_EQ(arena_trim(a, t, false, true), 100);
	CHECK_EQ(stats_of(a).free_transient, 0);
	check_verify(a);
	CHECK_EQ(take(false, 16, &usual[0]), 0);
	CHECK(seg_of(refs[0]) == seg_of(usual[0]));
	CHECK_EQ(stats_of(a).free_transient, 0);
	end();
}

/* A successor finds them as they were. */
static void test_recovered(void)
{
	struct arena *b;

	begin(1);
	CHECK_EQ(take(true, 1, &refs[0]), 0);
	int fd = dup(arena_fd(a));

	arena_close(a);
	CHECK_EQ(arena_open(fd, &b), 0);
	close(fd);
	a = b;
	t = arena_thread(a, 0);
	check_verify(a);
	CHECK_EQ(stats_of(a).free_transient, ARENA_SEG_PAGES - 1);
	CHECK_EQ(take(true, 1, &refs[1]), 0);
	CHECK(seg_of(refs[0]) == seg_of(refs[1]));
	end();
}

static const struct check_case cases[] = {
	CHECK_CASE(test_apart),		  CHECK_CASE(test_backed_only),
	CHECK_CASE(test_long_runs),	  CHECK_CASE(test_joined_at_rest),
	CHECK_CASE(test_joined_at_limit), CHECK_CASE(test_joined_by_filling),
	CHECK_CASE(test_recovered),
};

int main(int argc, char **argv)
{
	return CHECK_MAIN(cases, argc, argv);
}
