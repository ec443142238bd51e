/* SPDX-License-Identifier: BSD-3-Clause */
/* Who reads requests: request threads (see readers.h). */
#include "readers.h"

#include <errno.h>
#include <linux/fuse.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "readers_i.h"
#include "request_check.h"
#include "state/reader_counts.h"

/* Requests between two looks at a client that was where it is served. */
#define LOOK_EVERY 16u
/* The same at one that has moved, or may move. */
#define LOOK_SOON 2u
/* Looks in a row after which clients count as not visible. */
#define MANY_UNKNOWN 8u
/* Requests in a row from nobody who is visible, after which nobody is. */
#define MANY_UNSEEN 256u
/* Between two tries to have the lock, and how many are no cause for concern. */
#define LOCK_USECS 100
#define LOCK_TRIES 50
/* Of 32 requests so many come from another thread than the one before. */
#define SEVERAL 8
/* ONE that lasted so long did not fail at once. */
#define GOOD_MSECS 400u

/*
 * How long all read, in milliseconds: the first time, and at most when ONE
 * fails at once again and again. Trying it costs little where it fails soon.
 */
static const struct {
	unsigned least, most;
} holds[] = {
	[READERS_LONG] = {10, 10},	[READERS_SEVERAL] = {20, 400},
	[READERS_CROWDED] = {50, 1600}, [READERS_STARVED] = {50, 3200},
	[READERS_UNKNOWN] = {50, 3200}, [READERS_BUSY] = {10, 10},
};

/* ---- who leads ---- */

static int lead_of(const struct readers *r)
{
	return __atomic_load_n(&r->lead, __ATOMIC_ACQUIRE);
}

/* Caller holds r->lock. */
static void set_lead(struct readers *r, int lead)
{
	__atomic_store_n(&r->lead, lead, __ATOMIC_RELEASE);
}

/* Caller holds r->lock. */
static bool place(struct readers *r, struct reader *t, int cpu)
{
	bool idle = cpu != CPU_ANY && r->may_idle;

	if (__atomic_load_n(&r->watch_place.tid, __ATOMIC_ACQUIRE))
		cpu_place_set(&r->watch_place, &r->allowed, cpu, false);
	if (__atomic_load_n(&r->looker_place.tid, __ATOMIC_ACQUIRE))
		cpu_place_set(&r->looker_place, &r->allowed, cpu, idle);
	return cpu_place_set(&t->place, &r->allowed, cpu, idle);
}

/* Caller holds r->lock. */
static void call_all(struct readers *r)
{
	set_lead(r, LEAD_ALL);
	for (unsigned i = 0; i < r->nr; i++) {
		place(r, &r->threads[i], CPU_ANY);
		pthread_cond_signal(&r->threads[i].called);
	}
	__atomic_store_n(&r->counts->one, 0, __ATOMIC_RELAXED);
}

/* Caller holds r->lock. */
static void let_all(struct readers *r, enum readers_why why)
{
	uint64_t now = clock_ms();
	bool good = now - r->one_since >= GOOD_MSECS;

	if (r->lead == LEAD_ALL)
		return;
	reader_count(&r->counts->why[why]);
	r->hold = good || r->hold < holds[why].least ? holds[why].least
		  : r->hold * 2 < holds[why].most    ? r->hold * 2
						     : holds[why].most;
	__atomic_store_n(&r->all_until, now + r->hold, __ATOMIC_RELAXED);
	call_all(r);
}

/* ---- the lock ---- */

static void raise_all(struct readers *r)
{
	for (unsigned i = 0; i < r->nr; i++)
		cpu_place_raise(&r->threads[i].place);
	cpu_place_raise(&r->looker_place);
}

/*
 * A leader that gives way to a program may have been put off while it holds the
 * lock: whoever waits in vain has it go on. One reader is not enough then: on
 * equal terms with that program it would have to wait for each request.
 */
static void lock(struct readers *r)
{
	bool raised = false;

	for (unsigned n = 1; pthread_mutex_trylock(&r->lock); n++) {
		usleep(LOCK_USECS);
		if (n % LOCK_TRIES)
			continue;
		raise_all(r);
		raised = true;
	}
	if (raised)
		let_all(r, READERS_STARVED);
}

void readers_let_all(struct readers *r, enum readers_why why)
{
	lock(r);
	let_all(r, why);
	pthread_mutex_unlock(&r->lock);
}

/* Another long request: after it ALL lasts as after the first. */
static void stay_all(struct readers *r)
{
	uint64_t until = clock_ms() + holds[READERS_LONG].least;

	lock(r);
	if (r->all_until < until)
		__atomic_store_n(&r->all_until, until, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&r->lock);
}

