/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The two sides of the recovery test: a worker process that runs random steps
 * until it is killed, and the parent that finds out what is left.
 *
 * Both hold the same models (the worker's are the fork's copy), so the parent
 * can draw the worker's steps again. What it cannot know is in shared memory:
 * how far each actor came and the result of each step.
 */
#ifndef TESTS_MODEL_RECOVERY_H
#define TESTS_MODEL_RECOVERY_H

#include <sys/types.h>

#include "step.h"

#define MAX_ACTORS 3
#define MAX_STEPS  600 /* of one actor in one round */

/* Can the process kill itself at a given point, or only be killed? */
#define HAVE_HOOKS (ZS_DEBUG_LEVEL >= 1)

struct progress {
	uint64_t started; /* steps begun; atomic */
	uint64_t done;	  /* steps that returned; atomic */
	struct step_result log[MAX_STEPS];
};

struct shared {
	struct progress actor[MAX_ACTORS];
	uint64_t ready; /* the worker begins; atomic */
	/* What was going on when the worker killed itself. */
	unsigned active, committed; /* slots in these states */
	bool reaping;
	bool failed; /* msg says what the worker found wrong */
	char msg[2048];
};

/* One sequence of steps, in a directory of its own if there are several. */
struct actor {
	struct model *m;
	struct draw draw;
};

struct variant {
	const char *name;
	struct draw draw;
	unsigned nr_actors; /* 1: steps take turns on all threads' contexts */
	bool limited;	    /* at the smallest mem_limit= */
	unsigned share;	    /* percent of all kills */
};

struct trial {
	const struct variant *variant;
	int fd;		/* the arena */
	unsigned allow; /* FOLLOW_* */
	struct actor actors[MAX_ACTORS];
	struct shared *shared;
};

#define NR_CONTEXTS 3u

/* Where a worker kills itself. */
struct crash_plan {
	uint64_t countdown; /* of crash points; 0 = only the caller kills */
	/* Count only those in steps of this kind, or while something is to be
	 * reaped, or all. */
	unsigned in; /* enum step_op, CRASH_REAPING, CRASH_ANYWHERE */
};

#define CRASH_ANYWHERE (STEP_NR + 0u)
#define CRASH_REAPING  (STEP_NR + 1u)

/* ---- recovery_worker.c ---- */

/*
 * Fork a process that takes up the arena and runs steps until it is killed or
 * has done them all.
 */
pid_t worker_start(struct trial *t, struct crash_plan plan);

/* The same, but recovers only. */
pid_t worker_recover(struct trial *t, struct crash_plan plan);

/* The context that step number @k of actor @a runs in. */
unsigned worker_context(const struct trial *t, unsigned a, uint64_t k);

#endif
