/* SPDX-License-Identifier: BSD-3-Clause */
/* Settling by itself and for who asks: walks, their ends, others meanwhile. */
#include "check.h"

#include <pthread.h>
#include <unistd.h>

#include "base/clock.h"
#include "content/file.h"
#include "content/hot.h"
#include "content/settle.h"
#include "content/settler.h"
#include "content/tidy.h"
#include "fs_fixture.h"
#include "state/counters.h"
#include "state/settings.h"
#include "state/threads.h"
#include "volume/verify_fs.h"

#define BLOCK	    ((size_t)ZSFS_BLOCK_SIZE)
#define GROUPS	    40u
#define MANY	    (GROUPS * CLUSTER_BLOCKS)
#define PATIENCE_MS 20000u

static struct zsfs *fs;
static struct zsfs_thread *th;
static struct settler *settler;
static uint64_t file;
static uint8_t want[MANY * ZSFS_BLOCK_SIZE], got[MANY * ZSFS_BLOCK_SIZE];

/* Noise in half of the bytes: no two blocks are the same. */
static void fill(uint8_t *p, size_t size, uint64_t seed)
{
	for (; size >= 16; size -= 16, p += 16) {
		seed = seed * UINT64_C(6364136223846793005) + 1;
		memcpy(p, &seed, 8);
		memcpy(p + 8, "settles ", 8);
	}
}

static void store(uint64_t nodeid, size_t first, size_t n)
{
	size_t done;

	CHECK_EQ(fixture_write(th, nodeid, want + first * BLOCK, n * BLOCK,
			       first * BLOCK, &done),
		 0);
	CHECK_EQ(done, n * BLOCK);
	tidy_clusters(th);
}

static void begin(void)
{
	fs = fixture_fs_of(2);
	th = &fs->threads[0];
	REQUIRE(!settler_start(fs, &settler));
	file = fixture_file(th, "f");
	fill(want, sizeof(want), 1);
	for (size_t k = 0; k < GROUPS; k++)
		store(file, k * CLUSTER_BLOCKS, CLUSTER_BLOCKS);
	zsfs_set_settle(fs, SETTLE_OFF);
}

static void end(void)
{
	char msg[256] = "";
	struct tx *tx;
	size_t done;

	settler_stop(settler);
	CHECK_EQ(zsfs_verify(fs, msg, sizeof(msg)), 0);
	if (*msg)
		fprintf(stderr, "# %s\n", msg);
	tx = tx_begin(th);
	CHECK_EQ(fixture_end(tx,
			     zsfs_read(tx, file, got, sizeof(got), 0, &done)),
		 0);
	CHECK(!memcmp(got, want, sizeof(got)));
	zsfs_close(fs);
}

static int64_t dense(void)
{
	return zsfs_stat_sum(fs, ST_DENSE);
}

/* Steps until as many blocks are dense, or patience ends. */
static bool step_until(int64_t blocks)
{
	uint64_t until = clock_ms() + PATIENCE_MS;

	while (dense() < blocks && clock_ms() < until)
		if (settler_step(settler, th, 0) != 1)
			usleep(200);
	return dense() >= blocks;
}

/* Steps until the mill has nothing and no walk is under way. */
static void step_to_rest(void)
{
	unsigned idle = 0;

	while (idle < 50) {
		idle = settler_step(settler, th, 0) == 1 ? 0 : idle + 1;
		usleep(200);
	}
}

/* Of one file many groups are under way, and none is in another's way. */
static void test_walk(void)
{
	begin();
	zsfs_set_settle(fs, 0);
	CHECK(step_until(MANY));
	step_to_rest();
	CHECK_EQ(zsfs_stat_sum(fs, ST_SETTLED), MANY);
	end();
}

/* What others write meanwhile stays, and settles in the end. */
static void test_others_write(void)
{
	begin();
	zsfs_set_settle(fs, 0);
	for (size_t n = 0; n < 300; n++) {
		size_t block = n * 7 % MANY;

		settler_step(settler, th, 0);
		fill(want + block * BLOCK, BLOCK, n + 99);
		store(file, block, 1);
	}
	CHECK(step_until(MANY));
	end();
}

