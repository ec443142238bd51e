/* SPDX-License-Identifier: BSD-3-Clause */
/* File content to test with: the same bytes for the same seed. */
#ifndef TESTS_MODEL_FILL_H
#define TESTS_MODEL_FILL_H

#include <stddef.h>
#include <stdint.h>

/*
 * Fill @buf with a mix of what blocks can be: zeros, one word repeated, text,
 * text among noise, noise; in stretches of up to 32 KiB.
 */
void fill_mix(void *buf, size_t size, uint64_t seed);

/* Fill @buf with bytes that do not compress. */
void fill_noise(void *buf, size_t size, uint64_t seed);

#endif
