/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What zs_malloc(), zs_free(), reading and zs_compact() cost, with objects of
 * the sizes LZ4 makes of real blocks.
 *
 *   bench_pool [-g GIB] [-n PAIRS] [-s SEED] [-c CHAIN] [-r ROUNDS] [-j]
 *
 * GIB of payload are live all the time (default 1). In "lifo" one thread
 * allocates and frees the newest 64 objects again and again. In "random" each
 * step frees an object and allocates another one in its place; the refs have
 * been shuffled and are taken in order, so what they own (object, descriptor,
 * handle cell) is never where the one before was. In "random refs" the refs
 * are picked at random too, which adds a cache miss that is the caller's.
 * Figures are medians of ROUNDS, in nanoseconds for a pair. -j prints JSON.
 */
#include "pool_fixture.h"
#include "sizes.h"

#include <time.h>

#define LIFO_DEPTH 64u
#define MAX_ROUNDS 99u

struct result {
	double lifo_ns, random_ns, random_refs_ns; /* of a pair */
	double read_ns, write_ns;
	double fill_ns;
	double compact_ns; /* of a page freed */
	double excess;	   /* pages above the least possible, in percent */
	uint64_t objs, payload, pages, freed;
};

static struct fixture fx;
static uint64_t nr_pairs = 2000000;
static unsigned nr_rounds = 5;
static uint64_t seed = 1;
static unsigned short *sizes; /* drawn beforehand: not part of the cost */

#define NR_SIZES (1u << 16)

static double now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static void must(int err)
{
	if (!err)
		return;
	fprintf(stderr, "bench_pool: %s\n", strerror(-err));
	exit(1);
}

static void take(uint64_t i, uint64_t *ref)
{
	must(zs_malloc(fx.pool, fx.t, sizes[i % NR_SIZES], 0, 0, ref));
}

static void draw_sizes(void)
{
	sizes = malloc(NR_SIZES * sizeof(*sizes));
	if (!sizes)
		exit(1);
	for (unsigned i = 0; i < NR_SIZES; i++)
		sizes[i] = (unsigned short)random_size(&seed);
}

/* As many objects as make the payload wanted. */
static size_t count_objects(double gib)
{
	double left = gib * (1 << 30);
	size_t n = 0;

	while (left > 0)
		left -= sizes[n++ % NR_SIZES];
	return n;
}

static void fill(struct result *r)
{
	double start = now_ns();

	for (size_t i = 0; i < r->objs; i++) {
		take(i, &fx.ref[i]);
		r->payload += sizes[i % NR_SIZES];
	}
	r->fill_ns = (now_ns() - start) / (double)r->objs;
}

/* Allocate and free the same few, newest first. */
static double run_lifo(void)
{
	uint64_t *ref = fx.ref + fx.nr_refs - LIFO_DEPTH;
	uint64_t n = nr_pairs / LIFO_DEPTH;
	double start = now_ns();

	for (uint64_t i = 0; i < n; i++) {
		for (unsigned k = 0; k < LIFO_DEPTH; k++)
			take(i * LIFO_DEPTH + k, &ref[k]);
		for (unsigned k = LIFO_DEPTH; k-- > 0;)
			zs_free(fx.pool, fx.t, &ref[k]);
	}
	return (now_ns() - start) / (double)(n * LIFO_DEPTH);
}

/* So that the order of the refs says nothing about where objects are. */
static void shuffle_refs(size_t objs)
{
	for (size_t i = objs - 1; i > 0; i--) {
		size_t j = rnd_below(&seed, i + 1);
		uint64_t ref = fx.ref[i];

		fx.ref[i] = fx.ref[j];
		fx.ref[j] = ref;
	}
}

/* Free an object, allocate another one in its place. */
static double run_random(size_t objs, bool random_refs)
{
	double start = now_ns();

	for (uint64_t i = 0; i < nr_pairs; i++) {
		uint64_t at = random_refs ? rnd(&seed) : i;
		uint64_t *ref = &fx.ref[at % objs];

		zs_free(fx.pool, fx.t, ref);
		take(i * 7919, ref);
	}
	return (now_ns() - start) / (double)nr_pairs;
}

static volatile unsigned char sink; /* of what is read */

static double run_read(size_t objs)
{
	double start = now_ns();

	for (uint64_t i = 0; i < nr_pairs; i++) {
		uint64_t ref = fx.ref[rnd_below(&seed, objs)];
		struct zs_obj_info info;
		const unsigned char *p = zs_obj_read_begin(
			fx.pool, fx.t, ref_handle(ref), &info);

		sink = *p;
		zs_obj_read_end(fx.pool, fx.t);
	}
	return (now_ns() - start) / (double)nr_pairs;
}

