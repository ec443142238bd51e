/* SPDX-License-Identifier: BSD-3-Clause */
/* Parsing of sizes (see size_arg.h). */
#include "size_arg.h"

#include <errno.h>
#include <stdbool.h>

/* Nobody means more; keeps the arithmetic from overflowing. */
#define MAX_PERCENT 1000000u

static const char *const usage[SIZE_NR_KINDS] = {
	[SIZE_BYTES] = "bytes with an optional K, M, G or T, "
		       "or a percentage of RAM such as 50%, or 0 for no limit",
	[SIZE_MEMORY] = "bytes with an optional K, M, G or T, "
			"or 1% to 100% of RAM, or 0 for no limit",
	[SIZE_BUDGET] = "bytes with an optional K, M, G or T, "
			"or 1% to 100% of RAM, or 0 for none",
	[SIZE_COUNT] = "a number with an optional K, M or G, "
		       "or 0 for no limit",
};

const char *size_arg_usage(enum size_kind kind)
{
	return usage[kind];
}

int number_arg_parse(const char *text, size_t len, unsigned base, uint64_t max,
		     uint64_t *out)
{
	uint64_t n = 0;

	if (len == 0)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		unsigned digit = (unsigned)(unsigned char)text[i] - '0';

		if (digit >= base)
			return -EINVAL;
		if (__builtin_mul_overflow(n, (uint64_t)base, &n) ||
		    __builtin_add_overflow(n, (uint64_t)digit, &n))
			n = UINT64_MAX; /* stays too large from here on */
	}
	if (n > max)
		return -ERANGE;
	*out = n;
	return 0;
}

/* Power of two that suffix @c stands for; 0 when it is none. */
static unsigned suffix_shift(char c, enum size_kind kind)
{
	switch (c) {
	case 'k':
	case 'K':
		return 10;
	case 'm':
	case 'M':
		return 20;
	case 'g':
	case 'G':
		return 30;
	case 't':
	case 'T':
		return kind == SIZE_COUNT ? 0 : 40;
	default:
		return 0;
	}
}

static int scale(uint64_t n, unsigned shift, uint64_t *out)
{
	if (n > SIZE_ARG_MAX >> shift)
		return -ERANGE;
	*out = n << shift;
	return 0;
}

static int percent_of(uint64_t pct, enum size_kind kind, uint64_t ram,
		      uint64_t *out)
{
	uint64_t val;

	if (kind == SIZE_COUNT || pct == 0 || ram == 0)
		return -EINVAL;
	if (pct > (kind == SIZE_BYTES ? MAX_PERCENT : 100))
		return -ERANGE;
	if (__builtin_mul_overflow(ram / 100, pct, &val) || val > SIZE_ARG_MAX)
		return -ERANGE;
	*out = val + ram % 100 * pct / 100;
	return 0;
}

int size_arg_parse(const char *text, size_t len, enum size_kind kind,
		   uint64_t ram, uint64_t *out)
{
	unsigned shift;
	uint64_t n;
	bool percent;
	int err;

	if (len == 0)
		return -EINVAL;
	percent = text[len - 1] == '%';
	shift = suffix_shift(text[len - 1], kind);
	err = number_arg_parse(text, len - (percent || shift), 10, SIZE_ARG_MAX,
			       &n);
	if (err)
		return err;
	if (percent)
		return percent_of(n, kind, ram, out);
	return scale(n, shift, out);
}
