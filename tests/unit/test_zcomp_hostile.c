/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * zcomp when things go wrong: stored bytes that are not what was written,
 * libraries that fail, memory that cannot be had, the fail hook.
 *
 * The __wrap functions stand before the libraries' (linker option --wrap).
 */
#include <errno.h>
#include <zstd.h>
#include <zstd_errors.h>
#include "check.h"
#include "guard.h"
#include "zcomp.h"
#include "zcomp_samples.h"

#define NR_BIT_FLIPS 4000
#define NR_GARBAGE   4000

static const struct zcomp_params lz4_params = {ZCOMP_LZ4, 1};
static const struct zcomp_params zstd_params = {ZCOMP_ZSTD, 3};

static unsigned char *src_page, *dst_page;

/* Allocations until one fails; negative: none does. */
static int fail_after = -1;

/* What the next ZSTD_compress2() or ZSTD_decompressDCtx() answers. */
static size_t next_result;
/* Whether the next ZSTD_compress2() spoils the frame's header. */
static bool spoil_header;

static bool allocation_fails(void)
{
	return fail_after >= 0 && fail_after-- == 0;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_aligned_alloc(size_t align, size_t size);
ZSTD_CCtx *__real_ZSTD_createCCtx(void);
ZSTD_DCtx *__real_ZSTD_createDCtx(void);
size_t __real_ZSTD_compress2(ZSTD_CCtx *cctx, void *dst, size_t dst_size,
			     const void *src, size_t src_size);
size_t __real_ZSTD_decompressDCtx(ZSTD_DCtx *dctx, void *dst, size_t dst_size,
				  const void *src, size_t src_size);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_aligned_alloc(size_t align, size_t size);
ZSTD_CCtx *__wrap_ZSTD_createCCtx(void);
ZSTD_DCtx *__wrap_ZSTD_createDCtx(void);
size_t __wrap_ZSTD_compress2(ZSTD_CCtx *cctx, void *dst, size_t dst_size,
			     const void *src, size_t src_size);
size_t __wrap_ZSTD_decompressDCtx(ZSTD_DCtx *dctx, void *dst, size_t dst_size,
				  const void *src, size_t src_size);

void *__wrap_malloc(size_t size)
{
	return allocation_fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return allocation_fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_aligned_alloc(size_t align, size_t size)
{
	return allocation_fails() ? NULL : __real_aligned_alloc(align, size);
}

ZSTD_CCtx *__wrap_ZSTD_createCCtx(void)
{
	return allocation_fails() ? NULL : __real_ZSTD_createCCtx();
}

ZSTD_DCtx *__wrap_ZSTD_createDCtx(void)
{
	return allocation_fails() ? NULL : __real_ZSTD_createDCtx();
}

static size_t take_result(void)
{
	size_t result = next_result;

	next_result = 0;
	return result;
}

size_t __wrap_ZSTD_compress2(ZSTD_CCtx *cctx, void *dst, size_t dst_size,
			     const void *src, size_t src_size)
{
	size_t result = take_result();

	if (result)
		return result;
	result = __real_ZSTD_compress2(cctx, dst, dst_size, src, src_size);
	if (spoil_header)
		((unsigned char *)dst)[4] ^= 4;
	spoil_header = false;
	return result;
}

size_t __wrap_ZSTD_decompressDCtx(ZSTD_DCtx *dctx, void *dst, size_t dst_size,
				  const void *src, size_t src_size)
{
	size_t result = take_result();

	if (result)
		return result;
	return __real_ZSTD_decompressDCtx(dctx, dst, dst_size, src, src_size);
}

/*
 * Decode @len bytes, once with them at the end of their page and once at its
 * begin: the same answer, and on success the same content. Returns it.
 */
static int decode(struct zcomp_ctx *ctx, unsigned alg, const void *comp,
		  size_t len)
{
	static unsigned char first[BLOCK_SIZE];
	int ret;

	memset(dst_page, 0x00, BLOCK_SIZE);
	ret = zcomp_decompress(ctx, alg, guard_copy(src_page, comp, len), len,
			       dst_page);
	CHECK(!ret || ret == -EIO);
	memcpy(first, dst_page, BLOCK_SIZE);

	memmove(src_page, comp, len);
	memset(dst_page, 0xff, BLOCK_SIZE);
	CHECK_EQ(zcomp_decompress(ctx, alg, src_page, len, dst_page), ret);
	CHECK(ret || !memcmp(first, dst_page, BLOCK_SIZE));
	return ret;
}

/* Cut anywhere, or with bytes after the end: never a block. */
static void check_wrong_length(struct zcomp_ctx *ctx, unsigned alg,
			       unsigned char *comp, size_t len)
{
	size_t cut, extra;

	CHECK_EQ(decode(ctx, alg, comp, len), 0);
	for (cut = 1; cut < len; cut++)
		CHECK_EQ(decode(ctx, alg, comp, cut), -EIO);
	for (extra = 1; extra <= 16 && len + extra <= BLOCK_SIZE; extra++) {
		memset(comp + len, 0, extra);
		CHECK_EQ(decode(ctx, alg, comp, len + extra), -EIO);
		memset(comp + len, 0xb5, extra);
		CHECK_EQ(decode(ctx, alg, comp, len + extra), -EIO);
	}
}

static void test_wrong_length(void)
{
	static unsigned char comp[BLOCK_SIZE];
	struct zcomp_ctx *ctx = zcomp_ctx_create();
	size_t p, s;
	int len;

	for (p = 0; p < NR_SAMPLE_PARAMS; p += 4) {
		for (s = 0; s < NR_SAMPLES; s++) {
			len = zcomp_compress(ctx, &sample_params[p], samples[s],
					     comp, BLOCK_SIZE);
			if (len > 0)
				check_wrong_length(ctx, sample_params[p].alg,
						   comp, (size_t)len);
		}
	}
	zcomp_ctx_destroy(ctx);
}

/* Two blocks where one should be: not decoded as far as it goes. */
static void test_two_frames(void)
{
	static const unsigned char header[] = {0x28, 0xb5, 0x2f, 0xfd, 0, 0x10};
	static const unsigned char empty[] = {0x28, 0xb5, 0x2f, 0xfd, 0,
					      0x10, 1,	  0,	0};
	static const unsigned char skipped[] = {0x50, 0x2a, 0x4d, 0x18, 1,
						0,    0,    0,	  'x'};
	static unsigned char comp[2 * BLOCK_SIZE];
	struct zcomp_ctx *ctx = zcomp_ctx_create();
	int len = zcomp_compress(ctx, &zstd_params, samples[SAMPLE_ZERO], comp,
				 BLOCK_SIZE);

	REQUIRE(len > 0 && len < 100);
	memcpy(comp + len, empty, sizeof(empty));
	CHECK_EQ(decode(ctx, ZCOMP_ZSTD, comp, (size_t)len + sizeof(empty)),
		 -EIO);
	memcpy(comp + len, skipped, sizeof(skipped));
	CHECK_EQ(decode(ctx, ZCOMP_ZSTD, comp, (size_t)len + sizeof(skipped)),
		 -EIO);
	/* Nor is a whole frame, header and all, what we store. */
	memmove(comp + sizeof(header), comp, (size_t)len);
	memcpy(comp, header, sizeof(header));
	CHECK_EQ(decode(ctx, ZCOMP_ZSTD, comp, (size_t)len + sizeof(header)),
		 -EIO);
	zcomp_ctx_destroy(ctx);
}

/*
 * One bit of a stored block is wrong. What decodes all the same is told by
 * the checksum, unless it is the right content after all.
 */
static void flip_bits(struct zcomp_ctx *ctx, const struct zcomp_params *params,
		      unsigned *refused, unsigned *wrong)
{
	static unsigned char comp[BLOCK_SIZE];
	uint64_t state = 7;
	size_t i, s, bit;
	int len;

	for (i = 0; i < NR_BIT_FLIPS; i++) {
		s = i % NR_SAMPLES;
		len = zcomp_compress(ctx, params, samples[s], comp, BLOCK_SIZE);
		if (len < 0)
			continue;
		bit = sample_random(&state) % ((size_t)len * 8);
		comp[bit / 8] ^= (unsigned char)(1u << bit % 8);
		if (decode(ctx, params->alg, comp, (size_t)len)) {
			(*refused)++;
			continue;
		}
		if (!memcmp(dst_page, samples[s], BLOCK_SIZE))
			continue;
		(*wrong)++;
		CHECK(zcomp_checksum(dst_page) != zcomp_checksum(samples[s]));
	}
}

static void test_bit_flips(void)
{
	static const struct zcomp_params *const tried[] = {&lz4_params,
							   &zstd_params};
	struct zcomp_ctx *ctx = zcomp_ctx_create();
	size_t p;

	for (p = 0; p < ARRAY_SIZE(tried); p++) {
		unsigned refused = 0, wrong = 0;

		flip_bits(ctx, tried[p], &refused, &wrong);
		/* Both must happen, or this test tests nothing. */
		CHECK(refused > 100);
		CHECK(wrong > 100);
	}
	zcomp_ctx_destroy(ctx);
}

static void test_garbage(void)
{
	static unsigned char junk[BLOCK_SIZE];
	struct zcomp_ctx *ctx = zcomp_ctx_create();
	uint64_t state = 11;
	size_t i, len;

	for (i = 0; i < NR_GARBAGE; i++) {
		len = sample_random(&state) % BLOCK_SIZE + 1;
		sample_random_fill(junk, len);
		decode(ctx, ZCOMP_LZ4, junk, len);
		decode(ctx, ZCOMP_ZSTD, junk, len);
		/* With a plausible block header, to get further in. */
		junk[0] = (unsigned char)(5 | (len - 3) << 3);
		if (len >= 3)
			junk[1] = (unsigned char)((len - 3) >> 5);
		junk[len > 2 ? 2 : 0] = 0;
		decode(ctx, ZCOMP_ZSTD, junk, len);
	}
	zcomp_ctx_destroy(ctx);
}

static void test_bad_arguments(void)
{
	struct zcomp_ctx *ctx = zcomp_ctx_create();
	unsigned alg;

	for (alg = 0; alg < ZCOMP_NR_ALGS; alg++) {
		CHECK_EQ(zcomp_decompress(ctx, alg, samples[0], 0, dst_page),
			 -EIO);
		CHECK_EQ(zcomp_decompress(ctx, alg, samples[0], BLOCK_SIZE + 1,
					  dst_page),
			 -EIO);
		/* Enough to run over a state's buffer, were it copied. */
		CHECK_EQ(zcomp_decompress(ctx, alg, samples[0], 4 * BLOCK_SIZE,
					  dst_page),
			 -EIO);
		CHECK_EQ(zcomp_decompress(ctx, alg, samples[0], SIZE_MAX,
					  dst_page),
			 -EIO);
	}
	for (; alg < 20; alg++)
		CHECK_EQ(zcomp_decompress(ctx, alg, samples[0], 100, dst_page),
			 -EINVAL);
	CHECK_EQ(zcomp_decompress(ctx, ~0u, samples[0], 100, dst_page),
		 -EINVAL);
	CHECK_EQ(zcomp_compress(ctx, &lz4_params, samples[0], dst_page, 0),
		 -ENOSPC);
	zcomp_ctx_destroy(ctx);
	zcomp_ctx_destroy(NULL);
}

/* Create, compress, decompress; every step may say that memory is short. */
static int use_all(struct zcomp_ctx **ctx, const struct zcomp_params *params,
		   unsigned char *comp)
{
	int len, ret;

	if (!*ctx)
		*ctx = zcomp_ctx_create();
	if (!*ctx)
		return -ENOMEM;
	len = zcomp_compress(*ctx, params, samples[SAMPLE_TEXT], comp,
			     BLOCK_SIZE);
	if (len < 0)
		return len;
	ret = zcomp_decompress(*ctx, params->alg, comp, (size_t)len, dst_page);
	if (!ret)
		CHECK(!memcmp(dst_page, samples[SAMPLE_TEXT], BLOCK_SIZE));
	return ret;
}

/* The n-th allocation fails, for each n: -ENOMEM, and the next try works. */
static void check_no_memory(const struct zcomp_params *params, int allocations)
{
	static unsigned char comp[BLOCK_SIZE];
	int n;

	for (n = 0; n <= allocations; n++) {
		struct zcomp_ctx *ctx = NULL;

		fail_after = n;
		CHECK_EQ(use_all(&ctx, params, comp),
			 n < allocations ? -ENOMEM : 0);
		fail_after = -1;
		CHECK_EQ(use_all(&ctx, params, comp), 0);
		zcomp_ctx_destroy(ctx);
	}
}

static void test_no_memory(void)
{
	check_no_memory(&lz4_params, 2);  /* ctx, state */
	check_no_memory(&zstd_params, 5); /* ctx, 2 states, CCtx, DCtx */
}

/* The same with a cluster. */
static int use_cluster(struct zcomp_ctx *ctx)
{
	static unsigned char packed[ZCOMP_CLUSTER_SIZE];
	int len = zcomp_compress_cluster(ctx, 1, samples[SAMPLE_TEXT],
					 BLOCK_SIZE, packed, sizeof(packed));
	uint8_t *room;

	if (len < 0)
		return len;
	room = zcomp_cluster_room(ctx);
	if (!room || !zcomp_kept(ctx))
		return -ENOMEM;
	memcpy(room, packed, (size_t)len);
	return zcomp_decompress_cluster(ctx, (size_t)len, dst_page, BLOCK_SIZE);
}

static void test_no_memory_for_clusters(void)
{
	/* Two states, CCtx, DCtx, what is kept. */
	for (int n = 0; n <= 5; n++) {
		struct zcomp_ctx *ctx = zcomp_ctx_create();

		fail_after = n;
		CHECK_EQ(use_cluster(ctx), n < 5 ? -ENOMEM : 0);
		fail_after = -1;
		CHECK_EQ(use_cluster(ctx), 0);
		zcomp_ctx_destroy(ctx);
	}
}

static void test_library_errors(void)
{
	static const struct {
		size_t result;
		int compress, decompress;
	} table[] = {
		{-(size_t)ZSTD_error_memory_allocation, -ENOMEM, -ENOMEM},
		{-(size_t)ZSTD_error_GENERIC, -EIO, -EIO},
		{-(size_t)ZSTD_error_dstSize_tooSmall, -EIO, -EIO},
		{BLOCK_SIZE - 1, -EIO, -EIO},
		{3, -EIO, -EIO},
	};
	static unsigned char comp[BLOCK_SIZE];
	struct zcomp_ctx *ctx = zcomp_ctx_create();
	size_t i;
	int len;

	for (i = 0; i < ARRAY_SIZE(table); i++) {
		/* So that no frame of a call before stands in the state. */
		spoil_header = true;
		CHECK_EQ(zcomp_compress(ctx, &zstd_params, samples[SAMPLE_TEXT],
					comp, BLOCK_SIZE),
			 -EIO);
		next_result = table[i].result;
		CHECK_EQ(zcomp_compress(ctx, &zstd_params, samples[SAMPLE_TEXT],
					comp, BLOCK_SIZE),
			 table[i].compress);
		len = zcomp_compress(ctx, &zstd_params, samples[SAMPLE_TEXT],
				     comp, BLOCK_SIZE);
		REQUIRE(len > 0);
		next_result = table[i].result;
		CHECK_EQ(zcomp_decompress(ctx, ZCOMP_ZSTD, comp, (size_t)len,
					  dst_page),
			 table[i].decompress);
		CHECK_EQ(zcomp_decompress(ctx, ZCOMP_ZSTD, comp, (size_t)len,
					  dst_page),
			 0);
	}
	zcomp_ctx_destroy(ctx);
}

#if ZS_DEBUG_LEVEL >= 1
static unsigned hook_calls;

static bool every_third(void)
{
	return ++hook_calls % 3 == 0;
}

static void test_fail_hook(void)
{
	static const struct zcomp_params raw_params = {ZCOMP_RAW, 0};
	static unsigned char comp[BLOCK_SIZE];
	struct zcomp_ctx *ctx = zcomp_ctx_create();
	int i;

	zcomp_fail_hook = every_third;
	for (i = 1; i <= 30; i++) {
		int len =
			zcomp_compress(ctx, i % 2 ? &lz4_params : &zstd_params,
				       samples[SAMPLE_TEXT], comp, BLOCK_SIZE);

		CHECK(i % 3 ? len > 0 : len == -EIO);
	}
	CHECK_EQ(hook_calls, 30);
	for (i = 0; i < 6; i++)
		CHECK_EQ(zcomp_compress(ctx, &raw_params, samples[SAMPLE_TEXT],
					comp, BLOCK_SIZE),
			 -ENOSPC);
	zcomp_fail_hook = NULL;
	for (i = 0; i < 6; i++)
		CHECK(zcomp_compress(ctx, &lz4_params, samples[SAMPLE_TEXT],
				     comp, BLOCK_SIZE) > 0);
	zcomp_ctx_destroy(ctx);
}
#endif

static const struct check_case cases[] = {
	CHECK_CASE(test_wrong_length),
	CHECK_CASE(test_two_frames),
	CHECK_CASE(test_bit_flips),
	CHECK_CASE(test_garbage),
	CHECK_CASE(test_bad_arguments),
	CHECK_CASE(test_no_memory),
	CHECK_CASE(test_no_memory_for_clusters),
	CHECK_CASE(test_library_errors),
#if ZS_DEBUG_LEVEL >= 1
	CHECK_CASE(test_fail_hook),
#endif
};

int main(int argc, char **argv)
{
	samples_create();
	src_page = guard_create();
	dst_page = guard_create();
	return CHECK_MAIN(cases, argc, argv);
}
