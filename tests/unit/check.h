/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A tiny test runner: a table of named functions, and checks that report the
 * place where they fail.
 *
 *   static void test_it(void) { CHECK_EQ(1 + 1, 2); }
 *   static const struct check_case cases[] = { CHECK_CASE(test_it) };
 *   int main(int argc, char **argv) { return CHECK_MAIN(cases, argc, argv); }
 *
 * CHECK and CHECK_EQ note a failure and go on, and may be used in any thread.
 * REQUIRE leaves the running test, so only the thread that runs it may use it.
 * With arguments, only tests whose name contains one of them are run.
 */
#ifndef TESTS_UNIT_CHECK_H
#define TESTS_UNIT_CHECK_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

struct check_case {
	const char *name;
	void (*fn)(void);
};

#define CHECK_CASE(fn)                                                         \
	{                                                                      \
#fn, fn                                                        \
	}

static int check_failures; /* of the running test; atomic */
static jmp_buf check_leave;

#define CHECK_FAILED(...)                                                      \
	do {                                                                   \
		if (__atomic_fetch_add(&check_failures, 1, __ATOMIC_RELAXED) < \
		    20) {                                                      \
			printf("  %s:%d: ", __FILE__, __LINE__);               \
			printf(__VA_ARGS__);                                   \
			putchar('\n');                                         \
			fflush(stdout);                                        \
		}                                                              \
	} while (0)

#define CHECK(cond)                                                            \
	do {                                                                   \
		if (!(cond))                                                   \
			CHECK_FAILED("not true: %s", #cond);                   \
	} while (0)

#define CHECK_EQ(got, want)                                                    \
	do {                                                                   \
		long long got_ = (long long)(got);                             \
		long long want_ = (long long)(want);                           \
		if (got_ != want_)                                             \
			CHECK_FAILED("%s is %lld, not %s = %lld", #got, got_,  \
				     #want, want_);                            \
	} while (0)

#define REQUIRE(cond)                                                          \
	do {                                                                   \
		if (!(cond)) {                                                 \
			CHECK_FAILED("required: %s", #cond);                   \
			longjmp(check_leave, 1);                               \
		}                                                              \
	} while (0)

static inline bool check_wanted(const char *name, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (strstr(name, argv[i]))
			return true;
	}
	return argc < 2;
}

static inline int check_main(const struct check_case *cases, size_t n, int argc,
			     char **argv)
{
	volatile unsigned passed = 0, failed = 0;

	for (volatile size_t i = 0; i < n; i++) {
		if (!check_wanted(cases[i].name, argc, argv))
			continue;
		check_failures = 0;
		if (!setjmp(check_leave))
			cases[i].fn();
		if (check_failures)
			failed++;
		else
			passed++;
		printf("%s %s\n", check_failures ? "FAILED" : "ok",
		       cases[i].name);
		fflush(stdout);
	}
	printf("%u passed, %u failed\n", passed, failed);
	return failed || !passed;
}

#define CHECK_MAIN(cases, argc, argv)                                          \
	check_main(cases, sizeof(cases) / sizeof((cases)[0]), argc, argv)

#endif
