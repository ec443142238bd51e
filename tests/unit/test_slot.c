/* SPDX-License-Identifier: BSD-3-Clause */
/* Tests of slot words: each says what it is made from, and only that. */
#include "check.h"

#include <errno.h>

#include "content/block_table.h"
#include "content/cluster.h"
#include "content/group.h"
#include "content/settle.h"
#include "content/slot.h"
#include "content/tidy.h"
#include "content/usage.h"
#include "content/warm.h"
#include "fs_fixture.h"
#include "state/counters.h"
#include "tree/attr.h"
#include "tree/reap.h"
#include "volume/verify_fs.h"

static void test_kinds(void)
{
	CHECK_EQ(slot_kind(0), SLOT_HOLE);
	CHECK_EQ(slot_kind(slot_same(0)), SLOT_ZEROS);
	CHECK_EQ(slot_kind(slot_same(3)), SLOT_SAME);
	CHECK_EQ(slot_kind(slot_same(UINT64_MAX)), SLOT_SAME);
	CHECK_EQ(slot_kind(slot_object(1, 0)), SLOT_OBJECT);
	CHECK_EQ(slot_kind(slot_object(0x7fffffff, 0)), SLOT_OBJECT);
	CHECK_EQ(slot_kind(slot_room(0, UINT64_MAX)), SLOT_ROOM);
	CHECK_EQ(slot_kind(slot_room(slot_same(0), 0)), SLOT_ROOM_ZEROS);
	CHECK(slot_is_room_of(slot_room(0, 77), 77));
	CHECK(!slot_is_room_of(slot_room(0, 77), 78));
	CHECK(!slot_is_room_of(slot_object(77, 0), 77));
	CHECK_EQ(slot_handle(slot_object(0x7fffffff, 0)), 0x7fffffff);
}

/* Neither an object's slot nor anything near it can be a word of content. */
static void test_words(void)
{
	CHECK(slot_can_hold(0));
	CHECK(slot_can_hold(3));
	CHECK(slot_can_hold(UINT64_MAX));
	CHECK(slot_can_hold(slot_object(5, 0) ^ UINT64_C(3) << 62));
	CHECK(!slot_can_hold(slot_object(5, 0)));
	CHECK(!slot_can_hold(slot_same(0)));
	for (unsigned k = 0; k < 64; k++)
		CHECK(!slot_can_hold(UINT64_C(1) << k));
	for (unsigned k = 48; k < 64; k++)
		CHECK(!slot_can_hold(slot_object(5, 0) ^ UINT64_C(1) << k));
	CHECK_EQ(slot_kind(slot_same(0) | 1), SLOT_UNKNOWN);
	CHECK_EQ(slot_kind(slot_object(1, 0) | UINT64_C(1) << 31),
		 SLOT_UNKNOWN);
}

/* ---- reading ---- */

#define NR (8 * CLUSTER_BLOCKS)

static struct zsfs *fs;
static struct zsfs_thread *th;
static uint64_t file;
static uint8_t want[NR * ZSFS_BLOCK_SIZE];

static int read_slot(uint64_t slot, void *dst)
{
	struct slot_of of = {inode_resolve(fs, file), 0, slot};

	return slot_read(fs, th->at, th->zc, of, dst);
}

static void begin(void)
{
	fs = fixture_fs();
	fs->verify_tx = NULL; /* damage is no fault of requests */
	th = &fs->threads[0];
	file = fixture_file(th, "f");
}

/* What nobody can have written is not taken for zeros. */
static void test_reading(void)
{
	uint8_t block[ZSFS_BLOCK_SIZE];

	begin();
	CHECK_EQ(read_slot(0, block), 0);
	CHECK_EQ(block[100], 0);
	CHECK_EQ(read_slot(slot_same(0x0101010101010101), block), 0);
	CHECK_EQ(block[4095], 1);
	CHECK_EQ(read_slot(slot_same(0), block), 0);
	CHECK_EQ(block[4095], 0);
	CHECK_EQ(read_slot(slot_same(0) | 1, block), -EIO);
	CHECK_EQ(read_slot(slot_object(99, 0), block), -EIO);
	zsfs_close(fs);
}

/* Blocks that are no other's, of words with @mask. */
static void put_blocks(uint64_t nodeid, uint64_t seed, uint64_t mask)
{
	size_t done;

	for (size_t k = 0; k < sizeof(want); k += 8) {
		seed = seed * UINT64_C(6364136223846793005) + 1;
		memcpy(want + k, &(uint64_t){(seed >> 20) & mask}, 8);
	}
	CHECK_EQ(fixture_write(th, nodeid, want, sizeof(want), 0, &done), 0);
	CHECK_EQ(done, sizeof(want));
}

