/* SPDX-License-Identifier: BSD-3-Clause */
/* The keeper after the end of a connection: the end, or the next one. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <syslog.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "keeper_i.h"

#define EAGER_TRIES 5u
/* For a worker to leave by itself after an unmount. */
#define LEAVE_MSECS 2500

/* Has the kernel ended it? */
static bool has_ended(int connection)
{
	struct pollfd p = {connection, 0, 0};

	return poll(&p, 1, 0) > 0 && p.revents & (POLLERR | POLLHUP);
}

/* A worker that says so may be wrong. */
static bool is_lost(const struct keeper *kp)
{
	const struct shared_page *k = kp->k;

	return shared_get(&k->worker.lost) == k->state.connection &&
	       has_ended(k->fd.fuse);
}

/* The first ones at once: the last may just have been killed. */
static void retry_later(struct keeper *kp)
{
	kp->attempting = false;
	kp->retry_at = clock_ms();
	if (++kp->attempts >= EAGER_TRIES)
		kp->retry_at += RECONNECT_SECONDS * 1000;
}

/* Nobody of the old connection touches the arena any more, or soon. */
static void drop_workers(struct keeper *kp)
{
	child_stop(&kp->teacher);
	keeper_stop_standby(kp);
	if (!kp->active)
		return;
	/* Its end takes its time, and the next one waits for it by itself. */
	kill(kp->active, SIGKILL);
	keeper_note_serving(kp, kp->active, false);
	kp->active = 0;
}

/* Who is started from now on finds @fd in the place of the old connection. */
static void change_connection(struct keeper *kp, int fd)
{
	struct shared_page *k = kp->k;

	dup3(fd, k->fd.fuse, O_CLOEXEC);
	close(fd);
	memcpy(k->state.dev, kp->place.dev, sizeof(k->state.dev));
	/* Nobody has answered on it, whatever was said before. */
	shared_set(&k->worker.ready, 0);
	shared_set(&k->state.connection, k->state.connection + 1);
}

/* Where none can be started, no child will wake us to try again. */
static void start_on_it(struct keeper *kp)
{
	kp->standby = keeper_start_worker(kp, false);
	kp->fresh = !kp->standby;
	if (kp->standby)
		kp->attempting = true;
	else
		retry_later(kp);
}

/*
 * The worker has seen the unmount, too, and may have things to say: what its
 * log has left out (zsfs_log_left_out()).
 */
static void end_unmounted(struct keeper *kp)
{
	struct pollfd worker = {.fd = -1, .events = POLLIN};

	keeper_end(kp, 0);
	if (kp->active)
		worker.fd = pidfd_open(kp->active, 0);
	if (worker.fd < 0)
		return;
	poll(&worker, 1, LEAVE_MSECS);
	close(worker.fd);
}

static void attempt(struct keeper *kp)
{
	int fd;

	/* Accesses wait on it already. */
	if (kp->fresh && !is_lost(kp)) {
		start_on_it(kp);
		return;
	}
	reconnect_end(&kp->reconnect);
	fd = reconnect_mount(&kp->reconnect, &kp->place, kp->k->fd.fuse,
			     kp->k->config.mount_opts);
	if (fd == -ENOENT) {
		end_unmounted(kp);
		return;
	}
	if (fd < 0) {
		if (!kp->complained)
			zsfs_log(LOG_ERR,
				 "%s has no connection to the kernel, and no "
				 "new mount can be made: %s; its content is "
				 "kept, and this tried again, for %u minutes",
				 kp->place.mountpoint, strerror(-fd),
				 RECONNECT_TRIES * RECONNECT_SECONDS / 60);
		kp->complained = true;
		retry_later(kp);
		return;
	}
	drop_workers(kp);
	change_connection(kp, fd);
	start_on_it(kp);
}

/* The next worker is at it: it serves, or it has come to nothing. */
static void look_after_attempt(struct keeper *kp)
{
	bool answered;

	keeper_look_who_is_active(kp);
	/* As it was heard, which is what those who are started now go by. */
	answered = kp->k->state.answered == kp->k->state.connection;
	if (is_lost(kp) || (!answered && !kp->standby && !kp->active)) {
		retry_later(kp);
		return;
	}
	if (!answered)
		return;
	kp->lost_since = 0;
	kp->k->stats.reconnects++;
	keeper_tune(kp);
	keeper_start_teacher(kp);
	reconnect_end(&kp->reconnect);
	zsfs_log(LOG_WARNING,
		 "the connection of %s was aborted (umount -f?): it has a new "
		 "one, with everything in it; what was open has to be opened "
		 "again",
		 kp->place.mountpoint);
}

/* A program on trial would not know where the mount is by then. */
static void begin(struct keeper *kp)
{
	replace_abandon(&kp->replace, "the connection was aborted");
	kp->lost_since = clock_ms();
	kp->attempting = kp->fresh = kp->complained = false;
	kp->retry_at = kp->attempts = 0;
}

void keeper_reconnect_step(struct keeper *kp)
{
	if (kp->over || kp->ending)
		return;
	if (!kp->lost_since && is_lost(kp))
		begin(kp);
	if (!kp->lost_since || kp->over)
		return;
	if (kp->attempting)
		look_after_attempt(kp);
	else if (clock_ms() - kp->lost_since >
		 RECONNECT_TRIES * RECONNECT_SECONDS * 1000)
		keeper_give_up(kp, "there is no new connection");
	else if (clock_ms() >= kp->retry_at)
		attempt(kp);
}

int keeper_reconnect_msecs(const struct keeper *kp)
{
	uint64_t now = clock_ms();

	if (!kp->lost_since || kp->attempting)
		return -1;
	return kp->retry_at > now ? (int)(kp->retry_at - now) : 0;
}
