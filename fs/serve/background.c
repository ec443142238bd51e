/* SPDX-License-Identifier: BSD-3-Clause */
/* The background thread (see background.h). */
#include "background.h"

#include <errno.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <syslog.h>
#include <unistd.h>

#include "allocate.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/priority.h"
#include "content/hot.h"
#include "content/settler.h"
#include "content/tidy.h"
#include "content/warm.h"
#include "control/verify.h"
#include "crash_test.h"
#include "idle.h"
#include "job_loop.h"
#include "notify.h"
#include "ops.h"
#include "poison.h"
#include "pressure.h"
#include "request.h"
#include "state/chore.h"
#include "state/threads.h"
#include "state/tx.h"
#include "state/wake.h"
#include "state/zsfs.h"
#include "tree/reap.h"
#include "tree/usage_walk.h"

/* Between looks at a file system that is busy, or short of memory. */
#define LOOK_MSECS 200
/*
 * The same for what can wait: taking the spare (shared_page.h) when there is
 * room.
 */
#define SPARE_MSECS 5000
/* Steps of reaping, after which a live check or a request may come in. */
#define REAP_STEPS 2
/* Steps of an allocation, after which a live check may come in. */
#define ALLOCATE_STEPS 8

/* Steps of a walk, after which it is another's turn. */
#define WALK_STEPS 256
/* Errands of one kind that wait. */
#define MOST_ERRANDS 64

/* What is left of a request that takes long, by what it asks for. */
enum errand { ALLOCATION, WALK, NR_ERRANDS };

struct unfinished {
	STAILQ_ENTRY(unfinished) next;
	struct fuse_req *req;
	int fd;		 /* the connection */
	uint64_t unique; /* of the request */
	uint32_t pid;	 /* who made it */
	union {
		struct allocation a;
		struct {
			struct usage_walk w;
			size_t size; /* room for the answer */
		};
	};
};

struct background {
	struct zsfs *fs;
	struct wake *wake; /* the file system's */
	pthread_t thread;
	bool stop;	  /* wake.lock */
	bool going;	  /* wake.lock: background_go() was called */
	bool check;	  /* wake.lock: it was a takeover, so verify */
	bool map;	  /* of the thread: still to be done, up to... */
	uint64_t mapped;  /* ... this segment */
	bool verify;	  /* of the thread: still to be done */
	uint64_t seen;	  /* of the thread: requests when it last looked */
	struct idle idle; /* of the thread */
	struct settler *settler;
	/* wake.lock: the first of each is being done */
	STAILQ_HEAD(, unfinished) errands[NR_ERRANDS];
	unsigned nr_errands[NR_ERRANDS]; /* wake.lock */
};

static uint64_t requests_begun(void *arg)
{
	const struct zsfs *fs = ((struct background *)arg)->fs;
	uint64_t n = 0;

	for (unsigned k = 0; k + 1 < fs->nr_threads; k++)
		for (unsigned op = 0; op < ZSFS_NR_OPCODES; op++)
			n += __atomic_load_n(&fs->threads[k].slot->requests[op],
					     __ATOMIC_RELAXED);
	return n;
}

static bool must_stop(void *arg)
{
	struct background *b = arg;
	bool stop;

	pthread_mutex_lock(&b->wake->lock);
	stop = b->stop;
	pthread_mutex_unlock(&b->wake->lock);
	return stop;
}

/* ---- errands ---- */

static struct unfinished *first_of(struct background *b, enum errand e)
{
	struct unfinished *u;

	pthread_mutex_lock(&b->wake->lock);
	u = b->stop ? NULL : STAILQ_FIRST(&b->errands[e]);
	pthread_mutex_unlock(&b->wake->lock);
	return u;
}

/* Caller holds the lock. */
static struct unfinished *take_first(struct background *b, enum errand e)
{
	struct unfinished *u = STAILQ_FIRST(&b->errands[e]);

	STAILQ_REMOVE_HEAD(&b->errands[e], next);
	b->nr_errands[e]--;
	return u;
}

/* Caller holds the lock. */
static void add_last(struct background *b, enum errand e, struct unfinished *u)
{
	STAILQ_INSERT_TAIL(&b->errands[e], u, next);
	b->nr_errands[e]++;
}

