/* SPDX-License-Identifier: BSD-3-Clause */
/* The algorithm "none": the block is stored as it is. */
#include <errno.h>
#include <string.h>
#include "backend_i.h"

static int raw_compress(void *state, int level, const void *src, void *dst,
			size_t dst_size)
{
	return -ENOSPC;
}

static int raw_decompress(void *state, const void *src, size_t len, void *dst)
{
	if (len != ZCOMP_BLOCK_SIZE)
		return -EIO;
	memcpy(dst, src, ZCOMP_BLOCK_SIZE);
	return 0;
}

const struct zcomp_backend zcomp_backend_raw = {
	.name = "none",
	.compress = raw_compress,
	.decompress = raw_decompress,
};
