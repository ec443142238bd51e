/* SPDX-License-Identifier: BSD-3-Clause */
/* Raising and reading resource limits (see rlimits.h). */
#include "rlimits.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "arena.h"

/* Of each thread; what it needs is a tenth of it. */
#define STACK_SIZE ((size_t)1 << 20)
/* The main thread's stack grows up to its limit. */
#define MAIN_STACK_SIZE ((rlim_t)8 << 20)
/* More than we open. */
#define NR_FILES 1024u

static rlim_t soft_limit(int resource)
{
	struct rlimit r;

	return getrlimit(resource, &r) ? RLIM_INFINITY : r.rlim_cur;
}

/* To @want or as near as may be. */
static void raise_limit(int resource, rlim_t want)
{
	struct rlimit r;

	if (getrlimit(resource, &r) || r.rlim_cur >= want)
		return;
	if (r.rlim_max < want) {
		struct rlimit more = {want, want};

		if (!setrlimit(resource, &more))
			return;
	}
	r.rlim_cur = r.rlim_max < want ? r.rlim_max : want;
	setrlimit(resource, &r);
}

bool rlimits_allow_niceness(void)
{
	rlim_t own = (rlim_t)(20 - getpriority(PRIO_PROCESS, 0));
	struct rlimit r;

	raise_limit(RLIMIT_NICE, own);
	return !getrlimit(RLIMIT_NICE, &r) && r.rlim_cur >= own;
}

void rlimits_bound_threads(unsigned n)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NPROC, &r) || r.rlim_max <= n)
		return;
	r.rlim_max = n;
	if (r.rlim_cur > n)
		r.rlim_cur = n;
	setrlimit(RLIMIT_NPROC, &r);
}

static void set_stacks(void)
{
	pthread_attr_t attr;

	/* By default they are as large as the limit, whatever that is. */
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	pthread_setattr_default_np(&attr);
	pthread_attr_destroy(&attr);
}

void rlimits_raise(void)
{
	static const int endless[] = {
		RLIMIT_AS,    RLIMIT_FSIZE,   RLIMIT_DATA,	 RLIMIT_CPU,
		RLIMIT_NPROC, RLIMIT_MEMLOCK, RLIMIT_SIGPENDING,
	};

	for (size_t i = 0; i < sizeof(endless) / sizeof(endless[0]); i++)
		raise_limit(endless[i], RLIM_INFINITY);
	raise_limit(RLIMIT_NOFILE, NR_FILES);
	raise_limit(RLIMIT_STACK, MAIN_STACK_SIZE);
	rlimits_allow_niceness();
	set_stacks();
	/* What is too large is an error for us, too, and no death. */
	signal(SIGXFSZ, SIG_IGN);
}

/* Bytes of address space that are in use. */
static uint64_t used_space(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	unsigned long long pages = 0;

	if (!f)
		return 0;
	if (fscanf(f, "%llu", &pages) != 1)
		pages = 0;
	fclose(f);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

uint64_t rlimits_arena_size(uint64_t other, const char **name)
{
	rlim_t space = soft_limit(RLIMIT_AS), file = soft_limit(RLIMIT_FSIZE);
	uint64_t size = ARENA_SIZE;

	*name = NULL;
	if (file < size) {
		*name = "ulimit -f";
		size = file;
	}
	if (space != RLIM_INFINITY) {
		other += used_space();
		space = space > other ? space - other : 0;
		if (space < size) {
			*name = "ulimit -v";
			size = space;
		}
	}
	return size & ~(uint64_t)(ARENA_SEG_SIZE - 1);
}

const char *rlimits_behind(int err)
{
	switch (err) {
	case EMFILE:
		return " (ulimit -n)";
	case EAGAIN:
		return " (ulimit -u?)";
	default:
		return "";
	}
}
