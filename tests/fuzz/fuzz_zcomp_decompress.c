/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fuzz target: the first byte is the algorithm, the rest what was stored.
 * Whatever it is, it decodes to 4096 bytes that depend on it alone, or fails.
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include "fuzz.h"
#include "guard.h"
#include "zcomp.h"

static struct zcomp_ctx *ctx;
static unsigned char *src_page, *dst_page;
static unsigned char first[ZCOMP_BLOCK_SIZE];

static int decode(unsigned alg, const void *src, size_t len, int filler)
{
	int ret;

	memset(dst_page, filler, ZCOMP_BLOCK_SIZE);
	ret = zcomp_decompress(ctx, alg, src, len, dst_page);
	if (alg >= ZCOMP_NR_ALGS)
		FUZZ_CHECK(ret == -EINVAL);
	else
		FUZZ_CHECK(!ret || ret == -EIO);
	return ret;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned alg;
	int ret;

	if (!ctx) {
		ctx = zcomp_ctx_create();
		src_page = guard_create();
		dst_page = guard_create();
	}
	if (!size || size > ZCOMP_BLOCK_SIZE + 1)
		return 0;
	alg = data[0];
	data++;
	size--;

	ret = decode(alg, guard_copy(src_page, data, size), size, 0x00);
	memcpy(first, dst_page, ZCOMP_BLOCK_SIZE);
	memmove(src_page, guard_tail(src_page, size), size);
	FUZZ_CHECK(decode(alg, src_page, size, 0xff) == ret);
	if (!ret)
		FUZZ_CHECK(!memcmp(first, dst_page, ZCOMP_BLOCK_SIZE));
	return 0;
}
