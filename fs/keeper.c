/* SPDX-License-Identifier: BSD-3-Clause */
/* The process that holds the mount and lets workers serve it (see keeper.h). */
#include "keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "clock.h"
#include "daemon.h"
#include "keep.h"
#include "log.h"
#include "mount.h"
#include "proctitle.h"
#include "replace.h"
#include "worker.h"

/* What open files may delay the end after an unmount that was asked for. */
#define END_MSECS 2500
/*
 * Standbys that come to nothing are followed by others at once only so often;
 * then the pauses between them double, up to the longest.
 */
#define STANDBY_TRIES	10u
#define PAUSE_MSECS	10u
#define MAX_DOUBLINGS	6u
#define MAX_PAUSE_MSECS 1000u
/* For workers to let go of the starter's terminal. */
#define DETACH_MSECS 1000

struct keeper {
	struct keep *k;
	struct mount_place place;
	int signals;		/* signalfd */
	pid_t active;		/* 0 = it has died */
	pid_t standby;		/* 0 = none */
	pid_t teacher;		/* 0 = not running */
	bool taught;		/* the mount was seen to work */
	bool settled;		/* started, and gone to the background */
	bool worked;		/* whoever started it was told that it works */
	unsigned failures;	/* deaths that count (keeper.h), in a row */
	uint32_t oom_takeovers; /* when a worker last died */
	unsigned standby_failures; /* in a row */
	uint64_t standby_since;	   /* clock_ms() */
	uint64_t pause_until; /* no standby is started before, clock_ms() */
	unsigned attached;    /* workers started with the terminal */
	bool ending;	      /* the end was asked for */
	bool over;	      /* leave the loop */
	int status;	      /* exit code then */
	struct replace replace;
};

/* ---- starting processes ---- */

static pid_t start_worker(struct keeper *kp, bool first)
{
	unsigned bank = first ? 0 : !kp->k->active_bank;
	bool attached = !kp->k->foreground && !keep_get(&kp->k->detach);
	pid_t pid = fork();

	kp->attached += attached;
	if (pid == 0) {
		close(kp->signals);
		/* Else its own copy would hide the keeper's death from it. */
		close(kp->k->alive_keeper_fd);
		worker_main(kp->k, bank, first, attached);
	}
	/* Once in a row of such failures. */
	if (pid < 0 && !kp->standby_failures)
		zsfs_log(LOG_ERR, "no worker can be started: %s; trying on",
			 strerror(errno));
	return pid < 0 ? 0 : pid;
}

/* It touches the mount, which the keeper must never wait for. */
static void start_teacher(struct keeper *kp)
{
	kp->teacher = fork();
	if (kp->teacher)
		return;
	close(kp->signals);
	close(kp->k->alive_keeper_fd);
	close(kp->k->fuse_fd);
	mount_teach_kernel(&kp->place);
	_exit(0);
}

/* ---- endings ---- */

static void stop_child(pid_t *pid)
{
	if (*pid > 0) {
		kill(*pid, SIGKILL);
		waitpid(*pid, NULL, 0);
	}
	*pid = 0;
}

static void end(struct keeper *kp, int status)
{
	keep_set(&kp->k->over, 1);
	kp->over = true;
	kp->status = status;
}

static void give_up(struct keeper *kp, const char *why)
{
	zsfs_log(
		LOG_ERR,
		"%s: giving up. Every access to %s fails from now on; what was "
		"in it is lost; unmount it",
		why, kp->place.mountpoint);
	end(kp, 1);
}

static void begin_end(struct keeper *kp, int sig)
{
	if (kp->ending)
		return;
	zsfs_log(LOG_INFO, "signal %d (%s): unmounting", sig, strsignal(sig));
	kp->ending = true;
	keep_set(&kp->k->over, 1);
	mount_detach(&kp->place);
}

/* ---- deaths ---- */

