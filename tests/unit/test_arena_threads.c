/* SPDX-License-Identifier: BSD-3-Clause */
/* Four threads on one arena: runs, slabs, handles, trimming, limits. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "arena_test.h"

#define THREADS 4
#define REFS	300

struct worker {
	pthread_t id;
	struct arena *a;
	struct arena_thread *t;
	unsigned rounds;
	uint64_t seed;
	uint64_t refs[REFS];
	unsigned refused;
};

/* The first word says whose it is; records keep theirs odd. */
static uint64_t *first_word(uint64_t ref)
{
	return REF_KIND(ref) == REF_RUN ? arena_run_addr(ref) : slab_addr(ref);
}

static int take_run(struct worker *w, uint64_t r, uint64_t *ref)
{
	enum arena_page_type type = 1 + r / 64 % 3;
	bool transient = r / 1024 % 4 == 0;
	int err = -ENOSPC;

	if (type == ARENA_PAGE_SLAB)
		type = ARENA_PAGE_DATA;
	/* Where nothing is backed for that it goes among the others. */
	arena_thread_transient(w->t, transient);
	if (transient)
		err = arena_run_alloc(w->a, w->t, 1, type, ref);
	arena_thread_transient(w->t, false);
	if (err == -ENOSPC)
		err = arena_run_alloc(w->a, w->t, 1 + r / 2 % 16, type, ref);
	return err;
}

static int take(struct worker *w, uint64_t *ref)
{
	uint64_t r = xorshift(&w->seed);
	int err = r % 2 ? take_run(w, r, ref)
			: slab_alloc(w->a, w->t, r / 2 % SLAB_NR_CACHES, ref);

	if (!err)
		__atomic_store_n(first_word(*ref), *ref << 1 | 1,
				 __ATOMIC_RELAXED);
	return err;
}

static void drop(struct worker *w, uint64_t *ref)
{
	if (!*ref)
		return;
	CHECK(__atomic_load_n(first_word(*ref), __ATOMIC_RELAXED) ==
	      (*ref << 1 | 1));
	if (REF_KIND(*ref) == REF_RUN)
		arena_run_free(w->a, w->t, ref);
	else
		slab_free(w->a, w->t, ref);
}

static void other_things(struct worker *w)
{
	struct arena_stats s;
	uint64_t r = xorshift(&w->seed);

	switch (r % 7) {
	case 0:
		arena_trim(w->a, w->t, r / 8 % 2, true);
		break;
	case 1:
		arena_grow_handles(w->a, w->t);
		break;
	case 2:
		arena_get_stats(w->a, &s);
		CHECK(s.used <= s.used_max);
		break;
	case 3:
		arena_available(w->a);
		break;
	case 4:
		w->t->claim = r / 8 % 3;
		break;
	case 5:
		arena_back_ahead(w->a, w->t, r / 8 % (4 * MIB));
		arena_set_keep(w->a, r / 8 % 2 * 16 * MIB);
		break;
	default:
		slab_record_valid(
			w->a, pfn_to_addr(seg_pfn(r / 8 % 40) + r / 512 % 512));
	}
}

static void *work(void *arg)
{
	struct worker *w = arg;

	for (unsigned i = 0; i < w->rounds; i++) {
		uint64_t *ref = &w->refs[xorshift(&w->seed) % REFS];

		if (*ref) {
			drop(w, ref);
		} else {
			int err = take(w, ref);

			CHECK(!err || err == -ENOSPC);
			w->refused += err != 0;
		}
		if (xorshift(&w->seed) % 64 == 0)
			other_things(w);
	}
	return NULL;
}

static void run_workers(uint64_t limit, unsigned rounds, bool no_huge)
{
	static struct worker w[THREADS];
	struct arena *a = new_arena(limit, no_huge);
	unsigned refused = 0;

	memset(w, 0, sizeof(w));
	arena_set_reserve(a, limit / 8, 0);
	for (unsigned i = 0; i < THREADS; i++) {
		w[i].a = a;
		w[i].t = arena_thread(a, i);
		w[i].rounds = rounds;
		w[i].seed = 1000 + i;
		REQUIRE(!pthread_create(&w[i].id, NULL, work, &w[i]));
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(w[i].id, NULL);
		refused += w[i].refused;
	}
	check_verify(a);
	CHECK_EQ(file_bytes(a), stats_of(a).used);
	CHECK(!limit || stats_of(a).used_max <= limit);
	CHECK_EQ(refused != 0, limit != 0);
	for (unsigned i = 0; i < THREADS; i++) {
		for (unsigned r = 0; r < REFS; r++)
			drop(&w[i], &w[i].refs[r]);
	}
	arena_trim(a, arena_thread(a, 0), true, true);
	CHECK_EQ(stats_of(a).segments, 0);
	check_verify(a);
	arena_close(a);
}

static unsigned scale(void)
{
	const char *s = getenv("ZS_TEST_SCALE");

	return s ? (unsigned)atoi(s) : 1;
}

static void test_plenty(void)
{
	run_workers(0, 20000 * scale(), true);
}

static void test_plenty_huge(void)
{
	run_workers(0, 20000 * scale(), false);
}

static void test_at_the_limit(void)
{
	run_workers(16 * MIB, 20000 * scale(), true);
}

static void test_at_the_limit_huge(void)
{
	run_workers(24 * MIB, 20000 * scale(), false);
}

static const struct check_case cases[] = {
	CHECK_CASE(test_plenty),
	CHECK_CASE(test_plenty_huge),
	CHECK_CASE(test_at_the_limit),
	CHECK_CASE(test_at_the_limit_huge),
};

int main(int argc, char **argv)
{
	return CHECK_MAIN(cases, argc, argv);
}
