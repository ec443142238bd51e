/* SPDX-License-Identifier: BSD-3-Clause */
/* The background thread (see background.h). */
#include "background.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <syslog.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "content/allocate.h"
#include "control/vfile.h"
#include "idle.h"
#include "ops.h"
#include "poison.h"
#include "pressure.h"
#include "request.h"
#include "state/threads.h"
#include "state/tx.h"
#include "state/wake.h"
#include "state/zsfs.h"
#include "tree/reap.h"

/* Between looks at a file system that is busy, or short of memory. */
#define LOOK_MSECS 200
/* The same for what can wait: taking the spare (shared_page.h) when there is
 * room. */
#define SPARE_MSECS 5000
/* Steps of reaping, after which a live check or a request may come in. */
#define REAP_STEPS 2
/* Longest pause after them while requests are being made. */
#define PAUSE_USECS 2000u

/* Steps of an allocation, after which a live check may come in. */
#define ALLOCATE_STEPS 8

/* What is left of a request for room. */
struct job {
	struct job *next;
	struct fuse_req *req;
	struct allocation a;
};

struct background {
	struct zsfs *fs;
	struct wake *wake; /* the file system's */
	pthread_t thread;
	bool stop;	  /* wake.lock */
	bool check;	  /* wake.lock: it was a takeover, so verify */
	bool verify;	  /* of the thread: still to be done */
	uint64_t seen;	  /* of the thread: requests when it last looked */
	struct idle idle; /* of the thread */
	struct job *jobs; /* wake.lock: the first is being done */
};

static uint64_t requests_begun(const struct zsfs *fs)
{
	uint64_t n = 0;

	for (unsigned k = 0; k + 1 < fs->nr_threads; k++)
		for (unsigned op = 0; op < ZSFS_NR_OPCODES; op++)
			n += __atomic_load_n(&fs->threads[k].slot->requests[op],
					     __ATOMIC_RELAXED);
	return n;
}

static bool must_stop(struct background *b)
{
	bool stop;

	pthread_mutex_lock(&b->wake->lock);
	stop = b->stop;
	pthread_mutex_unlock(&b->wake->lock);
	return stop;
}

/*
 * A few steps. With @share, what is being freed is left on the list, where who
 * waits for room goes on with it.
 */
static bool reap_some(struct zsfs_thread *th, bool share)
{
	bool more = true;

	zsfs_enter(th);
	for (unsigned n = 0; more && n < REAP_STEPS; n++)
		more = reap_step(th);
	if (share)
		reap_hand_over(th);
	zsfs_leave(th);
	return more;
}

/*
 * True: not all was reaped in the time that one round has. While requests are
 * made, half of the time is theirs: with few processors they would else wait
 * for this thread's whole turn.
 */
static bool reap_for_a_while(struct background *b)
{
	struct zsfs_thread *th = zsfs_background(b->fs);
	uint64_t end = clock_ms() + LOOK_MSECS;
	uint64_t seen = requests_begun(b->fs);
	bool more = true, busy = false;

	while (more && !must_stop(b) && clock_ms() < end) {
		uint64_t began = clock_us(), now, took;

		more = reap_some(th, busy);
		took = clock_us() - began;
		now = requests_begun(b->fs);
		if (more && busy)
			usleep(took < PAUSE_USECS ? took : PAUSE_USECS);
		busy = now != seen;
		seen = now;
	}
	return more;
}

static struct job *first_job(struct background *b)
{
	struct job *j;

	pthread_mutex_lock(&b->wake->lock);
	j = b->stop ? NULL : b->jobs;
	pthread_mutex_unlock(&b->wake->lock);
	return j;
}

static void drop_first_job(struct background *b)
{
	struct job *j = b->jobs;

	pthread_mutex_lock(&b->wake->lock);
	b->jobs = j->next;
	pthread_mutex_unlock(&b->wake->lock);
	free(j);
}

/* True: there is more than one round has time for. */
static bool allocate_for_a_while(struct background *b)
{
	struct zsfs_thread *th = zsfs_background(b->fs);
	uint64_t end = clock_ms() + LOOK_MSECS;
	struct job *j;

	while ((j = first_job(b)) && clock_ms() < end) {
		struct tx *tx;
		int err;

		zsfs_enter(th);
		err = zsfs_allocate_steps(th, &j->a, ALLOCATE_STEPS, &tx);
		if (!err)
			tx_commit(tx);
		zsfs_leave(th);
		if (err == 1)
			continue;
		/* Not on record: what is done is found done if asked again. */
		reply_error(j->req, err);
		drop_first_job(b);
	}
	return j;
}