/* The first one is done. Is there another? */
static unsigned next_errand(struct background *b, enum errand e)
{
	struct unfinished *u;

	pthread_mutex_lock(&b->wake->lock);
	u = take_first(b, e);
	pthread_mutex_unlock(&b->wake->lock);
	free(u);
	return first_of(b, e) ? JOB_MORE : JOB_DONE;
}

/* The first one goes behind the others. */
static unsigned next_turn(struct background *b, enum errand e)
{
	pthread_mutex_lock(&b->wake->lock);
	add_last(b, e, take_first(b, e));
	pthread_mutex_unlock(&b->wake->lock);
	return JOB_MORE;
}

static bool add_errand(struct background *b, enum errand e,
		       const struct unfinished *what)
{
	struct unfinished *u = malloc(sizeof(*u));
	bool room;

	if (!u)
		return false;
	*u = *what;
	pthread_mutex_lock(&b->wake->lock);
	room = b->nr_errands[e] < MOST_ERRANDS;
	if (room) {
		add_last(b, e, u);
		b->wake->look = true;
		pthread_cond_signal(&b->wake->rung);
	}
	pthread_mutex_unlock(&b->wake->lock);
	if (!room)
		free(u);
	return room;
}

/* ---- the jobs ---- */

static unsigned lift_pressure(void *arg, bool busy)
{
	struct background *b = arg;

	if (!pressure_check(b->fs))
		return JOB_DONE;
	return b->fs->super->pressure_used ? LOOK_MSECS : SPARE_MSECS;
}

static bool wants_allocate(void *arg)
{
	return first_of(arg, ALLOCATION);
}

static unsigned allocate_some(void *arg, bool busy)
{
	struct background *b = arg;
	struct zsfs_thread *th = zsfs_background(b->fs);
	struct unfinished *u = STAILQ_FIRST(&b->errands[ALLOCATION]);
	struct tx *tx;
	int err;

	zsfs_enter(th);
	err = zsfs_allocate_steps(th, &u->a, ALLOCATE_STEPS, &tx);
	if (!err) {
		tx_commit(tx);
		tidy_clusters(th);
	}
	zsfs_leave(th);
	if (err == 1)
		return next_turn(b, ALLOCATION);
	/* As notify_touched() for who is answered at once. */
	notify_attr(u->fd, u->a.nodeid);
	/* Not on record: what is done is found done if asked again. */
	reply_error(u->req, err);
	return next_errand(b, ALLOCATION);
}

static bool wants_walk(void *arg)
{
	return first_of(arg, WALK);
}

static unsigned walk_some(void *arg, bool busy)
{
	struct background *b = arg;
	struct zsfs_thread *th = zsfs_background(b->fs);
	struct unfinished *u = STAILQ_FIRST(&b->errands[WALK]);
	int ret = 1;

	zsfs_enter(th);
	for (unsigned n = 0; ret > 0 && n < WALK_STEPS; n++)
		ret = usage_walk_step(th, &u->w);
	zsfs_leave(th);
	if (ret > 0 && zsfs_was_interrupted(b->fs, u->unique, u->pid))
		ret = -EINTR;
	if (ret > 0)
		return next_turn(b, WALK);
	reply_usage(u->req, &u->w, ret, u->size);
	return next_errand(b, WALK);
}

struct reaping {
	struct zsfs_thread *th;
	bool more;
};

static void reap_steps(void *arg)
{
	struct reaping *r = arg;

	r->more = true;
	for (unsigned n = 0; r->more && n < REAP_STEPS; n++)
		r->more = reap_step(r->th);
}

/*
 * A few steps. While requests are made, what is being freed is left on the
 * list, where who waits for room goes on with it. What does not fit a
 * transaction stays: a worker that ended for it would have a successor that
 * does the same.
 */
static unsigned reap_some(void *arg, bool busy)
{
	struct zsfs_thread *th =
		zsfs_background(((struct background *)arg)->fs);
	struct reaping r = {.th = th};

	zsfs_enter(th);
	if (tx_guarded(th, reap_steps, &r))
		r.more = false;
	if (busy)
		reap_hand_over(th);
	zsfs_leave(th);
	return r.more ? JOB_MORE : JOB_DONE;
}

