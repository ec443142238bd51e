/* SPDX-License-Identifier: BSD-3-Clause */
/* Holding still after an OOM kill (see pressure.h). */
#include "pressure.h"

#include <inttypes.h>
#include <syslog.h>

#include "base/log.h"
#include "base/machine.h"
#include "state/mem_limit.h"
#include "state/shared_page.h"
#include "state/threads.h"
#include "state/zsfs.h"

/* Bytes that must be free before new content is let in again, at most. */
#define ROOM (UINT64_C(64) << 20)
/* Bytes of free pages worth giving back under pressure. */
#define WORTH_TRIMMING (UINT64_C(1) << 20)

/* Less where there never is that much. */
static uint64_t room_wanted(void)
{
	uint64_t group = machine_cgroup_limit("");

	return group && group / 4 < ROOM ? group / 4 : ROOM;
}

/* Also when it cannot be told: a limit for ever would be worse. */
static bool has_room(void)
{
	uint64_t room = machine_room("");

	return !room || room >= room_wanted();
}

/* As much again must stay free, so that taking the spare kills nobody. */
static bool has_room_for_spare(void)
{
	uint64_t room = machine_room("");

	return !room || room >= 2 * SHARED_SPARE;
}

/* Give back what is free; it is for others now, and for nothing new here. */
static void trim(struct zsfs *fs)
{
	uint64_t before = fs->super->pressure_used, now;

	arena_trim(fs->arena, zsfs_background(fs)->at, true, true);
	now = mem_limit_used(fs);
	mem_limit_set_pressure(fs, before && before < now ? before : now);
}

void pressure_begin(struct zsfs *fs)
{
	shared_page_give_spare(fs->shared);
	trim(fs);
	zsfs_log(LOG_WARNING,
		 "the last worker was killed for want of memory: nothing new "
		 "is stored until there are %" PRIu64 " MiB",
		 room_wanted() >> 20);
}

void pressure_end(struct zsfs *fs)
{
	mem_limit_set_pressure(fs, 0);
	/* What it left has been used. */
	if (shared_get(&fs->shared->worker.spare) == SPARE_GIVEN)
		shared_set(&fs->shared->worker.spare, SPARE_NONE);
	zsfs_log(LOG_NOTICE, "there is memory again: storing goes on");
}

void pressure_look(struct zsfs *fs, uint64_t oom_kills)
{
	struct shared_page *k = fs->shared;
	bool more = oom_kills > k->worker.oom_kills;

	if (more)
		k->worker.oom_takeovers++;
	if (more && !has_room())
		pressure_begin(fs);
	else
		mem_limit_set_pressure(fs, fs->super->pressure_used);
	k->worker.oom_kills = oom_kills;
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
	struct shared_page *k = fs->shared;
	bool pressed = fs->super->pressure_used != 0;

	if (!k || (!pressed && shared_get(&k->worker.spare) == SPARE_HELD))
		return false;
	if (pressed)
		give_back(fs);
	if (!has_room())
		return true;
	if (pressed)
		pressure_end(fs);
	if (has_room_for_spare())
		shared_page_take_spare(k);
	return shared_get(&k->worker.spare) != SPARE_HELD;
}
