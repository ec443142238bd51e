/* SPDX-License-Identifier: BSD-3-Clause */
/* The arena's limits, growth and give-back. */
#include <errno.h>
#include <sys/resource.h>

#include "arena_test.h"

static void test_limit(void)
{
	static const struct {
		uint64_t limit;
		unsigned pages;
	} cases[] = {{24 * MIB, 1},
		     {33 * MIB, 1},
		     {40 * MIB + 4096, 16},
		     {30 * MIB + 123, 7}};

	FOR_EACH_BACKING(no_huge)
	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct arena *a = new_arena(cases[i].limit, no_huge);
		struct arena_thread *t = arena_thread(a, 0);
		uint64_t promise = arena_available(a), got;
		int err;

		CHECK(promise > cases[i].limit - 12 * MIB);
		got = fill(a, t, cases[i].pages, MAX_REFS, &err) *
		      (uint64_t)cases[i].pages * ARENA_PAGE_SIZE;
		CHECK_EQ(err, -ENOSPC);
		/* A segment has room for 512 / 7 runs of 7, and so on. */
		CHECK(got <= promise);
		CHECK(got + promise / 512 * (512 % cases[i].pages) +
			      cases[i].pages * 4096 >
		      promise);
		CHECK(arena_available(a) == promise - got);
		CHECK(stats_of(a).used <= cases[i].limit);
		CHECK_EQ(file_bytes(a), stats_of(a).used);
		CHECK_EQ(stats_of(a).used_max, stats_of(a).used);
		check_verify(a);

		/* What is freed can be had again; a lower limit refuses. */
		arena_run_free(a, t, &refs[3]);
		arena_set_limit(a, cases[i].limit - 8 * MIB);
		CHECK_EQ(arena_run_alloc(a, t, 1, ARENA_PAGE_DATA, &refs[3]),
			 -ENOSPC);
		CHECK_EQ(arena_available(a), 0);
		CHECK_EQ(refs[3], 0);
		arena_set_limit(a, 0);
		CHECK(arena_available(a) == UINT64_MAX);
		CHECK_EQ(arena_run_alloc(a, t, cases[i].pages, ARENA_PAGE_DATA,
					 &refs[3]),
			 0);
		free_refs(a, t, MAX_REFS);
		check_verify(a);
		arena_close(a);
	}
}

/* Claims nest; each leaves room for the next, and may go beyond the limit. */
static void test_claims(void)
{
	struct arena *a = new_arena(40 * MIB, true);
	struct arena_thread *t = arena_thread(a, 2);

	CHECK_EQ(arena_thread_nr(t), 2);
	arena_set_reserve(a, 4 * MIB, 2 * MIB);
	CHECK_EQ(arena_bound(a, t), 34 * MIB);
	CHECK_EQ(arena_thread_claim(t, ARENA_LATE, MIB), ARENA_NEW);
	CHECK_EQ(arena_bound(a, t), 37 * MIB);
	CHECK_EQ(arena_thread_claim(t, ARENA_RESERVE, 3 * MIB), ARENA_LATE);
	CHECK_EQ(arena_bound(a, t), 43 * MIB);

	/* A lower claim, or the same once more, changes nothing. */
	CHECK_EQ(arena_thread_claim(t, ARENA_NEW, 0), ARENA_RESERVE);
	CHECK_EQ(arena_thread_claim(t, ARENA_RESERVE, 0), ARENA_RESERVE);
	CHECK_EQ(arena_bound(a, t), 43 * MIB);
	CHECK_EQ(arena_bound(a, arena_thread(a, 1)), 34 * MIB);

	arena_thread_unclaim(t, ARENA_LATE);
	CHECK_EQ(arena_bound(a, t), 39 * MIB);
	arena_thread_unclaim(t, ARENA_NEW);
	CHECK_EQ(arena_bound(a, t), 34 * MIB);
	arena_close(a);
}