/* With one flipped bit a block is what it was, or is not read; how often not */
static unsigned flip_bits(struct slot_of of, const uint8_t *content)
{
	uint64_t slot = of.slot;
	uint8_t block[ZSFS_BLOCK_SIZE];
	unsigned refused = 0;

	CHECK_EQ(slot_read(fs, th->at, th->zc, of, block), 0);
	CHECK(!memcmp(block, content, sizeof(block)));
	for (unsigned k = 0; k < 64; k++) {
		int err;

		of.slot = slot ^ UINT64_C(1) << k;
		err = slot_read(fs, th->at, th->zc, of, block);
		CHECK(err == -EIO ||
		      (!err && !memcmp(block, content, sizeof(block))));
		refused += err != 0;
	}
	return refused;
}

static void flip_bits_of_file(unsigned least)
{
	struct zinode *i = inode_resolve(fs, file);

	for (unsigned k = 0; k < NR; k++)
		CHECK(flip_bits((struct slot_of){i, k,
						 table_get(&i->file.blocks, k)},
				want + (size_t)k * ZSFS_BLOCK_SIZE) >= least);
}

static void test_one_bit_of_an_object(void)
{
	static const uint64_t masks[] = {0x3ff, UINT64_MAX};

	for (unsigned k = 0; k < 2; k++) {
		begin();
		put_blocks(fixture_file(th, "g"), 1, masks[k]);
		put_blocks(file, 2, masks[k]);
		/* All but the stamp, and whether it is tried or hot. */
		flip_bits_of_file(64 - 12);
		zsfs_close(fs);
	}
}

static void test_one_bit_of_a_cluster(void)
{
	/* Descriptors of 64 bytes: a bit leads from one to another. */
	begin();
	put_blocks(fixture_file(th, "g"), 1, UINT64_C(0xffffffffff));
	put_blocks(file, 2, UINT64_C(0xffffffffff));
	CHECK_EQ(zsfs_settle(th), 0);
	CHECK_EQ(zsfs_stat_sum(fs, ST_DENSE), 2 * NR);
	flip_bits_of_file(64);
	zsfs_close(fs);
}

static void test_one_bit_of_zeros(void)
{
	static const uint8_t zeros[ZSFS_BLOCK_SIZE];
	struct slot_of of;

	begin();
	put_blocks(fixture_file(th, "g"), 1, 0x3ff);
	of = (struct slot_of){inode_resolve(fs, file), 3, 0};
	CHECK_EQ(flip_bits(of, zeros), 64);
	of.slot = slot_same(0);
	CHECK_EQ(flip_bits(of, zeros), 64);
	of.slot = slot_room(0, 77);
	CHECK_EQ(flip_bits(of, zeros), 20);
	of.slot = slot_room(slot_same(0), 77);
	CHECK_EQ(flip_bits(of, zeros), 20);
	zsfs_close(fs);
}

/* ---- changing what is damaged ---- */

#define SIZE (NR * ZSFS_BLOCK_SIZE)

static uint64_t other;

static uint64_t *slot_at(uint64_t nodeid, uint64_t block)
{
	struct table_cursor c =
		table_cursor(&inode_resolve(fs, nodeid)->file.blocks);

	return table_at(&c, block);
}

/* Two files, in clusters; the content of both is want[]. */
static void begin_dense(void)
{
	begin();
	other = fixture_file(th, "g");
	put_blocks(other, 1, 0xffffff);
	put_blocks(file, 1, 0xffffff);
	CHECK_EQ(zsfs_settle(th), 0);
	CHECK_EQ(zsfs_stat_sum(fs, ST_DENSE), 2 * NR);
}

/* One bit of each slot: all bits but those of the magic. */
static void damage(unsigned n)
{
	for (unsigned k = 0; k < n; k++)
		*slot_at(file, k) ^= UINT64_C(1) << k % 48;
}

/* @bad: blocks of its beginning that are EIO. */
static void check_content(uint64_t nodeid, unsigned bad)
{
	static uint8_t got[SIZE];

	for (unsigned k = 0; k < NR; k++) {
		struct tx *tx = tx_begin(th);
		size_t done, at = (size_t)k * ZSFS_BLOCK_SIZE;
		int err = zsfs_read(tx, nodeid, got + at, ZSFS_BLOCK_SIZE, at,
				    &done);

		CHECK_EQ(fixture_end(tx, err), k < bad ? -EIO : 0);
		CHECK(err || !memcmp(got + at, want + at, ZSFS_BLOCK_SIZE));
	}
}

static void check_memory(void)
{
	char msg[256] = "";

	CHECK_EQ(arena_verify(fs->arena, msg, sizeof(msg)), 0);
	CHECK_EQ(zs_pool_verify(fs->pool, msg, sizeof(msg)), 0);
}

static void set_size(uint64_t size)
{
	struct stat st = {.st_size = (off_t)size};
	struct tx *tx = tx_begin(th);
	struct zinode *i;

	CHECK_EQ(fixture_end(tx, zsfs_setattr(tx, file, &st, SET_SIZE, &i)), 0);
	reap_all(th);
}

