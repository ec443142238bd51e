/* SPDX-License-Identifier: BSD-3-Clause */
/* Hot blocks: stored as they are, and compressed later. */
#include "check.h"

#include <errno.h>
#include <unistd.h>

#include "content/block_table.h"
#include "content/copy.h"
#include "content/file.h"
#include "content/hot.h"
#include "content/hot_queue.h"
#include "content/settle.h"
#include "content/slot.h"
#include "fs_fixture.h"
#include "state/counters.h"
#include "state/mem_limit.h"
#include "state/reserve.h"
#include "state/settings.h"
#include "tree/attr.h"
#include "tree/reap.h"
#include "volume/verify_fs.h"

#define BLOCK ((size_t)ZSFS_BLOCK_SIZE)
#define MANY  (3 * CLUSTER_BLOCKS + 5)
#define MIB   (UINT64_C(1) << 20)

static struct zsfs *fs;
static struct zsfs_thread *th;
static uint64_t file;
static uint8_t want[MANY * ZSFS_BLOCK_SIZE], got[MANY * ZSFS_BLOCK_SIZE];

static void fill(uint8_t *p, size_t size, uint64_t seed, uint64_t mask)
{
	for (; size >= 8; size -= 8, p += 8) {
		seed = seed * UINT64_C(6364136223846793005) + 1;
		memcpy(p, &(uint64_t){(seed >> 20) & mask}, 8);
	}
}

static int put(size_t off, size_t size)
{
	size_t done;
	struct tx *tx = tx_begin(th);
	int err = zsfs_write(tx, file, want + off, size, off, 0, &done);

	return fixture_end(tx, err ? err : done < size ? -ENOSPC : 0);
}

static int64_t stat_of(enum zsfs_stat s)
{
	return zsfs_stat_sum(fs, s);
}

static void check_verify(void)
{
	char msg[256] = "";

	CHECK_EQ(zsfs_verify(fs, msg, sizeof(msg)), 0);
	if (*msg)
		fprintf(stderr, "# %s\n", msg);
}

static void check_same(size_t size)
{
	size_t done;
	struct tx *tx = tx_begin(th);

	CHECK_EQ(fixture_end(tx, zsfs_read(tx, file, got, size, 0, &done)), 0);
	CHECK(done == size && !memcmp(got, want, size));
	check_verify();
}

static void begin(uint64_t hot)
{
	fs = fixture_fs();
	th = &fs->threads[0];
	file = fixture_file(th, "f");
	fill(want, sizeof(want), 1, 0x3ff);
	zsfs_set_hot(fs, hot);
	/* What is missing is backed. */
	hot_may(th, 256);
	while (hot_step(th, false) == 1)
		;
}

static void end(void)
{
	check_verify();
	zsfs_close(fs);
}

static void drain(void)
{
	hot_drain(th, UINT64_MAX);
	CHECK_EQ(stat_of(ST_HOT), 0);
}

static uint64_t payload(void)
{
	struct zs_pool_stats st;

	zs_pool_get_stats(fs->pool, &st);
	return st.payload;
}

static void test_off(void)
{
	begin(0);
	CHECK_EQ(put(0, sizeof(want)), 0);
	CHECK_EQ(stat_of(ST_HOT), 0);
	CHECK(payload() < sizeof(want) / 2);
	end();
}

static void test_cools(void)
{
	begin(MIB);
	CHECK_EQ(put(0, sizeof(want)), 0);
	CHECK_EQ(stat_of(ST_HOT), MANY);
	CHECK_EQ(payload(), sizeof(want));
	check_same(sizeof(want));
	drain();
	CHECK_EQ(stat_of(ST_COOLED), MANY);
	CHECK_EQ(stat_of(ST_SPARED), 0);
	CHECK_EQ(stat_of(ST_FREED), 0);
	CHECK(payload() < sizeof(want) / 2);
	check_same(sizeof(want));
	end();
}

/* @n times 100 bytes, from @off on. */
static void append(size_t off, unsigned n)
{
	for (; n; n--, off += 100)
		CHECK_EQ(put(off, 100), 0);
}

/*
 * Writes of @piece bytes, one behind the other, from @off on, as the kernel
 * sends them: the rest of a block, and what is behind it.
 */
static void put_pieces(size_t off, size_t piece)
{
	while (off + piece <= sizeof(want)) {
		size_t rest = off % BLOCK ? BLOCK - off % BLOCK : 0;

		if (rest > piece)
			rest = piece;
		CHECK_EQ(put(off, rest), 0);
		CHECK_EQ(put(off + rest, piece - rest), 0);
		off += piece;
	}
}

