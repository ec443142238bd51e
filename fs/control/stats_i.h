/* SPDX-License-Identifier: BSD-3-Clause */
/* The parts of stats.c. */
#ifndef FS_STATS_I_H
#define FS_STATS_I_H

#include "base/textbuf.h"

#include "zsmalloc.h"

struct zsfs;

/* Blocks with content, as zram counts pages that are stored. */
uint64_t stats_stored(struct zsfs *fs, const struct zs_pool_stats *pool);
/* Blocks that are stored as they are. */
uint64_t stats_huge(struct zsfs *fs, const struct zs_pool_stats *pool);

/*
 * stats.json into an empty @t. Always a complete object: what there is no room
 * for is left out.
 */
void stats_json(struct zsfs *fs, struct textbuf *t);

#endif
