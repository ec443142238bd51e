/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Threads that allocate, check and free objects, also each other's, while two
 * more compact and look at the statistics without pause.
 *
 *   stress_pool [-n OPS] [-t THREADS] [-s SEED]
 *
 * Every ref belongs to whoever holds its lock. The share of allocations goes
 * up and down, so that the pool runs empty (and forgets its handles) and full
 * (at the arena's limit) again and again. Debug builds also yield the CPU in
 * the midst of critical sections.
 */
#include "inject.h"
#include "pool_fixture.h"
#include "sizes.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>

#define NR_REFS	      4096u
#define NR_STRIPES    64u
#define MAX_THREADS   16u
#define NR_COMPACTORS 2u

struct worker {
	pthread_t thread;
	unsigned nr;
	uint64_t seed;
	uint64_t mallocs, refused;
	uint64_t runs, busy, pages; /* of compaction */
};

static struct fixture fx;
static pthread_mutex_t stripe[NR_STRIPES];
static unsigned nr_threads = 4;
static uint64_t nr_ops = 200000;
static uint64_t seed = 1;
static int stop;   /* atomic: the workers are done */
static int failed; /* atomic */

static void complain(const char *what, uint64_t ref)
{
	fprintf(stderr, "stress_pool: %s (ref %#llx)\n", what,
		(unsigned long long)ref);
	__atomic_store_n(&failed, 1, __ATOMIC_RELAXED);
}

#if ZS_DEBUG_LEVEL >= 1
static void yield_now_and_then(void)
{
	static _Thread_local uint64_t state;

	if (rnd(&state) % 61 == 0)
		sched_yield();
}
#endif

static void allocate(struct worker *w, struct arena_thread *t, uint64_t *ref)
{
	int err = put_object(&fx, t, ref, random_size(&w->seed),
			     (uint32_t)rnd(&w->seed));

	if (!err)
		w->mallocs++;
	else if (err == -ENOSPC && !*ref)
		w->refused++;
	else
		complain("zs_malloc() failed", *ref);
}

/* Own @ref's object once more for a moment: it stays what it is. */
static void share(struct worker *w, struct arena_thread *t, const uint64_t *ref)
{
	uint64_t *spare = &fx.ref[NR_REFS + w->nr];
	int err = zs_dup(fx.pool, t, ref_handle(*ref), spare);

	if (err)
		complain("zs_dup() failed", *ref);
	else if (!object_intact(&fx, t, *spare, NULL))
		complain("a shared object is damaged", *spare);
	zs_free(fx.pool, t, spare);
}

/* Percent of the operations that make objects: rises and falls. */
static unsigned share_of_allocations(uint64_t op)
{
	uint64_t phase = op / 4096 % 8;

	return phase < 4 ? 95 : 3;
}

static void step(struct worker *w, struct arena_thread *t, uint64_t op)
{
	unsigned i = (unsigned)rnd_below(&w->seed, NR_REFS);
	bool make = rnd_below(&w->seed, 100) < share_of_allocations(op);
	uint64_t *ref = &fx.ref[i];

	pthread_mutex_lock(&stripe[i % NR_STRIPES]);
	if (*ref && !object_intact(&fx, t, *ref, NULL))
		complain("an object is damaged", *ref);
	if (make && !*ref)
		allocate(w, t, ref);
	else if (make && op % 8 == 0)
		share(w, t, ref);
	else if (!make)
		zs_free(fx.pool, t, ref);
	pthread_mutex_unlock(&stripe[i % NR_STRIPES]);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct arena_thread *t = arena_thread(fx.arena, w->nr);

	for (uint64_t op = 0; op < nr_ops; op++) {
		step(w, t, op);
		/* As one that found no room. */
		if (op % 256 == w->nr)
			w->pages += zs_compact_step(fx.pool, t);
	}
	return NULL;
}

static void check_class_stats(void)
{
	struct zs_class_stats all[ZS_SIZE_CLASSES];
	unsigned n = zs_class_stats(fx.pool, all);

	for (unsigned i = 0; i < n; i++) {
		uint64_t zspages = 0;

		for (unsigned g = 0; g < ZS_NR_FULLNESS; g++)
			zspages += all[i].inuse[g];
		if (all[i].obj_allocated != zspages * all[i].objs_per_zspage ||
		    all[i].obj_used > all[i].obj_allocated || all[i].inuse[0] ||
		    all[i].almost_empty + all[i].almost_full !=
			    zspages - all[i].inuse[ZS_NR_FULLNESS - 1])
			complain("statistics are torn", all[i].index);
	}
}

static void compact_once(struct worker *w, struct arena_thread *t)
{
	int64_t pages = zs_compact(fx.pool, t);

	w->runs++;
	if (pages == -EBUSY)
		w->busy++;
	else if (pages < 0)
		complain("zs_compact() failed", 0);
	else
		w->pages += (uint64_t)pages;
}

/* Two threads do this, and so meet each other. */
static void *compact(void *arg)
{
	struct worker *w = arg;
	struct arena_thread *t = arena_thread(fx.arena, w->nr);

	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
		compact_once(w, t);
		w->pages += zs_compact_step(fx.pool, t);
		check_class_stats();
		if (w->runs % 16 == 0)
			arena_trim(fx.arena, t, w->runs % 32 == 0, true);
		sched_yield();
	}
	return NULL;
}