static unsigned cool_some(void *arg, bool busy)
{
	struct zsfs_thread *th =
		zsfs_background(((struct background *)arg)->fs);
	unsigned next;

	zsfs_enter(th);
	next = hot_step(th, busy);
	zsfs_leave(th);
	if (next != 1)
		return next;
	return hot_is_behind(th->fs) ? JOB_URGENT : JOB_MORE;
}

static unsigned warm_some(void *arg, bool busy)
{
	struct zsfs_thread *th =
		zsfs_background(((struct background *)arg)->fs);
	bool more;

	zsfs_enter(th);
	more = warm_step(th);
	zsfs_leave(th);
	return more ? JOB_MORE : JOB_DONE;
}

static bool wants_map(void *arg)
{
	return ((struct background *)arg)->map;
}

static unsigned map_some(void *arg, bool busy)
{
	struct background *b = arg;

	b->map = arena_map_on(b->fs->arena, &b->mapped);
	return b->map ? JOB_MORE : JOB_DONE;
}

static bool wants_verify(void *arg)
{
	return ((struct background *)arg)->verify;
}

/* Only while nothing else goes on: a check keeps all requests waiting. */
static unsigned try_verify(void *arg, bool busy)
{
	struct background *b = arg;
	uint64_t now = requests_begun(b);
	bool idle = now == b->seen;
	int err;

	b->seen = now;
	if (!idle)
		return LOOK_MSECS;
	err = control_verify_gently(b->fs);
	b->verify = err == -EAGAIN || err == -EBUSY;
	if (!err)
		zsfs_log(LOG_INFO, "verified after the takeover: clean");
	return b->verify ? LOOK_MSECS : JOB_DONE;
}

static unsigned settle(void *arg, bool busy)
{
	struct background *b = arg;

	return settler_step(b->settler, zsfs_background(b->fs),
			    requests_begun(b));
}

static unsigned tell_left_out(void *arg, bool busy)
{
	zsfs_log_left_out(false);
	return JOB_DONE;
}

static unsigned give_back_idle(void *arg, bool busy)
{
	struct background *b = arg;

	return idle_look(b->fs, &b->idle);
}

/* In the order of their turns. */
static const struct job jobs[] = {
	[CHORE_PRESSURE] = {NULL, lift_pressure, false, false},
	[CHORE_ALLOCATE] = {wants_allocate, allocate_some, false, false},
	[CHORE_USAGE] = {wants_walk, walk_some, false, false},
	[CHORE_REAP] = {NULL, reap_some, true, true},
	[CHORE_COOL] = {NULL, cool_some, true, false},
	[CHORE_WARM] = {NULL, warm_some, false, false},
	[CHORE_MAP] = {wants_map, map_some, false, false},
	[CHORE_VERIFY] = {wants_verify, try_verify, false, false},
	[CHORE_SETTLE] = {NULL, settle, true, false},
	[CHORE_LOG] = {NULL, tell_left_out, false, false},
	[CHORE_PACK] = {NULL, give_back_idle, true, false},
};

_Static_assert(sizeof(jobs) / sizeof(jobs[0]) == NR_CHORES, "each is a job");

static void job_begins(void *arg, unsigned job)
{
	const struct background *b = arg;

	chore_begins(zsfs_background(b->fs), job);
	crash_test_chore(job);
}

static void job_ends(void *arg, unsigned job)
{
	const struct background *b = arg;

	chore_ends(zsfs_background(b->fs), 0);
	chore_done(b->fs, job);
}

/*
 * A request waits for its errand. If workers crash of that it comes again, is
 * executed by its own thread, and is to blame itself. And while memory is taken
 * for short nothing is stored.
 */
static unsigned job_rests(void *arg, unsigned job)
{
	const struct background *b = arg;
	bool never = job == CHORE_ALLOCATE || job == CHORE_USAGE ||
		     job == CHORE_PRESSURE;

	return never ? 0 : chore_rests(b->fs, job);
}

static void tell_who_rests(struct background *b)
{
	for (unsigned job = 0; job < NR_CHORES; job++)
		if (job_rests(b, job))
			zsfs_log(LOG_WARNING,
				 "workers crashed of what they do in the "
				 "background, \"%s\": it rests for %u seconds",
				 chore_name(job), job_rests(b, job) / 1000 + 1);
}

