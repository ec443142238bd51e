/* SPDX-License-Identifier: BSD-3-Clause */
/* The threads that serve a connection (see server.h). */
#define FUSE_USE_VERSION 35
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "background.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/sandbox_notes.h"
#include "ops.h"
#include "poison.h"
#include "readers.h"
#include "request.h"
#include "state/threads.h"
#include "state/zsfs.h"
#include "writeback.h"

/* How long threads may take to notice that the mount is gone. */
#define END_MSECS 2000

struct server_thread {
	struct server *server;
	struct zsfs_thread *th;
	unsigned nr;
	pthread_t thread;
};

struct server {
	struct zsfs *fs;
	struct fuse_session *se;
	struct background *background;
	struct readers *readers;
	struct server_params p;
	struct request_env env;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool go;	  /* lock: serve, or end when `leave` is set, too */
	bool ready;	  /* lock: INIT was answered */
	bool unmounting;  /* lock */
	bool gone;	  /* lock: there is no mount any more */
	bool failed;	  /* lock: a thread's read(2) failed */
	unsigned running; /* lock: threads that have not ended */
	bool leave;	  /* atomic: end between two requests */
	unsigned started; /* threads to join */
	struct server_thread threads[];
};

/* ---- threads ---- */

static void on_init(void *arg)
{
	struct server *s = arg;

	pthread_mutex_lock(&s->lock);
	s->ready = true;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	if (s->p.on_ready)
		s->p.on_ready(s->p.arg);
}

static bool leaving(void *arg)
{
	return __atomic_load_n(&((struct server *)arg)->leave,
			       __ATOMIC_ACQUIRE);
}

static void wait_for_go(struct server *s)
{
	pthread_mutex_lock(&s->lock);
	while (!s->go)
		pthread_cond_wait(&s->changed, &s->lock);
	pthread_mutex_unlock(&s->lock);
}

/* Interrupts read(2), so that the thread sees that it shall leave. */
static void on_kick(int sig)
{
}

