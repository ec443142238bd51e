/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sizes as people write them: "512M", "1t", "50%", "0".
 *
 * One parser for mount options and control files, so that both take the same.
 */
#ifndef FS_SIZE_ARG_H
#define FS_SIZE_ARG_H

#include <stddef.h>
#include <stdint.h>

/* The largest value that is taken: whole blocks that a file offset reaches. */
#define SIZE_ARG_MAX ((uint64_t)INT64_MAX & ~UINT64_C(4095))

enum size_kind {
	SIZE_BYTES,  /* file content: any percentage of RAM */
	SIZE_MEMORY, /* bytes of RAM: at most 100 % of it */
	SIZE_BUDGET, /* the same, and 0 is none of it */
	SIZE_COUNT,  /* a number of things: no percentage, no T */
	SIZE_NR_KINDS,
};

/*
 * Read a size from the @len bytes at @text: decimal digits, then nothing, one
 * of K, M, G, T (either case, powers of 1024) or "%" of @ram bytes. 0 stands
 * for "no limit"; 0 % is not allowed. No sign, space or anything else.
 *
 * Returns 0; -EINVAL for what is no such size, -ERANGE for one that is too
 * large; *out is then unchanged.
 */
int size_arg_parse(const char *text, size_t len, enum size_kind kind,
		   uint64_t ram, uint64_t *out);

/* What size_arg_parse() takes for @kind, for messages. */
const char *size_arg_usage(enum size_kind kind);

/*
 * Read a whole decimal or, with @base 8, octal number of at most @max from the
 * @len bytes at @text. 0, -EINVAL, -ERANGE.
 */
int number_arg_parse(const char *text, size_t len, unsigned base, uint64_t max,
		     uint64_t *out);

#endif
