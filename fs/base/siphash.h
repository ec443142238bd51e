/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * SipHash-2-4 (Aumasson, Bernstein 2012): a hash that who does not know the key
 * can neither foresee nor find out, however many names he chooses. So nobody
 * can fill a directory with names of one bucket.
 *
 * libsodium has the same as crypto_shorthash(), which is not faster; a library
 * more in every process would be the price of these few lines. The vectors of
 * its authors are in the tests.
 */
#ifndef FS_SIPHASH_H
#define FS_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

struct siphash_key {
	uint64_t k0, k1;
};

uint64_t siphash(const struct siphash_key *key, const void *data, size_t len);

#endif
