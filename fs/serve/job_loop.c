/* SPDX-License-Identifier: BSD-3-Clause */
/* A round through the background jobs (see job_loop.h). */
#include "job_loop.h"

#include <unistd.h>

#include "base/clock.h"

/* Longest pause between two steps while requests are being made. */
#define PAUSE_USECS 2000u

static bool is_wanted(const struct job_loop *l, const struct job *j)
{
	return !l->must_stop(l->arg) && (!j->wanted || j->wanted(l->arg));
}

static unsigned run_alone(const struct job_loop *l, const struct job *j)
{
	uint64_t end = clock_ms() + JOB_TURN_MSECS;
	unsigned next = JOB_DONE;

	while (is_wanted(l, j)) {
		next = j->step(l->arg, false);
		if (next != JOB_MORE || clock_ms() >= end)
			return next;
	}
	return JOB_DONE;
}

/*
 * With few processors, requests would else wait for this thread's whole turn.
 */
static unsigned run_beside_requests(const struct job_loop *l,
				    const struct job *j)
{
	uint64_t end = clock_ms() + JOB_TURN_MSECS;
	uint64_t seen = l->requests(l->arg);
	bool busy = false;

	while (is_wanted(l, j)) {
		uint64_t began = clock_us(), now, took;
		unsigned next = j->step(l->arg, busy);

		took = clock_us() - began;
		now = l->requests(l->arg);
		if (next == JOB_MORE && busy)
			usleep(took < PAUSE_USECS ? took : PAUSE_USECS);
		busy = now != seen && next != JOB_URGENT;
		if (next == JOB_URGENT)
			next = JOB_MORE;
		if (next != JOB_MORE || clock_ms() >= end)
			return next;
		seen = now;
	}
	return JOB_DONE;
}

static unsigned run(const struct job_loop *l, unsigned job)
{
	const struct job *j = &l->jobs[job];
	unsigned next = l->rests(l->arg, job);

	if (next)
		return next;
	l->begins(l->arg, job);
	next = j->gives_way ? run_beside_requests(l, j) : run_alone(l, j);
	l->ends(l->arg, job);
	return next;
}

unsigned job_loop_round(const struct job_loop *l)
{
	unsigned soonest = 0;

	for (unsigned i = 0; i < l->nr_jobs; i++) {
		const struct job *j = &l->jobs[i];
		unsigned next = run(l, i);

		if (next && (!soonest || next < soonest))
			soonest = next;
		if (next == JOB_MORE && j->goes_first)
			break;
	}
	return soonest;
}
