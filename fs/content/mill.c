/* SPDX-License-Identifier: BSD-3-Clause */
/* Threads that compress groups (see mill.h). */
#include "mill.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/machine.h"
#include "base/priority.h"
#include "dense.h"
#include "state/chore.h"
#include "state/wake.h"
#include "state/zsfs.h"

#define MOST_THREADS (MILL_MOST_JOBS / 2)
/* What mill_take() waits at most. */
#define AWAIT_MSECS 2

enum job_state { JOB_FREE, JOB_TAKEN, JOB_GIVEN, JOB_AT_WORK, JOB_DONE };

struct miller {
	struct mill *mill;
	pthread_t thread;
	struct zcomp_ctx *zc; /* the owner's without a job */
};

struct mill {
	struct zsfs *fs;
	bool idle;
	pthread_mutex_t lock;
	pthread_cond_t given, done;
	enum job_state state[MILL_MOST_JOBS]; /* lock */
	bool to_wake;	  /* lock: the owner has gone to sleep */
	bool stop;	  /* lock */
	unsigned nr_jobs; /* the owner's, changed with lock */
	unsigned nr_threads;
	unsigned nr_ready; /* lock: threads with their priority */
	struct mill_job jobs[MILL_MOST_JOBS];
	struct miller millers[MOST_THREADS];
};

/* ---- jobs ---- */

/* Caller holds m->lock. */
static struct mill_job *find(struct mill *m, enum job_state from,
			     enum job_state to)
{
	for (unsigned k = 0; k < m->nr_jobs; k++) {
		if (m->state[k] != from)
			continue;
		m->state[k] = to;
		return &m->jobs[k];
	}
	return NULL;
}

/* Caller holds m->lock. */
static bool has(const struct mill *m, enum job_state state)
{
	for (unsigned k = 0; k < m->nr_jobs; k++)
		if (m->state[k] == state)
			return true;
	return false;
}

/* Caller holds m->lock. Will one be done? */
static bool has_work(const struct mill *m)
{
	return has(m, JOB_GIVEN) || has(m, JOB_AT_WORK);
}

static void set_state(struct mill *m, struct mill_job *j, enum job_state state)
{
	pthread_mutex_lock(&m->lock);
	m->state[j - m->jobs] = state;
	if (state == JOB_GIVEN)
		pthread_cond_signal(&m->given);
	pthread_mutex_unlock(&m->lock);
}

/* ---- the threads ---- */

/* Caller holds m->lock, which is dropped meanwhile. */
static void compress(struct miller *t, struct mill_job *j)
{
	struct mill *m = t->mill;
	bool wake;

	pthread_mutex_unlock(&m->lock);
	j->len = dense_compress(m->fs, t->zc, j->level, &j->g,
				settling_most(j->before), j->frame);
	pthread_mutex_lock(&m->lock);
	m->state[j - m->jobs] = JOB_DONE;
	pthread_cond_signal(&m->done);
	wake = m->to_wake;
	m->to_wake = false;
	if (!wake)
		return;
	pthread_mutex_unlock(&m->lock);
	zsfs_wake(m->fs);
	pthread_mutex_lock(&m->lock);
}

static void *miller_main(void *arg)
{
	struct miller *t = arg;
	struct mill *m = t->mill;

	pthread_setname_np(pthread_self(), "zsfs-settler");
	chore_is_of_thread(CHORE_SETTLE);
	/* Else it is as patient as the owner, which has created it. */
	if (m->idle)
		priority_low();
	pthread_mutex_lock(&m->lock);
	m->nr_ready++;
	pthread_cond_signal(&m->done);
	while (!m->stop) {
		struct mill_job *j = find(m, JOB_GIVEN, JOB_AT_WORK);

		if (j)
			compress(t, j);
		else
			pthread_cond_wait(&m->given, &m->lock);
	}
	pthread_mutex_unlock(&m->lock);
	return NULL;
}

/* ---- the owner ---- */

struct mill_job *mill_free_job(struct mill *m)
{
	struct mill_job *j;

	pthread_mutex_lock(&m->lock);
	j = find(m, JOB_FREE, JOB_TAKEN);
	pthread_mutex_unlock(&m->lock);
	return j;
}

void mill_give(struct mill *m, struct mill_job *j)
{
	set_state(m, j, JOB_GIVEN);
}

struct mill_job *mill_take(struct mill *m, bool wait)
{
	struct timespec until = clock_in_ms(AWAIT_MSECS);
	struct mill_job *j;

	pthread_mutex_lock(&m->lock);
	m->to_wake = false;
	while (!(j = find(m, JOB_DONE, JOB_TAKEN)) && wait && has_work(m))
		wait = clock_wait(&m->done, &m->lock, &until);
	m->to_wake = !j && has_work(m);
	pthread_mutex_unlock(&m->lock);
	return j;
}

