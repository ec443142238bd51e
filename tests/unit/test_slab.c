/* SPDX-License-Identifier: BSD-3-Clause */
/* Slab caches: sizes, reuse, recognising records. */
#include <errno.h>
#include <stdlib.h>

#include "arena_test.h"

static uint64_t slab_pages(struct arena *a)
{
	return stats_of(a).pages[ARENA_PAGE_SLAB];
}

static void test_sizes(void)
{
	CHECK_EQ(slab_object_size(SLAB_RECORD), SLAB_RECORD_SIZE);
	CHECK_EQ(slab_objs_per_page(SLAB_RECORD), 28);
	for (size_t size = 1; size <= 4096; size++) {
		enum slab_cache c = slab_cache_for(size);

		CHECK(c > SLAB_RECORD && c < SLAB_NR_CACHES);
		CHECK(slab_object_size(c) >= size);
		CHECK(c == SLAB_BUF_32 || slab_object_size(c - 1) < size);
	}
	for (unsigned c = SLAB_RECORD; c < SLAB_NR_CACHES; c++) {
		CHECK_EQ(slab_object_size(c) % 8, 0);
		CHECK_EQ(slab_objs_per_page(c), 4096 / slab_object_size(c));
	}
}

/* Fill an object with what only it holds; the first word of records odd. */
static void stamp(uint64_t ref, size_t size, bool check)
{
	uint64_t *p = slab_addr(ref);

	for (size_t i = 0; i < size / 8; i++) {
		uint64_t want = (ref << 12) + (i << 1) + 1;

		if (check)
			CHECK(p[i] == want);
		p[i] = want;
	}
}

static void exercise_cache(struct arena *a, enum slab_cache cache, unsigned n)
{
	struct arena_thread *t = arena_thread(a, 0);
	size_t size = slab_object_size(cache);
	unsigned per_page = slab_objs_per_page(cache);
	uint64_t seed = 4711 + cache;

	for (unsigned i = 0; i < n; i++) {
		REQUIRE(!slab_alloc(a, t, cache, &refs[i]));
		CHECK_EQ(REF_KIND(refs[i]), REF_SLAB);
		if (cache == SLAB_RECORD)
			CHECK_EQ(*(uint64_t *)slab_addr(refs[i]), 1);
		stamp(refs[i], size, false);
	}
	CHECK_EQ(stats_of(a).slab_objs[cache], n);
	CHECK_EQ(slab_pages(a), (n + per_page - 1) / per_page);
	check_verify(a);

	/* Free and allocate at random, then free all. */
	for (unsigned round = 0; round < 4 * n; round++) {
		unsigned i = xorshift(&seed) % n;

		if (refs[i]) {
			stamp(refs[i], size, true);
			slab_free(a, t, &refs[i]);
			CHECK_EQ(refs[i], 0);
		} else {
			REQUIRE(!slab_alloc(a, t, cache, &refs[i]));
			stamp(refs[i], size, false);
		}
		if (round % n == 0)
			check_verify(a);
	}
	for (unsigned i = 0; i < n; i++) {
		if (refs[i])
			stamp(refs[i], size, true);
		slab_free(a, t, &refs[i]);
	}
	CHECK_EQ(stats_of(a).slab_objs[cache], 0);
	CHECK_EQ(slab_pages(a), 0);
	check_verify(a);
}

static void test_every_cache(void)
{
	static const unsigned counts[] = {1, 17, 18, 19, 128, 1000};
	struct arena *a = new_arena(0, false);

	for (unsigned c = 0; c < SLAB_NR_CACHES; c++)
		for (unsigned i = 0; i < sizeof(counts) / sizeof(*counts); i++)
			exercise_cache(a, c, counts[i]);
	/* The spares of all caches go too. */
	arena_trim(a, arena_thread(a, 0), true, false);
	CHECK_EQ(stats_of(a).free_pages, 0);
	CHECK_EQ(stats_of(a).segments, 0);
	check_verify(a);
	arena_close(a);
}