static void describe_status(int status, char *text, size_t size)
{
	if (WIFSIGNALED(status))
		snprintf(text, size, "was killed by signal %d (%s)",
			 WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		snprintf(text, size, "ended with status %d",
			 WEXITSTATUS(status));
}

static bool crashed(int status)
{
	return WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL;
}

/* Somebody's kill -9 says nothing about the worker; one for memory does. */
static bool was_just_killed(struct keeper *kp, int status)
{
	uint32_t ooms = keep_get(&kp->k->oom_takeovers);
	bool same = ooms == kp->oom_takeovers;

	kp->oom_takeovers = ooms;
	return same && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

static void count_death(struct keeper *kp, pid_t pid, int status)
{
	struct keep *k = kp->k;
	char text[128];

	describe_status(status, text, sizeof(text));
	zsfs_log(LOG_NOTICE, "worker %d %s", (int)pid, text);
	k->last_status = status;
	k->deaths++;
	kp->failures += !was_just_killed(kp, status);
	if (keep_get(&k->progress))
		kp->failures = 0;
	keep_set(&k->progress, 0);
}

static void on_worker_death(struct keeper *kp, pid_t pid, int status)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == WORKER_UNMOUNTED) {
		end(kp, 0);
		return;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == WORKER_DRAINED)
		return;
	/* It may have been killed on its way out. */
	if (kp->ending || keep_get(&kp->k->over) || !kp->k->ready) {
		end(kp, !kp->k->ready);
		return;
	}
	count_death(kp, pid, status);
	if (!kp->k->can_resend)
		give_up(kp, "this kernel (before 6.9) gives no successor the "
			    "requests of a dead worker");
	else if (WIFEXITED(status) && WEXITSTATUS(status) == WORKER_REFUSED)
		give_up(kp, "no worker can use what the last one left");
	else if (kp->failures >= KEEPER_GIVE_UP)
		give_up(kp, "too many workers died without achieving anything");
}

static void pause_standbys(struct keeper *kp)
{
	unsigned n = kp->standby_failures;
	uint64_t pause = 0;

	if (n >= STANDBY_TRIES)
		pause = n - STANDBY_TRIES > MAX_DOUBLINGS
				? MAX_PAUSE_MSECS
				: PAUSE_MSECS << (n - STANDBY_TRIES);
	if (n == STANDBY_TRIES)
		zsfs_log(
			LOG_NOTICE,
			"%u workers in a row came to nothing before they could "
			"serve (is there memory?): trying on, with pauses",
			n);
	kp->pause_until = clock_ms() + pause;
}

static void no_failures(struct keeper *kp)
{
	kp->standby_failures = 0;
	kp->pause_until = 0;
}

/* @status: of waitpid(), -1 = none was started at all. */
static void standby_failed(struct keeper *kp, int status)
{
	bool by_itself = status != -1 && crashed(status);

	kp->standby_failures++;
	/* One that crashed with nobody serving: its like will do no better. */
	if (kp->active || !by_itself)
		pause_standbys(kp);
	if (kp->active)
		return;
	/* There may be too little memory for anybody to get that far. */
	if (!by_itself)
		keep_give_spare(kp->k);
	/* To wait for a process that may be started loses nothing. */
	if (status != -1 && ++kp->failures >= KEEPER_GIVE_UP)
		give_up(kp, "no worker can take over");
}

/* Did it stand by for a while, whatever it died of? */
static bool has_stood_by(const struct keeper *kp)
{
	return keep_get(&kp->k->primed_pid) == (uint32_t)kp->standby &&
	       clock_ms() - kp->standby_since > MAX_PAUSE_MSECS;
}

static void on_standby_death(struct keeper *kp, int status)
{
	pid_t pid = kp->standby;

	if (has_stood_by(kp))
		no_failures(kp);
	kp->standby = 0;
	if (keep_get(&kp->k->over))
		return;
	/* With nobody serving, its death is that of the worker. */
	if (!kp->active && WIFEXITED(status) &&
	    WEXITSTATUS(status) == WORKER_REFUSED) {
		on_worker_death(kp, pid, status);
		return;
	}
	standby_failed(kp, status);
}

/* A successor may have become the active one since. */
static void look_who_is_active(struct keeper *kp)
{
	pid_t pid = (pid_t)keep_get(&kp->k->active_pid);

	if (pid == kp->active || (pid != kp->standby && pid != kp->replace.pid))
		return;
	kp->active = pid;
	if (pid == kp->standby)
		kp->standby = 0;
	no_failures(kp);
}

