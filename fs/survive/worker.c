/* SPDX-License-Identifier: BSD-3-Clause */
/* A process that serves the mount, or stands by to (see worker.h). */
#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <syslog.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/machine.h"
#include "base/memlock.h"
#include "base/proctitle.h"
#include "daemon.h"
#include "mount.h"
#include "reconnect.h"
#include "serve/crash_test.h"
#include "serve/disconnect.h"
#include "serve/poison.h"
#include "serve/pressure.h"
#include "serve/server.h"
#include "serve/takeover.h"
#include "state/atime.h"
#include "state/shared_page.h"
#include "state/threads.h"
#include "state/zsfs.h"
#include "volume/verify_fs.h"
#include "volume/volume.h"

/* How often a worker that still has the starter's terminal looks around. */
#define DETACH_LOOK_MSECS 5

struct worker {
	struct shared_page *k;
	unsigned bank;
	struct zsfs *fs;
	struct server *server;
	struct mount_place place;
	int oom_fd;	     /* machine_open_oom() */
	uint32_t connection; /* shared_state.connection that it serves */
	bool anew;	     /* it is one that nobody has served yet */
	int signals;	     /* signalfd */
	bool attached;	     /* started while the keeper had its terminal */
};

static void name_process(const struct worker *w, const char *role)
{
	char name[16];

	snprintf(name, sizeof(name), "zsfs-%s", role);
	prctl(PR_SET_NAME, name);
	proctitle_set(role, w->k->config.mountpoint);
}

/* ---- the keeper and its signals ---- */

/* With the keeper gone, whoever serves does what is left of its work. */
static void on_signal(struct worker *w, int sig)
{
	pid_t keeper = (pid_t)shared_get(&w->k->state.keeper_pid);

	if (sig == SIGUSR2) {
		/* Without a keeper there is nobody to follow. */
		if (keeper && shared_get(&w->k->state.drain))
			server_drain(w->server);
	} else if (shared_get(&w->k->state.active_pid) != (uint32_t)getpid()) {
		_exit(WORKER_FAILED); /* the standby's end is only its own */
	} else if (keeper) {
		kill(keeper, sig);
	} else {
		shared_set(&w->k->state.over, 1);
		mount_detach(&w->place);
		server_unmounting(w->server);
	}
}

static void on_keeper_death(struct worker *w)
{
	uint32_t pid = __atomic_exchange_n(&w->k->state.keeper_pid, 0,
					   __ATOMIC_ACQ_REL);

	shared_set(&w->k->state.drain, 0);
	if (pid)
		zsfs_log(
			LOG_WARNING,
			"the keeper (process %u) has died: serving %s goes on, "
			"but no more standbys are started",
			pid, w->k->config.mountpoint);
}

static void *watch_main(void *arg)
{
	struct worker *w = arg;
	struct signalfd_siginfo info;
	struct pollfd fds[2];
	bool attached = w->attached;

	fds[0] = (struct pollfd){w->signals, POLLIN, 0};
	fds[1] = (struct pollfd){w->k->fd.alive, POLLIN, 0};
	for (;;) {
		poll(fds, 2, attached ? DETACH_LOOK_MSECS : -1);
		if (attached && shared_get(&w->k->state.detach)) {
			daemon_leave_terminal();
			attached = false;
			__atomic_add_fetch(&w->k->state.detached, 1,
					   __ATOMIC_RELEASE);
			shared_page_wake_keeper(w->k);
		}
		if (fds[1].fd >= 0 && fds[1].revents) {
			on_keeper_death(w);
			fds[1].fd = -1;
		}
		if (fds[0].revents &&
		    read(fds[0].fd, &info, sizeof(info)) == sizeof(info))
			on_signal(w, (int)info.ssi_signo);
	}
	return NULL;
}

