/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Times for waiting: how long something takes, and until when to wait. All of a
 * clock that nobody sets. What files are stamped with is in stamp.h.
 */
#ifndef FS_CLOCK_H
#define FS_CLOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

static inline uint64_t clock_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static inline uint64_t clock_ms(void)
{
	return clock_us() / 1000;
}

/* Seconds, about: cheaper than the others. */
static inline uint64_t clock_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	return (uint64_t)t.tv_sec;
}

/* The time in @ms milliseconds, for clock_wait(). */
static inline struct timespec clock_in_ms(long ms)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += ms / 1000;
	t.tv_nsec += ms % 1000 * 1000000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_nsec -= 1000000000;
		t.tv_sec++;
	}
	return t;
}

/*
 * Wait for @cond, as pthread_cond_wait() does, but not longer than @until: then
 * false.
 */
static inline bool clock_wait(pthread_cond_t *cond, pthread_mutex_t *lock,
			      const struct timespec *until)
{
	return !pthread_cond_clockwait(cond, lock, CLOCK_MONOTONIC, until);
}

#endif