/* A block that is written to twice and never again is compressed at once. */
static void test_pieces(void)
{
	static const size_t pieces[] = {4096, 5000, 10240, 20000};

	for (unsigned k = 0; k < sizeof(pieces) / sizeof(*pieces); k++) {
		begin(MIB);
		CHECK_EQ(put(0, 3584), 0);
		put_pieces(3584, pieces[k]);
		CHECK_EQ(stat_of(ST_HOT) + stat_of(ST_COOLED), 0);
		end();
	}
}

/* A database's log: the head of a page, and the page. */
static void test_log(void)
{
	begin(MIB);
	for (size_t off = 32; off + 4120 <= sizeof(want); off += 4120) {
		size_t page = off + 24, rest = BLOCK - page % BLOCK;

		CHECK_EQ(put(off, 24), 0);
		CHECK_EQ(put(page, rest), 0);
		CHECK_EQ(put(page + rest, BLOCK - rest), 0);
	}
	CHECK(stat_of(ST_HOT) > MANY / 2);
	end();
}

/* A large write is compressed at once, a small one when it is left alone. */
static void test_due(void)
{
	unsigned next;

	begin(MIB);
	CHECK_EQ(put(0, CLUSTER_BLOCKS * BLOCK), 0);
	append(CLUSTER_BLOCKS * BLOCK, 5);
	CHECK_EQ(stat_of(ST_HOT), CLUSTER_BLOCKS);
	append(CLUSTER_BLOCKS * BLOCK + 500, 1);
	CHECK_EQ(stat_of(ST_HOT), CLUSTER_BLOCKS + 1);
	do
		next = hot_step(th, false);
	while (next == 1);
	CHECK_EQ(stat_of(ST_HOT), 1);
	CHECK(next > 1 && next <= 1000);
	usleep((next + 5) * 1000);
	while (hot_step(th, false) == 1)
		;
	CHECK_EQ(stat_of(ST_HOT), 0);
	end();
}

/* Small files, and blocks written one by one, are compressed at once. */
static void test_small(void)
{
	begin(MIB);
	CHECK_EQ(put(0, 6000), 0);
	CHECK_EQ(put(0, (HOT_LARGE_BLOCKS - 1) * BLOCK), 0);
	CHECK_EQ(put(0, BLOCK), 0);
	CHECK_EQ(stat_of(ST_HOT), 0);
	CHECK_EQ(put(0, HOT_LARGE_BLOCKS * BLOCK), 0);
	CHECK_EQ(stat_of(ST_HOT), HOT_LARGE_BLOCKS);
	end();
}

/* Programs that append to files in turns: none is compressed meanwhile. */
static void test_in_turns(void)
{
	struct hot_queue *q = calloc(1, sizeof(*q));
	struct hot_range r = {.due = 0};

	for (uint64_t k = 0; k < 3 * 1000; k++) {
		r.nodeid = k % 3;
		r.first = k % 3 * CLUSTER_BLOCKS + k % 2;
		r.end = r.first + 1;
		r.due = k;
		CHECK(hot_queue_add_again(q, &r));
	}
	CHECK_EQ(hot_queue_length(q), 3);
	CHECK_EQ(hot_queue_due(q), 2997);
	hot_queue_take(q, &r);
	CHECK(r.nodeid == 0 && r.first == 0 && r.end == 2);
	hot_queue_take(q, &r);
	CHECK(r.nodeid == 1 && r.first == CLUSTER_BLOCKS);
	CHECK_EQ(hot_queue_length(q), 1);
	free(q);
}

/* A full queue says so; one that gets empty takes again. */
static void test_queue_full(void)
{
	struct hot_queue *q = calloc(1, sizeof(*q));
	struct hot_range r = {.end = 1};

	for (; r.nodeid < HOT_QUEUE_SIZE; r.nodeid++)
		CHECK(hot_queue_add_again(q, &r));
	CHECK(!hot_queue_add(q, &r));
	CHECK(!hot_queue_add_again(q, &r));
	hot_queue_take(q, &r);
	CHECK_EQ(r.nodeid, 0);
	CHECK(hot_queue_add(q, &r));
	free(q);
}

static void test_appends(void)
{
	begin(MIB);
	for (size_t off = 0; off + 100 <= 3 * BLOCK; off += 100)
		CHECK_EQ(put(off, 100), 0);
	CHECK_EQ(stat_of(ST_HOT), 3);
	check_same(3 * BLOCK - 3 * BLOCK % 100);
	drain();
	check_same(3 * BLOCK - 3 * BLOCK % 100);
	end();
}

static void test_budget(void)
{
	begin(MIB);
	zsfs_set_hot(fs, CLUSTER_BLOCKS * BLOCK);
	CHECK_EQ(put(0, CLUSTER_BLOCKS * BLOCK), 0);
	CHECK_EQ(put(CLUSTER_BLOCKS * BLOCK, CLUSTER_BLOCKS * BLOCK), 0);
	CHECK_EQ(stat_of(ST_HOT), CLUSTER_BLOCKS);
	CHECK(hot_is_behind(fs));
	zsfs_set_hot(fs, 2 * CLUSTER_BLOCKS * BLOCK);
	CHECK(!hot_is_behind(fs));
	check_same(2 * CLUSTER_BLOCKS * BLOCK);
	end();
}

