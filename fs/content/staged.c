/* SPDX-License-Identifier: BSD-3-Clause */
/* Bringing blocks into stored form (see staged.h). */
#include "staged.h"

#include "slot.h"
#include "state/zsfs.h"

static inline void stage_one(struct zsfs *fs, struct zcomp_ctx *zc,
			     const struct zcomp_params *comp,
			     const uint8_t *src, uint8_t *room,
			     struct staged_block *out)
{
	int len;

	out->hot = false;
	if (zcomp_same_filled(src, &out->word) && slot_can_hold(out->word)) {
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
		staged_raw(src, out);
	}
}

void block_stage(struct zsfs *fs, struct zcomp_ctx *zc,
		 const struct zcomp_params *comp, const uint8_t *src,
		 uint8_t *room, struct staged_block *out, unsigned n)
{
	for (; n; n--, out++) {
		stage_one(fs, zc, comp, src, room, out);
		src += ZSFS_BLOCK_SIZE;
		room += ZSFS_BLOCK_SIZE;
	}
}

static void stage_one_hot(const uint8_t *src, struct staged_block *out)
{
	out->hot = false;
	if (zcomp_same_filled(src, &out->word) && slot_can_hold(out->word)) {
		out->kind = BLOCK_SAME;
		return;
	}
	out->kind = BLOCK_OBJ;
	out->sum = zcomp_checksum(src);
	out->hot = true;
	staged_raw(src, out);
}

void block_stage_hot(const uint8_t *src, struct staged_block *out, unsigned n)
{
	for (; n; n--, src += ZSFS_BLOCK_SIZE)
		stage_one_hot(src, out++);
}
