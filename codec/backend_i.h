/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * backend_i.h: what an algorithm gives to zcomp.c. Private to codec/.
 *
 * A backend is one constant zcomp_backend. Its working memory comes in two
 * states, made when first needed, because a thread that only reads need not
 * pay for compression. A state belongs to one zcomp_ctx, so to one thread.
 */
#ifndef CODEC_BACKEND_I_H
#define CODEC_BACKEND_I_H

#include <stdbool.h>
#include <stddef.h>
#include "zcomp.h"

/* How one kind of working memory is made; create == NULL: none is needed. */
struct zcomp_state_ops {
	void *(*create)(void); /* NULL when there is no memory */
	void (*destroy)(void *state);
};

struct zcomp_backend {
	const char *name;
	int default_level;
	int min_level, max_level; /* both 0: the algorithm has no levels */
	struct zcomp_state_ops compress_state;
	struct zcomp_state_ops decompress_state;

	/*
	 * As zcomp_compress() and zcomp_decompress(), which have checked
	 * that 1 <= dst_size <= 4096 and 1 <= len <= 4096.
	 */
	int (*compress)(void *state, int level, const void *src, void *dst,
			size_t dst_size);
	int (*decompress)(void *state, const void *src, size_t len, void *dst);
};

struct zstd_packer;
struct zstd_unpacker;

/* States are made when first used; NULL until then. */
struct zcomp_ctx {
	void *compress_state[ZCOMP_NR_ALGS];
	void *decompress_state[ZCOMP_NR_ALGS];
	/* Of clusters. */
	struct zstd_packer *packer;
	struct zstd_unpacker *unpacker;
	struct zcomp_kept *kept;
};

/* Those of clusters, for zcomp_ctx_destroy(). */
void zcomp_free_cluster_states(struct zcomp_ctx *ctx);

#if ZS_DEBUG_LEVEL >= 1
static inline bool zcomp_should_fail(void)
{
	return zcomp_fail_hook && zcomp_fail_hook();
}
#else
static inline bool zcomp_should_fail(void)
{
	return false;
}
#endif

extern const struct zcomp_backend zcomp_backend_raw;
extern const struct zcomp_backend zcomp_backend_lz4;
extern const struct zcomp_backend zcomp_backend_zstd;

#endif