/* It ends in the midst of a file, and goes on when it is wanted again. */
static void test_off(void)
{
	int64_t now;

	begin();
	zsfs_set_settle(fs, 0);
	CHECK(step_until(4 * CLUSTER_BLOCKS));
	zsfs_set_settle(fs, SETTLE_OFF);
	now = dense();
	step_to_rest();
	CHECK_EQ(dense(), now);
	CHECK(now < MANY);
	zsfs_set_settle(fs, 0);
	CHECK(step_until(MANY));
	end();
}

/* Steps beside @rate requests each, 2 ms apart: did they rest meanwhile? */
static bool rests_beside(uint64_t rate)
{
	uint64_t until = clock_ms() + PATIENCE_MS, requests = 0;
	bool rested = false;

	while (dense() < MANY && clock_ms() < until) {
		bool was = settler_step(settler, th, requests += rate) > 1;

		rested |= was && !fs->reader_counts.busy;
		usleep(2000);
	}
	return rested;
}

static void test_beside_requests(void)
{
	for (uint64_t rate = 0; rate <= 1000; rate += 1000) {
		begin();
		zsfs_set_settle(fs, 0);
		CHECK_EQ(rests_beside(rate), rate > 0);
		CHECK_EQ(dense(), MANY);
		end();
	}
}

/* Something hot, which no walk can settle. */
static void make_hot(void)
{
	zsfs_set_hot(fs, UINT64_C(4) << 20);
	hot_may(th, 2 * CLUSTER_BLOCKS);
	while (hot_step(th, false) == 1)
		;
	store(file, 0, CLUSTER_BLOCKS);
	CHECK_EQ(zsfs_stat_sum(fs, ST_HOT), CLUSTER_BLOCKS);
}

/* Where memory is short walks need no age, but one does not follow another. */
static void test_short_of_memory(void)
{
	unsigned steps = 0;

	begin();
	make_hot();
	zsfs_set_settle(fs, 0);
	CHECK(step_until(MANY - CLUSTER_BLOCKS));
	step_to_rest();
	fs->super->mem_limit = UINT64_C(1) << 50;
	arena_set_limit(fs->arena, UINT64_C(256) << 20);
	/* A walk has a hundred at most, and one begins each second. */
	for (unsigned n = 0; n < 1500; n++) {
		steps += settler_step(settler, th, 0) == 1;
		usleep(200);
	}
	CHECK(steps < 900);
	hot_drain(th, UINT64_MAX);
	CHECK(step_until(MANY));
	end();
}

struct asker {
	pthread_t thread;
	bool answered; /* atomic */
};

static void *ask(void *arg)
{
	struct asker *a = arg;
	struct zsfs_thread *own = &fs->threads[1];

	zsfs_enter(own);
	CHECK_EQ(zsfs_settle(own), 0);
	zsfs_leave(own);
	CHECK_EQ(dense(), MANY);
	__atomic_store_n(&a->answered, true, __ATOMIC_SEQ_CST);
	return NULL;
}

static void step_for(struct asker *a)
{
	while (!__atomic_load_n(&a->answered, __ATOMIC_SEQ_CST))
		if (settler_step(settler, th, 0) != 1)
			usleep(200);
	pthread_join(a->thread, NULL);
}

/* Also where it is off, and where nothing is left to do. */
static void test_asked(void)
{
	begin();
	fs->settler = settler;
	for (unsigned n = 0; n < 3; n++) {
		struct asker a = {0};

		REQUIRE(!pthread_create(&a.thread, NULL, ask, &a));
		step_for(&a);
	}
	end();
}

/* A walk that is under way ends for who asks, and so does his. */
static void test_asked_amid_a_walk(void)
{
	struct asker a = {0};

	begin();
	fs->settler = settler;
	zsfs_set_settle(fs, 0);
	CHECK(step_until(3 * CLUSTER_BLOCKS));
	REQUIRE(!pthread_create(&a.thread, NULL, ask, &a));
	step_for(&a);
	step_to_rest();
	end();
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		CHECK_CASE(test_walk),
		CHECK_CASE(test_others_write),
		CHECK_CASE(test_off),
		CHECK_CASE(test_beside_requests),
		CHECK_CASE(test_short_of_memory),
		CHECK_CASE(test_asked),
		CHECK_CASE(test_asked_amid_a_walk),
	};

	return CHECK_MAIN(cases, argc, argv);
}
