/* SPDX-License-Identifier: BSD-3-Clause */
/* zcomp: names and levels, round trips, same-filled blocks, checksums. */
#include <errno.h>
#include <pthread.h>
#include <lz4.h>
#include <xxhash.h>
#include <zstd.h>
#include "check.h"
#include "guard.h"
#include "zcomp.h"
#include "zcomp_samples.h"

static unsigned char *src_page, *comp_page, *dst_page;

static const struct {
	const char *text;
	struct zcomp_params params;
	const char *formatted;
	const char *list;
} accepted[] = {
	{"lz4", {ZCOMP_LZ4, 1}, "lz4", "[lz4] zstd none\n"},
	{"lz4:1", {ZCOMP_LZ4, 1}, "lz4", "[lz4] zstd none\n"},
	{"lz4:4", {ZCOMP_LZ4, 4}, "lz4:4", "[lz4:4] zstd none\n"},
	{"lz4:65537",
	 {ZCOMP_LZ4, 65537},
	 "lz4:65537",
	 "[lz4:65537] zstd none\n"},
	{"zstd", {ZCOMP_ZSTD, 1}, "zstd", "lz4 [zstd] none\n"},
	{"zstd:1", {ZCOMP_ZSTD, 1}, "zstd", "lz4 [zstd] none\n"},
	{"zstd:3", {ZCOMP_ZSTD, 3}, "zstd:3", "lz4 [zstd:3] none\n"},
	{"zstd:19", {ZCOMP_ZSTD, 19}, "zstd:19", "lz4 [zstd:19] none\n"},
	{"none", {ZCOMP_RAW, 0}, "none", "lz4 zstd [none]\n"},
};

static const char *const rejected[] = {
	"",
	" ",
	":",
	":1",
	"lz",
	"lz4 ",
	" lz4",
	"lz4\n",
	"lz4:",
	"lz4:0",
	"lz4:-1",
	"lz4:+1",
	"lz4:01",
	"lz4: 1",
	"lz4:1 ",
	"lz4:1\n",
	"lz4:1x",
	"lz4:0x1",
	"lz4:1:1",
	"lz4::1",
	"lz4:65538",
	"lz4:99999999",
	"lz4:1.0",
	"lz4hc",
	"LZ4",
	"zstd:0",
	"zstd:20",
	"zstd:-1",
	"zstd:",
	"zstd:1e1",
	"zstd:10000000",
	"zstdx",
	"zst",
	"none:",
	"none:0",
	"none:1",
	"raw",
	"deflate",
	"lz4,zstd",
	"zstd3",
	"lz4:4294967297",
	"zstd:18446744073709551617",
};

static void test_parse_accepts(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(accepted); i++) {
		struct zcomp_params params = {ZCOMP_NR_ALGS, -7};

		CHECK_EQ(zcomp_parse(accepted[i].text, &params), 0);
		CHECK_EQ(params.alg, accepted[i].params.alg);
		CHECK_EQ(params.level, accepted[i].params.level);
	}
}

static void test_parse_rejects(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rejected); i++) {
		struct zcomp_params params = {ZCOMP_NR_ALGS, -7};

		CHECK_EQ(zcomp_parse(rejected[i], &params), -EINVAL);
		CHECK_EQ(params.alg, ZCOMP_NR_ALGS);
		CHECK_EQ(params.level, -7);
		if (params.level != -7)
			fprintf(stderr, "# text \"%s\"\n", rejected[i]);
	}
}

/* Every level there is, and the first beyond, through parse and format. */
static void test_parse_every_level(void)
{
	struct zcomp_params params;
	char text[32], again[32];
	int level;

	for (level = 1; level <= 65538; level++) {
		snprintf(text, sizeof(text), "lz4:%d", level);
		CHECK_EQ(zcomp_parse(text, &params),
			 level <= 65537 ? 0 : -EINVAL);
		if (level == 1 || level > 65537)
			continue;
		zcomp_format(&params, again, sizeof(again));
		CHECK(!strcmp(text, again));
		snprintf(text, sizeof(text), "zstd:%d", level);
		CHECK_EQ(zcomp_parse(text, &params), level <= 19 ? 0 : -EINVAL);
	}
}