/* What a damaged slot names is left alone: nothing else is changed by it. */
static void test_overwriting_damaged_slots(void)
{
	size_t done;

	begin_dense();
	damage(48);
	check_content(file, 48);
	for (unsigned round = 0; round < 2; round++) {
		CHECK_EQ(fixture_write(th, file, want, 48 * ZSFS_BLOCK_SIZE, 0,
				       &done),
			 0);
		tidy_clusters(th);
		check_content(file, 0);
		check_content(other, 0);
	}
	check_memory();
	zsfs_close(fs);
}

static void test_cutting_damaged_slots(void)
{
	begin_dense();
	damage(NR);
	set_size(SIZE / 2);
	set_size(0);
	check_content(other, 0);
	check_memory();
	zsfs_close(fs);
}

static void write_one(uint64_t block)
{
	uint64_t off = block * ZSFS_BLOCK_SIZE;
	size_t done;

	CHECK_EQ(fixture_write(th, file, want + off, ZSFS_BLOCK_SIZE, off,
			       &done),
		 0);
	tidy_clusters(th);
}

/* Groups that have damaged slots stay as they are. */
static void test_moving_damaged_slots(void)
{
	struct usage u = {0};
	struct group g;

	begin_dense();
	damage(48);
	for (unsigned k = 0; k < 48; k += CLUSTER_BLOCKS) {
		warm_ask(th, file, k);
		CHECK(warm_step(th));
		write_one(k + CLUSTER_BLOCKS - 1);
	}
	CHECK_EQ(zsfs_settle(th), 0);
	g = (struct group){.inode = inode_resolve(fs, file)};
	CHECK(!usage_add_groups(fs, &u, &g));
	CHECK_EQ(u.blocks[FORM_LZ4], 3);
	check_content(other, 0);
	check_memory();
	zsfs_close(fs);
}

/* A slot that leads to another block's cluster, whose place is the same. */
static void test_clusters_of_others(void)
{
	uint64_t slot, old;
	char msg[256] = "";
	size_t done;

	begin_dense();
	for (unsigned k = 0; k < CLUSTER_BLOCKS; k++) {
		slot = *slot_at(other, k);
		*slot_at(file, k) = slot;
	}
	old = *slot_at(file, CLUSTER_BLOCKS);
	*slot_at(file, CLUSTER_BLOCKS) = *slot_at(file, 2 * CLUSTER_BLOCKS);
	CHECK_EQ(zsfs_verify(fs, msg, sizeof(msg)), -EUCLEAN);
	CHECK(strstr(msg, "another group's"));
	CHECK_EQ(fixture_write(th, file, want, 17 * ZSFS_BLOCK_SIZE, 0, &done),
		 0);
	CHECK(slot_cluster(old)->live & 1);
	check_content(other, 0);
	check_content(file, 0);
	check_memory();
	zsfs_close(fs);
}

/* An object that is no block is not freed, and neither is one that is none. */
static void test_objects_of_others(void)
{
	const struct cluster *cl;
	size_t done;

	begin();
	other = fixture_file(th, "g");
	put_blocks(other, 1, 0xffffff);
	CHECK_EQ(zsfs_settle(th), 0);
	put_blocks(file, 1, 0xffffff);
	cl = slot_cluster(*slot_at(other, 0));
	*slot_at(file, 0) = slot_object(cl->piece[0], 0);
	*slot_at(file, 1) = slot_object(SLOT_HANDLE_MASK, 0);
	check_content(file, 2);
	CHECK_EQ(fixture_write(th, file, want, 2 * ZSFS_BLOCK_SIZE, 0, &done),
		 0);
	check_content(file, 0);
	check_content(other, 0);
	check_memory();
	zsfs_close(fs);
}

/* A slot that is none takes nothing along, and no count of words. */
static void test_freeing_no_slot(void)
{
	int64_t same;

	begin();
	put_blocks(file, 1, 0xffffff);
	same = zsfs_stat_sum(fs, ST_SAME);
	*slot_at(file, 3) = SLOT_TAGGED(0xb);
	*slot_at(file, 4) = 1;
	set_size(0);
	CHECK_EQ(zsfs_stat_sum(fs, ST_SAME), same);
	check_memory();
	zsfs_close(fs);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		CHECK_CASE(test_kinds),
		CHECK_CASE(test_words),
		CHECK_CASE(test_reading),
		CHECK_CASE(test_one_bit_of_an_object),
		CHECK_CASE(test_one_bit_of_a_cluster),
		CHECK_CASE(test_one_bit_of_zeros),
		CHECK_CASE(test_overwriting_damaged_slots),
		CHECK_CASE(test_cutting_damaged_slots),
		CHECK_CASE(test_moving_damaged_slots),
		CHECK_CASE(test_clusters_of_others),
		CHECK_CASE(test_objects_of_others),
		CHECK_CASE(test_freeing_no_slot),
	};

	return CHECK_MAIN(cases, argc, argv);
}
