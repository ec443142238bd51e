/* SPDX-License-Identifier: BSD-3-Clause */
/* Who asks (see caller.h). */
#include "caller.h"

#include <inttypes.h>
#include <linux/fuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "content/file.h"
#include "request.h"
#include "state/inode.h"

/*
 * Does @found accept a line of /proc/@pid/status? It may change *@id, which is
 * what it looks for or where it leaves what it has found.
 */
static bool find_in_status(uint32_t pid,
			   bool (*found)(const char *line, uint32_t *id),
			   uint32_t *id)
{
	bool done = false;
	char *line = NULL;
	size_t size = 0;
	char path[40];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%" PRIu32 "/status", pid);
	f = fopen(path, "re");
	if (!f)
		return false;
	while (!done && getline(&line, &size, f) > 0)
		done = found(line, id);
	free(line);
	fclose(f);
	return done;
}

/* Of four uids, and of four gids, the last is the one for file systems. */
static bool read_uid(const char *line, uint32_t *uid)
{
	return sscanf(line, "Uid: %*u %*u %*u %" SCNu32, uid) == 1;
}

uint32_t caller_uid(void)
{
	const struct fuse_in_header *in = request_header();
	uint32_t uid = in->uid;

	if (uid == UINT32_MAX && in->pid)
		find_in_status(in->pid, read_uid, &uid);
	return uid;
}

/* Is @gid among the numbers that @list begins with, from the @skip-th on? */
static bool lists(const char *list, unsigned skip, uint32_t gid)
{
	unsigned long id;
	char *end;

	for (;; list = end) {
		id = strtoul(list, &end, 10);
		if (end == list)
			return false;
		if (skip)
			skip--;
		else if (id == gid)
			return true;
	}
}

static bool names_gid(const char *line, uint32_t *gid)
{
	if (!strncmp(line, "Gid:", 4))
		return lists(line + 4, 3, *gid);
	return !strncmp(line, "Groups:", 7) && lists(line + 7, 0, *gid);
}

bool caller_is_stranger(struct zsfs *fs, uint64_t nodeid)
{
	const struct fuse_in_header *in = request_header();
	struct zinode *i;
	uint32_t gid;
	bool depends;

	if (file_lock_shared(fs, nodeid, &i))
		return false;
	depends = (i->mode & (S_ISGID | S_IXGRP)) == S_ISGID;
	gid = i->gid;
	inode_unlock(fs, i);
	if (!depends || in->gid == gid)
		return false;
	return !in->pid || !find_in_status(in->pid, names_gid, &gid);
}
