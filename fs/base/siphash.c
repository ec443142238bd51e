/* SPDX-License-Identifier: BSD-3-Clause */
/* A hash with a key (see siphash.h). */
#include "siphash.h"

#include <endian.h>
#include <string.h>

#define ROUNDS_EACH 2
#define ROUNDS_END  4

struct state {
	uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotate(uint64_t x, unsigned by)
{
	return x << by | x >> (64 - by);
}

static inline void mix(struct state *s, unsigned rounds)
{
	while (rounds--) {
		s->v0 += s->v1;
		s->v2 += s->v3;
		s->v1 = rotate(s->v1, 13) ^ s->v0;
		s->v3 = rotate(s->v3, 16) ^ s->v2;
		s->v0 = rotate(s->v0, 32);
		s->v2 += s->v1;
		s->v0 += s->v3;
		s->v1 = rotate(s->v1, 17) ^ s->v2;
		s->v3 = rotate(s->v3, 21) ^ s->v0;
		s->v2 = rotate(s->v2, 32);
	}
}

static inline void take(struct state *s, uint64_t word)
{
	s->v3 ^= word;
	mix(s, ROUNDS_EACH);
	s->v0 ^= word;
}

/* Of @len bytes, the lowest first. */
static inline uint64_t word_at(const uint8_t *p, size_t len)
{
	uint64_t word = 0;

	memcpy(&word, p, len);
	return le64toh(word);
}

uint64_t siphash(const struct siphash_key *key, const void *data, size_t len)
{
	const uint8_t *p = data, *last = p + len / 8 * 8;
	/* "somepseudorandomlygeneratedbytes" */
	struct state s = {
		key->k0 ^ UINT64_C(0x736f6d6570736575),
		key->k1 ^ UINT64_C(0x646f72616e646f6d),
		key->k0 ^ UINT64_C(0x6c7967656e657261),
		key->k1 ^ UINT64_C(0x7465646279746573),
	};

	for (; p < last; p += 8)
		take(&s, word_at(p, 8));
	take(&s, word_at(p, len % 8) | (uint64_t)len << 56);
	s.v2 ^= 0xff;
	mix(&s, ROUNDS_END);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
