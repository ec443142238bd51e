/* SPDX-License-Identifier: BSD-3-Clause */
/* fallocate(2) in several steps: what is between them, and their failures. */
#include "check.h"
#include "fs_fixture.h"
#include "tree/reap.h"
#include "state/zsfs.h"
#include "state/inode.h"
#include "state/counters.h"
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
/* What one step gives room to, where there is nothing. */
#define STEP(n) MIB(64 * (n))
#define SIZE	STEP(6) /* size limit */

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

	*a = (struct allocation){
		.nodeid = file,
		.start = from,
		.end = to,
		.owner = 1,
		.room = true,
	};
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
	do
		err = zsfs_allocate_steps(th, a, steps, &last);
	while (err == 1 && a->searched); /* no room yet */
	if (!err)
		tx_commit(last);
	zsfs_leave(th);
	return err;
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

static int punch(uint64_t from, uint64_t to, unsigned steps)
{
	struct allocation a = {
		.nodeid = file, .start = from, .end = to, .punch = true};

	return go_on(&a, steps);
}

static void put_random(uint8_t *p, size_t n, uint64_t seed)
{
	for (size_t k = 0; k < n; k += 8) {
		seed = seed * UINT64_C(6364136223846793005) +
		       UINT64_C(1442695040888963407);
		memcpy(p + k, &seed, 8);
	}
}

static void test_size_grows_last(void)
{
	struct allocation a;

	start();
	put(file, 0, MIB(1));
	CHECK_EQ(begin(&a, 0, STEP(3)), 0);
	CHECK_EQ(go_on(&a, 2), 1);
	is(MIB(1), 129);
	CHECK_EQ(go_on(&a, 8), 0);
	is(STEP(3), 192);
	end();
}

static void test_keeps_size(void)
{
	struct allocation a;
	struct seek s;

	start();
	put(file, 0, MIB(1));
	CHECK_EQ(begin(&a, 0, STEP(1)), 0);
	a.keep_size = true;
	CHECK_EQ(go_on(&a, UINT32_MAX), 0);
	is(MIB(1), 64);
	CHECK_EQ(zsfs_seek(fs, file, 0, true, &s), 0);
	CHECK_EQ(s.at, MIB(1));
	CHECK_EQ(zsfs_seek(fs, file, MIB(1), false, &s), -ENXIO);
	cut(file, MIB(2));
	is(MIB(2), 64);
	CHECK_EQ(zsfs_seek(fs, file, MIB(1), false, &s), 0);
	CHECK_EQ(s.at, MIB(2));
	put(file, MIB(2), MIB(1));
	is(MIB(3), 64);
	cut(file, MIB(3));
	is(MIB(3), 3);
	end();
}

/* As after the death of a worker: all is asked again, from the beginning. */
static void test_again(void)
{
	struct allocation a;

	start();
	put(file, 0, MIB(1));
	CHECK_EQ(begin(&a, 0, SIZE), 0);
	CHECK_EQ(go_on(&a, 2), 1);
	CHECK_EQ(begin(&a, 0, SIZE), 0);
	CHECK_EQ(go_on(&a, UINT32_MAX), 0);
	is(SIZE, 384);
	end();
}

static void test_again_without_room(void)
{
	struct allocation a;

	start();
	put(file, 0, MIB(1));
	CHECK_EQ(begin(&a, MIB(1), SIZE), 0);
	CHECK_EQ(go_on(&a, 2), 1);
	put(fixture_file(th, "other"), 0, STEP(2));
	CHECK_EQ(begin(&a, MIB(1), SIZE), -ENOSPC);
	is(MIB(1), 1);
	end();
}

static void test_fails_on_the_way(void)
{
	struct allocation a;

	start();
	put(file, 0, MIB(1));
	CHECK_EQ(begin(&a, MIB(1), SIZE), 0);
	CHECK_EQ(go_on(&a, 2), 1);
	put(fixture_file(th, "other"), 0, STEP(2));
	CHECK_EQ(go_on(&a, UINT32_MAX), -ENOSPC);
	is(MIB(1), 1);
	end();
}

