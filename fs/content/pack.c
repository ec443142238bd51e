/* SPDX-License-Identifier: BSD-3-Clause */
/* Packing the pool in steps (see pack.h). */
#include "pack.h"

#include "base/clock.h"
#include "state/threads.h"
#include "state/zsfs.h"

uint64_t pack_pool(struct zsfs_thread *th, uint64_t pages, unsigned steps,
		   uint64_t until)
{
	struct zs_pool *pool = th->fs->pool;
	uint64_t freed = 0;
	unsigned n = 1;

	for (; n && steps && freed < pages && clock_ms() < until; steps--) {
		n = zs_compact_step(pool, th->at);
		freed += n;
		zsfs_pause(th);
	}
	if (freed)
		zs_count_compaction(pool, th->at, freed);
	return freed;
}
