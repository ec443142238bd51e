/* SPDX-License-Identifier: BSD-3-Clause */
/* fallocate(2) in several steps: what is between them, and their failures. */
#include "check.h"
#include "fs_fixture.h"
#include "tree/reap.h"
#include "state/zsfs.h"
#include "state/inode.h"
#include "state/tx.h"
#include "state/threads.h"
#include "state/settings.h"
#include "state/mem_limit.h"
#include "zsmalloc.h"
#include "tree/namei.h"
#include "tree/attr.h"
#include "content/file.h"
#include "serve/allocate.h"
#include "volume/volume.h"
#include "volume/verify_fs.h"

#include <errno.h>
#include <string.h>

#define MIB(n) ((uint64_t)(n) << 20)
#define SIZE   MIB(16) /* size limit */

static struct zsfs *fs;
static struct zsfs_thread *th;
static uint64_t file;
static uint8_t data[ZSFS_MAX_WRITE];

static void start(void)
{
	struct zsfs_params p = {
		.nr_threads = 1,
		.size_limit = SIZE,
		.mode = 0755,
		.comp = {ZCOMP_LZ4, 1},
		.chain_size = ZS_DEFAULT_CHAIN_SIZE,
		.no_huge = true,
	};

	REQUIRE(!zsfs_create(&p, &fs));
	th = &fs->threads[0];
	file = fixture_file(th, "file");
}

static void verify(void)
{
	char msg[512];

	if (zsfs_verify(fs, msg, sizeof(msg)))
		CHECK_FAILED("%s", msg);
}

static void end(void)
{
	reap_all(th);
	verify();
	zsfs_close(fs);
}

static void put(uint64_t nodeid, uint64_t off, uint64_t size)
{
	for (uint64_t at = 0; at < size; at += sizeof(data)) {
		size_t n = size - at < sizeof(data) ? size - at : sizeof(data);
		struct tx *tx = tx_begin(th);
		size_t done;

		memset(data, 'x', sizeof(data));
		CHECK_EQ(zsfs_write(tx, nodeid, data, n, off + at, 0, &done),
			 0);
		CHECK_EQ(done, n);
		tx_commit(tx);
	}
}

static void cut(uint64_t nodeid, uint64_t size)
{
	struct stat st = {.st_size = (off_t)size};
	struct tx *tx = tx_begin(th);
	struct zinode *i;

	CHECK_EQ(zsfs_setattr(tx, nodeid, &st, SET_SIZE, &i), 0);
	tx_commit(tx);
	reap_all(th);
}

/* The file has @size bytes and holds @mib MiB. */
static void is(uint64_t size, unsigned mib)
{
	struct zinode *i = inode_resolve(fs, file);

	CHECK_EQ(i->size, size);
	CHECK_EQ(i->blocks, MIB(mib) / ZSFS_BLOCK_SIZE);
	verify();
}

static int begin(struct allocation *a, uint64_t from, uint64_t to)
{
	int err;

	*a = (struct allocation){.nodeid = file, .start = from, .end = to};
	zsfs_enter(th);
	err = zsfs_allocate_begin(th, a);
	zsfs_leave(th);
	return err;
}

static int go_on(struct allocation *a, unsigned steps)
{
	struct tx *last;
	int err;

	zsfs_enter(th);
	err = zsfs_allocate_steps(th, a, steps, &last);
	if (!err)
		tx_commit(last);
	zsfs_leave(th);
	return err;
}

static void test_size_grows_last(void)
{
	struct allocation a;

	start();
	put(file, 0, MIB(1));
	CHECK_EQ(begin(&a, MIB(1), MIB(4)), 0);
	CHECK_EQ(go_on(&a, 2), 1);
	is(MIB(1), 3);
	CHECK_EQ(go_on(&a, 8), 0);
	is(MIB(4), 4);
	end();
}

