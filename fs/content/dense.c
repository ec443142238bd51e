/* SPDX-License-Identifier: BSD-3-Clause */
/* Groups of blocks in dense form (see dense.h). */
#include "dense.h"

#include <errno.h>

#include "object.h"
#include "slot.h"
#include "state/tx.h"
#include "state/zsfs.h"

uint32_t dense_cost_now(const struct zsfs *fs, const struct group *g)
{
	const struct cluster *cl = NULL;
	uint32_t cost = 0;

	for (unsigned k = 0; k < CLUSTER_BLOCKS; k++) {
		if (slot_kind(g->slot[k]) == SLOT_OBJECT)
			cost += object_cost(fs, slot_size(fs, g->slot[k]));
		else if (!cl)
			cl = slot_own_cluster(fs, group_slot(g, k));
	}
	return cl ? cost + cluster_cost(fs, cl->len) : cost;
}

uint32_t dense_cost(const struct zsfs *fs, unsigned n, uint32_t len)
{
	return n == 1 ? object_cost(fs, len) : cluster_cost(fs, len);
}

int dense_compress(const struct zsfs *fs, struct zcomp_ctx *zc, int level,
		   const struct group *g, uint32_t most, uint8_t *frame)
{
	struct zcomp_params zstd = {ZCOMP_ZSTD, level};
	int len;

	if (g->n == 1)
		len = zcomp_compress(zc, &zstd, g->plain, frame,
				     fs->huge_size - 1);
	else
		len = zcomp_compress_cluster(zc, level, g->plain,
					     g->n * ZSFS_BLOCK_SIZE, frame,
					     CLUSTER_MAX_LEN);
	if (len > 0 && dense_cost(fs, g->n, (uint32_t)len) > most)
		return -ENOSPC;
	return len;
}

/* The only block of a group by itself. */
static int store_alone(struct tx *tx, const struct group *g,
		       const uint8_t *frame, uint32_t len,
		       uint64_t slots[CLUSTER_BLOCKS])
{
	unsigned place = (unsigned)__builtin_ctz(g->places);
	uint32_t word = zcomp_checksum(g->plain) ^
			slot_mark(g->inode, g->first + place);
	uint64_t *ref = tx_alloc_ref(tx);
	int err = object_store(tx, frame, len, ZCOMP_ZSTD, word, ref);

	if (err)
		return err;
	slots[place] = slot_store_object(tx, (uint32_t)REF_VALUE(*ref), len) |
		       SLOT_TRIED;
	tx_stat(tx, ST_TRIED, 1);
	return 0;
}

int dense_store(struct tx *tx, const struct group *g, const uint8_t *frame,
		uint32_t len, uint64_t slots[CLUSTER_BLOCKS])
{
	struct cluster *cl;
	int err;

	if (g->n == 1)
		return store_alone(tx, g, frame, len, slots);
	err = cluster_store(tx, slot_group_mark(g->inode, g->first), g->places,
			    g->plain, frame, len, &cl);
	for (unsigned k = 0; !err && k < CLUSTER_BLOCKS; k++)
		slots[k] = slot_dense(cl, k);
	return err;
}
