/* SPDX-License-Identifier: BSD-3-Clause */
/* Compaction: what it frees, what it leaves alone, and who may run it. */
#include "check.h"
#include "pool_fixture.h"
#include "sizes.h"
#include "zsmalloc_i.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

#define NR_REFS 40000u

static struct fixture fx;

static void open_fixture(unsigned chain_size)
{
	struct fixture_params p = {
		.chain_size = chain_size,
		.nr_threads = 3,
		.nr_refs = NR_REFS,
	};

	REQUIRE(fixture_create(&fx, &p) == 0);
}

static struct zs_pool_stats pool_stats(void)
{
	struct zs_pool_stats s;

	zs_pool_get_stats(fx.pool, &s);
	return s;
}

/* Fewest pages that the live objects can be in, class by class. */
static uint64_t least_pages(void)
{
	static struct zs_class_stats all[ZS_SIZE_CLASSES];
	unsigned n = zs_class_stats(fx.pool, all);
	uint64_t pages = 0;

	for (unsigned i = 0; i < n; i++)
		pages += (all[i].obj_used + all[i].objs_per_zspage - 1) /
			 all[i].objs_per_zspage * all[i].pages_per_zspage;
	return pages;
}

static void check_all_intact(void)
{
	for (size_t i = 0; i < fx.nr_refs; i++) {
		if (fx.ref[i])
			CHECK(object_intact(&fx, fx.t, fx.ref[i], NULL));
	}
}

static void fill(size_t nr, uint64_t seed)
{
	for (size_t i = 0; i < nr; i++)
		REQUIRE(!put_object(&fx, fx.t, &fx.ref[i], random_size(&seed),
				    (uint32_t)rnd(&seed)));
}

static uint32_t place_of(size_t i)
{
	return zspage_of_cell(cell_load(ref_handle(fx.ref[i]))).pfn;
}

static void test_nothing_to_do(void)
{
	open_fixture(0);
	CHECK_EQ(zs_can_compact(fx.pool), 0);
	CHECK_EQ(zs_compact(fx.pool, fx.t), 0);
	for (size_t i = 0; i < 51 * 3 + 7; i++)
		REQUIRE(!put_object(&fx, fx.t, &fx.ref[i], 392, 1));
	CHECK_EQ(zs_can_compact(fx.pool), 0);
	CHECK_EQ(zs_compact(fx.pool, fx.t), 0);
	CHECK_EQ(pool_stats().compactions, 0);
	CHECK_EQ(fixture_verify(&fx), 0);
	fixture_close(&fx);
}

/* Half of the objects deleted at random: what is left is packed as can be. */
static void compact_half(unsigned chain_size)
{
	uint64_t seed = chain_size, before, could, *refs;
	int64_t freed;

	open_fixture(chain_size);
	fill(NR_REFS, 1);
	for (size_t i = 0; i < NR_REFS; i++) {
		if (rnd(&seed) & 1)
			zs_free(fx.pool, fx.t, &fx.ref[i]);
	}
	refs = malloc(NR_REFS * 8);
	REQUIRE(refs);
	memcpy(refs, fx.ref, NR_REFS * 8);
	before = zs_get_total_pages(fx.pool);
	could = zs_can_compact(fx.pool);
	CHECK(could > before / 4);
	freed = zs_compact(fx.pool, fx.t);
	CHECK_EQ(freed, could);
	CHECK_EQ(zs_get_total_pages(fx.pool), before - could);
	CHECK_EQ(zs_get_total_pages(fx.pool), least_pages());
	CHECK_EQ(zs_can_compact(fx.pool), 0);
	CHECK_EQ(memcmp(refs, fx.ref, NR_REFS * 8), 0);
	CHECK_EQ(fixture_verify(&fx), 0);
	check_all_intact();
	free(refs);
	fixture_close(&fx);
}

static void test_half_deleted(void)
{
	compact_half(4);
	compact_half(8);
	compact_half(16);
}

static void test_statistics(void)
{
	uint64_t total = 0, runs = 0;

	open_fixture(0);
	for (unsigned round = 1; round <= 3; round++) {
		int64_t freed;

		for (size_t i = 0; i < 1000; i++) {
			if (!fx.ref[i])
				REQUIRE(!put_object(&fx, fx.t, &fx.ref[i], 1000,
						    1));
		}
		for (size_t i = 0; i < 1000; i++) {
			if (i % 4 != round)
				zs_free(fx.pool, fx.t, &fx.ref[i]);
		}
		freed = zs_compact(fx.pool, fx.t);
		CHECK(freed > 0);
		total += (uint64_t)freed;
		runs++;
		CHECK_EQ(pool_stats().last_compacted, freed);
		CHECK_EQ(zs_compact(fx.pool, fx.t), 0);
		CHECK_EQ(pool_stats().last_compacted, freed);
		CHECK_EQ(pool_stats().pages_compacted, total);
		CHECK_EQ(pool_stats().compactions, runs);
	}
	REQUIRE(fixture_reopen(&fx) == 0);
	CHECK_EQ(pool_stats().pages_compacted, total);
	fixture_close(&fx);
}

