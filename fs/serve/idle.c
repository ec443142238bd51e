/* SPDX-License-Identifier: BSD-3-Clause */
/* Giving memory back on a mount that is idle (see idle.h). */
#include "idle.h"

#include "base/clock.h"
#include "content/hot.h"
#include "job_loop.h"
#include "state/counters.h"
#include "state/inode.h"
#include "state/threads.h"
#include "state/zsfs.h"

#define IDLE_MSECS 2000u
/*
 * Free bytes between what is in use that are worth breaking up huge pages for:
 * so many, and such a part of all.
 */
#define WORTH_PUNCHING (UINT64_C(2) << 20)
#define PUNCH_PART     8u

static uint64_t changes(const struct zsfs *fs)
{
	return (uint64_t)zsfs_stat_sum(fs, ST_WRITTEN_BLOCKS) +
	       (uint64_t)zsfs_stat_sum(fs, ST_FREED);
}

static bool is_worth_punching(struct zsfs *fs)
{
	struct arena_stats st;
	uint64_t bytes;

	arena_get_stats(fs->arena, &st);
	bytes = st.free_pages * ARENA_PAGE_SIZE;
	return bytes >= WORTH_PUNCHING && bytes >= st.used / PUNCH_PART;
}

/* ---- packing ---- */

/* One step. False: there was none to make, and the run is over. */
static bool pack(struct zsfs *fs, struct idle *i)
{
	struct zsfs_thread *th = zsfs_background(fs);
	unsigned pages;

	zsfs_enter(th);
	pages = zs_compact_step(fs->pool, th->at);
	if (!pages && i->packed)
		zs_count_compaction(fs->pool, th->at, i->packed);
	zsfs_leave(th);
	i->packed = pages ? i->packed + pages : 0;
	return pages;
}

/* ---- giving back ---- */

static void give_back(struct zsfs *fs)
{
	struct zsfs_thread *th = zsfs_background(fs);

	zsfs_enter(th);
	hot_rest(fs);
	zs_trim_handles(fs->pool, th->at);
	arena_trim(fs->arena, th->at, true, false);
	if (is_worth_punching(fs))
		arena_trim(fs->arena, th->at, false, true);
	zsfs_leave(th);
}

unsigned idle_look(struct zsfs *fs, struct idle *i)
{
	uint64_t now = clock_ms(), seen = changes(fs);

	if (!__atomic_load_n(&fs->wake.freed, __ATOMIC_RELAXED))
		return JOB_DONE;
	if (seen != i->seen || !i->since) {
		i->seen = seen;
		i->since = now;
	}
	if (now - i->since < IDLE_MSECS)
		return (unsigned)(IDLE_MSECS - (now - i->since));
	if (pack(fs, i))
		return JOB_MORE;
	/* First, so that what is freed meanwhile is looked for again. */
	__atomic_store_n(&fs->wake.freed, false, __ATOMIC_SEQ_CST);
	i->since = 0;
	give_back(fs);
	return JOB_DONE;
}
