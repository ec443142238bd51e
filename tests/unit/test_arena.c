/* SPDX-License-Identifier: BSD-3-Clause */
/* The arena: making and opening it, and the runs it hands out. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arena_test.h"
#include "run_map.h"

static void test_parameters(void)
{
	static const struct {
		struct arena_params p;
		int err;
	} cases[] = {
		{{.nr_threads = 0, .root_size = 1}, -EINVAL},
		{{.nr_threads = 513, .root_size = 1}, -EINVAL},
		{{.nr_threads = 1, .root_size = (size_t)2 << 30}, -EINVAL},
		{{.nr_threads = 1, .limit = 4096}, -EINVAL},
		{{.nr_threads = 1, .limit = 1 << 20}, -EINVAL},
		{{.nr_threads = 1}, 0},
		{{.nr_threads = 512, .root_size = 100, .no_huge = true}, 0},
		{{.nr_threads = 1, .limit = 8 << 20}, 0},
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct arena *a = NULL;

		CHECK_EQ(arena_create(&cases[i].p, &a), cases[i].err);
		CHECK_EQ(a != NULL, cases[i].err == 0);
		if (a)
			check_verify(a);
		arena_close(a);
	}
}

static void test_root_and_threads(void)
{
	FOR_EACH_BACKING(no_huge)
	{
		struct arena *a = new_arena(0, no_huge);
		char *root = arena_root(a);

		CHECK_EQ((uintptr_t)root % ARENA_PAGE_SIZE, 0);
		for (unsigned i = 0; i < 1 << 20; i++)
			REQUIRE(root[i] == 0);
		memset(root, 0xee, 1 << 20);
		CHECK_EQ(arena_nr_threads(a), 4);
		for (unsigned i = 0; i < 4; i++) {
			CHECK_EQ(arena_thread(a, i)->nr, i);
			CHECK(arena_thread(a, i) == arena_thread(a, i));
			CHECK_EQ(arena_thread(a, i)->shared->undo.max, 126);
		}
		CHECK_EQ(file_bytes(a), stats_of(a).used);
		/* In small pages: no more than what is in them, and a step. */
		CHECK(file_bytes(a) < 2 * MIB);
		check_verify(a);
		arena_close(a);
	}
}

static void test_address_taken(void)
{
	static const uint64_t where[] = {ARENA_BASE,
					 ARENA_BASE + ARENA_SIZE / 2,
					 ARENA_BASE + ARENA_SIZE - 4096};
	struct arena *a = new_arena(0, true), *b = NULL;
	struct arena_params p = {.nr_threads = 1};
	int fd = dup(arena_fd(a));

	CHECK_EQ(arena_create(&p, &b), -EEXIST);
	CHECK_EQ(arena_open(fd, &b), -EEXIST);
	arena_close(a);
	for (unsigned i = 0; i < 3; i++) {
		void *m =
			mmap((void *)(uintptr_t)where[i], 4096, PROT_NONE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
			     -1, 0);

		REQUIRE(m == (void *)(uintptr_t)where[i]);
		CHECK_EQ(arena_create(&p, &b), -EEXIST);
		CHECK_EQ(arena_open(fd, &b), -EEXIST);
		munmap(m, 4096);
	}
	CHECK(b == NULL);
	CHECK_EQ(arena_open(fd, &b), 0);
	arena_close(b);
	close(fd);
}

/* `ulimit -f` must not end in SIGXFSZ. */
static void test_file_size_limit(void)
{
	int status = -1;
	pid_t pid = fork();

	REQUIRE(pid >= 0);
	if (!pid) {
		struct rlimit r = {1 << 30, 1 << 30};
		struct arena_params p = {.nr_threads = 1};
		struct arena *a;

		setrlimit(RLIMIT_FSIZE, &r);
		_exit(arena_create(&p, &a) == -EFBIG ? 0 : 1);
	}
	REQUIRE(waitpid(pid, &status, 0) == pid);
	CHECK_EQ(status, 0);
}

