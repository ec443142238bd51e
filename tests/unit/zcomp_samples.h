/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Blocks to compress, and the algorithms and levels to do it with, for the
 * tests of codec/. Made once by samples_create(); constant afterwards.
 */
#ifndef TESTS_UNIT_ZCOMP_SAMPLES_H
#define TESTS_UNIT_ZCOMP_SAMPLES_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "zcomp.h"

#define BLOCK_SIZE    ZCOMP_BLOCK_SIZE
#define NR_ELF_BLOCKS 6
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

enum {
	SAMPLE_ZERO,
	SAMPLE_BYTE,
	SAMPLE_WORD,
	SAMPLE_TEXT,
	SAMPLE_RANDOM,
	SAMPLE_HALF_RANDOM,
	SAMPLE_NEARLY_ZERO,
	SAMPLE_COUNTERS,
	SAMPLE_ELF,
	NR_SAMPLES = SAMPLE_ELF + NR_ELF_BLOCKS,
};

static unsigned char samples[NR_SAMPLES][BLOCK_SIZE];
static uint64_t sample_seed = 1;

static const struct zcomp_params sample_params[] = {
	{ZCOMP_LZ4, 1},	    {ZCOMP_LZ4, 4},   {ZCOMP_LZ4, 100},
	{ZCOMP_LZ4, 65537}, {ZCOMP_ZSTD, 1},  {ZCOMP_ZSTD, 2},
	{ZCOMP_ZSTD, 3},    {ZCOMP_ZSTD, 5},  {ZCOMP_ZSTD, 7},
	{ZCOMP_ZSTD, 10},   {ZCOMP_ZSTD, 13}, {ZCOMP_ZSTD, 16},
	{ZCOMP_ZSTD, 19},
};

#define NR_SAMPLE_PARAMS ARRAY_SIZE(sample_params)

/* xorshift64*: good enough bytes, the same in every run. */
static inline uint64_t sample_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1du;
}

static inline void sample_random_fill(unsigned char *block, size_t size)
{
	size_t i;

	for (i = 0; i < size; i++)
		block[i] = (unsigned char)(sample_random(&sample_seed) >> 56);
}

static inline void sample_text_fill(unsigned char *block)
{
	static const char *const words[] = {
		"block",  "the",    "pool",   "of",	 "memory", "handle",
		"table",  "and",    "return", "(value)", "index",  "-1;\n",
		"static", "struct", "a",      "page",	 "is",	   "\n\t",
	};
	size_t pos = 0;

	while (pos < BLOCK_SIZE) {
		uint64_t r = sample_random(&sample_seed) >> 32;
		const char *word = words[r % ARRAY_SIZE(words)];
		size_t len = strlen(word);

		if (len > BLOCK_SIZE - pos)
			len = BLOCK_SIZE - pos;
		memcpy(block + pos, word, len);
		pos += len;
		if (pos < BLOCK_SIZE)
			block[pos++] = ' ';
	}
}

/* Machine code and symbol tables as they are: this very program. */
static inline void sample_elf_fill(unsigned char (*blocks)[BLOCK_SIZE])
{
	FILE *file = fopen("/proc/self/exe", "rb");
	long size, i;

	if (!file || fseek(file, 0, SEEK_END))
		abort();
	size = ftell(file);
	for (i = 0; i < NR_ELF_BLOCKS; i++) {
		long at = (size - (long)BLOCK_SIZE) / NR_ELF_BLOCKS * i;

		if (fseek(file, at, SEEK_SET) ||
		    fread(blocks[i], BLOCK_SIZE, 1, file) != 1)
			abort();
	}
	fclose(file);
}

static inline void samples_create(void)
{
	uint64_t word = 0x0123456789abcdefu;
	uint32_t i;

	memset(samples[SAMPLE_BYTE], 0xa5, BLOCK_SIZE);
	for (i = 0; i < BLOCK_SIZE; i += 8)
		memcpy(samples[SAMPLE_WORD] + i, &word, 8);
	sample_text_fill(samples[SAMPLE_TEXT]);
	sample_random_fill(samples[SAMPLE_RANDOM], BLOCK_SIZE);
	sample_random_fill(samples[SAMPLE_HALF_RANDOM], BLOCK_SIZE / 2);
	samples[SAMPLE_NEARLY_ZERO][BLOCK_SIZE / 2] = 1;
	for (i = 0; i < BLOCK_SIZE; i += 4)
		memcpy(samples[SAMPLE_COUNTERS] + i, &i, 4);
	sample_elf_fill(samples + SAMPLE_ELF);
}

#endif
