/* SPDX-License-Identifier: BSD-3-Clause */
/* The process that holds the mount and lets workers serve it (see keeper.h). */
#include "keeper_i.h"

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

#include "base/clock.h"
#include "base/log.h"
#include "base/memlock.h"
#include "base/proctitle.h"
#include "daemon.h"

/* What open files may delay the end after an unmount that was asked for. */
#define END_MSECS 2500
/* For workers to let go of the starter's terminal. */
#define DETACH_MSECS 1000

/* ---- endings ---- */

void keeper_end(struct keeper *kp, int status)
{
	shared_set(&kp->k->state.over, 1);
	kp->over = true;
	kp->status = status;
}

static void begin_end(struct keeper *kp, int sig)
{
	if (kp->ending)
		return;
	zsfs_log(LOG_INFO, "signal %d (%s): unmounting", sig, strsignal(sig));
	kp->ending = true;
	shared_set(&kp->k->state.over, 1);
	mount_detach(&kp->place);
}

/* ---- the loop ---- */

/* The new program's worker takes the place of the standby. */
static void begin_replacement(struct keeper *kp,
			      const struct signalfd_siginfo *info)
{
	if (!kp->settled || kp->ending || kp->handing ||
	    replace_under_way(&kp->replace))
		return;
	/* It would not know what has become of the mount meanwhile. */
	if (kp->lost_since) {
		replace_decline(&kp->replace, "the mount has no connection to "
					      "the kernel; try again when it "
					      "has");
		return;
	}
	keeper_stop_standby(kp);
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

/* A worker was told to end, which is as good as telling the keeper. */
static void hear_signal(struct keeper *kp)
{
	uint32_t sig = __atomic_exchange_n(&kp->k->worker.end_signal, 0,
					   __ATOMIC_ACQ_REL);

	if (sig == SIGTERM || sig == SIGINT || sig == SIGHUP)
		begin_end(kp, (int)sig);
}

static void wait_for_news(struct keeper *kp, int msecs)
{
	/* Whoever serves notices itself that the mount is gone. */
	bool look = !kp->active && !kp->lost_since &&
		    !shared_get(&kp->k->state.over);
	struct pollfd fds[4] = {
		{kp->signals, POLLIN, 0},
		{kp->k->fd.wake, POLLIN, 0},
		{look ? kp->k->fd.fuse : -1, 0, 0},
		{kp->witness, POLLIN, 0},
	};

	if (poll(fds, 4, msecs) > 0 && fds[1].revents)
		shared_page_clear_wake(kp->k);
	if (fds[2].revents & POLLERR)
		shared_set(&kp->k->worker.lost, kp->k->state.connection);
	read_signals(kp);
	hear_signal(kp);
	if (fds[3].revents)
		keeper_witness_ended(kp);
	keeper_handover_step(kp);
}

static int timeout_of(const struct keeper *kp)
{
	uint64_t now = clock_ms();

	if (kp->ending)
		return END_MSECS;
	if (kp->lost_since)
		return keeper_reconnect_msecs(kp);
	if (replace_under_way(&kp->replace) || kp->sent_off || !kp->taught)
		return 10;
	if (shared_get(&kp->k->worker.detached) < kp->attached && !kp->settled)
		return 10;
	if (!keeper_lacks_standby(kp))
		return -1;
	return now < kp->pause_until ? (int)(kp->pause_until - now) : 0;
}

/*
 * Unmounted while nobody was the active one: a standby that found the mount
 * gone has said so and left.
 */
static void end_without_workers(struct keeper *kp)
{
	if (shared_get(&kp->k->state.over) && !kp->over && !kp->active &&
	    !kp->standby && !kp->replace.pid)
		keeper_end(kp, 0);
}

/* One round; returns when something happened, or time is up. */
static void look_around(struct keeper *kp)
{
	wait_for_news(kp, timeout_of(kp));
	keeper_look_who_is_active(kp);
	keeper_reap_children(kp);
	keeper_reconnect_step(kp);
	if (!kp->ending && !kp->over && replace_step(&kp->replace, kp->active))
		keeper_no_failures(kp);
	end_without_workers(kp);
	keeper_need_standby(kp);
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
			keeper_end(kp, 0);
			return;
		}
		wait_for_news(kp, (int)(until - now));
		keeper_look_who_is_active(kp);
		keeper_reap_children(kp);
		end_without_workers(kp);
	}
}

static int keep_going(struct keeper *kp)
{
	bool left;

	kp->settled = true;
	if (!kp->over && !kp->ending)
		keeper_watch_namespace(kp);
	keeper_need_standby(kp);
	while (!kp->over && !kp->ending)
		look_around(kp);
	if (!kp->over)
		wait_for_end(kp);
	child_stop(&kp->standby);
	child_stop(&kp->replace.pid);
	keeper_stop_serving(kp);
	reconnect_end(&kp->reconnect);
	/* Of a mount that has gone another one may have the device number. */
	left = reconnect_is_left(&kp->place, kp->k->fd.fuse);
	close(kp->k->fd.fuse);
	/*
	 * It may wait for an answer, which only the end of the connection ends.
	 */
	child_stop(&kp->teacher);
	/* What worked and ended badly stays, so that nobody writes below it. */
	if (left && (kp->status == 0 || !kp->worked))
		mount_detach_dead(&kp->place);
	if (kp->taught && kp->status == 0)
		zsfs_log(LOG_INFO, "unmounted from %s", kp->place.mountpoint);
	return kp->status;
}