/* Less address space: less of everything, and full before it is overrun. */
static void check_small(uint64_t size, uint64_t limit, bool no_huge)
{
	struct arena_params p = {
		.size = size,
		.limit = limit,
		.nr_threads = 4,
		.root_size = 1 << 20,
		.no_huge = no_huge,
	};
	struct arena *a = NULL;
	struct arena_thread *t;
	unsigned n, again;
	int err, fd;

	REQUIRE(arena_create(&p, &a) == 0);
	t = arena_thread(a, 0);
	CHECK(arena_available(a) < size);
	n = fill(a, t, 4, 1 << 20, &err);
	CHECK_EQ(err, -ENOSPC);
	CHECK(n > size / 16384 * 7 / 10);
	CHECK(arena_available(a) < 4 * ARENA_SEG_SIZE);
	while (!arena_grow_handles(a, t))
		;
	CHECK(arena_handles_backed(a) * 8 <= size / 32 + ARENA_SEG_SIZE);
	check_verify(a);
	fd = dup(arena_fd(a));
	arena_close(a);
	REQUIRE(arena_open(fd, &a) == 0);
	close(fd);
	t = arena_thread(a, 0);
	check_verify(a);
	for (unsigned i = 0; i < n; i++)
		arena_run_free(a, t, &refs[i]);
	again = fill(a, t, 4, 1 << 20, &err);
	CHECK(again >= n - 1024);
	check_verify(a);
	for (unsigned i = 0; i < again; i++)
		arena_run_free(a, t, &refs[i]);
	arena_close(a);
}

static void test_small(void)
{
	uint64_t least = arena_min_size(4, 1 << 20);
	struct arena_params p = {
		.size = least - ARENA_SEG_SIZE,
		.nr_threads = 4,
		.root_size = 1 << 20,
	};
	struct arena *a;

	CHECK(least <= UINT64_C(64) << 20);
	CHECK_EQ(arena_create(&p, &a), -EINVAL);
	p.size = least + 4096;
	CHECK_EQ(arena_create(&p, &a), -EINVAL);
	FOR_EACH_BACKING(no_huge)
	{
		check_small(least, 0, no_huge);
		check_small(UINT64_C(256) << 20, 0, no_huge);
		check_small(UINT64_C(128) << 20, UINT64_C(1) << 40, no_huge);
	}
}

enum order { FIFO, LIFO, RANDOM };

static void shuffle(uint64_t *r, unsigned n, enum order order, uint64_t seed)
{
	for (unsigned i = n; i-- > 1;) {
		unsigned j = order == RANDOM ? xorshift(&seed) % (i + 1)
			     : order == LIFO ? n - 1 - i
					     : i;
		uint64_t tmp = r[i];

		if (order == LIFO && j >= i)
			break;
		r[i] = r[j];
		r[j] = tmp;
	}
}

static void run_pattern(struct arena *a, unsigned min, unsigned max, unsigned n,
			enum order order)
{
	struct arena_thread *t = arena_thread(a, 0);
	uint64_t seed = 88172645463325252u, pages = 0;

	for (unsigned i = 0; i < n; i++) {
		unsigned len = min + xorshift(&seed) % (max - min + 1);

		REQUIRE(!arena_run_alloc(a, t, len, ARENA_PAGE_ZSPAGE,
					 &refs[i]));
		CHECK_EQ(arena_run_pages(refs[i]), len);
		pages += len;
		stamp_run(refs[i], false);
	}
	CHECK_EQ(stats_of(a).pages[ARENA_PAGE_ZSPAGE], pages);
	check_verify(a);
	shuffle(refs, n, order, seed);
	for (unsigned i = 0; i < n; i++) {
		stamp_run(refs[i], true);
		arena_run_free(a, t, &refs[i]);
		CHECK_EQ(refs[i], 0);
		if (i % 512 == 0)
			check_verify(a);
	}
	CHECK_EQ(stats_of(a).pages[ARENA_PAGE_ZSPAGE], 0);
	check_verify(a);
}

static void test_patterns(void)
{
	static const struct {
		unsigned min, max, n;
		enum order order;
	} cases[] = {
		{1, 1, 3000, FIFO},  {1, 1, 3000, RANDOM},
		{16, 16, 400, LIFO}, {7, 7, 900, RANDOM},
		{1, 16, 2000, LIFO}, {1, 16, 2000, RANDOM},
		{3, 5, 2000, FIFO},
	};

	FOR_EACH_BACKING(no_huge)
	{
		struct arena *a = new_arena(0, no_huge);

		for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++)
			run_pattern(a, cases[i].min, cases[i].max, cases[i].n,
				    cases[i].order);
		CHECK_EQ(file_bytes(a), stats_of(a).used);
		arena_trim(a, arena_thread(a, 0), true, true);
		CHECK_EQ(stats_of(a).segments, 0);
		CHECK_EQ(stats_of(a).free_pages, 0);
		CHECK_EQ(file_bytes(a), stats_of(a).used);
		check_verify(a);
		arena_close(a);
	}
}

