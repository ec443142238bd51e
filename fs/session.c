/* SPDX-License-Identifier: BSD-3-Clause */
/* The mount and the threads that serve it. */
#define FUSE_USE_VERSION 35
#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <limits.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "ops.h"
#include "request.h"
#include "zsfs_i.h"

#define READ_AHEAD_KB 1024
/* How long threads may take to notice that the mount is gone. */
#define END_SECONDS 2

struct server {
	struct session *session;
	struct zsfs_thread *th;
	pthread_t thread;
};

struct session {
	struct zsfs *fs;
	struct fuse_session *se;
	char *mountpoint;
	char dev[32]; /* "major:minor" of the mount, "" = unknown */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool ready;	  /* lock: INIT was answered */
	bool unmounting;  /* lock */
	unsigned running; /* lock: threads in their loop */
	unsigned started; /* threads to join */
	struct server servers[];
};

/* ---- read-ahead ---- */

/* mountinfo writes blanks and backslashes in octal. */
static void unescape(char *s)
{
	char *to = s;

	for (; *s; s++, to++) {
		*to = *s;
		if (s[0] != '\\' || !s[1] || !s[2] || !s[3])
			continue;
		*to = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 |
			     (s[3] - '0'));
		s += 3;
	}
	*to = '\0';
}

/* Find "major:minor" of the newest mount at @path, without touching it. */
static bool find_device(const char *path, char *dev, size_t size)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char line[8192], at[4096], id[32];
	bool found = false;

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%*d %*d %31s %*s %4095s", id, at) != 2)
			continue;
		unescape(at);
		if (strcmp(at, path))
			continue;
		snprintf(dev, size, "%s", id);
		found = true;
	}
	if (f)
		fclose(f);
	return found;
}

/* The kernel's default of 128 KiB makes cold reads slow; needs root. */
static void raise_read_ahead(struct session *s)
{
	char path[96], value[16];
	int fd, len;

	snprintf(path, sizeof(path), "/sys/class/bdi/%s/read_ahead_kb", s->dev);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	len = snprintf(value, sizeof(value), "%d", READ_AHEAD_KB);
	if (write(fd, value, (size_t)len) == len)
		__atomic_store_n(&s->fs->read_ahead_kb, READ_AHEAD_KB,
				 __ATOMIC_RELAXED);
	close(fd);
}

/*
 * The kernel learns that OPEN, OPENDIR and FLUSH are not answered from the
 * first of each; until then every file that is created costs a RELEASE. So
 * have one of each right away.
 */
