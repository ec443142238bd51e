/* SPDX-License-Identifier: BSD-3-Clause */
/* The watch over whether one reader is enough (see readers.h). */
#include <poll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/sandbox_notes.h"
#include "readers_i.h"
#include "state/reader_counts.h"

/*
 * Between two looks with one reader, after one that found a request waiting,
 * and with all. Not more often: after whatever runs for a moment on another CPU
 * than the client's, the scheduler moves the client there.
 */
#define LOOK_MSECS	 5
#define LOOK_AGAIN_MSECS 1
#define LOOK_ALL_MSECS	 10
/* Looks in a row without a request, after which the watch rests. */
#define QUIET_LOOKS 6u
/*
 * One reader is not enough when requests wait at so many of the last looks.
 * With one client they do at a third of them: it asks, and the reader is not
 * there yet.
 */
#define CROWD_LOOKS 12u
#define CROWDED	    11

/* What the watch saw. */
struct seen {
	uint64_t steps;
	uint64_t placed; /* readers_placed_at() */
	unsigned waits;	 /* a bit for each look, the last is bit 0 */
	bool waited;	 /* at the last look, and nothing happened since */
	unsigned quiet;	 /* looks without any request */
};

static bool request_waits(const struct readers *r)
{
	struct pollfd p = {.fd = r->fd, .events = POLLIN};

	return poll(&p, 1, 0) == 1 && p.revents & POLLIN;
}

static bool is_crowded(unsigned waits)
{
	return __builtin_popcount(waits & ((1u << CROWD_LOOKS) - 1)) >= CROWDED;
}

/* A leader would give way to threads that are not wanted before it. */
static bool is_busy(const struct readers *r)
{
	return __atomic_load_n(&r->counts->busy, __ATOMIC_RELAXED);
}

static void look(struct readers *r, struct seen *s)
{
	bool busy, waits = request_waits(r), moved, starved;
	uint64_t steps = readers_steps(r, &busy);
	uint64_t placed = readers_placed_at(r);

	moved = steps != s->steps;
	/* Nobody asks any more where its only client waits for the leader. */
	starved = (waits && s->waited && !moved) ||
		  (placed && placed == s->placed);
	s->quiet = waits || moved || busy ? 0 : s->quiet + 1;
	s->steps = steps;
	s->placed = placed;
	s->waited = waits;
	s->waits = s->waits << 1 | waits;
	if (is_busy(r))
		readers_let_all(r, READERS_BUSY);
	else if (starved)
		readers_let_all(r, READERS_STARVED);
	else if (is_crowded(s->waits))
		readers_let_all(r, READERS_CROWDED);
}

static bool reads_one(const struct readers *r)
{
	return __atomic_load_n(&r->lead, __ATOMIC_ACQUIRE) != LEAD_ALL;
}

/* Whether ONE is worth another try. */
static void look_at_all(struct readers *r, struct seen *s)
{
	bool busy;
	uint64_t steps = readers_steps(r, &busy);

	s->quiet = busy || steps != s->steps ? 0 : s->quiet + 1;
	s->steps = steps;
	s->waits = 0;
	s->waited = false;
	s->placed = 0;
	/* What the next one who comes finds. */
	if (s->quiet >= QUIET_LOOKS ||
	    (!is_busy(r) &&
	     clock_ms() >= __atomic_load_n(&r->all_until, __ATOMIC_RELAXED)))
		readers_let_one(r);
}

/*
 * A request that came meanwhile has seen that we rest. The leader gets up for
 * the next one where it can at once, and not only when a program that begins to
 * keep its CPU meanwhile lets it: nobody watches.
 */
static void rest(struct readers *r, struct seen *s)
{
	bool busy;

	__atomic_store_n(&r->resting, true, __ATOMIC_SEQ_CST);
	if (readers_steps(r, &busy) == s->steps && !busy) {
		readers_free_place(r);
		pthread_mutex_lock(&r->watch_lock);
		while (__atomic_load_n(&r->resting, __ATOMIC_RELAXED) &&
		       !readers_over(r))
			pthread_cond_wait(&r->rung, &r->watch_lock);
		pthread_mutex_unlock(&r->watch_lock);
	}
	__atomic_store_n(&r->resting, false, __ATOMIC_RELAXED);
	s->quiet = 0;
}

void readers_watch_ring(struct readers *r)
{
	pthread_mutex_lock(&r->watch_lock);
	__atomic_store_n(&r->resting, false, __ATOMIC_RELAXED);
	pthread_cond_signal(&r->rung);
	pthread_mutex_unlock(&r->watch_lock);
}

static void nap(struct readers *r, long msecs)
{
	struct timespec until = clock_in_ms(msecs);

	pthread_mutex_lock(&r->watch_lock);
	if (!readers_over(r))
		clock_wait(&r->rung, &r->watch_lock, &until);
	pthread_mutex_unlock(&r->watch_lock);
}

static long next_look(const struct readers *r, const struct seen *s)
{
	if (!reads_one(r))
		return LOOK_ALL_MSECS;
	return s->waited ? LOOK_AGAIN_MSECS : LOOK_MSECS;
}

static void *watch_main(void *arg)
{
	struct readers *r = arg;
	struct seen s = {0};

	__atomic_store_n(&r->watch_place.tid, gettid(), __ATOMIC_RELEASE);
	while (!readers_over(r)) {
		if (s.quiet >= QUIET_LOOKS && reads_one(r))
			rest(r, &s);
		else
			nap(r, next_look(r, &s));
		if (reads_one(r))
			look(r, &s);
		else
			look_at_all(r, &s);
	}
	sandbox_end_thread();
	return NULL;
}

int readers_watch_start(struct readers *r)
{
	int err = pthread_create(&r->watch, NULL, watch_main, r);

	r->began = !err;
	return -err;
}

void readers_watch_stop(struct readers *r)
{
	if (!r->began)
		return;
	__atomic_store_n(&r->over, true, __ATOMIC_SEQ_CST);
	readers_watch_ring(r);
	pthread_join(r->watch, NULL);
}
