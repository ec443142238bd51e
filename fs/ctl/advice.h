/* SPDX-License-Identifier: BSD-3-Clause */
/* Advice: what is odd about a mount, and what to do then. */
#ifndef FS_CTL_ADVICE_H
#define FS_CTL_ADVICE_H

#include <stdbool.h>
#include <stddef.h>

struct stats;

#define ADVICE_SIZE 240u
#define MOST_ADVICE 16u

struct advice {
	bool bad; /* something is lost or about to be; else it is only odd */
	char text[ADVICE_SIZE];
};

/*
 * What there is to say of @s, the worst first, of the mount at @at. How many;
 * the array has MOST_ADVICE. What is missing in @s is not odd.
 */
size_t advice(const struct stats *s, const char *at, struct advice *out);

#endif
