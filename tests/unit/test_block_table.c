/* SPDX-License-Identifier: BSD-3-Clause */
/* Tests of the block table: shapes, searches, growth that fails. */
#include "check.h"

#include <errno.h>
#include <string.h>

#include "content/block_table_i.h"
#include "fs_fixture.h"
#include "state/zsfs.h"
#include "state/tx.h"
#include "content/block_table.h"
#include "content/table_range.h"
#include "volume/volume.h"

#define MAX_KEYS 400u

static struct zsfs *fs;
static struct ztable table;

/* The plain model: pairs in no order. */
static struct {
	uint64_t idx, val;
} keys[MAX_KEYS];
static unsigned nr_keys;

static uint64_t seed = 12345;

static uint64_t rnd(uint64_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % n;
}

/* ---- the model ---- */

static int model_at(uint64_t idx)
{
	for (unsigned k = 0; k < nr_keys; k++)
		if (keys[k].idx == idx)
			return (int)k;
	return -1;
}

static uint64_t model_get(uint64_t idx)
{
	int k = model_at(idx);

	return k < 0 ? 0 : keys[k].val;
}

static void model_set(uint64_t idx, uint64_t val)
{
	int k = model_at(idx);

	if (k < 0)
		k = (int)nr_keys++;
	keys[k].idx = idx;
	keys[k].val = val;
}

static void model_clear(uint64_t idx)
{
	int k = model_at(idx);

	if (k >= 0)
		keys[k] = keys[--nr_keys];
}

/* The smallest index >= @from, or UINT64_MAX. */
static uint64_t model_next(uint64_t from)
{
	uint64_t best = UINT64_MAX;

	for (unsigned k = 0; k < nr_keys; k++)
		if (keys[k].idx >= from && keys[k].idx < best)
			best = keys[k].idx;
	return best;
}

/* How many there are at @from and behind. */
static uint64_t model_count(uint64_t from)
{
	uint64_t n = 0;

	for (unsigned k = 0; k < nr_keys; k++)
		n += keys[k].idx >= from;
	return n;
}

static uint64_t model_last(void)
{
	uint64_t best = 0;

	for (unsigned k = 0; k < nr_keys; k++)
		if (keys[k].idx > best)
			best = keys[k].idx;
	return best;
}

/* ---- the table ---- */

static int set_in(struct tx *tx, uint64_t idx, uint64_t val)
{
	uint64_t *slot = NULL;
	int err = table_prepare(tx, &table, idx, &slot);

	if (!err)
		table_set(tx, &table, idx, slot, val);
	return err;
}

static int set(uint64_t idx, uint64_t val)
{
	struct tx *tx = tx_begin(fs->threads);
	int err = set_in(tx, idx, val);

	return fixture_end(tx, err);
}

static void clear(uint64_t idx)
{
	struct tx *tx = tx_begin(fs->threads);

	table_clear(tx, &table, idx);
	tx_commit(tx);
}

static int count_node(const struct table_node *node, void *arg)
{
	bool empty = true;

	for (unsigned k = 0; k < 1u << node->order; k++)
		empty &= node->slots[k] == 0;
	CHECK(!empty);
	*(uint64_t *)arg += node->level > 0;
	return 0;
}

static uint64_t count_nodes(void)
{
	uint64_t n = 0;

	CHECK_EQ(table_for_each_node(fs->arena, &table, count_node, &n), 0);
	return n;
}

/* Every node holds something and belongs to the table. */
static void check_nodes(void)
{
	CHECK_EQ(count_nodes(), fixture_objects(fs));
	if (nr_keys == 0) {
		CHECK_EQ(table.root, 0);
		CHECK_EQ(table.level, 0);
		CHECK_EQ(table.order, 0);
	}
}

/* The last slot of the table that is not 0; false when there is none. */
static bool last_slot(uint64_t *idx, uint64_t *val)
{
	uint64_t at = 0, word;
	bool any = false;

	for (; table_next(&table, &at, &word); at++) {
		*idx = at;
		*val = word;
		any = true;
	}
	return any;
}

static void check_content(void)
{
	uint64_t idx = 0, val, n = 0;

	for (; table_next(&table, &idx, &val); idx++, n++) {
		CHECK_EQ(idx, model_next(idx));
		CHECK_EQ(val, model_get(idx));
		CHECK_EQ(table_get(&table, idx), val);
	}
	CHECK_EQ(n, nr_keys);
	CHECK_EQ(table_count(&table, 0), nr_keys);
	CHECK(last_slot(&idx, &val) == (nr_keys > 0));
	if (nr_keys) {
		CHECK_EQ(idx, model_last());
		CHECK_EQ(val, model_get(idx));
	}
	check_nodes();
}