static unsigned work(struct background *b)
{
	const struct job_loop l = {
		.jobs = jobs,
		.nr_jobs = NR_CHORES,
		.arg = b,
		.must_stop = must_stop,
		.requests = requests_begun,
		.begins = job_begins,
		.ends = job_ends,
		.rests = job_rests,
	};

	return job_loop_round(&l);
}

static void wait_a_while(struct background *b, unsigned msecs)
{
	struct timespec until = clock_in_ms(msecs);

	clock_wait(&b->wake->rung, &b->wake->lock, &until);
}

static void *background_main(void *arg)
{
	struct background *b = arg;
	unsigned more = 0;

	/* Before a sandbox forbids it (zsfs_await_threads()). */
	priority_patient();
	zsfs_thread_lives(b->fs, b->fs->nr_threads - 1);
	/* Nobody's request is to blame for what happens here. */
	poison_this_thread(zsfs_background(b->fs)->slot);
	request_answer_deferred();
	pthread_mutex_lock(&b->wake->lock);
	/* Until then the slot belongs to who takes over, whatever rings. */
	while (!b->going && !b->stop)
		pthread_cond_wait(&b->wake->rung, &b->wake->lock);
	tell_who_rests(b);
	while (!b->stop) {
		if (more && !b->wake->look)
			wait_a_while(b, more);
		while (!more && !b->wake->look && !b->stop)
			pthread_cond_wait(&b->wake->rung, &b->wake->lock);
		if (b->stop)
			break;
		b->verify |= b->check;
		b->map |= b->check;
		b->wake->look = b->check = false;
		pthread_mutex_unlock(&b->wake->lock);
		more = work(b);
		pthread_mutex_lock(&b->wake->lock);
	}
	pthread_mutex_unlock(&b->wake->lock);
	poison_thread_ends();
	return NULL;
}

int background_start(struct zsfs *fs, struct background **out)
{
	struct background *b = calloc(1, sizeof(*b));
	int err;

	if (!b)
		return -ENOMEM;
	b->fs = fs;
	b->wake = &fs->wake;
	for (enum errand e = 0; e < NR_ERRANDS; e++)
		STAILQ_INIT(&b->errands[e]);
	err = settler_start(fs, &b->settler);
	if (!err)
		err = -pthread_create(&b->thread, NULL, background_main, b);
	if (err) {
		settler_stop(b->settler);
		free(b);
		return err;
	}
	fs->background = b;
	fs->settler = b->settler;
	*out = b;
	return 0;
}

void background_go(struct background *b, bool after_takeover)
{
	/* The last worker may have freed what it had no time to give back. */
	if (after_takeover)
		zsfs_note_freed(b->fs);
	pthread_mutex_lock(&b->wake->lock);
	b->going = b->wake->look = true;
	b->check = after_takeover;
	pthread_cond_signal(&b->wake->rung);
	pthread_mutex_unlock(&b->wake->lock);
}

bool background_allocate(struct background *b, int fd, struct fuse_req *req,
			 const struct allocation *a)
{
	const struct unfinished u = {.req = req, .fd = fd, .a = *a};

	return add_errand(b, ALLOCATION, &u);
}

bool background_walk(struct background *b, struct fuse_req *req,
		     const struct usage_walk *w, size_t size)
{
	const struct fuse_in_header *in = request_header();
	const struct unfinished u = {
		.req = req,
		.unique = in->unique,
		.pid = in->pid,
		.w = *w,
		.size = size,
	};

	return add_errand(b, WALK, &u);
}

void background_stop(struct background *b)
{
	if (!b)
		return;
	pthread_mutex_lock(&b->wake->lock);
	b->stop = true;
	pthread_cond_signal(&b->wake->rung);
	pthread_mutex_unlock(&b->wake->lock);
	pthread_join(b->thread, NULL);
	b->fs->background = NULL;
	b->fs->settler = NULL;
	settler_stop(b->settler);
	for (enum errand e = 0; e < NR_ERRANDS; e++)
		while (!STAILQ_EMPTY(&b->errands[e])) {
			/* Frees the request. */
			reply_error(STAILQ_FIRST(&b->errands[e])->req,
				    -ENOTCONN);
			next_errand(b, e);
		}
	free(b);
}