static void start_watching(struct worker *w)
{
	pthread_t thread;
	sigset_t set;
	int err;

	daemon_signals(&set);
	w->signals = signalfd(-1, &set, SFD_CLOEXEC);
	err = w->signals < 0 ? errno
			     : pthread_create(&thread, NULL, watch_main, w);
	if (!err)
		return;
	zsfs_log(LOG_ERR, "signals cannot be received: %s", strerror(err));
	_exit(WORKER_FAILED);
}

/* ---- taking over ---- */

/* The keeper finds out whether it was an unmount. */
static void on_lost(void *arg)
{
	const struct worker *w = arg;

	shared_set(&w->k->state.lost, w->connection);
	shared_page_wake_keeper(w->k);
}

static void check_after(struct worker *w)
{
	char msg[512] = "";
	int err;

	/* Elsewhere the background thread does it, which may be at work. */
	if (ZS_DEBUG_LEVEL < 1 || !zsfs_keep_out(w->fs))
		return;
	err = zsfs_verify(w->fs, msg, sizeof(msg));
	zsfs_let_in(w->fs);
	if (!err)
		return;
	zsfs_log(LOG_ERR, "broken invariant after a takeover: %s", msg);
	strcpy(w->fs->super->verify_text, msg);
}

static void end_takeover(struct worker *w, int err)
{
	if (err == -ENODEV) {
		on_lost(w);
		_exit(WORKER_UNMOUNTED);
	}
	if (err == -EPROTO)
		zsfs_log(LOG_ERR, "what the dead worker left makes no sense: "
				  "not serving it");
	else
		zsfs_log(LOG_ERR, "taking over failed: %s", strerror(-err));
	_exit(err == -EPROTO ? WORKER_REFUSED : WORKER_FAILED);
}

static void count_takeover(struct shared_page *k, uint64_t us,
			   const struct takeover *t)
{
	k->stats.last_takeover_us = (uint32_t)us;
	if (us > k->stats.worst_takeover_us)
		k->stats.worst_takeover_us = (uint32_t)us;
	k->stats.poisoned += t->poisoned;
	shared_set(&k->stats.takeovers, k->stats.takeovers + 1);
	/* With nothing owed to anybody, serving is all there is to achieve. */
	if (!t->parked)
		shared_note_progress(k);
}

/* The one before may have died with its connection, or before it. */
static int take_up(struct worker *w, struct takeover *t)
{
	int err;

	if (!w->anew)
		return takeover_run(t);
	err = zsfs_recover(w->fs);
	if (!err)
		disconnect_clean(w->fs);
	return err;
}

static void report(struct worker *w, uint64_t us, const struct takeover *t)
{
	struct shared_page *k = w->k;

	if (w->anew)
		return; /* the keeper does, once it works */
	count_takeover(k, us, t);
	zsfs_log(LOG_NOTICE,
		 "took over in %u us: %u transactions undone, %u finished, %u "
		 "forgets, %u requests again, %u answered from the record",
		 k->stats.last_takeover_us, t->rolled_back, t->finished,
		 t->forgets, t->again, t->replayed);
}

static void take_over(struct worker *w)
{
	struct shared_page *k = w->k;
	struct takeover t = {.fs = w->fs, .fd = k->fd.fuse};
	uint64_t start, oom_kills;
	int err;

	shared_page_await_deaths(k, !w->bank);
	start = clock_us();
	oom_kills = machine_read_oom(w->oom_fd);
	t.oom = oom_kills > k->stats.oom_kills;
	if (shared_get(&k->state.over))
		_exit(WORKER_UNMOUNTED);
	if (k->state.active_bank == w->bank)
		_exit(WORKER_FAILED); /* somebody else was faster */
	crash_test_arm(w->fs);
	err = take_up(w, &t);
	if (err)
		end_takeover(w, err);
	pressure_look(w->fs, oom_kills);
	check_after(w);
	name_process(w, "worker");
	shared_page_become_active(k, w->bank, false);
	server_go(w->server, true);
	report(w, clock_us() - start, &t);
}

