/* SPDX-License-Identifier: BSD-3-Clause */
/* zcomp: clusters of blocks: round trips, stored form, damage. */
#include <errno.h>
#include <zstd.h>
#include "check.h"
#include "guard.h"
#include "zcomp.h"
#include "zcomp_samples.h"

#define NR_BLOCKS ZCOMP_CLUSTER_BLOCKS

static const int levels[] = {1, 3, 6, 12, 19};

static unsigned char plain[ZCOMP_CLUSTER_SIZE], packed[ZCOMP_CLUSTER_SIZE];
static unsigned char again[ZCOMP_CLUSTER_SIZE + 1];

/* @n blocks: the samples from number @first on, in a circle. */
static size_t fill(size_t first, size_t n)
{
	for (size_t k = 0; k < n; k++)
		memcpy(plain + k * BLOCK_SIZE,
		       samples[(first + k) % NR_SAMPLES], BLOCK_SIZE);
	return n * BLOCK_SIZE;
}

static int unpack(struct zcomp_ctx *ctx, const void *src, size_t len,
		  size_t size)
{
	uint8_t *room = zcomp_cluster_room(ctx);

	REQUIRE(room);
	memcpy(room, src, len);
	memset(again, 0x5a, sizeof(again));
	return zcomp_decompress_cluster(ctx, len, again, size);
}

static void test_round_trip(void)
{
	struct zcomp_ctx *ctx = zcomp_ctx_create();

	for (size_t l = 0; l < ARRAY_SIZE(levels); l++) {
		for (size_t n = 1; n <= NR_BLOCKS; n++) {
			size_t size = fill(n * 5, n);
			int len = zcomp_compress_cluster(ctx, levels[l], plain,
							 size, packed,
							 sizeof(packed));

			CHECK(len > 0);
			CHECK_EQ(unpack(ctx, packed, (size_t)len, size), 0);
			CHECK(!memcmp(again, plain, size));
			CHECK_EQ(again[size], 0x5a);
		}
	}
	zcomp_ctx_destroy(ctx);
}

/* Blocks that are alike take the room of one. */
static void test_saves(void)
{
	struct zcomp_ctx *ctx = zcomp_ctx_create();
	int one, all;

	for (size_t k = 0; k < NR_BLOCKS; k++)
		memcpy(plain + k * BLOCK_SIZE, samples[SAMPLE_ELF], BLOCK_SIZE);
	one = zcomp_compress_cluster(ctx, 1, plain, BLOCK_SIZE, packed,
				     sizeof(packed));
	all = zcomp_compress_cluster(ctx, 1, plain, sizeof(plain), packed,
				     sizeof(packed));
	CHECK(one > 0 && all > 0 && all < one + 200);
	zcomp_ctx_destroy(ctx);
}

/* What fits is the same bytes whatever room there is, what does not is told. */
static void test_room(void)
{
	struct zcomp_ctx *ctx = zcomp_ctx_create();
	size_t size = fill(SAMPLE_TEXT, 9);
	int len = zcomp_compress_cluster(ctx, 1, plain, size, packed,
					 sizeof(packed));

	REQUIRE(len > 1);
	CHECK_EQ(zcomp_compress_cluster(ctx, 1, plain, size, again,
					(size_t)len - 1),
		 -ENOSPC);
	memset(again, 0x5a, sizeof(again));
	CHECK_EQ(
		zcomp_compress_cluster(ctx, 1, plain, size, again, (size_t)len),
		len);
	CHECK(!memcmp(again, packed, (size_t)len));
	CHECK_EQ(again[len], 0x5a);
	sample_random_fill(plain, sizeof(plain));
	CHECK_EQ(zcomp_compress_cluster(ctx, 1, plain, sizeof(plain), packed,
					sizeof(packed)),
		 -ENOSPC);
	zcomp_ctx_destroy(ctx);
}

static void test_bad_sizes(void)
{
	static const size_t bad[] = {0, 1, BLOCK_SIZE - 1, BLOCK_SIZE + 1,
				     ZCOMP_CLUSTER_SIZE + BLOCK_SIZE};
	struct zcomp_ctx *ctx = zcomp_ctx_create();

	CHECK_EQ(zcomp_decompress_cluster(ctx, 10, again, BLOCK_SIZE), -EINVAL);
	REQUIRE(zcomp_cluster_room(ctx));
	for (size_t k = 0; k < ARRAY_SIZE(bad); k++) {
		CHECK_EQ(zcomp_compress_cluster(ctx, 1, plain, bad[k], packed,
						sizeof(packed)),
			 -EINVAL);
		CHECK_EQ(zcomp_decompress_cluster(ctx, 10, again, bad[k]),
			 -EINVAL);
	}
	CHECK_EQ(zcomp_decompress_cluster(ctx, 0, again, BLOCK_SIZE), -EIO);
	CHECK_EQ(zcomp_decompress_cluster(ctx, ZCOMP_CLUSTER_SIZE + 1, again,
					  BLOCK_SIZE),
		 -EIO);
	zcomp_ctx_destroy(ctx);
}

