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

extern const struct zcomp_backend zcomp_backend_raw;
extern const struct zcomp_backend zcomp_backend_lz4;
extern const struct zcomp_backend zcomp_backend_zstd;

#endif