/* Only while nothing else goes on: a check keeps all requests waiting. */
static void try_verify(struct background *b)
{
	uint64_t now = requests_begun(b->fs);
	bool idle = now == b->seen;
	int err;

	b->seen = now;
	if (!idle)
		return;
	err = control_verify_gently(b->fs);
	b->verify = err == -EAGAIN || err == -EBUSY;
	if (!err)
		zsfs_log(LOG_INFO, "verified after the takeover: clean");
}

/* One round; after how many milliseconds there is more to do, 0 = none. */
static unsigned work(struct background *b)
{
	bool more = pressure_check(b->fs);
	bool busy = allocate_for_a_while(b);
	unsigned idle;

	if (reap_for_a_while(b))
		return 1;
	if (b->verify)
		try_verify(b);
	zsfs_log_left_out(false);
	idle = idle_look(b->fs, &b->idle);
	if (busy)
		return 1;
	if (b->verify || b->fs->super->pressure_used)
		return LOOK_MSECS;
	if (idle)
		return idle;
	return more ? SPARE_MSECS : 0;
}

static void wait_a_while(struct background *b, unsigned msecs)
{
	struct timespec until = clock_in_ms(msecs);

	clock_wait(&b->wake->rung, &b->wake->lock, &until);
}

static void *background_main(void *arg)
{
	struct background *b = arg;
	unsigned more = 0;

	zsfs_thread_lives(b->fs, b->fs->nr_threads - 1);
	/* Nobody's request is to blame for what happens here. */
	poison_this_thread(zsfs_background(b->fs)->slot);
	request_answer_deferred();
	pthread_mutex_lock(&b->wake->lock);
	while (!b->stop) {
		if (more && !b->wake->look)
			wait_a_while(b, more);
		while (!more && !b->wake->look && !b->stop)
			pthread_cond_wait(&b->wake->rung, &b->wake->lock);
		if (b->stop)
			break;
		b->verify |= b->check;
		b->wake->look = b->check = false;
		pthread_mutex_unlock(&b->wake->lock);
		more = work(b);
		pthread_mutex_lock(&b->wake->lock);
	}
	pthread_mutex_unlock(&b->wake->lock);
	return NULL;
}

int background_start(struct zsfs *fs, struct background **out)
{
	struct background *b = calloc(1, sizeof(*b));
	int err;

	if (!b)
		return -ENOMEM;
	b->fs = fs;
	b->wake = &fs->wake;
	err = pthread_create(&b->thread, NULL, background_main, b);
	if (err) {
		free(b);
		return -err;
	}
	fs->background = b;
	*out = b;
	return 0;
}

void background_go(struct background *b, bool after_takeover)
{
	/* The last worker may have freed what it had no time to give back. */
	if (after_takeover)
		zsfs_note_freed(b->fs);
	pthread_mutex_lock(&b->wake->lock);
	b->wake->look = true;
	b->check = after_takeover;
	pthread_cond_signal(&b->wake->rung);
	pthread_mutex_unlock(&b->wake->lock);
}

bool background_allocate(struct background *b, struct fuse_req *req,
			 const struct allocation *a)
{
	struct job *j = malloc(sizeof(*j)), **last;

	if (!j)
		return false;
	*j = (struct job){.req = req, .a = *a};
	pthread_mutex_lock(&b->wake->lock);
	for (last = &b->jobs; *last; last = &(*last)->next)
		;
	*last = j;
	b->wake->look = true;
	pthread_cond_signal(&b->wake->rung);
	pthread_mutex_unlock(&b->wake->lock);
	return true;
}

void background_stop(struct background *b)
{
	if (!b)
		return;
	pthread_mutex_lock(&b->wake->lock);
	b->stop = true;
	pthread_cond_signal(&b->wake->rung);
	pthread_mutex_unlock(&b->wake->lock);
	pthread_join(b->thread, NULL);
	b->fs->background = NULL;
	while (b->jobs) {
		reply_error(b->jobs->req, -ENOTCONN); /* frees the request */
		drop_first_job(b);
	}
	free(b);
}
