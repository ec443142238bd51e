/* SPDX-License-Identifier: BSD-3-Clause */
/* Compaction (see compact.h). */
#include "compact.h"

#include "state/threads.h"
#include "state/zsfs.h"

static void pause_thread(void *th)
{
	zsfs_pause(th);
}

int64_t zsfs_compact(struct zsfs *fs, struct zsfs_thread *th)
{
	struct arena_stats before, after;
	int64_t freed;
	uint64_t pages;

	arena_get_stats(fs->arena, &before);
	freed = zs_compact_pausing(fs->pool, th->at, pause_thread, th);
	if (freed < 0)
		return freed;
	arena_trim(fs->arena, th->at, true, true);
	arena_get_stats(fs->arena, &after);
	pages = after.given_back - before.given_back;
	if (pages < (uint64_t)freed)
		pages = (uint64_t)freed;
	__atomic_store_n(&fs->super->last_compact, pages, __ATOMIC_RELAXED);
	return (int64_t)pages;
}
