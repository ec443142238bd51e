/* SPDX-License-Identifier: BSD-3-Clause */
/* Blocks that are one 8-byte word repeated: found and made again. */
#include <string.h>
#include "zcomp.h"

#define WORD_SIZE sizeof(uint64_t)

bool zcomp_same_filled(const void *block, uint64_t *word)
{
	const unsigned char *bytes = block;
	const unsigned char *last = bytes + ZCOMP_BLOCK_SIZE - WORD_SIZE;

	if (memcmp(bytes, last, WORD_SIZE))
		return false;
	/* Each word equals the next: libc's memcmp() beats any loop here. */
	if (memcmp(bytes, bytes + WORD_SIZE, ZCOMP_BLOCK_SIZE - WORD_SIZE))
		return false;
	memcpy(word, bytes, WORD_SIZE);
	return true;
}

void zcomp_fill(void *block, uint64_t word)
{
	unsigned char *bytes = block;
	size_t pos;

	if (!word) {
		memset(block, 0, ZCOMP_BLOCK_SIZE);
		return;
	}
	for (pos = 0; pos < ZCOMP_BLOCK_SIZE; pos += WORD_SIZE)
		memcpy(bytes + pos, &word, WORD_SIZE);
}
