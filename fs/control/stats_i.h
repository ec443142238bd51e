/* SPDX-License-Identifier: BSD-3-Clause */
/* The parts of stats.c. Any thread; no lock is held, no memory is taken. */
#ifndef FS_STATS_I_H
#define FS_STATS_I_H

#include <stdbool.h>
#include <stdint.h>

#include "base/textbuf.h"

#include "zsmalloc.h"

struct shared_page;
struct zsfs;

/* Blocks with content, as zram counts pages that are stored. */
uint64_t stats_stored(struct zsfs *fs, const struct zs_pool_stats *pool);
/* Blocks that are stored as they are. */
uint64_t stats_huge(struct zsfs *fs, const struct zs_pool_stats *pool);

/* A word that others write meanwhile. */
uint64_t stats_word(const uint64_t *w);

/* Process id of the standby; 0: there is none, or it is not ready yet. */
uint32_t stats_standby(const struct shared_page *k);
/* Does another worker take the mount over when this one dies? */
bool stats_survives(const struct zsfs *fs);

/* Of the request @op < ZSFS_NR_OPCODES; NULL: it has no name. */
const char *stats_request_name(unsigned op);
/* How many of them were received since the mount. */
uint64_t stats_requests(const struct zsfs *fs, unsigned op);

/*
 * stats.json into an empty @t. Always a complete object: what there is no room
 * for is left out.
 */
void stats_json(struct zsfs *fs, struct textbuf *t);

/*
 * metrics into an empty @t. What they say is what the functions say that
 * stats.json asks.
 */
void stats_metrics(struct zsfs *fs, struct textbuf *t);

#endif
