/* SPDX-License-Identifier: BSD-3-Clause */
/* Cutting files whose blocks lie so far apart that nodes outnumber blocks. */
#include "check.h"
#include "fs_fixture.h"
#include "tree/reap.h"
#include "state/zsfs.h"
#include "state/inode.h"
#include "state/tx.h"
#include "tree/namei.h"
#include "tree/attr.h"
#include "content/block_table.h"
#include "content/file.h"
#include "volume/volume.h"
#include "volume/verify_fs.h"

#define NR_FAR 128u

static struct zsfs *fs;

static void verify(void)
{
	char msg[512];

	if (zsfs_verify(fs, msg, sizeof(msg)))
		CHECK_FAILED("%s", msg);
}

static uint64_t make_far_file(const char *name)
{
	struct zsfs_thread *th = &fs->threads[0];
	uint64_t id = fixture_file(th, name);
	size_t done;

	for (uint64_t k = 0; k < NR_FAR; k++) {
		struct tx *tx = tx_begin(th);

		CHECK_EQ(zsfs_write(tx, id, "abc", 3, k << 48, 0, &done), 0);
		tx_commit(tx);
	}
	return id;
}

static uint64_t cut(uint64_t id, uint64_t size)
{
	struct zsfs_thread *th = &fs->threads[0];
	struct stat st = {.st_size = (off_t)size};
	struct tx *tx = tx_begin(th);
	struct zinode *i;
	uint64_t blocks;

	CHECK_EQ(zsfs_setattr(tx, id, &st, SET_SIZE, &i), 0);
	blocks = i->blocks;
	tx_commit(tx);
	reap_all(th);
	verify();
	return blocks;
}

static void test_cut_far_blocks(void)
{
	static const struct {
		uint64_t size, blocks;
	} cases[] = {
		{0, 0},
		{1, 1},
		{(UINT64_C(2) << 48) + 5, 3},
		{UINT64_C(127) << 48, 127},
	};

	for (unsigned c = 0; c < sizeof(cases) / sizeof(*cases); c++) {
		struct zsfs_thread *th;
		uint8_t buf[3] = {1, 1, 1};
		struct tx *tx;
		uint64_t id;
		size_t done;

		fs = fixture_fs();
		th = &fs->threads[0];
		id = make_far_file("f");
		CHECK_EQ(cut(id, cases[c].size), cases[c].blocks);
		CHECK_EQ(fs->used_blocks, (int64_t)cases[c].blocks);
		/* Grown again, what was cut off reads as zeros. */
		CHECK_EQ(cut(id, UINT64_C(1) << 56), cases[c].blocks);
		tx = tx_begin(th);
		CHECK_EQ(zsfs_read(tx, id, buf, 3, UINT64_C(127) << 48, &done),
			 0);
		tx_commit(tx);
		CHECK(done == 3 && !buf[0] && !buf[1] && !buf[2]);
		CHECK_EQ(cut(id, 0), 0);
		zsfs_close(fs);
	}
}

/*
 * A hole that damage has made a block of counts as no block: no more is taken
 * off than there was.
 */
static void test_cut_one_more(void)
{
	static uint8_t data[150 * 4096];
	struct stat st = {0};
	struct table_cursor c;
	struct zsfs_thread *th;
	struct zinode *i;
	struct tx *tx;
	uint64_t id;
	size_t done;

	fs = fixture_fs();
	fs->verify_tx = NULL; /* damage is no fault of requests */
	th = &fs->threads[0];
	id = fixture_file(th, "f");
	i = inode_resolve(fs, id);
	for (size_t k = 0; k < sizeof(data); k++)
		data[k] = (uint8_t)(k % 251);
	for (unsigned k = 0; k < 2; k++)
		CHECK_EQ(fixture_write(th, id, data, sizeof(data),
				       4096 + k * sizeof(data), &done),
			 0);
	CHECK_EQ(table_get(&i->file.blocks, 0), 0);
	c = table_cursor(&i->file.blocks);
	*table_at(&c, 0) = 1;
	tx = tx_begin(th);
	CHECK_EQ(fixture_end(tx, zsfs_setattr(tx, id, &st, SET_SIZE, &i)), 0);
	CHECK_EQ(i->file.stored, 0);
	CHECK_EQ(i->blocks, 0);
	reap_all(th);
	zsfs_close(fs);
}

static const struct check_case cases[] = {
	CHECK_CASE(test_cut_far_blocks),
	CHECK_CASE(test_cut_one_more),
};

int main(int argc, char **argv)
{
	return CHECK_MAIN(cases, argc, argv);
}
