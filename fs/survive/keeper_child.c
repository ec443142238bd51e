/* SPDX-License-Identifier: BSD-3-Clause */
/* The keeper's children: starting them, and what their deaths mean. */
#include "keeper_i.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "worker.h"

/*
 * Standbys that come to nothing are followed by others at once only so often;
 * then the pauses between them double, up to the longest.
 */
#define STANDBY_TRIES	10u
#define PAUSE_MSECS	10u
#define MAX_DOUBLINGS	6u
#define MAX_PAUSE_MSECS 1000u

/* ---- who serves ---- */

/* Where @pid is in state.serving; of 0 where there is room. -1 = nowhere. */
static int place_of(const struct keeper *kp, pid_t pid)
{
	for (int i = 0; i < (int)SHARED_MAX_SERVING; i++)
		if (kp->k->state.serving[i] == (uint32_t)pid)
			return i;
	return -1;
}

static bool has_room(const struct keeper *kp)
{
	return place_of(kp, 0) >= 0;
}

/* It stays in its place, so that nobody who looks misses it. */
void keeper_note_serving(struct keeper *kp, pid_t pid, bool counts)
{
	int i = place_of(kp, pid);

	if (i < 0)
		i = place_of(kp, 0);
	if (i < 0)
		return;
	kp->dropped[i] = !counts;
	shared_set(&kp->k->state.serving[i], (uint32_t)pid);
}

void keeper_note_active(struct keeper *kp, pid_t pid, unsigned bank)
{
	kp->active = pid;
	/* In this order somebody may be waited for in vain, but not missed. */
	keeper_note_serving(kp, pid, true);
	shared_set(&kp->k->state.active_pid, (uint32_t)pid);
	shared_set(&kp->k->state.active_bank, bank);
}

/* It is reaped. Is its death that of a worker? */
static bool forget(struct keeper *kp, pid_t pid)
{
	int i = place_of(kp, pid);

	if (i < 0)
		return false;
	shared_set(&kp->k->state.serving[i], 0);
	return !kp->dropped[i];
}

void keeper_stop_standby(struct keeper *kp)
{
	pid_t pid, stopped;
	bool ended;

	keeper_look_who_is_active(kp);
	pid = stopped = kp->standby;
	if (!pid)
		return;
	ended = child_stop(&stopped);
	/* It may have begun to serve just before. */
	keeper_look_who_is_active(kp);
	if (kp->active == pid)
		kp->active = 0;
	kp->standby = 0;
	if (ended) {
		forget(kp, pid);
		return;
	}
	keeper_note_serving(kp, pid, false);
	zsfs_log(LOG_WARNING,
		 "worker %d was killed and does not die: others may have to "
		 "wait for it",
		 (int)pid);
}

void keeper_stop_serving(struct keeper *kp)
{
	for (unsigned i = 0; i < SHARED_MAX_SERVING; i++) {
		pid_t pid = (pid_t)kp->k->state.serving[i];

		if (child_stop(&pid))
			shared_set(&kp->k->state.serving[i], 0);
	}
	kp->active = 0;
}

/* ---- starting processes ---- */

/* In a child. */
static void close_own_files(const struct keeper *kp)
{
	close(kp->signals);
	/* Else its own copy would hide the keeper's death from it. */
	close(kp->k->fd.alive_keeper);
	/* The same for whoever waits for the mount to work. */
	if (kp->verdict >= 0)
		close(kp->verdict);
	if (kp->replace.program >= 0)
		close(kp->replace.program);
	if (kp->witness >= 0)
		close(kp->witness);
}

pid_t keeper_start_worker(struct keeper *kp, bool first)
{
	unsigned bank = first ? 0 : !kp->k->state.active_bank;
	bool attached =
		!kp->k->config.foreground && !shared_get(&kp->k->state.detach);
	pid_t pid;

	if (!has_room(kp))
		return 0;
	pid = fork();
	kp->attached += attached;
	if (pid == 0) {
		close_own_files(kp);
		/* It would keep the mount from going away. */
		reconnect_end(&kp->reconnect);
		worker_main(kp->k, bank, first, attached);
	}
	/* Once in a row of such failures. */
	if (pid < 0 && !kp->standby_failures)
		zsfs_log(LOG_ERR, "no worker can be started: %s; trying on",
			 strerror(errno));
	return pid < 0 ? 0 : pid;
}

/* It touches the mount, which the keeper must never wait for. */
void keeper_start_teacher(struct keeper *kp)
{
	kp->teacher = fork();
	kp->taught = kp->teacher < 0;
	if (kp->taught)
		zsfs_log(
			LOG_WARNING,
			"a process cannot be started: %s; creating a file will "
			"take two requests until one is opened",
			strerror(errno));
	if (kp->teacher)
		return;
	close_own_files(kp);
	close(kp->k->fd.fuse);
	mount_teach_kernel(&kp->place);
	reconnect_parts(&kp->reconnect);
	_exit(0);
}

void keeper_give_up(struct keeper *kp, const char *why)
{
	zsfs_log(
		LOG_ERR,
		"%s: giving up. Every access to %s fails from now on; what was "
		"in it is lost; unmount it",
		why, kp->place.mountpoint);
	keeper_end(kp, 1);
}

/* ---- deaths ---- */