/* The bytes of a block that is an object of its own. */
static uint8_t *bytes_of(uint64_t block)
{
	struct zs_obj_info info;
	uint64_t slot = table_get(&inode_resolve(fs, file)->file.blocks, block);
	const void *p =
		zs_obj_read_begin(fs->pool, th->at, slot_handle(slot), &info);

	zs_obj_read_end(fs->pool, th->at);
	return (uint8_t *)(uintptr_t)p;
}

/* One block that does not verify stays as it is, and no other. */
static void test_damaged(void)
{
	size_t done;
	struct tx *tx;

	begin(MIB);
	CHECK_EQ(put(0, sizeof(want)), 0);
	bytes_of(5)[100] ^= 4;
	drain();
	CHECK_EQ(stat_of(ST_COOLED), MANY - 1);
	tx = tx_begin(th);
	CHECK_EQ(fixture_end(tx,
			     zsfs_read(tx, file, got, BLOCK, 5 * BLOCK, &done)),
		 -EIO);
	bytes_of(5)[100] ^= 4;
	check_same(sizeof(want));
	end();
}

/* A copy of what is hot keeps to the budget, and counts as written. */
static void test_copy(void)
{
	struct copy c = {.len = sizeof(want)};
	int64_t written;
	size_t done;

	for (unsigned parts = 1; parts <= 2; parts++) {
		struct tx *tx;

		begin(4 * MIB);
		CHECK_EQ(put(0, sizeof(want)), 0);
		CHECK_EQ(stat_of(ST_HOT), MANY);
		zsfs_set_hot(fs, (uint64_t)MANY * BLOCK * 3 / 2 * (parts - 1));
		written = stat_of(ST_WRITTEN_BLOCKS);
		c.from = file;
		c.to = fixture_file(th, "copy");
		tx = tx_begin(th);
		CHECK_EQ(fixture_end(tx, zsfs_copy(tx, &c, &done)), 0);
		CHECK_EQ(done, sizeof(want));
		CHECK_EQ(stat_of(ST_HOT), MANY + MANY / 2 * (parts - 1));
		CHECK_EQ(stat_of(ST_WRITTEN_BLOCKS) - written, MANY);
		file = c.to;
		check_same(sizeof(want));
		drain();
		check_same(sizeof(want));
		end();
	}
}

static struct arena_stats memory(void)
{
	struct arena_stats st;

	arena_get_stats(fs->arena, &st);
	return st;
}

/* Who looks at the memory in use does not find what is kept for more. */
static void test_finish(void)
{
	begin(4 * MIB);
	CHECK_EQ(put(0, sizeof(want)), 0);
	drain();
	CHECK_EQ(memory().keep, 4 * MIB);
	CHECK(memory().free_segments > 0);
	hot_finish(th, 0); /* in no time it does nothing but see */
	CHECK_EQ(memory().keep, 0);
	CHECK_EQ(memory().free_segments, 0);
	CHECK_EQ(put(0, sizeof(want)), 0);
	hot_finish(th, UINT64_MAX);
	CHECK_EQ(stat_of(ST_HOT), 0);
	CHECK_EQ(memory().free_segments, 0);
	check_same(sizeof(want));
	/* While something is hot it stays. */
	hot_may(th, 256);
	while (hot_step(th, false) == 1)
		;
	CHECK_EQ(put(0, sizeof(want)), 0);
	hot_finish(th, 0);
	CHECK(stat_of(ST_HOT) > 0);
	CHECK(memory().keep > 0);
	drain();
	end();
}

/* What goes before its turn is never compressed. */
static void test_spared(void)
{
	struct stat cut = {.st_size = 4 * BLOCK};
	struct zinode *i;
	struct tx *tx;

	begin(MIB);
	CHECK_EQ(put(0, sizeof(want)), 0);
	CHECK_EQ(put(0, BLOCK), 0);
	CHECK_EQ(stat_of(ST_SPARED), 1);
	tx = tx_begin(th);
	CHECK_EQ(fixture_end(tx, zsfs_setattr(tx, file, &cut, SET_SIZE, &i)),
		 0);
	reap_all(th);
	CHECK_EQ(stat_of(ST_SPARED), MANY - 3);
	drain();
	CHECK_EQ(stat_of(ST_COOLED), 3);
	check_same(4 * BLOCK);
	end();
}

