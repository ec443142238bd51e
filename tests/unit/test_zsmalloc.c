/* SPDX-License-Identifier: BSD-3-Clause */
/* The pool's functions one by one: allocation, access, statistics, limits. */
#include "check.h"
#include "pool_fixture.h"
#include "zsmalloc_i.h"

#include <errno.h>

#define NR(a)	(sizeof(a) / sizeof((a)[0]))
#define NR_REFS 8192u

static struct fixture fx;

static void open_fixture(unsigned chain_size, uint64_t limit)
{
	struct fixture_params p = {
		.chain_size = chain_size,
		.limit = limit,
		.nr_threads = 2,
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

static struct zs_class_stats class_stats(size_t payload)
{
	static struct zs_class_stats all[ZS_SIZE_CLASSES];
	unsigned index = zs_lookup_class_index(fx.pool, payload);
	unsigned n = zs_class_stats(fx.pool, all);

	for (unsigned i = 0; i < n; i++) {
		if (all[i].index == index)
			return all[i];
	}
	CHECK_FAILED("class %u has no statistics", index);
	return all[0];
}

static void free_all(void)
{
	for (size_t i = 0; i < fx.nr_refs; i++)
		zs_free(fx.pool, fx.t, &fx.ref[i]);
}

static void check_empty(void)
{
	CHECK_EQ(fixture_verify(&fx), 0);
	CHECK_EQ(pool_stats().objs_used, 0);
	CHECK_EQ(pool_stats().pages_used, 0);
	CHECK_EQ(zs_get_total_pages(fx.pool), 0);
}

/* Making and taking up. */

static void test_create_refuses(void)
{
	static const unsigned bad[] = {0, 1, 3, 17, 1u << 31};
	struct zs_pool *pool;
	char *root;

	open_fixture(0, 0);
	root = arena_root(fx.arena);
	for (size_t i = 0; i < NR(bad); i++)
		CHECK_EQ(zs_create_pool(fx.arena, root, bad[i], &pool),
			 -EINVAL);
	CHECK_EQ(zs_create_pool(fx.arena, root + 8, 8, &pool), -EINVAL);
	CHECK_EQ(fixture_verify(&fx), 0);
	fixture_close(&fx);
}

static void test_open_refuses(void)
{
	struct zs_pool_root *root, saved;
	struct zs_pool *pool;

	open_fixture(0, 0);
	root = arena_root(fx.arena);
	saved = *root;
	root->magic ^= 1;
	CHECK_EQ(zs_open_pool(fx.arena, root, &pool), -EPROTO);
	*root = saved;
	root->version++;
	CHECK_EQ(zs_open_pool(fx.arena, root, &pool), -EPROTO);
	*root = saved;
	for (unsigned k = 0; k < 32; k++) {
		root->chain_size ^= 1u << k;
		CHECK_EQ(zs_open_pool(fx.arena, root, &pool), -EPROTO);
		*root = saved;
	}
	root->chain_size = 99;
	CHECK_EQ(zs_open_pool(fx.arena, root, &pool), -EPROTO);
	root->magic = zs_pool_magic(99);
	CHECK_EQ(zs_open_pool(fx.arena, root, &pool), -EPROTO);
	*root = saved;
	root->class_size += 8;
	CHECK_EQ(zs_open_pool(fx.arena, root, &pool), -EPROTO);
	*root = saved;
	CHECK_EQ(zs_open_pool(fx.arena, (char *)root + 8, &pool), -EPROTO);
	CHECK_EQ(zs_open_pool(fx.arena, root, &pool), 0);
	zs_close_pool(pool);
	fixture_close(&fx);
}

static void test_reopen_keeps_objects(void)
{
	uint64_t seed = 7;

	open_fixture(16, 0);
	for (size_t i = 0; i < 2000; i++)
		REQUIRE(!put_object(&fx, fx.t, &fx.ref[i],
				    1 + rnd_below(&seed, 4096),
				    (uint32_t)rnd(&seed)));
	for (size_t i = 0; i < 2000; i += 3)
		zs_free(fx.pool, fx.t, &fx.ref[i]);
	REQUIRE(fixture_reopen(&fx) == 0);
	CHECK_EQ(fixture_verify(&fx), 0);
	CHECK_EQ(zs_chain_size(fx.pool), 16);
	for (size_t i = 0; i < 2000; i++) {
		if (i % 3)
			CHECK(object_intact(&fx, fx.t, fx.ref[i], NULL));
		else
			CHECK_EQ(fx.ref[i], 0);
	}
	free_all();
	check_empty();
	fixture_close(&fx);
}

static void test_destroy_frees_everything(void)
{
	struct arena_stats s;
	struct zs_pool *pool;

	open_fixture(0, 0);
	for (size_t i = 0; i < 1000; i++)
		REQUIRE(!put_object(&fx, fx.t, &fx.ref[i], 1 + i * 4, 1));
	zs_destroy_pool(fx.pool, fx.t);
	arena_get_stats(fx.arena, &s);
	CHECK_EQ(s.pages[ARENA_PAGE_ZSPAGE], 0);
	CHECK_EQ(zs_open_pool(fx.arena, arena_root(fx.arena), &pool), -EPROTO);
	CHECK_EQ(zs_create_pool(fx.arena, arena_root(fx.arena), 4, &fx.pool),
		 0);
	memset(fx.ref, 0, NR_REFS * 8);
	REQUIRE(!put_object(&fx, fx.t, &fx.ref[0], 100, 1));
	CHECK(object_intact(&fx, fx.t, fx.ref[0], NULL));
	CHECK_EQ(fixture_verify(&fx), 0);
	fixture_close(&fx);
}

/* Allocation. */

static void test_bad_arguments(void)
{
	static const struct {
		size_t size;
		unsigned tag;
	} bad[] = {{0, 0}, {4097, 0}, {SIZE_MAX, 0}, {100, 8}, {1, UINT32_MAX}};

	open_fixture(0, 0);
	for (size_t i = 0; i < NR(bad); i++) {
		CHECK_EQ(zs_malloc(fx.pool, fx.t, bad[i].size, bad[i].tag, 0,
				   &fx.ref[0]),
			 -EINVAL);
		CHECK_EQ(fx.ref[0], 0);
	}
	zs_free(fx.pool, fx.t, &fx.ref[0]);
	check_empty();
	fixture_close(&fx);
}

static void test_every_size(void)
{
	open_fixture(0, 0);
	for (uint32_t size = 1; size <= 4096; size++) {
		CHECK_EQ(put_object(&fx, fx.t, &fx.ref[size], size, size * 77),
			 0);
		CHECK_EQ(REF_KIND(fx.ref[size]), REF_OBJ);
	}
	CHECK_EQ(fixture_verify(&fx), 0);
	CHECK_EQ(pool_stats().objs_used, 4096);
	for (uint32_t size = 1; size <= 4096; size++) {
		struct zs_obj_info info = {0};
		size_t got = 0;

		CHECK(object_intact(&fx, fx.t, fx.ref[size], &got));
		CHECK_EQ(got, size);
		CHECK(zs_obj_info(fx.pool, ref_handle(fx.ref[size]), &info));
		CHECK_EQ(info.size, size);
		CHECK_EQ(info.word, size * 77);
		CHECK_EQ(info.tag, size * 77 % 8);
	}
	free_all();
	CHECK_EQ(fx.ref[1], 0);
	check_empty();
	fixture_close(&fx);
}

static void test_huge_class(void)
{
	size_t from;

	open_fixture(0, 0);
	from = zs_huge_class_size(fx.pool);
	for (size_t i = 0; i < 100; i++)
		REQUIRE(!put_object(&fx, fx.t, &fx.ref[i], i % 2 ? from : 4096,
				    (uint32_t)i));
	CHECK_EQ(pool_stats().huge_objs, 100);
	CHECK_EQ(pool_stats().pages_used, 100);
	CHECK(class_stats(4096).huge);
	CHECK_EQ(class_stats(4096).inuse[11], 100);
	CHECK_EQ(class_stats(4096).almost_full, 0);
	CHECK_EQ(class_stats(4096).freeable, 0);
	CHECK_EQ(zs_lookup_class_index(fx.pool, from), 254);
	CHECK(!class_stats(from - 1).huge);
	for (size_t i = 0; i < 100; i++)
		CHECK(object_intact(&fx, fx.t, fx.ref[i], NULL));
	zs_free(fx.pool, fx.t, &fx.ref[50]);
	CHECK_EQ(pool_stats().pages_used, 99);
	CHECK_EQ(fixture_verify(&fx), 0);
	free_all();
	check_empty();
	fixture_close(&fx);
}

static int count_handle(uint32_t handle, void *arg)
{
	return ++*(unsigned *)arg == 3 ? -EINTR : 0;
}

static void test_no_such_object(void)
{
	struct zs_obj_info info;
	uint32_t handle, bad[6];
	unsigned n = 0;
	uint64_t cell;

	open_fixture(0, 0);
	REQUIRE(!put_object(&fx, fx.t, &fx.ref[0], 1000, 1));
	handle = ref_handle(fx.ref[0]);
	CHECK(zs_obj_read_begin(fx.pool, fx.t, handle, &info) != NULL);
	zs_obj_read_end(fx.pool, fx.t);
	zs_free(fx.pool, fx.t, &fx.ref[0]);
	bad[0] = 0;
	bad[1] = handle;       /* just freed */
	bad[2] = handle + 1;   /* in the magazine, never used */
	bad[3] = handle + 100; /* never given out */
	bad[4] = 0x7fffffff;
	bad[5] = UINT32_MAX;
	for (size_t i = 0; i < NR(bad); i++) {
		CHECK(!zs_obj_read_begin(fx.pool, fx.t, bad[i], &info));
		CHECK(!zs_obj_info(fx.pool, bad[i], &info));
	}
	/* A cell that points at a page of somebody else. */
	REQUIRE(!put_object(&fx, fx.t, &fx.ref[0], 1000, 1));
	handle = ref_handle(fx.ref[0]);
	cell = *arena_handle_cell(handle);
	*arena_handle_cell(handle) = cell_make(1, 1000, 1);
	CHECK(!zs_obj_read_begin(fx.pool, fx.t, handle, &info));
	CHECK(!zs_obj_info(fx.pool, handle, &info));
	*arena_handle_cell(handle) = cell;
	CHECK(zs_obj_info(fx.pool, handle, &info));

	for (size_t i = 1; i < 6; i++)
		REQUIRE(!put_object(&fx, fx.t, &fx.ref[i], 1000, 1));
	CHECK_EQ(zs_for_each_handle(fx.pool, count_handle, &n), -EINTR);
	CHECK_EQ(n, 3);
	fixture_close(&fx);
}

/* One zspage filled and emptied object by object: groups and the 4.2 rule. */
static void test_fullness(void)
{
	const size_t payload = 400 - 8; /* 5 pages, 51 objects */
	struct zs_class_stats s;

	open_fixture(0, 0);
	s = class_stats(payload);
	REQUIRE(s.objs_per_zspage == 51 && s.pages_per_zspage == 5);
	for (unsigned step = 1; step <= 101; step++) {
		unsigned n = step <= 51 ? step : 102 - step;
		unsigned group = n == 51 ? 11 : n * 10 / 51 + 1;

		if (step <= 51)
			REQUIRE(!put_object(&fx, fx.t, &fx.ref[n], payload, n));
		else
			zs_free(fx.pool, fx.t, &fx.ref[n + 1]);
		s = class_stats(payload);
		for (unsigned g = 0; g < 12; g++)
			CHECK_EQ(s.inuse[g], g == group);
		CHECK_EQ(s.almost_empty, n <= 38);
		CHECK_EQ(s.almost_full, n > 38 && n < 51);
		CHECK_EQ(s.obj_used, n);
		CHECK_EQ(s.obj_allocated, 51);
		CHECK_EQ(s.pages_used, 5);
		CHECK_EQ(s.freeable, 0);
		CHECK_EQ(fixture_verify(&fx), 0);
	}
	zs_free(fx.pool, fx.t, &fx.ref[1]);
	CHECK_EQ(class_stats(payload).obj_allocated, 0);
	check_empty();
	fixture_close(&fx);
}

/* New objects go to the fullest zspage that is not full. */
static void test_fullest_first(void)
{
	const size_t payload = 400 - 8;
	uint32_t fullest;

	open_fixture(0, 0);
	for (size_t i = 0; i < 51 * 4; i++)
		REQUIRE(!put_object(&fx, fx.t, &fx.ref[i], payload, 1));
	for (size_t i = 0; i < 51 * 4; i++) {
		/* Leave 11, 21, 46 and 31 objects in the four zspages. */
		static const size_t leave[] = {11, 21, 46, 31};

		if (i % 51 >= leave[i / 51])
			zs_free(fx.pool, fx.t, &fx.ref[i]);
	}
	fullest = zspage_of_cell(cell_load(ref_handle(fx.ref[51 * 2]))).pfn;
	for (size_t i = 0; i < 5; i++) {
		uint64_t *ref = &fx.ref[1000 + i];

		REQUIRE(!put_object(&fx, fx.t, ref, payload, 1));
		CHECK_EQ(zspage_of_cell(cell_load(ref_handle(*ref))).pfn,
			 fullest);
	}
	CHECK_EQ(class_stats(payload).inuse[11], 1);
	fixture_close(&fx);
}

/* Statistics. */

struct recount {
	uint64_t objs[ZS_SIZE_CLASSES];
	uint64_t total;
};

static int recount_handle(uint32_t handle, void *arg)
{
	struct recount *r = arg;
	struct zs_obj_info info;

	CHECK(zs_obj_info(fx.pool, handle, &info));
	r->objs[zs_lookup_class_index(fx.pool, info.size)]++;
	r->total++;
	return 0;
}

static void check_stats_by_recount(void)
{
	static struct zs_class_stats all[ZS_SIZE_CLASSES];
	unsigned n = zs_class_stats(fx.pool, all), last = 0;
	uint64_t pages = 0, objs = 0, freeable = 0;
	struct recount r = {0};

	CHECK_EQ(zs_for_each_handle(fx.pool, recount_handle, &r), 0);
	for (unsigned i = 0; i < n; i++) {
		const struct zs_class_stats *s = &all[i];
		uint64_t zspages = 0;

		CHECK(s->index >= last);
		last = s->index + 1;
		for (unsigned g = 0; g < 12; g++)
			zspages += s->inuse[g];
		CHECK_EQ(s->obj_used, r.objs[s->index]);
		CHECK_EQ(s->obj_allocated, zspages * s->objs_per_zspage);
		CHECK_EQ(s->pages_used, zspages * s->pages_per_zspage);
		CHECK_EQ(s->almost_full + s->almost_empty,
			 zspages - s->inuse[0] - s->inuse[11]);
		CHECK_EQ(s->freeable, (s->obj_allocated - s->obj_used) /
					      s->objs_per_zspage *
					      s->pages_per_zspage);
		pages += s->pages_used;
		objs += s->obj_used;
		freeable += s->freeable;
	}
	CHECK_EQ(last, 255);
	CHECK_EQ(pool_stats().objs_used, objs);
	CHECK_EQ(r.total, objs);
	CHECK_EQ(pool_stats().pages_used, pages);
	CHECK_EQ(zs_get_total_pages(fx.pool), pages);
	CHECK_EQ(zs_can_compact(fx.pool), freeable);
}

static void random_ops(uint64_t *seed, unsigned nr, struct arena_thread *t)
{
	for (unsigned i = 0; i < nr; i++) {
		uint64_t *ref = &fx.ref[rnd_below(seed, fx.nr_refs)];

		if (*ref)
			zs_free(fx.pool, t, ref);
		else
			CHECK(!put_object(&fx, t, ref,
					  1 + rnd_below(seed, 4096),
					  (uint32_t)rnd(seed)));
	}
}

static void test_random_with_recount(void)
{
	uint64_t seed = 20240607;

	for (unsigned chain = 4; chain <= 16; chain += 4) {
		open_fixture(chain, 0);
		for (unsigned round = 0; round < 6; round++) {
			random_ops(&seed, 5000,
				   arena_thread(fx.arena, round % 2));
			CHECK_EQ(fixture_verify(&fx), 0);
			check_stats_by_recount();
			if (round == 3)
				CHECK(zs_compact(fx.pool, fx.t) > 0);
		}
		for (size_t i = 0; i < fx.nr_refs; i++) {
			if (fx.ref[i])
				CHECK(object_intact(&fx, fx.t, fx.ref[i],
						    NULL));
		}
		free_all();
		check_empty();
		fixture_close(&fx);
	}
}

/* Handles. */

static void test_handles_grow_and_reset(void)
{
	uint64_t before, peak;

	open_fixture(0, 0);
	REQUIRE(!put_object(&fx, fx.t, &fx.ref[0], 10, 1));
	before = pool_stats().handle_bytes;
	CHECK(before >= 8);
	for (size_t i = 1; i < NR_REFS; i++) {
		struct arena_thread *t = arena_thread(fx.arena, i % 2);

		REQUIRE(!put_object(&fx, t, &fx.ref[i], 10, 1));
	}
	CHECK_EQ(fixture_verify(&fx), 0);
	peak = pool_stats().handle_bytes;
	CHECK(peak >= NR_REFS * 8);
	/* All of them freed and taken again need no new ones. */
	for (unsigned round = 0; round < 3; round++) {
		for (size_t i = 0; i < NR_REFS; i++)
			zs_free(fx.pool, fx.t, &fx.ref[i]);
		CHECK_EQ(fixture_verify(&fx), 0);
		for (size_t i = 0; i < NR_REFS; i++)
			REQUIRE(!put_object(&fx, fx.t, &fx.ref[i], 10, 1));
	}
	CHECK(fx.pool->root->handle_next <= NR_REFS + 2 * ZS_MAGAZINE + 1);
	for (size_t i = 1; i < NR_REFS; i++)
		zs_free(fx.pool, fx.t, &fx.ref[i]);
	CHECK_EQ(zs_compact(fx.pool, fx.t), 0);
	CHECK(pool_stats().handle_bytes <= peak);
	zs_free(fx.pool, fx.t, &fx.ref[0]);
	CHECK_EQ(zs_compact(fx.pool, fx.t), 0);
	CHECK_EQ(pool_stats().handle_bytes, before);
	CHECK_EQ(fx.pool->root->handle_next, 1);
	check_empty();
	for (size_t i = 0; i < NR_REFS; i++)
		REQUIRE(!put_object(&fx, fx.t, &fx.ref[i], 10, 1));
	CHECK_EQ(fixture_verify(&fx), 0);
	fixture_close(&fx);
}

/* Limits. */

static void test_full_arena(void)
{
	size_t n = 0, freed = 0;
	int err = 0;

	open_fixture(0, 8 << 20);
	while (n < NR_REFS && !err) {
		err = put_object(&fx, fx.t, &fx.ref[n], 4096, (uint32_t)n);
		n += !err;
	}
	CHECK_EQ(err, -ENOSPC);
	CHECK_EQ(fx.ref[n], 0);
	CHECK(n > 1000);
	CHECK_EQ(fixture_verify(&fx), 0);
	CHECK_EQ(zs_malloc(fx.pool, fx.t, 4096, 0, 0, &fx.ref[n]), -ENOSPC);
	for (size_t i = 0; i < n; i++)
		CHECK(object_intact(&fx, fx.t, fx.ref[i], NULL));
	/* What was freed can be had again, and no more. */
	for (size_t i = 0; i < n; i += 2, freed++)
		zs_free(fx.pool, fx.t, &fx.ref[i]);
	for (size_t i = 0; i < n; i += 2)
		CHECK_EQ(put_object(&fx, fx.t, &fx.ref[i], 4096, 1), 0);
	CHECK_EQ(zs_malloc(fx.pool, fx.t, 4096, 0, 0, &fx.ref[n]), -ENOSPC);
	free_all();
	check_empty();
	fixture_close(&fx);
}

#if ZS_DEBUG_LEVEL >= 1
static unsigned fail_every, fail_count, failed;

static bool fail_nth(void)
{
	if (++fail_count % fail_every)
		return false;
	failed++;
	return true;
}

/* Every n-th allocation of the arena fails: nothing may change then. */
static void test_out_of_memory(void)
{
	for (fail_every = 1; fail_every <= 12; fail_every++) {
		uint64_t seed = fail_every;
		unsigned refused = 0;

		open_fixture(0, 0);
		fail_count = failed = 0;
		zs_fail_hook = fail_nth;
		for (unsigned i = 0; i < 1500; i++) {
			uint64_t *ref = &fx.ref[rnd_below(&seed, 700)];
			uint64_t objs = pool_stats().objs_used;
			size_t size = 1 + rnd_below(&seed, 4096);
			int err;

			if (*ref) {
				zs_free(fx.pool, fx.t, ref);
				continue;
			}
			err = put_object(&fx, fx.t, ref, size, i);
			if (!err)
				continue;
			refused++;
			CHECK(err == -ENOSPC || err == -ENOMEM);
			CHECK_EQ(*ref, 0);
			CHECK_EQ(pool_stats().objs_used, objs);
			CHECK_EQ(fixture_verify(&fx), 0);
		}
		zs_fail_hook = NULL;
		CHECK(failed > 0 && refused > 0);
		CHECK_EQ(fixture_verify(&fx), 0);
		free_all();
		check_empty();
		fixture_close(&fx);
	}
}
#endif

/* Of the one object that there is. */
static uint64_t payload_now(void)
{
	CHECK_EQ(pool_stats().objs_used, pool_stats().payload ? 1 : 0);
	return pool_stats().payload;
}

/* An object lives as long as its last reference, and counts once. */
static void test_dup(void)
{
	struct zs_obj_info info;

	open_fixture(ZS_DEFAULT_CHAIN_SIZE, 0);
	CHECK_EQ(put_object(&fx, fx.t, &fx.ref[0], 1000, 77), 0);
	CHECK_EQ(payload_now(), 1000);
	CHECK_EQ(zs_dup(fx.pool, fx.t, ref_handle(fx.ref[0]), &fx.ref[1]), 0);
	CHECK_EQ(fx.ref[1], fx.ref[0]);
	CHECK(zs_obj_info(fx.pool, ref_handle(fx.ref[1]), &info));
	CHECK_EQ(info.refs, 2);
	CHECK_EQ(payload_now(), 1000);
	CHECK_EQ(fixture_verify(&fx), 0);
	zs_free(fx.pool, fx.t, &fx.ref[0]);
	CHECK_EQ(payload_now(), 1000);
	CHECK(object_intact(&fx, fx.t, fx.ref[1], NULL));
	CHECK_EQ(fixture_verify(&fx), 0);
	zs_free(fx.pool, fx.t, &fx.ref[1]);
	CHECK_EQ(payload_now(), 0);
	CHECK_EQ(fixture_verify(&fx), 0);
	fixture_close(&fx);
}

static void test_dup_of_nothing(void)
{
	open_fixture(ZS_DEFAULT_CHAIN_SIZE, 0);
	CHECK_EQ(zs_dup(fx.pool, fx.t, 0, &fx.ref[0]), -EINVAL);
	CHECK_EQ(zs_dup(fx.pool, fx.t, 12345, &fx.ref[0]), -EINVAL);
	CHECK_EQ(fx.ref[0], 0);
	fixture_close(&fx);
}

/* The count is full at some time; the object is as before then. */
static void test_dup_saturates(void)
{
	unsigned n = 1;

	open_fixture(ZS_DEFAULT_CHAIN_SIZE, 0);
	CHECK_EQ(put_object(&fx, fx.t, &fx.ref[0], 40, 8), 0);
	while (!zs_dup(fx.pool, fx.t, ref_handle(fx.ref[0]), &fx.ref[n]))
		n++;
	CHECK_EQ(n, 1023);
	CHECK_EQ(zs_dup(fx.pool, fx.t, ref_handle(fx.ref[0]), &fx.ref[n]),
		 -EMLINK);
	CHECK_EQ(fx.ref[n], 0);
	CHECK_EQ(fixture_verify(&fx), 0);
	while (n-- > 1)
		zs_free(fx.pool, fx.t, &fx.ref[n]);
	CHECK(object_intact(&fx, fx.t, fx.ref[0], NULL));
	zs_free(fx.pool, fx.t, &fx.ref[0]);
	CHECK_EQ(payload_now(), 0);
	fixture_close(&fx);
}

static const struct check_case cases[] = {
	CHECK_CASE(test_create_refuses),
	CHECK_CASE(test_open_refuses),
	CHECK_CASE(test_reopen_keeps_objects),
	CHECK_CASE(test_destroy_frees_everything),
	CHECK_CASE(test_bad_arguments),
	CHECK_CASE(test_every_size),
	CHECK_CASE(test_huge_class),
	CHECK_CASE(test_no_such_object),
	CHECK_CASE(test_dup),
	CHECK_CASE(test_dup_of_nothing),
	CHECK_CASE(test_dup_saturates),
	CHECK_CASE(test_fullness),
	CHECK_CASE(test_fullest_first),
	CHECK_CASE(test_random_with_recount),
	CHECK_CASE(test_handles_grow_and_reset),
	CHECK_CASE(test_full_arena),
#if ZS_DEBUG_LEVEL >= 1
	CHECK_CASE(test_out_of_memory),
#endif
};

int main(int argc, char **argv)
{
	return CHECK_MAIN(cases, argc, argv);
}
