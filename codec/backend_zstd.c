/* SPDX-License-Identifier: BSD-3-Clause */
/* The algorithm "zstd": a block is a frame as zstd_i.h has it. */
#include <string.h>
#include "backend_i.h"
#include "zstd_i.h"

static void *zstd_compress_create(void)
{
	return zstd_packer_create(ZCOMP_BLOCK_SIZE);
}

static void zstd_compress_destroy(void *state)
{
	zstd_packer_destroy(state);
}

static void *zstd_decompress_create(void)
{
	return zstd_unpacker_create(ZCOMP_BLOCK_SIZE);
}

static void zstd_decompress_destroy(void *state)
{
	zstd_unpacker_destroy(state);
}

static int zstd_compress(void *state, int level, const void *src, void *dst,
			 size_t dst_size)
{
	return zstd_pack(state, level, src, ZCOMP_BLOCK_SIZE, dst, dst_size);
}

static int zstd_decompress(void *state, const void *src, size_t len, void *dst)
{
	memcpy(zstd_unpacker_room(state), src, len);
	return zstd_unpack(state, len, dst, ZCOMP_BLOCK_SIZE);
}

const struct zcomp_backend zcomp_backend_zstd = {
	.name = "zstd",
	.default_level = 1,
	.min_level = 1,
	.max_level = 19,
	.compress_state = {zstd_compress_create, zstd_compress_destroy},
	.decompress_state = {zstd_decompress_create, zstd_decompress_destroy},
	.compress = zstd_compress,
	.decompress = zstd_decompress,
};