/* As after the death of a worker: all is asked again, from the beginning. */
static void test_again(void)
{
	struct allocation a;

	start();
	put(file, 0, MIB(1));
	CHECK_EQ(begin(&a, 0, SIZE), 0);
	CHECK_EQ(go_on(&a, 5), 1);
	CHECK_EQ(begin(&a, 0, SIZE), 0);
	CHECK_EQ(go_on(&a, UINT32_MAX), 0);
	is(SIZE, 16);
	end();
}

static void test_again_without_room(void)
{
	struct allocation a;

	start();
	put(file, 0, MIB(1));
	CHECK_EQ(begin(&a, MIB(1), SIZE), 0);
	CHECK_EQ(go_on(&a, 5), 1);
	put(fixture_file(th, "other"), 0, MIB(8));
	CHECK_EQ(begin(&a, MIB(1), SIZE), -ENOSPC);
	reap_all(th);
	is(MIB(1), 1);
	end();
}

static void test_fails_on_the_way(void)
{
	struct allocation a;

	start();
	put(file, 0, MIB(1));
	CHECK_EQ(begin(&a, MIB(1), SIZE), 0);
	CHECK_EQ(go_on(&a, 5), 1);
	put(fixture_file(th, "other"), 0, MIB(8));
	CHECK_EQ(go_on(&a, UINT32_MAX), -ENOSPC);
	reap_all(th);
	is(MIB(1), 1);
	end();
}

/* What somebody else has written meanwhile stays. */
static void test_extended_meanwhile(void)
{
	struct allocation a;
	struct tx *tx;
	size_t done;

	start();
	CHECK_EQ(begin(&a, 0, SIZE), 0);
	CHECK_EQ(go_on(&a, 5), 1);
	put(file, MIB(2), MIB(1));
	put(fixture_file(th, "other"), 0, MIB(10));
	CHECK_EQ(go_on(&a, UINT32_MAX), -ENOSPC);
	reap_all(th);
	is(MIB(3), 3);
	tx = tx_begin(th);
	memset(data, 0, sizeof(data));
	CHECK_EQ(zsfs_read(tx, file, data, sizeof(data), MIB(2), &done), 0);
	CHECK_EQ(done, sizeof(data));
	CHECK(data[0] == 'x' && data[sizeof(data) - 1] == 'x');
	tx_commit(tx);
	end();
}

/* A cut between the steps takes what was reserved: it is reserved again. */
static void test_cut_meanwhile(void)
{
	struct allocation a;

	start();
	put(file, 0, MIB(2));
	CHECK_EQ(begin(&a, 0, MIB(8)), 0);
	CHECK_EQ(go_on(&a, 5), 1);
	cut(file, MIB(1));
	is(MIB(1), 1);
	CHECK_EQ(go_on(&a, UINT32_MAX), 0);
	is(MIB(8), 8);
	end();
}

/* What nobody goes on with is no data, and goes with the next cut. */
static void test_left_behind(void)
{
	struct allocation a;
	struct seek s;

	start();
	put(file, 0, MIB(1));
	CHECK_EQ(begin(&a, 0, SIZE), 0);
	CHECK_EQ(go_on(&a, 5), 1);
	is(MIB(1), 5);
	CHECK_EQ(zsfs_seek(fs, file, 0, true, &s), 0);
	CHECK_EQ(s.at, MIB(1));
	CHECK_EQ(zsfs_seek(fs, file, MIB(1), false, &s), -ENXIO);
	cut(file, MIB(1));
	is(MIB(1), 1);
	end();
}

/* What is deleted, but not yet freed, is room for it. */
static void test_deleted_is_room(void)
{
	struct allocation a;
	uint64_t big;
	struct tx *tx;

	start();
	CHECK_EQ(zsfs_set_size(fs, 0), 0);
	CHECK_EQ(zsfs_set_mem_limit(fs, MIB(48)), 0);
	big = fixture_file(th, "big");
	a = (struct allocation){.nodeid = big, .end = MIB(24)};
	CHECK_EQ(go_on(&a, UINT32_MAX), 0);
	CHECK_EQ(begin(&a, 0, MIB(24)), -ENOSPC);
	tx = tx_begin(th);
	CHECK_EQ(zsfs_unlink(tx, ROOT_NODEID, "big"), 0);
	tx_commit(tx);
	zsfs_forget(th, big, 1, NULL);
	reap_hand_over(th);
	CHECK_EQ(begin(&a, 0, MIB(24)), 0);
	CHECK_EQ(go_on(&a, UINT32_MAX), 0);
	is(MIB(24), 24);
	end();
}

