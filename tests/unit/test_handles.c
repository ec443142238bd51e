/* SPDX-License-Identifier: BSD-3-Clause */
/* The cells of handles that are not used any more go back. */
#include "check.h"
#include "inject.h"
#include "pool_fixture.h"
#include "undo.h"
#include "zsmalloc_i.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#define NR_REFS	   60000u
#define NR_THREADS 4u

static struct fixture fx;

static void open_fixture(void)
{
	const struct fixture_params p = {
		.nr_threads = NR_THREADS,
		.nr_refs = NR_REFS,
		.no_huge = true,
	};

	REQUIRE(!fixture_create(&fx, &p));
}

static uint64_t handle_bytes(void)
{
	struct zs_pool_stats s;

	zs_pool_get_stats(fx.pool, &s);
	return s.handle_bytes;
}

/* Objects in refs @first .. @end - 1; several threads have spare handles. */
static void put_objects(unsigned first, unsigned end)
{
	for (unsigned i = first; i < end; i++)
		REQUIRE(!put_object(
			&fx, arena_thread(fx.arena, i / 100 % NR_THREADS),
			&fx.ref[i], 24, i));
}

static void free_objects(unsigned first, unsigned end)
{
	for (unsigned i = first; i < end; i++)
		zs_free(fx.pool, arena_thread(fx.arena, i / 70 % NR_THREADS),
			&fx.ref[i]);
}

static void check_objects(unsigned first, unsigned end)
{
	for (unsigned i = first; i < end; i++)
		CHECK(object_intact(&fx, fx.t, fx.ref[i], NULL));
	CHECK_EQ(fixture_verify(&fx), 0);
}

static void test_what_is_behind_goes(void)
{
	uint64_t few;

	open_fixture();
	put_objects(0, 2000);
	few = handle_bytes();
	put_objects(2000, NR_REFS);
	CHECK(handle_bytes() >= NR_REFS * 8);
	free_objects(1000, NR_REFS);
	zs_trim_handles(fx.pool, fx.t);
	check_objects(0, 1000);
	CHECK_EQ(handle_bytes(), few);

	/* The lowest are the first to be used again. */
	put_objects(1000, 1900);
	CHECK(fx.pool->root->handle_next <= 2000 + NR_THREADS * ZS_MAGAZINE);
	check_objects(0, 1900);
	put_objects(1900, NR_REFS);
	check_objects(0, NR_REFS);

	free_objects(0, NR_REFS);
	zs_trim_handles(fx.pool, fx.t);
	CHECK_EQ(handle_bytes(), few);
	CHECK_EQ(fx.pool->root->handle_next, 1);
	check_objects(0, 0);
	fixture_close(&fx);
}

/* A handle stays what it is as long as its object lives. */
static void test_the_last_one_holds_them(void)
{
	uint64_t peak;

	open_fixture();
	put_objects(0, NR_REFS);
	peak = handle_bytes();
	free_objects(0, NR_REFS - 1);
	zs_trim_handles(fx.pool, fx.t);
	CHECK_EQ(handle_bytes(), peak);
	check_objects(NR_REFS - 1, NR_REFS);

	/* Few behind many are not worth a look at all of them. */
	put_objects(0, NR_REFS - 1);
	free_objects(NR_REFS - 1000, NR_REFS);
	peak = handle_bytes();
	zs_trim_handles(fx.pool, fx.t);
	CHECK_EQ(handle_bytes(), peak);
	check_objects(0, NR_REFS - 1000);
	fixture_close(&fx);
}

/* ---- beside others ---- */

struct user {
	pthread_t thread;
	unsigned nr;
};

static void *come_and_go(void *arg)
{
	const struct user *u = arg;
	struct arena_thread *t = arena_thread(fx.arena, u->nr);
	unsigned part = NR_REFS / NR_THREADS, first = u->nr * part;

	for (unsigned round = 0; round < 20; round++) {
		unsigned n = round % 2 ? part / 50 : part;

		for (unsigned i = first; i < first + n; i++)
			REQUIRE(!put_object(&fx, t, &fx.ref[i], 24, i));
		for (unsigned i = first + n; i-- > first;) {
			CHECK(object_intact(&fx, t, fx.ref[i], NULL));
			zs_free(fx.pool, t, &fx.ref[i]);
		}
	}
	return NULL;
}

static void test_beside_others(void)
{
	struct user user[NR_THREADS];

	open_fixture();
	for (unsigned i = 1; i < NR_THREADS; i++) {
		user[i].nr = i;
		REQUIRE(!pthread_create(&user[i].thread, NULL, come_and_go,
					&user[i]));
	}
	for (unsigned k = 0; k < 2000; k++)
		zs_trim_handles(fx.pool, fx.t);
	for (unsigned i = 1; i < NR_THREADS; i++)
		pthread_join(user[i].thread, NULL);
	check_objects(0, 0);
	zs_trim_handles(fx.pool, fx.t);
	CHECK_EQ(fx.pool->root->handle_next, 1);
	check_objects(0, 0);
	fixture_close(&fx);
}

/* ---- killed at every step ---- */

#if ZS_DEBUG_LEVEL >= 1

static unsigned steps;

static void die(void)
{
	if (--steps == 0)
		raise(SIGKILL);
}

/* A child gives handles back and dies at step @n. False: it was done before. */
static bool trim_and_die(unsigned n)
{
	int status;
	pid_t pid = fork();

	REQUIRE(pid >= 0);
	if (!pid) {
		steps = n;
		zs_crash_hook = die;
		zs_trim_handles(fx.pool, fx.t);
		_exit(0);
	}
	REQUIRE(waitpid(pid, &status, 0) == pid);
	CHECK(WIFSIGNALED(status) || status == 0);
	return WIFSIGNALED(status);
}

static void test_killed(void)
{
	bool died = true;
	unsigned n;

	open_fixture();
	put_objects(0, 500);
	for (n = 1; died; n++) {
		put_objects(500, 20000);
		free_objects(500, 20000);
		died = trim_and_die(n);
		REQUIRE(!fixture_reopen(&fx));
		check_objects(0, 500);
	}
	CHECK(n > 20);
	zs_trim_handles(fx.pool, fx.t);
	CHECK_EQ(handle_bytes(), 64 << 10);
	fixture_close(&fx);
}

#endif

static const struct check_case cases[] = {
	CHECK_CASE(test_what_is_behind_goes),
	CHECK_CASE(test_the_last_one_holds_them),
	CHECK_CASE(test_beside_others),
#if ZS_DEBUG_LEVEL >= 1
	CHECK_CASE(test_killed),
#endif
};

int main(int argc, char **argv)
{
	return CHECK_MAIN(cases, argc, argv);
}