static void test_reuse(void)
{
	struct arena *a = new_arena(0, true);
	struct arena_thread *t = arena_thread(a, 0);
	uint64_t one = 0, two = 0, free_pages, obj;

	/* The last object freed is the next one taken. */
	CHECK_EQ(slab_alloc(a, t, SLAB_BUF_64, &one), 0);
	obj = one;
	slab_free(a, t, &one);
	free_pages = a->hdr->free_pages;
	for (unsigned i = 0; i < 100; i++) {
		CHECK_EQ(slab_alloc(a, t, SLAB_BUF_64, &one), 0);
		CHECK(one == obj);
		CHECK_EQ(a->hdr->free_pages, free_pages);
		slab_free(a, t, &one);
		CHECK_EQ(a->hdr->free_pages, free_pages);
	}
	/* Freeing nothing does nothing. */
	slab_free(a, t, &one);
	arena_run_free(a, t, &two);

	/* One empty slab stays, more than one does not. */
	for (unsigned i = 0; i < 64 * 10; i++)
		CHECK_EQ(slab_alloc(a, t, SLAB_BUF_64, &refs[i]), 0);
	CHECK_EQ(a->hdr->in_use, 10);
	for (unsigned i = 0; i < 64 * 10; i++)
		slab_free(a, t, &refs[i]);
	CHECK_EQ(a->hdr->in_use, 1);
	CHECK_EQ(slab_pages(a), 0);
	CHECK_EQ(stats_of(a).free_pages, 512);
	check_verify(a);
	arena_close(a);
}

static void test_limit(void)
{
	struct arena *a = new_arena(16 * MIB, true);
	struct arena_thread *t = arena_thread(a, 0);
	unsigned n = 0;

	while (!slab_alloc(a, t, SLAB_BUF_1024, &refs[n]))
		n++;
	CHECK(n > 10000);
	CHECK_EQ(slab_alloc(a, t, SLAB_BUF_1024, &refs[n]), -ENOSPC);
	CHECK_EQ(refs[n], 0);
	check_verify(a);
	slab_free(a, t, &refs[5]);
	CHECK_EQ(slab_alloc(a, t, SLAB_BUF_1024, &refs[5]), 0);
	for (unsigned i = 0; i < n; i++)
		slab_free(a, t, &refs[i]);
	check_verify(a);
	arena_close(a);
}

static void test_record_valid(void)
{
	struct arena *a = new_arena(0, true);
	struct arena_thread *t = arena_thread(a, 0);
	uint64_t record = 0, freed = 0, buf = 0, run = 0;
	char *p;

	CHECK_EQ(slab_alloc(a, t, SLAB_RECORD, &record), 0);
	CHECK_EQ(slab_alloc(a, t, SLAB_RECORD, &freed), 0);
	CHECK_EQ(slab_alloc(a, t, SLAB_BUF_256, &buf), 0);
	CHECK_EQ(arena_run_alloc(a, t, 2, ARENA_PAGE_DATA, &run), 0);
	p = slab_addr(freed);
	CHECK(slab_record_valid(a, p));
	slab_free(a, t, &freed);
	memset(slab_addr(buf), 0xff, 256);
	memset(arena_run_addr(run), 0xff, 8192);
	{
		const struct {
			const void *p;
			bool valid;
		} cases[] = {
			{slab_addr(record), true},
			{p, false},
			{(char *)slab_addr(record) + 1, false},
			{(char *)slab_addr(record) + 8, false},
			{(char *)slab_addr(record) + 224 * 17, false},
			{(char *)slab_addr(record) + 224 * 18, false},
			{(char *)slab_addr(record) - 224, false},
			{slab_addr(buf), false},
			{arena_run_addr(run), false},
			{(char *)arena_run_addr(run) + 224, false},
			{NULL, false},
			{(void *)UINTPTR_MAX, false},
			{(void *)(uintptr_t)ARENA_BASE, false},
			{(void *)(uintptr_t)(ARENA_BASE + arena_place.window),
			 false},
			{(void *)(uintptr_t)(ARENA_BASE + ARENA_SIZE), false},
			{(void *)(uintptr_t)(ARENA_BASE + ARENA_SIZE - 4096),
			 false},
			{pfn_to_addr(seg_pfn(1)), false},
			/* The page's first object is the one in use. */
			{(void *)((uintptr_t)slab_addr(record) &
				  ~(uintptr_t)(ARENA_PAGE_SIZE - 1)),
			 true},
			{&record, false},
		};

		for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
			if (slab_record_valid(a, cases[i].p) != cases[i].valid)
				CHECK_FAILED("case %u", i);
		}
	}
	slab_free(a, t, &record);
	CHECK(!slab_record_valid(a, p));
	arena_trim(a, t, true, false);
	CHECK(!slab_record_valid(a, p));
	arena_close(a);
}