/* What it gave to holes goes, what others did and asked for stays. */
static void test_fails_within_the_file(void)
{
	struct allocation a;

	start();
	put(file, STEP(1), MIB(1));
	put(file, SIZE - MIB(1), MIB(1));
	cut(file, SIZE);
	CHECK_EQ(begin(&a, MIB(5), MIB(7)), 0);
	a.owner = 2;
	CHECK_EQ(go_on(&a, UINT32_MAX), 0);
	is(SIZE, 4);
	CHECK_EQ(begin(&a, 0, SIZE), 0);
	CHECK_EQ(go_on(&a, 3), 1);
	put(file, MIB(9), MIB(1));
	put(fixture_file(th, "other"), 0, STEP(2));
	CHECK_EQ(go_on(&a, UINT32_MAX), -ENOSPC);
	is(SIZE, 5);
	has(MIB(5), MIB(1), 0);
	has(STEP(1), MIB(1), 'x');
	has(MIB(9), MIB(1), 'x');
	end();
}

static void put_zeros(uint64_t off, size_t n)
{
	struct tx *tx = tx_begin(th);
	size_t done;

	memset(data, 0, sizeof(data));
	CHECK_EQ(zsfs_write(tx, file, data, n, off, 0, &done), 0);
	tx_commit(tx);
}

/* Zeros that were written get room, and stay data. */
static void test_zeros(void)
{
	struct allocation a;
	struct seek s;

	start();
	put_zeros(0, MIB(1));
	CHECK_EQ(begin(&a, 0, MIB(2)), 0);
	CHECK_EQ(go_on(&a, UINT32_MAX), 0);
	is(MIB(2), 2);
	CHECK_EQ(zsfs_stat_sum(fs, ST_ROOM), 512);
	CHECK_EQ(zsfs_stat_sum(fs, ST_SAME), 0);
	CHECK_EQ(zsfs_seek(fs, file, 0, true, &s), 0);
	CHECK_EQ(s.at, MIB(1));
	put_zeros(4096, 4096);
	CHECK_EQ(zsfs_stat_sum(fs, ST_ROOM), 511);
	/* Its own again, when it fails. */
	CHECK_EQ(zsfs_set_size(fs, MIB(2)), 0);
	CHECK_EQ(begin(&a, 0, MIB(4)), -ENOSPC);
	CHECK_EQ(zsfs_stat_sum(fs, ST_ROOM), 0);
	CHECK_EQ(zsfs_stat_sum(fs, ST_SAME), 256);
	is(MIB(2), 1);
	end();
}

/* What somebody else has written meanwhile stays. */
static void test_extended_meanwhile(void)
{
	struct allocation a;

	start();
	CHECK_EQ(begin(&a, 0, SIZE), 0);
	CHECK_EQ(go_on(&a, 2), 1);
	put(file, MIB(2), MIB(1));
	put(fixture_file(th, "other"), 0, STEP(3));
	CHECK_EQ(go_on(&a, UINT32_MAX), -ENOSPC);
	is(MIB(3), 1);
	has(MIB(2), MIB(1), 'x');
	end();
}

/* A cut between the steps takes what was reserved: it is reserved again. */
static void test_cut_meanwhile(void)
{
	struct allocation a;

	start();
	put(file, 0, MIB(2));
	CHECK_EQ(begin(&a, 0, SIZE), 0);
	CHECK_EQ(go_on(&a, 2), 1);
	cut(file, MIB(1));
	is(MIB(1), 1);
	CHECK_EQ(go_on(&a, UINT32_MAX), 0);
	is(SIZE, 384);
	end();
}

/* What nobody goes on with is no data, and goes with the next cut. */
static void test_left_behind(void)
{
	struct allocation a;

	start();
	put(file, 0, MIB(1));
	CHECK_EQ(begin(&a, 0, SIZE), 0);
	CHECK_EQ(go_on(&a, 2), 1);
	is(MIB(1), 129);
	cut(file, MIB(1));
	is(MIB(1), 1);
	end();
}

