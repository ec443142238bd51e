/* SPDX-License-Identifier: BSD-3-Clause */
/* The checksums (see zcomp.h). */

/*
 * Compiled in, XXH3 knows the length and takes 0.16 us where the library
 * takes 0.23; without optimization the library is far ahead.
 */
#ifdef __OPTIMIZE__
#define XXH_INLINE_ALL
#endif
#include <xxhash.h>
#include "zcomp.h"

uint32_t zcomp_checksum(const void *block)
{
	return (uint32_t)XXH3_64bits(block, ZCOMP_BLOCK_SIZE);
}

uint64_t zcomp_cluster_sum(const void *bytes, size_t size, uint64_t seed)
{
	return XXH3_64bits_withSeed(bytes, size, seed);
}
