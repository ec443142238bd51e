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

/* The arena's limit is the smaller one. */
static void apply_locked(struct zsfs *fs)
{
	uint64_t limit = fs->super->mem_limit;
	uint64_t pressure = fs->super->pressure_limit;

	if (pressure && (!limit || pressure < limit))
		limit = pressure;
	arena_set_limit(fs->arena, limit);
}

void pressure_set_limit(struct zsfs *fs, uint64_t bytes)
{
	pthread_mutex_lock(&fs->limit_lock);
	fs->super->mem_limit = bytes;
	apply_locked(fs);
	pthread_mutex_unlock(&fs->limit_lock);
}

/* @bytes: 0 lifts it. */
static void set_pressure(struct zsfs *fs, uint64_t bytes)
{
	pthread_mutex_lock(&fs->limit_lock);
	fs->super->pressure_limit = bytes;
	apply_locked(fs);
	pthread_mutex_unlock(&fs->limit_lock);
}

void pressure_prepare(struct zsfs *fs)
{
	if (environment_room("") >= ROOM)
		keep_take_spare(fs->keep);
}

void pressure_begin(struct zsfs *fs)
{
	bool spare = keep_give_spare(fs->keep);
	struct arena_stats st;

	arena_trim(fs->arena, zsfs_background(fs)->at, true, true);
	arena_get_stats(fs->arena, &st);
	set_pressure(fs, st.used + (spare ? st.reserve : 0));
	zsfs_log(LOG_WARNING,
		 "the last worker was killed for want of memory: nothing new "
		 "is stored until there are %llu MiB",
		 (unsigned long long)(ROOM >> 20));
}

bool pressure_check(struct zsfs *fs)
{
	if (!fs->super->pressure_limit)
		return false;
	if (environment_room("") < ROOM)
		return true;
	set_pressure(fs, 0);
	pressure_prepare(fs);
	zsfs_log(LOG_NOTICE, "there is memory again: storing goes on");
	return false;
}
