/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * guard: memory between two pages that may not be touched, most often a page.
 *
 * Sanitizers do not see inside liblz4 and libzstd; an access beyond a buffer
 * that ends (or begins) with the page is a SIGSEGV whoever makes it.
 */
#ifndef TESTS_FUZZ_GUARD_H
#define TESTS_FUZZ_GUARD_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define GUARD_SIZE 4096u

/* @size bytes, whole pages. */
static inline unsigned char *guard_create_of(size_t size)
{
	unsigned char *map = mmap(NULL, size + 2 * GUARD_SIZE, PROT_NONE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (map == MAP_FAILED ||
	    mprotect(map + GUARD_SIZE, size, PROT_READ | PROT_WRITE)) {
		perror("guard page");
		exit(1);
	}
	return map + GUARD_SIZE;
}

static inline unsigned char *guard_create(void)
{
	return guard_create_of(GUARD_SIZE);
}

static inline void guard_destroy(unsigned char *guard)
{
	munmap(guard - GUARD_SIZE, 3 * GUARD_SIZE);
}

/* The last @size bytes of the page. */
static inline unsigned char *guard_tail(unsigned char *guard, size_t size)
{
	return guard + GUARD_SIZE - size;
}

/* Put a copy of @data at the end of the page. */
static inline unsigned char *guard_copy(unsigned char *guard, const void *data,
					size_t size)
{
	unsigned char *tail = guard_tail(guard, size);

	if (size)
		memmove(tail, data, size);
	return tail;
}

#endif
