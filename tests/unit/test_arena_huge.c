/* SPDX-License-Identifier: BSD-3-Clause */
/* Huge pages: which parts of the mapping have them, and which may not. */
#include <inttypes.h>
#include <sys/mman.h>
#include <unistd.h>

#include "arena_test.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

#define SEGS 4u

/* Bytes of shared memory that this process has mapped by huge pages. */
static uint64_t huge_mapped(void)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	uint64_t sum = 0, kib;
	char line[512];

	REQUIRE(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "ShmemPmdMapped: %" SCNu64, &kib) == 1)
			sum += kib << 10;
	fclose(f);
	return sum;
}

static uint64_t segments_on_huge_pages(const struct arena *a, unsigned n)
{
	return a->hdr->huge ? n * (uint64_t)ARENA_SEG_SIZE : 0;
}

static void fill_segments(struct arena *a)
{
	int err;

	CHECK_EQ(fill(a, arena_thread(a, 0), 1, SEGS * ARENA_SEG_PAGES, &err),
		 SEGS * ARENA_SEG_PAGES);
	for (unsigned i = 0; i < SEGS * ARENA_SEG_PAGES; i++)
		stamp_run(refs[i], false);
}

/* As a successor has it. */
static void reopen(struct arena **a)
{
	uint64_t seg = 0;
	int fd = dup(arena_fd(*a));

	arena_close(*a);
	REQUIRE(!arena_open(fd, a));
	while (arena_map_on(*a, &seg))
		;
	close(fd);
}

/* Leave one run in @step, and give back what can be. */
static void make_holes(struct arena *a, unsigned nr, unsigned step)
{
	struct arena_thread *t = arena_thread(a, 0);

	free_all_but(a, t, nr, step);
	CHECK(arena_trim(a, t, false, true) > 0);
}

static void check_runs(void)
{
	for (unsigned i = 0; i < SEGS * ARENA_SEG_PAGES; i++)
		if (refs[i])
			stamp_run(refs[i], true);
}

/* Segments that had small pages and were given back come back whole. */
static void test_segments_come_back(void)
{
	struct arena *a = new_arena(0, false);
	struct arena_thread *t = arena_thread(a, 0);

	fill_segments(a);
	make_holes(a, SEGS * ARENA_SEG_PAGES, 64);
	check_runs();
	CHECK_EQ(huge_mapped(), 0);
	free_refs(a, t, SEGS * ARENA_SEG_PAGES);
	arena_trim(a, t, true, true);
	fill_segments(a);
	check_runs();
	CHECK_EQ(huge_mapped(), segments_on_huge_pages(a, SEGS));
	check_verify(a);
	arena_close(a);
}

/* Rather than to fill holes, while these are not the larger part. */
static void test_new_segment_before_holes(void)
{
	struct arena *a = new_arena(0, false);
	struct arena_thread *t = arena_thread(a, 0);
	uint64_t few = 0, many = 0;

	fill_segments(a);
	free_refs(a, t, ARENA_SEG_PAGES / 2);
	CHECK(arena_trim(a, t, false, true) > 0);
	CHECK_EQ(arena_run_alloc(a, t, 16, ARENA_PAGE_DATA, &few), 0);
	CHECK_EQ(stats_of(a).segments, a->hdr->huge ? SEGS + 1 : SEGS);
	arena_run_free(a, t, &few);
	/* Now little more than one page in eight is there. */
	free_all_but(a, t, SEGS * ARENA_SEG_PAGES, 8);
	arena_trim(a, t, true, true);
	CHECK(a->hdr->hole_pages * ARENA_PAGE_SIZE > a->hdr->used ||
	      !a->hdr->hole_pages);
	CHECK_EQ(arena_run_alloc(a, t, 4, ARENA_PAGE_DATA, &many), 0);
	CHECK_EQ(stats_of(a).segments, SEGS);
	check_verify(a);
	arena_close(a);
}

/* What is punched in vain is given back the next time all is. */
static void test_left_behind(void)
{
	struct arena *a = new_arena(0, false);
	uint64_t used;

	fill_segments(a);
	make_holes(a, SEGS * ARENA_SEG_PAGES, 64);
	used = stats_of(a).used;
	CHECK_EQ(arena_back(arena_fd(a), seg_offset(1), ARENA_SEG_SIZE), 0);
	CHECK(arena_excess(a) > ARENA_SEG_SIZE / 2);
	reopen(&a);
	arena_trim(a, arena_thread(a, 0), true, false);
	CHECK_EQ(arena_excess(a), 0);
	CHECK_EQ(stats_of(a).used, used);
	check_runs();
	check_verify(a);
	arena_close(a);
}

/* Whole segments are mapped as such, also by who takes over from the dead. */
static void test_whole_segments(void)
{
	struct arena *a = new_arena(0, false);

	fill_segments(a);
	CHECK_EQ(huge_mapped(), segments_on_huge_pages(a, SEGS));
	reopen(&a);
	check_runs();
	CHECK_EQ(huge_mapped(), segments_on_huge_pages(a, SEGS));
	make_holes(a, ARENA_SEG_PAGES, ARENA_SEG_PAGES);
	reopen(&a);
	check_runs();
	CHECK_EQ(huge_mapped(), segments_on_huge_pages(a, SEGS - 1));
	check_verify(a);
	arena_close(a);
}

/* The kernel may not fill holes to have a huge page again. */
static void check_holes_stay(bool reopened)
{
	struct arena *a = new_arena(0, false);
	void *data = (void *)(uintptr_t)(ARENA_BASE + seg_offset(0));

	fill_segments(a);
	if (reopened)
		reopen(&a);
	make_holes(a, SEGS * ARENA_SEG_PAGES, 8);
	CHECK_EQ(file_bytes(a), stats_of(a).used);
	/* What khugepaged does in its own time. */
	CHECK(madvise(data, SEGS * (size_t)ARENA_SEG_SIZE, MADV_COLLAPSE) < 0);
	CHECK_EQ(file_bytes(a), stats_of(a).used);
	check_runs();
	check_verify(a);
	arena_close(a);
}

static void test_holes_stay(void)
{
	check_holes_stay(false);
}

static void test_holes_stay_in_successor(void)
{
	check_holes_stay(true);
}

static const struct check_case cases[] = {
	CHECK_CASE(test_segments_come_back),
	CHECK_CASE(test_new_segment_before_holes),
	CHECK_CASE(test_left_behind),
	CHECK_CASE(test_whole_segments),
	CHECK_CASE(test_holes_stay),
	CHECK_CASE(test_holes_stay_in_successor),
};

int main(int argc, char **argv)
{
	return CHECK_MAIN(cases, argc, argv);
}
