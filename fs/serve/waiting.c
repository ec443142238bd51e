/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests that wait without a slot (see waiting.h). */
#include "waiting.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "base/memlock.h"
#include "state/layout.h"

/* How many turns there are, for all users. */
#define TURN_BITS 8
#define NR_TURNS  (1u << TURN_BITS)

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif
/* For what is not little, and no longer than a slot's buffer. */
#define MAP_SIZE (ZSFS_REQ_SIZE + ARENA_PAGE_SIZE)
/* What has as much content is in a mapping that had as much before. */
#define LARGE_LEAST (MAP_SIZE / 2)
/* Such mappings that are there to be used again. */
#define MAX_SPARE 2u

struct waiting {
	STAILQ_ENTRY(waiting) next;
	int fd;
	uint64_t until; /* of who kept it */
	bool bounded;	/* counts against WAITING_MAX */
	bool mapped;	/* MAP_SIZE bytes, else from malloc() */
	struct fuse_in_header in;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/* lock: by age */
static STAILQ_HEAD(, waiting) all = STAILQ_HEAD_INITIALIZER(all);
static unsigned nr;	    /* lock; atomic */
static unsigned nr_bounded; /* lock */
static size_t bytes;	    /* lock: of memory, at most */
/* lock: large ones, to be used again as long as any waits */
static STAILQ_HEAD(, waiting) spare = STAILQ_HEAD_INITIALIZER(spare);
static unsigned nr_spare; /* lock */
/* lock: a count of all turns, and what it was at a user's last one */
static uint64_t turn, turns[NR_TURNS];

/* ---- memory ---- */

static bool is_large(size_t len)
{
	return len >= LARGE_LEAST;
}

/* Memory for a request of @len bytes. */
static size_t cost(size_t len)
{
	size_t size = offsetof(struct waiting, in) + len;

	if (is_large(len))
		return MAP_SIZE;
	if (len >= WAITING_LITTLE)
		size = (size + ARENA_PAGE_SIZE - 1) / ARENA_PAGE_SIZE *
		       ARENA_PAGE_SIZE;
	return size;
}

/* It holds content: kept in RAM and out of dumps. */
static struct waiting *map_one(void)
{
	struct waiting *w = mmap(NULL, MAP_SIZE, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (w == MAP_FAILED)
		return NULL;
	madvise(w, MAP_SIZE, MADV_DONTDUMP);
	memory_lock(w, MAP_SIZE, false);
	w->mapped = true;
	return w;
}

static struct waiting *take_spare(void)
{
	struct waiting *w;

	pthread_mutex_lock(&lock);
	w = STAILQ_FIRST(&spare);
	if (w) {
		STAILQ_REMOVE_HEAD(&spare, next);
		nr_spare--;
	}
	pthread_mutex_unlock(&lock);
	return w;
}

/* Pages for a request of @len bytes at once: cheaper than one by one. */
static struct waiting *populate(struct waiting *w, size_t len)
{
	len += offsetof(struct waiting, in);
	if (!madvise(w, len, MADV_POPULATE_WRITE) || errno == EINVAL)
		return w;
	munmap(w, MAP_SIZE);
	return NULL;
}

/* For a request of @len bytes. */
static struct waiting *new_waiting(size_t len)
{
	struct waiting *w = NULL;

	if (len < WAITING_LITTLE) {
		w = malloc(offsetof(struct waiting, in) + len);
		if (w)
			w->mapped = false;
		return w;
	}
	if (is_large(len))
		w = take_spare();
	if (!w)
		w = map_one();
	return w ? populate(w, len) : NULL;
}

/* Caller holds the lock. */
static void free_locked(struct waiting *w)
{
	if (!w->mapped) {
		free(w);
	} else if (nr && is_large(w->in.len) && nr_spare < MAX_SPARE) {
		STAILQ_INSERT_HEAD(&spare, w, next);
		nr_spare++;
	} else {
		munmap(w, MAP_SIZE);
	}
}

/* Caller holds the lock. Nothing waits. */
static void free_spare(void)
{
	struct waiting *w;

	while ((w = STAILQ_FIRST(&spare))) {
		STAILQ_REMOVE_HEAD(&spare, next);
		munmap(w, MAP_SIZE);
	}
	nr_spare = 0;
}

/* ---- turns ---- */

/* Neighbouring users, and those that a power of two lies between, differ. */
static uint64_t *turn_of(const struct waiting *w)
{
	return &turns[w->in.uid * 2654435761u >> (32 - TURN_BITS)];
}

/* Has it been begun, and needs little? */
static bool is_little(const struct waiting *w)
{
	return w->until && w->in.len < WAITING_LITTLE;
}

/* Is its time over, so that it only waits for an answer? */
static bool is_over(const struct waiting *w, uint64_t now)
{
	return w->until && w->until <= now;
}

/* Caller holds the lock. Is @a before @b, when little ones are or are not? */
static bool is_before(const struct waiting *a, const struct waiting *b,
		      bool little, uint64_t now)
{
	if (is_over(a, now) != is_over(b, now))
		return is_over(a, now);
	if (little && is_little(a) != is_little(b))
		return is_little(a);
	return *turn_of(a) < *turn_of(b);
}

/* Caller holds the lock; something waits. */
static struct waiting *find_next(void)
{
	struct waiting *best = STAILQ_FIRST(&all), *w;
	/* Every other time: large ones take what they make room for. */
	bool little = turn % 2;
	uint64_t now = clock_ms();

