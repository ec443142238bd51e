/* SPDX-License-Identifier: BSD-3-Clause */
/* The lesser of two numbers. */
#ifndef FS_MIN_H
#define FS_MIN_H

#include <stdint.h>

static inline uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

#endif
