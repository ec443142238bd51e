/* SPDX-License-Identifier: BSD-3-Clause */
/* Priority of threads (see priority.h). */
#include "priority.h"

#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The piece that the thread runs at once, in nanoseconds. */
#define BRIEF_NSECS 200000
#define LOWEST	    19

/* As sched_setattr(2) takes it; not every libc has it. */
struct attr {
	uint32_t size;
	uint32_t policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

static void set(int nice)
{
	struct attr a = {
		.size = sizeof(a),
		.policy = SCHED_BATCH,
		.nice = nice,
		.runtime = BRIEF_NSECS,
	};

	syscall(SYS_sched_setattr, 0, &a, 0);
}

void priority_low(void)
{
	set(LOWEST);
}

void priority_brief(void)
{
	set(getpriority(PRIO_PROCESS, 0));
}
