/* SPDX-License-Identifier: BSD-3-Clause */
/* One process that mounts and serves (see single.h). */
#include "single.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "base/log.h"
#include "daemon.h"
#include "mount.h"
#include "reconnect.h"
#include "serve/disconnect.h"
#include "serve/server.h"
#include "state/atime.h"
#include "state/zsfs.h"

struct alone {
	struct zsfs *fs;
	struct mount_place place;
	const char *mount_opts; /* for libfuse */
	bool debug;
	pthread_t watcher;
	bool over; /* atomic: the mount is gone, the watcher shall end */
	pthread_mutex_t lock;  /* also of .place, once there are signals */
	bool ending;	       /* lock: the end was asked for */
	struct server *server; /* lock; NULL between two connections */
	unsigned connection;   /* the number of the last one, from 1 on */
	struct reconnect reconnect;
};

static void end_it(struct alone *a)
{
	pthread_mutex_lock(&a->lock);
	a->ending = true;
	mount_detach(&a->place);
	if (a->server)
		server_unmounting(a->server);
	pthread_mutex_unlock(&a->lock);
}

/* Takes the signals, and may call whatever it likes. */
static void *watch_main(void *arg)
{
	struct alone *a = arg;
	sigset_t set;
	int sig;

	daemon_signals(&set);
	for (;;) {
		if (sigwait(&set, &sig))
			continue;
		if (__atomic_load_n(&a->over, __ATOMIC_ACQUIRE))
			return NULL;
		if (sig == SIGUSR2) {
			zsfs_log_ratelimited(LOG_NOTICE,
					     "mounted with nosurvive: the "
					     "program cannot be replaced");
			continue;
		}
		zsfs_log(LOG_INFO, "signal %d (%s): unmounting", sig,
			 strsignal(sig));
		end_it(a);
	}
}

static void stop_watching(struct alone *a)
{
	__atomic_store_n(&a->over, true, __ATOMIC_RELEASE);
	pthread_kill(a->watcher, SIGTERM);
	pthread_join(a->watcher, NULL);
}

/* ---- a connection ---- */

static int go_live(struct alone *a, struct daemon *d)
{
	struct mount_tuning t;
	int err;

	server_go(a->server, false);
	err = server_wait_ready(a->server);
	if (err) {
		zsfs_log(LOG_ERR, "mounting on %s failed: %s",
			 a->place.mountpoint, strerror(-err));
		return err;
	}
	t = mount_tune(&a->place, a->fs->super->writeback);
	__atomic_store_n(&a->fs->read_ahead_kb, t.read_ahead_kb,
			 __ATOMIC_RELAXED);
	__atomic_store_n(&a->fs->max_ratio, t.max_ratio, __ATOMIC_RELAXED);
	mount_teach_kernel(&a->place);
	reconnect_parts(&a->reconnect);
	reconnect_end(&a->reconnect);
	err = daemon_ready(d);
	if (err)
		zsfs_log(LOG_ERR, "going to the background failed: %s",
			 strerror(-err));
	else
		zsfs_log(LOG_INFO, "mounted on %s", a->place.mountpoint);
	return err;
}

static int begin_serving(struct alone *a, int fd)
{
	struct server_params p = {
		.fd = fd,
		.connection = ++a->connection,
		.debug = a->debug,
	};
	struct server *s;
	int err = server_new(a->fs, &p, &s);

	if (err) {
		zsfs_log(LOG_ERR, "serving cannot begin: %s", strerror(-err));
		return err;
	}
	pthread_mutex_lock(&a->lock);
	a->server = s;
	if (a->ending)
		server_unmounting(s);
	pthread_mutex_unlock(&a->lock);
	return 0;
}

static void end_serving(struct alone *a)
{
	struct server *s = a->server;

	pthread_mutex_lock(&a->lock);
	a->server = NULL;
	pthread_mutex_unlock(&a->lock);
	server_free(s);
}

/* From its first request to its last. */
static int serve(struct alone *a, int fd, struct daemon *d)
{
	int err = begin_serving(a, fd);

	if (!err) {
		err = go_live(a, d);
		if (err)
			end_it(a);
		if (server_wait(a->server) == SERVER_STUCK) {
			zsfs_log(LOG_NOTICE,
				 "files are still open on %s: they end now",
				 a->place.mountpoint);
			_exit(err ? 1 : 0);
		}
		end_serving(a);
	}
	return err;
}

/* ---- the next one ---- */

/* -ENOENT, too, when the end was asked for. */
static int try_connection(struct alone *a, int old_fd)
{
	int fd = -ENOENT;

	pthread_mutex_lock(&a->lock);
	if (!a->ending)
		fd = reconnect_mount(&a->reconnect, &a->place, old_fd,
				     a->mount_opts);
	pthread_mutex_unlock(&a->lock);
	return fd;
}

/* Was it an abort, and is there a new connection? -1 = it is over. */
static int next_connection(struct alone *a, int old_fd)
{
	int fd = -EAGAIN;

	for (unsigned i = 0; fd < 0 && i < RECONNECT_TRIES; i++) {
		if (i > 0)
			sleep(RECONNECT_SECONDS);
		reconnect_end(&a->reconnect);
		fd = try_connection(a, old_fd);
		if (fd == -ENOENT)
			return -1;
		if (fd < 0)
			zsfs_log(LOG_ERR, "%s: no new mount yet: %s",
				 a->place.mountpoint, strerror(-fd));
	}
	if (fd < 0)
		return -1;
	disconnect_clean(a->fs);
	zsfs_log(LOG_WARNING,
		 "the connection of %s was aborted (umount -f?): it has a new "
		 "one; what was open has to be opened again",
		 a->place.mountpoint);
	return fd;
}

int single_serve(struct zsfs *fs, int fd, const struct single_params *p,
		 struct daemon *d)
{
	struct alone a = {
		.fs = fs,
		.place.mountpoint = p->mountpoint,
		.mount_opts = p->mount_opts,
		.debug = p->debug,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.reconnect.mount = -1,
	};
	bool left = false;
	int err, next;

	mount_find(&a.place);
	atime_follow(fs, &a.place);
	err = -pthread_create(&a.watcher, NULL, watch_main, &a);
	if (err) {
		zsfs_log(LOG_ERR, "serving cannot begin: %s", strerror(-err));
		mount_detach(&a.place);
		return 1;
	}
	while (!err && fd >= 0) {
		err = serve(&a, fd, d);
		next = err ? -1 : next_connection(&a, fd);
		left = next < 0 && reconnect_is_left(&a.place, fd);
		close(fd);
		fd = next;
	}
	stop_watching(&a);
	if (left)
		mount_detach_dead(&a.place);
	if (!err)
		zsfs_log(LOG_INFO, "unmounted from %s", p->mountpoint);
	return err ? 1 : 0;
}