static void free_half(void)
{
	uint64_t seed = 3;

	for (size_t i = 0; i < NR_REFS; i++) {
		if (rnd(&seed) & 1)
			zs_free(fx.pool, fx.t, &fx.ref[i]);
	}
}

/* Each step frees one zspage, and all of them what a run frees. */
static void test_steps(void)
{
	uint64_t could, total = 0;
	unsigned pages;

	open_fixture(0);
	CHECK_EQ(zs_compact_step(fx.pool, fx.t), 0);
	fill(NR_REFS, 1);
	free_half();
	could = zs_can_compact(fx.pool);
	while ((pages = zs_compact_step(fx.pool, fx.t))) {
		CHECK(pages <= ZS_DEFAULT_CHAIN_SIZE);
		total += pages;
		CHECK_EQ(zs_can_compact(fx.pool), could - total);
		CHECK_EQ(pool_stats().pages_compacted, total);
	}
	CHECK_EQ(total, could);
	CHECK_EQ(zs_get_total_pages(fx.pool), least_pages());
	CHECK(!zs_is_compacting(fx.pool));
	/* A run is what the caller calls so. */
	CHECK_EQ(pool_stats().compactions, 0);
	zs_count_compaction(fx.pool, fx.t, total);
	CHECK_EQ(pool_stats().compactions, 1);
	CHECK_EQ(pool_stats().last_compacted, total);
	CHECK_EQ(fixture_verify(&fx), 0);
	check_all_intact();
	fixture_close(&fx);
}

static void look_meanwhile(void *arg)
{
	char msg[256];

	/* Often enough to see it, and not too long. */
	if (++*(unsigned *)arg % 100)
		return;
	if (zs_pool_verify(fx.pool, msg, sizeof(msg)))
		CHECK_FAILED("%s", msg);
	CHECK(zs_is_compacting(fx.pool));
}

/* The pool can be verified between any two zspages of a run. */
static void test_pauses(void)
{
	unsigned pauses = 0;
	int64_t freed;

	open_fixture(0);
	fill(NR_REFS, 1);
	free_half();
	freed = zs_compact_pausing(fx.pool, fx.t, look_meanwhile, &pauses);
	CHECK(pauses > 200);
	CHECK(freed >= pauses && freed <= pauses * ZS_DEFAULT_CHAIN_SIZE);
	CHECK_EQ(zs_get_total_pages(fx.pool), least_pages());
	fixture_close(&fx);
}

static void *run_steps(void *arg)
{
	uint64_t *total = arg;
	unsigned pages, nr = total[1] ? 2 : 1;

	while ((pages = zs_compact_step(fx.pool, arena_thread(fx.arena, nr))))
		*total += pages;
	return NULL;
}

