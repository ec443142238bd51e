/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * zcomp: the table of algorithms, their names and levels, and the per-thread
 * contexts. What an algorithm does is in backend_*.c.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "backend_i.h"

static const struct zcomp_backend *const backends[ZCOMP_NR_ALGS] = {
	[ZCOMP_RAW] = &zcomp_backend_raw,
	[ZCOMP_LZ4] = &zcomp_backend_lz4,
	[ZCOMP_ZSTD] = &zcomp_backend_zstd,
};

/* In the order users see them. */
static const enum zcomp_alg listed[] = {ZCOMP_LZ4, ZCOMP_ZSTD, ZCOMP_RAW};

#define NR_LISTED (sizeof(listed) / sizeof(listed[0]))

/* Room for "name:level", and for all of them in one line. */
#define NAME_SIZE 32
#define LIST_SIZE (NR_LISTED * NAME_SIZE)

#if ZS_DEBUG_LEVEL >= 1
bool (*zcomp_fail_hook)(void);
#endif

/*
 * The decimal number @text, 1 .. @max; 0 when it is anything else. Only
 * digits, and no leading zero, so that each level has one spelling.
 */
static int parse_level(const char *text, int max)
{
	int level = 0;

	if (*text == '0')
		return 0;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return 0;
		level = level * 10 + (*text - '0');
		if (level > max)
			return 0;
	}
	return level;
}

/* The level that stands behind the name, or the default; -1 if not allowed. */
static int level_of(const struct zcomp_backend *be, const char *rest)
{
	int level;

	if (!*rest)
		return be->default_level;
	if (*rest != ':' || !be->max_level)
		return -1;
	level = parse_level(rest + 1, be->max_level);
	return level >= be->min_level ? level : -1;
}

int zcomp_parse(const char *text, struct zcomp_params *params)
{
	size_t len = strcspn(text, ":");
	int alg, level;

	for (alg = 0; alg < ZCOMP_NR_ALGS; alg++) {
		const char *name = backends[alg]->name;

		if (strlen(name) != len || strncmp(text, name, len))
			continue;
		level = level_of(backends[alg], text + len);
		if (level < 0)
			return -EINVAL;
		params->alg = (enum zcomp_alg)alg;
		params->level = level;
		return 0;
	}
	return -EINVAL;
}

const char *zcomp_usage(void)
{
	return "lz4, lz4:1 to lz4:65537 (acceleration), "
	       "zstd, zstd:1 to zstd:19 (level), or none";
}

int zcomp_format(const struct zcomp_params *params, char *buf, size_t size)
{
	const struct zcomp_backend *be = backends[params->alg];

	if (params->level == be->default_level)
		return snprintf(buf, size, "%s", be->name);
	return snprintf(buf, size, "%s:%d", be->name, params->level);
}

int zcomp_format_list(const struct zcomp_params *params, char *buf, size_t size)
{
	char name[NAME_SIZE], list[LIST_SIZE];
	size_t i;
	int len = 0;

	zcomp_format(params, name, sizeof(name));
	for (i = 0; i < NR_LISTED; i++) {
		bool current = listed[i] == params->alg;

		len += snprintf(list + len, sizeof(list) - (size_t)len,
				current ? "%s[%s]" : "%s%s", i ? " " : "",
				current ? name : backends[listed[i]]->name);
	}
	return snprintf(buf, size, "%s\n", list);
}

struct zcomp_ctx *zcomp_ctx_create(void)
{
	return calloc(1, sizeof(struct zcomp_ctx));
}

void zcomp_ctx_destroy(struct zcomp_ctx *ctx)
{
	int alg;

	if (!ctx)
		return;
	for (alg = 0; alg < ZCOMP_NR_ALGS; alg++) {
		const struct zcomp_backend *be = backends[alg];

		if (ctx->compress_state[alg])
			be->compress_state.destroy(ctx->compress_state[alg]);
		if (ctx->decompress_state[alg])
			be->decompress_state.destroy(
				ctx->decompress_state[alg]);
	}
	zcomp_free_cluster_states(ctx);
	free(ctx);
}

/* Make the state if it is needed and not there yet; false: no memory. */
static bool get_state(const struct zcomp_state_ops *ops, void **state)
{
	if (!*state && ops->create)
		*state = ops->create();
	return *state || !ops->create;
}

int zcomp_compress(struct zcomp_ctx *ctx, const struct zcomp_params *params,
		   const void *src, void *dst, size_t dst_size)
{
	const struct zcomp_backend *be = backends[params->alg];
	void **state = &ctx->compress_state[params->alg];

	if (params->alg != ZCOMP_RAW && zcomp_should_fail())
		return -EIO;
	if (!dst_size)
		return -ENOSPC;
	if (dst_size > ZCOMP_BLOCK_SIZE)
		dst_size = ZCOMP_BLOCK_SIZE;
	if (!get_state(&be->compress_state, state))
		return -ENOMEM;
	return be->compress(*state, params->level, src, dst, dst_size);
}

int zcomp_decompress(struct zcomp_ctx *ctx, unsigned alg, const void *src,
		     size_t len, void *dst)
{
	void **state;

	if (alg >= ZCOMP_NR_ALGS)
		return -EINVAL;
	if (!len || len > ZCOMP_BLOCK_SIZE)
		return -EIO;
	state = &ctx->decompress_state[alg];
	if (!get_state(&backends[alg]->decompress_state, state))
		return -ENOMEM;
	return backends[alg]->decompress(*state, src, len, dst);
}
