/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The request in the buffer of a slot: what a request thread, and a successor
 * that finds it there, do with it. Only the slot's thread may call these, or
 * who takes up a slot whose thread is dead.
 */
#ifndef FS_REQUEST_SLOT_H
#define FS_REQUEST_SLOT_H

#include <linux/fuse.h>

#include "state/layout.h"

/* Its header, with the body behind it. */
static inline struct fuse_in_header *request_in(struct zsfs_slot *slot)
{
	return (struct fuse_in_header *)slot->req;
}

/* There is none any more, or none yet: the length, which comes first, is 0. */
static inline void request_drop(struct zsfs_slot *slot)
{
	*(uint32_t *)slot->req = 0;
}

/* It is being executed: one more of its kind in the statistics. */
static inline void request_count(struct zsfs_slot *slot)
{
	if (slot->opcode < ZSFS_NR_OPCODES)
		__atomic_store_n(&slot->requests[slot->opcode],
				 slot->requests[slot->opcode] + 1,
				 __ATOMIC_RELAXED);
}

#endif