/* There shall always be one, if there is any use for it. */
static bool lacks_standby(const struct keeper *kp)
{
	return !kp->standby && !kp->over && !keep_get(&kp->k->over) &&
	       keep_get(&kp->k->can_resend) && !replace_under_way(&kp->replace);
}

static void need_standby(struct keeper *kp)
{
	if (!lacks_standby(kp) || clock_ms() < kp->pause_until)
		return;
	kp->standby = start_worker(kp, false);
	kp->standby_since = clock_ms();
	if (!kp->standby)
		standby_failed(kp, -1);
}

static void on_child(struct keeper *kp, pid_t pid, int status)
{
	look_who_is_active(kp);
	if (pid == kp->teacher) {
		kp->teacher = 0;
		kp->taught = true;
	} else if (pid == kp->standby) {
		on_standby_death(kp, status);
	} else if (replace_child_died(&kp->replace, pid, status)) {
		return;
	} else {
		if (pid == kp->active)
			kp->active = 0;
		on_worker_death(kp, pid, status);
	}
}

static void reap_children(struct keeper *kp)
{
	int status;
	pid_t pid;

	while (!kp->over && (pid = waitpid(-1, &status, WNOHANG)) > 0)
		on_child(kp, pid, status);
}

/* ---- the loop ---- */

/* The new program's worker takes the place of the standby. */
static void begin_replacement(struct keeper *kp,
			      const struct signalfd_siginfo *info)
{
	if (!kp->settled || kp->ending || replace_under_way(&kp->replace))
		return;
	look_who_is_active(kp);
	stop_child(&kp->standby);
	look_who_is_active(kp);
	replace_begin(&kp->replace, info);
}

static void read_signals(struct keeper *kp)
{
	struct signalfd_siginfo info;

	while (read(kp->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGUSR2)
			begin_replacement(kp, &info);
		else if (info.ssi_signo != SIGCHLD)
			begin_end(kp, (int)info.ssi_signo);
	}
}

static void wait_for_news(struct keeper *kp, int msecs)
{
	/* Whoever serves notices itself that the mount is gone. */
	bool look = !kp->active && !keep_get(&kp->k->over);
	struct pollfd fds[3] = {
		{kp->signals, POLLIN, 0},
		{kp->k->wake_fd, POLLIN, 0},
		{look ? kp->k->fuse_fd : -1, 0, 0},
	};
	uint64_t n;

	if (poll(fds, 3, msecs) > 0 && fds[1].revents)
		n = (uint64_t)read(kp->k->wake_fd, &n, sizeof(n));
	if (fds[2].revents & POLLERR)
		keep_set(&kp->k->over, 1);
	read_signals(kp);
}

static int timeout_of(const struct keeper *kp)
{
	uint64_t now = clock_ms();

	if (kp->ending)
		return END_MSECS;
	if (replace_under_way(&kp->replace) || !kp->taught)
		return 10;
	if (keep_get(&kp->k->detached) < kp->attached && !kp->settled)
		return 10;
	if (!lacks_standby(kp))
		return -1;
	return now < kp->pause_until ? (int)(kp->pause_until - now) : 0;
}

/*
 * Unmounted while nobody was the active one: a standby that found the mount
 * gone has said so and left.
 */
static void end_without_workers(struct keeper *kp)
{
	if (keep_get(&kp->k->over) && !kp->over && !kp->active &&
	    !kp->standby && !kp->replace.pid)
		end(kp, 0);
}

/* One round; returns when something happened, or time is up. */
static void look_around(struct keeper *kp)
{
	wait_for_news(kp, timeout_of(kp));
	look_who_is_active(kp);
	reap_children(kp);
	if (!kp->ending && !kp->over && replace_step(&kp->replace, kp->active))
		no_failures(kp);
	end_without_workers(kp);
	need_standby(kp);
}

/* Unmounted on demand: files that are open keep the worker for a while. */
static void wait_for_end(struct keeper *kp)
{
	uint64_t until = clock_ms() + END_MSECS;

	while (!kp->over) {
		uint64_t now = clock_ms();

		if (now >= until) {
			zsfs_log(LOG_NOTICE,
				 "files are still open on %s: they end now",
				 kp->place.mountpoint);
			end(kp, 0);
			return;
		}
		wait_for_news(kp, (int)(until - now));
		look_who_is_active(kp);
		reap_children(kp);
		end_without_workers(kp);
	}
}

