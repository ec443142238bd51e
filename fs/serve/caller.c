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

/* The fourth of its gids is the one for file systems. */
static bool is_member(uint32_t pid, uint32_t gid)
{
	bool found = false;
	char *line = NULL;
	size_t size = 0;
	char path[40];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%" PRIu32 "/status", pid);
	f = fopen(path, "re");
	if (!f)
		return false;
	while (!found && getline(&line, &size, f) > 0) {
		if (!strncmp(line, "Gid:", 4))
			found = lists(line + 4, 3, gid);
		else if (!strncmp(line, "Groups:", 7))
			found = lists(line + 7, 0, gid);
	}
	free(line);
	fclose(f);
	return found;
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
	return !in->pid || !is_member(in->pid, gid);
}
