/* SPDX-License-Identifier: BSD-3-Clause */
/* What was deleted is room, although nobody has freed it yet. */
#include "arena_i.h"
#include "check.h"
#include "fs_fixture.h"
#include "base/clock.h"
#include "control/vfile.h"
#include "tree/reap.h"
#include "serve/room.h"
#include "state/zsfs.h"
#include "state/inode.h"
#include "state/tx.h"
#include "state/counters.h"
#include "state/mem_limit.h"
#include "state/threads.h"
#include "state/settings.h"
#include "zsmalloc.h"
#include "tree/namei.h"
#include "content/file.h"
#include "volume/volume.h"
#include "volume/verify_fs.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define MIB(n) ((uint64_t)(n) << 20)

static struct zsfs *fs;
static uint8_t data[ZSFS_MAX_WRITE];

static unsigned threads = 1;

static void start(void)
{
	struct zsfs_params p = {
		.nr_threads = threads,
		.mem_limit = MIB(32),
		.mode = 0755,
		.comp = {ZCOMP_LZ4, 1},
		.chain_size = ZS_DEFAULT_CHAIN_SIZE,
		.no_huge = true,
	};

	REQUIRE(!zsfs_create(&p, &fs));
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)rand();
}

/* Content that does not compress, until there is no room; its bytes. */
static uint64_t fill(uint64_t nodeid)
{
	struct zsfs_thread *th = &fs->threads[0];
	uint64_t off = 0;
	struct tx *tx;
	size_t done;
	int err;

	do {
		zsfs_enter(th);
		err = room_write(th, &tx, nodeid, data, sizeof(data), off, 0,
				 &done);
		if (err)
			tx_abort(tx, err);
		else
			tx_commit(tx);
		zsfs_leave(th);
		off += done;
	} while (!err);
	CHECK_EQ(err, -ENOSPC);
	return off;
}

static void test_deleted_is_room(void)
{
	struct zsfs_thread *th;
	uint64_t big, next, size;
	struct tx *tx;
	char msg[512];

	start();
	th = &fs->threads[0];
	big = fixture_file(&fs->threads[0], "big");
	size = fill(big);
	CHECK(size > MIB(8));
	next = fixture_file(&fs->threads[0], "next");
	tx = tx_begin(th);
	CHECK_EQ(zsfs_unlink(tx, ROOT_NODEID, "big"), 0);
	tx_commit(tx);
	zsfs_forget(th, big, 1, NULL);
	reap_hand_over(th);
	CHECK(fill(next) + MIB(1) >= size);
	reap_all(th);
	if (zsfs_verify(fs, msg, sizeof(msg)))
		CHECK_FAILED("%s", msg);
	zsfs_close(fs);
}

/* While small calls find no memory, content leaves some to them. */
static void test_content_is_modest(void)
{
	uint64_t big, size;
	struct tx *tx;
	size_t done;

	start();
	big = fixture_file(&fs->threads[0], "big");
	fs->crowded = clock_ms() + 600000;
	size = fill(big);
	CHECK(arena_available(fs->arena) >= 16 * ARENA_PAGE_SIZE);
	/* It was so of content only, and only while it looked for room. */
	CHECK(!fs->threads[0].at->modest);
	zsfs_enter(&fs->threads[0]);
	CHECK_EQ(room_write(&fs->threads[0], &tx, big, data, 2000, size, 0,
			    &done),
		 0);
	tx_commit(tx);
	zsfs_leave(&fs->threads[0]);
	fs->crowded = clock_ms() - 1;
	CHECK(fill(big) > size);
	CHECK(arena_available(fs->arena) < 16 * ARENA_PAGE_SIZE);
	zsfs_close(fs);
}

/* A write of @size bytes of @data at @off; its result. */
static int put(uint64_t nodeid, size_t size, uint64_t off, unsigned flags,
	       size_t *done)
{
	struct zsfs_thread *th = &fs->threads[0];
	struct tx *tx;
	int err;

	zsfs_enter(th);
	err = room_write(th, &tx, nodeid, data, size, off, flags, done);
	if (err)
		tx_abort(tx, err);
	else
		tx_commit(tx);
	room_refill(th);
	zsfs_leave(th);
	return err;
}

