/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A child works on the arena and is killed at a random point, again and again;
 * after each death the arena must be sound and hold exactly what the refs in
 * its root area name. Every second child has three threads.
 *
 * ZS_TEST_SEED=n replays a run (exactly, for children with one thread),
 * ZS_TEST_SCALE=n makes it n times as long.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arena_test.h"

#define THREADS	   3u
#define REFS	   512u /* per thread */
#define ITERATIONS 500u
#define MAX_POINTS 30000u

/* The root area: what is owned, and whether it was written since. */
struct root {
	uint64_t ref[THREADS * REFS];
	uint64_t stamped[THREADS * REFS];
};

struct worker {
	struct arena *a;
	unsigned nr;
	unsigned first, refs; /* its part of the refs */
	uint64_t seed;
	unsigned rounds;
};

static uint64_t now_seed;

/* The words of a thing that tell its owner: the first and the last. */
static void words_of(uint64_t ref, uint64_t *w[2])
{
	size_t size;

	if (REF_KIND(ref) == REF_RUN) {
		w[0] = arena_run_addr(ref);
		size = arena_run_pages(ref) * (size_t)ARENA_PAGE_SIZE;
	} else {
		uint64_t pfn = addr_to_pfn(slab_addr(ref));

		w[0] = slab_addr(ref);
		size = slab_object_size(page_desc_of(pfn)->class);
	}
	w[1] = w[0] + size / 8 - 1;
}

#if ZS_DEBUG_LEVEL >= 1
static long countdown;
static uint64_t site_seed; /* 0 = all crash points are alike */
static unsigned site_bits; /* one site in 2^site_bits counts */

/*
 * Most crash points are passed all the time and some hardly ever. To die there
 * too, half of the children see only a few of the places in the code.
 */
static bool counts(const void *site)
{
	/* The distance to a function is the same in every run. */
	uint64_t h = (uint64_t)((const char *)site - (const char *)words_of);

	h = (h ^ site_seed) * UINT64_C(0x9e3779b97f4a7c15);
	return !site_seed || h >> (64 - site_bits) == 0;
}

static void crash_hook(void)
{
	if (!counts(__builtin_return_address(0)) ||
	    __atomic_sub_fetch(&countdown, 1, __ATOMIC_RELAXED))
		return;
	/* Let the other threads come as far as our locks allow. */
	usleep(100);
	kill(getpid(), SIGKILL);
	for (;;)
		pause();
}

static void plan_crash(uint64_t *seed, bool rare_sites)
{
	uint64_t max = rare_sites ? 1 + xorshift(seed) % 50 : MAX_POINTS;

	site_seed = rare_sites ? xorshift(seed) : 0;
	site_bits = 4 + xorshift(seed) % 6;
	countdown = 1 + (long)(xorshift(seed) % (1 + xorshift(seed) % max));
	zs_crash_hook = crash_hook;
}
#endif

static void stamp(struct root *r, unsigned i)
{
	uint64_t *w[2];

	words_of(r->ref[i], w);
	*w[0] = r->ref[i] << 1 | 1;
	*w[1] = r->ref[i] << 1 | 1;
	undo_barrier();
	r->stamped[i] = r->ref[i];
}

static void take(struct worker *w, struct root *r, unsigned i)
{
	struct arena_thread *t = arena_thread(w->a, w->nr);
	uint64_t rnd = xorshift(&w->seed);
	int err;

	r->stamped[i] = 0;
	undo_barrier();
	arena_thread_transient(t, rnd / 1024 % 4 == 0);
	if (rnd % 2)
		err = arena_run_alloc(w->a, t,
				      t->transient ? 1 : 1 + rnd / 2 % 16,
				      ARENA_PAGE_DATA, &r->ref[i]);
	else
		err = slab_alloc(w->a, t,
				 rnd / 2 % 3 ? rnd / 8 % SLAB_NR_CACHES
					     : SLAB_RECORD,
				 &r->ref[i]);
	if (!err)
		stamp(r, i);
}

static void drop(struct worker *w, struct root *r, unsigned i)
{
	struct arena_thread *t = arena_thread(w->a, w->nr);

	if (REF_KIND(r->ref[i]) == REF_RUN)
		arena_run_free(w->a, t, &r->ref[i]);
	else
		slab_free(w->a, t, &r->ref[i]);
}

static void other_things(struct worker *w)
{
	struct arena_thread *t = arena_thread(w->a, w->nr);
	uint64_t rnd = xorshift(&w->seed);

	switch (rnd % 5) {
	case 0:
		arena_trim(w->a, t, rnd / 8 % 2, true);
		break;
	case 1:
		arena_grow_handles(w->a, t);
		break;
	case 2:
		arena_trim_handles(w->a, t,
				   1 + rnd / 8 % arena_handles_backed(w->a));
		break;
	case 3:
		arena_back_ahead(w->a, t, rnd / 8 % (4 * MIB));
		arena_set_keep(w->a, rnd / 8 % 2 * 16 * MIB);
		break;
	default:
		t->claim = rnd / 8 % 3;
	}
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct root *r = arena_root(w->a);
	enum { EBB, CHANGE, FLOOD } tide = FLOOD;

	for (unsigned n = 0; n < w->rounds; n++) {
		unsigned i = w->first + xorshift(&w->seed) % w->refs;

		/* The ebb leaves nothing, so that segments come and go. */
		if (n % (2 * w->refs) == 0)
			tide = xorshift(&w->seed) % 3;
		if (tide == EBB)
			i = w->first + n % w->refs;
		if (!r->ref[i] && tide != EBB)
			take(w, r, i);
		else if (r->ref[i] && tide != FLOOD)
			drop(w, r, i);
		if (xorshift(&w->seed) % 50 == 0)
			other_things(w);
	}
	return NULL;
}

