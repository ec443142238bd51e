/* SPDX-License-Identifier: BSD-3-Clause */
/* What an input makes go wrong (see inject_input.h). */
#include "inject_input.h"

#include <pthread.h>
#include <setjmp.h>
#include <stddef.h>

#include "fuzz.h"
#include "inject.h"

/* Nobody jumps out of a lock that ThreadSanitizer looks at. */
#if defined(__SANITIZE_THREAD__)
#define LOCKS_WATCHED true
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define LOCKS_WATCHED true
#endif
#endif
#ifndef LOCKS_WATCHED
#define LOCKS_WATCHED false
#endif

/* ---- what is locked ---- */

#define MAX_HELD 256u

static _Thread_local pthread_mutex_t *held[MAX_HELD];
static _Thread_local unsigned nr_held;

int __real_pthread_mutex_lock(pthread_mutex_t *m);
int __wrap_pthread_mutex_lock(pthread_mutex_t *m);
int __real_pthread_mutex_trylock(pthread_mutex_t *m);
int __wrap_pthread_mutex_trylock(pthread_mutex_t *m);
int __real_pthread_mutex_unlock(pthread_mutex_t *m);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *m);

static int hold(pthread_mutex_t *m, int err)
{
	FUZZ_CHECK(nr_held < MAX_HELD);
	if (!err)
		held[nr_held++] = m;
	return err;
}

int __wrap_pthread_mutex_lock(pthread_mutex_t *m)
{
	return hold(m, __real_pthread_mutex_lock(m));
}

int __wrap_pthread_mutex_trylock(pthread_mutex_t *m)
{
	return hold(m, __real_pthread_mutex_trylock(m));
}

int __wrap_pthread_mutex_unlock(pthread_mutex_t *m)
{
	unsigned k = nr_held;

	while (k > 0 && held[k - 1] != m)
		k--;
	if (k > 0)
		held[k - 1] = held[--nr_held];
	return __real_pthread_mutex_unlock(m);
}

/* ---- countdowns ---- */

/* Deaths of one input. */
#define MAX_DEATHS 8u

static unsigned nr_deaths;
static _Thread_local jmp_buf *landing;

#if ZS_DEBUG_LEVEL >= 1

/* The next is @left away. */
static struct countdown {
	unsigned left, each;
} failures, deaths;

static bool count_down(struct countdown *c)
{
	if (!c->left || --c->left)
		return false;
	c->left = c->each;
	return true;
}

static void unlock_all(void)
{
	while (nr_held > 0)
		__real_pthread_mutex_unlock(held[--nr_held]);
}

static bool fail(void)
{
	return count_down(&failures);
}

static void die(void)
{
	if (!landing || !count_down(&deaths))
		return;
	if (++nr_deaths == MAX_DEATHS)
		zs_crash_hook = NULL;
	unlock_all();
	longjmp(*landing, 1);
}

void inject_failures(unsigned n, unsigned each)
{
	failures = (struct countdown){n, each};
	zs_fail_hook = n ? fail : NULL;
}

void inject_deaths(unsigned n, unsigned each)
{
	const bool can = !LOCKS_WATCHED && nr_deaths < MAX_DEATHS;

	deaths = (struct countdown){n, each};
	zs_crash_hook = n && can ? die : NULL;
}

void inject_not_in(void (*fn)(void))
{
	bool (*fails)(void) = zs_fail_hook;
	void (*dies)(void) = zs_crash_hook;

	zs_fail_hook = NULL;
	zs_crash_hook = NULL;
	fn();
	zs_fail_hook = fails;
	zs_crash_hook = dies;
}

#else

void inject_not_in(void (*fn)(void))
{
	fn();
}

void inject_failures(unsigned n, unsigned each)
{
}

void inject_deaths(unsigned n, unsigned each)
{
}

#endif

void inject_nothing(void)
{
	inject_failures(0, 0);
	inject_deaths(0, 0);
	nr_deaths = 0;
}

/* ---- lives ---- */

bool inject_survived(void (*fn)(void))
{
	jmp_buf here, *before = landing;
	volatile bool survived = false;

	landing = &here;
	if (!setjmp(here)) {
		fn();
		survived = true;
	}
	landing = before;
	return survived;
}

struct life {
	void (*fn)(void);
	bool survived;
};

static void *live(void *arg)
{
	struct life *life = arg;

	life->survived = inject_survived(life->fn);
	return NULL;
}

bool inject_life(void (*fn)(void))
{
	struct life life = {.fn = fn};
	pthread_t thread;

	FUZZ_CHECK(!pthread_create(&thread, NULL, live, &life));
	FUZZ_CHECK(!pthread_join(thread, NULL));
	return life.survived;
}
