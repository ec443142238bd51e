/* SPDX-License-Identifier: BSD-3-Clause */
/* zsctl top: mounts as they work, once a second. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "args.h"
#include "history.h"
#include "screen.h"
#include "top_view.h"

#define LEAST_DELAY  0.1
#define MOST_DELAY   3600.0
#define TOP_PATIENCE 1
/* Rounds in which a mount that gave no answer is left alone. */
#define SULKING 10

struct top {
	const char *path; /* of the one that was asked for, or NULL */
	double delay;
	long rounds; /* that are left; -1: no end */
	struct history *history;
	size_t nr, selected;
	bool one; /* which view */
};

static volatile sig_atomic_t ended;

static void end(int sig)
{
	ended = sig;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- asking ---- */

static struct history *find(struct top *t, dev_t dev)
{
	for (size_t i = 0; i < t->nr; i++)
		if (t->history[i].dev == dev)
			return &t->history[i];
	return NULL;
}

static struct history *add(struct top *t, const struct mount *m)
{
	struct history *more =
		reallocarray(t->history, t->nr + 1, sizeof(*more));

	if (!more)
		return NULL;
	t->history = more;
	if (!history_init(&more[t->nr], m->at, m->dev))
		return NULL;
	return &more[t->nr++];
}

static bool is_among(const struct asked *a, size_t nr, dev_t dev)
{
	for (size_t i = 0; i < nr; i++)
		if (a[i].mount->dev == dev)
			return true;
	return false;
}

static void drop(struct top *t, size_t i)
{
	history_end(&t->history[i]);
	t->nr--;
	memmove(&t->history[i], &t->history[i + 1],
		(t->nr - i) * sizeof(*t->history));
	if (i == t->selected)
		t->one = false;
	/* The same one stays selected, or its neighbour. */
	if (i < t->selected || t->selected == t->nr)
		t->selected -= t->selected > 0;
}

/* What is not mounted any more leaves; of the only one that was asked for the
 * last values stay. */
static void drop_gone(struct top *t, const struct asked *a, size_t nr)
{
	for (size_t i = t->nr; i-- > 0 && !t->path;)
		if (!is_among(a, nr, t->history[i].dev))
			drop(t, i);
}

static size_t choose(const struct top *t, const struct mounts *all,
		     struct asked *out)
{
	char why[256];
	size_t nr = 0;

	if (t->path) {
		out[0].mount = mounts_find(all, t->path, why, sizeof(why));
		return out[0].mount ? 1 : 0;
	}
	for (size_t i = 0; i < all->nr; i++)
		if (mount_is_zsfs(&all->mount[i]) &&
		    mount_is_first(all, &all->mount[i]))
			out[nr++].mount = &all->mount[i];
	return nr;
}

static void take(struct top *t, struct asked *a, size_t nr, double time)
{
	for (size_t i = 0; i < nr; i++) {
		struct history *h = find(t, a[i].mount->dev);

		h = h ? h : add(t, a[i].mount);
		if (h)
			history_add(h, &a[i], time);
		if (h && a[i].answer == ANSWER_NONE)
			h->sulking = SULKING;
		stats_free(&a[i].stats);
	}
}

static bool is_sulking(struct top *t, dev_t dev)
{
	struct history *h = find(t, dev);

	return h && h->sulking > 0 && h->sulking--;
}

/*
 * Threads that ask in vain stay until they get an answer: not too many. How
 * many mounts are left to ask.
 */
static size_t leave_alone(struct top *t, struct asked *a, size_t nr)
{
	size_t left = 0;

	for (size_t i = 0; i < nr; i++)
		if (!is_sulking(t, a[i].mount->dev))
			a[left++] = a[i];
	return left;
}

static void ask(struct top *t, const struct mounts *all, struct asked *a)
{
	size_t nr = choose(t, all, a);

	drop_gone(t, a, nr);
	if (t->path && !nr && t->nr)
		t->history[0].answer = ANSWER_NOT_ZSFS;
	nr = leave_alone(t, a, nr);
	ask_all(all, a, nr, TOP_PATIENCE);
	take(t, a, nr, now());
}

static void look(struct top *t)
{
	struct mounts all;
	struct asked *a = NULL;

	if (!mounts_read(&all, NULL))
		a = calloc(all.nr + 1, sizeof(*a));
	if (a)
		ask(t, &all, a);
	free(a);
	mounts_free(&all);
}

/* ---- the screen ---- */

static void draw(const struct top *t)
{
	if (t->nr && (t->one || t->nr == 1))
		top_view_one(&t->history[t->selected], t->delay);
	else
		top_view_all(t->history, t->nr, t->selected, t->delay);
}

/* false: the end */
static bool act(struct top *t, int key)
{
	switch (key) {
	case 'q':
	case 'Q':
		return false;
	case KEY_ESCAPE:
		if (!t->one || t->nr < 2)
			return false;
		t->one = false;
		break;
	case SCREEN_UP:
		t->selected -= t->selected > 0;
		break;
	case SCREEN_DOWN:
		t->selected += t->selected + 1 < t->nr;
		break;
	case SCREEN_ENTER:
		t->one = true;
		break;
	default:
		return true;
	}
	draw(t);
	return true;
}

/* false: the end */
static bool wait_for_next(struct top *t, double until)
{
	while (!ended) {
		double left = until - now();
		int key;

		if (left <= 0)
			return true;
		key = screen_key((int)(left * 1000) + 1);
		if (key == SCREEN_RESIZED)
			draw(t);
		else if (key >= 0 && !act(t, key))
			return false;
	}
	return false;
}

static void watch(struct top *t)
{
	double next = now();

	do {
		look(t);
		draw(t);
		next += t->delay;
		/* After a pause the old pace is not made up for. */
		if (next < now())
			next = now() + t->delay;
	} while (--t->rounds != 0 && wait_for_next(t, next));
}

static void watch_signals(void)
{
	struct sigaction sa = {.sa_handler = end};

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGQUIT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGHUP, &sa, NULL);
}

