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

/* As sched_setattr(2) takes it; not every libc has it. */
struct attr {
	uint32_t size;
	uint32_t policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

void priority_idle(void)
{
	struct sched_param p = {0};

	pthread_setschedparam(pthread_self(), SCHED_IDLE, &p);
}

void priority_brief(void)
{
	struct attr a = {
		.size = sizeof(a),
		.policy = SCHED_BATCH,
		.nice = getpriority(PRIO_PROCESS, 0),
		.runtime = BRIEF_NSECS,
	};

	syscall(SYS_sched_setattr, 0, &a, 0);
}
