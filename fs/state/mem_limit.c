/* SPDX-License-Identifier: BSD-3-Clause */
/* The limit of memory (see mem_limit.h). */
#include "mem_limit.h"

#include <errno.h>

#include "ranks.h"
#include "reserve.h"
#include "shared_page.h"
#include "zsfs.h"

/* ---- the limit ---- */

/* The arena's limit is the smaller one. */
static void apply_locked(struct zsfs *fs)
{
	uint64_t limit = fs->super->mem_limit;
	uint64_t most = fs->super->pressure_used;
	uint64_t reserve = zsfs_apply_reserve(fs, limit);

	if (most && fs->shared &&
	    shared_get(&fs->shared->worker.spare) == SPARE_GIVEN)
		most += reserve;
	if (most && (!limit || most < limit))
		limit = most;
	arena_set_limit(fs->arena, limit);
}

uint64_t mem_limit_used(struct zsfs *fs)
{
	struct arena_stats st;

	arena_get_stats(fs->arena, &st);
	return st.used;
}

/*
 * Users of the reserve may fill up to @most, what is in use and the reserve, if
 * @limit is less; but when they might exceed a limit before, to no more than
 * that. So it only falls, with use. Returns over_limit, as set for @limit.
 */
static uint64_t lower_ceiling_locked(struct zsfs_super *s, uint64_t limit,
				     uint64_t most)
{
	uint64_t over;

	if (s->over_limit && s->mem_limit + s->over_limit < most)
		most = s->mem_limit + s->over_limit;
	over = limit && limit < most ? most - limit : 0;
	__atomic_store_n(&s->over_limit, over, __ATOMIC_RELAXED);
	return over;
}

uint64_t zsfs_over_limit(struct zsfs *fs)
{
	struct zsfs_super *s = fs->super;
	struct arena_stats st;
	uint64_t over = 0;

	if (!__atomic_load_n(&s->over_limit, __ATOMIC_RELAXED))
		return 0;
	arena_get_stats(fs->arena, &st);
	ranked_lock(&fs->limit_lock, RANK_LIMIT, 0);
	if (s->over_limit)
		over = lower_ceiling_locked(s, s->mem_limit,
					    st.used + st.promised + st.reserve);
	ranked_unlock(&fs->limit_lock, RANK_LIMIT, 0);
	return over;
}

static void set_limit(struct zsfs *fs, uint64_t bytes)
{
	struct zsfs_super *s = fs->super;
	struct arena_stats st;
	uint64_t most;

	ranked_lock(&fs->limit_lock, RANK_LIMIT, 0);
	arena_get_stats(fs->arena, &st);
	most = zsfs_apply_reserve(fs, bytes) + st.used + st.promised;
	/* Else nothing could be deleted, nor the limit be set again. */
	lower_ceiling_locked(s, bytes, most);
	s->mem_limit = bytes;
	apply_locked(fs);
	ranked_unlock(&fs->limit_lock, RANK_LIMIT, 0);
}

void mem_limit_set_pressure(struct zsfs *fs, uint64_t used)
{
	ranked_lock(&fs->limit_lock, RANK_LIMIT, 0);
	fs->super->pressure_used = used;
	apply_locked(fs);
	ranked_unlock(&fs->limit_lock, RANK_LIMIT, 0);
}

int zsfs_set_mem_limit(struct zsfs *fs, uint64_t bytes)
{
	/* The background thread is not one of those that count there. */
	if (bytes && bytes < zsfs_min_mem_limit(fs->nr_threads - 1))
		return -EINVAL;
	set_limit(fs, bytes);
	return 0;
}

bool mem_limit_is_near(struct zsfs *fs, unsigned parts)
{
	struct zsfs_super *s = fs->super;
	uint64_t limit = __atomic_load_n(&s->mem_limit, __ATOMIC_RELAXED);

	return __atomic_load_n(&s->pressure_used, __ATOMIC_RELAXED) ||
	       (limit && arena_available(fs->arena) <= limit / parts);
}

/* ---- claims ---- */

void zsfs_claim(struct zsfs_thread *th, enum arena_claim claim)
{
	arena_thread_claim(th->at, claim, zsfs_over_limit(th->fs));
}

void zsfs_unclaim(struct zsfs_thread *th)
{
	arena_thread_unclaim(th->at, ARENA_NEW);
}