/* What does not compress is tried once, and leaves where hot blocks are. */
static void test_noise(void)
{
	begin(MIB);
	fill(want, sizeof(want), 7, UINT64_MAX);
	for (size_t k = 0; k < sizeof(want); k += 3)
		want[k] = (uint8_t)(want[k] ^ k * 2654435761u >> 13);
	CHECK_EQ(put(0, sizeof(want)), 0);
	CHECK_EQ(stat_of(ST_HUGE_SINCE), 0);
	drain();
	CHECK_EQ(stat_of(ST_HUGE_SINCE) + stat_of(ST_COOLED), MANY);
	CHECK(stat_of(ST_HUGE_SINCE) > 0);
	CHECK_EQ(stat_of(ST_SPARED), 0);
	CHECK_EQ(memory().free_transient, 0);
	check_same(sizeof(want));
	end();
}

static void test_same_filled(void)
{
	begin(MIB);
	memset(want, 0, BLOCK);
	CHECK_EQ(put(0, (HOT_LARGE_BLOCKS + 1) * BLOCK), 0);
	CHECK_EQ(stat_of(ST_HOT), HOT_LARGE_BLOCKS);
	CHECK_EQ(stat_of(ST_SAME), 1);
	end();
}

/* Who settles has no hot blocks left. */
static void test_settle(void)
{
	begin(MIB);
	CHECK_EQ(put(0, sizeof(want)), 0);
	CHECK_EQ(zsfs_settle(th), 0);
	CHECK_EQ(stat_of(ST_HOT), 0);
	CHECK_EQ(stat_of(ST_DENSE) + stat_of(ST_TRIED), MANY);
	check_same(sizeof(want));
	end();
}

/* A process that takes over finds them by a walk. */
static void test_taken_over(void)
{
	int fd;

	begin(MIB);
	CHECK_EQ(put(0, sizeof(want)), 0);
	fd = dup(arena_fd(fs->arena));
	zsfs_close(fs);
	CHECK_EQ(zsfs_open(fd, 0, &fs), 0);
	close(fd);
	th = &fs->threads[0];
	CHECK_EQ(stat_of(ST_HOT), MANY);
	while (hot_step(th, false) == 1)
		;
	CHECK_EQ(stat_of(ST_HOT), 0);
	check_same(sizeof(want));
	end();
}

/* With more in use than is allowed, hot blocks still can be compressed. */
static void test_lowered_limit(void)
{
	begin(MIB);
	CHECK_EQ(put(0, sizeof(want)), 0);
	CHECK_EQ(zsfs_set_mem_limit(fs, zsfs_min_mem_limit(1)), 0);
	drain();
	CHECK_EQ(stat_of(ST_COOLED), MANY);
	check_same(sizeof(want));
	end();
}

#if ZS_DEBUG_LEVEL >= 1
static unsigned refusals;

static bool refuse(void)
{
	return refusals && refusals--;
}

/* A group that finds no room, twice, keeps no others waiting. */
static void test_no_room_once(void)
{
	begin(MIB);
	CHECK_EQ(put(0, sizeof(want)), 0);
	refusals = 2;
	zs_fail_hook = refuse;
	CHECK(hot_drain(th, UINT64_MAX));
	zs_fail_hook = NULL;
	CHECK_EQ(refusals, 0);
	CHECK_EQ(stat_of(ST_HOT), 0);
	check_same(sizeof(want));
	end();
}

/* Whatever allocation fails, content and books are right. */
static void test_no_memory(void)
{
	for (unsigned n = 1, failed = 1; failed; n++) {
		begin(MIB);
		fixture_fail_at(n);
		failed = put(0, sizeof(want)) != 0;
		hot_drain(th, UINT64_MAX);
		failed |= fixture_has_failed();
		fixture_fail_at(0);
		if (!failed)
			drain();
		end();
	}
}
#endif

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		CHECK_CASE(test_off),
		CHECK_CASE(test_cools),
		CHECK_CASE(test_due),
		CHECK_CASE(test_small),
		CHECK_CASE(test_in_turns),
		CHECK_CASE(test_queue_full),
		CHECK_CASE(test_appends),
		CHECK_CASE(test_pieces),
		CHECK_CASE(test_log),
		CHECK_CASE(test_budget),
		CHECK_CASE(test_copy),
		CHECK_CASE(test_damaged),
		CHECK_CASE(test_finish),
		CHECK_CASE(test_spared),
		CHECK_CASE(test_noise),
		CHECK_CASE(test_same_filled),
		CHECK_CASE(test_settle),
		CHECK_CASE(test_taken_over),
		CHECK_CASE(test_lowered_limit),
#if ZS_DEBUG_LEVEL >= 1
		CHECK_CASE(test_no_room_once),
		CHECK_CASE(test_no_memory),
#endif
	};

	return CHECK_MAIN(cases, argc, argv);
}