/* The stored form is a zstd frame less its header, which is always the same. */
static void test_stored_form(void)
{
	static const unsigned char header[] = {0x28, 0xb5, 0x2f, 0xfd, 0, 0x30};
	static unsigned char frame[sizeof(header) + ZCOMP_CLUSTER_SIZE];
	struct zcomp_ctx *ctx = zcomp_ctx_create();

	memcpy(frame, header, sizeof(header));
	for (size_t n = 1; n <= NR_BLOCKS; n++) {
		size_t size = fill(n, n);
		int len = zcomp_compress_cluster(ctx, 3, plain, size,
						 frame + sizeof(header),
						 ZCOMP_CLUSTER_SIZE);

		CHECK(len > 0);
		CHECK_EQ(ZSTD_decompress(again, sizeof(again), frame,
					 sizeof(header) + (size_t)len),
			 size);
		CHECK(!memcmp(again, plain, size));
	}
	zcomp_ctx_destroy(ctx);
}

/* Another length of the content or of the frame is never taken for it. */
static void test_wrong_lengths(void)
{
	struct zcomp_ctx *ctx = zcomp_ctx_create();
	size_t size = fill(SAMPLE_TEXT, 4);
	int len = zcomp_compress_cluster(ctx, 1, plain, size, packed,
					 sizeof(packed));

	REQUIRE(len > 0);
	CHECK_EQ(unpack(ctx, packed, (size_t)len, size - BLOCK_SIZE), -EIO);
	CHECK_EQ(unpack(ctx, packed, (size_t)len, size + BLOCK_SIZE), -EIO);
	for (size_t cut = 0; cut < (size_t)len; cut += 7)
		CHECK_EQ(unpack(ctx, packed, cut, size), -EIO);
	packed[len] = 1;
	CHECK_EQ(unpack(ctx, packed, (size_t)len + 1, size), -EIO);
	zcomp_ctx_destroy(ctx);
}

/* Each flipped bit fails, or the checksum tells. */
static void test_flipped_bits(void)
{
	struct zcomp_ctx *ctx = zcomp_ctx_create();
	size_t size = fill(SAMPLE_TEXT, 3), passed = 0;
	uint64_t sum = zcomp_cluster_sum(plain, size, 7);
	int len = zcomp_compress_cluster(ctx, 1, plain, size, packed,
					 sizeof(packed));

	REQUIRE(len > 0);
	for (size_t bit = 0; bit < (size_t)len * 8; bit++) {
		int err;

		packed[bit / 8] ^= (unsigned char)(1u << bit % 8);
		err = unpack(ctx, packed, (size_t)len, size);
		CHECK(!err || err == -EIO);
		if (!err && memcmp(again, plain, size)) {
			passed++;
			CHECK(zcomp_cluster_sum(again, size, 7) != sum);
		}
		packed[bit / 8] ^= (unsigned char)(1u << bit % 8);
	}
	CHECK(passed > 0);
	CHECK_EQ(unpack(ctx, packed, (size_t)len, size), 0);
	zcomp_ctx_destroy(ctx);
}

/* Nothing is written beyond the content, whatever the bytes are. */
static void test_garbage(void)
{
	struct zcomp_ctx *ctx = zcomp_ctx_create();
	unsigned char *page = guard_create();

	REQUIRE(zcomp_cluster_room(ctx));
	for (size_t k = 0; k < 20000; k++) {
		size_t len = 1 + sample_random(&sample_seed) % 300;

		sample_random_fill(zcomp_cluster_room(ctx), len);
		CHECK_EQ(zcomp_decompress_cluster(ctx, len, page, BLOCK_SIZE),
			 -EIO);
	}
	guard_destroy(page);
	zcomp_ctx_destroy(ctx);
}

/* Blocks beside clusters in one context, and the seed of their checksum. */
static void test_beside_blocks(void)
{
	static const struct zcomp_params zstd = {ZCOMP_ZSTD, 1};
	struct zcomp_ctx *ctx = zcomp_ctx_create();
	size_t size = fill(SAMPLE_TEXT, 2);
	int len, block;

	len = zcomp_compress_cluster(ctx, 1, plain, size, packed,
				     sizeof(packed));
	block = zcomp_compress(ctx, &zstd, plain, again, BLOCK_SIZE);
	REQUIRE(len > 0 && block > 0);
	CHECK_EQ(zcomp_decompress(ctx, ZCOMP_ZSTD, again, (size_t)block,
				  again + BLOCK_SIZE),
		 0);
	CHECK(!memcmp(again + BLOCK_SIZE, plain, BLOCK_SIZE));
	CHECK_EQ(unpack(ctx, packed, (size_t)len, size), 0);
	CHECK(zcomp_cluster_sum(plain, size, 1) !=
	      zcomp_cluster_sum(plain, size, 2));
	CHECK_EQ(zcomp_cluster_sum(plain, size, 1),
		 zcomp_cluster_sum(again, size, 1));
	zcomp_ctx_destroy(ctx);
}

/* What a thread keeps is empty at first, and the same at every call. */
static void test_kept(void)
{
	struct zcomp_ctx *ctx = zcomp_ctx_create();
	struct zcomp_kept *k = zcomp_kept(ctx);

	REQUIRE(k);
	CHECK_EQ(k->size, 0);
	k->size = 5;
	CHECK(zcomp_kept(ctx) == k && k->size == 5);
	zcomp_ctx_destroy(ctx);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		CHECK_CASE(test_round_trip),	CHECK_CASE(test_saves),
		CHECK_CASE(test_room),		CHECK_CASE(test_bad_sizes),
		CHECK_CASE(test_stored_form),	CHECK_CASE(test_wrong_lengths),
		CHECK_CASE(test_flipped_bits),	CHECK_CASE(test_garbage),
		CHECK_CASE(test_beside_blocks), CHECK_CASE(test_kept),
	};

	samples_create();
	return CHECK_MAIN(cases, argc, argv);
}
