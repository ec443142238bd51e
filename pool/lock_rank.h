/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lock ranks: the order in which locks may be taken, checked at debug level 2.
 *
 * A thread that holds a lock may only wait for one of a higher rank, or of the
 * same rank with a higher number. Only trying a lock cannot deadlock, so it is
 * allowed in any order; what was got in that way is held like the rest. A
 * thread that breaks the order says which locks it holds, by the names of their
 * ranks, and aborts. The idea is that of the lock classes of Linux's lockdep.
 *
 * Users of the pool have ranks below RANK_POOL for what they hold while they
 * call it.
 */
#ifndef POOL_LOCK_RANK_H
#define POOL_LOCK_RANK_H

#include <pthread.h>

enum {
	RANK_NONE, /* not looked at */
	RANK_POOL = 64,
	RANK_READER = RANK_POOL, /* by thread */
	RANK_CLASS,		 /* by slot */
	RANK_HANDLES,
	RANK_GROW,
	RANK_RUN,
	RANK_SLAB, /* by cache; leaves */
};

#if ZS_DEBUG_LEVEL >= 2
/* Of the lock @nr of @rank, whose name is @name; RANK_NONE is ignored. */
void lock_rank_wait(unsigned rank, const char *name, unsigned nr);
void lock_rank_hold(unsigned rank, const char *name, unsigned nr);
void lock_rank_leave(unsigned rank, const char *name, unsigned nr);
#else
static inline void lock_rank_wait(unsigned rank, const char *name, unsigned nr)
{
}

static inline void lock_rank_hold(unsigned rank, const char *name, unsigned nr)
{
}

static inline void lock_rank_leave(unsigned rank, const char *name, unsigned nr)
{
}
#endif

/* The calling thread is about to wait for the lock @nr of @rank. */
#define lock_rank_take(rank, nr) lock_rank_wait(rank, #rank, nr)
/* It has got that lock by trying. */
#define lock_rank_tried(rank, nr) lock_rank_hold(rank, #rank, nr)
/* It has left that lock. */
#define lock_rank_drop(rank, nr) lock_rank_leave(rank, #rank, nr)

static inline void ranked_lock_as(pthread_mutex_t *m, unsigned rank,
				  const char *name, unsigned nr)
{
	lock_rank_wait(rank, name, nr);
	pthread_mutex_lock(m);
}

static inline int ranked_trylock_as(pthread_mutex_t *m, unsigned rank,
				    const char *name, unsigned nr)
{
	int err = pthread_mutex_trylock(m);

	if (!err)
		lock_rank_hold(rank, name, nr);
	return err;
}

static inline void ranked_unlock_as(pthread_mutex_t *m, unsigned rank,
				    const char *name, unsigned nr)
{
	pthread_mutex_unlock(m);
	lock_rank_leave(rank, name, nr);
}

/* The same with the mutex @m, which is that lock. */
#define ranked_lock(m, rank, nr)   ranked_lock_as(m, rank, #rank, nr)
#define ranked_unlock(m, rank, nr) ranked_unlock_as(m, rank, #rank, nr)
/* 0, or EBUSY when somebody has it. */
#define ranked_trylock(m, rank, nr) ranked_trylock_as(m, rank, #rank, nr)

#endif
