/* SPDX-License-Identifier: BSD-3-Clause */
/* What is remembered of late writes (see late.h). */
#include "late.h"

#include <string.h>

#include "base/clock.h"
#include "zsfs.h"

void late_init(struct zsfs *fs)
{
	memset(&fs->late, 0, sizeof(fs->late));
	pthread_mutex_init(&fs->late.lock, NULL);
}

void late_destroy(struct zsfs *fs)
{
	pthread_mutex_destroy(&fs->late.lock);
}

static unsigned place_of(uint64_t nodeid)
{
	/* Neighbours differ by the size of a record. */
	return (unsigned)(nodeid / 8 % LATE_FILES);
}

static bool is_recent_locked(const struct late *l, uint64_t nodeid)
{
	unsigned k = place_of(nodeid);

	return l->file[k].nodeid == nodeid && clock_ms() < l->file[k].until;
}

static void note_locked(struct late *l, uint64_t nodeid, bool failed)
{
	unsigned k = place_of(nodeid);

	l->file[k].nodeid = nodeid;
	l->file[k].until = clock_ms() + LATE_MSECS;
	l->file[k].failed = failed;
}

bool late_stored(struct zsfs *fs, uint64_t nodeid)
{
	bool recent;

	if (!fs->super->writeback)
		return false;
	pthread_mutex_lock(&fs->late.lock);
	recent = is_recent_locked(&fs->late, nodeid);
	if (!recent)
		note_locked(&fs->late, nodeid, false);
	pthread_mutex_unlock(&fs->late.lock);
	return !recent;
}

bool late_failed(struct zsfs *fs, uint64_t nodeid)
{
	if (!fs->super->writeback)
		return false;
	pthread_mutex_lock(&fs->late.lock);
	note_locked(&fs->late, nodeid, true);
	pthread_mutex_unlock(&fs->late.lock);
	return true;
}

bool late_is_recent(struct zsfs *fs, uint64_t nodeid)
{
	bool recent;

	if (!fs->super->writeback)
		return false;
	pthread_mutex_lock(&fs->late.lock);
	recent = is_recent_locked(&fs->late, nodeid);
	pthread_mutex_unlock(&fs->late.lock);
	return recent;
}

bool late_take_failure(struct zsfs *fs, uint64_t nodeid)
{
	bool failed;

	if (!fs->super->writeback)
		return false;
	pthread_mutex_lock(&fs->late.lock);
	failed = is_recent_locked(&fs->late, nodeid) &&
		 fs->late.file[place_of(nodeid)].failed;
	if (failed)
		fs->late.file[place_of(nodeid)].failed = false;
	pthread_mutex_unlock(&fs->late.lock);
	return failed;
}