/* Two threads make steps beside a run of a third: nobody is turned away. */
static void test_steps_beside_each_other(void)
{
	uint64_t total[2][2] = {{0, 0}, {0, 1}}, could;
	pthread_t thread[2];
	int64_t freed;

	open_fixture(0);
	fill(NR_REFS, 1);
	free_half();
	could = zs_can_compact(fx.pool);
	for (unsigned i = 0; i < 2; i++)
		REQUIRE(!pthread_create(&thread[i], NULL, run_steps, total[i]));
	freed = zs_compact(fx.pool, fx.t);
	CHECK(freed >= 0);
	for (unsigned i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	CHECK_EQ((uint64_t)freed + total[0][0] + total[1][0], could);
	CHECK_EQ(pool_stats().pages_compacted, could);
	CHECK_EQ(zs_get_total_pages(fx.pool), least_pages());
	CHECK_EQ(fixture_verify(&fx), 0);
	check_all_intact();
	fixture_close(&fx);
}

/* Objects go from the emptiest zspage to the fullest one. */
static void test_emptiest_into_fullest(void)
{
	static const size_t leave[] = {40, 3, 25, 2, 33};
	uint32_t place[5];

	open_fixture(0);
	for (size_t i = 0; i < 51 * 5; i++)
		REQUIRE(!put_object(&fx, fx.t, &fx.ref[i], 392, (uint32_t)i));
	for (size_t i = 0; i < 51 * 5; i++) {
		if (i % 51 >= leave[i / 51])
			zs_free(fx.pool, fx.t, &fx.ref[i]);
	}
	for (size_t i = 0; i < 5; i++)
		place[i] = place_of(51 * i);
	/*
	 * 103 objects need 3 zspages of 51. The zspages with 2 and 3 objects
	 * go into the one with 40, and then nothing more can be freed.
	 */
	CHECK_EQ(zs_compact(fx.pool, fx.t), 10);
	for (size_t i = 0; i < 51 * 5; i++) {
		bool moved = i / 51 == 1 || i / 51 == 3;

		if (fx.ref[i])
			CHECK_EQ(place_of(i), place[moved ? 0 : i / 51]);
	}
	CHECK_EQ(fixture_verify(&fx), 0);
	check_all_intact();
	fixture_close(&fx);
}

/* One object left in every zspage of every class. */
static void test_sparse(void)
{
	open_fixture(0);
	for (size_t i = 0; i < NR_REFS; i++)
		REQUIRE(!put_object(&fx, fx.t, &fx.ref[i], 1 + i * 7 % 3600,
				    (uint32_t)i));
	for (size_t i = 0; i < NR_REFS; i++) {
		uint32_t pfn = place_of(i);

		if (page_desc_of(pfn)->inuse > 1)
			zs_free(fx.pool, fx.t, &fx.ref[i]);
	}
	CHECK(zs_compact(fx.pool, fx.t) > 0);
	CHECK_EQ(zs_get_total_pages(fx.pool), least_pages());
	CHECK_EQ(fixture_verify(&fx), 0);
	check_all_intact();
	fixture_close(&fx);
}

/* Single flight. */

static void make_holes(void)
{
	for (size_t i = 0; i < 4000; i++)
		REQUIRE(!put_object(&fx, fx.t, &fx.ref[i], 1000, (uint32_t)i));
	for (size_t i = 0; i < 4000; i += 2)
		zs_free(fx.pool, fx.t, &fx.ref[i]);
}

#if ZS_DEBUG_LEVEL >= 1
static unsigned busy_calls;

/* In the midst of a compaction: another one is turned away. */
static void compact_meanwhile(void)
{
	if (busy_calls++ % 50)
		return;
	CHECK_EQ(zs_compact(fx.pool, arena_thread(fx.arena, 1)), -EBUSY);
}

static void test_busy(void)
{
	open_fixture(0);
	make_holes();
	busy_calls = 0;
	zs_crash_hook = compact_meanwhile;
	CHECK(zs_compact(fx.pool, fx.t) > 0);
	zs_crash_hook = NULL;
	CHECK(busy_calls > 100);
	CHECK_EQ(zs_compact(fx.pool, arena_thread(fx.arena, 1)), 0);
	CHECK_EQ(fixture_verify(&fx), 0);
	fixture_close(&fx);
}
#endif

/* Pins. */

struct compactor {
	int64_t freed;
	int done; /* atomic */
};

static void *run_compactor(void *arg)
{
	struct compactor *c = arg;

	c->freed = zs_compact(fx.pool, arena_thread(fx.arena, 1));
	__atomic_store_n(&c->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

static void nap(long ms)
{
	struct timespec ts = {.tv_nsec = ms * 1000000};

	nanosleep(&ts, NULL);
}

/* Nothing moves while an object is being read, and all of it afterwards. */
static void test_pin_holds_compaction(void)
{
	struct compactor c = {0};
	struct zs_obj_info info;
	unsigned char want[1000];
	const void *p;
	pthread_t thread;
	uint32_t handle;
	uint64_t cell;

	open_fixture(0);
	make_holes();
	handle = ref_handle(fx.ref[3999]);
	cell = cell_load(handle);
	p = zs_obj_read_begin(fx.pool, fx.t, handle, &info);
	REQUIRE(p && info.word == 3999);
	REQUIRE(!pthread_create(&thread, NULL, run_compactor, &c));
	nap(100);
	CHECK_EQ(__atomic_load_n(&c.done, __ATOMIC_ACQUIRE), 0);
	CHECK_EQ(cell_load(handle), cell);
	make_content(want, sizeof(want), 3999);
	CHECK_EQ(memcmp(p, want, sizeof(want)), 0);
	zs_obj_read_end(fx.pool, fx.t);
	pthread_join(thread, NULL);
	CHECK(c.freed > 0);
	CHECK_EQ(zs_get_total_pages(fx.pool), least_pages());
	CHECK_EQ(fixture_verify(&fx), 0);
	check_all_intact();
	fixture_close(&fx);
}

static const struct check_case cases[] = {
	CHECK_CASE(test_nothing_to_do),
	CHECK_CASE(test_half_deleted),
	CHECK_CASE(test_statistics),
	CHECK_CASE(test_steps),
	CHECK_CASE(test_steps_beside_each_other),
	CHECK_CASE(test_pauses),
	CHECK_CASE(test_emptiest_into_fullest),
	CHECK_CASE(test_sparse),
#if ZS_DEBUG_LEVEL >= 1
	CHECK_CASE(test_busy),
#endif
	CHECK_CASE(test_pin_holds_compaction),
};

int main(int argc, char **argv)
{
	return CHECK_MAIN(cases, argc, argv);
}