/* Set or clear @nr bits, none of which has that value. */
static void flip(uint64_t *m, unsigned first, unsigned nr)
{
	for (unsigned i = first; i < first + nr; i++)
		m[i / 64] ^= UINT64_C(1) << (i % 64);
}

/* Runs that come and go: the longest one is followed as it is found anew. */
static void test_longest_run(void)
{
	uint64_t seed = 7, m[MAP_WORDS];
	unsigned was;

	memset(m, 0xff, sizeof(m));
	was = map_longest(m);
	for (unsigned round = 0; round < 200000; round++) {
		unsigned first = xorshift(&seed) % ARENA_SEG_PAGES;
		unsigned max = 1 + xorshift(&seed) % ARENA_MAX_RUN, nr = 0;
		bool set = map_test(m, first);

		while (nr < max && first + nr < ARENA_SEG_PAGES &&
		       map_test(m, first + nr) == set)
			nr++;
		flip(m, first, nr);
		was = set ? map_longest_cleared(m, first, nr, was)
			  : map_longest_set(m, first, nr, was);
		CHECK_EQ(was, map_longest(m));
	}
}

/* Random maps against a simple loop. */
static void test_run_map(void)
{
	uint64_t seed = 42, m[MAP_WORDS];

	for (unsigned round = 0; round < 20000; round++) {
		unsigned longest = 0, run = 0, n = 1 + xorshift(&seed) % 16;
		int first = -1;

		for (unsigned i = 0; i < MAP_WORDS; i++) {
			m[i] = xorshift(&seed);
			for (unsigned k = xorshift(&seed) % 4; k; k--)
				m[i] |= m[i] << (xorshift(&seed) % 9);
			if (round % 3 == 0)
				m[i] &= xorshift(&seed) & xorshift(&seed);
		}
		for (unsigned i = 0; i < ARENA_SEG_PAGES; i++) {
			run = map_test(m, i) ? run + 1 : 0;
			longest = run > longest ? run : longest;
			if (first < 0 && run == n)
				first = (int)(i + 1 - n);
		}
		CHECK_EQ(map_longest(m), longest > 16 ? 16 : longest);
		CHECK_EQ(map_find(m, n), first);
		run = xorshift(&seed) % ARENA_SEG_PAGES;
		longest = map_next(m, run, true);
		CHECK(longest == ARENA_SEG_PAGES || map_test(m, longest));
		for (; run < longest; run++)
			CHECK(!map_test(m, run));
	}
}

static void test_fullest_first(void)
{
	struct arena *a = new_arena(0, true);
	struct arena_thread *t = arena_thread(a, 0);
	int err;

	/* Three full segments; then holes of 1, 4 and 200 pages. */
	CHECK_EQ(fill(a, t, 1, 3 * 512, &err), 3 * 512);
	for (unsigned i = 0; i < 200; i++)
		arena_run_free(a, t, &refs[i]);
	arena_run_free(a, t, &refs[600]);
	for (unsigned i = 0; i < 4; i++)
		arena_run_free(a, t, &refs[1100 + i]);
	check_verify(a);

	CHECK_EQ(arena_run_alloc(a, t, 1, ARENA_PAGE_DATA, &refs[600]), 0);
	CHECK_EQ(run_ref_pfn(refs[600]), seg_pfn(1) + 600 - 512);
	CHECK_EQ(arena_run_alloc(a, t, 3, ARENA_PAGE_DATA, &refs[1100]), 0);
	CHECK_EQ(run_ref_pfn(refs[1100]), seg_pfn(2) + 1100 - 1024);
	CHECK_EQ(arena_run_alloc(a, t, 5, ARENA_PAGE_DATA, &refs[0]), 0);
	CHECK_EQ(run_ref_pfn(refs[0]), seg_pfn(0));
	CHECK_EQ(stats_of(a).segments, 3);
	free_refs(a, t, 3 * 512);
	check_verify(a);
	arena_close(a);
}

