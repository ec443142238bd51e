/* SPDX-License-Identifier: BSD-3-Clause */
/* The set-ups that the model test runs in. */
#include "model_setup.h"

#include "inject.h"
#include "state/reserve.h"
#include "zsmalloc.h"
#include "volume/volume.h"

#define NR_THREADS 2

/* What most set-ups draw from. */
#define DRAW                                                                   \
	.draw = {.nr_names = 150,                                              \
		 .max_write = ZSFS_MAX_WRITE,                                  \
		 .phase = 250,                                                 \
		 .max_blocks = 6000,                                           \
		 .max_inodes = 300,                                            \
		 .far = true,                                                  \
		 .whole = true}
/* Fills memory. */
#define DRAW_FULL                                                              \
	.draw = {.nr_names = 150,                                              \
		 .max_write = ZSFS_MAX_WRITE,                                  \
		 .phase = 800,                                                 \
		 .max_blocks = 20000,                                          \
		 .max_inodes = 1000,                                           \
		 .noise = 80,                                                  \
		 .hoard = true,                                                \
		 .one_codec = true,                                            \
		 .far = true,                                                  \
		 .whole = true}
/* Many small things. */
#define DRAW_SMALL                                                             \
	.draw = {.nr_names = 900,                                              \
		 .max_write = 20000,                                           \
		 .phase = 1200,                                                \
		 .max_blocks = 2000,                                           \
		 .max_inodes = 900,                                            \
		 .hoard = true,                                                \
		 .far = true,                                                  \
		 .whole = true}

const struct setup setups[] = {
	{.name = "lz4", .comp = {ZCOMP_LZ4, 1}, DRAW},
	{.name = "zstd", .comp = {ZCOMP_ZSTD, 1}, .chain_size = 4, DRAW},
	{.name = "none", .comp = {ZCOMP_RAW, 0}, .chain_size = 16, DRAW},
	{.name = "chain16", .comp = {ZCOMP_LZ4, 1}, .chain_size = 16, DRAW},
	{.name = "crew", .comp = {ZCOMP_LZ4, 1}, .helpers = 2, DRAW},
	{.name = "huge", .comp = {ZCOMP_LZ4, 1}, .huge = true, DRAW},
	{.name = "small", .comp = {ZCOMP_LZ4, 1}, DRAW_SMALL},
	{
		.name = "full",
		.comp = {ZCOMP_LZ4, 1},
		DRAW_FULL,
		.limited = true,
		.promise = true,
		.must_fail = true,
		.allow = FOLLOW_FULL,
	},
	{
		.name = "full-raw",
		.comp = {ZCOMP_RAW, 0},
		DRAW_FULL,
		.limited = true,
		.mem_over = 2 << 20,
		.promise = true,
		.must_fail = true,
		.allow = FOLLOW_FULL,
	},
	{
		.name = "full-huge",
		.comp = {ZCOMP_LZ4, 1},
		DRAW_FULL,
		.limited = true,
		.huge = true,
		.promise = true,
		.must_fail = true,
		.allow = FOLLOW_FULL,
	},
	{
		.name = "size",
		.comp = {ZCOMP_LZ4, 1},
		DRAW_FULL,
		.max_blocks = 300,
		.must_fail = true,
	},
	{
		.name = "inodes",
		.comp = {ZCOMP_LZ4, 1},
		DRAW_SMALL,
		.max_inodes = 60,
		.must_fail = true,
	},
#if ZS_DEBUG_LEVEL >= 1
	{
		.name = "no-memory",
		.comp = {ZCOMP_LZ4, 1},
		DRAW,
		.allow = FOLLOW_NO_MEM,
		.fail_alloc = 60,
		.must_fail = true,
	},
	{
		.name = "no-memory-small",
		.comp = {ZCOMP_LZ4, 1},
		DRAW_SMALL,
		.allow = FOLLOW_NO_MEM,
		.fail_alloc = 60,
		.must_fail = true,
	},
	{
		.name = "codec",
		.comp = {ZCOMP_LZ4, 1},
		DRAW,
		.fail_codec = 30,
	},
#endif
};

const unsigned nr_setups = sizeof(setups) / sizeof(setups[0]);

int setup_create(const struct setup *s, struct zsfs **out)
{
	struct zsfs_params p = {
		.size_limit = s->max_blocks * ZSFS_BLOCK_SIZE,
		.inode_limit = s->max_inodes,
		.comp = s->comp,
		.hot = 1 << 20,
		.chain_size =
			s->chain_size ? s->chain_size : ZS_DEFAULT_CHAIN_SIZE,
		.nr_threads = NR_THREADS,
		.nr_helpers = s->helpers,
		.mode = 0755,
		.no_huge = !s->huge,
	};

	if (s->limited)
		p.mem_limit = zsfs_min_mem_limit(NR_THREADS) + s->mem_over;
	return zsfs_create(&p, out);
}

/* ---- failures ---- */

#if ZS_DEBUG_LEVEL >= 1

static uint64_t alloc_countdown; /* calls until one fails */
static bool alloc_stays;	 /* and all after it */
static struct rng codec_rng;
static unsigned codec_percent;

static bool fail_alloc(void)
{
	if (alloc_countdown > 1) {
		alloc_countdown--;
		return false;
	}
	if (alloc_countdown == 0)
		return false;
	if (!alloc_stays)
		alloc_countdown = 0;
	return true;
}

static bool fail_codec(void)
{
	return rng_chance(&codec_rng, codec_percent);
}

void setup_arm(const struct setup *s, struct rng *r)
{
	if (s->fail_alloc && rng_chance(r, s->fail_alloc)) {
		alloc_countdown = rng_log(r, 200);
		alloc_stays = rng_chance(r, 50);
		zs_fail_hook = fail_alloc;
	}
	if (s->fail_codec) {
		codec_rng.s = rng_next(r);
		codec_percent = s->fail_codec;
		zcomp_fail_hook = fail_codec;
	}
}

void setup_disarm(void)
{
	zs_fail_hook = NULL;
	zcomp_fail_hook = NULL;
}

#else

void setup_arm(const struct setup *s, struct rng *r)
{
}

void setup_disarm(void)
{
}

#endif
