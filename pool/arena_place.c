/* SPDX-License-Identifier: BSD-3-Clause */
/* Where the parts of an arena lie, for its size. */
#include "arena_i.h"

#include <errno.h>

/* Handle cells that there can be: their numbers have 31 bits. */
#define MAX_HANDLE_BYTES (UINT64_C(16) << 30)
/* Less data than this is not worth an arena. */
#define MIN_SEGS 16u

struct arena_place arena_place;

uint64_t arena_root_offset(unsigned nr_threads)
{
	uint64_t threads = nr_threads * sizeof(struct arena_thread_shared);

	return round_up(ARENA_PAGE_SIZE + threads, ARENA_PAGE_SIZE);
}

/*
 * The windows lie in proportion to the size, behind the root area: a descriptor
 * takes 0.4 % of its segment, and there is a handle cell for each 256 bytes.
 * Both begin in the middle of what may be one huge page.
 */
int arena_plan_place(uint64_t size, uint64_t root_end, struct arena_place *p)
{
	uint64_t descs = round_up(size / 128, ARENA_SEG_SIZE);
	uint64_t handles = size / 32 & ~(uint64_t)(ARENA_SEG_SIZE - 1);
	uint64_t data;

	if (handles > MAX_HANDLE_BYTES)
		handles = MAX_HANDLE_BYTES;
	p->size = size;
	p->window =
		round_up(root_end, ARENA_SEG_SIZE) + descs + ARENA_SEG_SIZE / 2;
	p->handles_end = p->window + handles;
	data = round_up(p->handles_end, ARENA_SEG_SIZE);
	if (size > ARENA_SIZE || size % ARENA_SEG_SIZE ||
	    data + MIN_SEGS * (uint64_t)ARENA_SEG_SIZE > size)
		return -EINVAL;
	p->data_pfn = data / ARENA_PAGE_SIZE;
	p->max_segs = (uint32_t)((size - data) / ARENA_SEG_SIZE);
	return 0;
}

uint64_t arena_min_size(unsigned nr_threads, size_t root_size)
{
	uint64_t root_end = arena_root_offset(nr_threads) + root_size;
	uint64_t size = 0;
	struct arena_place p;

	while (arena_plan_place(size, root_end, &p))
		size += ARENA_SEG_SIZE;
	return size;
}