/* ---- the promise ---- */

static uint64_t promised(void)
{
	struct arena_stats st;

	arena_get_stats(fs->arena, &st);
	return st.promised;
}

static void put_noise(uint64_t nodeid, uint64_t off, uint64_t size, int err)
{
	for (uint64_t at = 0; at < size; at += sizeof(data)) {
		struct tx *tx = tx_begin(th);
		size_t done;

		put_random(data, sizeof(data), off + at + 1);
		CHECK_EQ(zsfs_write(tx, nodeid, data, sizeof(data), off + at, 0,
				    &done),
			 err);
		if (err) {
			tx_abort(tx, err);
			return;
		}
		CHECK_EQ(done, sizeof(data));
		tx_commit(tx);
	}
}

static void fill_up(uint64_t nodeid)
{
	struct tx *tx;
	size_t done;
	int err;

	put_noise(nodeid, 0, MIB(1), 0);
	for (uint64_t off = MIB(1);; off += done) {
		tx = tx_begin(th);
		err = zsfs_write(tx, nodeid, data, sizeof(data), off, 0, &done);
		if (err)
			break;
		tx_commit(tx);
	}
	CHECK_EQ(tx_abort(tx, err), -ENOSPC);
}

/* The mount is filled up by others before anything is written there. */
static void test_promise_is_kept(void)
{
	struct allocation a;

	start();
	CHECK_EQ(zsfs_set_mem_limit(fs, MIB(48)), 0);
	CHECK_EQ(begin(&a, 0, MIB(20)), 0);
	CHECK_EQ(go_on(&a, UINT32_MAX), 0);
	CHECK_EQ(promised(), MIB(20) / ZSFS_BLOCK_SIZE * ZSFS_ROOM_COST);
	fill_up(fixture_file(th, "other"));
	put_noise(file, 0, MIB(10), 0);
	is(MIB(20), 20);
	/* Also where the limit is lower by now. */
	CHECK_EQ(zsfs_set_mem_limit(fs, MIB(24)), 0);
	put_noise(file, MIB(10), MIB(10), 0);
	CHECK_EQ(promised(), 0);
	is(MIB(20), 20);
	end();
}

/* Each block compresses to another size: classes need pages at a time. */
static void test_promise_of_any_size(void)
{
	struct allocation a;

	start();
	CHECK_EQ(zsfs_set_mem_limit(fs, MIB(32)), 0);
	CHECK_EQ(begin(&a, 0, MIB(8)), 0);
	CHECK_EQ(go_on(&a, UINT32_MAX), 0);
	fill_up(fixture_file(th, "other"));
	put_noise(file, 0, MIB(1), 0);
	for (uint64_t b = 0; b < MIB(8) / ZSFS_BLOCK_SIZE; b++) {
		struct tx *tx = tx_begin(th);
		unsigned noise = (unsigned)(b * 53 % 4096);
		size_t done;

		memset(data + noise, 'x', 4096 - noise);
		CHECK_EQ(zsfs_write(tx, file, data, 4096, b * 4096, 0, &done),
			 0);
		CHECK_EQ(done, 4096);
		tx_commit(tx);
		put_random(data, 4096, b);
	}
	CHECK_EQ(promised(), 0);
	end();
}

