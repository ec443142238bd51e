/* SPDX-License-Identifier: BSD-3-Clause */
/* The size classes, against tables computed apart from the pool's code. */
#include "check.h"
#include "golden_classes.h"
#include "zsmalloc_i.h"

#define NR(a) (sizeof(a) / sizeof((a)[0]))

static struct zs_pool pool;
static struct zs_pool_root root;

static void init(unsigned chain_size)
{
	memset(&pool, 0, sizeof(pool));
	pool.root = &root;
	root.chain_size = chain_size;
	zs_init_classes(&pool, chain_size);
}

static void check_class(const struct size_class *class,
			const struct golden_class *want)
{
	CHECK_EQ(class->index, want->index);
	CHECK_EQ(class->size, want->size);
	CHECK_EQ(class->pages, want->pages);
	CHECK_EQ(class->objs, want->objs);
	CHECK_EQ(class->huge, want->size == 4096);
}

static void check_golden(unsigned chain_size, const struct golden_class *want,
			 size_t nr)
{
	size_t next = 0;

	init(chain_size);
	CHECK_EQ(pool.nr_classes, nr);
	for (unsigned i = 0; i < ZS_SIZE_CLASSES; i++) {
		while (want[next].index < i)
			next++;
		check_class(&pool.class[pool.slot_of[i]], &want[next]);
	}
}

static void test_golden_tables(void)
{
	check_golden(4, golden_chain4, NR(golden_chain4));
	check_golden(8, golden_chain8, NR(golden_chain8));
	check_golden(16, golden_chain16, NR(golden_chain16));
}

static void test_counts_by_chain_size(void)
{
	static const struct {
		unsigned chain, distinct, largest; /* that is not huge */
	} want[] = {
		{4, 69, 3264},	 {5, 86, 3408},	  {6, 94, 3504},
		{7, 110, 3584},	 {8, 119, 3632},  {9, 136, 3680},
		{10, 141, 3712}, {11, 153, 3744}, {12, 159, 3776},
		{13, 173, 3792}, {14, 179, 3808}, {15, 186, 3840},
		{16, 192, 3840},
	};

	for (size_t i = 0; i < NR(want); i++) {
		init(want[i].chain);
		CHECK_EQ(pool.nr_classes, want[i].distinct);
		CHECK_EQ(zs_huge_class_size(&pool), want[i].largest - 7);
		CHECK_EQ(zs_chain_size(&pool), want[i].chain);
	}
}

/* Every payload gets a chunk it fits into, and no smaller class would do. */
static void test_every_size_fits(void)
{
	init(ZS_DEFAULT_CHAIN_SIZE);
	for (size_t size = 1; size <= ZS_MAX_ALLOC_SIZE; size++) {
		const struct size_class *class = size_class_for(&pool, size);
		size_t room = class->huge ? class->size : class->size - 8u;

		CHECK(size <= room);
		if (class->slot + 1u < pool.nr_classes)
			CHECK(size > pool.class[class->slot + 1].size - 8u);
		CHECK_EQ(zs_lookup_class_index(&pool, size), class->index);
	}
	CHECK_EQ(zs_lookup_class_index(&pool, 1), 0);
	CHECK_EQ(zs_lookup_class_index(&pool, 24), 0);
	CHECK_EQ(zs_lookup_class_index(&pool, 25), 1);
	CHECK_EQ(zs_lookup_class_index(&pool, 3624), 225);
	CHECK_EQ(zs_lookup_class_index(&pool, 3625), 254);
	CHECK_EQ(zs_lookup_class_index(&pool, 4096), 254);
}

static void check_group(const struct size_class *class, unsigned inuse)
{
	unsigned want = 100 * inuse / class->objs / 10 + 1;

	if (inuse == 0)
		want = 0;
	if (inuse == class->objs)
		want = 11;
	CHECK_EQ(group_fullness(zspage_group(class, inuse)), want);
	CHECK_EQ(zspage_group(class, inuse) >= ZS_GROUP_ALMOST_FULL,
		 inuse > class->objs * 3u / 4);
}

/* The divisions by multiplication are exact wherever they are used. */
static void test_reciprocals(void)
{
	for (unsigned chain = 4; chain <= 16; chain++) {
		init(chain);
		for (unsigned c = 0; c < pool.nr_classes; c++) {
			const struct size_class *class = &pool.class[c];
			unsigned units = class->size / ZS_CHUNK_UNIT;

			for (unsigned n = 0; n <= class->objs; n++)
				check_group(class, n);
			for (unsigned n = 0; n < class->pages * 256u; n++)
				CHECK_EQ(recip_div(n, class->unit_recip),
					 n / units);
		}
	}
}

static void test_almost_empty_rule(void)
{
	/* Objects in a zspage, most of them in an "almost empty" one. */
	static const unsigned want[][2] = {
		{2, 1},	 {3, 2},   {4, 3},    {5, 3},	  {7, 5},
		{13, 9}, {64, 48}, {128, 96}, {256, 192},
	};
	unsigned found = 0;

	init(8);
	for (size_t i = 0; i < NR(want); i++) {
		for (unsigned c = 0; c < pool.nr_classes; c++) {
			if (pool.class[c].objs != want[i][0])
				continue;
			CHECK_EQ(pool.class[c].almost_empty_max, want[i][1]);
			found++;
		}
	}
	CHECK(found >= NR(want));
}

static void test_cells_and_heads(void)
{
	uint64_t cell = cell_make(CELL_LOC_MASK, 4096, 7);
	uint64_t head = head_make(0x7fffffff, 0xdeadbeef);

	CHECK(cell_live(cell));
	CHECK_EQ(cell_loc(cell), CELL_LOC_MASK);
	CHECK_EQ(cell_size(cell), 4096);
	CHECK_EQ(cell_tag(cell), 7);
	CHECK_EQ(cell >> CELL_REF_SHIFT, 1);
	cell = cell_make(0, 1, 0);
	CHECK(cell_live(cell));
	CHECK_EQ(cell_size(cell), 1);
	CHECK_EQ(cell_tag(cell), 0);

	CHECK(head_names(head, 0x7fffffff));
	CHECK(!head_names(head, 0x7ffffffe));
	CHECK(!head_names(head & ~UINT64_C(1), 0x7fffffff));
	CHECK_EQ(head_handle(head), 0x7fffffff);
	CHECK_EQ(head_word(head), 0xdeadbeef);

	CHECK_EQ(link_make(NO_FREE_OBJ), 0);
	CHECK_EQ(link_next(0), NO_FREE_OBJ);
	for (uint16_t i = 0; i < 256; i++) {
		CHECK_EQ(link_next(link_make(i)), i);
		CHECK_EQ(link_make(i) & 1, 0);
	}
}

static const struct check_case cases[] = {
	CHECK_CASE(test_golden_tables),
	CHECK_CASE(test_counts_by_chain_size),
	CHECK_CASE(test_every_size_fits),
	CHECK_CASE(test_reciprocals),
	CHECK_CASE(test_almost_empty_rule),
	CHECK_CASE(test_cells_and_heads),
};

int main(int argc, char **argv)
{
	return CHECK_MAIN(cases, argc, argv);
}
