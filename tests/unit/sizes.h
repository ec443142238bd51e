/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Payload sizes as LZ4 leaves them of 4 KiB blocks: a histogram of 126,000
 * blocks of programs, libraries, headers, documents and images of a Debian
 * system, in parts of 10,000. What did not get below 3625 bytes counts as 4096.
 */
#ifndef TESTS_UNIT_SIZES_H
#define TESTS_UNIT_SIZES_H

#include "pool_fixture.h"

#define SIZES_BIN 64u

/* Of sizes 64 i + 1 .. 64 i + 64. */
static const unsigned short sizes_histogram[] = {
	10,  23,  20,  26,  26,	 30,  34,  44,	77,  83,  106, 119,  107,
	97,  103, 109, 116, 147, 164, 191, 218, 240, 258, 240, 231,  227,
	239, 228, 230, 226, 232, 225, 237, 238, 224, 222, 218, 226,  217,
	200, 197, 193, 205, 187, 168, 164, 163, 159, 175, 182, 178,  184,
	159, 139, 103, 66,  29,	 0,   0,   0,	0,   0,	  0,   1139,
};

/* A random size with that distribution. */
static inline size_t random_size(uint64_t *seed)
{
	const unsigned bins =
		sizeof(sizes_histogram) / sizeof(sizes_histogram[0]);
	unsigned total = 0, bin = 0;
	uint64_t at;

	for (unsigned i = 0; i < bins; i++)
		total += sizes_histogram[i];
	at = rnd_below(seed, total);
	while (at >= sizes_histogram[bin])
		at -= sizes_histogram[bin++];
	if (bin == bins - 1)
		return ZS_MAX_ALLOC_SIZE;
	return bin * SIZES_BIN + 1 + rnd_below(seed, SIZES_BIN);
}

#endif