/* ---- holes ---- */

static int punch(uint64_t from, uint64_t to, unsigned steps)
{
	struct allocation a = {
		.nodeid = file, .start = from, .end = to, .punch = true};

	return go_on(&a, steps);
}

/* @n bytes at @off are all @c. */
static void has(uint64_t off, size_t n, char c)
{
	struct tx *tx = tx_begin(th);
	size_t done;

	memset(data, '?', sizeof(data));
	CHECK_EQ(zsfs_read(tx, file, data, n, off, &done), 0);
	CHECK_EQ(done, n);
	tx_commit(tx);
	while (n && data[n - 1] == c)
		n--;
	CHECK_EQ(n, 0);
}

/* Each step leaves all in order; those done are found done by who starts anew.
 */
static void test_punch_in_steps(void)
{
	struct zinode *i;

	start();
	put(file, 0, MIB(4));
	i = inode_resolve(fs, file);
	i->sec[INODE_MTIME] = 1;
	CHECK_EQ(punch(1, MIB(3) + 1, 1), 1);
	CHECK_EQ(i->sec[INODE_MTIME], 1);
	verify();
	CHECK_EQ(punch(1, MIB(3) + 1, UINT32_MAX), 0);
	CHECK(i->sec[INODE_MTIME] != 1);
	CHECK_EQ(i->blocks, 256 + 1);
	CHECK_EQ(i->size, MIB(4));
	has(0, 1, 'x');
	has(1, MIB(1), 0);
	has(MIB(2) + 1, MIB(1), 0);
	has(MIB(3) + 1, 5000, 'x');
	end();
}

static void test_punch_far(void)
{
	start();
	put(file, MIB(1), 100);
	CHECK_EQ(punch(MIB(1) + 4096, INT64_MAX, 1), 0);
	CHECK_EQ(inode_resolve(fs, file)->blocks, 1);
	CHECK_EQ(punch(MIB(1) + 50, INT64_MAX, 1), 0);
	has(MIB(1), 50, 'x');
	has(MIB(1) + 50, 50, 0);
	CHECK_EQ(punch(0, INT64_MAX, 1), 0);
	is(MIB(1) + 100, 0);
	end();
}

/* Where blocks lie far apart each takes nodes of several levels along. */
static void test_punch_sparse(void)
{
	start();
	CHECK_EQ(zsfs_set_size(fs, 0), 0);
	for (unsigned k = 0; k < 200; k++)
		put(file, (uint64_t)k << 30, 1);
	CHECK_EQ(punch(0, INT64_MAX, UINT32_MAX), 0);
	CHECK_EQ(inode_resolve(fs, file)->blocks, 0);
	CHECK_EQ(inode_resolve(fs, file)->file.blocks.root, 0);
	end();
}

static const struct check_case cases[] = {
	CHECK_CASE(test_size_grows_last),    CHECK_CASE(test_again),
	CHECK_CASE(test_again_without_room), CHECK_CASE(test_fails_on_the_way),
	CHECK_CASE(test_extended_meanwhile), CHECK_CASE(test_cut_meanwhile),
	CHECK_CASE(test_left_behind),	     CHECK_CASE(test_deleted_is_room),
	CHECK_CASE(test_punch_in_steps),     CHECK_CASE(test_punch_far),
	CHECK_CASE(test_punch_sparse),
};

int main(int argc, char **argv)
{
	return CHECK_MAIN(cases, argc, argv);
}
