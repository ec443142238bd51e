/* SPDX-License-Identifier: BSD-3-Clause */
/* What differs where the kernel caches writes: who keeps the times. */
#include "check.h"
#include "content/file.h"
#include "fs_fixture.h"
#include "serve/ops.h"
#include "tree/attr.h"

static struct zsfs *fs;
static uint64_t id;

static void begin(bool writeback)
{
	fs = fixture_fs();
	fs->super->writeback = writeback;
	id = fixture_file(&fs->threads[0], "f");
}

static struct stat stat_now(void)
{
	struct stat st;

	inode_stat(inode_resolve(fs, id), &st);
	return st;
}

static bool same(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static void write_byte(unsigned flags)
{
	struct tx *tx = tx_begin(&fs->threads[0]);
	size_t done;

	CHECK_EQ(zsfs_write(tx, id, "a", 1, 0, flags, &done), 0);
	tx_commit(tx);
}

static void set(struct stat *st, unsigned what)
{
	struct tx *tx = tx_begin(&fs->threads[0]);
	struct zinode *i;

	CHECK_EQ(zsfs_setattr(tx, id, st, what, &i), 0);
	tx_commit(tx);
}

/* To times that no clock has. */
static void age(void)
{
	struct stat st = {.st_mtim.tv_sec = 7, .st_ctim.tv_sec = 8};

	set(&st, SET_MTIME | SET_CTIME);
	st = stat_now();
	CHECK_EQ(st.st_mtim.tv_sec, 7);
	CHECK_EQ(st.st_ctim.tv_sec, 8);
}

static void test_a_cached_write_keeps_times(void)
{
	struct stat was, is;

	begin(true);
	age();
	was = stat_now();
	write_byte(WRITE_CACHE | WRITE_KEEP_TIMES);
	is = stat_now();
	CHECK(same(&was.st_mtim, &is.st_mtim));
	CHECK(same(&was.st_ctim, &is.st_ctim));
	CHECK_EQ(is.st_size, 1);
	write_byte(WRITE_CACHE);
	CHECK(stat_now().st_mtim.tv_sec > 8);
	zsfs_close(fs);
}

/* A new size is no news to the kernel, which says the times with it. */
static void test_cutting_keeps_mtime(void)
{
	struct stat st = {.st_size = 5};

	for (int writeback = 0; writeback < 2; writeback++) {
		begin(writeback);
		age();
		set(&st, SET_SIZE | SET_CTIME);
		CHECK_EQ(stat_now().st_mtim.tv_sec == 7, writeback);
		CHECK_EQ(stat_now().st_ctim.tv_sec, 0);
		set(&st, SET_SIZE);
		CHECK(stat_now().st_ctim.tv_sec > 8);
		zsfs_close(fs);
	}
}

/* What is stored nowhere yet may be in the kernel. */
static void test_how_long_attributes_last(void)
{
	const struct zinode *i;
	struct stat st = {.st_size = 1 << 20};

	begin(false);
	i = inode_resolve(fs, id);
	CHECK(attr_timeout(fs, i) == CACHE_FOREVER);
	fs->super->writeback = true;
	CHECK(attr_timeout(fs, i) == SHORTEST_CACHE);
	set(&st, SET_SIZE);
	CHECK(attr_timeout(fs, i) == 0);
	write_byte(WRITE_CACHE | WRITE_KEEP_TIMES);
	CHECK(attr_timeout(fs, i) == CACHE_FOREVER);
	zsfs_close(fs);
}

static void test_told_once_a_second(void)
{
	begin(true);
	CHECK(!late_is_recent(fs, id));
	CHECK(late_stored(fs, id));
	CHECK(late_is_recent(fs, id));
	CHECK(!late_stored(fs, id));
	write_byte(WRITE_CACHE | WRITE_KEEP_TIMES);
	CHECK(attr_timeout(fs, inode_resolve(fs, id)) == 1);
	/* Another one in its place: then it is told again. */
	CHECK(late_stored(fs, id + 8 * 64));
	CHECK(!late_is_recent(fs, id));
	CHECK(late_stored(fs, id));
	fs->super->writeback = false;
	CHECK(!late_stored(fs, id + 8));
	CHECK(!late_is_recent(fs, id));
	zsfs_close(fs);
}

static void test_a_failure_is_told_once(void)
{
	begin(true);
	CHECK(!late_take_failure(fs, id));
	CHECK(late_failed(fs, id));
	CHECK(!late_stored(fs, id));
	CHECK(late_take_failure(fs, id));
	CHECK(!late_take_failure(fs, id));
	fs->super->writeback = false;
	CHECK(!late_failed(fs, id));
	zsfs_close(fs);
}

static const struct check_case cases[] = {
	CHECK_CASE(test_a_cached_write_keeps_times),
	CHECK_CASE(test_cutting_keeps_mtime),
	CHECK_CASE(test_how_long_attributes_last),
	CHECK_CASE(test_told_once_a_second),
	CHECK_CASE(test_a_failure_is_told_once),
};

int main(int argc, char **argv)
{
	return CHECK_MAIN(cases, argc, argv);
}