/* As snprintf(): the whole length, and never more than @size bytes. */
static void check_sizes(int (*format)(const struct zcomp_params *, char *,
				      size_t),
			const struct zcomp_params *params, const char *want)
{
	size_t len = strlen(want), size;

	for (size = 0; size <= len + 1; size++) {
		char *buf = (char *)guard_tail(dst_page, size);
		size_t room = size ? size - 1 : 0;

		memset(dst_page, 0x7f, BLOCK_SIZE);
		CHECK_EQ(format(params, buf, size), len);
		CHECK(!memcmp(buf, want, room < len ? room : len));
		CHECK(!size || !buf[room < len ? room : len]);
		CHECK_EQ(buf[-1], 0x7f);
	}
}

static void test_format(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(accepted); i++) {
		check_sizes(zcomp_format, &accepted[i].params,
			    accepted[i].formatted);
		check_sizes(zcomp_format_list, &accepted[i].params,
			    accepted[i].list);
	}
}

static void test_usage(void)
{
	const char *usage = zcomp_usage();

	CHECK(strstr(usage, "lz4") && strstr(usage, "lz4:65537"));
	CHECK(strstr(usage, "zstd") && strstr(usage, "zstd:19"));
	CHECK(strstr(usage, "none"));
	CHECK(!strchr(usage, '\n'));
}

/* Compress sample @s into all of comp_page, decode it, compare. */
static int round_trip(struct zcomp_ctx *ctx, const struct zcomp_params *params,
		      const unsigned char *block)
{
	unsigned char *comp;
	int len;

	memcpy(src_page, block, BLOCK_SIZE);
	len = zcomp_compress(ctx, params, src_page, comp_page, BLOCK_SIZE);
	if (len < 0)
		return len;
	CHECK(len > 0 && len <= (int)BLOCK_SIZE);
	CHECK(!memcmp(src_page, block, BLOCK_SIZE));
	comp = guard_copy(comp_page, comp_page, (size_t)len);
	memset(dst_page, 0x5a, BLOCK_SIZE);
	CHECK_EQ(
		zcomp_decompress(ctx, params->alg, comp, (size_t)len, dst_page),
		0);
	CHECK(!memcmp(dst_page, block, BLOCK_SIZE));
	return len;
}

static void test_round_trip(void)
{
	struct zcomp_ctx *ctx = zcomp_ctx_create();
	size_t p, s;

	REQUIRE(ctx);
	for (p = 0; p < NR_SAMPLE_PARAMS; p++) {
		for (s = 0; s < NR_SAMPLES; s++) {
			int len =
				round_trip(ctx, &sample_params[p], samples[s]);

			CHECK(len > 0 || len == -ENOSPC);
			if (s == SAMPLE_RANDOM)
				CHECK_EQ(len, -ENOSPC);
			if (s == SAMPLE_TEXT && sample_params[p].level < 100)
				CHECK(len > 0);
			if (s == SAMPLE_ZERO)
				CHECK(len > 0 && len < 64);
		}
	}
	zcomp_ctx_destroy(ctx);
}

/*
 * Every @step-th room from @from to @to: what fits is the same bytes as with
 * all the room there is, what does not is -ENOSPC.
 */
static void check_rooms(struct zcomp_ctx *ctx,
			const struct zcomp_params *params,
			const unsigned char *block, size_t from, size_t to,
			size_t step)
{
	static unsigned char whole[BLOCK_SIZE];
	int full = zcomp_compress(ctx, params, block, whole, BLOCK_SIZE);
	size_t room;

	for (room = from; room <= to; room += step) {
		unsigned char *comp = guard_tail(comp_page, room);
		int len;

		memset(comp_page, 0x7f, BLOCK_SIZE);
		len = zcomp_compress(ctx, params, block, comp, room);
		CHECK(room == BLOCK_SIZE || comp[-1] == 0x7f);
		if (full < 0 || (size_t)full > room) {
			CHECK_EQ(len, -ENOSPC);
			continue;
		}
		CHECK_EQ(len, full);
		CHECK(!memcmp(comp, whole, (size_t)full));
	}
}