void readers_free_place(struct readers *r)
{
	lock(r);
	if (r->lead >= 0)
		place(r, &r->threads[r->lead], CPU_ANY);
	pthread_mutex_unlock(&r->lock);
}

uint64_t readers_placed_at(struct readers *r)
{
	uint64_t steps = 0;
	int lead;

	lock(r);
	lead = r->lead;
	if (lead >= 0 && r->threads[lead].place.cpu != CPU_ANY)
		steps = __atomic_load_n(&r->threads[lead].steps,
					__ATOMIC_SEQ_CST);
	pthread_mutex_unlock(&r->lock);
	return steps & 1 ? steps : 0;
}

void readers_let_one(struct readers *r)
{
	lock(r);
	if (!readers_over(r) && r->lead == LEAD_ALL) {
		r->one_since = clock_ms();
		r->unknown = 0;
		set_lead(r, LEAD_NOBODY);
		__atomic_store_n(&r->counts->one, 1, __ATOMIC_RELAXED);
	}
	pthread_mutex_unlock(&r->lock);
}

uint64_t readers_steps(const struct readers *r, bool *busy)
{
	uint64_t sum = 0;

	*busy = false;
	for (unsigned i = 0; i < r->nr; i++) {
		uint64_t n =
			__atomic_load_n(&r->threads[i].steps, __ATOMIC_SEQ_CST);

		*busy |= n & 1;
		sum += n;
	}
	return sum;
}

/* ---- a request thread ---- */

void readers_join(struct readers *r, unsigned nr)
{
	lock(r);
	__atomic_store_n(&r->threads[nr].place.tid, gettid(), __ATOMIC_RELEASE);
	pthread_mutex_unlock(&r->lock);
}

static void step(struct reader *t)
{
	__atomic_store_n(&t->steps, t->steps + 1, __ATOMIC_SEQ_CST);
}

/* Caller holds r->lock. */
static bool may_read(struct readers *r, int nr)
{
	if (r->lead == LEAD_NOBODY) {
		r->threads[nr].asked = 0;
		r->threads[nr].turns = 0;
		r->threads[nr].unseen = 0;
		set_lead(r, nr);
	}
	return r->lead == nr || r->lead == LEAD_ALL;
}

void readers_wait(struct readers *r, unsigned nr)
{
	struct reader *t = &r->threads[nr];
	int lead = lead_of(r);

	if (lead == (int)nr || lead == LEAD_ALL)
		return;
	lock(r);
	while (!may_read(r, (int)nr)) {
		t->waiting = true;
		pthread_cond_wait(&t->called, &r->lock);
	}
	t->waiting = false;
	pthread_mutex_unlock(&r->lock);
}

/* ---- following ---- */

/*
 * Caller holds r->lock. The leader @t goes to @cpu: at once when it has no
 * place, else when two looks in a row say so.
 */
static void follow(struct readers *r, struct reader *t, int cpu)
{
	int own = t->place.cpu;

	r->unknown = 0;
	reader_count(&r->counts->looks);
	__atomic_store_n(&r->look_every, cpu == own ? LOOK_EVERY : LOOK_SOON,
			 __ATOMIC_RELAXED);
	if (cpu == own)
		reader_count(&r->counts->near);
	else if ((own == CPU_ANY || cpu == r->candidate) && place(r, t, cpu))
		reader_count(&r->counts->moves);
	r->candidate = cpu;
}

void readers_follow(struct readers *r, int cpu)
{
	bool leads;

	lock(r);
	/* A look may end late: who rests already has no place. */
	leads = r->lead >= 0 && !__atomic_load_n(&r->resting, __ATOMIC_SEQ_CST);
	if (leads && cpu >= 0)
		follow(r, &r->threads[r->lead], cpu);
	else if (leads && ++r->unknown >= MANY_UNKNOWN)
		let_all(r, READERS_UNKNOWN);
	pthread_mutex_unlock(&r->lock);
}

/* Is the leader @t asked by several threads, in turns? */
static bool is_shared(struct reader *t, uint32_t pid)
{
	t->unseen = 0;
	t->turns = t->turns << 1 | (pid != t->client);
	__atomic_store_n(&t->client, pid, __ATOMIC_RELAXED);
	return __builtin_popcount(t->turns) >= SEVERAL;
}

/* The kernel itself asked, or a client of another namespace. */
static void note_unseen(struct readers *r, struct reader *t)
{
	if (++t->unseen >= MANY_UNSEEN)
		readers_let_all(r, READERS_UNKNOWN);
}

