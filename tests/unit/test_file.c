/* SPDX-License-Identifier: BSD-3-Clause */
/* Writes that end early: what was written is there, and only that counts. */
#include "check.h"

#include <errno.h>

#include "content/file.h"
#include "fs_fixture.h"
#include "state/counters.h"
#include "state/settings.h"
#include "volume/verify_fs.h"

#define NR_BLOCKS 80u /* more than a leaf */
#define SIZE	  ((size_t)NR_BLOCKS * ZSFS_BLOCK_SIZE)

static struct zsfs *fs;
static struct zsfs_thread *th;
static struct zinode *file;
static uint8_t data[SIZE];

/* Blocks of three kinds: repeated words, what compresses, what does not. */
static void fill(unsigned seed)
{
	srand(seed);
	for (unsigned k = 0; k < NR_BLOCKS; k++) {
		uint8_t *block = data + (size_t)k * ZSFS_BLOCK_SIZE;
		size_t noise = (k + seed) % 3 * (ZSFS_BLOCK_SIZE / 2);

		memset(block, (int)(k + seed), ZSFS_BLOCK_SIZE);
		for (size_t i = 0; i < noise; i++)
			block[i] = (uint8_t)rand();
	}
}

static void start(void)
{
	fs = fixture_fs();
	th = &fs->threads[0];
	file = inode_resolve(fs, fixture_file(th, "file"));
	REQUIRE(file);
	fill(1);
}

static int put(size_t off, size_t size, size_t *done)
{
	struct tx *tx = tx_begin(th);
	int err = zsfs_write(tx, inode_nodeid(fs, file), data + off, size, off,
			     0, done);

	return fixture_end(tx, err);
}

/* The file has @size bytes of the data, and everything agrees with that. */
static void check_file(size_t size)
{
	static uint8_t got[SIZE];
	struct tx *tx = tx_begin(th);
	char msg[512] = "";
	size_t done;

	CHECK_EQ(file->size, size);
	CHECK_EQ(zsfs_read(tx, inode_nodeid(fs, file), got, SIZE, 0, &done), 0);
	tx_commit(tx);
	CHECK_EQ(done, size);
	CHECK(!memcmp(got, data, size));
	CHECK_EQ(fs->used_blocks, zsfs_stat_sum(fs, ST_BLOCKS));
	CHECK_EQ(file->blocks, zsfs_stat_sum(fs, ST_BLOCKS));
	if (zsfs_verify(fs, msg, sizeof(msg)))
		CHECK_FAILED("%s", msg);
}

/* Where the limit of content ends it, in each block of a row. */
static void test_limit(void)
{
	for (unsigned n = 1; n < NR_BLOCKS; n++) {
		size_t done;

		start();
		CHECK_EQ(zsfs_set_size(fs, (uint64_t)n * ZSFS_BLOCK_SIZE), 0);
		CHECK_EQ(put(0, SIZE, &done), 0);
		CHECK_EQ(done, n * ZSFS_BLOCK_SIZE);
		CHECK_EQ(zsfs_stat_sum(fs, ST_WRITTEN_BLOCKS), n);
		check_file(done);
		CHECK_EQ(put(done, ZSFS_BLOCK_SIZE, &done), -ENOSPC);
		CHECK_EQ(done, 0);
		check_file(n * ZSFS_BLOCK_SIZE);
		zsfs_close(fs);
	}
}

/* Parts of blocks count as the blocks that they are in. */
static void test_parts(void)
{
	size_t done;

	start();
	CHECK_EQ(put(0, 100, &done), 0);
	CHECK_EQ(zsfs_stat_sum(fs, ST_WRITTEN_BLOCKS), 1);
	CHECK_EQ(put(100, 2 * ZSFS_BLOCK_SIZE, &done), 0);
	CHECK_EQ(zsfs_stat_sum(fs, ST_WRITTEN_BLOCKS), 4);
	CHECK_EQ(zsfs_set_size(fs, 3 * ZSFS_BLOCK_SIZE), 0);
	CHECK_EQ(put(ZSFS_BLOCK_SIZE + 1, 3 * ZSFS_BLOCK_SIZE, &done), 0);
	CHECK_EQ(done, 2 * ZSFS_BLOCK_SIZE - 1);
	CHECK_EQ(zsfs_stat_sum(fs, ST_WRITTEN_BLOCKS), 6);
	check_file(3 * ZSFS_BLOCK_SIZE);
	zsfs_close(fs);
}

#if ZS_DEBUG_LEVEL >= 1

/* Where memory ends it, new blocks and others; then it goes on. */
static void test_no_memory(void)
{
	static uint8_t old[SIZE];

	for (unsigned n = 1;; n++) {
		bool failed;
		size_t done;
		int err;

		start();
		CHECK_EQ(put(0, SIZE / 2, &done), 0);
		memcpy(old, data, sizeof(old));
		fill(2);
		fixture_fail_at(n);
		err = put(0, SIZE, &done);
		failed = fixture_has_failed();
		fixture_fail_at(0);
		CHECK(err == 0 || (err == -ENOSPC && done == 0));
		CHECK(failed || done == SIZE);
		if (done < SIZE / 2)
			memcpy(data + done, old + done, SIZE / 2 - done);
		check_file(done < SIZE / 2 ? SIZE / 2 : done);
		zsfs_close(fs);
		if (!failed)
			return;
	}
}

#endif

static const struct check_case cases[] = {
	CHECK_CASE(test_limit),
	CHECK_CASE(test_parts),
#if ZS_DEBUG_LEVEL >= 1
	CHECK_CASE(test_no_memory),
#endif
};

int main(int argc, char **argv)
{
	return CHECK_MAIN(cases, argc, argv);
}