static void put(uint64_t idx, uint64_t val)
{
	CHECK_EQ(set(idx, val), 0);
	model_set(idx, val);
}

static void drop(uint64_t idx)
{
	clear(idx);
	model_clear(idx);
}

static void drop_all(void)
{
	while (nr_keys)
		drop(keys[rnd(nr_keys)].idx);
	check_content();
}

/* ---- tests ---- */

static void test_shapes(void)
{
	static const struct {
		uint64_t idx;
		unsigned level, order, nodes;
	} t[] = {
		{0, 0, 0, 0},
		{1, 1, 2, 1},
		{3, 1, 2, 1},
		{4, 1, 4, 1},
		{15, 1, 4, 1},
		{16, 1, 6, 1},
		{63, 1, 6, 1},
		{64, 2, 6, 2},
		{4095, 2, 6, 2},
		{4096, 3, 6, 3},
		{262143, 3, 6, 3},
		{262144, 4, 6, 4},
		{UINT64_C(1) << 50, 9, 6, 9},
		{(UINT64_C(1) << 51) - 1, 9, 6, 9},
		{UINT64_C(1) << 62, 11, 6, 11},
		{UINT64_MAX, 11, 6, 11},
	};

	for (unsigned k = 0; k < sizeof(t) / sizeof(t[0]); k++) {
		put(t[k].idx, 7);
		CHECK_EQ(table.level, t[k].level);
		CHECK_EQ(table.order, t[k].order);
		CHECK_EQ(count_nodes(), t[k].nodes);
		CHECK_EQ(table_get(&table, t[k].idx), 7);
		CHECK_EQ(table_get(&table, t[k].idx ^ 1), 0);
		check_nodes();
		drop(t[k].idx);
		check_content();
	}
}

/* From each shape to each other one, with all values kept. */
static void test_growing(void)
{
	static const uint64_t at[] = {
		0,
		1,
		3,
		4,
		15,
		16,
		63,
		64,
		4095,
		4096,
		262144,
		UINT64_C(1) << 40,
		UINT64_C(1) << 62,
	};
	unsigned n = sizeof(at) / sizeof(at[0]);

	for (unsigned a = 0; a < n; a++)
		for (unsigned b = a + 1; b < n; b++) {
			for (unsigned k = 0; k <= a; k++)
				put(at[k], 100 + k);
			put(at[b], 99);
			check_content();
			drop_all();
		}
}

static void test_overwriting(void)
{
	for (unsigned k = 0; k < 3; k++)
		for (uint64_t idx = 0; idx < 200; idx += 7)
			put(idx, k + 1);
	check_content();
	/* What is not there may be cleared, too. */
	clear(1);
	clear(4096);
	clear(UINT64_C(1) << 60);
	check_content();
	drop_all();
}

static void check_hole(uint64_t from, uint64_t want)
{
	CHECK_EQ(table_next_hole(&table, from), want);
}

static void test_holes(void)
{
	check_hole(0, 0);
	check_hole(77, 77);
	for (uint64_t idx = 0; idx < 200; idx++) {
		put(idx, 5);
		check_hole(0, idx + 1);
		check_hole(idx, idx + 1);
		check_hole(idx + 1, idx + 1);
		check_hole(idx + 1000, idx + 1000);
	}
	drop(64);
	check_hole(0, 64);
	check_hole(64, 64);
	check_hole(65, 200);
	drop(10);
	check_hole(0, 10);
	check_hole(11, 64);
	put((UINT64_C(1) << 51) - 1, 5);
	check_hole((UINT64_C(1) << 51) - 1, UINT64_C(1) << 51);
	drop_all();
}

/*
 * What is full is not looked at: a slot that is taken away behind the table's
 * back is not found.
 */
static void test_holes_behind_full(void)
{
	const uint64_t n = 4096 + 2 * TABLE_WIDTH + 5;
	uint64_t *leaf;

	for (uint64_t idx = 0; idx < n; idx++)
		CHECK_EQ(set(idx, 5), 0);
	CHECK_EQ(table.level, 3);
	leaf = link_node(link_node(root_node(&table)[0])[7]);
	leaf[3] = 0;
	check_hole(0, n);
	check_hole(7 * TABLE_WIDTH, n);
	check_hole(n - 1, n);
	clear(4000);
	check_hole(0, 4000);
	check_hole(4001, n);
	leaf[3] = 5;
	clear(7 * TABLE_WIDTH + 3);
	check_hole(0, 7 * TABLE_WIDTH + 3);
	for (uint64_t idx = 0; idx < n; idx++)
		clear(idx);
	check_content();
}