/* ---- beginning ---- */

static void init_keeper(struct keeper *kp, struct shared_page *k)
{
	sigset_t set;

	prctl(PR_SET_NAME, "zsfs");
	proctitle_set("keeper", k->config.mountpoint);
	*kp = (struct keeper){
		.k = k,
		.place.mountpoint = k->config.mountpoint,
		.reconnect.mount = -1,
		.witness = -1,
		.verdict = -1,
	};
	keeper_drop_capabilities();
	memcpy(kp->place.dev, k->state.dev, sizeof(kp->place.dev));
	replace_init(&kp->replace, k);
	daemon_signals(&set);
	sigaddset(&set, SIGCHLD);
	kp->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (kp->signals < 0) {
		zsfs_log(LOG_ERR, "signals cannot be received: %s",
			 strerror(errno));
		keeper_end(kp, 1);
	}
	memory_trim();
	kp->oom_takeovers = shared_get(&k->worker.oom_takeovers);
	shared_set(&k->state.keeper_pid, (uint32_t)getpid());
}

static void until_ready(struct keeper *kp)
{
	while (!kp->over && !kp->ending && !kp->answered) {
		wait_for_news(kp, -1);
		keeper_look_who_is_active(kp);
		keeper_reap_children(kp);
	}
}

void keeper_tune(struct keeper *kp)
{
	struct mount_tuning t = mount_tune(&kp->place, kp->k->config.writeback);

	kp->k->state.read_ahead_kb = t.read_ahead_kb;
	kp->k->state.max_ratio = t.max_ratio;
}

static void until_taught(struct keeper *kp)
{
	keeper_start_teacher(kp);
	while (!kp->over && !kp->ending && !kp->taught)
		look_around(kp);
}

/* The first workers have the starter's files, too. */
static void until_detached(struct keeper *kp)
{
	uint64_t until = clock_ms() + DETACH_MSECS;

	shared_set(&kp->k->state.detach, 1);
	while (!kp->over && !kp->ending && clock_ms() < until &&
	       shared_get(&kp->k->worker.detached) < kp->attached)
		look_around(kp);
}

static void say_what_survives(const struct shared_page *k)
{
	if (k->state.can_resend)
		return;
	zsfs_log(LOG_NOTICE,
		 "this kernel cannot send requests again (that came with 6.9): "
		 "the content will not survive the death of the daemon");
}

int keeper_run(struct shared_page *k, struct daemon *d)
{
	struct keeper kp;
	int err;

	init_keeper(&kp, k);
	kp.verdict = d->verdict;
	if (!kp.over)
		kp.active = keeper_start_worker(&kp, true);
	if (kp.active)
		keeper_note_active(&kp, kp.active, 0);
	else
		keeper_end(&kp, 1);
	until_ready(&kp);
	if (!kp.over && !kp.ending) {
		keeper_tune(&kp);
		say_what_survives(k);
		keeper_need_standby(&kp);
		until_taught(&kp);
		until_detached(&kp);
	}
	err = kp.over || kp.ending ? 0 : daemon_ready(d);
	kp.verdict = d->verdict;
	if (err) {
		zsfs_log(LOG_ERR, "going to the background failed: %s",
			 strerror(-err));
		keeper_end(&kp, 1);
	}
	if (!kp.over && !kp.ending) {
		zsfs_log(LOG_INFO, "mounted on %s", k->config.mountpoint);
		kp.worked = true;
	}
	return keep_going(&kp);
}

/* One that the program before has left: a child, unless it is reaped. */
static bool is_child(uint32_t pid)
{
	siginfo_t info;

	return pid && !waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT);
}

/* The worker, and those before it that were killed and have not died. */
static void take_up_workers(struct keeper *kp)
{
	struct shared_state *s = &kp->k->state;

	for (unsigned i = 0; i < SHARED_MAX_SERVING; i++) {
		kp->dropped[i] = true;
		if (!is_child(s->serving[i]))
			shared_set(&s->serving[i], 0);
	}
	if (is_child(s->active_pid))
		keeper_note_active(kp, (pid_t)s->active_pid, s->active_bank);
}

int keeper_resume(struct shared_page *k)
{
	struct keeper kp;

	fcntl(k->fd.alive_keeper, F_SETFD, FD_CLOEXEC);
	init_keeper(&kp, k);
	take_up_workers(&kp);
	kp.taught = kp.worked = kp.answered = kp.replaced = true;
	kp.ending = shared_get(&k->state.over);
	keeper_begin_handover(&kp);
	return keep_going(&kp);
}