struct walk {
	struct arena *a;
	unsigned seen, stop_at;
	bool free;
};

static int visit(void *obj, void *arg)
{
	struct walk *w = arg;
	uint64_t ref = slab_ref(obj);

	CHECK(slab_record_valid(w->a, obj));
	if (++w->seen == w->stop_at)
		return -77;
	if (w->free)
		slab_free(w->a, arena_thread(w->a, 0), &ref);
	return 0;
}

/* 15,000 records, of which each seventh stays: how many those are. */
static unsigned make_every_seventh(struct arena *a, struct arena_thread *t)
{
	unsigned left = 0;

	for (unsigned i = 0; i < 15000; i++)
		CHECK_EQ(slab_alloc(a, t, SLAB_RECORD, &refs[i]), 0);
	for (unsigned i = 0; i < 15000; i++) {
		if (i % 7)
			slab_free(a, t, &refs[i]);
		else
			left++;
	}
	return left;
}

/* One after another, while others come and go. */
static void test_next_record(void)
{
	struct arena *a = new_arena(0, true);
	struct arena_thread *t = arena_thread(a, 0);
	unsigned seen = 0, left;
	void *at = NULL;

	CHECK(!slab_next_record(a, NULL));
	left = make_every_seventh(a, t);
	while ((at = slab_next_record(a, at))) {
		CHECK(slab_record_valid(a, at));
		seen++;
	}
	CHECK_EQ(seen, left);
	/* What it goes on from may be gone, with its page. */
	at = slab_addr(refs[7 * 900]);
	for (unsigned i = 0; i < 15000; i += 7) {
		if (slab_addr(refs[i]) > at)
			continue;
		slab_free(a, t, &refs[i]);
		left--;
	}
	for (seen = 0; (at = slab_next_record(a, at)); seen++)
		;
	CHECK_EQ(seen, left);
	check_verify(a);
	arena_close(a);
}

/* Only objects of buffers that are large enough. */
static void test_holds(void)
{
	struct arena *a = new_arena(0, true);
	struct arena_thread *t = arena_thread(a, 0);
	char *p;

	CHECK_EQ(slab_alloc(a, t, SLAB_BUF_40, &refs[0]), 0);
	CHECK_EQ(slab_alloc(a, t, SLAB_RECORD, &refs[1]), 0);
	p = slab_addr(refs[0]);
	CHECK(arena_holds_slab(a, p, 40));
	CHECK(!arena_holds_slab(a, p, 41));
	CHECK(!arena_holds_slab(a, p + 8, 8));
	CHECK(!arena_holds_slab(a, slab_addr(refs[1]), 8));
	CHECK(!arena_holds_slab(a, NULL, 8));
	CHECK(!arena_holds_slab(a, (void *)(uintptr_t)UINT64_MAX, 8));
	CHECK(!arena_holds_slab(a, (void *)(uintptr_t)ARENA_BASE, 8));
	arena_close(a);
}

static void test_for_each(void)
{
	struct arena *a = new_arena(0, true);
	struct arena_thread *t = arena_thread(a, 0);
	struct walk w = {.a = a};
	unsigned left;

	CHECK_EQ(slab_for_each_record(a, visit, &w), 0);
	CHECK_EQ(w.seen, 0);
	left = make_every_seventh(a, t);
	CHECK_EQ(slab_for_each_record(a, visit, &w), 0);
	CHECK_EQ(w.seen, left);
	w = (struct walk){.a = a, .stop_at = 1000};
	CHECK_EQ(slab_for_each_record(a, visit, &w), -77);
	CHECK_EQ(w.seen, 1000);
	w = (struct walk){.a = a, .free = true};
	CHECK_EQ(slab_for_each_record(a, visit, &w), 0);
	CHECK_EQ(w.seen, left);
	CHECK_EQ(stats_of(a).slab_objs[SLAB_RECORD], 0);
	check_verify(a);
	arena_close(a);
}

static const struct check_case cases[] = {
	CHECK_CASE(test_sizes),	       CHECK_CASE(test_every_cache),
	CHECK_CASE(test_reuse),	       CHECK_CASE(test_limit),
	CHECK_CASE(test_record_valid), CHECK_CASE(test_next_record),
	CHECK_CASE(test_holds),	       CHECK_CASE(test_for_each),
};

int main(int argc, char **argv)
{
	return CHECK_MAIN(cases, argc, argv);
}
