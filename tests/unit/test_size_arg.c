/* SPDX-License-Identifier: BSD-3-Clause */
/* Sizes and numbers as options and control files take them. */
#include "base/size_arg.h"

#include <errno.h>

#include "check.h"

#define RAM UINT64_C(25000000055)

struct row {
	const char *text;
	enum size_kind kind;
	int err;
	uint64_t want;
};

static const struct row rows[] = {
	{"0", SIZE_BYTES, 0, 0},
	{"0", SIZE_MEMORY, 0, 0},
	{"0", SIZE_COUNT, 0, 0},
	{"0K", SIZE_BYTES, 0, 0},
	{"1", SIZE_BYTES, 0, 1},
	{"007", SIZE_BYTES, 0, 7},
	{"4097", SIZE_BYTES, 0, 4097},
	{"1k", SIZE_BYTES, 0, 1024},
	{"1K", SIZE_COUNT, 0, 1024},
	{"3m", SIZE_MEMORY, 0, 3ull << 20},
	{"3M", SIZE_COUNT, 0, 3ull << 20},
	{"5g", SIZE_BYTES, 0, 5ull << 30},
	{"5G", SIZE_COUNT, 0, 5ull << 30},
	{"2t", SIZE_BYTES, 0, 2ull << 40},
	{"2T", SIZE_MEMORY, 0, 2ull << 40},
	{"9223372036854771712", SIZE_BYTES, 0, SIZE_ARG_MAX},
	{"8388607T", SIZE_BYTES, 0, 8388607ull << 40},
	/* Percentages of RAM, rounded down. */
	{"1%", SIZE_MEMORY, 0, 250000000},
	{"50%", SIZE_BYTES, 0, 12500000027},
	{"100%", SIZE_MEMORY, 0, RAM},
	{"250%", SIZE_BYTES, 0, 62500000137},
	{"1000000%", SIZE_BYTES, 0, 250000000550000},
	/* Too large. */
	{"9223372036854771713", SIZE_BYTES, -ERANGE, 0},
	{"9223372036854775807", SIZE_BYTES, -ERANGE, 0},
	{"18446744073709551616", SIZE_BYTES, -ERANGE, 0},
	{"99999999999999999999999999999", SIZE_COUNT, -ERANGE, 0},
	{"8388608T", SIZE_BYTES, -ERANGE, 0},
	{"9223372036854771712K", SIZE_BYTES, -ERANGE, 0},
	{"101%", SIZE_MEMORY, -ERANGE, 0},
	{"1000001%", SIZE_BYTES, -ERANGE, 0},
	{"99999999999999999999%", SIZE_BYTES, -ERANGE, 0},
	/* Not a size at all. */
	{"", SIZE_BYTES, -EINVAL, 0},
	{"K", SIZE_BYTES, -EINVAL, 0},
	{"%", SIZE_BYTES, -EINVAL, 0},
	{"-1", SIZE_BYTES, -EINVAL, 0},
	{"+1", SIZE_BYTES, -EINVAL, 0},
	{" 1", SIZE_BYTES, -EINVAL, 0},
	{"1 ", SIZE_BYTES, -EINVAL, 0},
	{"1\n", SIZE_BYTES, -EINVAL, 0},
	{"1KB", SIZE_BYTES, -EINVAL, 0},
	{"1KK", SIZE_BYTES, -EINVAL, 0},
	{"1K%", SIZE_BYTES, -EINVAL, 0},
	{"1%%", SIZE_BYTES, -EINVAL, 0},
	{"1P", SIZE_BYTES, -EINVAL, 0},
	{"0x10", SIZE_BYTES, -EINVAL, 0},
	{"1e3", SIZE_BYTES, -EINVAL, 0},
	{"1.5G", SIZE_BYTES, -EINVAL, 0},
	{"99999999999999999999999999999z", SIZE_BYTES, -EINVAL, 0},
	{"\xc2\xb2", SIZE_BYTES, -EINVAL, 0},
	{"0%", SIZE_BYTES, -EINVAL, 0},
	{"0%", SIZE_MEMORY, -EINVAL, 0},
	{"50%", SIZE_COUNT, -EINVAL, 0},
	{"1T", SIZE_COUNT, -EINVAL, 0},
};

static void test_sizes(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];
		uint64_t got = 12345;
		int err = size_arg_parse(r->text, strlen(r->text), r->kind, RAM,
					 &got);

		if (err != r->err || got != (err ? 12345 : r->want))
			CHECK_FAILED("\"%s\": %d, %llu", r->text, err,
				     (unsigned long long)got);
	}
}

/* Only @len bytes count: control files are not terminated. */
static void test_length(void)
{
	uint64_t got = 0;

	CHECK_EQ(size_arg_parse("123K", 2, SIZE_BYTES, RAM, &got), 0);
	CHECK_EQ(got, 12);
	CHECK_EQ(size_arg_parse("1\0002", 3, SIZE_BYTES, RAM, &got), -EINVAL);
}

/* Without knowing the RAM a percentage is none of it. */
static void test_no_ram(void)
{
	uint64_t got = 7;

	CHECK_EQ(size_arg_parse("50%", 3, SIZE_BYTES, 0, &got), -EINVAL);
	CHECK_EQ(got, 7);
}

static void test_usage(void)
{
	for (int k = 0; k < SIZE_NR_KINDS; k++) {
		CHECK(strlen(size_arg_usage((enum size_kind)k)) > 20);
		CHECK(!strchr(size_arg_usage((enum size_kind)k), '\n'));
	}
}

static int number(const char *text, unsigned base, uint64_t max, uint64_t *n)
{
	return number_arg_parse(text, strlen(text), base, max, n);
}

static void test_numbers(void)
{
	uint64_t n = 99;

	CHECK_EQ(number("1777", 8, 07777, &n), 0);
	CHECK_EQ(n, 01777);
	CHECK_EQ(number("07777", 8, 07777, &n), 0);
	CHECK_EQ(n, 07777);
	CHECK_EQ(number("10000", 8, 07777, &n), -ERANGE);
	CHECK_EQ(number("8", 8, 07777, &n), -EINVAL);
	CHECK_EQ(number("", 8, 07777, &n), -EINVAL);
	CHECK_EQ(number("-1", 10, 16, &n), -EINVAL);
	CHECK_EQ(number("16", 10, 16, &n), 0);
	CHECK_EQ(number("17", 10, 16, &n), -ERANGE);
	CHECK_EQ(number("18446744073709551615", 10, UINT64_MAX - 1, &n),
		 -ERANGE);
	CHECK_EQ(n, 16);
}

static const struct check_case cases[] = {
	CHECK_CASE(test_sizes),	  CHECK_CASE(test_length),
	CHECK_CASE(test_no_ram),  CHECK_CASE(test_usage),
	CHECK_CASE(test_numbers),
};

int main(int argc, char **argv)
{
	return CHECK_MAIN(cases, argc, argv);
}
