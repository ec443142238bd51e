/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * zstd_i.h: zstd frames in the form in which they are stored. Private to
 * codec/.
 *
 * What is stored is a zstd frame without its first ZSTD_HEADER_SIZE bytes,
 * which are the same for all frames of up to the same size. A packer makes
 * frames and an unpacker opens them; each belongs to one thread and is made
 * for plain content of up to @max bytes, a power of two from 1024 on.
 */
#ifndef CODEC_ZSTD_I_H
#define CODEC_ZSTD_I_H

#include <stddef.h>
#include <stdint.h>

#define ZSTD_HEADER_SIZE 6u

struct zstd_packer;
struct zstd_unpacker;

/* NULL when there is no memory. */
struct zstd_packer *zstd_packer_create(size_t max);
void zstd_packer_destroy(struct zstd_packer *p);

/*
 * Compress the @size bytes at @src, at most @max, into @dst. Returns the bytes
 * written, at most @dst_size, or -ENOSPC, -EIO, -ENOMEM.
 */
int zstd_pack(struct zstd_packer *p, int level, const void *src, size_t size,
	      void *dst, size_t dst_size);

/* NULL when there is no memory. */
struct zstd_unpacker *zstd_unpacker_create(size_t max);
void zstd_unpacker_destroy(struct zstd_unpacker *u);

/* Where what is to be decompressed has to be put: @max bytes. */
uint8_t *zstd_unpacker_room(struct zstd_unpacker *u);

/*
 * Decompress the @len bytes that were put there, at most @max, into exactly
 * @size bytes at @dst. Any input is safe. 0, -EIO, -ENOMEM.
 */
int zstd_unpack(struct zstd_unpacker *u, size_t len, void *dst, size_t size);

#endif
