/* SPDX-License-Identifier: BSD-3-Clause */
/* Holding still after an OOM kill (see pressure.h). */
#include "pressure.h"

#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "environment.h"
#include "keep.h"
#include "log.h"
#include "zsfs_i.h"

/* Bytes that must be free before new content is let in again. */
#define ROOM (UINT64_C(64) << 20)

uint64_t pressure_oom_kills(void)
{
	/* Counts those in control groups, too. */
	FILE *f = fopen("/proc/vmstat", "re");
	unsigned long long n = 0;
	char line[128];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "oom_kill %llu", &n) == 1)
			break;
	if (f)
		fclose(f);
	return n;
}

/* Also when it cannot be told: a limit for ever would be worse. */
static bool has_room(void)
{
	uint64_t room = environment_room("");

	return !room || room >= ROOM;
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

void pressure_set_limit(struct zsfs *fs, uint64_t bytes)
{
	pthread_mutex_lock(&fs->limit_lock);
	fs->super->mem_limit = bytes;
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

void pressure_begin(struct zsfs *fs)
{
	uint64_t before = fs->super->pressure_used;
	struct arena_stats st;

	keep_give_spare(fs->keep);
	arena_trim(fs->arena, zsfs_background(fs)->at, true, true);
	arena_get_stats(fs->arena, &st);
	/* What the reserve was used for since is not for new content. */
	set_pressure(fs, before && before < st.used ? before : st.used);
	zsfs_log(LOG_WARNING,
		 "the last worker was killed for want of memory: nothing new "
		 "is stored until there are %llu MiB",
		 (unsigned long long)(ROOM >> 20));
}

void pressure_end(struct zsfs *fs)
{
	keep_take_spare(fs->keep);
	set_pressure(fs, 0);
	zsfs_log(LOG_NOTICE, "there is memory again: storing goes on");
}

void pressure_look(struct zsfs *fs)
{
	struct keep *k = fs->keep;
	uint64_t kills = pressure_oom_kills();
	bool more = kills > k->oom_kills;

	if (more && !has_room()) {
		pressure_begin(fs);
		k->oom_takeovers++;
	} else {
		set_pressure(fs, fs->super->pressure_used);
		pressure_check(fs);
	}
	k->oom_kills = kills;
}

bool pressure_check(struct zsfs *fs)
{
	struct keep *k = fs->keep;
	bool pressed = fs->super->pressure_used != 0;

	if (!k || (!pressed && keep_get(&k->spare) == SPARE_HELD))
		return false;
	if (!has_room())
		return pressed;
	if (pressed)
		pressure_end(fs);
	else
		keep_take_spare(k);
	return false;
}
