/* SPDX-License-Identifier: BSD-3-Clause */
/* The process that is killed in the recovery test. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "inject.h"
#include "recovery.h"
#include "state/zsfs.h"
#include "volume/volume.h"

struct thread_arg {
	struct trial *trial;
	struct zsfs *fs;
	unsigned nr;
};

unsigned worker_context(const struct trial *t, unsigned a, uint64_t k)
{
	return t->variant->nr_actors > 1 ? a : (unsigned)(k % NR_CONTEXTS);
}

/* ---- dying ---- */

/* The kind of step the thread is in. */
static _Thread_local unsigned current_op = CRASH_ANYWHERE;

#if HAVE_HOOKS

static struct crash_plan plan; /* countdown: atomic */
static struct zsfs *crash_fs;  /* NULL while it is being opened */
static struct shared *crash_shared;

/* These look at what others are changing: only their death is wanted. */
#define RACY __attribute__((no_sanitize("thread"), noinline))

RACY static bool is_reaping(void)
{
	for (unsigned k = 0; k < crash_fs->nr_threads; k++)
		if (crash_fs->threads[k].slot->reap)
			return true;
	return crash_fs->super->reap_head != 0;
}

RACY static void note_state(void)
{
	for (unsigned k = 0; k < crash_fs->nr_threads; k++) {
		uint64_t state = crash_fs->threads[k].slot->state;

		crash_shared->active += state == TX_ACTIVE;
		crash_shared->committed += state == TX_COMMITTED;
	}
	crash_shared->reaping = is_reaping();
}

RACY static bool counts(void)
{
	if (plan.in == CRASH_REAPING)
		return is_reaping();
	return plan.in == CRASH_ANYWHERE || plan.in == current_op;
}

RACY static void crash(void)
{
	if (!counts() ||
	    __atomic_fetch_sub(&plan.countdown, 1, __ATOMIC_RELAXED) != 1)
		return;
	if (crash_fs)
		note_state();
	kill(getpid(), SIGKILL);
}

static void arm(struct crash_plan p, struct zsfs *fs, struct shared *sh)
{
	plan = p;
	crash_fs = fs;
	crash_shared = sh;
	zs_crash_hook = p.countdown ? crash : NULL;
}

#else

static void arm(struct crash_plan p, struct zsfs *fs, struct shared *sh)
{
}

#endif

/* ---- working ---- */

static void give_up(struct trial *t, const struct step *s, const char *msg)
{
	char text[1024] = "";

	if (s)
		step_print(s, text, sizeof(text));
	snprintf(t->shared->msg, sizeof(t->shared->msg), "%s: %s", text, msg);
	t->shared->failed = true;
	_exit(1);
}

static void *run_actor(void *p)
{
	struct thread_arg *arg = p;
	struct trial *t = arg->trial;
	struct actor *a = &t->actors[arg->nr];
	struct progress *pr = &t->shared->actor[arg->nr];
	struct step_out out = {.buf = malloc(STEP_MAX_OUT)};

	if (!out.buf)
		give_up(t, NULL, "no memory");
	for (uint64_t k = 0; k < MAX_STEPS; k++) {
		unsigned nr = worker_context(t, arg->nr, k);
		char msg[512];
		struct step s;

		step_draw(&a->draw, a->m, &s);
		out.res = &pr->log[k];
		out.res->err = -EINPROGRESS;
		__atomic_store_n(&pr->started, k + 1, __ATOMIC_SEQ_CST);
		current_op = s.op;
		step_run(a->m, &arg->fs->threads[nr], &s, &out);
		current_op = CRASH_ANYWHERE;
		__atomic_store_n(&pr->done, k + 1, __ATOMIC_SEQ_CST);
		if (step_follow(a->m, &s, &out, t->allow, msg, sizeof(msg)))
			give_up(t, &s, msg);
	}
	free(out.buf);
	return NULL;
}

static void run_actors(struct trial *t, struct zsfs *fs)
{
	struct thread_arg arg[MAX_ACTORS];
	pthread_t thread[MAX_ACTORS];
	unsigned n = t->variant->nr_actors;

	for (unsigned k = 0; k < n; k++)
		arg[k] = (struct thread_arg){t, fs, k};
	if (n == 1) {
		run_actor(&arg[0]);
		return;
	}
	for (unsigned k = 0; k < n; k++)
		if (pthread_create(&thread[k], NULL, run_actor, &arg[k]))
			give_up(t, NULL, "no thread");
	for (unsigned k = 0; k < n; k++)
		pthread_join(thread[k], NULL);
}

static struct zsfs *take_up(struct trial *t)
{
	struct zsfs *fs;
	int err = zsfs_open(t->fd, 0, &fs);

	if (!err)
		return fs;
	give_up(t, NULL, strerror(-err));
	return NULL;
}

static void prepare(struct shared *sh)
{
	for (unsigned k = 0; k < MAX_ACTORS; k++)
		sh->actor[k].started = sh->actor[k].done = 0;
	sh->ready = 0;
	sh->active = sh->committed = 0;
	sh->reaping = false;
}

pid_t worker_start(struct trial *t, struct crash_plan p)
{
	struct zsfs *fs;
	pid_t pid;

	prepare(t->shared);
	fflush(NULL);
	pid = fork();
	if (pid)
		return pid;
	fs = take_up(t);
	arm(p, fs, t->shared);
	__atomic_store_n(&t->shared->ready, 1, __ATOMIC_SEQ_CST);
	run_actors(t, fs);
	_exit(0);
}

pid_t worker_recover(struct trial *t, struct crash_plan p)
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid)
		return pid;
	arm(p, NULL, t->shared);
	take_up(t);
	_exit(0);
}
