/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A tiny test runner: a table of named functions, and checks that report the
 * place where they fail, on stderr, which meson shows of tests that fail. It
 * speaks TAP, a test for each function, and runs each in a process of its own,
 * started anew with all that main() prepares: a crash hides no other case, and
 * no case finds what another one left.
 *
 *   static void test_it(void) { CHECK_EQ(1 + 1, 2); }
 *   static const struct check_case cases[] = { CHECK_CASE(test_it) };
 *   int main(int argc, char **argv) { return CHECK_MAIN(cases, argc, argv); }
 *
 * CHECK and CHECK_EQ note a failure and go on, and may be used in any thread.
 * REQUIRE leaves the running test, so only the thread that runs it may use it.
 * With arguments, only tests whose name contains one of them are run. With
 * CHECK_CASE=NAME in the environment that one is run in the process itself, for
 * a debugger. CHECK_SECONDS there ends each that takes longer by SIGALRM.
 */
#ifndef TESTS_UNIT_CHECK_H
#define TESTS_UNIT_CHECK_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

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
			fprintf(stderr, "# %s:%d: ", __FILE__, __LINE__);      \
			fprintf(stderr, __VA_ARGS__);                          \
			fputc('\n', stderr);                                   \
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

/* In this process. */
static inline int check_run(const struct check_case *c)
{
	check_failures = 0;
	if (!setjmp(check_leave))
		c->fn();
	fflush(stdout);
	return check_failures != 0;
}

/* Seconds that a test may take, 0: no limit. */
static inline unsigned check_seconds(void)
{
	const char *s = getenv("CHECK_SECONDS");

	return s ? (unsigned)strtoul(s, NULL, 10) : 0;
}

/* In a process of its own. Did it succeed? */
static inline bool check_start(const struct check_case *c, char **argv)
{
	pid_t pid;
	int status = -1;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		setenv("CHECK_CASE", c->name, 1);
		alarm(check_seconds()); /* stays across execv() */
		execv("/proc/self/exe", argv);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		fprintf(stderr, "# %s: no process for it\n", c->name);
	else if (WIFSIGNALED(status))
		fprintf(stderr, "# %s: killed by signal %d (%s)\n", c->name,
			WTERMSIG(status), strsignal(WTERMSIG(status)));
	return status == 0;
}

static inline int check_all(const struct check_case *cases, size_t n, int argc,
			    char **argv)
{
	unsigned wanted = 0, nr = 0, failed = 0;

	for (size_t i = 0; i < n; i++)
		wanted += check_wanted(cases[i].name, argc, argv);
	printf("1..%u\n", wanted);
	for (size_t i = 0; i < n; i++) {
		bool ok;

		if (!check_wanted(cases[i].name, argc, argv))
			continue;
		ok = check_start(&cases[i], argv);
		failed += !ok;
		printf("%sok %u - %s\n", ok ? "" : "not ", ++nr, cases[i].name);
	}
	return failed || !nr;
}

static inline int check_main(const struct check_case *cases, size_t n, int argc,
			     char **argv)
{
	const char *only = getenv("CHECK_CASE");

	if (!only)
		return check_all(cases, n, argc, argv);
	for (size_t i = 0; i < n; i++)
		if (!strcmp(cases[i].name, only))
			return check_run(&cases[i]);
	fprintf(stderr, "# there is no case %s\n", only);
	return 1;
}

#define CHECK_MAIN(cases, argc, argv)                                          \
	check_main(cases, sizeof(cases) / sizeof((cases)[0]), argc, argv)

#endif