/* A part is left alone by who is modest, unless it has a claim to more. */
static void test_modest(void)
{
	struct arena *a = new_arena(32 * MIB, true);
	struct arena_thread *t = arena_thread(a, 2);

	arena_set_reserve(a, 4 * MIB, 0);
	arena_thread_modest(t, true);
	CHECK_EQ(arena_bound(a, t), 28 * MIB - MIB / 8);
	CHECK_EQ(arena_bound(a, arena_thread(a, 1)), 28 * MIB);
	CHECK_EQ(arena_bound(a, NULL), 28 * MIB);
	arena_thread_claim(t, ARENA_GROW, 0);
	CHECK_EQ(arena_bound(a, t), 28 * MIB);
	arena_thread_unclaim(t, ARENA_NEW);
	arena_set_limit(a, 4096 * MIB);
	CHECK_EQ(arena_bound(a, t), (4096 - 4 - 2) * MIB);
	arena_set_limit(a, 0);
	CHECK_EQ(arena_bound(a, t), UINT64_MAX);
	arena_set_limit(a, 32 * MIB);
	arena_thread_modest(t, false);
	CHECK_EQ(arena_bound(a, t), 28 * MIB);
	arena_close(a);
}

/* What may grow is kept, with a segment more, as far as that goes. */
static void test_growth(void)
{
	struct arena *a = new_arena(40 * MIB, true);
	struct arena_thread *t = arena_thread(a, 0);

	arena_set_reserve(a, 4 * MIB, 2 * MIB);
	arena_add_growth(a, 3 * MIB);
	arena_add_growth(a, -(int64_t)MIB);
	CHECK_EQ(stats_of(a).growth, 2 * MIB);
	CHECK_EQ(arena_bound(a, t), 30 * MIB);
	CHECK_EQ(arena_thread_claim(t, ARENA_GROW, 0), ARENA_NEW);
	CHECK_EQ(arena_bound(a, t), 34 * MIB);
	CHECK_EQ(arena_thread_claim(t, ARENA_LATE, 0), ARENA_GROW);
	CHECK_EQ(arena_bound(a, t), 36 * MIB);
	arena_thread_unclaim(t, ARENA_NEW);
	arena_set_growth(a, 1000 * MIB);
	CHECK_EQ(arena_bound(a, t), 29 * MIB);
	CHECK_EQ(stats_of(a).kept_growth, 5 * MIB);
	arena_set_limit(a, 4096 * MIB);
	CHECK_EQ(stats_of(a).kept_growth, 256 * MIB);
	arena_set_limit(a, 0);
	CHECK_EQ(arena_bound(a, t), UINT64_MAX);
	arena_close(a);
}

static void test_reserve(void)
{
	FOR_EACH_BACKING(no_huge)
	{
		struct arena *a = new_arena(40 * MIB, no_huge);
		struct arena_thread *t = arena_thread(a, 0);
		struct arena_stats s;
		unsigned n, more;
		int err;

		arena_set_reserve(a, 6 * MIB, 0);
		n = fill(a, t, 1, MAX_REFS, &err);
		CHECK_EQ(err, -ENOSPC);
		CHECK(arena_available(a) < ARENA_PAGE_SIZE);
		s = stats_of(a);
		CHECK(s.used <= 34 * MIB);
		CHECK(s.used > 32 * MIB - (no_huge ? 64 << 10 : 0));
		CHECK_EQ(s.reserve, 6 * MIB);

		arena_thread_claim(t, ARENA_RESERVE, 0);
		for (more = 0; !err || !more; more++)
			err = arena_run_alloc(a, t, 1, ARENA_PAGE_DATA,
					      &refs[n + more]);
		more--;
		CHECK_EQ(err, -ENOSPC);
		CHECK(more * 4096 >= 6 * MIB);
		CHECK(stats_of(a).used <= 40 * MIB);

		/* Freed pages of the reserve are not for everybody. */
		arena_thread_unclaim(t, ARENA_NEW);
		for (unsigned i = 0; i < 10; i++)
			arena_run_free(a, t, &refs[n + i]);
		CHECK_EQ(arena_run_alloc(a, t, 1, ARENA_PAGE_DATA, &refs[n]),
			 -ENOSPC);
		CHECK_EQ(arena_available(a), 0);
		arena_thread_claim(t, ARENA_RESERVE, 0);
		CHECK_EQ(arena_run_alloc(a, t, 1, ARENA_PAGE_DATA, &refs[n]),
			 0);
		check_verify(a);
		free_refs(a, t, MAX_REFS);
		arena_close(a);
	}
}

