/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Dense: a group of blocks (group.h) in its dense form: a cluster, or of a
 * single block an object that zstd made.
 */
#ifndef FS_DENSE_H
#define FS_DENSE_H

#include <stdint.h>

#include "group.h"

struct tx;
struct zcomp_ctx;
struct zsfs;

/* RAM in bytes that the group's blocks take now, objects and cluster. */
uint32_t dense_cost_now(const struct zsfs *fs, const struct group *g);

/* RAM in bytes that @len compressed bytes of the @n blocks of a group take. */
uint32_t dense_cost(const struct zsfs *fs, unsigned n, uint32_t len);

/*
 * Compress what the group has read, at @level of zstd, into @frame, of
 * ZCOMP_CLUSTER_SIZE bytes. For any thread: touches nothing that is shared. The
 * bytes; -ENOSPC: it takes more than @most bytes of RAM; -EIO, -ENOMEM.
 */
int dense_compress(const struct zsfs *fs, struct zcomp_ctx *zc, int level,
		   const struct group *g, uint32_t most, uint8_t *frame);

/*
 * Store the @len bytes of @frame in @tx; slots[]: what the slots of the group's
 * blocks will be, by their places. 0, -ENOSPC, -ENOMEM.
 */
int dense_store(struct tx *tx, const struct group *g, const uint8_t *frame,
		uint32_t len, uint64_t slots[CLUSTER_BLOCKS]);

#endif
