/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * zcomp: one 4096-byte block <-> compressed bytes.
 *
 * A constant table of operations per algorithm (backend_*.c), chosen by a
 * zcomp_params that all threads share and never change; each thread has its
 * own zcomp_ctx, which holds one working state per algorithm, so that blocks
 * written by different algorithms can be read side by side. The split follows
 * the kernel's drivers/block/zram/zcomp.c.
 *
 * No locks: params are constant once parsed, a ctx belongs to one thread.
 */
#ifndef CODEC_ZCOMP_H
#define CODEC_ZCOMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ZCOMP_BLOCK_SIZE 4096u

/*
 * Algorithm numbers. They are stored with each block (zsmalloc's tag, 0 .. 7):
 * never renumber, only append.
 */
enum zcomp_alg {
	ZCOMP_RAW = 0, /* the block as it is: incompressible, or comp=none */
	ZCOMP_LZ4 = 1,
	ZCOMP_ZSTD = 2,
	ZCOMP_NR_ALGS,
};

struct zcomp_params {
	enum zcomp_alg alg;
	int level; /* lz4: acceleration 1 .. 65537; zstd: 1 .. 19; raw: 0 */
};

struct zcomp_ctx;

/*
 * Parse "lz4", "lz4:N", "zstd", "zstd:N" or "none" (surrounding white space
 * not allowed). Defaults: lz4:1, zstd:1... the level is optional.
 * Returns 0, or -EINVAL with *params unchanged.
 */
int zcomp_parse(const char *text, struct zcomp_params *params);

/* What zcomp_parse() takes, for messages: one line, constant. */
const char *zcomp_usage(void);

/*
 * Write @params in the form zcomp_parse() takes ("lz4", "zstd:3"; the default
 * level is left out). Returns as snprintf().
 */
int zcomp_format(const struct zcomp_params *params, char *buf, size_t size);

/*
 * The algorithms' names in zram's form, the current one in brackets:
 * "[lz4] zstd none\n"; a level other than the default stands behind the name:
 * "lz4 [zstd:3] none\n". Returns as snprintf().
 */
int zcomp_format_list(const struct zcomp_params *params, char *buf,
		      size_t size);

/* A context for one thread; NULL when there is no memory. */
struct zcomp_ctx *zcomp_ctx_create(void);
void zcomp_ctx_destroy(struct zcomp_ctx *ctx);

/*
 * Compress the 4096 bytes at @src into @dst, at most @dst_size bytes
 * (1 .. 4096). Returns the bytes written (> 0) or
 *   -ENOSPC  it does not fit: store the block raw
 *   -EIO     the library failed
 *   -ENOMEM  a working state for this algorithm could not be made
 * ZCOMP_RAW always answers -ENOSPC.
 */
int zcomp_compress(struct zcomp_ctx *ctx, const struct zcomp_params *params,
		   const void *src, void *dst, size_t dst_size);

/*
 * Decompress @len bytes at @src, written by algorithm @alg, into exactly 4096
 * bytes at @dst. Any input is safe: wrong bytes give -EIO and undefined
 * content of @dst, never an access outside the two buffers. ZCOMP_RAW copies
 * and wants len == 4096.
 * Returns 0, -EIO, -ENOMEM; -EINVAL for an unknown algorithm.
 */
int zcomp_decompress(struct zcomp_ctx *ctx, unsigned alg, const void *src,
		     size_t len, void *dst);

/*
 * Clusters: up to ZCOMP_CLUSTER_BLOCKS whole blocks in one frame of zstd, which
 * takes little more than half of what they take one by one, and has to be
 * decompressed as a whole. Their states are apart from those of blocks.
 */
#define ZCOMP_CLUSTER_BLOCKS 16u
#define ZCOMP_CLUSTER_SIZE   (ZCOMP_CLUSTER_BLOCKS * ZCOMP_BLOCK_SIZE)

/*
 * Compress the @size bytes at @src, whole blocks, into @dst at @level of zstd.
 * Returns the bytes written (> 0), at most @dst_size, or
 *   -ENOSPC  it does not fit
 *   -EINVAL  it is no number of blocks that a cluster can have
 *   -EIO     the library failed
 *   -ENOMEM  the state could not be made
 */
int zcomp_compress_cluster(struct zcomp_ctx *ctx, int level, const void *src,
			   size_t size, void *dst, size_t dst_size);

/*
 * The context's room of ZCOMP_CLUSTER_SIZE bytes, for the compressed bytes of
 * zcomp_decompress_cluster(), so that pieces need no other place to be put
 * together. NULL when there is no memory. Good until @ctx is destroyed.
 */
uint8_t *zcomp_cluster_room(struct zcomp_ctx *ctx);

/*
 * Decompress the @len bytes in zcomp_cluster_room() into exactly @size bytes at
 * @dst, whole blocks. Any input is safe, as of zcomp_decompress(). 0, -EIO,
 * -ENOMEM; -EINVAL when @size is no cluster's, or there is no room yet.
 */
int zcomp_decompress_cluster(struct zcomp_ctx *ctx, size_t len, void *dst,
			     size_t size);

/* What a thread keeps of the cluster that it has read last. */
struct zcomp_kept {
	uint64_t key;	 /* its owner's, with size: which one it is */
	uint32_t size;	 /* bytes in plain; 0: there is none */
	uint32_t misses; /* how often another one was wanted */
	uint8_t plain[ZCOMP_CLUSTER_SIZE];
};

/* The context's, all its owner's; NULL when there is no memory. */
struct zcomp_kept *zcomp_kept(struct zcomp_ctx *ctx);

/*
 * Checksum of the plain bytes of a cluster, or of its frame: XXH3_64bits of
 * @size bytes with @seed, which keeps others from making clusters that have the
 * same one.
 */
uint64_t zcomp_cluster_sum(const void *bytes, size_t size, uint64_t seed);

/* The block's checksum: lower 32 bits of XXH3_64bits of its 4096 bytes. */
uint32_t zcomp_checksum(const void *block);

/*
 * Is the block one 8-byte word repeated? Then *word is that word. Looks at the
 * last word first, where blocks differ most often (as zram does). @block must
 * be 8-byte aligned or not: any alignment is allowed.
 */
bool zcomp_same_filled(const void *block, uint64_t *word);

/* Fill 4096 bytes at @block with @word repeated. */
void zcomp_fill(void *block, uint64_t word);

#if ZS_DEBUG_LEVEL >= 1
/* Test hook: when set and true, zcomp_compress() fails with -EIO. */
extern bool (*zcomp_fail_hook)(void);
#endif

#endif
