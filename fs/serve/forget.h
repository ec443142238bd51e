/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * FORGET and BATCH_FORGET: what they take back, once each.
 *
 * They have no reply and are never sent again. What is done is marked in the
 * request itself, by the transaction that does it, so that a successor does the
 * rest.
 */
#ifndef FS_FORGET_H
#define FS_FORGET_H

#include <stdbool.h>
#include <stdint.h>

struct zsfs;
struct zsfs_slot;
struct zsfs_thread;

/* Is a request with this @opcode one of the two? */
bool forget_opcode(uint32_t opcode);

/* Is the request in the slot's buffer one of the two? */
bool forget_in_slot(struct zsfs_slot *slot);

/*
 * Execute the FORGET in the slot's buffer as far as it is not marked as done
 * there, and mark the rest. No transaction may be open in @th.
 */
void forget_execute(struct zsfs_thread *th);

/*
 * The same for a request that @th has just received: enters the gate, and helps
 * with freeing what nobody needs any more.
 */
void forget_serve(struct zsfs_thread *th);

/*
 * What was deleted before statfs(2) or fallocate(2) counts as free: wait for
 * the FORGETs that threads other than @self are at, which the kernel hands out
 * first, but not longer than a live check may keep them out. To be called
 * outside of the gate, because such a check may wait for @self's.
 */
void forget_await(struct zsfs *fs, const struct zsfs_thread *self);

#endif