static int check_end(uint64_t compacted)
{
	struct zs_pool_stats s;
	uint64_t live = 0;

	if (fixture_verify(&fx))
		return 1;
	for (size_t i = 0; i < NR_REFS; i++) {
		if (!fx.ref[i])
			continue;
		live++;
		if (!object_intact(&fx, fx.t, fx.ref[i], NULL))
			complain("an object is damaged in the end", fx.ref[i]);
	}
	zs_pool_get_stats(fx.pool, &s);
	if (s.objs_used != live)
		complain("objects are lost", s.objs_used);
	if (s.pages_compacted != compacted)
		complain("freed pages are counted wrong", s.pages_compacted);
	for (size_t i = 0; i < NR_REFS; i++)
		zs_free(fx.pool, fx.t, &fx.ref[i]);
	zs_compact(fx.pool, fx.t);
	zs_pool_get_stats(fx.pool, &s);
	if (s.objs_used || s.pages_used)
		complain("pages are left", s.pages_used);
	return fixture_verify(&fx) != 0 || failed;
}

/* Returns the pages that compaction freed. */
static uint64_t run(void)
{
	struct worker w[MAX_THREADS + NR_COMPACTORS] = {0}, sum = {0};
	unsigned nr = nr_threads + NR_COMPACTORS;

	for (unsigned i = 0; i < nr; i++) {
		w[i].nr = i;
		w[i].seed = seed * 1000 + i;
		if (pthread_create(&w[i].thread, NULL,
				   i < nr_threads ? work : compact, &w[i]))
			abort();
	}
	for (unsigned i = 0; i < nr; i++) {
		if (i == nr_threads)
			__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
		pthread_join(w[i].thread, NULL);
		sum.mallocs += w[i].mallocs;
		sum.refused += w[i].refused;
		sum.runs += w[i].runs;
		sum.busy += w[i].busy;
		sum.pages += w[i].pages;
	}
	printf("%" PRIu64 " allocated, %" PRIu64 " refused, %" PRIu64
	       " compactions, %" PRIu64 " of them turned away, %" PRIu64
	       " pages freed\n",
	       sum.mallocs, sum.refused, sum.runs, sum.busy, sum.pages);
	return sum.pages;
}

int main(int argc, char **argv)
{
	struct fixture_params p = {
		.limit = 13 << 20,
		.nr_refs = NR_REFS + MAX_THREADS, /* one spare each */
	};
	int opt;

	while ((opt = getopt(argc, argv, "n:t:s:")) != -1) {
		if (opt == 'n')
			nr_ops = strtoull(optarg, NULL, 0);
		else if (opt == 't')
			nr_threads = (unsigned)strtoul(optarg, NULL, 0);
		else if (opt == 's')
			seed = strtoull(optarg, NULL, 0);
		else
			return 2;
	}
	if (!nr_threads || nr_threads > MAX_THREADS)
		return 2;
	printf("seed %llu\n", (unsigned long long)seed);
	p.nr_threads = nr_threads + NR_COMPACTORS;
	if (fixture_create(&fx, &p)) {
		fprintf(stderr, "stress_pool: no arena\n");
		return 1;
	}
	for (unsigned i = 0; i < NR_STRIPES; i++)
		pthread_mutex_init(&stripe[i], NULL);
#if ZS_DEBUG_LEVEL >= 1
	zs_crash_hook = yield_now_and_then;
#endif
	return check_end(run());
}
