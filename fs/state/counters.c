/* SPDX-License-Identifier: BSD-3-Clause */
/* Counting (see counters.h). */
#include "counters.h"

#include "zsfs.h"

void zsfs_stat_bump(struct zsfs_thread *th, enum zsfs_stat st)
{
	int64_t *cell = &th->slot->stat[st];

	__atomic_store_n(cell, *cell + 1, __ATOMIC_RELAXED);
}

int64_t zsfs_stat_sum(const struct zsfs *fs, enum zsfs_stat st)
{
	int64_t sum = 0;

	for (unsigned i = 0; i < fs->nr_threads; i++)
		sum += __atomic_load_n(&fs->threads[i].slot->stat[st],
				       __ATOMIC_RELAXED);
	return sum;
}

uint64_t zsfs_stat_get(const struct zsfs *fs, enum zsfs_stat s)
{
	int64_t n = zsfs_stat_sum(fs, s);

	return n > 0 ? (uint64_t)n : 0;
}
