/* SPDX-License-Identifier: BSD-3-Clause */
/* Compaction as users ask for it. */
#ifndef FS_COMPACT_H
#define FS_COMPACT_H

#include <stdint.h>

struct zsfs;
struct zsfs_thread;

/*
 * Compact the pool, then give back free memory. Pages given back to the system,
 * or freed in the pool if those are more; or -EBUSY.
 */
int64_t zsfs_compact(struct zsfs *fs, struct zsfs_thread *th);

#endif