static void test_room(void)
{
	static const int tried[] = {
		SAMPLE_ZERO,	    SAMPLE_TEXT,    SAMPLE_RANDOM,
		SAMPLE_HALF_RANDOM, SAMPLE_ELF + 1,
	};
	struct zcomp_ctx *ctx = zcomp_ctx_create();
	size_t p, s;

	for (s = 0; s < ARRAY_SIZE(tried); s++) {
		for (p = 0; p < NR_SAMPLE_PARAMS; p++)
			check_rooms(ctx, &sample_params[p], samples[tried[s]],
				    1, BLOCK_SIZE, p % 4 ? 1361 : 23);
	}
	check_rooms(ctx, &sample_params[0], samples[SAMPLE_TEXT], 1, BLOCK_SIZE,
		    1);
	check_rooms(ctx, &sample_params[4], samples[SAMPLE_TEXT], 1, BLOCK_SIZE,
		    1);
	zcomp_ctx_destroy(ctx);
}

/* One byte less than needed, and just enough, for every sample and level. */
static void test_room_one_short(void)
{
	struct zcomp_ctx *ctx = zcomp_ctx_create();
	size_t p, s, tried = 0;

	for (p = 0; p < NR_SAMPLE_PARAMS; p++) {
		for (s = 0; s < NR_SAMPLES; s++) {
			int len =
				round_trip(ctx, &sample_params[p], samples[s]);

			if (len < 2)
				continue;
			check_rooms(ctx, &sample_params[p], samples[s],
				    (size_t)len - 1, (size_t)len, 1);
			tried++;
		}
	}
	CHECK(tried > NR_SAMPLE_PARAMS * 8);
	zcomp_ctx_destroy(ctx);
}

static void test_raw(void)
{
	static const struct zcomp_params params = {ZCOMP_RAW, 0};
	struct zcomp_ctx *ctx = zcomp_ctx_create();
	const unsigned char *block = samples[SAMPLE_ELF];

	CHECK_EQ(zcomp_compress(ctx, &params, samples[SAMPLE_ZERO], comp_page,
				BLOCK_SIZE),
		 -ENOSPC);
	CHECK_EQ(zcomp_decompress(ctx, ZCOMP_RAW, block, BLOCK_SIZE, dst_page),
		 0);
	CHECK(!memcmp(dst_page, block, BLOCK_SIZE));
	CHECK_EQ(zcomp_decompress(ctx, ZCOMP_RAW, block, BLOCK_SIZE - 1,
				  dst_page),
		 -EIO);
	zcomp_ctx_destroy(ctx);
}

/* A level does what it says, whatever the context did before. */
static void test_level_changes(void)
{
	static unsigned char want[NR_SAMPLE_PARAMS][BLOCK_SIZE];
	int len[NR_SAMPLE_PARAMS];
	struct zcomp_ctx *ctx;
	size_t p, i, differ = 0;

	for (p = 0; p < NR_SAMPLE_PARAMS; p++) {
		ctx = zcomp_ctx_create();
		len[p] = zcomp_compress(ctx, &sample_params[p],
					samples[SAMPLE_TEXT], want[p],
					BLOCK_SIZE);
		zcomp_ctx_destroy(ctx);
		differ += p && len[p] != len[p - 1];
	}
	CHECK(differ >= 4);
	CHECK(len[0] < len[2]);			   /* lz4, lz4:100 */
	CHECK(len[NR_SAMPLE_PARAMS - 1] < len[4]); /* zstd:19, zstd:1 */

	ctx = zcomp_ctx_create();
	for (i = 0; i < 20 * NR_SAMPLE_PARAMS; i++) {
		p = i * 5 % NR_SAMPLE_PARAMS;
		CHECK_EQ(round_trip(ctx, &sample_params[p],
				    samples[SAMPLE_TEXT]),
			 len[p]);
		if (len[p] > 0)
			CHECK(!memcmp(guard_tail(comp_page, (size_t)len[p]),
				      want[p], (size_t)len[p]));
		/* A block that fails in between leaves nothing behind. */
		zcomp_compress(ctx, &sample_params[(p + 7) % NR_SAMPLE_PARAMS],
			       samples[SAMPLE_RANDOM], comp_page, 1000);
	}
	zcomp_ctx_destroy(ctx);
}