static void test_give_back(void)
{
	FOR_EACH_BACKING(no_huge)
	{
		struct arena *a = new_arena(0, no_huge);
		struct arena_thread *t = arena_thread(a, 0);
		uint64_t full, full_window, pages;
		uint64_t empty = stats_of(a).used;
		int err;

		CHECK_EQ(fill(a, t, 16, 4096, &err), 4096); /* 256 MiB */
		full = file_bytes(a);
		CHECK(full >= 256 * MIB);
		CHECK_EQ(full, stats_of(a).used);
		free_refs(a, t, 4096);
		/* Hysteresis keeps 32 MiB, then none. */
		CHECK_EQ(stats_of(a).free_segments, 16);
		CHECK(file_bytes(a) <= empty + 35 * MIB);
		CHECK_EQ(file_bytes(a), stats_of(a).used);
		full_window = stats_of(a).window_bytes;
		pages = arena_trim(a, t, true, false);
		full_window -= stats_of(a).window_bytes;
		CHECK_EQ(pages, 16 * 512 + full_window / 4096);
		CHECK_EQ(stats_of(a).free_segments, 0);
		CHECK_EQ(stats_of(a).used, empty);
		CHECK_EQ(file_bytes(a), empty);
		CHECK(stats_of(a).used_max == full);
		arena_reset_used_max(a);
		CHECK(stats_of(a).used_max == stats_of(a).used);
		check_verify(a);

		/* At a small limit a quarter of it is the most to keep. */
		arena_set_limit(a, 40 * MIB);
		fill(a, t, 16, 4096, &err);
		CHECK_EQ(err, -ENOSPC);
		free_refs(a, t, 4096);
		CHECK_EQ(stats_of(a).free_segments, 5);
		check_verify(a);
		arena_close(a);
	}
}

/* Segments of one-page runs, all free but every @step-th, then punched. */
static uint64_t make_holes(struct arena *a, unsigned segs, unsigned step)
{
	struct arena_thread *t = arena_thread(a, 0);
	int err;

	CHECK_EQ(fill(a, t, 1, segs * 512, &err), segs * 512);
	for (unsigned i = 0; i < segs * 512; i += step)
		stamp_run(refs[i], false);
	free_all_but(a, t, segs * 512, step);
	check_verify(a);
	return arena_trim(a, t, false, true);
}

static void test_punch(void)
{
	static const struct {
		unsigned step;
		unsigned punched; /* per segment */
	} cases[] = {{4, 0},	    {8, 62 * 7},  {16, 30 * 15},
		     {17, 29 * 16}, {64, 8 * 63}, {512, 511}};

	FOR_EACH_BACKING(no_huge)
	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct arena *a = new_arena(0, no_huge);
		struct arena_thread *t = arena_thread(a, 0);
		unsigned step = cases[i].step, run = step > 16 ? 16 : step - 1;
		uint64_t before, pages;
		unsigned n = 0;
		int err = 0;

		pages = make_holes(a, 4, step);
		CHECK(pages >= 4 * cases[i].punched);
		CHECK(pages <= 4 * (cases[i].punched + 32));
		CHECK_EQ(file_bytes(a), stats_of(a).used);
		check_verify(a);
		CHECK_EQ(arena_trim(a, t, false, true), 0);
		for (unsigned r = 0; r < 4 * 512; r++) {
			if (refs[r])
				stamp_run(refs[r], true);
		}

		/*
		 * Where there is little room, the holes are filled before there
		 * are new segments.
		 */
		arena_set_limit(a, stats_of(a).used + 32 * MIB);
		before = stats_of(a).segments;
		for (unsigned r = 4 * 512; pages && !err; r++) {
			err = arena_run_alloc(a, t, run, ARENA_PAGE_DATA,
					      &refs[r]);
			if (stats_of(a).segments > before)
				break;
			stamp_run(refs[r], false);
			n++;
		}
		CHECK_EQ(err, 0);
		CHECK(n * run >= pages / 2);
		CHECK_EQ(file_bytes(a), stats_of(a).used);
		check_verify(a);

		/* Empty segments with holes do not stay. */
		arena_trim(a, t, false, true);
		free_refs(a, t, MAX_REFS);
		CHECK_EQ(a->hdr->hole_pages, 0);
		CHECK_EQ(file_bytes(a), stats_of(a).used);
		check_verify(a);
		arena_close(a);
	}
}

