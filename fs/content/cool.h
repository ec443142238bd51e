/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Cool: compressing hot blocks (hot.h), some groups (group.h) at a time.
 *
 * Each group is read under its inode's lock; all are compressed without one, by
 * the caller and what helpers are free (crew.h); what came out takes the place
 * of those blocks that still are what was read.
 */
#ifndef FS_COOL_H
#define FS_COOL_H

#include <stdint.h>

#include "hot_queue.h"

struct group;
struct zsfs_thread;

/* Groups that a thread's buffers have room for. */
#define COOL_GROUPS 8u

/* What of @g is hot and in @r, as bits. Its slots have been looked at. */
uint16_t cool_places(const struct group *g, const struct hot_range *r);

/*
 * Compress what is hot in @n ranges, each within a group; at most COOL_GROUPS.
 * err[] says of each 0, -ENOSPC or -ENOMEM. @th has no transaction open, and
 * nothing is locked; uses th->buf.
 */
void cool_ranges(struct zsfs_thread *th, const struct hot_range *r, unsigned n,
		 int *err);

#endif