/* ---- life ---- */

static void on_ready(void *arg)
{
	struct worker *w = arg;

	shared_set(&w->k->state.can_resend, takeover_possible(w->fs));
	shared_set(&w->k->state.ready, 1);
	shared_page_wake_keeper(w->k);
	crash_test_arm(w->fs);
}

static void refuse(const char *what, int err)
{
	if (err == -EPROTO)
		zsfs_log(
			LOG_ERR,
			"%s: damaged, or of another layout than this program's "
			"(version " ZSFS_VERSION ", layout %u)",
			what, ZSFS_LAYOUT);
	else
		zsfs_log(LOG_ERR, "%s: %s", what, strerror(-err));
	_exit(err == -EPROTO ? WORKER_REFUSED : WORKER_FAILED);
}

static void prepare(struct worker *w, bool first)
{
	struct shared_page *k = w->k;
	struct server_params sp = {
		.fd = k->fd.fuse,
		.connection = w->connection,
		.debug = k->config.debug,
		.on_ready = on_ready,
		.on_lost = on_lost,
		.arg = w,
	};
	int err;

	process_notes = k->config.notes;
	w->oom_fd = machine_open_oom("");
	w->place.mountpoint = k->config.mountpoint;
	memcpy(w->place.dev, k->state.dev, sizeof(w->place.dev));
	shared_page_live(k, w->bank, 0);
	err = zsfs_attach(k->fd.arena, k->config.nr_helpers, k, w->bank,
			  &w->fs);
	if (err)
		refuse("the arena cannot be mapped", err);
	atime_follow(w->fs, &w->place);
	err = server_new(w->fs, &sp, &w->server);
	if (!err && !first && !w->anew)
		err = server_prime(w->server);
	if (err)
		refuse("serving cannot begin", err);
	zsfs_await_threads(w->fs);
	poison_watch(w->fs);
	if (k->config.hide_memory)
		memory_hide();
}

/* Without a keeper there is nobody to make another connection. */
static void end_alone(struct worker *w)
{
	shared_set(&w->k->state.over, 1);
	if (reconnect_is_left(&w->place, w->k->fd.fuse))
		zsfs_log(
			LOG_ERR,
			"the connection of %s was aborted, and with the keeper "
			"dead there is no other: what was in it is lost",
			w->k->config.mountpoint);
	mount_detach_dead(&w->place);
}

static void leave(struct worker *w, enum server_end end)
{
	switch (end) {
	case SERVER_UNMOUNTED:
		on_lost(w);
		if (!shared_get(&w->k->state.keeper_pid))
			end_alone(w);
		server_free(w->server);
		zsfs_close(w->fs);
		exit(WORKER_UNMOUNTED);
	case SERVER_DRAINED:
		_exit(WORKER_DRAINED);
	case SERVER_STUCK:
		_exit(WORKER_STUCK);
	case SERVER_FAILED:
		break;
	}
	_exit(WORKER_FAILED);
}

void worker_main(struct shared_page *k, unsigned bank, bool first,
		 bool attached)
{
	struct worker w = {
		.k = k,
		.bank = bank,
		.connection = shared_get(&k->state.connection),
		.anew = !first && !shared_get(&k->state.ready),
		.attached = attached,
	};

	name_process(&w, first ? "worker" : "standby");
	prepare(&w, first);
	start_watching(&w);
	if (first) {
		int err = zsfs_recover(w.fs); /* counts what the maker made */

		if (err)
			end_takeover(&w, err);
		k->stats.oom_kills = machine_read_oom(w.oom_fd);
		shared_page_become_active(k, w.bank, true);
		server_go(w.server, false);
	} else {
		shared_set(&k->state.primed_pid, (uint32_t)getpid());
		shared_page_wake_keeper(k);
		take_over(&w);
	}
	leave(&w, server_wait(w.server));
	_exit(WORKER_FAILED);
}
