/* SPDX-License-Identifier: BSD-3-Clause */
/* Threads beside others that compute. */
#include "check.h"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/priority.h"

#define OTHERS	    8u
#define ROUNDS	    5u
#define PATIENCE_MS 3000u

static bool over, told;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;

static void *compute(void *arg)
{
	while (!__atomic_load_n(&over, __ATOMIC_RELAXED))
		;
	return NULL;
}

static void *wait_low(void *arg)
{
	priority_low();
	CHECK_EQ(getpriority(PRIO_PROCESS, 0), 19);
	pthread_mutex_lock(&lock);
	while (!told)
		pthread_cond_wait(&cond, &lock);
	pthread_mutex_unlock(&lock);
	return NULL;
}

/* All threads from here on are on one CPU. */
static void stay_here(void)
{
	cpu_set_t here;

	CPU_ZERO(&here);
	CPU_SET(sched_getcpu(), &here);
	REQUIRE(!sched_setaffinity(0, sizeof(here), &here));
}

/* Start a thread that waits, and have it end. */
static void start_and_end(void)
{
	pthread_t t;

	told = false;
	REQUIRE(!pthread_create(&t, NULL, wait_low, NULL));
	sched_yield();
	pthread_mutex_lock(&lock);
	told = true;
	pthread_cond_signal(&cond);
	pthread_mutex_unlock(&lock);
	pthread_join(t, NULL);
}

/* An unmount waits for such threads, however busy the machine is. */
static void test_low_comes_to_its_end(void)
{
	pthread_t other[OTHERS];
	uint64_t begun;

	stay_here();
	for (unsigned k = 0; k < OTHERS; k++)
		REQUIRE(!pthread_create(&other[k], NULL, compute, NULL));
	begun = clock_ms();
	for (unsigned k = 0; k < ROUNDS; k++)
		start_and_end();
	CHECK(clock_ms() - begun < PATIENCE_MS);
	__atomic_store_n(&over, true, __ATOMIC_RELAXED);
	for (unsigned k = 0; k < OTHERS; k++)
		pthread_join(other[k], NULL);
}

/* With the share that it had. */
static void test_patient_stays_as_nice(void)
{
	int before = getpriority(PRIO_PROCESS, 0);

	priority_patient();
	CHECK_EQ(getpriority(PRIO_PROCESS, 0), before);
	CHECK_EQ(sched_getscheduler(0), SCHED_BATCH);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		CHECK_CASE(test_low_comes_to_its_end),
		CHECK_CASE(test_patient_stays_as_nice),
	};

	return CHECK_MAIN(cases, argc, argv);
}