/* Pauses that the calling process has made so far. */
static long pauses(void)
{
	struct rusage r;

	CHECK_EQ(getrusage(RUSAGE_SELF, &r), 0);
	return r.ru_nvcsw;
}

/* One punch that was in vain is waited for once, not at every later one. */
static void test_punch_in_vain(void)
{
	FOR_EACH_BACKING(no_huge)
	{
		struct arena *a = new_arena(0, no_huge);
		struct arena_thread *t = arena_thread(a, 0);
		uint64_t stuck = seg_offset(100);
		long before;
		int err;

		CHECK_EQ(fill(a, t, 1, 4 * 512, &err), 4 * 512);
		free_all_but(a, t, 4 * 512, 8);
		/* As if the kernel had kept what it was told to take. */
		CHECK_EQ(arena_back(arena_fd(a), stuck, ARENA_SEG_SIZE), 0);
		before = pauses();
		CHECK(arena_trim(a, t, false, true) >= 4 * 62 * 7);
		CHECK(pauses() - before < 60);
		/* It counts until it is gone, and is looked for again then. */
		CHECK_EQ(a->excess, ARENA_SEG_SIZE);
		arena_unback(arena_fd(a), stuck, ARENA_SEG_SIZE);
		free_refs(a, t, MAX_REFS);
		arena_trim(a, t, true, true);
		CHECK_EQ(file_bytes(a), stats_of(a).used);
		check_verify(a);
		arena_close(a);
	}
}

/* Holes that cannot make a run long enough stay. */
static void test_useless_holes(void)
{
	FOR_EACH_BACKING(no_huge)
	{
		struct arena *a = new_arena(0, no_huge);
		struct arena_thread *t = arena_thread(a, 0);
		uint64_t holes, segments;

		CHECK(make_holes(a, 4, 8) >= 4 * 62 * 7);
		holes = a->hdr->hole_pages;
		segments = stats_of(a).segments;
		for (unsigned i = 0; i < 32; i++)
			CHECK_EQ(arena_run_alloc(a, t, 16, ARENA_PAGE_DATA,
						 &refs[4 * 512 + i]),
				 0);
		CHECK_EQ(a->hdr->hole_pages, holes);
		CHECK_EQ(stats_of(a).segments, segments + 1);

		/* With one used page less, a run goes over two holes. */
		arena_run_free(a, t, &refs[8]);
		CHECK_EQ(arena_run_alloc(a, t, 15, ARENA_PAGE_DATA, &refs[8]),
			 0);
		CHECK_EQ(run_ref_pfn(refs[8]), seg_pfn(0) + 1);
		CHECK_EQ(a->hdr->hole_pages, holes - 14);
		CHECK_EQ(file_bytes(a), stats_of(a).used);
		check_verify(a);
		free_refs(a, t, MAX_REFS);
		arena_close(a);
	}
}

/* Under a limit, holes are filled as far as it goes, and no further. */
static void test_punch_limit(void)
{
	FOR_EACH_BACKING(no_huge)
	{
		struct arena *a = new_arena(0, no_huge);
		struct arena_thread *t = arena_thread(a, 0);
		uint64_t got = 0, promise;
		int err = 0;

		make_holes(a, 8, 64);
		arena_set_limit(a, stats_of(a).used + 3 * MIB);
		promise = arena_available(a);
		CHECK(promise >= 1 * MIB);
		for (unsigned r = 8 * 512; !err; r++) {
			err = arena_run_alloc(a, t, 1, ARENA_PAGE_DATA,
					      &refs[r]);
			got += err ? 0 : 4096;
		}
		CHECK_EQ(err, -ENOSPC);
		CHECK(got >= promise);
		CHECK(got + 256 * 1024 >= 3 * MIB);
		CHECK(stats_of(a).used <= stats_of(a).limit);
		CHECK_EQ(file_bytes(a), stats_of(a).used);
		check_verify(a);
		free_refs(a, t, MAX_REFS);
		arena_close(a);
	}
}

