/* SPDX-License-Identifier: BSD-3-Clause */
/* Answers that need what the kernel has not written back (see writeback.h). */
#include "writeback.h"

#include <errno.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "content/file.h"
#include "notify.h"
#include "ops.h"
#include "request.h"
#include "state/inode.h"
#include "state/tx.h"
#include "state/zsfs.h"
#include "statx.h"

/* More answers than that at once wait for each other. */
#define MAX_THREADS 8u
#define STACK_SIZE  (128u << 10)

/*
 * Bytes of the first piece of a range, so that little is waited for in one
 * system call; the next is twice as long while there was nothing to wait for.
 */
#define FIRST_PIECE (UINT64_C(1) << 20)
#define QUICK_USECS 500

/* Looks at a table that changes meanwhile, before all of it is called data. */
#define MAX_LOOKS 8u

enum job_kind {
	JOB_GETATTR,
	JOB_SEEK_DATA,
	JOB_SEEK_HOLE,
	JOB_GETFLAGS,
	JOB_DROP, /* has no request */
};

struct job {
	struct job *next;
	enum job_kind kind;
	fuse_req_t req;
	uint64_t nodeid;
	uint64_t off;
	uint64_t len; /* to drop; room for an answer */
	unsigned cmd; /* ioctl */
	bool statx;
};

struct writeback {
	struct zsfs *fs;
	int fd;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct job *first, *last; /* lock: jobs that nobody has taken */
	unsigned waiting;	  /* lock: jobs on the list */
	unsigned idle;		  /* lock: threads that wait for one */
	unsigned n;		  /* lock: threads */
	bool stop;		  /* lock */
	pthread_t threads[MAX_THREADS];
};

/* Threads of this process that are in the kernel; atomic. */
static unsigned under_way;

