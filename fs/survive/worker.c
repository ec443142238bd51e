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
#include "base/sandbox_notes.h"
#include "base/syslog_socket.h"
#include "daemon.h"
#include "mount.h"
#include "reconnect.h"
#include "sandbox.h"
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
	int null;	     /* /dev/null, for who is attached */
};

static void name_process(const struct worker *w, const char *role)
{
	char name[16];

	snprintf(name, sizeof(name), "zsfs-%s", role);
	prctl(PR_SET_NAME, name);
	proctitle_set(role, w->k->config.mountpoint);
}

/* ---- the keeper and its signals ---- */

/*
 * Nobody is left who may take the mount away, but for a worker that is not
 * confined.
 */
static void end_without_keeper(struct worker *w, int sig)
{
	shared_set(&w->k->worker.over, 1);
	if (!sandbox_is_on()) {
		mount_detach(&w->place);
		server_unmounting(w->server);
		return;
	}
	zsfs_log(LOG_ERR,
		 "signal %d (%s), and the keeper is dead: nobody serves %s any "
		 "more, what was in it is lost; unmount it",
		 sig, strsignal(sig), w->k->config.mountpoint);
	server_drain(w->server);
}

/* Of all signals by kill(2) the kernel says who sent them. */
static bool is_from_keeper(const struct signalfd_siginfo *info, uint32_t keeper)
{
	return keeper && info->ssi_code == SI_USER && info->ssi_pid == keeper;
}

/* With the keeper gone, whoever serves does what is left of its work. */
static void on_signal(struct worker *w, const struct signalfd_siginfo *info)
{
	uint32_t keeper = shared_keeper(w->k);

	if (info->ssi_signo == SIGUSR2) {
		/* From anybody else it would leave with nobody to follow. */
		if (is_from_keeper(info, keeper))
			server_drain(w->server);
	} else if (shared_get(&w->k->worker.active_pid) != (uint32_t)getpid()) {
		_exit(WORKER_FAILED); /* the standby's end is only its own */
	} else if (keeper) {
		shared_page_pass_signal(w->k, (int)info->ssi_signo);
	} else {
		end_without_keeper(w, (int)info->ssi_signo);
	}
}

static void on_keeper_death(struct worker *w)
{
	if (__atomic_exchange_n(&w->k->worker.keeper_died, 1, __ATOMIC_ACQ_REL))
		return;
	zsfs_log(LOG_WARNING,
		 "the keeper (process %u) has died: serving %s goes on, but no "
		 "more standbys are started",
		 shared_get(&w->k->state.keeper_pid), w->k->config.mountpoint);
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
			daemon_let_go_of_files(w->null);
			attached = false;
			__atomic_add_fetch(&w->k->worker.detached, 1,
					   __ATOMIC_RELEASE);
			shared_page_wake_keeper(w->k);
		}
		if (fds[1].fd >= 0 && fds[1].revents) {
			on_keeper_death(w);
			fds[1].fd = -1;
		}
		if (fds[0].revents &&
		    read(fds[0].fd, &info, sizeof(info)) == sizeof(info))
			on_signal(w, &info);
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

/* ---- the sandbox ---- */

static void seal(const struct worker *w)
{
	pid_t *placed;
	int nr = server_placed(w->server, &placed);

	if (nr < 0) {
		zsfs_log(LOG_ERR, "a worker cannot be confined: %s",
			 strerror(-nr));
		_exit(WORKER_FAILED);
	}
	sandbox_seal(placed, (unsigned)nr);
	free(placed);
	memory_trim();
}

/* ---- taking over ---- */

