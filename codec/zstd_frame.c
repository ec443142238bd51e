/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames of zstd without their header (see zstd_i.h).
 *
 * Both directions go through a buffer with room for the header:
 *  - zstd gives up a few bytes before its output is really full, and how many
 *    depends on the content. With room for the worst case the answer depends
 *    on the content alone, and dst_size means what it says.
 *  - libzstd has a frame format without magic number, but before 1.5.6 its
 *    decoder reads up to 3 bytes beyond the source when a frame is followed
 *    by garbage. Putting the header back takes only the stable API and saves
 *    two more bytes.
 */
#include "zstd_i.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>
#include <zstd_errors.h>

struct zstd_packer {
	ZSTD_CCtx *cctx;
	int level; /* what cctx is set to; 0: not yet set */
	unsigned window_log;
	size_t room; /* bytes of frame[] */
	unsigned char frame[];
};

struct zstd_unpacker {
	ZSTD_DCtx *dctx;
	unsigned char frame[];
};

/* A match never reaches further than all of the content. */
static unsigned window_log_of(size_t max)
{
	unsigned log = 10;

	while ((size_t)1 << log < max)
		log++;
	return log;
}

static unsigned char window_byte(unsigned window_log)
{
	return (unsigned char)((window_log - 10) << 3);
}

/*
 * Magic number; frame descriptor (no content size, checksum or dictionary);
 * window descriptor. What is stored depends on it: never change.
 */
static void put_header(unsigned char *frame, unsigned window_log)
{
	static const unsigned char start[ZSTD_HEADER_SIZE] = {0x28, 0xb5, 0x2f,
							      0xfd};

	memcpy(frame, start, ZSTD_HEADER_SIZE);
	frame[ZSTD_HEADER_SIZE - 1] = window_byte(window_log);
}

/*
 * Is the header what put_header() makes? For little content zstd takes a
 * smaller window, which the larger one holds.
 */
static bool has_header(const unsigned char *frame, unsigned window_log)
{
	unsigned char want[ZSTD_HEADER_SIZE];

	put_header(want, window_log);
	return !memcmp(frame, want, ZSTD_HEADER_SIZE - 1) &&
	       frame[ZSTD_HEADER_SIZE - 1] <= want[ZSTD_HEADER_SIZE - 1];
}

static int to_errno(size_t result)
{
	ZSTD_ErrorCode code = ZSTD_getErrorCode(result);

	return code == ZSTD_error_memory_allocation ? -ENOMEM : -EIO;
}

/* ---- packing ---- */

/* The parameters that put_header() tells of. */
static bool set_frame_format(ZSTD_CCtx *cctx, unsigned window_log)
{
	const struct {
		ZSTD_cParameter name;
		int value;
	} params[] = {
		{ZSTD_c_contentSizeFlag, 0},
		{ZSTD_c_checksumFlag, 0},
		{ZSTD_c_dictIDFlag, 0},
		{ZSTD_c_windowLog, (int)window_log},
	};
	size_t i;

	for (i = 0; i < sizeof(params) / sizeof(params[0]); i++) {
		if (ZSTD_isError(ZSTD_CCtx_setParameter(cctx, params[i].name,
							params[i].value)))
			return false;
	}
	return true;
}

struct zstd_packer *zstd_packer_create(size_t max)
{
	size_t room = ZSTD_compressBound(max);
	struct zstd_packer *p = malloc(sizeof(*p) + room);

	if (!p)
		return NULL;
	p->level = 0;
	p->window_log = window_log_of(max);
	p->room = room;
	p->cctx = ZSTD_createCCtx();
	if (p->cctx && set_frame_format(p->cctx, p->window_log))
		return p;
	zstd_packer_destroy(p);
	return NULL;
}

void zstd_packer_destroy(struct zstd_packer *p)
{
	if (!p)
		return;
	ZSTD_freeCCtx(p->cctx);
	free(p);
}

/* Setting a level drops what zstd prepared for the last one: only on change. */
static int set_level(struct zstd_packer *p, int level)
{
	size_t ret;

	if (p->level == level)
		return 0;
	ret = ZSTD_CCtx_setParameter(p->cctx, ZSTD_c_compressionLevel, level);
	if (ZSTD_isError(ret))
		return to_errno(ret);
	p->level = level;
	return 0;
}

int zstd_pack(struct zstd_packer *p, int level, const void *src, size_t size,
	      void *dst, size_t dst_size)
{
	size_t got;
	int err;

	err = set_level(p, level);
	if (err)
		return err;
	got = ZSTD_compress2(p->cctx, p->frame, p->room, src, size);
	if (ZSTD_isError(got))
		return to_errno(got);
	if (got <= ZSTD_HEADER_SIZE || !has_header(p->frame, p->window_log))
		return -EIO;
	got -= ZSTD_HEADER_SIZE;
	if (got > dst_size)
		return -ENOSPC;
	memcpy(dst, p->frame + ZSTD_HEADER_SIZE, got);
	return (int)got;
}

/* ---- unpacking ---- */

struct zstd_unpacker *zstd_unpacker_create(size_t max)
{
	struct zstd_unpacker *u = malloc(sizeof(*u) + ZSTD_HEADER_SIZE + max);

	if (!u)
		return NULL;
	put_header(u->frame, window_log_of(max));
	u->dctx = ZSTD_createDCtx();
	if (u->dctx)
		return u;
	zstd_unpacker_destroy(u);
	return NULL;
}

void zstd_unpacker_destroy(struct zstd_unpacker *u)
{
	if (!u)
		return;
	ZSTD_freeDCtx(u->dctx);
	free(u);
}

uint8_t *zstd_unpacker_room(struct zstd_unpacker *u)
{
	return u->frame + ZSTD_HEADER_SIZE;
}

int zstd_unpack(struct zstd_unpacker *u, size_t len, void *dst, size_t size)
{
	size_t all = ZSTD_HEADER_SIZE + len, got;

	/* Exactly one frame: nothing that we did not write gets decoded. */
	got = ZSTD_findFrameCompressedSize(u->frame, all);
	if (got != all)
		return -EIO;
	got = ZSTD_decompressDCtx(u->dctx, dst, size, u->frame, all);
	if (ZSTD_isError(got))
		return to_errno(got);
	return got == size ? 0 : -EIO;
}