void mill_free(struct mill *m, struct mill_job *j)
{
	j->g.inode = NULL;
	set_state(m, j, JOB_FREE);
}

bool mill_is_empty(struct mill *m)
{
	bool empty;

	pthread_mutex_lock(&m->lock);
	empty = !has_work(m) && !has(m, JOB_DONE);
	pthread_mutex_unlock(&m->lock);
	return empty;
}

unsigned mill_groups(struct mill *m, struct group *groups[MILL_MOST_JOBS])
{
	for (unsigned k = 0; k < m->nr_jobs; k++)
		groups[k] = &m->jobs[k].g;
	return m->nr_jobs;
}

/* ---- memory ---- */

/* The threads look for jobs whenever they wake. */
static void set_nr_jobs(struct mill *m, unsigned nr)
{
	pthread_mutex_lock(&m->lock);
	m->nr_jobs = nr;
	pthread_mutex_unlock(&m->lock);
}

static bool make_job(struct mill_job *j)
{
	*j = (struct mill_job){
		.g.plain = malloc(ZCOMP_CLUSTER_SIZE),
		.frame = malloc(ZCOMP_CLUSTER_SIZE),
	};
	if (j->g.plain && j->frame)
		return true;
	free(j->g.plain);
	free(j->frame);
	return false;
}

int mill_begin(struct mill *m)
{
	unsigned nr = 0;
	bool all = true;

	for (unsigned k = 0; k < m->nr_threads; k++) {
		m->millers[k].zc = zcomp_ctx_create();
		all &= m->millers[k].zc != NULL;
	}
	while (all && nr < 2 * m->nr_threads && make_job(&m->jobs[nr]))
		nr++;
	set_nr_jobs(m, nr);
	if (nr)
		return 0;
	mill_end(m);
	return -ENOMEM;
}

/* What is being compressed comes to its end, what waits for that does not. */
static void stop_work(struct mill *m)
{
	pthread_mutex_lock(&m->lock);
	while (find(m, JOB_GIVEN, JOB_FREE))
		;
	while (has(m, JOB_AT_WORK))
		pthread_cond_wait(&m->done, &m->lock);
	memset(m->state, JOB_FREE, sizeof(m->state));
	pthread_mutex_unlock(&m->lock);
}

void mill_end(struct mill *m)
{
	stop_work(m);
	for (unsigned k = 0; k < m->nr_threads; k++) {
		zcomp_ctx_destroy(m->millers[k].zc);
		m->millers[k].zc = NULL;
	}
	for (unsigned k = 0; k < m->nr_jobs; k++) {
		free(m->jobs[k].g.plain);
		free(m->jobs[k].frame);
		m->jobs[k] = (struct mill_job){0};
	}
	set_nr_jobs(m, 0);
}

/* ---- beginning and end ---- */

static int start_thread(struct mill *m)
{
	struct miller *t = &m->millers[m->nr_threads];
	int err;

	t->mill = m;
	err = -pthread_create(&t->thread, NULL, miller_main, t);
	m->nr_threads += !err;
	return err;
}

/* Later a sandbox keeps priorities as they are. */
static void await_priorities(struct mill *m)
{
	pthread_mutex_lock(&m->lock);
	while (m->nr_ready < m->nr_threads)
		pthread_cond_wait(&m->done, &m->lock);
	pthread_mutex_unlock(&m->lock);
}

int mill_create(struct zsfs *fs, bool idle, struct mill **out)
{
	struct mill *m = calloc(1, sizeof(*m));
	unsigned cpus = machine_cpus();
	int err = 0;

	if (!m)
		return -ENOMEM;
	m->fs = fs;
	m->idle = idle;
	pthread_mutex_init(&m->lock, NULL);
	pthread_cond_init(&m->given, NULL);
	pthread_cond_init(&m->done, NULL);
	if (cpus > MOST_THREADS)
		cpus = MOST_THREADS;
	while (!err && m->nr_threads < cpus)
		err = start_thread(m);
	/* Where fewer threads are allowed, fewer do. */
	if (!m->nr_threads) {
		mill_destroy(m);
		return err;
	}
	if (idle)
		await_priorities(m);
	*out = m;
	return 0;
}

static void join_threads(struct mill *m)
{
	pthread_mutex_lock(&m->lock);
	m->stop = true;
	pthread_cond_broadcast(&m->given);
	pthread_mutex_unlock(&m->lock);
	for (unsigned k = 0; k < m->nr_threads; k++)
		pthread_join(m->millers[k].thread, NULL);
}

void mill_destroy(struct mill *m)
{
	if (!m)
		return;
	mill_end(m);
	join_threads(m);
	pthread_cond_destroy(&m->done);
	pthread_cond_destroy(&m->given);
	pthread_mutex_destroy(&m->lock);
	free(m);
}