static int keep_going(struct keeper *kp)
{
	kp->settled = true;
	need_standby(kp);
	while (!kp->over && !kp->ending)
		look_around(kp);
	if (!kp->over)
		wait_for_end(kp);
	stop_child(&kp->teacher);
	stop_child(&kp->standby);
	stop_child(&kp->replace.pid);
	stop_child(&kp->active);
	close(kp->k->fuse_fd);
	/* What worked and ended badly stays, so that nobody writes below it. */
	if (kp->status == 0 || !kp->worked)
		mount_detach_dead(&kp->place);
	if (kp->taught && kp->status == 0)
		zsfs_log(LOG_INFO, "unmounted from %s", kp->place.mountpoint);
	return kp->status;
}

/* ---- beginning ---- */

static void init_keeper(struct keeper *kp, struct keep *k)
{
	sigset_t set;

	prctl(PR_SET_NAME, "zsfs");
	proctitle_set("keeper", k->mountpoint);
	*kp = (struct keeper){.k = k, .place.mountpoint = k->mountpoint};
	memcpy(kp->place.dev, k->dev, sizeof(kp->place.dev));
	replace_init(&kp->replace, k);
	daemon_signals(&set);
	sigaddset(&set, SIGCHLD);
	kp->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	kp->oom_takeovers = keep_get(&k->oom_takeovers);
	keep_set(&k->keeper_pid, (uint32_t)getpid());
}

static void until_ready(struct keeper *kp)
{
	while (!kp->over && !kp->ending && !keep_get(&kp->k->ready)) {
		wait_for_news(kp, -1);
		reap_children(kp);
	}
}

static void until_taught(struct keeper *kp)
{
	start_teacher(kp);
	while (!kp->over && !kp->ending && !kp->taught)
		look_around(kp);
}

/* The first workers have the starter's files, too. */
static void until_detached(struct keeper *kp)
{
	uint64_t until = clock_ms() + DETACH_MSECS;

	keep_set(&kp->k->detach, 1);
	while (!kp->over && !kp->ending && clock_ms() < until &&
	       keep_get(&kp->k->detached) < kp->attached)
		look_around(kp);
}

static void say_what_survives(const struct keep *k)
{
	if (k->can_resend)
		return;
	zsfs_log(LOG_NOTICE,
		 "this kernel cannot send requests again (that came with 6.9): "
		 "the content will not survive the death of the daemon");
}

int keeper_run(struct keep *k, struct daemon *d)
{
	struct keeper kp;
	int err;

	init_keeper(&kp, k);
	kp.active = start_worker(&kp, true);
	if (!kp.active)
		end(&kp, 1);
	until_ready(&kp);
	if (!kp.over && !kp.ending) {
		k->read_ahead_kb = mount_raise_read_ahead(&kp.place);
		say_what_survives(k);
		need_standby(&kp);
		until_taught(&kp);
		until_detached(&kp);
	}
	err = kp.over || kp.ending ? 0 : daemon_ready(d);
	if (err) {
		zsfs_log(LOG_ERR, "going to the background failed: %s",
			 strerror(-err));
		end(&kp, 1);
	}
	if (!kp.over && !kp.ending) {
		zsfs_log(LOG_INFO, "mounted on %s", k->mountpoint);
		kp.worked = true;
	}
	return keep_going(&kp);
}

int keeper_resume(struct keep *k)
{
	siginfo_t info;
	struct keeper kp;

	fcntl(k->alive_keeper_fd, F_SETFD, FD_CLOEXEC);
	init_keeper(&kp, k);
	kp.active = (pid_t)keep_get(&k->active_pid);
	if (waitid(P_PID, (id_t)kp.active, &info, WEXITED | WNOHANG | WNOWAIT))
		kp.active = 0; /* its death has been seen already */
	kp.taught = kp.worked = true;
	kp.ending = keep_get(&k->over);
	keep_set(&k->replace, REPLACE_DONE);
	zsfs_log(LOG_NOTICE, "%s is now served by version " ZSFS_VERSION,
		 k->mountpoint);
	return keep_going(&kp);
}
