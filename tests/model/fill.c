/* SPDX-License-Identifier: BSD-3-Clause */
/* File content to test with (see fill.h). */
#include "fill.h"

#include <string.h>

#include "random.h"

static void put_words(uint8_t *p, size_t size, uint64_t word)
{
	for (size_t i = 0; i < size; i++)
		p[i] = (uint8_t)(word >> (i % 8 * 8));
}

void fill_noise(void *buf, size_t size, uint64_t seed)
{
	struct rng r = {seed};
	uint8_t *p = buf;

	for (; size >= 8; size -= 8, p += 8) {
		uint64_t x = rng_next(&r);

		memcpy(p, &x, 8);
	}
	put_words(p, size, rng_next(&r));
}

static void put_text(uint8_t *p, size_t size, struct rng *r)
{
	static const char words[16][9] = {
		"int     ", "return; ", "zspage  ", "        ",
		"static  ", "struct  ", "/* why *", "= NULL;\n",
		"if (err)", "goto out", "u64 *w, ", "\tmemcpy(",
		"void fn(", "->next) ", "#define ", "0x01234 ",
	};

	for (; size >= 8; size -= 8, p += 8)
		memcpy(p, words[rng_below(r, 16)], 8);
	memset(p, '.', size);
}

/* Blocks whose compressed size is anywhere between text and noise. */
static void put_mixed(uint8_t *p, size_t size, struct rng *r)
{
	size_t noise = rng_below(r, 4096);

	for (size_t at = 0; at < size; at += 4096) {
		size_t n = size - at < 4096 ? size - at : 4096;

		put_text(p + at, n, r);
		fill_noise(p + at, n < noise ? n : noise, rng_next(r));
	}
}

/* A word of which some look like what the block table stores. */
static uint64_t draw_word(struct rng *r)
{
	static const uint64_t words[] = {
		1,
		UINT64_MAX,
		UINT64_C(0xd15c000000000000),
		UINT64_C(0xd15c100000000001),
		UINT64_C(0x4141414141414141),
	};

	if (rng_chance(r, 50))
		return rng_next(r);
	return words[rng_below(r, sizeof(words) / sizeof(words[0]))];
}

void fill_mix(void *buf, size_t size, uint64_t seed)
{
	struct rng r = {seed};
	uint8_t *p = buf;

	while (size > 0) {
		size_t n = (1 + rng_below(&r, 8)) * 4096;
		unsigned kind = (unsigned)rng_below(&r, 10);

		if (n > size)
			n = size;
		if (kind < 1)
			memset(p, 0, n);
		else if (kind < 3)
			put_words(p, n, draw_word(&r));
		else if (kind < 6)
			put_text(p, n, &r);
		else if (kind < 8)
			put_mixed(p, n, &r);
		else
			fill_noise(p, n, rng_next(&r));
		p += n;
		size -= n;
	}
}