/* A full pool in which nearly every zspage is half empty. */
static uint64_t start_fragmented(void)
{
	uint64_t size, nodeid;
	size_t done;

	start();
	/* Blocks that compress to less than half. */
	for (size_t i = 0; i < sizeof(data); i += ZSFS_BLOCK_SIZE)
		memset(data + i, 0, ZSFS_BLOCK_SIZE - 1500);
	nodeid = fixture_file(&fs->threads[0], "fragmented");
	size = fill(nodeid);
	memset(data, 0, sizeof(data));
	for (uint64_t off = 0; off + 32768 <= size; off += 32768)
		CHECK_EQ(put(nodeid, 16384, off, 0, &done), 0);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)rand();
	return nodeid;
}

static void end(void)
{
	char msg[512];

	if (zsfs_verify(fs, msg, sizeof(msg)))
		CHECK_FAILED("%s", msg);
	zsfs_close(fs);
}

static struct zs_pool_stats pool_stats(void)
{
	struct zs_pool_stats s;

	zs_pool_get_stats(fs->pool, &s);
	return s;
}

static struct arena_stats arena_stats(void)
{
	struct arena_stats st;

	arena_get_stats(fs->arena, &st);
	return st;
}

/*
 * Holes are room: no write is short or refused, and none packs all at once.
 * @deleting: files lose their last names all the time.
 */
static void late_or_not(unsigned flags, bool deleting)
{
	uint64_t could, next, off, kept;
	size_t done;

	start_fragmented();
	could = zs_can_compact(fs->pool) * ZSFS_BLOCK_SIZE;
	CHECK(could > MIB(6));
	/* Some of it stays for what may be written over the zeros. */
	kept = arena_stats().kept_growth;
	could -= kept + MIB(1);
	next = fixture_file(&fs->threads[0], "next");
	if (deleting)
		__atomic_store_n(&fs->let_go, clock_ms() + 100000,
				 __ATOMIC_RELAXED);
	for (off = 0; off < could / 10 * 9; off += sizeof(data)) {
		uint64_t before = pool_stats().pages_compacted;

		CHECK_EQ(put(next, sizeof(data), off, flags, &done), 0);
		CHECK_EQ(done, sizeof(data));
		CHECK(pool_stats().pages_compacted - before <
		      (2 * sizeof(data) + kept) / ZSFS_BLOCK_SIZE + 64);
	}
	CHECK(pool_stats().compactions > 1);
	CHECK_EQ(zsfs_stat_sum(fs, ST_LATE_LOST), 0);
	/* Only that which ended fill(). */
	CHECK_EQ(zsfs_stat_sum(fs, ST_FAILED_WRITES), 1);
	end();
}

static void test_holes_are_room(void)
{
	late_or_not(0, false);
	late_or_not(WRITE_CACHE, false);
	/* It has a second, in which a sanitizer packs too little. */
	threads = ZS_ARENA_SANITIZED ? 1 : 3;
	late_or_not(0, true);
	threads = 1;
}

/* Names find it, too. */
static void test_holes_are_room_for_names(void)
{
	struct zsfs_thread *th;
	char name[16];

	start_fragmented();
	th = &fs->threads[0];
	for (unsigned n = 0; n < 8000; n++) {
		struct new_inode spec = {.mode = S_IFDIR | 0755};
		struct room room = {0};
		struct zinode *i;
		struct tx *tx;
		int err;

		snprintf(name, sizeof(name), "d%u", n);
		zsfs_enter(th);
		do {
			tx = tx_begin(th);
			err = zsfs_make(tx, ROOT_NODEID, name, &spec, &i);
		} while (room_again(&room, tx, err));
		REQUIRE(!err);
		tx_commit(tx);
		zsfs_leave(th);
	}
	CHECK(pool_stats().pages_compacted > 0);
	end();
}

/*
 * How often this thread has gone to sleep: who waits for room does so some
 * hundred times, and a busy machine takes as long without anybody waiting.
 */
static long sleeps(void)
{
	struct rusage u;

	REQUIRE(!getrusage(RUSAGE_THREAD, &u));
	return u.ru_nvcsw;
}

