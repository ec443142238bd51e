/* SPDX-License-Identifier: BSD-3-Clause */
/* Packing: compacting as much of the pool as is wanted, in small steps. */
#ifndef FS_PACK_H
#define FS_PACK_H

#include <stdint.h>

struct zsfs_thread;

/*
 * Pack the pool until @pages are free, @steps were made, clock_ms() is @until
 * or nothing more is to be had. @th has no transaction open; others are let in
 * between two steps. The pages that were freed, which are counted as a run.
 */
uint64_t pack_pool(struct zsfs_thread *th, uint64_t pages, unsigned steps,
		   uint64_t until);

#endif
