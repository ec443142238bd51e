/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fuzz target: the lower bits of the first byte are the number of blocks of a
 * cluster. The rest is a frame that was stored: whatever it is, it decodes to
 * that many blocks that depend on it alone, or fails. Or, where the first bit
 * is set, two bytes say where and one how to damage the frame that is made of
 * the rest: what comes out then has another checksum, or is no other content.
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include "fuzz.h"
#include "guard.h"
#include "zcomp.h"

#define SEED	    UINT64_C(0x2545f4914f6cdd1d)
#define PREFIX_SIZE 4u
#define IS_PLAIN    0x80u

static struct zcomp_ctx *ctx;
static unsigned char *dst_area;
static unsigned char first[ZCOMP_CLUSTER_SIZE], plain[ZCOMP_CLUSTER_SIZE];
static unsigned char frame[ZCOMP_CLUSTER_SIZE];

static unsigned char *decode_to(size_t size)
{
	return dst_area + ZCOMP_CLUSTER_SIZE - size;
}

static int decode(const void *src, size_t len, size_t size, int filler)
{
	uint8_t *room = zcomp_cluster_room(ctx);
	int ret;

	FUZZ_CHECK(room);
	memcpy(room, src, len);
	memset(decode_to(size), filler, size);
	ret = zcomp_decompress_cluster(ctx, len, decode_to(size), size);
	FUZZ_CHECK(!ret || ret == -EIO);
	return ret;
}

static void check_frame(const uint8_t *data, size_t len, size_t size)
{
	int ret = decode(data, len, size, 0x00);

	memcpy(first, decode_to(size), size);
	FUZZ_CHECK(decode(data, len, size, 0xff) == ret);
	if (!ret)
		FUZZ_CHECK(!memcmp(first, decode_to(size), size));
}

static void check_same(size_t size)
{
	FUZZ_CHECK(!memcmp(decode_to(size), plain, size));
}

/* @how: the byte at @where and, odd, that one alone; else the end is cut off.
 */
static void check_damage(size_t len, size_t size, size_t where, uint8_t how)
{
	uint64_t sum = zcomp_cluster_sum(plain, size, SEED);

	where %= len;
	frame[where] ^= how;
	if (!(how & 1))
		len = where;
	if (len && !decode(frame, len, size, 0x5a) &&
	    zcomp_cluster_sum(decode_to(size), size, SEED) == sum)
		check_same(size);
}

static void check_plain(const uint8_t *data, size_t left, size_t size)
{
	size_t where = data[0] | (size_t)data[1] << 8;
	uint8_t how = data[2];
	int len;

	data += PREFIX_SIZE - 1;
	left -= PREFIX_SIZE - 1;
	for (size_t k = 0; k < size; k++)
		plain[k] = data[k % left];
	len = zcomp_compress_cluster(ctx, how % 19 + 1, plain, size, frame,
				     sizeof(frame));
	if (len == -ENOSPC)
		return;
	FUZZ_CHECK(len > 0);
	FUZZ_CHECK(!decode(frame, (size_t)len, size, 0x5a));
	check_same(size);
	check_damage((size_t)len, size, where, how);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t plain_size;

	if (!ctx) {
		ctx = zcomp_ctx_create();
		dst_area = guard_create_of(ZCOMP_CLUSTER_SIZE);
	}
	if (!size || size > ZCOMP_CLUSTER_SIZE)
		return 0;
	plain_size = (data[0] % ZCOMP_CLUSTER_BLOCKS + 1) * ZCOMP_BLOCK_SIZE;
	if (!(data[0] & IS_PLAIN))
		check_frame(data + 1, size - 1, plain_size);
	else if (size > PREFIX_SIZE)
		check_plain(data + 1, size - 1, plain_size);
	return 0;
}