static void describe_status(int status, char *text, size_t size)
{
	if (WIFSIGNALED(status))
		snprintf(text, size, "was killed by signal %d (%s)%s",
			 WTERMSIG(status), strsignal(WTERMSIG(status)),
			 WTERMSIG(status) == SIGSYS
				 ? ": it called what its sandbox forbids"
				 : "");
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
	uint32_t ooms = shared_get(&kp->k->worker.oom_takeovers);
	bool same = ooms == kp->oom_takeovers;

	kp->oom_takeovers = ooms;
	return same && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

static void count_death(struct keeper *kp, pid_t pid, int status)
{
	struct shared_page *k = kp->k;
	char text[128];

	describe_status(status, text, sizeof(text));
	zsfs_log_ratelimited(LOG_NOTICE, "worker %d %s", (int)pid, text);
	k->stats.last_status = status;
	k->stats.deaths++;
	kp->failures += !was_just_killed(kp, status);
	if (__atomic_exchange_n(&k->worker.progress, 0, __ATOMIC_ACQ_REL))
		kp->failures = 0;
}

static void on_worker_death(struct keeper *kp, pid_t pid, int status)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == WORKER_DRAINED)
		return;
	/* It may have been killed on its way out. */
	if (kp->ending || shared_get(&kp->k->state.over) || !kp->answered) {
		keeper_end(kp, !kp->answered);
		return;
	}
	/* Whether there is a next connection is not decided here. */
	if (WIFEXITED(status) && WEXITSTATUS(status) == WORKER_UNMOUNTED)
		return;
	count_death(kp, pid, status);
	if (!kp->k->state.can_resend)
		keeper_give_up(
			kp, "this kernel (before 6.9) gives no successor the "
			    "requests of a dead worker");
	else if (WIFEXITED(status) && WEXITSTATUS(status) == WORKER_REFUSED)
		keeper_give_up(kp, "no worker can use what the last one left");
	else if (kp->failures >= KEEPER_GIVE_UP)
		keeper_give_up(
			kp, "too many workers died without achieving anything");
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

void keeper_no_failures(struct keeper *kp)
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
		shared_page_give_spare(kp->k);
	/* To wait for a process that may be started loses nothing. */
	if (status != -1 && ++kp->failures >= KEEPER_GIVE_UP)
		keeper_give_up(kp, "no worker can take over");
}

/* Did it stand by for a while, whatever it died of? */
static bool has_stood_by(const struct keeper *kp)
{
	return keeper_standby_is_primed(kp) &&
	       clock_ms() - kp->standby_since > MAX_PAUSE_MSECS;
}

static void on_standby_death(struct keeper *kp, int status)
{
	pid_t pid = kp->standby;

	if (has_stood_by(kp))
		keeper_no_failures(kp);
	kp->standby = 0;
	if (shared_get(&kp->k->state.over))
		return;
	/* With nobody serving, its death is that of the worker. */
	if (!kp->active && WIFEXITED(status) &&
	    WEXITSTATUS(status) == WORKER_REFUSED) {
		on_worker_death(kp, pid, status);
		return;
	}
	standby_failed(kp, status);
}

/* What kernel this is does not change any more. */
static void hear_answer(struct keeper *kp)
{
	struct shared_page *k = kp->k;

	if (!shared_is_ready(k))
		return;
	shared_set(&k->state.answered, k->state.connection);
	if (kp->answered)
		return;
	kp->answered = true;
	shared_set(&k->state.can_resend,
		   shared_get(&k->worker.can_resend) != 0);
}

/* A successor may have become the active one since. */
void keeper_look_who_is_active(struct keeper *kp)
{
	hear_answer(kp);
	if (!kp->standby ||
	    shared_get(&kp->k->worker.active_pid) != (uint32_t)kp->standby)
		return;
	/* It is dead, or has nothing to say any more. */
	if (kp->active)
		kill(kp->active, SIGKILL);
	keeper_note_active(kp, kp->standby, !kp->k->state.active_bank);
	kp->standby = 0;
	keeper_no_failures(kp);
}

bool keeper_standby_is_primed(const struct keeper *kp)
{
	return kp->standby &&
	       shared_get(&kp->k->worker.primed_pid) == (uint32_t)kp->standby;
}

/* There shall always be one, if there is any use for it. */
bool keeper_lacks_standby(const struct keeper *kp)
{
	return !kp->standby && has_room(kp) && !kp->over && !kp->lost_since &&
	       !shared_get(&kp->k->state.over) &&
	       shared_get(&kp->k->state.can_resend) &&
	       !replace_under_way(&kp->replace);
}

void keeper_need_standby(struct keeper *kp)
{
	if (!keeper_lacks_standby(kp) || clock_ms() < kp->pause_until)
		return;
	kp->standby = keeper_start_worker(kp, false);
	kp->standby_since = clock_ms();
	if (!kp->standby)
		standby_failed(kp, -1);
}

static void on_child(struct keeper *kp, pid_t pid, int status)
{
	keeper_look_who_is_active(kp);
	if (pid == kp->active)
		kp->active = 0;
	if (forget(kp, pid)) {
		on_worker_death(kp, pid, status);
	} else if (pid == kp->teacher) {
		kp->teacher = 0;
		kp->taught = true;
	} else if (pid == kp->standby) {
		on_standby_death(kp, status);
	} else {
		replace_child_died(&kp->replace, pid, status);
	}
}

void keeper_reap_children(struct keeper *kp)
{
	int status;
	pid_t pid;

	while (!kp->over && (pid = waitpid(-1, &status, WNOHANG)) > 0)
		on_child(kp, pid, status);
}
