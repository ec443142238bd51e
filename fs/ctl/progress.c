/* SPDX-License-Identifier: BSD-3-Clause */
/* Long work with a bar (see progress.h). */
#include "progress.h"

#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "ask.h"
#include "ctl.h"
#include "format.h"

#define BAR_WIDTH   40
#define LOOK_NSECS  100000000 /* between looks */
#define FIRST_NSECS 30000000  /* what is done by then needs no bar */

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- the thread that works ---- */

struct work {
	struct progress *p;
	pthread_mutex_t lock; /* done */
	pthread_cond_t changed;
	bool done;
};

static void *do_work(void *arg)
{
	struct work *w = arg;

	w->p->err = ask_write(w->p->at, w->p->file, "1");
	pthread_mutex_lock(&w->lock);
	w->done = true;
	pthread_cond_signal(&w->changed);
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

static bool await(struct work *w, long nsecs)
{
	struct timespec t;
	bool done;
	int err = 0;

	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_nsec += nsecs;
	t.tv_sec += t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	pthread_mutex_lock(&w->lock);
	while (!w->done && !err)
		err = pthread_cond_timedwait(&w->changed, &w->lock, &t);
	done = w->done;
	pthread_mutex_unlock(&w->lock);
	return done;
}

/* ---- the thread that looks ---- */

/*
 * The work itself may be why there is no answer. The bar goes on meanwhile, and
 * one question waits. It may wait when the work is done, and ends with zsctl.
 */
static struct {
	pthread_mutex_t lock; /* ended, done, all */
	bool ended;
	int64_t done, all;
	bool (*look)(const char *at, int64_t *done, int64_t *all);
	char at[PATH_MAX];
} looker = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool note(bool good, int64_t done, int64_t all)
{
	bool ended;

	pthread_mutex_lock(&looker.lock);
	if (good) {
		looker.done = done;
		looker.all = all;
	}
	ended = looker.ended;
	pthread_mutex_unlock(&looker.lock);
	return !ended;
}

static void *keep_looking(void *arg)
{
	struct timespec pause = {.tv_nsec = LOOK_NSECS};
	int64_t done = 0, all = 0;
	bool good;

	(void)arg;
	do {
		nanosleep(&pause, NULL);
		good = looker.look(looker.at, &done, &all);
	} while (note(good, done, all));
	return NULL;
}

static void start_looking(const struct progress *p)
{
	pthread_t thread;

	if (!p->look)
		return;
	looker.look = p->look;
	snprintf(looker.at, sizeof(looker.at), "%s", p->at);
	if (!pthread_create(&thread, NULL, keep_looking, NULL))
		pthread_detach(thread);
}

static void end_looking(void)
{
	pthread_mutex_lock(&looker.lock);
	looker.ended = true;
	pthread_mutex_unlock(&looker.lock);
}

static void last_look(int64_t *done, int64_t *all)
{
	pthread_mutex_lock(&looker.lock);
	*done = looker.done;
	*all = looker.all;
	pthread_mutex_unlock(&looker.lock);
}

/* ---- the bar ---- */

static void draw(const struct progress *p, double since)
{
	int64_t done, all;
	char bar[FORMAT_BAR], share[FORMAT_SIZE];
	double percent = 0;

	last_look(&done, &all);
	if (all > 0)
		percent = 100.0 * (double)done / (double)all;
	percent = percent > 100 ? 100 : percent;
	fprintf(stderr, "\r%-8s %s %5s  %.1f s ", p->file,
		format_bar(bar, percent, BAR_WIDTH, ctl_has_utf8()),
		all > 0 ? format_percent(share, percent) : "", now() - since);
	fflush(stderr);
}

static void watch(struct work *w, double since)
{
	if (await(w, FIRST_NSECS))
		return;
	start_looking(w->p);
	do
		draw(w->p, since);
	while (!await(w, LOOK_NSECS));
	end_looking();
	fprintf(stderr, "\r\033[K");
}

/* The prompt comes below the bar; what is under way is interrupted. */
static void interrupt(int sig)
{
	ssize_t n = write(STDERR_FILENO, "\n", 1);

	(void)n;
	signal(sig, SIG_DFL);
	raise(sig);
}

void progress_run(struct progress *p)
{
	struct work w = {.p = p};
	double since = now();
	pthread_t thread;

	pthread_mutex_init(&w.lock, NULL);
	pthread_cond_init(&w.changed, NULL);
	if (p->shown && isatty(STDERR_FILENO) &&
	    !pthread_create(&thread, NULL, do_work, &w)) {
		signal(SIGINT, interrupt);
		watch(&w, since);
		pthread_join(thread, NULL);
	} else {
		do_work(&w);
	}
	p->secs = now() - since;
}