static void allow_kicks(void)
{
	struct sigaction sa = {.sa_handler = on_kick};
	sigset_t set;

	sigaction(SIGUSR1, &sa, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static void *thread_main(void *arg)
{
	struct server_thread *t = arg;
	struct server *s = t->server;
	int err;

	readers_join(s->readers, t->nr);
	zsfs_thread_lives(s->fs, t->nr);
	poison_this_thread(t->th->slot);
	allow_kicks();
	wait_for_go(s);
	err = request_loop(t->th, &s->env);
	poison_thread_ends();
	readers_release(s->readers);
	if (err == -ENODEV && s->p.on_lost)
		s->p.on_lost(s->p.arg);
	if (err && err != -ENODEV) {
		zsfs_log(LOG_ERR, "reading requests failed: %s",
			 strerror(-err));
		/* What this thread owes is paid by a successor. */
		if (s->fs->shared)
			_exit(1);
	}
	pthread_mutex_lock(&s->lock);
	s->running--;
	s->gone |= err == -ENODEV;
	s->failed |= err && err != -ENODEV;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	sandbox_end_thread();
	return NULL;
}

static int start_threads(struct server *s)
{
	/* The last context is the background thread's. */
	for (unsigned i = 0; i + 1 < s->fs->nr_threads; i++) {
		struct server_thread *t = &s->threads[i];
		int err;

		t->server = s;
		t->th = &s->fs->threads[i];
		t->nr = i;
		pthread_mutex_lock(&s->lock);
		s->running++;
		pthread_mutex_unlock(&s->lock);
		err = pthread_create(&t->thread, NULL, thread_main, t);
		if (err) {
			pthread_mutex_lock(&s->lock);
			s->running--;
			pthread_mutex_unlock(&s->lock);
			return -err;
		}
		s->started++;
	}
	return 0;
}

/* ---- beginning ---- */

static int new_fuse_session(struct server *s)
{
	static const struct fuse_custom_io io = {
		.writev = request_capture,
		.read = request_read,
	};
	struct fuse_lowlevel_ops ops = ops_of(s->fs);
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	int err = 0, fd;

	if (fuse_opt_add_arg(&args, "zsfs") ||
	    (s->p.debug && fuse_opt_add_arg(&args, "-d")))
		err = -ENOMEM;
	if (!err) {
		s->se = fuse_session_new(&args, &ops, sizeof(ops), s->fs);
		err = s->se ? 0 : -EINVAL;
	}
	fuse_opt_free_args(&args);
	if (err)
		return err;
	/* The session closes its own. */
	fd = fcntl(s->p.fd, F_DUPFD_CLOEXEC, 0);
	return fd < 0 ? -errno : fuse_session_custom_io(s->se, &io, fd);
}

int server_new(struct zsfs *fs, const struct server_params *p,
	       struct server **out)
{
	struct server *s =
		calloc(1, sizeof(*s) + fs->nr_threads * sizeof(s->threads[0]));
	int err;

	if (!s)
		return -ENOMEM;
	s->fs = fs;
	s->p = *p;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->changed, NULL);
	err = new_fuse_session(s);
	if (!err)
		err = background_start(fs, &s->background);
	if (!err)
		err = writeback_start(fs, p->fd, &fs->writeback);
	if (!err)
		err = readers_new(fs->nr_threads - 1, p->fd,
				  fs->super->follow_cpu, &fs->reader_counts,
				  &s->readers);
	s->env = (struct request_env){
		.se = s->se,
		.fd = p->fd,
		.connection = p->connection,
		.readers = s->readers,
		.on_init = on_init,
		.leaving = leaving,
		.arg = s,
	};
	if (!err)
		err = start_threads(s);
	if (err) {
		server_free(s);
		return err;
	}
	*out = s;
	return 0;
}

int server_placed(const struct server *s, pid_t **tids)
{
	zsfs_await_threads(s->fs);
	return readers_placed(s->readers, tids);
}

int server_prime(struct server *s)
{
	return request_prime(s->fs, s->se);
}

static void let_go(struct server *s)
{
	pthread_mutex_lock(&s->lock);
	s->go = true;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

void server_go(struct server *s, bool after_takeover)
{
	let_go(s);
	background_go(s->background, after_takeover);
}

int server_wait_ready(struct server *s)
{
	bool ready;

	pthread_mutex_lock(&s->lock);
	while (!s->ready && s->running > 0)
		pthread_cond_wait(&s->changed, &s->lock);
	ready = s->ready;
	pthread_mutex_unlock(&s->lock);
	return ready ? 0 : -EIO;
}

/* ---- ending ---- */

/* A kick may come just before read(2), so it is repeated. */
void server_drain(struct server *s)
{
	__atomic_store_n(&s->leave, true, __ATOMIC_RELEASE);
	readers_release(s->readers);
	let_go(s);
	pthread_mutex_lock(&s->lock);
	while (s->running > 0) {
		struct timespec until = clock_in_ms(1);

		for (unsigned i = 0; i < s->started; i++)
			pthread_kill(s->threads[i].thread, SIGUSR1);
		clock_wait(&s->changed, &s->lock, &until);
	}
	pthread_mutex_unlock(&s->lock);
}

void server_unmounting(struct server *s)
{
	pthread_mutex_lock(&s->lock);
	s->unmounting = true;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

enum server_end server_wait(struct server *s)
{
	enum server_end end = SERVER_UNMOUNTED;
	struct timespec until;

	pthread_mutex_lock(&s->lock);
	while (s->running > 0 && !s->unmounting)
		pthread_cond_wait(&s->changed, &s->lock);
	/* Files that are still open keep the connection and the threads. */
	until = clock_in_ms(END_MSECS);
	while (s->running > 0 && clock_wait(&s->changed, &s->lock, &until))
		;
	if (s->running > 0)
		end = SERVER_STUCK;
	else if (s->failed)
		end = SERVER_FAILED;
	else if (leaving(s) && !s->gone && !fuse_session_exited(s->se))
		end = SERVER_DRAINED;
	pthread_mutex_unlock(&s->lock);
	zsfs_log_left_out(true);
	return end;
}

void server_free(struct server *s)
{
	if (s->started)
		server_drain(s);
	for (unsigned i = 0; i < s->started; i++)
		pthread_join(s->threads[i].thread, NULL);
	readers_free(s->readers);
	background_stop(s->background);
	writeback_stop(s->fs->writeback);
	s->fs->writeback = NULL;
	if (s->se)
		fuse_session_destroy(s->se);
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	free(s);
}
