/* SPDX-License-Identifier: BSD-3-Clause */
/* Crashes on purpose (see crash_test.h). */
#include "crash_test.h"

#include "inject.h"
#include "state/chore.h"
#include "state/zsfs.h"

#if ZS_DEBUG_LEVEL >= 1

#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static uint64_t one_in;
static uint64_t state; /* atomic */
/* Atomic: set while threads serve. */
static const char *poison;
static const char *poison_chore;

static void perhaps_die(void)
{
	uint64_t x = __atomic_add_fetch(&state, UINT64_C(0x9e3779b97f4a7c15),
					__ATOMIC_RELAXED);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	if ((x ^ x >> 31) % one_in == 0)
		kill(getpid(), SIGKILL);
}

static void shorten_logs(struct zsfs *fs, const char *room)
{
	for (unsigned i = 0; room && i + 1 < fs->nr_threads; i++)
		fs->threads[i].slot->undo.max = strtoull(room, NULL, 10);
}

void crash_test_arm(struct zsfs *fs)
{
	const char *text = getenv("ZSFS_TEST_KILL");
	struct timespec t;

	shorten_logs(fs, getenv("ZSFS_TEST_LOG"));
	__atomic_store_n(&poison, getenv("ZSFS_TEST_POISON"), __ATOMIC_RELEASE);
	__atomic_store_n(&poison_chore, getenv("ZSFS_TEST_CHORE"),
			 __ATOMIC_RELEASE);
	one_in = text ? strtoull(text, NULL, 10) : 0;
	clock_gettime(CLOCK_MONOTONIC, &t);
	state = (uint64_t)t.tv_nsec << 20 ^ (uint64_t)getpid();
	if (one_in)
		zs_crash_hook = perhaps_die;
	text = getenv("ZSFS_TEST_DOOM");
	if (text && !access(text, F_OK))
		abort();
}

static void crash_if(const char *const *poisoned, const char *name)
{
	const char *which = __atomic_load_n(poisoned, __ATOMIC_ACQUIRE);

	if (which && !strcmp(which, name))
		abort();
}

void crash_test_lookup(const char *name)
{
	crash_if(&poison, name);
}

void crash_test_chore(enum zsfs_chore c)
{
	crash_if(&poison_chore, chore_name(c));
}

#else

void crash_test_arm(struct zsfs *fs)
{
}

void crash_test_lookup(const char *name)
{
}

void crash_test_chore(enum zsfs_chore c)
{
}

#endif