	STAILQ_FOREACH(w, &all, next)
	if (is_before(w, best, little, now))
		best = w;
	return best;
}

/* ---- the list ---- */

int waiting_set_nonblocking(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return -errno;
	flags = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
	return fcntl(fd, F_SETFL, flags) < 0 ? -errno : 0;
}

/* Caller holds the lock. */
static void count(int one, const struct waiting *w)
{
	__atomic_store_n(&nr, nr + (unsigned)one, __ATOMIC_RELEASE);
	bytes += (size_t)one * cost(w->in.len);
	nr_bounded += w->bounded ? (unsigned)one : 0;
}

/* Caller holds the lock. */
static void add(struct waiting *w)
{
	STAILQ_INSERT_TAIL(&all, w, next);
	count(1, w);
	if (nr == 1)
		waiting_set_nonblocking(w->fd, true);
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
		if (!nr) {
			waiting_set_nonblocking(w->fd, false);
			free_spare();
		}
	}
	pthread_mutex_unlock(&lock);
	return w;
}

/* Caller holds the lock. */
static bool has_room(size_t len, size_t most)
{
	return most == WAITING_ANY ||
	       (nr_bounded < WAITING_MAX && cost(len) <= most &&
		bytes <= most - cost(len));
}

/* It may be gone when it is needed. */
static bool seems_to_have_room(size_t len, size_t most)
{
	bool room;

	pthread_mutex_lock(&lock);
	room = has_room(len, most);
	pthread_mutex_unlock(&lock);
	return room;
}

void waiting_clear(void)
{
	struct waiting *w;

	pthread_mutex_lock(&lock);
	while ((w = STAILQ_FIRST(&all))) {
		STAILQ_REMOVE_HEAD(&all, next);
		count(-1, w);
		free_locked(w);
	}
	free_spare();
	pthread_mutex_unlock(&lock);
}

bool waiting_keep(int fd, const struct fuse_in_header *in, size_t most,
		  uint64_t until)
{
	struct waiting *w;
	bool room;

	if (!seems_to_have_room(in->len, most))
		return false;
	w = new_waiting(in->len);
	if (!w)
		return false;
	w->fd = fd;
	w->until = until;
	w->bounded = most != WAITING_ANY;
	memcpy(&w->in, in, in->len);
	pthread_mutex_lock(&lock);
	room = has_room(in->len, most);
	if (room)
		add(w);
	else
		free_locked(w);
	pthread_mutex_unlock(&lock);
	return room;
}

static struct waiting *waiting_of(const struct fuse_in_header *in)
{
	return (void *)((char *)(uintptr_t)in - offsetof(struct waiting, in));
}

void waiting_return(struct fuse_in_header *in, uint64_t until)
{
	struct waiting *w = waiting_of(in);

	w->until = until;
	pthread_mutex_lock(&lock);
	add(w);
	pthread_mutex_unlock(&lock);
}

uint64_t waiting_until(const struct fuse_in_header *in)
{
	return waiting_of(in)->until;
}

struct fuse_in_header *waiting_take(void)
{
	struct waiting *w = waiting_any() ? pop() : NULL;

	return w ? &w->in : NULL;
}

void waiting_free(struct fuse_in_header *in)
{
	if (!in)
		return;
	pthread_mutex_lock(&lock);
	free_locked(waiting_of(in));
	pthread_mutex_unlock(&lock);
}

bool waiting_any(void)
{
	return __atomic_load_n(&nr, __ATOMIC_ACQUIRE);
}
