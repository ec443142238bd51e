/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Usage of a folder: the sum over the files in it, so that a tool that looks at
 * thousands of files asks once for each folder (content/usage.h has the rest).
 *
 * It tells no more than the files themselves would: where it is not certain
 * that who asks may read all of them, there is no sum. Certain is it for root,
 * by the owner's bits for the owner, and for anybody else where everybody may
 * and no list of access rights can say otherwise. Groups are not looked at.
 */
#ifndef FS_USAGE_WALK_H
#define FS_USAGE_WALK_H

#include <stdint.h>

struct zsfs_thread;

/*
 * The text for the folder @nodeid, asked by @uid, and by @owner as far as being
 * an owner counts with hidestats (content/usage.h): on a mount that may be
 * idmapped @uid is not known. It has the lines of
 * usage_print(), summed over the regular files with one name that are directly
 * in it, and
 *   files N     how many these are
 *   size N      bytes in them, with holes
 *   links N     regular files in it with several names, which are not summed
 *   folders N   folders in it
 *
 * @buf has USAGE_SIZE bytes. No transaction is open and nothing is locked. The
 * folder and then its files are locked shared, some at a time, one after the
 * other: what comes, goes or is renamed meanwhile counts or does not, over
 * another name even twice, and all else counts once. The length; -ESTALE,
 * -ENODATA for what is no folder, -EACCES where @uid may not read all of it,
 * -EINTR when who asks is ending.
 */
int zsfs_folder_usage(struct zsfs_thread *th, uint64_t nodeid, uint32_t uid,
		      uint32_t owner, char *buf);

#endif