/* The stored form is an lz4 block, a zstd frame less its constant header. */
static void test_stored_form(void)
{
	static const unsigned char header[] = {0x28, 0xb5, 0x2f, 0xfd, 0, 0x10};
	static unsigned char frame[sizeof(header) + BLOCK_SIZE];
	struct zcomp_ctx *ctx = zcomp_ctx_create();
	size_t p, s;
	int len;

	memcpy(frame, header, sizeof(header));
	for (p = 0; p < NR_SAMPLE_PARAMS; p++) {
		for (s = 0; s < NR_SAMPLES; s++) {
			unsigned char *comp = frame + sizeof(header);
			long got;

			len = zcomp_compress(ctx, &sample_params[p], samples[s],
					     comp, BLOCK_SIZE);
			if (len < 0)
				continue;
			if (sample_params[p].alg == ZCOMP_LZ4)
				got = LZ4_decompress_safe((char *)comp,
							  (char *)dst_page, len,
							  BLOCK_SIZE);
			else
				got = (long)ZSTD_decompress(
					dst_page, BLOCK_SIZE, frame,
					sizeof(header) + (size_t)len);
			CHECK_EQ(got, BLOCK_SIZE);
			CHECK(!memcmp(dst_page, samples[s], BLOCK_SIZE));
		}
	}
	zcomp_ctx_destroy(ctx);
}

/* Blocks of all algorithms side by side, read by a thread that wrote none. */
static void test_side_by_side(void)
{
	static unsigned char stored[NR_SAMPLES * NR_SAMPLE_PARAMS][BLOCK_SIZE];
	static int len[NR_SAMPLES * NR_SAMPLE_PARAMS];
	struct zcomp_ctx *writer = zcomp_ctx_create();
	struct zcomp_ctx *reader = zcomp_ctx_create();
	size_t i;

	for (i = 0; i < ARRAY_SIZE(stored); i++)
		len[i] = zcomp_compress(
			writer, &sample_params[i % NR_SAMPLE_PARAMS],
			samples[i % NR_SAMPLES], stored[i], BLOCK_SIZE);
	zcomp_ctx_destroy(writer);
	for (i = ARRAY_SIZE(stored); i-- > 0;) {
		if (len[i] < 0)
			continue;
		CHECK_EQ(zcomp_decompress(
				 reader,
				 sample_params[i % NR_SAMPLE_PARAMS].alg,
				 stored[i], (size_t)len[i], dst_page),
			 0);
		CHECK(!memcmp(dst_page, samples[i % NR_SAMPLES], BLOCK_SIZE));
	}
	zcomp_ctx_destroy(reader);
}

static void test_same_filled(void)
{
	static unsigned char buf[BLOCK_SIZE + 16];
	static const uint64_t words[] = {
		0,	   ~0ull, 1, 0xa5a5a5a5a5a5a5a5u, 0x0123456789abcdefu,
		1ull << 63};
	uint64_t word;
	size_t w, align, pos;

	for (w = 0; w < ARRAY_SIZE(words); w++) {
		for (align = 0; align < 8; align++) {
			memset(buf, 0x3c, sizeof(buf));
			zcomp_fill(buf + 1 + align, words[w]);
			CHECK_EQ(buf[align], 0x3c);
			CHECK_EQ(buf[1 + align + BLOCK_SIZE], 0x3c);
			word = 42;
			CHECK(zcomp_same_filled(buf + 1 + align, &word));
			CHECK_EQ(word, words[w]);
		}
		for (pos = 0; pos < BLOCK_SIZE; pos++) {
			zcomp_fill(dst_page, words[w]);
			dst_page[pos] ^= 1;
			CHECK(!zcomp_same_filled(dst_page, &word));
		}
	}
	/* A shorter pattern is one, a longer one is not. */
	zcomp_fill(dst_page, 0x1122112211221122u);
	CHECK(zcomp_same_filled(dst_page, &word));
	CHECK(zcomp_same_filled(samples[SAMPLE_WORD], &word));
	for (pos = 0; pos < BLOCK_SIZE; pos++)
		dst_page[pos] = pos % 16 < 8 ? 1 : 2;
	CHECK(!zcomp_same_filled(dst_page, &word));
	CHECK(!zcomp_same_filled(samples[SAMPLE_TEXT], &word));
}