static void teach_kernel(const struct session *s)
{
	char path[PATH_MAX];
	int dir = open(s->mountpoint, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int fd;

	if (dir >= 0)
		close(dir);
	snprintf(path, sizeof(path), "%s/.zsstats/mm_stat", s->mountpoint);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		close(fd);
}

/* ---- threads ---- */

static void on_init(void *arg)
{
	struct session *s = arg;

	pthread_mutex_lock(&s->lock);
	s->ready = true;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

static void *server_main(void *arg)
{
	struct server *v = arg;
	struct session *s = v->session;
	int err = request_loop(v->th, s->se, fuse_session_fd(s->se), on_init,
			       s);

	if (err)
		zsfs_log(LOG_ERR, "reading requests failed: %s",
			 strerror(-err));
	pthread_mutex_lock(&s->lock);
	s->running--;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

static int start_servers(struct session *s)
{
	/* The last context is the background thread's. */
	for (unsigned i = 0; i + 1 < s->fs->nr_threads; i++) {
		struct server *v = &s->servers[i];
		int err;

		v->session = s;
		v->th = &s->fs->threads[i];
		s->running++;
		err = pthread_create(&v->thread, NULL, server_main, v);
		if (err) {
			s->running--;
			return -err;
		}
		s->started++;
	}
	return 0;
}

/* ---- starting ---- */

static int new_fuse_session(struct session *s, const struct session_params *p)
{
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	int err = 0;

	if (fuse_opt_add_arg(&args, "zsfs") ||
	    (p->mount_opts[0] && (fuse_opt_add_arg(&args, "-o") ||
				  fuse_opt_add_arg(&args, p->mount_opts))) ||
	    (p->debug && fuse_opt_add_arg(&args, "-d")))
		err = -ENOMEM;
	if (!err) {
		s->se = fuse_session_new(&args, &zsfs_ops, sizeof(zsfs_ops),
					 s->fs);
		if (!s->se)
			err = -EINVAL;
	}
	fuse_opt_free_args(&args);
	return err;
}

static int mount_session(struct session *s)
{
	static const struct fuse_custom_io io = {
		.writev = request_capture,
		.read = request_read,
	};
	int err;

	errno = 0;
	if (fuse_session_mount(s->se, s->mountpoint))
		return errno ? -errno : -EIO;
	err = fuse_session_custom_io(s->se, &io, fuse_session_fd(s->se));
	return err;
}

static void wait_until_ready(struct session *s)
{
	pthread_mutex_lock(&s->lock);
	while (!s->ready && s->running > 0)
		pthread_cond_wait(&s->changed, &s->lock);
	pthread_mutex_unlock(&s->lock);
}

int session_start(struct zsfs *fs, const struct session_params *p,
		  struct session **out)
{
	struct session *s = calloc(1, sizeof(*s) + fs->nr_threads *
							 sizeof(s->servers[0]));
	int err;

	if (!s)
		return -ENOMEM;
	s->fs = fs;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->changed, NULL);
	s->mountpoint = strdup(p->mountpoint);
	err = s->mountpoint ? new_fuse_session(s, p) : -ENOMEM;
	if (!err)
		err = mount_session(s);
	if (err)
		goto err_free;
	err = start_servers(s);
	if (!err) {
		wait_until_ready(s);
		if (!s->ready)
			err = -EIO;
	}
	if (err) {
		session_unmount(s);
		session_wait(s);
		goto err_free;
	}
	if (find_device(s->mountpoint, s->dev, sizeof(s->dev)))
		raise_read_ahead(s);
	teach_kernel(s);
	*out = s;
	return 0;

err_free:
	session_end(s);
	return err;
}

/* ---- ending ---- */

static void spawn_fusermount(const char *mountpoint)
{
	char *const argv[] = {(char *)"fusermount3", (char *)"-u",
			      (char *)"-q", (char *)"-z", (char *)"--",
			      (char *)(uintptr_t)mountpoint, NULL};
	pid_t pid;

	if (!posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ))
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
}

/*
 * Not by libfuse, which closes the descriptor first, under the threads that
 * use it.
 */
static void detach_mount(struct session *s)
{
	char dev[32];

	/* A path names the mount on top, which may be somebody else's. */
	if (s->dev[0] && find_device(s->mountpoint, dev, sizeof(dev)) &&
	    strcmp(dev, s->dev)) {
		zsfs_log(LOG_NOTICE, "not unmounted: %s has another mount on top",
			 s->mountpoint);
		return;
	}
	if (umount2(s->mountpoint, MNT_DETACH | UMOUNT_NOFOLLOW) &&
	    errno == EPERM)
		spawn_fusermount(s->mountpoint);
}

/* After an abort of the connection a dead mount would stay behind. */
static void detach_dead_mount(struct session *s)
{
	char dev[32];

	if (s->dev[0] && find_device(s->mountpoint, dev, sizeof(dev)) &&
	    !strcmp(dev, s->dev))
		detach_mount(s);
}

void session_unmount(struct session *s)
{
	pthread_mutex_lock(&s->lock);
	if (s->unmounting) {
		pthread_mutex_unlock(&s->lock);
		return;
	}
	s->unmounting = true;
	pthread_mutex_unlock(&s->lock);
	detach_mount(s);
	pthread_mutex_lock(&s->lock);
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

void session_wait(struct session *s)
{
	struct timespec until;

	pthread_mutex_lock(&s->lock);
	while (s->running > 0 && !s->unmounting)
		pthread_cond_wait(&s->changed, &s->lock);
	/* Files that are still open keep the connection and the threads. */
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += END_SECONDS;
	while (s->running > 0 &&
	       !pthread_cond_timedwait(&s->changed, &s->lock, &until))
		;
	pthread_mutex_unlock(&s->lock);
}

void session_end(struct session *s)
{
	unsigned running;

	pthread_mutex_lock(&s->lock);
	running = s->running;
	pthread_mutex_unlock(&s->lock);
	if (running > 0) {
		zsfs_log(LOG_NOTICE, "files are still open on %s: they end now",
			 s->mountpoint);
		_exit(0);
	}
	for (unsigned i = 0; i < s->started; i++)
		pthread_join(s->servers[i].thread, NULL);
	if (s->se) {
		detach_dead_mount(s);
		fuse_session_unmount(s->se);
		fuse_session_destroy(s->se);
	}
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	free(s->mountpoint);
	free(s);
}
