/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A small lock on a futex, private to the process.
 *
 * Taking and leaving it free costs one atomic instruction each, inlined: the
 * pool takes a lock in every operation, often with nobody else near. Sleeps
 * after a short spin. Not recursive, not fair.
 */
#ifndef POOL_LOCK_H
#define POOL_LOCK_H

#include <linux/futex.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lock_rank.h"

#define ZS_LOCK_SPINS 64

struct zs_lock {
	uint32_t word; /* 0 free, 1 taken, 2 taken and perhaps waited for */
#if ZS_DEBUG_LEVEL >= 2
	unsigned rank, nr; /* lock_rank.h */
	const char *rank_name;
#endif
};

static inline void zs_cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#endif
}

static inline void zs_lock_init_as(struct zs_lock *l, unsigned rank,
				   const char *name, unsigned nr)
{
	__atomic_store_n(&l->word, 0, __ATOMIC_RELAXED);
#if ZS_DEBUG_LEVEL >= 2
	l->rank = rank;
	l->rank_name = name;
	l->nr = nr;
#endif
}

/* @l is free, and the lock @nr of @rank. */
#define zs_lock_init(l, rank, nr) zs_lock_init_as(l, rank, #rank, nr)

static inline void zs_lock_wanted(const struct zs_lock *l)
{
#if ZS_DEBUG_LEVEL >= 2
	lock_rank_wait(l->rank, l->rank_name, l->nr);
#endif
}

static inline void zs_lock_got(const struct zs_lock *l)
{
#if ZS_DEBUG_LEVEL >= 2
	lock_rank_hold(l->rank, l->rank_name, l->nr);
#endif
}

static inline void zs_lock_left(const struct zs_lock *l)
{
#if ZS_DEBUG_LEVEL >= 2
	lock_rank_leave(l->rank, l->rank_name, l->nr);
#endif
}

static inline int zs_lock_if_free(struct zs_lock *l)
{
	uint32_t old = 0;

	return __atomic_compare_exchange_n(&l->word, &old, 1, 0,
					   __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static __attribute__((noinline, unused)) void zs_lock_slow(struct zs_lock *l)
{
	for (int i = 0; i < ZS_LOCK_SPINS; i++) {
		if (!__atomic_load_n(&l->word, __ATOMIC_RELAXED) &&
		    zs_lock_if_free(l))
			return;
		zs_cpu_relax();
	}
	while (__atomic_exchange_n(&l->word, 2, __ATOMIC_ACQUIRE))
		syscall(SYS_futex, &l->word, FUTEX_WAIT_PRIVATE, 2, NULL);
}

static __attribute__((noinline, unused)) void zs_lock_wake(struct zs_lock *l)
{
	syscall(SYS_futex, &l->word, FUTEX_WAKE_PRIVATE, 1);
}

static inline void zs_lock(struct zs_lock *l)
{
	zs_lock_wanted(l);
	if (!zs_lock_if_free(l))
		zs_lock_slow(l);
}

static inline int zs_trylock(struct zs_lock *l)
{
	int got = zs_lock_if_free(l);

	if (got)
		zs_lock_got(l);
	return got;
}

static inline void zs_unlock(struct zs_lock *l)
{
	if (__atomic_exchange_n(&l->word, 0, __ATOMIC_RELEASE) == 2)
		zs_lock_wake(l);
	zs_lock_left(l);
}

static inline int zs_locked(const struct zs_lock *l)
{
	return __atomic_load_n(&l->word, __ATOMIC_RELAXED) != 0;
}

#endif