/* Open again what was closed: everything is where it was. */
static void test_reopen(void)
{
	FOR_EACH_BACKING(no_huge)
	{
		struct arena *a = new_arena(0, no_huge), *b = NULL;
		struct arena_thread *t = arena_thread(a, 1);
		uint64_t *root = arena_root(a);
		struct arena_stats s;
		int fd = dup(arena_fd(a)), err = 0;

		for (unsigned i = 0; i < 3000 && !err; i++) {
			err = arena_run_alloc(a, t, 1 + i % 16, ARENA_PAGE_DATA,
					      &root[i]);
			stamp_run(root[i], false);
		}
		CHECK_EQ(err, 0);
		s = stats_of(a);
		arena_close(a);

		REQUIRE(!arena_open(fd, &b));
		close(fd);
		CHECK(arena_root(b) == root);
		CHECK_EQ(stats_of(b).used, s.used);
		CHECK_EQ(stats_of(b).pages[ARENA_PAGE_DATA],
			 s.pages[ARENA_PAGE_DATA]);
		check_verify(b);
		for (unsigned i = 0; i < 3000; i++) {
			stamp_run(root[i], true);
			arena_run_free(b, arena_thread(b, 0), &root[i]);
		}
		CHECK_EQ(stats_of(b).pages[ARENA_PAGE_DATA], 0);
		check_verify(b);
		arena_close(b);
	}
}

static void test_open_refuses(void)
{
	static const struct {
		size_t off;
		uint32_t val;
	} cases[] = {
		{offsetof(struct arena_header, magic), 1},
		{offsetof(struct arena_header, version), 99},
		{offsetof(struct arena_header, page_size), 8192},
		{offsetof(struct arena_header, base), 4096},
		{offsetof(struct arena_header, size), 1 << 30},
		{offsetof(struct arena_header, header_size), 8},
		{offsetof(struct arena_header, thread_size), 8},
		{offsetof(struct arena_header, segment_size), 8320},
		{offsetof(struct arena_header, desc_size), 32},
		{offsetof(struct arena_header, record_size), 256},
		{offsetof(struct arena_header, nr_caches), 3},
		{offsetof(struct arena_header, nr_threads), 5000},
		{offsetof(struct arena_header, root_off), 12345},
		{offsetof(struct arena_header, step), 12345},
	};
	struct arena *a = new_arena(0, true);
	int fd = dup(arena_fd(a)), null = open("/dev/null", O_RDWR);
	int other = memfd_create("t", 0);
	uint32_t old;

	arena_close(a);
	a = NULL;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		off_t off = (off_t)cases[i].off;

		CHECK_EQ(pread(fd, &old, 4, off), 4);
		CHECK_EQ(pwrite(fd, &cases[i].val, 4, off), 4);
		CHECK_EQ(arena_open(fd, &a), -EPROTO);
		CHECK_EQ(pwrite(fd, &old, 4, off), 4);
	}
	CHECK_EQ(arena_open(null, &a), -EPROTO);
	CHECK_EQ(arena_open(other, &a), -EPROTO);
	CHECK_EQ(ftruncate(other, ARENA_SIZE), 0);
	CHECK_EQ(arena_open(other, &a), -EPROTO);
	CHECK_EQ(arena_open(-1, &a), -EBADF);
	CHECK(a == NULL);
	CHECK_EQ(arena_open(fd, &a), 0);
	check_verify(a);
	arena_close(a);
	close(null);
	close(other);
	close(fd);
}

static const struct check_case cases[] = {
	CHECK_CASE(test_parameters),	CHECK_CASE(test_root_and_threads),
	CHECK_CASE(test_address_taken), CHECK_CASE(test_file_size_limit),
	CHECK_CASE(test_small),		CHECK_CASE(test_longest_run),
	CHECK_CASE(test_run_map),	CHECK_CASE(test_patterns),
	CHECK_CASE(test_fullest_first), CHECK_CASE(test_reopen),
	CHECK_CASE(test_open_refuses),
};

int main(int argc, char **argv)
{
	return CHECK_MAIN(cases, argc, argv);
}
