/* SPDX-License-Identifier: BSD-3-Clause */
/* Which reads set the time of access (see atime.h). */
#include "atime.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/mount_table.h"
#include "zsfs.h"

static unsigned get_mode(const struct zsfs *fs)
{
	return __atomic_load_n(&fs->atime.mode, __ATOMIC_RELAXED);
}

static unsigned asked_mode(const struct zsfs *fs)
{
	return (unsigned)fs->super->atime |
	       (fs->super->nodiratime ? ATIME_NODIR : 0);
}

void atime_init(struct zsfs *fs)
{
	pthread_mutex_init(&fs->atime.lock, NULL);
	fs->atime.place = NULL;
	fs->atime.table = -1;
	fs->atime.mode = asked_mode(fs);
}

void atime_destroy(struct zsfs *fs)
{
	if (fs->atime.table >= 0)
		close(fs->atime.table);
	pthread_mutex_destroy(&fs->atime.lock);
}

/* ---- the flags of the mount ---- */

/* The mount that was made, if it is where it was; else any of all of it. */
static const struct mount_entry *find_mount(const struct mount_table *t,
					    const char *at)
{
	const struct mount_entry *found = NULL;

	for (size_t i = 0; i < t->nr; i++) {
		const struct mount_entry *e = &t->entries[i];

		if (!strcmp(e->root, "/") && (!found || !strcmp(e->at, at)))
			found = e;
	}
	return found;
}

static unsigned mode_of(const struct zsfs *fs, const struct mount_entry *e)
{
	unsigned mode =
		mount_table_has(e->options, "nodiratime") ? ATIME_NODIR : 0;

	if (mount_table_has(e->options, "noatime"))
		return mode | ATIME_NOATIME;
	if (fs->super->atime_is_own)
		return mode | asked_mode(fs);
	if (mount_table_has(e->options, "relatime"))
		return mode | ATIME_RELATIME;
	return mode | ATIME_STRICTATIME;
}

static void read_flags(struct zsfs *fs)
{
	const struct mount_entry *e = NULL;
	struct mount_table t;

	if (!mount_table_read(&t, fs->atime.place->dev))
		e = find_mount(&t, fs->atime.place->mountpoint);
	if (e)
		__atomic_store_n(&fs->atime.mode, mode_of(fs, e),
				 __ATOMIC_RELAXED);
	mount_table_free(&t);
}

void atime_follow(struct zsfs *fs, const struct mount_place *p)
{
	/* Opened first: what changes while it is read is seen later. */
	fs->atime.table = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	fs->atime.place = p;
	read_flags(fs);
}

void atime_look(struct zsfs *fs)
{
	struct pollfd fd = {.fd = fs->atime.table, .events = POLLPRI};

	if (!fs->atime.place || fd.fd < 0)
		return;
	pthread_mutex_lock(&fs->atime.lock);
	if (poll(&fd, 1, 0) > 0 && fd.revents & POLLPRI)
		read_flags(fs);
	pthread_mutex_unlock(&fs->atime.lock);
}

/* ---- reading ---- */

static bool stamps(unsigned mode, bool is_dir, bool due)
{
	if (is_dir && mode & ATIME_NODIR)
		return false;
	switch (mode & ~ATIME_NODIR) {
	case ATIME_NOATIME:
		return false;
	case ATIME_STRICTATIME:
		return true;
	default:
		return due;
	}
}

bool atime_wanted(struct zsfs *fs, bool is_dir, bool due)
{
	/* A call that is not much, but most reads can do without it. */
	if (!due && !stamps(get_mode(fs), is_dir, due))
		return false;
	atime_look(fs);
	return stamps(get_mode(fs), is_dir, due);
}

const char *atime_word(const struct zsfs *fs)
{
	static const char *const words[ATIME_NR] = {
		[ATIME_RELATIME] = "relatime",
		[ATIME_NOATIME] = "noatime",
		[ATIME_STRICTATIME] = "strictatime",
	};

	return words[(get_mode(fs) & ~ATIME_NODIR) % ATIME_NR];
}