/* Indices that are near each other, and near where shapes change. */
static uint64_t draw_index(void)
{
	static const uint64_t base[] = {
		0,
		0,
		0,
		60,
		4000,
		4096,
		262100,
		UINT64_C(1) << 36,
		(UINT64_C(1) << 51) - 70,
	};

	return base[rnd(sizeof(base) / sizeof(base[0]))] + rnd(70);
}

static void random_change(unsigned percent_clear)
{
	struct ztable before = table;
	uint64_t idx = draw_index(), val = 1 + rnd(1000);
	bool take_back = rnd(4) == 0;
	struct tx *tx = tx_begin(fs->threads);

	if (rnd(100) < percent_clear || nr_keys == MAX_KEYS) {
		if (nr_keys && rnd(2))
			idx = keys[rnd(nr_keys)].idx;
		table_clear(tx, &table, idx);
		if (!take_back)
			model_clear(idx);
	} else {
		CHECK_EQ(set_in(tx, idx, val), 0);
		if (!take_back)
			model_set(idx, val);
	}
	if (take_back) {
		tx_abort(tx, -EINTR);
		CHECK(!memcmp(&table, &before, sizeof(table)));
	} else {
		tx_commit(tx);
	}
}

static void test_random(void)
{
	for (unsigned k = 0; k < 20000; k++) {
		uint64_t idx = draw_index(), at = idx, val = 0;
		bool found;

		random_change(k / 2500 % 2 ? 70 : 30);
		CHECK_EQ(table_get(&table, idx), model_get(idx));
		found = table_next(&table, &at, &val);
		CHECK_EQ(found ? at : UINT64_MAX, model_next(idx));
		CHECK_EQ(table_count(&table, idx), model_count(idx));
		at = table_next_hole(&table, idx);
		CHECK(at >= idx && !model_get(at));
		while (idx < at)
			CHECK(model_get(idx++) != 0);
		if (k % 50 == 0)
			check_content();
	}
	drop_all();
}

/* ---- counts ---- */

static void check_counts_from(uint64_t idx)
{
	for (unsigned k = 0; k < 3; k++)
		CHECK_EQ(table_count(&table, idx + k - 1),
			 model_count(idx + k - 1));
}

/* What a cursor finds is what is there, in whatever order one asks. */
static void check_cursor(struct table_cursor *c, uint64_t idx)
{
	const uint64_t *slot = table_at(c, idx);

	CHECK_EQ(slot ? *slot : 0, table_get(&table, idx));
}

static void test_cursor(void)
{
	static const uint64_t upto[] = {0, 3, 15, 63, 64, 5000, 1 << 20};

	for (unsigned k = 0; k < sizeof(upto) / sizeof(upto[0]); k++) {
		struct table_cursor c;

		put(upto[k], 7 + k);
		c = table_cursor(&table);
		for (unsigned n = 0; n < 2000; n++)
			check_cursor(&c, rnd(2 * upto[k] + 3));
		check_cursor(&c, UINT64_MAX);
		check_cursor(&c, 0);
	}
	drop_all();
}

/* A megabyte of blocks is found with a walk for each leaf. */
static void test_cursor_walks(void)
{
	struct table_cursor c;

	for (uint64_t k = 0; k < 320; k++)
		put(k, k + 1);
	c = table_cursor(&table);
	for (uint64_t k = 30; k < 286; k++)
		CHECK_EQ(*table_at(&c, k), k + 1);
	CHECK(c.walks <= 5);
	drop_all();
}

static void test_counts(void)
{
	for (uint64_t idx = 0; idx < 300; idx++) {
		put(idx * 64 * 5, 3);
		put(idx, 3);
		check_counts_from(1);
		check_counts_from(idx);
		check_counts_from(idx * 64 * 5);
		if (nr_keys > MAX_KEYS - 2)
			break;
	}
	check_counts_from(UINT64_C(1) << 60);
	drop_all();
	CHECK_EQ(table_count(&table, 0), 0);
}

/* Several changes of several leaves by one transaction. */
static void test_counts_in_one_go(void)
{
	static const uint64_t at[] = {0, 1, 64, 65, 2, 64, 5000, 66, 300000};
	unsigned n = sizeof(at) / sizeof(at[0]);
	struct tx *tx = tx_begin(fs->threads);

	for (unsigned k = 0; k < n; k++) {
		CHECK_EQ(set_in(tx, at[k], 9), 0);
		model_set(at[k], 9);
	}
	/* A leaf goes and comes again. */
	table_clear(tx, &table, 5000);
	CHECK_EQ(set_in(tx, 5001, 9), 0);
	model_clear(5000);
	model_set(5001, 9);
	table_settle(tx);
	CHECK_EQ(table_count(&table, 0), nr_keys);
	table_clear(tx, &table, 1);
	model_clear(1);
	tx_commit(tx);
	check_content();
	drop_all();
}