/* What no packing helps is refused without waiting. */
static void test_nothing_to_be_had(void)
{
	uint64_t next, compacted;
	long began;
	size_t done;

	start();
	next = fixture_file(&fs->threads[0], "next");
	fill(next);
	began = sleeps();
	for (unsigned n = 0; n < 20; n++)
		CHECK_EQ(put(next, sizeof(data), MIB(100), 0, &done), -ENOSPC);
	CHECK(sleeps() - began < 20 * 200);
	CHECK_EQ(zsfs_stat_sum(fs, ST_FAILED_WRITES), 21);
	end();
	/* The limit of content is no reason to pack. */
	start_fragmented();
	compacted = pool_stats().pages_compacted;
	CHECK_EQ(zsfs_set_size(fs, (uint64_t)fs->used_blocks * ZSFS_BLOCK_SIZE),
		 0);
	next = fixture_file(&fs->threads[0], "other");
	CHECK_EQ(put(next, ZSFS_BLOCK_SIZE, 0, 0, &done), -ENOSPC);
	CHECK_EQ(pool_stats().pages_compacted, compacted);
	end();
}

/* Bytes that are missing of what new content has to leave. */
static uint64_t taken_of_reserve(void)
{
	struct arena_stats st;
	uint64_t left, kept;

	arena_get_stats(fs->arena, &st);
	left = st.limit - st.used + st.free_pages * ARENA_PAGE_SIZE;
	kept = st.reserve + st.late;
	return left < kept ? kept - left : 0;
}

/*
 * Overwriting with less, here and there, leaves holes and takes pages: it never
 * fails, and never eats up what is kept for it.
 */
static void test_reserve_is_refilled(void)
{
	uint64_t nodeid = start_fragmented(), size, most = 0;
	size_t done;

	fill(fixture_file(&fs->threads[0], "next"));
	size = (uint64_t)zsfs_stat_sum(fs, ST_BLOCKS) * ZSFS_BLOCK_SIZE / 2;
	memset(data, 0, ZSFS_BLOCK_SIZE - 700);
	for (uint64_t off = 16384; off < size; off += 8192) {
		if (off % 32768 < 16384)
			continue;
		CHECK_EQ(put(nodeid, ZSFS_BLOCK_SIZE, off, 0, &done), 0);
		if (taken_of_reserve() > most)
			most = taken_of_reserve();
	}
	CHECK(most < MIB(1));
	/* Only those that ended fill(). */
	CHECK_EQ(zsfs_stat_sum(fs, ST_FAILED_WRITES), 2);
	end();
}

/* Zeros, 8 KiB at a time, until there is no room; their bytes. */
static uint64_t fill_with_zeros(uint64_t nodeid)
{
	uint64_t size = 0;
	size_t done;

	memset(data, 0, 8192);
	while (!put(nodeid, 8192, size, 0, &done))
		size += done;
	memcpy(data, data + 8192, 8192);
	return size;
}

/*
 * To make a file longer with zeros fails first, while small new files still
 * fit, and what zeros were written to finds room later.
 */
static void test_zeros_have_room(void)
{
	uint64_t size, other, zeros, at = 0;
	size_t done;

	start();
	/* An eighth is for zeros. */
	CHECK_EQ(zsfs_set_mem_limit(fs, MIB(128)), 0);
	other = fixture_file(&fs->threads[0], "other");
	for (; arena_available(fs->arena) > MIB(3); at += done)
		CHECK_EQ(put(other, MIB(1) / 4, at, 0, &done), 0);
	zeros = fixture_file(&fs->threads[0], "zeros");
	size = fill_with_zeros(zeros);
	CHECK(size > MIB(1) / 2 && size < MIB(6));
	CHECK_EQ(arena_stats().growth, size / ZSFS_BLOCK_SIZE * ZSFS_ROOM_COST);
	CHECK_EQ(put(fixture_file(&fs->threads[0], "small"), 8192, 0, 0, &done),
		 0);
	fill(fixture_file(&fs->threads[0], "next"));
	for (at = 0; at < size; at += done) {
		uint64_t n = size - at;

		if (n > sizeof(data))
			n = sizeof(data);
		REQUIRE(!put(zeros, n, at, 0, &done) && done == n);
	}
	CHECK_EQ(arena_stats().growth, 0);
	CHECK(arena_stats().used_max <= MIB(128));
	end();
}

