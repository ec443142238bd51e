/* SPDX-License-Identifier: BSD-3-Clause */
/* Priority of threads (see priority.h). */
#include "priority.h"

#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * Slices, in nanoseconds, from Linux 6.12 on. Who wakes up runs before what has
 * the later deadline, and that is the longer slice divided by the weight.
 */
#define LONG_SLICE  UINT64_C(20000000)
#define SHORT_SLICE UINT64_C(200000)
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

static void set(int nice, uint64_t slice)
{
	struct attr a = {
		.size = sizeof(a),
		.policy = SCHED_BATCH,
		.nice = nice,
		.runtime = slice,
	};

	syscall(SYS_sched_setattr, 0, &a, 0);
}

void priority_low(void)
{
	set(LOWEST, SHORT_SLICE);
}

void priority_patient(void)
{
	set(getpriority(PRIO_PROCESS, 0), LONG_SLICE);
}