static int split(uint64_t first, struct ztable *to)
{
	struct tx *tx = tx_begin(fs->threads);
	int err;

	memset(to, 0, sizeof(*to));
	err = table_split(tx, &table, first, to);
	return fixture_end(tx, err);
}

/* What was cut off is checked in the place of the table, then dropped. */
static void check_split_off(struct ztable *off, uint64_t first)
{
	struct ztable rest = table;
	uint64_t idx = 0, val, n = 0, nodes = count_nodes();

	table = *off;
	for (; table_next(&table, &idx, &val); idx++, n++) {
		CHECK(idx >= first);
		CHECK_EQ(val, model_get(idx));
	}
	CHECK_EQ(n, model_count(first));
	CHECK_EQ(table_count(&table, 0), n);
	CHECK_EQ(count_nodes() + nodes, fixture_objects(fs));
	while (last_slot(&idx, &val)) {
		drop(idx);
		CHECK_EQ(table_count(&table, 0), --n);
	}
	table = rest;
	check_content();
}

static void test_split(void)
{
	for (unsigned k = 0; k < 400; k++) {
		uint64_t first = draw_index();
		struct ztable off;

		for (unsigned n = rnd(300); n > 0 && nr_keys < MAX_KEYS; n--)
			put(draw_index(), 1 + n);
		put(64 + rnd(5000), 7);
		CHECK_EQ(split(first, &off), 0);
		check_split_off(&off, first);
		if (table.level < 2)
			drop_all();
	}
	drop_all();
}

#if ZS_DEBUG_LEVEL >= 1

static void test_split_failing(void)
{
	struct ztable off;
	unsigned n = 1;

	for (unsigned k = 0; k < 200; k++)
		put(rnd(2) ? rnd(10000) : 262100 + rnd(70), 4);
	for (;; n++) {
		int err;

		fixture_fail_at(n);
		err = split(4100, &off);
		if (!fixture_has_failed())
			break;
		fixture_fail_at(0);
		CHECK_EQ(err, -ENOSPC);
		check_content();
	}
	fixture_fail_at(0);
	CHECK(n > 2);
	check_split_off(&off, 4100);
	drop_all();
}

/* Prepare @idx with the n'th allocation failing, for every n. */
static void try_failing(uint64_t idx)
{
	for (unsigned n = 1; n < 100; n++) {
		struct tx *tx = tx_begin(fs->threads);
		uint64_t *slot;
		int err;

		fixture_fail_at(n);
		err = table_prepare(tx, &table, idx, &slot);
		if (!err)
			table_set(tx, &table, idx, slot, 1);
		/* A write that got shorter commits what it has. */
		tx_commit(tx);
		if (!fixture_has_failed()) {
			fixture_fail_at(0);
			CHECK_EQ(err, 0);
			model_set(idx, 1);
			check_content();
			drop(idx);
			return;
		}
		fixture_fail_at(0);
		CHECK_EQ(err, -ENOSPC);
		check_content();
	}
	CHECK(!"never succeeded");
}

static void test_failing(void)
{
	static const uint64_t at[] = {
		1, 5, 20, 64, 130, 4096, 300000, UINT64_C(1) << 50,
	};
	/* What is there before: nothing, one, small leaves, taller tables. */
	static const uint64_t there[][3] = {
		{0, 0, 0},   {1, 2, 3},	   {6, 6, 6},
		{40, 40, 0}, {64, 64, 64}, {5000, 64, 0},
	};

	for (unsigned t = 0; t <= sizeof(there) / sizeof(there[0]); t++) {
		for (unsigned k = 0; t > 0 && k < 3; k++)
			put(there[t - 1][k], 77);
		for (unsigned k = 0; k < sizeof(at) / sizeof(at[0]); k++)
			if (model_at(at[k]) < 0)
				try_failing(at[k]);
		drop_all();
	}
}

#endif

static const struct check_case cases[] = {
	CHECK_CASE(test_shapes),
	CHECK_CASE(test_growing),
	CHECK_CASE(test_overwriting),
	CHECK_CASE(test_holes),
	CHECK_CASE(test_holes_behind_full),
	CHECK_CASE(test_random),
	CHECK_CASE(test_cursor),
	CHECK_CASE(test_cursor_walks),
	CHECK_CASE(test_counts),
	CHECK_CASE(test_counts_in_one_go),
	CHECK_CASE(test_split),
#if ZS_DEBUG_LEVEL >= 1
	CHECK_CASE(test_split_failing),
	CHECK_CASE(test_failing),
#endif
};

int main(int argc, char **argv)
{
	int ret;

	fs = fixture_fs();
	ret = CHECK_MAIN(cases, argc, argv);
	zsfs_close(fs);
	return ret;
}