static void test_handles(void)
{
	FOR_EACH_BACKING(no_huge)
	{
		struct arena *a = new_arena(64 * MIB, no_huge);
		struct arena_thread *t = arena_thread(a, 0);
		uint64_t first = arena_handles_backed(a), n = first, used;
		int err = 0;

		CHECK(first >= 8192);
		*arena_handle_cell((uint32_t)first - 1) = 1;
		for (unsigned i = 0; i < 5; i++) {
			used = stats_of(a).used;
			CHECK_EQ(arena_grow_handles(a, t), 0);
			CHECK(arena_handles_backed(a) > n);
			CHECK_EQ(stats_of(a).used - used,
				 8 * (arena_handles_backed(a) - n));
			for (; n < arena_handles_backed(a); n++) {
				CHECK(*arena_handle_cell((uint32_t)n) == 0);
				*arena_handle_cell((uint32_t)n) = n;
			}
			check_verify(a);
		}
		arena_trim_handles(a, t, 1);
		CHECK(arena_handles_backed(a) == first);
		CHECK_EQ(file_bytes(a), stats_of(a).used);
		check_verify(a);
		CHECK_EQ(arena_grow_handles(a, t), 0);
		CHECK_EQ(*arena_handle_cell((uint32_t)first), 0);

		/* Free segments make room for handles at the limit. */
		fill(a, t, 16, MAX_REFS, &err);
		CHECK_EQ(err, -ENOSPC);
		while (!arena_grow_handles(a, t))
			;
		CHECK_EQ(arena_grow_handles(a, t), -ENOSPC);
		free_refs(a, t, 32);
		CHECK(stats_of(a).free_segments > 0);
		CHECK_EQ(arena_grow_handles(a, t), 0);
		CHECK(stats_of(a).used <= 64 * MIB);
		free_refs(a, t, MAX_REFS);
		check_verify(a);
		arena_close(a);
	}
}

#if ZS_DEBUG_LEVEL >= 1
static int fail_in;
static unsigned fail_asked;

static bool fail_nth(void)
{
	fail_asked++;
	return fail_in > 0 && --fail_in == 0;
}

/* A little of everything; the first error, or 0. */
static int exercise(struct arena *a)
{
	struct arena_thread *t = arena_thread(a, 0);
	int err = 0;

	for (unsigned i = 0; i < 100 && !err; i++)
		err = arena_run_alloc(a, t, 16, ARENA_PAGE_DATA, &refs[i]);
	for (unsigned i = 100; i < 150 && !err; i++)
		err = slab_alloc(a, t, i % SLAB_NR_CACHES, &refs[i]);
	if (!err)
		err = arena_grow_handles(a, t);
	free_refs(a, t, 100);
	for (unsigned i = 100; i < 150; i++)
		slab_free(a, t, &refs[i]);
	return err;
}

static void test_fail_each(void)
{
	struct arena *a = new_arena(0, true);
	int err, fails = 0;

	zs_fail_hook = fail_nth;
	for (int n = 1;; n++) {
		fail_in = n;
		err = exercise(a);
		check_verify(a);
		CHECK_EQ(stats_of(a).pages[ARENA_PAGE_DATA], 0);
		CHECK_EQ(stats_of(a).pages[ARENA_PAGE_SLAB], 0);
		arena_trim(a, arena_thread(a, 0), true, false);
		arena_trim_handles(a, arena_thread(a, 0), 1);
		if (!err)
			break;
		CHECK_EQ(err, -ENOSPC);
		fails++;
	}
	CHECK(fails > 160);
	fail_in = 1;
	arena_close(a);
	a = NULL;
	CHECK_EQ(arena_create(&(struct arena_params){.nr_threads = 1}, &a),
		 -ENOSPC);
	CHECK(a == NULL);
	zs_fail_hook = NULL;
}
#endif

static const struct check_case cases[] = {
	CHECK_CASE(test_claims),	CHECK_CASE(test_modest),
	CHECK_CASE(test_growth),	CHECK_CASE(test_limit),
	CHECK_CASE(test_reserve),	CHECK_CASE(test_give_back),
	CHECK_CASE(test_punch),		CHECK_CASE(test_punch_in_vain),
	CHECK_CASE(test_useless_holes), CHECK_CASE(test_punch_limit),
	CHECK_CASE(test_handles),
#if ZS_DEBUG_LEVEL >= 1
	CHECK_CASE(test_fail_each),
#endif
};

int main(int argc, char **argv)
{
	return CHECK_MAIN(cases, argc, argv);
}
