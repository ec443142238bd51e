/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * killclient: what it writes. Every byte follows from the number of the file,
 * the number of the write, and the offset; about half of it compresses.
 */
#ifndef KILLCLIENT_DATA_H
#define KILLCLIENT_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define BLOCK 4096u

void data_fill(unsigned char *buf, uint32_t id, uint32_t version, size_t off,
	       size_t len);
/* Fail unless @got, read from @path at @off by @how, is @want. */
void data_compare(const unsigned char *got, const unsigned char *want,
		  size_t off, size_t len, const char *how, const char *path);
bool data_is_zero(const unsigned char *p, size_t len);

/* Write all of it, at @off or, where that is -1, by write(2). */
void data_put(int fd, const void *buf, size_t len, off_t off, const char *path);
/*
 * Read @len bytes at @off, of which the file has @want. False where the file
 * system has no direct I/O (EINVAL), which @may_refuse allows.
 */
bool data_get(int fd, unsigned char *buf, size_t len, off_t off, size_t want,
	      bool may_refuse, const char *path);

#endif