/* ---- the command ---- */

static double parse_delay(const struct args *a, const char *text)
{
	char *rest;
	double secs = strtod(text, &rest);

	if (!*text || *rest || !(secs >= LEAST_DELAY && secs <= MOST_DELAY))
		args_refuse(a, "\"%s\" is no delay: %g to %g seconds", text,
			    LEAST_DELAY, MOST_DELAY);
	return secs;
}

static long parse_rounds(const struct args *a, const char *text)
{
	char *rest;
	long n = strtol(text, &rest, 10);

	if (!*text || *rest || n < 1)
		args_refuse(a, "\"%s\" is no number of rounds", text);
	return n;
}

static int run(struct args *a)
{
	extern char *optarg;
	struct top t = {.delay = 1, .rounds = -1};
	struct one o;
	int key, status;

	while ((key = args_next(a)) >= 0) {
		if (key == 'd')
			t.delay = parse_delay(a, optarg);
		else
			t.rounds = parse_rounds(a, optarg);
	}
	t.path = args_expect(a, 0, 1)[0];
	/* What is no mount is told as by other commands. */
	if (t.path) {
		status = one_begin(&o, t.path);
		if (status)
			return status;
		one_end(&o);
	}
	/* Where no keys come from, waiting for one would not wait. */
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return ctl_error(SCREEN_NEEDED);
	status = screen_begin();
	if (status)
		return status;
	watch_signals();
	watch(&t);
	screen_end();
	for (size_t i = 0; i < t.nr; i++)
		history_end(&t.history[i]);
	free(t.history);
	return CTL_OK;
}

static const struct ctl_option options[] = {
	{'d', "delay", "SECS", "between two looks; 1 by default"},
	{'n', "iterations", "N", "end after as many looks"},
	{0},
};

const struct ctl_command cmd_top = {
	.name = "top",
	.operands = "[MOUNT]",
	.summary = "live: requests, bytes, settling and RAM; q ends it",
	.options = options,
	.run = run,
};
