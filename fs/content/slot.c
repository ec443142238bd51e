/* SPDX-License-Identifier: BSD-3-Clause */
/* What a slot says, and what is done with what it names (see slot.h). */
#include "slot.h"

#include <errno.h>
#include <string.h>

#include "state/zsfs.h"

static enum slot_form form_of_object(struct zsfs *fs, uint64_t slot)
{
	static const enum slot_form forms[ZCOMP_NR_ALGS] = {
		[ZCOMP_RAW] = FORM_RAW,
		[ZCOMP_LZ4] = FORM_LZ4,
		[ZCOMP_ZSTD] = FORM_ZSTD,
	};
	struct zs_obj_info info;

	if (slot_is_hot(slot))
		return FORM_HOT;
	if (!zs_obj_info(fs->pool, slot_handle(slot), &info) ||
	    info.tag >= ZCOMP_NR_ALGS)
		return FORM_UNKNOWN;
	return forms[info.tag];
}

enum slot_form slot_form(struct zsfs *fs, uint64_t slot)
{
	switch (slot_kind(slot)) {
	case SLOT_OBJECT:
		return form_of_object(fs, slot);
	case SLOT_DENSE:
		return FORM_DENSE;
	case SLOT_ROOM:
	case SLOT_ROOM_ZEROS:
		return FORM_ROOM;
	case SLOT_UNKNOWN:
		return FORM_UNKNOWN;
	default:
		return FORM_SAME;
	}
}

const char *slot_form_name(enum slot_form form)
{
	static const char *const names[NR_FORMS] = {
		[FORM_HOT] = "hot",	[FORM_LZ4] = "lz4",
		[FORM_ZSTD] = "zstd",	[FORM_RAW] = "raw",
		[FORM_DENSE] = "dense", [FORM_SAME] = "same",
		[FORM_ROOM] = "room",	[FORM_UNKNOWN] = "unknown",
	};

	return names[form];
}

/* Blocks in a cluster stand where they stand in the file. */
static bool is_in_place(const struct slot_of *of)
{
	return slot_place(of->slot) == of->block % CLUSTER_BLOCKS;
}

struct cluster *slot_own_cluster(const struct zsfs *fs, struct slot_of of)
{
	struct cluster *cl = slot_cluster(of.slot);

	if (slot_kind(of.slot) != SLOT_DENSE || !is_in_place(&of) ||
	    !cluster_is_of(fs, cl, slot_group_mark(of.inode, of.block)))
		return NULL;
	return cl->live & 1u << slot_place(of.slot) ? cl : NULL;
}

static int read_object(struct zsfs *fs, struct arena_thread *at,
		       struct zcomp_ctx *zc, const struct slot_of *of,
		       void *dst)
{
	uint32_t mark = slot_mark(of->inode, of->block);
	struct zs_obj_info info;
	const void *src =
		zs_obj_read_begin(fs->pool, at, slot_handle(of->slot), &info);
	int err;

	if (!src)
		return -EIO;
	err = zcomp_decompress(zc, info.tag, src, info.size, dst);
	zs_obj_read_end(fs->pool, at);
	if (err)
		return err == -ENOMEM ? err : -EIO;
	return (zcomp_checksum(dst) ^ mark) == info.word ? 0 : -EIO;
}

static int read_dense(struct zsfs *fs, struct arena_thread *at,
		      struct zcomp_ctx *zc, const struct slot_of *of, void *dst)
{
	if (!is_in_place(of))
		return -EIO;
	return cluster_read(fs, at, zc, slot_cluster(of->slot),
			    slot_place(of->slot),
			    slot_group_mark(of->inode, of->block), dst);
}

int slot_read(struct zsfs *fs, struct arena_thread *at, struct zcomp_ctx *zc,
	      struct slot_of of, void *dst)
{
	switch (slot_kind(of.slot)) {
	case SLOT_OBJECT:
		return read_object(fs, at, zc, &of, dst);
	case SLOT_DENSE:
		return read_dense(fs, at, zc, &of, dst);
	case SLOT_SAME:
		zcomp_fill(dst, of.slot);
		return 0;
	case SLOT_UNKNOWN:
		return -EIO;
	default:
		memset(dst, 0, ZSFS_BLOCK_SIZE);
		return 0;
	}
}
