/* SPDX-License-Identifier: BSD-3-Clause */
/* zsctl wait-ready, replace: for scripts. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "args.h"
#include "ask.h"
#include "program.h"

#define STANDBY_KEY  256
#define LOOK_NSECS   20000000
#define DEFAULT_SECS 30.0

/* ---- wait-ready ---- */

/* One without survival is ready when it answers. */
static bool is_ready(const char *path, bool standby)
{
	struct asked a = {.answer = ANSWER_OTHER};
	struct mounts all;
	char why[256];

	if (!mounts_read(&all, NULL))
		a.mount = mounts_find(&all, path, why, sizeof(why));
	stats_init(&a.stats);
	if (a.mount)
		ask_all(&all, &a, 1, PATIENCE);
	if (a.answer == ANSWERED && standby && a.stats.survive > 0 &&
	    a.stats.standby == 0)
		a.answer = ANSWER_OTHER;
	mounts_free(&all);
	stats_free(&a.stats);
	return a.answer == ANSWERED;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int wait_ready(const char *path, double secs, bool standby)
{
	struct timespec pause = {.tv_nsec = LOOK_NSECS};
	double end = now() + secs;

	while (!is_ready(path, standby)) {
		if (now() >= end) {
			ctl_error("%s: not ready after %g second%s", path, secs,
				  secs == 1 ? "" : "s");
			return CTL_TIMEOUT;
		}
		nanosleep(&pause, NULL);
	}
	return CTL_OK;
}

static double parse_secs(const struct args *a, const char *text)
{
	char *end;
	double secs = strtod(text, &end);

	if (!*text || *end || !(secs >= 0 && secs <= 1e9))
		args_refuse(a, "\"%s\" is no number of seconds", text);
	return secs;
}

static int run_wait(struct args *a)
{
	extern char *optarg;
	double secs = DEFAULT_SECS;
	bool standby = false;
	int key;

	while ((key = args_next(a)) >= 0) {
		if (key == 't')
			secs = parse_secs(a, optarg);
		standby |= key == STANDBY_KEY;
	}
	return wait_ready(args_expect(a, 1, 1)[0], secs, standby);
}

static const struct ctl_option wait_options[] = {
	{STANDBY_KEY, "standby", NULL,
	 "also until another process could take over"},
	{'t', "timeout", "SECS",
	 "give up after these, with status 3; default 30"},
	{0},
};

const struct ctl_command cmd_wait_ready = {
	.name = "wait-ready",
	.operands = "MOUNT",
	.summary = "wait until a zsfs is mounted there and answers",
	.options = wait_options,
	.run = run_wait,
};

/* ---- replace ---- */

static int run_replace(struct args *a)
{
	char *argv[] = {NULL, (char *)"--replace", NULL, NULL};
	struct one o;
	int status;

	while (args_next(a) >= 0)
		;
	status = one_begin(&o, args_expect(a, 1, 1)[0]);
	if (status)
		return status;
	argv[2] = (char *)o.at;
	fflush(stdout);
	program_exec_zsfs(argv);
	return ctl_error("zsfs: %s", strerror(errno));
}

const struct ctl_command cmd_replace = {
	.name = "replace",
	.operands = "MOUNT",
	.summary = "put the installed program under a live mount",
	.run = run_replace,
};
