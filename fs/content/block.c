/* SPDX-License-Identifier: BSD-3-Clause */
/* Blocks: between a slot of the block table and 4096 plain bytes. */
#include "block.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <syslog.h>

#include "base/log.h"
#include "state/mem_limit.h"
#include "state/tx.h"
#include "state/zsfs.h"

/* ---- to stored form ---- */

static void stage_raw(const void *src, struct staged_block *out)
{
	out->alg = ZCOMP_RAW;
	out->len = ZSFS_BLOCK_SIZE;
	out->payload = src;
}

void block_stage(struct zsfs *fs, struct zcomp_ctx *zc,
		 const struct zcomp_params *comp, const void *src, void *room,
		 struct staged_block *out)
{
	int len;

	if (zcomp_same_filled(src, &out->word) &&
	    out->word >> 48 != SLOT_MAGIC) {
		out->kind = BLOCK_SAME;
		return;
	}
	len = zcomp_compress(zc, comp, src, room, fs->huge_size - 1);
	out->kind = BLOCK_OBJ;
	out->sum = zcomp_checksum(src);
	if (len > 0) {
		out->alg = (uint8_t)comp->alg;
		out->len = (uint16_t)len;
		out->payload = room;
	} else {
		/*
		 * It does not fit, or the codec failed: nothing is lost by
		 * keeping the block as it is.
		 */
		stage_raw(src, out);
	}
}

/* ---- storing ---- */

/* Is @b no larger than what @old holds? Then it may use the reserve. */
static bool no_larger(struct zsfs *fs, const struct staged_block *b,
		      uint64_t old)
{
	struct zs_obj_info info;

	if (!slot_is_obj(old) ||
	    !zs_obj_info(fs->pool, slot_handle(old), &info))
		return false;
	return zs_lookup_class_index(fs->pool, b->len) <=
	       zs_lookup_class_index(fs->pool, info.size);
}

static int alloc_object(struct tx *tx, const struct staged_block *b,
			uint64_t *ref)
{
	return zs_malloc(tx->fs->pool, tx->th->at, b->len, b->alg, b->sum, ref);
}

/* At the limit what takes no more than before may use the reserve. */
static int alloc_when_full(struct tx *tx, const struct staged_block *b,
			   uint64_t old, uint64_t *ref)
{
	enum arena_claim was;
	int err;

	if (!no_larger(tx->fs, b, old))
		return -ENOSPC;
	was = zsfs_claim(tx->th, ARENA_RESERVE);
	err = alloc_object(tx, b, ref);
	zsfs_unclaim(tx->th, was);
	tx->used_reserve |= !err;
	return err;
}

int block_store(struct tx *tx, const struct staged_block *b, uint64_t old,
		uint64_t *slot)
{
	struct zsfs *fs = tx->fs;
	uint64_t *ref;
	int err;

	if (b->kind == BLOCK_SAME) {
		*slot = b->word ? b->word : slot_tagged(SLOT_ZERO, 0);
		return 0;
	}
	ref = tx_alloc_ref(tx);
	err = alloc_object(tx, b, ref);
	if (err == -ENOSPC)
		err = alloc_when_full(tx, b, old, ref);
	if (err) {
		tx->no_pages |= err == -ENOSPC;
		return err;
	}
	*slot = slot_tagged(SLOT_OBJ, (uint32_t)REF_VALUE(*ref));
	zs_obj_write(fs->pool, tx->th->at, slot_handle(*slot), b->payload,
		     b->len);
	return 0;
}

/* ---- reading ---- */

static int read_object(struct zsfs *fs, struct arena_thread *at,
		       struct zcomp_ctx *zc, uint32_t handle, void *dst)
{
	struct zs_obj_info info;
	const void *src = zs_obj_read_begin(fs->pool, at, handle, &info);
	int err;

	if (!src)
		return -EIO;
	err = zcomp_decompress(zc, info.tag, src, info.size, dst);
	zs_obj_read_end(fs->pool, at);
	if (!err && zcomp_checksum(dst) != info.word)
		err = -EIO;
	return err;
}

int block_read(struct zsfs *fs, struct arena_thread *at, struct zcomp_ctx *zc,
	       uint64_t slot, void *dst)
{
	if (slot_is_obj(slot))
		return read_object(fs, at, zc, slot_handle(slot), dst);
	if (slot == 0 || slot_is_tagged(slot))
		memset(dst, 0, ZSFS_BLOCK_SIZE);
	else
		zcomp_fill(dst, slot);
	return 0;
}

/* ---- freeing and counting ---- */

void block_count(struct tx *tx, uint64_t slot, int sign)
{
	struct zs_obj_info info;

	if (slot == 0)
		return;
	if (!slot_is_obj(slot)) {
		tx_stat(tx, ST_SAME, sign);
		return;
	}
	if (!zs_obj_info(tx->fs->pool, slot_handle(slot), &info))
		return;
	tx_stat(tx, ST_OBJS, sign);
	tx_stat(tx, ST_COMPR_BYTES, sign * (int64_t)info.size);
	if (info.tag == ZCOMP_RAW)
		tx_stat(tx, ST_HUGE, sign);
}

void block_release(struct tx *tx, uint64_t slot)
{
	if (slot == 0)
		return;
	block_count(tx, slot, -1);
	tx_stat(tx, ST_FREED, 1);
	if (slot_is_obj(slot))
		tx_free(tx, REF_MAKE(REF_OBJ, slot_handle(slot)));
}
