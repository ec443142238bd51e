/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The algorithm "zstd". What is stored is a zstd frame without its first
 * HEADER_SIZE bytes, which the parameters below make the same for every block.
 *
 * Both directions go through a frame buffer in the state:
 *  - zstd gives up a few bytes before its output is really full, and how many
 *    depends on the block. With room for the worst case the answer depends on
 *    the block alone, and dst_size means what it says.
 *  - libzstd has a frame format without magic number, but before 1.5.6 its
 *    decoder reads up to 3 bytes beyond the source when a frame is followed
 *    by garbage. Putting the header back costs one short copy, takes only the
 *    stable API and saves two more bytes.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>
#include <zstd_errors.h>
#include "backend_i.h"

#define HEADER_SIZE    6u
#define WINDOW_LOG     12 /* 4096 bytes: a match never reaches further */
#define MAX_FRAME_SIZE ZSTD_COMPRESSBOUND(ZCOMP_BLOCK_SIZE)

/*
 * Magic number; frame descriptor (no content size, checksum or dictionary);
 * window descriptor. Stored blocks depend on it: never change.
 */
static const unsigned char frame_header[HEADER_SIZE] = {
	0x28, 0xb5, 0x2f, 0xfd, 0x00, (WINDOW_LOG - 10) << 3,
};

struct compress_state {
	ZSTD_CCtx *cctx;
	int level; /* what cctx is set to; 0: not yet set */
	unsigned char frame[MAX_FRAME_SIZE];
};

struct decompress_state {
	ZSTD_DCtx *dctx;
	unsigned char frame[HEADER_SIZE + ZCOMP_BLOCK_SIZE];
};

static void zstd_compress_destroy(void *state)
{
	struct compress_state *cs = state;

	ZSTD_freeCCtx(cs->cctx);
	free(cs);
}

/* The parameters that frame_header tells of. */
static bool set_frame_format(ZSTD_CCtx *cctx)
{
	static const struct {
		ZSTD_cParameter name;
		int value;
	} params[] = {
		{ZSTD_c_contentSizeFlag, 0},
		{ZSTD_c_checksumFlag, 0},
		{ZSTD_c_dictIDFlag, 0},
		{ZSTD_c_windowLog, WINDOW_LOG},
	};
	size_t i;

	for (i = 0; i < sizeof(params) / sizeof(params[0]); i++) {
		if (ZSTD_isError(ZSTD_CCtx_setParameter(cctx, params[i].name,
							params[i].value)))
			return false;
	}
	return true;
}

static void *zstd_compress_create(void)
{
	struct compress_state *cs = malloc(sizeof(*cs));

	if (!cs)
		return NULL;
	cs->level = 0;
	cs->cctx = ZSTD_createCCtx();
	if (cs->cctx && set_frame_format(cs->cctx))
		return cs;
	zstd_compress_destroy(cs);
	return NULL;
}

static void zstd_decompress_destroy(void *state)
{
	struct decompress_state *ds = state;

	ZSTD_freeDCtx(ds->dctx);
	free(ds);
}

static void *zstd_decompress_create(void)
{
	struct decompress_state *ds = malloc(sizeof(*ds));

	if (!ds)
		return NULL;
	memcpy(ds->frame, frame_header, HEADER_SIZE);
	ds->dctx = ZSTD_createDCtx();
	if (ds->dctx)
		return ds;
	zstd_decompress_destroy(ds);
	return NULL;
}

static int to_errno(size_t result)
{
	ZSTD_ErrorCode code = ZSTD_getErrorCode(result);

	return code == ZSTD_error_memory_allocation ? -ENOMEM : -EIO;
}

/* Setting a level drops what zstd prepared for the last one: only on change. */
static int set_level(struct compress_state *cs, int level)
{
	size_t ret;

	if (cs->level == level)
		return 0;
	ret = ZSTD_CCtx_setParameter(cs->cctx, ZSTD_c_compressionLevel, level);
	if (ZSTD_isError(ret))
		return to_errno(ret);
	cs->level = level;
	return 0;
}

static int zstd_compress(void *state, int level, const void *src, void *dst,
			 size_t dst_size)
{
	struct compress_state *cs = state;
	size_t size;
	int err;

	err = set_level(cs, level);
	if (err)
		return err;
	size = ZSTD_compress2(cs->cctx, cs->frame, sizeof(cs->frame), src,
			      ZCOMP_BLOCK_SIZE);
	if (ZSTD_isError(size))
		return to_errno(size);
	if (size <= HEADER_SIZE || memcmp(cs->frame, frame_header, HEADER_SIZE))
		return -EIO;
	size -= HEADER_SIZE;
	if (size > dst_size)
		return -ENOSPC;
	memcpy(dst, cs->frame + HEADER_SIZE, size);
	return (int)size;
}

static int zstd_decompress(void *state, const void *src, size_t len, void *dst)
{
	struct decompress_state *ds = state;
	size_t size = HEADER_SIZE + len;
	size_t got;

	memcpy(ds->frame + HEADER_SIZE, src, len);
	/* Exactly one frame: nothing that we did not write gets decoded. */
	got = ZSTD_findFrameCompressedSize(ds->frame, size);
	if (got != size)
		return -EIO;
	got = ZSTD_decompressDCtx(ds->dctx, dst, ZCOMP_BLOCK_SIZE, ds->frame,
				  size);
	if (ZSTD_isError(got))
		return to_errno(got);
	return got == ZCOMP_BLOCK_SIZE ? 0 : -EIO;
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