static double run_write(size_t objs)
{
	double start = now_ns();

	for (uint64_t i = 0; i < nr_pairs; i++) {
		uint64_t ref = fx.ref[rnd_below(&seed, objs)];

		zs_obj_write(fx.pool, fx.t, ref_handle(ref), &i, 1);
	}
	return (now_ns() - start) / (double)nr_pairs;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *v, unsigned n)
{
	qsort(v, n, sizeof(*v), compare);
	return v[n / 2];
}

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

static void run_compact(struct result *r)
{
	double start;

	for (size_t i = 0; i < r->objs; i++) {
		if (rnd(&seed) & 1)
			zs_free(fx.pool, fx.t, &fx.ref[i]);
	}
	start = now_ns();
	r->freed = (uint64_t)zs_compact(fx.pool, fx.t);
	r->compact_ns = (now_ns() - start) / (double)r->freed;
	r->excess = 100.0 * (double)zs_get_total_pages(fx.pool) /
			    (double)least_pages() -
		    100.0;
}

static void run_all(struct result *r)
{
	double lifo[MAX_ROUNDS], random[MAX_ROUNDS];
	double random_refs[MAX_ROUNDS];
	double reads[MAX_ROUNDS], writes[MAX_ROUNDS];

	fill(r);
	r->pages = zs_get_total_pages(fx.pool);
	shuffle_refs(r->objs);
	for (unsigned i = 0; i < nr_rounds; i++) {
		lifo[i] = run_lifo();
		random[i] = run_random(r->objs, false);
		random_refs[i] = run_random(r->objs, true);
		reads[i] = run_read(r->objs);
		writes[i] = run_write(r->objs);
	}
	r->lifo_ns = median(lifo, nr_rounds);
	r->random_ns = median(random, nr_rounds);
	r->random_refs_ns = median(random_refs, nr_rounds);
	r->read_ns = median(reads, nr_rounds);
	r->write_ns = median(writes, nr_rounds);
	run_compact(r);
}

static void print_text(const struct result *r)
{
	printf("%llu objects, %llu MiB of payload, %llu pages (x %.4f)\n",
	       (unsigned long long)r->objs,
	       (unsigned long long)r->payload >> 20,
	       (unsigned long long)r->pages,
	       (double)r->pages * 4096 / (double)r->payload);
	printf("zs_malloc, filling        %8.1f ns\n", r->fill_ns);
	printf("zs_malloc + zs_free, LIFO %8.1f ns\n", r->lifo_ns);
	printf("the same, random          %8.1f ns\n", r->random_ns);
	printf("the same, random refs     %8.1f ns\n", r->random_refs_ns);
	printf("read begin + end, random  %8.1f ns\n", r->read_ns);
	printf("write of 1 byte, random   %8.1f ns\n", r->write_ns);
	printf("zs_compact after deleting half: %llu pages freed, %.0f ns each,"
	       " %.2f %% above the least\n",
	       (unsigned long long)r->freed, r->compact_ns, r->excess);
}

static void print_json(const struct result *r)
{
	printf("{\"objects\": %llu, \"payload\": %llu, \"pages\": %llu, "
	       "\"fill_ns\": %.1f, \"lifo_ns\": %.1f, \"random_ns\": %.1f, "
	       "\"random_refs_ns\": %.1f, \"read_ns\": %.1f, "
	       "\"write_ns\": %.1f, \"pages_freed\": %llu, "
	       "\"compact_ns_per_page\": %.1f, \"excess_percent\": %.3f}\n",
	       (unsigned long long)r->objs, (unsigned long long)r->payload,
	       (unsigned long long)r->pages, r->fill_ns, r->lifo_ns,
	       r->random_ns, r->random_refs_ns, r->read_ns, r->write_ns,
	       (unsigned long long)r->freed, r->compact_ns, r->excess);
}

int main(int argc, char **argv)
{
	struct fixture_params p = {0};
	struct result r = {0};
	bool json = false;
	double gib = 1;
	int opt;

	while ((opt = getopt(argc, argv, "g:n:s:c:r:j")) != -1) {
		if (opt == 'g')
			gib = atof(optarg);
		else if (opt == 'n')
			nr_pairs = strtoull(optarg, NULL, 0);
		else if (opt == 's')
			seed = strtoull(optarg, NULL, 0);
		else if (opt == 'c')
			p.chain_size = (unsigned)atoi(optarg);
		else if (opt == 'r')
			nr_rounds = (unsigned)atoi(optarg);
		else if (opt == 'j')
			json = true;
		else
			return 2;
	}
	if (nr_pairs < LIFO_DEPTH || !nr_rounds || nr_rounds > MAX_ROUNDS ||
	    gib <= 0)
		return 2;
	draw_sizes();
	r.objs = count_objects(gib);
	p.nr_refs = r.objs + LIFO_DEPTH;
	must(fixture_create(&fx, &p));
	run_all(&r);
	if (json)
		print_json(&r);
	else
		print_text(&r);
	fixture_close(&fx);
	free(sizes);
	return 0;
}
