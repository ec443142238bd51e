/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The limit of memory: mem_limit, what is kept back of it, and who may use
 * that.
 *
 * The arena has the limit, and a lower one while memory is short (pressure.h).
 */
#ifndef FS_MEM_LIMIT_H
#define FS_MEM_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "arena.h"

struct zsfs;
struct zsfs_thread;

/*
 * mem_limit is @bytes from now on (0 = none), or less under pressure. More may
 * be in use: then only what deletes is let in. -EINVAL below what a mount
 * takes.
 */
int zsfs_set_mem_limit(struct zsfs *fs, uint64_t bytes);

/*
 * While memory is short nothing new is let in beyond @used bytes; 0 = it is not
 * short. Safe to be killed in and to be called again.
 */
void mem_limit_set_pressure(struct zsfs *fs, uint64_t used);

/*
 * Bytes that users of the reserve may have beyond mem_limit now, because more
 * was in use when it was set. Takes limit_lock and the arena's.
 */
uint64_t zsfs_over_limit(struct zsfs *fs);

/*
 * Is no more than one of @parts of mem_limit left for new content, or the
 * system short of memory? Takes the arena's lock.
 */
bool mem_limit_is_near(struct zsfs *fs, unsigned parts);

/* Bytes that the arena holds. */
uint64_t mem_limit_used(struct zsfs *fs);

/*
 * For the allocations of a transaction (tx.h): until zsfs_unclaim() the thread,
 * which has ARENA_NEW otherwise, has this claim to memory, also when mem_limit
 * was set below what is in use.
 */
void zsfs_claim(struct zsfs_thread *th, enum arena_claim claim);
void zsfs_unclaim(struct zsfs_thread *th);

#endif