/* However a file with room ends, it is given back. */
static void test_promise_ends(void)
{
	struct allocation a;
	struct tx *tx;

	start();
	for (unsigned k = 0; k < 4; k++) {
		CHECK_EQ(begin(&a, 0, STEP(2)), 0);
		CHECK_EQ(go_on(&a, UINT32_MAX), 0);
		CHECK(promised() != 0);
		if (k == 0)
			cut(file, 100);
		else if (k == 1)
			CHECK_EQ(punch(0, STEP(2), UINT32_MAX), 0);
		else if (k == 2)
			put(file, 0, STEP(2));
		CHECK_EQ(promised(), k == 0   ? ZSFS_ROOM_COST
				     : k == 3 ? STEP(2) / 4096 * ZSFS_ROOM_COST
					      : 0);
		verify();
		cut(file, 0);
	}
	CHECK_EQ(begin(&a, 0, STEP(2)), 0);
	CHECK_EQ(go_on(&a, UINT32_MAX), 0);
	tx = tx_begin(th);
	CHECK_EQ(zsfs_unlink(tx, ROOT_NODEID, "file"), 0);
	tx_commit(tx);
	zsfs_forget(th, file, 1, NULL);
	reap_all(th);
	CHECK_EQ(promised(), 0);
	end();
}

/* A write into room that is undone leaves the room. */
static void test_promise_is_undone(void)
{
	struct allocation a;
	uint64_t was;
	struct tx *tx;
	size_t done;

	start();
	CHECK_EQ(begin(&a, 0, MIB(4)), 0);
	CHECK_EQ(go_on(&a, UINT32_MAX), 0);
	was = promised();
	put_random(data, sizeof(data), 1);
	tx = tx_begin(th);
	CHECK_EQ(zsfs_write(tx, file, data, sizeof(data), 0, 0, &done), 0);
	CHECK(promised() < was);
	tx_abort(tx, 0);
	CHECK_EQ(promised(), was);
	is(MIB(4), 4);
	end();
}

/* FALLOC_FL_ZERO_RANGE: zeros, all of which have room. */
static void test_zero_range(void)
{
	struct allocation a;

	start();
	put(file, 0, MIB(4));
	CHECK_EQ(begin(&a, 100, MIB(5)), 0);
	a.punch = true;
	CHECK_EQ(go_on(&a, UINT32_MAX), 0);
	is(MIB(5), 5);
	CHECK_EQ(zsfs_stat_sum(fs, ST_ROOM), 5 * 256 - 1);
	has(0, 100, 'x');
	has(100, MIB(1), 0);
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
	a = (struct allocation){.nodeid = big, .end = MIB(24), .room = true};
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

/* Each step leaves all in order, and is found done by who starts anew. */
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

/* Where nothing is to be done a step ends, too, so that others have the file.
 */
static void test_nothing_to_do(void)
{
	struct allocation a;

	start();
	CHECK_EQ(begin(&a, 0, SIZE), 0);
	CHECK_EQ(go_on(&a, 1000), 0);
	CHECK_EQ(begin(&a, 0, SIZE), 0);
	CHECK_EQ(go_on(&a, 1), 1);
	CHECK(a.done > 0 && a.done < SIZE);
	CHECK_EQ(go_on(&a, 1), 0);
	is(SIZE, SIZE / MIB(1));
	end();
}

static const struct check_case cases[] = {
	CHECK_CASE(test_size_grows_last),
	CHECK_CASE(test_again),
	CHECK_CASE(test_keeps_size),
	CHECK_CASE(test_zeros),
	CHECK_CASE(test_fails_within_the_file),
	CHECK_CASE(test_promise_is_kept),
	CHECK_CASE(test_promise_of_any_size),
	CHECK_CASE(test_promise_ends),
	CHECK_CASE(test_promise_is_undone),
	CHECK_CASE(test_zero_range),
	CHECK_CASE(test_again_without_room),
	CHECK_CASE(test_fails_on_the_way),
	CHECK_CASE(test_extended_meanwhile),
	CHECK_CASE(test_cut_meanwhile),
	CHECK_CASE(test_left_behind),
	CHECK_CASE(test_deleted_is_room),
	CHECK_CASE(test_punch_in_steps),
	CHECK_CASE(test_punch_far),
	CHECK_CASE(test_punch_sparse),
	CHECK_CASE(test_nothing_to_do),
};

int main(int argc, char **argv)
{
	return CHECK_MAIN(cases, argc, argv);
}
