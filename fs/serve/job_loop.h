/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Job loop: one round through a table of background jobs.
 *
 * Each job in its turn makes steps until nothing is left to do, or its time is
 * over. A step is one transaction, or complete in itself, so a kill may come
 * between any two. The loop keeps nothing from one round to the next: what
 * there is to do is found where it is.
 */
#ifndef FS_JOB_LOOP_H
#define FS_JOB_LOOP_H

#include <stdbool.h>
#include <stdint.h>

/* Longest turn of a job in one round. */
#define JOB_TURN_MSECS 200u

/* What a step returns; other values are milliseconds until the next look. */
enum {
	JOB_DONE = 0, /* look again when woken */
	JOB_MORE = 1, /* go on at once */
	/* And without rest, also where the job gives way: requests need it. */
	JOB_URGENT = UINT32_MAX,
};

struct job {
	/* Is there anything to do? NULL: the step finds that out. */
	bool (*wanted)(void *arg);
	/* One bounded step. @busy: requests came during the step before. */
	unsigned (*step)(void *arg, bool busy);
	/* While requests are made, half of the time is theirs (JOB_URGENT). */
	bool gives_way;
	/* The jobs below wait until nothing is left of this one. */
	bool goes_first;
};

struct job_loop {
	const struct job *jobs;
	unsigned nr_jobs;
	void *arg; /* of all functions */
	bool (*must_stop)(void *arg);
	/* Requests begun so far, to see whether any are made. */
	uint64_t (*requests)(void *arg);
	/* Around the turn of the job with that number. */
	void (*begins)(void *arg, unsigned job);
	void (*ends)(void *arg, unsigned job);
	/* Msecs for which it has no turn; 0: now. */
	unsigned (*rests)(void *arg, unsigned job);
};

/*
 * One round. Holds no lock while it calls the functions of @l. Returns after
 * how many milliseconds to look again, 0 = when woken. Once must_stop() says
 * so, no further step is made.
 */
unsigned job_loop_round(const struct job_loop *l);

#endif
