/* SPDX-License-Identifier: BSD-3-Clause */
/* Holding still after an OOM kill (see pressure.h). */
#include "pressure.h"

#include <syslog.h>

#include "base/log.h"
#include "base/machine.h"
#include "state/shared_page.h"
#include "state/zsfs_i.h"

/* Bytes that must be free before new content is let in again, at most. */
#define ROOM (UINT64_C(64) << 20)
/* Bytes of free pages worth giving back under pressure. */
#define WORTH_TRIMMING (UINT64_C(1) << 20)

/* Less where there never is that much. */
static uint64_t room_wanted(void)
{
	uint64_t group = environment_cgroup_limit("");

	return group && group / 4 < ROOM ? group / 4 : ROOM;
}

/* Also when it cannot be told: a limit for ever would be worse. */
static bool has_room(void)
{
	uint64_t room = environment_room("");

	return !room || room >= room_wanted();
}

/* As much again must stay free, so that taking the spare kills nobody. */
static bool has_room_for_spare(void)
{
	uint64_t room = environment_room("");

	return !room || room >= 2 * KEEP_SPARE;
}

/* The arena's limit is the smaller one. */
static void apply_locked(struct zsfs *fs)
{
	uint64_t limit = fs->super->mem_limit;
	uint64_t most = fs->super->pressure_used;
	uint64_t reserve = zsfs_apply_reserve(fs, limit);

	if (most && fs->keep && keep_get(&fs->keep->spare) == SPARE_GIVEN)
		most += reserve;
	if (most && (!limit || most < limit))
		limit = most;
	arena_set_limit(fs->arena, limit);
}

static uint64_t used(struct zsfs *fs)
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

uint64_t pressure_over_limit(struct zsfs *fs)
{
	struct zsfs_super *s = fs->super;
	struct arena_stats st;
	uint64_t over = 0;

	if (!__atomic_load_n(&s->over_limit, __ATOMIC_RELAXED))
		return 0;
	arena_get_stats(fs->arena, &st);
	pthread_mutex_lock(&fs->limit_lock);
	if (s->over_limit)
		over = lower_ceiling_locked(s, s->mem_limit,
					    st.used + st.reserve);
	pthread_mutex_unlock(&fs->limit_lock);
	return over;
}

void pressure_set_limit(struct zsfs *fs, uint64_t bytes)
{
	struct zsfs_super *s = fs->super;
	uint64_t most;

	pthread_mutex_lock(&fs->limit_lock);
	most = zsfs_apply_reserve(fs, bytes) + used(fs);
	/* Else nothing could be deleted, nor the limit be set again. */
	lower_ceiling_locked(s, bytes, most);
	s->mem_limit = bytes;
	apply_locked(fs);
	pthread_mutex_unlock(&fs->limit_lock);
}

static void set_pressure(struct zsfs *fs, uint64_t used)
{
	pthread_mutex_lock(&fs->limit_lock);
	fs->super->pressure_used = used;
	apply_locked(fs);
	pthread_mutex_unlock(&fs->limit_lock);
}

/* Give back what is free; it is for others now, and for nothing new here. */
static void trim(struct zsfs *fs)
{
	uint64_t before = fs->super->pressure_used, now;

	arena_trim(fs->arena, zsfs_background(fs)->at, true, true);
	now = used(fs);
	set_pressure(fs, before && before < now ? before : now);
}

void pressure_begin(struct zsfs *fs)
{
	keep_give_spare(fs->keep);
	trim(fs);
	zsfs_log(LOG_WARNING,
		 "the last worker was killed for want of memory: nothing new "
		 "is stored until there are %llu MiB",
		 (unsigned long long)(room_wanted() >> 20));
}

void pressure_end(struct zsfs *fs)
{
	set_pressure(fs, 0);
	/* What it left has been used. */
	if (keep_get(&fs->keep->spare) == SPARE_GIVEN)
		keep_set(&fs->keep->spare, SPARE_NONE);
	zsfs_log(LOG_NOTICE, "there is memory again: storing goes on");
}

void pressure_look(struct zsfs *fs, uint64_t oom_kills)
{
	struct keep *k = fs->keep;
	bool more = oom_kills > k->oom_kills;

	if (more)
		k->oom_takeovers++;
	if (more && !has_room())
		pressure_begin(fs);
	else
		set_pressure(fs, fs->super->pressure_used);
	k->oom_kills = oom_kills;
}

/* What was deleted since is free, but still ours. */
static void give_back(struct zsfs *fs)
{
	struct zsfs_thread *th = zsfs_background(fs);
	struct arena_stats st;

	arena_get_stats(fs->arena, &st);
	if (st.free_pages * ARENA_PAGE_SIZE < WORTH_TRIMMING)
		return;
	zsfs_enter(th);
	trim(fs);
	zsfs_leave(th);
}

bool pressure_check(struct zsfs *fs)
{
	struct keep *k = fs->keep;
	bool pressed = fs->super->pressure_used != 0;

	if (!k || (!pressed && keep_get(&k->spare) == SPARE_HELD))
		return false;
	if (pressed)
		give_back(fs);
	if (!has_room())
		return true;
	if (pressed)
		pressure_end(fs);
	if (has_room_for_spare())
		keep_take_spare(k);
	return keep_get(&k->spare) != SPARE_HELD;
}