/* The child: never returns. Exit code 0 when nothing killed it. */
static void child(int fd, uint64_t seed, unsigned threads, bool rare_sites)
{
	struct worker w[THREADS];
	pthread_t id[THREADS];
	struct arena *a;

#if ZS_DEBUG_LEVEL >= 1
	plan_crash(&seed, rare_sites);
#endif
	if (arena_open(fd, &a))
		_exit(1);
	for (unsigned i = 0; i < threads; i++) {
		w[i] = (struct worker){
			.a = a,
			.nr = i,
			.first = i * REFS,
			.refs = THREADS * REFS / threads,
			.seed = xorshift(&seed),
			.rounds = 12000 / threads,
		};
		if (i && pthread_create(&id[i], NULL, work, &w[i]))
			_exit(2);
	}
	work(&w[0]);
	for (unsigned i = 1; i < threads; i++)
		pthread_join(id[i], NULL);
	_exit(0);
}

/* What the refs of the root area own. */
struct census {
	uint64_t data;
	uint64_t objs[SLAB_NR_CACHES];
};

static void count_ref(struct root *r, unsigned i, struct arena *a,
		      struct census *c)
{
	uint64_t ref = r->ref[i], *w[2];

	if (!ref)
		return;
	if (REF_KIND(ref) == REF_RUN) {
		c->data += arena_run_pages(ref);
	} else {
		uint64_t pfn = addr_to_pfn(slab_addr(ref));

		REQUIRE(pfn_in_use(a, pfn) &&
			page_desc_of(pfn)->class < SLAB_NR_CACHES);
		c->objs[page_desc_of(pfn)->class]++;
	}
	if (r->stamped[i] != ref)
		return;
	words_of(ref, w);
	CHECK(*w[0] == (ref << 1 | 1) && *w[1] == (ref << 1 | 1));
}

static void check_census(struct arena *a)
{
	struct arena_stats s = stats_of(a);
	struct census c = {0};

	for (unsigned i = 0; i < THREADS * REFS; i++)
		count_ref(arena_root(a), i, a, &c);
	CHECK_EQ(s.pages[ARENA_PAGE_DATA], c.data);
	for (unsigned i = 0; i < SLAB_NR_CACHES; i++)
		CHECK_EQ(s.slab_objs[i], c.objs[i]);
}

/* Let one child live and die. Was it killed? */
static bool one_death(int fd, uint64_t seed, unsigned threads, bool rare_sites)
{
	int status;
	pid_t pid = fork();

	REQUIRE(pid >= 0);
	if (!pid)
		child(fd, seed, threads, rare_sites);
#if ZS_DEBUG_LEVEL < 1
	usleep(xorshift(&seed) % 10000);
	kill(pid, SIGKILL);
#endif
	REQUIRE(waitpid(pid, &status, 0) == pid);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		return true;
	CHECK_EQ(status, 0);
	return false;
}

/*
 * Small pages are given back to the byte. A huge one may outlive the punch of
 * a part of it when its child was killed meanwhile, or somebody looked at it
 * all the while (arena_punch()), until all is punched again.
 */
static void check_backing(struct arena *a)
{
	for (unsigned i = 0; a->hdr->huge && arena_excess(a) && i < 100; i++) {
		usleep(i * 100);
		arena_punch_absent(a);
	}
	CHECK_EQ(file_bytes(a), stats_of(a).used);
}

static void check_survivor(int fd)
{
	struct arena *a = NULL;

	REQUIRE(!arena_open(fd, &a));
	check_verify(a);
	check_backing(a);
	CHECK(stats_of(a).used_max <= stats_of(a).limit);
	check_census(a);
	arena_close(a);
}

static unsigned scale(void)
{
	const char *s = getenv("ZS_TEST_SCALE");

	return s ? (unsigned)atoi(s) : 1;
}

static void run_kills(uint64_t limit, bool no_huge)
{
	struct arena_params p = {.limit = limit,
				 .nr_threads = THREADS,
				 .root_size = sizeof(struct root),
				 .no_huge = no_huge};
	unsigned n = ITERATIONS * scale(), killed = 0;
	uint64_t seed = now_seed;
	struct arena *a = NULL;
	int fd;

	REQUIRE(!arena_create(&p, &a));
	arena_set_reserve(a, limit / 10, 0);
	fd = dup(arena_fd(a));
	arena_close(a);
	for (unsigned i = 0; i < n && !check_failures; i++) {
		killed += one_death(fd, xorshift(&seed), i % 2 ? THREADS : 1,
				    i / 2 % 2);
		check_survivor(fd);
		if (check_failures)
			fprintf(stderr, "# iteration %u of ZS_TEST_SEED=%llu\n",
				i, (unsigned long long)now_seed);
	}
	fprintf(stderr, "# %u of %u children were killed\n", killed, n);
	CHECK(killed > n / 3);
	close(fd);
}

static void test_kill_small_pages(void)
{
	run_kills(20 * MIB, true);
}

static void test_kill_huge_pages(void)
{
	run_kills(26 * MIB, false);
}

static const struct check_case cases[] = {
	CHECK_CASE(test_kill_small_pages),
	CHECK_CASE(test_kill_huge_pages),
};

int main(int argc, char **argv)
{
	const char *s = getenv("ZS_TEST_SEED");

	now_seed = s ? strtoull(s, NULL, 0) : 20240607;
	if (!now_seed)
		now_seed = 1;
	return CHECK_MAIN(cases, argc, argv);
}