static void test_checksum(void)
{
	static unsigned char buf[BLOCK_SIZE + 8];
	uint32_t sum;
	size_t s, align, bit;

	for (s = 0; s < NR_SAMPLES; s++) {
		sum = (uint32_t)XXH3_64bits(samples[s], BLOCK_SIZE);
		CHECK_EQ(zcomp_checksum(samples[s]), sum);
		for (align = 0; align < 8; align++) {
			memcpy(buf + align, samples[s], BLOCK_SIZE);
			CHECK_EQ(zcomp_checksum(buf + align), sum);
		}
	}
	/* Stored with each block: it may never come out otherwise. */
	CHECK_EQ(zcomp_checksum(samples[SAMPLE_ZERO]), 0x48c689bau);
	CHECK_EQ(zcomp_checksum(samples[SAMPLE_COUNTERS]), 0xdee752ceu);

	memcpy(dst_page, samples[SAMPLE_TEXT], BLOCK_SIZE);
	sum = zcomp_checksum(dst_page);
	for (bit = 0; bit < BLOCK_SIZE * 8; bit++) {
		dst_page[bit / 8] ^= (unsigned char)(1u << bit % 8);
		CHECK(zcomp_checksum(dst_page) != sum);
		dst_page[bit / 8] ^= (unsigned char)(1u << bit % 8);
	}
}

/* Threads share the parameters and the samples, each has its context. */
static void *thread_run(void *arg)
{
	struct zcomp_ctx *ctx = zcomp_ctx_create();
	static __thread unsigned char comp[BLOCK_SIZE], plain[BLOCK_SIZE];
	size_t i, first = (size_t)(uintptr_t)arg;

	for (i = first; i < first + 300; i++) {
		const struct zcomp_params *params =
			&sample_params[i % NR_SAMPLE_PARAMS];
		const unsigned char *block = samples[i % NR_SAMPLES];
		int len = zcomp_compress(ctx, params, block, comp, BLOCK_SIZE);

		if (len < 0) {
			CHECK_EQ(len, -ENOSPC);
			continue;
		}
		CHECK_EQ(zcomp_decompress(ctx, params->alg, comp, (size_t)len,
					  plain),
			 0);
		CHECK_EQ(zcomp_checksum(plain), zcomp_checksum(block));
	}
	zcomp_ctx_destroy(ctx);
	return NULL;
}

static void test_threads(void)
{
	pthread_t threads[4];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(threads); i++)
		REQUIRE(!pthread_create(&threads[i], NULL, thread_run,
					(void *)(uintptr_t)(i * 17)));
	for (i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
}

static const struct check_case cases[] = {
	CHECK_CASE(test_parse_accepts),
	CHECK_CASE(test_parse_rejects),
	CHECK_CASE(test_parse_every_level),
	CHECK_CASE(test_format),
	CHECK_CASE(test_usage),
	CHECK_CASE(test_round_trip),
	CHECK_CASE(test_room),
	CHECK_CASE(test_room_one_short),
	CHECK_CASE(test_raw),
	CHECK_CASE(test_level_changes),
	CHECK_CASE(test_stored_form),
	CHECK_CASE(test_side_by_side),
	CHECK_CASE(test_same_filled),
	CHECK_CASE(test_checksum),
	CHECK_CASE(test_threads),
};

int main(int argc, char **argv)
{
	samples_create();
	src_page = guard_create();
	comp_page = guard_create();
	dst_page = guard_create();
	return CHECK_MAIN(cases, argc, argv);
}