/* The keeper finds out whether it was an unmount. */
static void on_lost(void *arg)
{
	const struct worker *w = arg;

	shared_set(&w->k->worker.lost, w->connection);
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
	k->worker.last_takeover_us = (uint32_t)us;
	if (us > k->worker.worst_takeover_us)
		k->worker.worst_takeover_us = (uint32_t)us;
	k->worker.poisoned += t->poisoned;
	shared_set(&k->worker.takeovers, k->worker.takeovers + 1);
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
		 k->worker.last_takeover_us, t->rolled_back, t->finished,
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
	t.oom = oom_kills > k->worker.oom_kills;
	if (shared_is_over(k))
		_exit(WORKER_UNMOUNTED);
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

	shared_set(&w->k->worker.can_resend, takeover_possible(w->fs));
	shared_set(&w->k->worker.ready, w->connection);
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

/* Of the starter's files the log is all that is needed, and that not for long.
 */
static void open_null(struct worker *w)
{
	w->null = daemon_open_null();
	dup2(w->null, STDIN_FILENO);
	dup2(w->null, STDOUT_FILENO);
	if (!w->attached && w->null > STDERR_FILENO)
		close(w->null);
}

/* What is needed when nothing more can be opened. */
static void open_all(struct worker *w)
{
	w->oom_fd = machine_open_oom("");
	open_null(w);
	if (!w->k->config.foreground)
		syslog_socket_open(NULL);
	/* The keeper itself leaves this folder when it works. */
	if (w->attached && chdir("/"))
		zsfs_log(LOG_WARNING, "/: %s", strerror(errno));
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
	open_all(w);
	sandbox_begin(&k->config);
	/* With another user id the kernel may show it again (proc(5)). */
	if (k->config.hide_memory)
		memory_hide();
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
}

/* Without a keeper there is nobody to make another connection. */
static void end_alone(struct worker *w)
{
	shared_set(&w->k->worker.over, 1);
	if (!reconnect_is_left(&w->place, w->k->fd.fuse))
		return;
	zsfs_log(LOG_ERR,
		 "the connection of %s was aborted, and with the keeper "
		 "dead there is no other: what was in it is lost",
		 w->k->config.mountpoint);
	if (!sandbox_is_on())
		mount_detach_dead(&w->place);
}

static void leave(struct worker *w, enum server_end end)
{
	switch (end) {
	case SERVER_UNMOUNTED:
		on_lost(w);
		if (!shared_keeper(w->k))
			end_alone(w);
		/* Its threads do not end before the process. */
		if (sandbox_notes.filter)
			_exit(WORKER_UNMOUNTED);
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

static struct worker new_worker(struct shared_page *k, unsigned bank,
				bool first)
{
	return (struct worker){
		.k = k,
		.bank = bank,
		.connection = shared_get(&k->state.connection),
		.anew = !first && shared_get(&k->state.answered) !=
					  shared_get(&k->state.connection),
	};
}

void worker_try(struct shared_page *k, unsigned bank)
{
	struct worker w = new_worker(k, bank, false);

	name_process(&w, "standby");
	prepare(&w, false);
	_exit(WORKER_FIT);
}

static void confine(struct shared_page *k)
{
	int err = shared_page_confine(k);

	if (!err)
		return;
	zsfs_log(LOG_ERR, "a worker cannot be started: %s", strerror(-err));
	_exit(WORKER_FAILED);
}

void worker_main(struct shared_page *k, unsigned bank, bool first,
		 bool attached)
{
	struct worker w = new_worker(k, bank, first);

	w.attached = attached;
	confine(k);
	if (shared_page_is_alone(k))
		shared_page_begin_anew(k);
	name_process(&w, first ? "worker" : "standby");
	prepare(&w, first);
	start_watching(&w);
	seal(&w);
	if (first) {
		int err = zsfs_recover(w.fs); /* counts what the maker made */

		sandbox_tell(k->config.mountpoint);
		if (err)
			end_takeover(&w, err);
		k->worker.oom_kills = machine_read_oom(w.oom_fd);
		shared_page_become_active(k, w.bank, true);
		server_go(w.server, false);
	} else {
		shared_set(&k->worker.primed_pid, (uint32_t)getpid());
		shared_page_wake_keeper(k);
		take_over(&w);
	}
	leave(&w, server_wait(w.server));
	_exit(WORKER_FAILED);
}
