/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The reserve: what of mem_limit is kept back, for overwriting and deleting
 * when the rest is used up, and for late writes of shared mappings. What is
 * kept for writing over zeros is the arena's matter (arena_add_growth()).
 */
#ifndef FS_RESERVE_H
#define FS_RESERVE_H

#include <stdint.h>

struct zsfs;

/* Smallest mem_limit in bytes that a mount takes, for @nr_threads. */
uint64_t zsfs_min_mem_limit(unsigned nr_threads);

/*
 * Set what the arena keeps back to what suits this mem_limit; returns what of
 * it is for ARENA_RESERVE. Under limit_lock once the file system is in use.
 */
uint64_t zsfs_apply_reserve(struct zsfs *fs, uint64_t mem_limit);

#endif
