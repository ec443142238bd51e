/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lock ranks: the order in which locks may be taken, checked at debug level 2.
 *
 * A thread that holds a lock may only wait for one of a higher rank, or of the
 * same rank with a higher number. What is only tried cannot deadlock, and is
 * not looked at. A thread that breaks the order says which locks it holds, and
 * aborts. The idea is that of the lock classes of Linux's lockdep.
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
	RANK_SLAB, /* by cache */
	RANK_GROW,
	RANK_RUN,
};

#if ZS_DEBUG_LEVEL >= 2
/* The calling thread is about to wait for the lock @nr of @rank. */
void lock_rank_take(unsigned rank, unsigned nr);
/* It has left that lock. Nothing happens when it was only tried. */
void lock_rank_drop(unsigned rank, unsigned nr);
#else
static inline void lock_rank_take(unsigned rank, unsigned nr)
{
}

static inline void lock_rank_drop(unsigned rank, unsigned nr)
{
}
#endif

static inline void ranked_lock(pthread_mutex_t *m, unsigned rank, unsigned nr)
{
	lock_rank_take(rank, nr);
	pthread_mutex_lock(m);
}

static inline void ranked_unlock(pthread_mutex_t *m, unsigned rank, unsigned nr)
{
	pthread_mutex_unlock(m);
	lock_rank_drop(rank, nr);
}

#endif
