/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Object: bytes in the pool, which hold a block in stored form (block.h) or a
 * piece of a cluster (cluster.h).
 */
#ifndef FS_OBJECT_H
#define FS_OBJECT_H

#include <stdint.h>

#include "state/tx.h"
#include "state/zsfs.h"
#include "zsmalloc.h"

/* RAM in bytes that an object of @size payload bytes takes. */
static inline uint32_t object_cost(const struct zsfs *fs, uint32_t size)
{
	return ZS_MIN_ALLOC_SIZE +
	       zs_lookup_class_index(fs->pool, size) * ZS_SIZE_CLASS_DELTA;
}

/*
 * A new object of @size payload bytes, as zs_store() has it, within what @tx
 * may take; its handle goes into *@ref, which is tx_alloc_ref(). 0, -ENOSPC,
 * -ENOMEM.
 */
static inline int object_store(struct tx *tx, const void *payload,
			       uint32_t size, unsigned tag, uint32_t word,
			       uint64_t *ref)
{
	int err;

	tx_claim(tx);
	err = zs_store(tx->fs->pool, tx->th->at, payload, size, tag, word, ref);
	tx_unclaim(tx);
	return err;
}

#endif
