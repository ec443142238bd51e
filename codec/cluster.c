/* SPDX-License-Identifier: BSD-3-Clause */
/* Clusters: several blocks in one zstd frame (see zcomp.h). */
#include <errno.h>
#include <stdlib.h>
#include "backend_i.h"
#include "zstd_i.h"

static bool is_cluster(size_t size)
{
	return size && size <= ZCOMP_CLUSTER_SIZE &&
	       size % ZCOMP_BLOCK_SIZE == 0;
}

int zcomp_compress_cluster(struct zcomp_ctx *ctx, int level, const void *src,
			   size_t size, void *dst, size_t dst_size)
{
	if (!is_cluster(size))
		return -EINVAL;
	if (zcomp_should_fail())
		return -EIO;
	if (!ctx->packer)
		ctx->packer = zstd_packer_create(ZCOMP_CLUSTER_SIZE);
	if (!ctx->packer)
		return -ENOMEM;
	return zstd_pack(ctx->packer, level, src, size, dst, dst_size);
}

uint8_t *zcomp_cluster_room(struct zcomp_ctx *ctx)
{
	if (!ctx->unpacker)
		ctx->unpacker = zstd_unpacker_create(ZCOMP_CLUSTER_SIZE);
	return ctx->unpacker ? zstd_unpacker_room(ctx->unpacker) : NULL;
}

int zcomp_decompress_cluster(struct zcomp_ctx *ctx, size_t len, void *dst,
			     size_t size)
{
	if (!is_cluster(size) || !ctx->unpacker)
		return -EINVAL;
	if (!len || len > ZCOMP_CLUSTER_SIZE)
		return -EIO;
	return zstd_unpack(ctx->unpacker, len, dst, size);
}

struct zcomp_kept *zcomp_kept(struct zcomp_ctx *ctx)
{
	if (!ctx->kept)
		ctx->kept = calloc(1, sizeof(*ctx->kept));
	return ctx->kept;
}

void zcomp_free_cluster_states(struct zcomp_ctx *ctx)
{
	zstd_packer_destroy(ctx->packer);
	zstd_unpacker_destroy(ctx->unpacker);
	free(ctx->kept);
}
