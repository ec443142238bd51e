/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Usage: in which forms the blocks of one file are stored, and the RAM that
 * they take.
 *
 * It is told by an extended attribute that no list shows and nobody can set. An
 * ioctl(2) would do as well, but for a file that is open: a tool that looks at
 * thousands of them would send two calls more for each, and with this one every
 * tool for attributes reads it. The name has none of the prefixes that the
 * kernel knows, so it is in nobody's way, and asks for read permission.
 */
#ifndef FS_USAGE_H
#define FS_USAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "slot.h"

struct group;
struct textbuf;
struct zinode;

#define USAGE_NAME "zsfs.usage"
/* Enough for the text. */
#define USAGE_SIZE 512u

/* Of one file, or a sum over many. */
struct usage {
	uint64_t blocks[NR_FORMS], ram[NR_FORMS];
};

/*
 * May user @uid be told how @i is stored? With hidestats only its owner may,
 * the mount's owner, and root. @i is locked.
 */
bool usage_is_open(const struct zsfs *fs, const struct zinode *i, uint32_t uid);

/*
 * Add the groups of @g->inode, a regular file that is locked, from block
 * @g->first on, but not more than may be looked at under one lock. True: there
 * are more from @g->first on, which is set.
 */
bool usage_add_groups(struct zsfs *fs, struct usage *u, struct group *g);

/*
 * A line for each form, with its name, its blocks and the bytes of RAM that
 * these take in the pool, without tables and gaps. Forms: slot_form_name(),
 * without what is damaged. A cluster counts whole, also where some of its
 * blocks live no longer.
 */
void usage_print(const struct usage *u, struct textbuf *t);

/*
 * Add a part of the regular file @nodeid, from block @g->first on, for user
 * @uid. @g begins as {0} and belongs to these calls.
 *
 * No transaction is open and nothing is locked; the file is locked shared, so
 * of one that changes between two calls the sum may be none that it ever had.
 * 1: there is more; 0: that was all; -ESTALE, -ENODATA for what is no regular
 * file (of a folder: tree/usage_walk.h), or -EACCES when it is none of @uid's
 * business.
 */
int usage_add_some(struct zsfs *fs, struct usage *u, uint64_t nodeid,
		   uint32_t uid, struct group *g);

#endif
