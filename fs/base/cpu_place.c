/* SPDX-License-Identifier: BSD-3-Clause */
/* Where a thread may run (see cpu_place.h). */
#include "cpu_place.h"

#include <pthread.h>
#include <stddef.h>

static bool set_cpu(struct cpu_place *p, const cpu_set_t *allowed, int cpu)
{
	cpu_set_t one;

	if (cpu == p->cpu)
		return true;
	if (cpu != CPU_ANY) {
		if (!CPU_ISSET(cpu, allowed))
			return false;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		allowed = &one;
	}
	if (sched_setaffinity(p->tid, sizeof(*allowed), allowed))
		return false;
	p->cpu = cpu;
	return true;
}

static bool set_idle(struct cpu_place *p, bool idle)
{
	const struct sched_param none = {0};

	if (idle == p->idle)
		return true;
	if (sched_setscheduler(p->tid, idle ? SCHED_IDLE : SCHED_OTHER, &none))
		return false;
	p->idle = idle;
	return true;
}

bool cpu_place_set(struct cpu_place *p, const cpu_set_t *allowed, int cpu,
		   bool idle)
{
	bool placed = set_cpu(p, allowed, cpu);

	return set_idle(p, idle) && placed;
}

void cpu_place_raise(const struct cpu_place *p)
{
	const struct sched_param none = {0};
	pid_t tid = __atomic_load_n(&p->tid, __ATOMIC_ACQUIRE);

	if (tid && sched_getscheduler(tid) == SCHED_IDLE)
		sched_setscheduler(tid, SCHED_OTHER, &none);
}

/* Of the calling thread, which ends with it. */
static void *try_idle(void *may)
{
	const struct sched_param none = {0};

	*(bool *)may = !sched_setscheduler(0, SCHED_IDLE, &none) &&
		       !sched_setscheduler(0, SCHED_OTHER, &none);
	return NULL;
}

bool cpu_place_may_idle(void)
{
	pthread_t thread;
	bool may = false;

	/* Another one was chosen by who started us: to leave that alone. */
	if (sched_getscheduler(0) != SCHED_OTHER)
		return false;
	if (pthread_create(&thread, NULL, try_idle, &may))
		return false;
	pthread_join(thread, NULL);
	return may;
}
