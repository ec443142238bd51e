/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Usage walk: how a file is stored, or the sum over the files in a folder, so
 * that a tool that looks at thousands of files asks once for each folder
 * (content/usage.h has the rest). In steps, because a folder may have millions
 * of files, and a file blocks.
 *
 * Of a folder it tells no more than the files themselves would: where it is not
 * certain that who asks may read all of them, there is no sum. Certain is it
 * for root, by the owner's bits for the owner, and for anybody else where
 * everybody may and no list of access rights can say otherwise. Groups are not
 * looked at.
 */
#ifndef FS_USAGE_WALK_H
#define FS_USAGE_WALK_H

#include <stdbool.h>
#include <stdint.h>

#include "content/group.h"
#include "content/usage.h"

struct zsfs_thread;

/* Entries that are looked at under one lock. */
#define USAGE_WALK_ENTRIES 64u

/* Begins with nothing but its first members. */
struct usage_walk {
	uint64_t nodeid; /* of a file or folder */
	/*
	 * Who asks; and who it is as far as being an owner counts with
	 * hidestats: on a mount that may be idmapped @uid is not known.
	 */
	uint32_t uid, owner;

	struct usage usage;
	struct group group; /* of the file that is looked at */

	bool is_folder;
	bool no_more; /* entries than what was found */
	uint64_t off; /* of the directory's reader */
	uint64_t files, size, links, folders;
	/* Files of this step: who they were when the folder was locked. */
	unsigned nr, at;
	struct {
		uint64_t ino, gen;
	} found[USAGE_WALK_ENTRIES];
};

/*
 * Do a step of some microseconds. No transaction is open and nothing is locked.
 * The folder and then its files are locked shared, one after the other: what
 * comes, goes or is renamed meanwhile counts or does not, over another name
 * even twice, and all else counts once. 1: there is more; 0: that was the last
 * one; -ESTALE; -ENODATA for what is neither; -EACCES where who asks may not
 * read all of it.
 */
int usage_walk_step(struct zsfs_thread *th, struct usage_walk *w);

/* Steps until all is done, or @until on clock_ms() has come. As above. */
int usage_walk_until(struct zsfs_thread *th, struct usage_walk *w,
		     uint64_t until);

/*
 * Print what was found to @buf of USAGE_SIZE bytes: usage_print(), of a folder
 * summed over the regular files with one name that are directly in it, and
 *   files N     how many these are
 *   size N      bytes in them, with holes
 *   links N     regular files in it with several names, which are not summed
 *   folders N   folders in it
 * The length.
 */
int usage_walk_print(const struct usage_walk *w, char *buf);

#endif
