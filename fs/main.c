/* SPDX-License-Identifier: BSD-3-Clause */
/* The zsfs daemon: reads the options, mounts, serves until unmounted. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>

#include "daemon.h"
#include "environment.h"
#include "log.h"
#include "options.h"
#include "preflight.h"
#include "session.h"

/* ---- signals ---- */

/*
 * Signals that end the daemon are blocked everywhere and taken by one thread,
 * which may call whatever it likes.
 */
struct signal_thread {
	pthread_t thread;
	sigset_t signals;
	struct session *session;
	bool over; /* atomic: the mount is gone, the thread shall end */
};

static void ending_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGHUP);
}

static void prepare_signals(void)
{
	sigset_t set;

	ending_signals(&set);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static void *signal_main(void *arg)
{
	struct signal_thread *t = arg;
	int sig;

	for (;;) {
		if (sigwait(&t->signals, &sig))
			continue;
		if (__atomic_load_n(&t->over, __ATOMIC_ACQUIRE))
			return NULL;
		zsfs_log(LOG_INFO, "signal %d (%s): unmounting", sig,
			 strsignal(sig));
		session_unmount(t->session);
	}
}

static int start_signal_thread(struct signal_thread *t, struct session *s)
{
	ending_signals(&t->signals);
	t->session = s;
	t->over = false;
	return -pthread_create(&t->thread, NULL, signal_main, t);
}

static void stop_signal_thread(struct signal_thread *t)
{
	__atomic_store_n(&t->over, true, __ATOMIC_RELEASE);
	pthread_kill(t->thread, SIGTERM);
	pthread_join(t->thread, NULL);
}

/* ---- serving ---- */

static char *check_environment(const struct zsfs_options *o, bool privileged)
{
	char msg[PREFLIGHT_MSG_SIZE], path[4096];
	char *mountpoint = preflight_mountpoint(o->mountpoint, privileged, msg,
						sizeof(msg));
	const char *env_path = getenv("PATH");
	int err;

	if (!mountpoint)
		goto err_log;
	err = preflight_device("/dev/fuse", msg, sizeof(msg));
	if (!err && !privileged) {
		snprintf(path, sizeof(path), "%s:/usr/bin:/bin",
			 env_path ? env_path : "");
		err = preflight_user(path, "/etc/fuse.conf", o->allow_other,
				     msg, sizeof(msg));
	}
	if (err)
		goto err_log;
	return mountpoint;

err_log:
	zsfs_log(LOG_ERR, "%s", msg);
	free(mountpoint);
	return NULL;
}

static int create(const struct zsfs_options *o, struct zsfs **out)
{
	int err = zsfs_create(&o->fs, out);

	if (err == -EEXIST)
		zsfs_log(LOG_ERR,
			 "the address range at %#llx, where the file system "
			 "has to be, is taken in this process",
			 (unsigned long long)ARENA_BASE);
	else if (err == -ENOMEM || err == -ENOSPC)
		zsfs_log(LOG_ERR, "not enough memory to start: %s",
			 strerror(-err));
	else if (err)
		zsfs_log(LOG_ERR, "the file system cannot be made: %s",
			 strerror(-err));
	return err;
}

static int mount_it(const struct zsfs_options *o, bool privileged,
		    struct zsfs *fs, const char *mountpoint,
		    struct session **out)
{
	char *opts = options_mount_string(o, privileged);
	struct session_params sp = {
		.mountpoint = mountpoint,
		.mount_opts = opts,
		.debug = o->debug,
	};
	int err = opts ? session_start(fs, &sp, out) : -ENOMEM;

	if (err)
		zsfs_log(LOG_ERR, "mounting on %s failed: %s%s", mountpoint,
			 strerror(-err),
			 err == -EPERM && privileged
				 ? "; a container needs --cap-add SYS_ADMIN"
				 : "");
	free(opts);
	return err;
}

/* From the mount to its end. */
static int serve(struct session *s, struct daemon *d, const char *mountpoint)
{
	struct signal_thread sig;
	int err = start_signal_thread(&sig, s);

	if (err) {
		zsfs_log(LOG_ERR, "a thread cannot be started: %s",
			 strerror(-err));
		session_unmount(s);
		session_wait(s);
		return err;
	}
	err = daemon_ready(d);
	if (err) {
		zsfs_log(LOG_ERR, "going to the background failed: %s",
			 strerror(-err));
		session_unmount(s);
	} else {
		zsfs_log(LOG_INFO, "mounted on %s", mountpoint);
	}
	session_wait(s);
	stop_signal_thread(&sig);
	zsfs_log(LOG_INFO, "unmounted from %s", mountpoint);
	return err;
}

static int run(const struct zsfs_options *o, bool privileged)
{
	struct daemon d = {.verdict = -1};
	struct session *s = NULL;
	struct zsfs *fs = NULL;
	char *mountpoint;
	int err = o->foreground ? 0 : daemon_fork(&d);

	if (err) {
		zsfs_log(LOG_ERR, "fork: %s", strerror(-err));
		return err;
	}
	prepare_signals();
	umask(0);
	mountpoint = check_environment(o, privileged);
	if (!mountpoint)
		return -EINVAL;
	daemon_protect();
	err = create(o, &fs);
	if (!err)
		err = mount_it(o, privileged, fs, mountpoint, &s);
	if (!err) {
		if (!privileged && !o->debug && !ZS_ARENA_SANITIZED)
			daemon_hide_memory();
		err = serve(s, &d, mountpoint);
		session_end(s);
	}
	zsfs_close(fs);
	free(mountpoint);
	return err;
}

int main(int argc, char **argv)
{
	struct environment env;
	struct zsfs_options o;
	char msg[OPTIONS_MSG_SIZE];
	int err;

	environment_read("", &env);
	err = options_parse(argc, argv, &env, &o, msg, sizeof(msg));
	zsfs_log_debug(o.debug);
	if (err)
		zsfs_log(LOG_ERR, "%s", msg);
	else if (o.help)
		fputs(options_help, stdout);
	else if (o.version)
		puts("zsfs " ZSFS_VERSION);
	else if (!o.fake)
		err = run(&o, env.privileged);
	options_free(&o);
	return err ? 1 : 0;
}
