/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests that wait without a slot (see waiting.h). */
#include "waiting.h"

#include <linux/fuse.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

/* Users have turns of their own where their numbers differ in this. */
#define NR_TURNS 256u

struct waiting {
	STAILQ_ENTRY(waiting) next;
	struct fuse_in_header in;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/* lock: by age */
static STAILQ_HEAD(, waiting) all = STAILQ_HEAD_INITIALIZER(all);
static unsigned nr;  /* lock; atomic */
static size_t bytes; /* lock */
/* lock: a count of all turns, and what it was at a user's last one */
static uint64_t turn, turns[NR_TURNS];

static uint64_t *turn_of(const struct waiting *w)
{
	return &turns[w->in.uid % NR_TURNS];
}

/* Caller holds the lock; something waits. */
static struct waiting *find_next(void)
{
	struct waiting *best = STAILQ_FIRST(&all), *w;

	STAILQ_FOREACH(w, &all, next)
	if (*turn_of(w) < *turn_of(best))
		best = w;
	return best;
}

/* Caller holds the lock. */
static void count(int one, const struct waiting *w)
{
	__atomic_store_n(&nr, nr + (unsigned)one, __ATOMIC_RELEASE);
	bytes += (size_t)one * w->in.len;
}

/* The next one, whose turn it is then, or NULL. */
static struct waiting *pop(void)
{
	struct waiting *w = NULL;

	pthread_mutex_lock(&lock);
	if (nr) {
		w = find_next();
		STAILQ_REMOVE(&all, w, waiting, next);
		count(-1, w);
		*turn_of(w) = ++turn;
	}
	pthread_mutex_unlock(&lock);
	return w;
}

/* Caller holds the lock. */
static bool has_room(size_t len, size_t most)
{
	return most == WAITING_ANY ||
	       (nr < WAITING_MAX && len <= most && bytes <= most - len);
}

void waiting_clear(void)
{
	struct waiting *w;

	while ((w = pop()))
		free(w);
}

bool waiting_keep(const struct fuse_in_header *in, size_t most)
{
	struct waiting *w = malloc(offsetof(struct waiting, in) + in->len);
	bool room;

	if (!w)
		return false;
	memcpy(&w->in, in, in->len);
	pthread_mutex_lock(&lock);
	room = has_room(in->len, most);
	if (room) {
		STAILQ_INSERT_TAIL(&all, w, next);
		count(1, w);
	}
	pthread_mutex_unlock(&lock);
	if (!room)
		free(w);
	return room;
}

struct fuse_in_header *waiting_take(void)
{
	struct waiting *w = waiting_any() ? pop() : NULL;

	return w ? &w->in : NULL;
}

void waiting_free(struct fuse_in_header *in)
{
	if (in)
		free((char *)in - offsetof(struct waiting, in));
}

bool waiting_any(void)
{
	return __atomic_load_n(&nr, __ATOMIC_ACQUIRE);
}
