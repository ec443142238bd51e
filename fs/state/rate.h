/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rate: how many of something a second, of late. Nothing has to look at it
 * meanwhile: whoever counts notes the second it is. Any thread; no lock.
 */
#ifndef FS_RATE_H
#define FS_RATE_H

#include <stdint.h>

/* Whole seconds that are looked back on. */
#define RATE_SECONDS 4u

/* In struct zsfs; all zero at first. */
struct rate {
	/* Second << 32 | what came in it; one is the present one; atomic. */
	uint64_t second[RATE_SECONDS + 1];
};

void rate_add(struct rate *r, uint32_t n);

/* The mean of the last RATE_SECONDS whole seconds. */
uint32_t rate_get(const struct rate *r);

#endif
