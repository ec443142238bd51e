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

/* Whole segments are mapped as such, also in who takes over from the dead. */
static void test_whole_segments(void)
{
	struct arena *a = new_arena(0, false);
	int err, fd = dup(arena_fd(a));

	CHECK_EQ(fill(a, arena_thread(a, 0), 1, SEGS * ARENA_SEG_PAGES, &err),
		 SEGS * ARENA_SEG_PAGES);
	CHECK_EQ(huge_mapped(), segments_on_huge_pages(a, SEGS));
	arena_close(a);

	REQUIRE(!arena_open(fd, &a));
	CHECK_EQ(huge_mapped(), segments_on_huge_pages(a, SEGS));
	/* One with holes in it is not. */
	for (unsigned i = 1; i < ARENA_SEG_PAGES; i++)
		arena_run_free(a, arena_thread(a, 0), &refs[i]);
	arena_trim(a, arena_thread(a, 0), false, true);
	arena_close(a);

	REQUIRE(!arena_open(fd, &a));
	CHECK_EQ(huge_mapped(), segments_on_huge_pages(a, SEGS - 1));
	check_verify(a);
	arena_close(a);
	close(fd);
}

/* The kernel may not fill holes to have a huge page again. */
static void test_holes_stay(void)
{
	struct arena *a = new_arena(0, false);
	void *data = (void *)(uintptr_t)(ARENA_BASE + seg_offset(0));
	int err;

	CHECK_EQ(fill(a, arena_thread(a, 0), 1, SEGS * ARENA_SEG_PAGES, &err),
		 SEGS * ARENA_SEG_PAGES);
	for (unsigned i = 0; i < SEGS * ARENA_SEG_PAGES; i++)
		if (i % 8)
			arena_run_free(a, arena_thread(a, 0), &refs[i]);
	CHECK(arena_trim(a, arena_thread(a, 0), false, true) > 0);
	CHECK_EQ(file_bytes(a), stats_of(a).used);

	/* What khugepaged does in its own time. */
	CHECK(madvise(data, SEGS * (size_t)ARENA_SEG_SIZE, MADV_COLLAPSE) < 0);
	CHECK_EQ(file_bytes(a), stats_of(a).used);
	check_verify(a);
	arena_close(a);
}

static const struct check_case cases[] = {
	CHECK_CASE(test_whole_segments),
	CHECK_CASE(test_holes_stay),
};

int main(int argc, char **argv)
{
	return CHECK_MAIN(cases, argc, argv);
}
