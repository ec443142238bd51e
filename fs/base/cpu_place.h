/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * CPU place: where a thread of this process may run, and whether it gives way
 * to everything else there (SCHED_IDLE).
 */
#ifndef FS_CPU_PLACE_H
#define FS_CPU_PLACE_H

#include <sched.h>
#include <stdbool.h>
#include <sys/types.h>

#define CPU_ANY (-1)

/* Begins as {.cpu = CPU_ANY} for a thread that nobody has placed. */
struct cpu_place {
	pid_t tid;
	int cpu;   /* the only one it runs on, or CPU_ANY */
	bool idle; /* SCHED_IDLE */
};

/*
 * Have the thread run on @cpu alone, or with CPU_ANY on all of @allowed, with
 * or without SCHED_IDLE. Calls the kernel only for what changes. False: the
 * kernel refused something (the CPU is offline, or outside of the cpuset; no
 * right to change the policy), which then stays as it was. Any thread may call
 * it, one at a time for each place.
 */
bool cpu_place_set(struct cpu_place *p, const cpu_set_t *allowed, int cpu,
		   bool idle);

/*
 * The thread gives way no more, whoever it was that has placed it: the place's
 * owner has to note that itself. Where it may not be left, nothing happens.
 */
void cpu_place_raise(const struct cpu_place *p);

/*
 * May threads of this process enter SCHED_IDLE and leave it again? Leaving
 * needs CAP_SYS_NICE or a RLIMIT_NICE of 20 (rlimits_raise()). Finds out by a
 * thread of its own. Not where this one has another policy than SCHED_OTHER,
 * which would be lost.
 */
bool cpu_place_may_idle(void);

#endif
