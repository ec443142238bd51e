/* SPDX-License-Identifier: BSD-3-Clause */
/* One process that mounts and serves (see alone.h). */
#include "alone.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "daemon.h"
#include "log.h"
#include "mount.h"
#include "server.h"
#include "zsfs_i.h"

struct alone {
	struct server *server;
	struct mount_place place;
	pthread_t watcher;
	bool over; /* atomic: the mount is gone, the watcher shall end */
};

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
			zsfs_log(LOG_NOTICE, "mounted with nosurvive: the "
					     "program cannot be replaced");
			continue;
		}
		zsfs_log(LOG_INFO, "signal %d (%s): unmounting", sig,
			 strsignal(sig));
		mount_detach(&a->place);
		server_unmounting(a->server);
	}
}

static void stop_watching(struct alone *a)
{
	__atomic_store_n(&a->over, true, __ATOMIC_RELEASE);
	pthread_kill(a->watcher, SIGTERM);
	pthread_join(a->watcher, NULL);
}

static void end_failed(struct alone *a)
{
	mount_detach(&a->place);
	server_unmounting(a->server);
}

static int go_live(struct alone *a, struct zsfs *fs, struct daemon *d)
{
	int err;

	server_go(a->server, false);
	err = server_wait_ready(a->server);
	if (err) {
		zsfs_log(LOG_ERR, "mounting on %s failed: %s",
			 a->place.mountpoint, strerror(-err));
		return err;
	}
	__atomic_store_n(&fs->read_ahead_kb, mount_raise_read_ahead(&a->place),
			 __ATOMIC_RELAXED);
	mount_teach_kernel(&a->place);
	err = daemon_ready(d);
	if (err)
		zsfs_log(LOG_ERR, "going to the background failed: %s",
			 strerror(-err));
	else
		zsfs_log(LOG_INFO, "mounted on %s", a->place.mountpoint);
	return err;
}

int alone_serve(struct zsfs *fs, int fd, const char *mountpoint, bool debug,
		struct daemon *d)
{
	struct alone a = {.place.mountpoint = mountpoint};
	struct server_params p = {.fd = fd, .debug = debug};
	enum server_end end;
	int err;

	mount_find(&a.place);
	err = server_new(fs, &p, &a.server);
	if (!err)
		err = -pthread_create(&a.watcher, NULL, watch_main, &a);
	if (err) {
		zsfs_log(LOG_ERR, "serving cannot begin: %s", strerror(-err));
		mount_detach(&a.place);
		return 1;
	}
	err = go_live(&a, fs, d);
	if (err)
		end_failed(&a);
	end = server_wait(a.server);
	stop_watching(&a);
	if (end == SERVER_STUCK) {
		zsfs_log(LOG_NOTICE, "files are still open on %s: they end now",
			 mountpoint);
		_exit(err ? 1 : 0);
	}
	zsfs_log(LOG_INFO, "unmounted from %s", mountpoint);
	mount_detach_dead(&a.place);
	server_free(a.server);
	close(fd);
	return err ? 1 : 0;
}
