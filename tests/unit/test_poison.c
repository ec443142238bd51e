/* SPDX-License-Identifier: BSD-3-Clause */
/* A crash is noted against the thread that it happened in. */
#include "check.h"
#include "serve/poison.h"
#include "state/zsfs.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static struct zsfs fs;
static struct zsfs_slot *slot;

static void *map(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* Deeper than any stack; the argument keeps it from becoming a loop. */
static __attribute__((noinline)) unsigned recurse(volatile unsigned *depth)
{
	volatile unsigned next[256];

	next[0] = *depth + 1;
	return next[0] ? recurse(next) + next[0] : 0;
}

static void *overflow(void *arg)
{
	volatile unsigned depth = 0;

	poison_this_thread(slot);
	recurse(&depth);
	return NULL;
}

static void *bad_address(void *arg)
{
	poison_this_thread(slot);
	raise(SIGBUS);
	return NULL;
}

/* The wait status of a process in which @fn crashes. */
static int crash(void *(*fn)(void *))
{
	struct rlimit none = {0, 0};
	pthread_t thread;
	int status = -1;
	pid_t pid;

	slot->crashed = 0;
	fs.super->crashed = 0;
	pid = fork();
	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &none);
		poison_watch(&fs);
		pthread_create(&thread, NULL, fn, NULL);
		pthread_join(thread, NULL);
		_exit(0);
	}
	REQUIRE(pid > 0 && waitpid(pid, &status, 0) == pid);
	return status;
}

/* Sanitizers have handlers of their own behind ours, and may end it otherwise.
 */
static bool died_of(int status, int sig)
{
	return ZS_ARENA_SANITIZED ||
	       (WIFSIGNALED(status) && WTERMSIG(status) == sig);
}

/* What a filter of system calls sends, and may not be taken back by us. */
static void *bad_call(void *arg)
{
	poison_this_thread(slot);
	raise(SIGSYS);
	return NULL;
}

static void test_a_call(void)
{
	CHECK(died_of(crash(bad_call), SIGSYS));
	CHECK_EQ(slot->crashed, 1);
	CHECK_EQ(fs.super->crashed, 0);
}

static void test_a_signal(void)
{
	CHECK(died_of(crash(bad_address), SIGBUS));
	CHECK_EQ(slot->crashed, 1);
	CHECK_EQ(fs.super->crashed, 0);
}

/* The handler needs a stack where there is none. */
static void test_a_full_stack(void)
{
	CHECK(died_of(crash(overflow), SIGSEGV));
	CHECK_EQ(slot->crashed, 1);
}

static const struct check_case cases[] = {
	CHECK_CASE(test_a_signal),
	CHECK_CASE(test_a_call),
	CHECK_CASE(test_a_full_stack),
};

int main(int argc, char **argv)
{
	slot = map(sizeof(*slot));
	fs.super = map(sizeof(*fs.super));
	if (!slot || !fs.super)
		return 1;
	return CHECK_MAIN(cases, argc, argv);
}
