/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fuzz target: five bytes choose algorithm, level and room, the others are the
 * block (repeated until it is full).
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include "fuzz.h"
#include "guard.h"
#include "zcomp.h"

#define PREFIX_SIZE 5u

static struct zcomp_ctx *ctx;
static unsigned char *src_page, *comp_page, *dst_page;
static unsigned char whole[ZCOMP_BLOCK_SIZE];

static void choose(const uint8_t *data, struct zcomp_params *params,
		   size_t *room)
{
	unsigned level = data[1] | (unsigned)data[2] << 8;

	params->alg = data[0] % ZCOMP_NR_ALGS;
	params->level = 0;
	if (params->alg == ZCOMP_LZ4)
		params->level = (int)(level + 1);
	else if (params->alg == ZCOMP_ZSTD)
		params->level = (int)(level % 19 + 1);
	*room = (data[3] | (size_t)data[4] << 8) % ZCOMP_BLOCK_SIZE + 1;
}

static bool naive_same_filled(const unsigned char *block)
{
	size_t i;

	for (i = 8; i < ZCOMP_BLOCK_SIZE; i++) {
		if (block[i] != block[i - 8])
			return false;
	}
	return true;
}

static void check_same_filled(const unsigned char *block)
{
	uint64_t word;
	bool same = zcomp_same_filled(block, &word);

	FUZZ_CHECK(same == naive_same_filled(block));
	if (!same)
		return;
	memset(dst_page, 0x5a, ZCOMP_BLOCK_SIZE);
	zcomp_fill(dst_page, word);
	FUZZ_CHECK(!memcmp(dst_page, block, ZCOMP_BLOCK_SIZE));
}

static void check_decode(enum zcomp_alg alg, const unsigned char *block,
			 const unsigned char *comp, int len)
{
	memset(dst_page, 0x5a, ZCOMP_BLOCK_SIZE);
	FUZZ_CHECK(!zcomp_decompress(ctx, alg, comp, (size_t)len, dst_page));
	FUZZ_CHECK(!memcmp(dst_page, block, ZCOMP_BLOCK_SIZE));
	FUZZ_CHECK(zcomp_checksum(dst_page) == zcomp_checksum(block));
}

/* Compressed into @room bytes: the same as with any room, if it fits. */
static void check_compress(const struct zcomp_params *params,
			   const unsigned char *block, size_t room)
{
	unsigned char *comp = guard_tail(comp_page, room);
	int full = zcomp_compress(ctx, params, block, whole, sizeof(whole));
	int len = zcomp_compress(ctx, params, block, comp, room);

	FUZZ_CHECK(full == -ENOSPC || full > 0);
	FUZZ_CHECK(params->alg != ZCOMP_RAW || full == -ENOSPC);
	if (full < 0 || (size_t)full > room) {
		FUZZ_CHECK(len == -ENOSPC);
	} else {
		FUZZ_CHECK(len == full && !memcmp(comp, whole, (size_t)len));
		check_decode(params->alg, block, comp, len);
	}
	if (full > 0)
		check_decode(params->alg, block,
			     guard_copy(comp_page, whole, (size_t)full), full);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct zcomp_params params;
	size_t room, i;

	if (!ctx) {
		ctx = zcomp_ctx_create();
		src_page = guard_create();
		comp_page = guard_create();
		dst_page = guard_create();
	}
	if (size <= PREFIX_SIZE)
		return 0;
	choose(data, &params, &room);
	data += PREFIX_SIZE;
	size -= PREFIX_SIZE;
	for (i = 0; i < ZCOMP_BLOCK_SIZE; i++)
		src_page[i] = data[i % size];

	check_same_filled(src_page);
	check_compress(&params, src_page, room);
	return 0;
}