static void lead(struct readers *r, struct reader *t,
		 const struct fuse_in_header *in)
{
	if (request_may_take_long(in))
		readers_let_all(r, READERS_LONG);
	else if (!in->pid)
		note_unseen(r, t);
	else if (is_shared(t, in->pid))
		readers_let_all(r, READERS_SEVERAL);
	else if (++t->asked >=
		 __atomic_load_n(&r->look_every, __ATOMIC_RELAXED)) {
		t->asked = 0;
		readers_ask_look(r);
	}
}

void readers_received(struct readers *r, unsigned nr,
		      const struct fuse_in_header *in)
{
	int leader;

	if (!r->following)
		return;
	step(&r->threads[nr]);
	if (__atomic_load_n(&r->resting, __ATOMIC_SEQ_CST)) {
		readers_watch_ring(r);
	}
	leader = lead_of(r);
	if (leader == (int)nr)
		lead(r, &r->threads[nr], in);
	else if (leader == LEAD_ALL && request_may_take_long(in))
		stay_all(r);
}

void readers_put_aside(struct readers *r)
{
	reader_count(&r->counts->put_aside);
	if (r->following && lead_of(r) == LEAD_ALL)
		stay_all(r);
	else if (r->following)
		readers_let_all(r, READERS_LONG);
}

void readers_done(struct readers *r, unsigned nr)
{
	if (r->following)
		step(&r->threads[nr]);
}

/* ---- beginning and end ---- */

/* With one CPU the client is on it. */
static bool can_follow(struct readers *r)
{
	return !sched_getaffinity(0, sizeof(r->allowed), &r->allowed) &&
	       CPU_COUNT(&r->allowed) > 1;
}

static void init(struct readers *r)
{
	pthread_mutex_init(&r->lock, NULL);
	pthread_mutex_init(&r->watch_lock, NULL);
	pthread_cond_init(&r->rung, NULL);
	sem_init(&r->look, 0, 0);
	for (unsigned i = 0; i < r->nr; i++) {
		r->threads[i].place.cpu = CPU_ANY;
		pthread_cond_init(&r->threads[i].called, NULL);
	}
	r->watch_place.cpu = CPU_ANY;
	r->looker_place.cpu = CPU_ANY;
	r->look_every = LOOK_SOON;
}

int readers_new(unsigned nr, int fd, bool follow, struct reader_counts *counts,
		struct readers **out)
{
	size_t size = sizeof(struct readers) + nr * sizeof(struct reader);
	struct readers *r = aligned_alloc(64, (size + 63) & ~(size_t)63);
	int err = 0;

	if (!r)
		return -ENOMEM;
	*r = (struct readers){.nr = nr, .fd = fd, .counts = counts};
	for (unsigned i = 0; i < nr; i++)
		r->threads[i] = (struct reader){0};
	init(r);
	r->following = follow && can_follow(r);
	r->lead = r->following ? LEAD_NOBODY : LEAD_ALL;
	counts->following = counts->one = r->following;
	if (r->following) {
		r->may_idle = cpu_place_may_idle();
		err = readers_watch_start(r);
		if (!err)
			err = readers_look_start(r);
	}
	if (err)
		readers_free(r);
	else
		*out = r;
	return err;
}

/* The thread has been started. */
static pid_t await_tid(const struct cpu_place *p)
{
	pid_t tid;

	while (!(tid = __atomic_load_n(&p->tid, __ATOMIC_ACQUIRE)))
		sched_yield();
	return tid;
}

int readers_placed(const struct readers *r, pid_t **tids)
{
	int n = 0;

	*tids = calloc(r->nr + 2, sizeof(**tids));
	if (!*tids)
		return -ENOMEM;
	if (!r->following)
		return 0;
	(*tids)[n++] = await_tid(&r->watch_place);
	(*tids)[n++] = await_tid(&r->looker_place);
	for (unsigned i = 0; i < r->nr; i++)
		(*tids)[n++] = await_tid(&r->threads[i].place);
	return n;
}

void readers_release(struct readers *r)
{
	lock(r);
	__atomic_store_n(&r->over, true, __ATOMIC_SEQ_CST);
	call_all(r);
	pthread_mutex_unlock(&r->lock);
}

void readers_free(struct readers *r)
{
	if (!r)
		return;
	readers_look_stop(r);
	readers_watch_stop(r);
	for (unsigned i = 0; i < r->nr; i++)
		pthread_cond_destroy(&r->threads[i].called);
	sem_destroy(&r->look);
	pthread_cond_destroy(&r->rung);
	pthread_mutex_destroy(&r->watch_lock);
	pthread_mutex_destroy(&r->lock);
	free(r);
}