static void *check_all_gates(void *arg)
{
	CHECK(zsfs_keep_out(fs));
	zsfs_let_in(fs);
	return NULL;
}

/* A live check gets in between two steps of a compaction by .zsctl/compact. */
static void test_check_in_compaction(void)
{
	struct zsfs_thread *th;
	pthread_t check;

	start_fragmented();
	th = &fs->threads[0];
	zsfs_enter(th);
	REQUIRE(!pthread_create(&check, NULL, check_all_gates, NULL));
	while (!__atomic_load_n(&fs->checking, __ATOMIC_RELAXED))
		sched_yield();
	CHECK_EQ(control_write(fs, th, false, KNOB_COMPACT, "1", 1), 0);
	zsfs_leave(th);
	pthread_join(check, NULL);
	CHECK(pool_stats().pages_compacted > 0);
	end();
}

/* ---- what the kernel has not forgotten yet ---- */

static uint64_t doomed; /* a deleted file */

/* As what comes after the answer that deleted it. */
static void *forget_soon(void *arg)
{
	struct zsfs_thread *th = &fs->threads[1];

	usleep(5000);
	zsfs_enter(th);
	zsfs_forget(th, doomed, 1, NULL);
	reap_help(th);
	zsfs_leave(th);
	return NULL;
}

static int make_dir(struct zsfs_thread *th)
{
	struct new_inode spec = {.mode = S_IFDIR | 0755};
	struct room room = {0};
	struct zinode *i;
	struct tx *tx;
	int err;

	zsfs_enter(th);
	do {
		tx = tx_begin(th);
		err = zsfs_make(tx, ROOT_NODEID, "d", &spec, &i);
	} while (room_again(&room, tx, err));
	err = fixture_end(tx, err);
	zsfs_leave(th);
	return err;
}

/* No inode is left but that of a file that has just been deleted. */
static void start_full_of(unsigned nr_threads)
{
	struct tx *tx;

	fs = fixture_fs_of(nr_threads);
	doomed = fixture_file(&fs->threads[0], "f");
	REQUIRE(!zsfs_set_nr_inodes(fs, 2));
	tx = tx_begin(&fs->threads[0]);
	REQUIRE(!zsfs_unlink(tx, ROOT_NODEID, "f"));
	tx_commit(tx);
}

static void test_forget_is_awaited(void)
{
	pthread_t other;

	start_full_of(2);
	/* As if it were deleted later, for the other thread to come by then. */
	__atomic_store_n(&fs->let_go, clock_ms() + 10000, __ATOMIC_RELAXED);
	REQUIRE(!pthread_create(&other, NULL, forget_soon, NULL));
	CHECK_EQ(make_dir(&fs->threads[0]), 0);
	pthread_join(other, NULL);
	end();
}

/* It may be open; and somebody must be there to read the FORGET. */
static void test_forget_does_not_come(void)
{
	long began;

	start_full_of(2);
	began = sleeps();
	CHECK_EQ(make_dir(&fs->threads[0]), -ENOSPC);
	CHECK(sleeps() - began < 900);
	began = sleeps();
	CHECK_EQ(make_dir(&fs->threads[0]), -ENOSPC);
	CHECK(sleeps() - began < 50);
	end();
	start_full_of(1);
	began = sleeps();
	CHECK_EQ(make_dir(&fs->threads[0]), -ENOSPC);
	CHECK(sleeps() - began < 50);
	end();
}

static const struct check_case cases[] = {
	CHECK_CASE(test_forget_is_awaited),
	CHECK_CASE(test_forget_does_not_come),
	CHECK_CASE(test_check_in_compaction),
	CHECK_CASE(test_reserve_is_refilled),
	CHECK_CASE(test_zeros_have_room),
	CHECK_CASE(test_holes_are_room),
	CHECK_CASE(test_holes_are_room_for_names),
	CHECK_CASE(test_nothing_to_be_had),
	CHECK_CASE(test_deleted_is_room),
	CHECK_CASE(test_content_is_modest),
};

int main(int argc, char **argv)
{
	return CHECK_MAIN(cases, argc, argv);
}
