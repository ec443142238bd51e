/* SPDX-License-Identifier: BSD-3-Clause */
/* What is kept back of mem_limit (see reserve.h). */
#include "reserve.h"

#include "shared_page.h"
#include "zsfs.h"

/*
 * Kept back from mem_limit for overwrites and deletions. Memory comes in
 * segments, and the books before them may take any size: of two segments'
 * bytes one is whole.
 */
#define RESERVE (2 * (uint64_t)ARENA_SEG_SIZE)
/*
 * Kept for late writes of shared mappings: a part of mem_limit, at most that.
 */
#define LATE_PART 16u
#define MAX_LATE  (UINT64_C(16) << 20)

_Static_assert(RESERVE + (UINT64_C(2) << 20) <= SHARED_SPARE,
	       "the spare is for the reserve and for the next worker");

uint64_t zsfs_min_mem_limit(unsigned nr_threads)
{
	/* Root area, windows, and room for a few segments. */
	uint64_t min =
		layout_root_size(nr_threads) + RESERVE + 3 * ARENA_SEG_SIZE;

	return (min + ARENA_SEG_SIZE - 1) & ~(uint64_t)(ARENA_SEG_SIZE - 1);
}

/* In whole segments, as memory comes; none of a very small limit. */
static uint64_t late_share(uint64_t mem_limit)
{
	uint64_t late = mem_limit / LATE_PART;

	if (late > MAX_LATE)
		late = MAX_LATE;
	return late - late % ARENA_SEG_SIZE;
}

uint64_t zsfs_apply_reserve(struct zsfs *fs, uint64_t mem_limit)
{
	/* What is not there then would be a worker's death. */
	bool short_of_memory = fs->super->pressure_used != 0;

	arena_set_reserve(fs->arena, RESERVE,
			  short_of_memory ? 0 : late_share(mem_limit));
	return RESERVE;
}
