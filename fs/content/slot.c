/* SPDX-License-Identifier: BSD-3-Clause */
/* What a slot says, and what is done with what it names (see slot.h). */
#include "slot.h"

#include <errno.h>
#include <string.h>

#include "state/zsfs.h"

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

int slot_read(struct zsfs *fs, struct arena_thread *at, struct zcomp_ctx *zc,
	      uint64_t slot, void *dst)
{
	switch (slot_kind(slot)) {
	case SLOT_OBJECT:
		return read_object(fs, at, zc, slot_handle(slot), dst);
	case SLOT_DENSE:
		return cluster_read(fs, at, zc, slot_cluster(slot),
				    slot_place(slot), dst);
	case SLOT_SAME:
		zcomp_fill(dst, slot);
		return 0;
	case SLOT_UNKNOWN:
		return -EIO;
	default:
		memset(dst, 0, ZSFS_BLOCK_SIZE);
		return 0;
	}
}