void writeback_before_crash(void)
{
	if (__atomic_load_n(&under_way, __ATOMIC_SEQ_CST))
		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

/* ---- telling the kernel ---- */

/* 0, or -errno of what could not be written back. */
static int notify(int fd, uint64_t nodeid, uint64_t off, uint64_t len)
{
	int err;

	__atomic_add_fetch(&under_way, 1, __ATOMIC_SEQ_CST);
	err = notify_inode(fd, nodeid, (int64_t)off, (int64_t)len);
	__atomic_sub_fetch(&under_way, 1, __ATOMIC_SEQ_CST);
	/* EBUSY: pages that were written back, and could not be dropped. */
	return err == -EBUSY ? 0 : err;
}

static int write_back(const struct writeback *w, uint64_t nodeid, uint64_t from,
		      uint64_t to)
{
	uint64_t piece = FIRST_PIECE;
	int err = 0;

	while (from < to) {
		uint64_t start = clock_us(), len = to - from;
		int failed;

		len = len < piece ? len : piece;
		failed = notify(w->fd, nodeid, from, len);
		err = failed ? failed : err;
		from += len;
		piece = clock_us() - start < QUICK_USECS ? 2 * piece
							 : FIRST_PIECE;
	}
	return err;
}

static uint64_t size_of(struct zsfs *fs, const struct zinode *i)
{
	uint64_t size;

	inode_lock_shared(fs, i);
	size = i->size;
	inode_unlock(fs, i);
	return size;
}

/*
 * All there is behind the end, where only a cache of writes has anything. In
 * one piece: nobody knows how far it goes.
 */
static void write_back_end(const struct writeback *w, const struct zinode *i,
			   uint64_t nodeid)
{
	if (w->fs->super->writeback)
		notify(w->fd, nodeid, size_of(w->fs, i), 0);
}

/* ---- answering ---- */

static void answer_seek(struct writeback *w, const struct job *j)
{
	const struct zinode *i = inode_resolve(w->fs, j->nodeid);
	bool hole = j->kind == JOB_SEEK_HOLE;
	uint64_t from = 0, to = 0;
	struct seek s;

	if (i)
		write_back_end(w, i, j->nodeid);
	for (unsigned k = 0; k < MAX_LOOKS; k++) {
		int err = zsfs_seek(w->fs, j->nodeid, j->off, hole, &s);

		if (err) {
			reply_error(j->req, err);
			return;
		}
		if (s.from >= from && s.to <= to) {
			reply_seek(j->req, &s, hole);
			return;
		}
		if (write_back(w, j->nodeid, s.from, s.to))
			break;
		from = s.from;
		to = s.to;
	}
	/* It cannot be said what is a hole. */
	fuse_reply_lseek(j->req, (off_t)(hole ? s.size : j->off));
}

/* All of the file of @j. It is locked shared then; NULL: it was answered. */
static struct zinode *write_back_all(struct writeback *w, const struct job *j)
{
	struct zinode *i = inode_resolve(w->fs, j->nodeid);

	if (!i) {
		reply_error(j->req, -ESTALE);
		return NULL;
	}
	write_back_end(w, i, j->nodeid);
	write_back(w, j->nodeid, 0, size_of(w->fs, i));
	inode_lock_shared(w->fs, i);
	return i;
}

static void answer_getattr(struct writeback *w, const struct job *j)
{
	struct zinode *i = write_back_all(w, j);
	struct ztime btime;
	double timeout;
	struct stat st;

	if (!i)
		return;
	inode_stat(i, &st);
	btime = inode_time(i, INODE_BTIME);
	timeout = attr_timeout(w->fs, i);
	inode_unlock(w->fs, i);
	statx_reply(j->req, j->statx, &st, &btime, timeout);
}

static void answer_getflags(struct writeback *w, const struct job *j)
{
	struct zinode *i = write_back_all(w, j);
	uint32_t flags;

	if (!i)
		return;
	flags = i->flags;
	inode_unlock(w->fs, i);
	reply_flags(j->req, j->cmd, flags, j->len);
}

static void do_job(struct writeback *w, const struct job *j)
{
	switch (j->kind) {
	case JOB_GETATTR:
		answer_getattr(w, j);
		break;
	case JOB_GETFLAGS:
		answer_getflags(w, j);
		break;
	case JOB_DROP:
		notify(w->fd, j->nodeid, j->off, j->len);
		break;
	default:
		answer_seek(w, j);
		break;
	}
}

/* ---- threads ---- */

static struct job *take_job(struct writeback *w)
{
	struct job *j = w->first;

	w->first = j->next;
	w->waiting--;
	return j;
}

static void *thread_main(void *arg);

/* More is not needed than that some thread is there. */
static void add_thread_locked(struct writeback *w)
{
	pthread_attr_t attr;

	if (w->n == MAX_THREADS)
		return;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	if (!pthread_create(&w->threads[w->n], &attr, thread_main, w))
		w->n++;
	pthread_attr_destroy(&attr);
}

/*
 * Who takes a job has another thread wait for the next. Request threads create
 * none: it would run where their client does, and give way as they do
 * (readers.h).
 */
static void *thread_main(void *arg)
{
	struct writeback *w = arg;

	request_answer_deferred();
	pthread_mutex_lock(&w->lock);
	while (!w->stop) {
		struct job *j;

		if (!w->first) {
			w->idle++;
			pthread_cond_wait(&w->changed, &w->lock);
			w->idle--;
			continue;
		}
		j = take_job(w);
		if (!w->idle)
			add_thread_locked(w);
		pthread_mutex_unlock(&w->lock);
		do_job(w, j);
		free(j);
		pthread_mutex_lock(&w->lock);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

static bool defer(struct writeback *w, const struct job *what)
{
	struct job *j = malloc(sizeof(*j));
	bool taken;

	if (!j)
		return false;
	*j = *what;
	pthread_mutex_lock(&w->lock);
	taken = w->n > 0;
	if (taken) {
		if (w->first)
			w->last->next = j;
		else
			w->first = j;
		w->last = j;
		w->waiting++;
		pthread_cond_signal(&w->changed);
	}
	pthread_mutex_unlock(&w->lock);
	if (!taken)
		free(j);
	return taken;
}

bool writeback_getattr(struct writeback *w, fuse_req_t req, uint64_t nodeid)
{
	struct job j = {
		.kind = JOB_GETATTR,
		.req = req,
		.nodeid = nodeid,
		.statx = request_is_statx(),
	};

	return defer(w, &j);
}

bool writeback_seek(struct writeback *w, fuse_req_t req, uint64_t nodeid,
		    uint64_t off, bool hole)
{
	struct job j = {
		.kind = hole ? JOB_SEEK_HOLE : JOB_SEEK_DATA,
		.req = req,
		.nodeid = nodeid,
		.off = off,
	};

	return defer(w, &j);
}

bool writeback_getflags(struct writeback *w, fuse_req_t req, uint64_t nodeid,
			unsigned cmd, size_t size)
{
	struct job j = {
		.kind = JOB_GETFLAGS,
		.req = req,
		.nodeid = nodeid,
		.cmd = cmd,
		.len = size,
	};

	return defer(w, &j);
}

void writeback_drop(struct writeback *w, uint64_t nodeid, uint64_t off,
		    uint64_t len)
{
	struct job j = {
		.kind = JOB_DROP, .nodeid = nodeid, .off = off, .len = len};

	defer(w, &j);
}

int writeback_start(struct zsfs *fs, int fd, struct writeback **out)
{
	struct writeback *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	w->fs = fs;
	w->fd = fd;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->changed, NULL);
	pthread_mutex_lock(&w->lock);
	add_thread_locked(w);
	pthread_mutex_unlock(&w->lock);
	*out = w;
	return 0;
}

void writeback_stop(struct writeback *w)
{
	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	w->stop = true;
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->lock);
	for (unsigned i = 0; i < w->n; i++)
		pthread_join(w->threads[i], NULL);
	while (w->first) {
		struct job *j = take_job(w);

		if (j->req) /* is freed with it */
			reply_error(j->req, -ENOTCONN);
		free(j);
	}
	pthread_cond_destroy(&w->changed);
	pthread_mutex_destroy(&w->lock);
	free(w);
}
