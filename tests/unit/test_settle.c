/* SPDX-License-Identifier: BSD-3-Clause */
/* Settling: clusters of a file's blocks, and what takes them apart again. */
#include "check.h"

#include <errno.h>

#include "content/block_table.h"
#include "content/copy.h"
#include "content/file.h"
#include "content/punch.h"
#include "content/settle.h"
#include "content/slot.h"
#include "content/tidy.h"
#include "content/warm.h"
#include "fs_fixture.h"
#include "state/counters.h"
#include "state/reserve.h"
#include "tree/attr.h"
#include "tree/reap.h"
#include "volume/verify_fs.h"

#define BLOCK ((size_t)ZSFS_BLOCK_SIZE)
#define MANY  (5 * CLUSTER_BLOCKS + 3)

static struct zsfs *fs;
static struct zsfs_thread *th;
static uint64_t file, objects; /* slab objects with no content */
static uint8_t want[MANY * ZSFS_BLOCK_SIZE], got[MANY * ZSFS_BLOCK_SIZE];

/* Words that come again and again in another order: half of it is saved. */
static void fill_text(uint8_t *p, size_t size, uint64_t seed)
{
	static const char words[16][9] = {
		"static  ", "struct  ",	 "return; ", "if (err)",
		"int     ", "= NULL;\n", "goto out", "u64 *w, ",
		"void fn(", "->next) ",	 "#define ", "0x01234 ",
		"while (x", "zspage  ",	 "/* why *", "        ",
	};

	for (; size >= 8; size -= 8, p += 8) {
		seed = seed * UINT64_C(6364136223846793005) + 1;
		memcpy(p, words[seed >> 60], 8);
	}
}

static void fill_noise(uint8_t *p, size_t size, uint64_t seed)
{
	for (; size; size--, p++) {
		seed = seed * UINT64_C(6364136223846793005) + 1;
		*p = (uint8_t)(seed >> 56);
	}
}

static int store(uint64_t nodeid, size_t first, size_t n)
{
	size_t done;
	struct tx *tx = tx_begin(th);
	int err = zsfs_write(tx, nodeid, want + first * BLOCK, n * BLOCK,
			     first * BLOCK, 0, &done);

	err = fixture_end(tx, err ? err : done < n * BLOCK ? -ENOSPC : 0);
	tidy_clusters(th);
	return err;
}

static int load(uint64_t nodeid, size_t first, size_t n)
{
	size_t done;
	struct tx *tx = tx_begin(th);

	return fixture_end(tx, zsfs_read(tx, nodeid, got, n * BLOCK,
					 first * BLOCK, &done));
}

static void check_verify(void)
{
	char msg[256] = "";

	CHECK_EQ(zsfs_verify(fs, msg, sizeof(msg)), 0);
	if (*msg)
		fprintf(stderr, "# %s\n", msg);
}

static void check_same(uint64_t nodeid, size_t n)
{
	CHECK_EQ(load(nodeid, 0, n), 0);
	CHECK(!memcmp(got, want, n * BLOCK));
	check_verify();
}

static int64_t stat_of(enum zsfs_stat s)
{
	return zsfs_stat_sum(fs, s);
}

static uint64_t slot_of(uint64_t nodeid, uint64_t block)
{
	return table_get(&inode_resolve(fs, nodeid)->file.blocks, block);
}

static void begin(size_t blocks)
{
	fs = fixture_fs();
	th = &fs->threads[0];
	file = fixture_file(th, "f");
	objects = fixture_objects(fs);
	fill_text(want, sizeof(want), 1);
	CHECK_EQ(store(file, 0, blocks), 0);
}

static void end(void)
{
	check_verify();
	zsfs_close(fs);
}

static void settle(void)
{
	CHECK_EQ(zsfs_settle(th), 0);
}

static void test_settles(void)
{
	struct zs_pool_stats before, after;
	struct settle_progress p;

	begin(MANY);
	zs_pool_get_stats(fs->pool, &before);
	settle_get_progress(fs, &p);
	CHECK(p.done == 0 && p.to_do == MANY && p.saved == 0);
	settle();
	zs_pool_get_stats(fs->pool, &after);
	CHECK(after.payload < before.payload * 7 / 8);
	CHECK_EQ(stat_of(ST_DENSE), MANY);
	CHECK_EQ(stat_of(ST_CLUSTERS), 6);
	CHECK_EQ(stat_of(ST_PIECES), after.objs_used);
	CHECK_EQ(stat_of(ST_BLOCKS), MANY);
	CHECK_EQ(stat_of(ST_FREED), 0);
	settle_get_progress(fs, &p);
	CHECK(p.done == MANY && p.to_do == 0 && p.saved > 0);
	check_same(file, MANY);
	end();
}

/* In sequence each cluster is decompressed once. */
static void test_reads_once(void)
{
	begin(MANY);
	settle();
	zcomp_kept(th->zc)->misses = 0;
	for (size_t k = 0; k < MANY; k++) {
		CHECK_EQ(load(file, k, 1), 0);
		CHECK(!memcmp(got, want + k * BLOCK, BLOCK));
	}
	CHECK_EQ(zcomp_kept(th->zc)->misses, 6);
	for (size_t k = MANY; k-- > 0;) {
		CHECK_EQ(load(file, k * 7 % MANY, 1), 0);
		CHECK(!memcmp(got, want + k * 7 % MANY * BLOCK, BLOCK));
	}
	end();
}

/* What was settled is let be, also what could not be. */
static void test_settles_once(void)
{
	uint64_t slot, noise;

	begin(MANY);
	noise = fixture_file(th, "noise");
	fill_noise(want, MANY * BLOCK, 5);
	CHECK_EQ(store(noise, 0, MANY), 0);
	settle();
	slot = slot_of(file, 20);
	CHECK_EQ(slot_kind(slot), SLOT_DENSE);
	CHECK(slot_is_tried(slot_of(noise, 3)));
	CHECK_EQ(stat_of(ST_TRIED), MANY);
	settle();
	CHECK_EQ(slot_of(file, 20), slot);
	/* Until something changes. */
	CHECK_EQ(store(noise, 3, 1), 0);
	CHECK(!slot_is_tried(slot_of(noise, 3)));
	CHECK_EQ(stat_of(ST_TRIED), MANY - 1);
	settle();
	CHECK(slot_is_tried(slot_of(noise, 3)));
	check_same(noise, MANY);
	end();
}

/* Small files make small clusters, one block is compressed by itself. */
static void test_small(void)
{
	begin(2);
	settle();
	CHECK_EQ(stat_of(ST_CLUSTERS), 1);
	check_same(file, 2);
	file = fixture_file(th, "g");
	CHECK_EQ(store(file, 0, 1), 0);
	settle();
	CHECK_EQ(stat_of(ST_CLUSTERS), 1);
	CHECK(slot_is_tried(slot_of(file, 0)));
	check_same(file, 1);
	end();
}

/* Holes and same-filled blocks stay in their slots. */
static void test_between(void)
{
	begin(0);
	memset(want + 2 * BLOCK, 0, 3 * BLOCK);
	memset(want + 7 * BLOCK, 'x', BLOCK);
	CHECK_EQ(store(file, 0, 2), 0);
	CHECK_EQ(store(file, 5, 11), 0);
	settle();
	CHECK_EQ(slot_of(file, 3), 0);
	CHECK_EQ(slot_kind(slot_of(file, 7)), SLOT_SAME);
	CHECK_EQ(slot_cluster(slot_of(file, 0))->made, 0xff63);
	check_same(file, CLUSTER_BLOCKS);
	end();
}

/* A block that is written leaves; what is left of less than half follows. */
static void test_writing(void)
{
	begin(CLUSTER_BLOCKS);
	settle();
	for (size_t k = 0; k < 8; k++) {
		fill_text(want + 2 * k * BLOCK, BLOCK, k + 77);
		CHECK_EQ(store(file, 2 * k, 1), 0);
		CHECK_EQ(stat_of(ST_DENSE), CLUSTER_BLOCKS - 1 - (int)k);
		check_same(file, CLUSTER_BLOCKS);
	}
	CHECK_EQ(store(file, 1, 1), 0);
	CHECK_EQ(stat_of(ST_DENSE), 0);
	CHECK_EQ(stat_of(ST_CLUSTERS), 0);
	check_same(file, CLUSTER_BLOCKS);
	/* And all of them settle anew. */
	settle();
	CHECK_EQ(stat_of(ST_DENSE), CLUSTER_BLOCKS);
	check_same(file, CLUSTER_BLOCKS);
	end();
}

/* What was written joins what is left of a cluster. */
static void test_joins(void)
{
	begin(CLUSTER_BLOCKS);
	settle();
	fill_text(want + 3 * BLOCK, 2 * BLOCK, 9);
	CHECK_EQ(store(file, 3, 2), 0);
	CHECK_EQ(stat_of(ST_DENSE), CLUSTER_BLOCKS - 2);
	settle();
	CHECK_EQ(stat_of(ST_DENSE), CLUSTER_BLOCKS);
	CHECK_EQ(stat_of(ST_CLUSTERS), 1);
	check_same(file, CLUSTER_BLOCKS);
	end();
}

static void cut(uint64_t nodeid, size_t size)
{
	struct stat st = {.st_size = (off_t)size};
	struct tx *tx = tx_begin(th);
	struct zinode *i;

	CHECK_EQ(fixture_end(tx, zsfs_setattr(tx, nodeid, &st, SET_SIZE, &i)),
		 0);
	tidy_clusters(th);
	check_verify();
	reap_all(th);
	check_verify();
}

static void test_cutting(void)
{
	begin(MANY);
	settle();
	cut(file, (3 * CLUSTER_BLOCKS + 7) * BLOCK - 100);
	CHECK_EQ(stat_of(ST_CLUSTERS), 3);
	CHECK_EQ(load(file, 0, MANY), 0);
	CHECK(!memcmp(got, want, (3 * CLUSTER_BLOCKS + 7) * BLOCK - 100));
	cut(file, BLOCK);
	CHECK_EQ(stat_of(ST_CLUSTERS), 0);
	cut(file, 0);
	CHECK_EQ(fixture_objects(fs), objects);
	end();
}

/* Of a file with many levels and clusters, no cluster is divided. */
static void test_cutting_large(void)
{
	begin(0);
	for (size_t k = 0; k < 40; k++) {
		size_t done;
		struct tx *tx = tx_begin(th);

		CHECK_EQ(
			fixture_end(tx, zsfs_write(tx, file, want, MANY * BLOCK,
						   k * MANY * BLOCK, 0, &done)),
			0);
	}
	settle();
	for (size_t n = 40 * MANY; n > 100; n -= n / 3 + 1)
		cut(file, n * BLOCK);
	CHECK_EQ(load(file, 0, 83), 0);
	CHECK(!memcmp(got, want, 83 * BLOCK));
	end();
}

static void test_punching(void)
{
	uint64_t at = 4 * BLOCK + 10;
	struct zinode *i;
	struct tx *tx;

	begin(2 * CLUSTER_BLOCKS);
	settle();
	tx = tx_begin(th);
	CHECK_EQ(file_lock(tx, file, LOCK_EXCL, &i), 0);
	inode_save(tx, i);
	CHECK_EQ(file_punch(tx, i, &at, 20 * BLOCK), 0);
	inode_note_stored(tx, i);
	tidy_note(tx, i, 4, 19);
	tx_commit(tx);
	check_verify();
	tidy_clusters(th);
	memset(want + 4 * BLOCK + 10, 0, 16 * BLOCK - 10);
	check_same(file, 2 * CLUSTER_BLOCKS);
	/* Four of 16 were left in the first, twelve in the second. */
	CHECK_EQ(stat_of(ST_DENSE), 12);
	end();
}

static void test_copying(void)
{
	struct copy c = {.from = file, .len = sizeof(want)};
	size_t done;
	struct tx *tx;

	begin(MANY);
	settle();
	c.from = file;
	c.to = fixture_file(th, "copy");
	tx = tx_begin(th);
	CHECK_EQ(fixture_end(tx, zsfs_copy(tx, &c, &done)), 0);
	CHECK_EQ(done, MANY * BLOCK);
	check_same(c.to, MANY);
	CHECK_EQ(stat_of(ST_DENSE), MANY);
	end();
}

/*
 * A copy says all that it did: also the hole in front of a part of a block that
 * is damaged.
 */
static void test_copying_up_to_damage(void)
{
	struct copy c = {.len = 20 * BLOCK + 100};
	struct table_cursor at;
	struct stat st = {.st_size = (off_t)c.len};
	struct tx *tx;
	struct zinode *i;
	size_t done;

	begin(2);
	c.from = file;
	tx = tx_begin(th);
	CHECK_EQ(fixture_end(tx, zsfs_setattr(tx, file, &st, SET_SIZE, &i)), 0);
	c.to = fixture_file(th, "copy");
	CHECK_EQ(store(c.to, 0, MANY), 0);
	fs->verify_tx = NULL; /* damage is no fault of requests */
	at = table_cursor(&inode_resolve(fs, c.to)->file.blocks);
	*table_at(&at, 20) ^= UINT64_C(1) << 48;
	tx = tx_begin(th);
	CHECK_EQ(fixture_end(tx, zsfs_copy(tx, &c, &done)), 0);
	CHECK_EQ(done, 20 * BLOCK);
	CHECK_EQ(load(c.to, 20, 1), -EIO);
	*table_at(&at, 20) ^= UINT64_C(1) << 48;
	memset(want + 2 * BLOCK, 0, 18 * BLOCK);
	check_same(c.to, MANY);
	end();
}

/*
 * A flipped bit of a piece is EIO for the blocks of its cluster, and no other,
 * also where the frame says the same with it as without.
 */
static void test_flipped_bits(void)
{
	struct zs_obj_info info;
	const struct cluster *cl;
	uint8_t *bytes;

	begin(3 * CLUSTER_BLOCKS);
	settle();
	cl = slot_cluster(slot_of(file, CLUSTER_BLOCKS));
	for (unsigned k = 0; k < cluster_pieces(cl->len); k++) {
		bytes = (uint8_t *)(uintptr_t)zs_obj_read_begin(
			fs->pool, th->at, cl->piece[k], &info);
		zs_obj_read_end(fs->pool, th->at);
		for (unsigned bit = 0; bit < info.size * 8; bit += 31) {
			bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
			for (size_t b = 0; b < 3 * CLUSTER_BLOCKS; b += 5) {
				bool bad = b / CLUSTER_BLOCKS == 1;

				CHECK_EQ(load(file, b, 1), bad ? -EIO : 0);
				CHECK(bad ||
				      !memcmp(got, want + b * BLOCK, BLOCK));
			}
			bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
	}
	check_same(file, 3 * CLUSTER_BLOCKS);
	end();
}

/* Make block @block a hole. */
static void punch(size_t block)
{
	uint64_t at = block * BLOCK;
	struct zinode *i;
	struct tx *tx = tx_begin(th);

	CHECK_EQ(file_lock(tx, file, LOCK_EXCL, &i), 0);
	inode_save(tx, i);
	CHECK_EQ(file_punch(tx, i, &at, at + BLOCK), 0);
	inode_note_stored(tx, i);
	tx_commit(tx);
	memset(want + block * BLOCK, 0, BLOCK);
}

/* A descriptor that names other places, but as many, gives no block. */
static void test_other_places(void)
{
	struct cluster *cl;

	begin(CLUSTER_BLOCKS);
	punch(5);
	settle();
	check_same(file, CLUSTER_BLOCKS);
	cl = slot_cluster(slot_of(file, 0));
	CHECK_EQ(cl->made, 0xffff ^ 1 << 5);
	for (unsigned other = 0; other < CLUSTER_BLOCKS; other++) {
		cl->made = (uint16_t)(0xffff ^ 1 << other);
		for (size_t b = 0; b < CLUSTER_BLOCKS; b++)
			if (b != 5)
				CHECK_EQ(load(file, b, 1),
					 other == 5 ? 0 : -EIO);
	}
	cl->made = 0xffff ^ 1 << 5;
	check_same(file, CLUSTER_BLOCKS);
	end();
}

/* ---- warming ---- */

/* As requests do: read or write, answer, see to what was noted. */
static void visit(uint64_t nodeid, size_t block, size_t n)
{
	CHECK_EQ(load(nodeid, block, n), 0);
	CHECK(!memcmp(got, want + block * BLOCK, n * BLOCK));
	warm_step(th);
}

static void test_warms(void)
{
	begin(MANY);
	settle();
	visit(file, 21, 1);
	visit(file, 18, 1);
	CHECK_EQ(stat_of(ST_WARMED), 0);
	visit(file, 30, 1);
	CHECK_EQ(stat_of(ST_WARMED), CLUSTER_BLOCKS);
	CHECK_EQ(stat_of(ST_DENSE), MANY - CLUSTER_BLOCKS);
	CHECK_EQ(stat_of(ST_FREED), 0);
	CHECK_EQ(stat_of(ST_BLOCKS), MANY);
	CHECK_EQ(slot_kind(slot_of(file, 16)), SLOT_OBJECT);
	CHECK_EQ(slot_kind(slot_of(file, 15)), SLOT_DENSE);
	CHECK_EQ(slot_kind(slot_of(file, 32)), SLOT_DENSE);
	check_same(file, MANY);
	/* What is warm may settle again. */
	settle();
	CHECK_EQ(stat_of(ST_DENSE), MANY);
	CHECK_EQ(stat_of(ST_SETTLED), MANY + CLUSTER_BLOCKS);
	check_same(file, MANY);
	end();
}

static void test_writing_warms(void)
{
	begin(CLUSTER_BLOCKS);
	settle();
	for (size_t k = 0; k < 3; k++) {
		CHECK_EQ(stat_of(ST_WARMED), 0);
		CHECK_EQ(store(file, 2 * k + 1, 1), 0);
		warm_step(th);
	}
	CHECK_EQ(stat_of(ST_WARMED), CLUSTER_BLOCKS - 3);
	CHECK_EQ(stat_of(ST_DENSE), 0);
	check_same(file, CLUSTER_BLOCKS);
	end();
}

/* However often: in small steps, in large ones, by several in turns. */
static void test_sequence_stays_dense(void)
{
	static const size_t step[] = {1, 2, 3, 5, CLUSTER_BLOCKS, MANY};

	begin(MANY);
	settle();
	for (size_t s = 0; s < 6; s++)
		for (size_t round = 0; round < 4; round++)
			for (size_t k = 0; k < MANY; k += step[s])
				visit(file, k,
				      k + step[s] < MANY ? step[s] : MANY - k);
	CHECK_EQ(stat_of(ST_WARMED), 0);
	CHECK_EQ(stat_of(ST_DENSE), MANY);
	end();
}

/* Where the file has gone, been cut or written there is less to do, or none. */
static void test_warming_late(void)
{
	struct tx *tx;

	begin(2 * CLUSTER_BLOCKS);
	settle();
	warm_ask(th, file, 5);
	cut(file, 4 * BLOCK);
	warm_step(th);
	CHECK_EQ(stat_of(ST_DENSE), 0);
	warm_ask(th, file, 5);
	warm_step(th);
	check_same(file, 4);
	tx = tx_begin(th);
	CHECK_EQ(fixture_end(tx, zsfs_unlink(tx, ROOT_NODEID, "f")), 0);
	zsfs_forget(th, file, UINT64_MAX, NULL);
	reap_all(th);
	warm_ask(th, file, 0);
	warm_step(th);
	end();
}

/*
 * Clusters wait for another thread; who finds that too many do has to help, and
 * what it asked for is forgotten.
 */
static void test_warming_queue(void)
{
	unsigned n = 0;

	begin(2 * CLUSTER_BLOCKS);
	settle();
	do {
		warm_ask(th, file, 0);
		n++;
	} while (!th->warm_queue_full && n < 1000);
	CHECK(n > 8 && n < 1000);
	CHECK_EQ(stat_of(ST_WARMED), 0);
	CHECK(warm_step(th));
	CHECK(!th->warm_queue_full);
	CHECK_EQ(stat_of(ST_WARMED), CLUSTER_BLOCKS);
	warm_ask(th, file, CLUSTER_BLOCKS);
	CHECK(!th->warm_queue_full);
	while (--n)
		CHECK(warm_step(th));
	CHECK(!warm_step(th));
	CHECK_EQ(stat_of(ST_WARMED), 2 * CLUSTER_BLOCKS);
	check_same(file, 2 * CLUSTER_BLOCKS);
	end();
}

/* A bad cluster is let be, with what was written beside it. */
static void test_bad_cluster_stays(void)
{
	struct zs_obj_info info;
	const struct cluster *cl;
	uint8_t *bytes;

	begin(CLUSTER_BLOCKS);
	settle();
	CHECK_EQ(store(file, 3, 1), 0);
	cl = slot_cluster(slot_of(file, 0));
	bytes = (uint8_t *)(uintptr_t)zs_obj_read_begin(fs->pool, th->at,
							cl->piece[0], &info);
	zs_obj_read_end(fs->pool, th->at);
	bytes[9] ^= 1;
	zcomp_kept(th->zc)->size = 0;
	settle();
	CHECK_EQ(stat_of(ST_DENSE), CLUSTER_BLOCKS - 1);
	CHECK_EQ(load(file, 3, 1), 0);
	CHECK_EQ(load(file, 4, 1), -EIO);
	bytes[9] ^= 1;
	settle();
	CHECK_EQ(stat_of(ST_DENSE), CLUSTER_BLOCKS);
	check_same(file, CLUSTER_BLOCKS);
	end();
}

static void check_found(const char *what)
{
	char msg[256] = "";

	CHECK_EQ(zsfs_verify(fs, msg, sizeof(msg)), -EUCLEAN);
	if (!strstr(msg, what))
		CHECK_FAILED("found \"%s\", not \"%s\"", msg, what);
}

static void test_verify_finds(void)
{
	struct cluster *cl, was;
	uint32_t piece;

	begin(2 * CLUSTER_BLOCKS);
	settle();
	cl = slot_cluster(slot_of(file, 0));
	was = *cl;
	cl->live = 0xfffe;
	check_found("does not know of it");
	cl->live = was.live;
	cl->made = 0x7fff;
	check_found("does not know of it");
	cl->made = was.made;
	cl->mark++;
	check_found("is another group's");
	cl->mark = was.mark;
	cl->len++;
	check_found("of something else");
	cl->len = 0;
	check_found("has no length");
	cl->len = 60000;
	check_found("has no length");
	cl->len = was.len;
	cl->sum++;
	check_found("of something else");
	cl->sum = was.sum;
	piece = cl->piece[0];
	cl->piece[0] = slot_cluster(slot_of(file, CLUSTER_BLOCKS))->piece[0];
	check_found("of something else");
	cl->piece[0] = piece + 100000;
	check_found("is not live");
	cl->piece[0] = piece;
	end();
}

/* Memory is short: there are @room bytes more than the least. */
static void begin_full(size_t room)
{
	struct zsfs_params p = {
		.comp = {ZCOMP_LZ4, 1},
		.chain_size = ZS_DEFAULT_CHAIN_SIZE,
		.nr_threads = 1,
		.mode = 0755,
		.no_huge = true,
		.mem_limit = zsfs_min_mem_limit(1) + room,
	};

	CHECK_EQ(zsfs_create(&p, &fs), 0);
	th = &fs->threads[0];
	file = fixture_file(th, "f");
}

/* Memory that is full is full, and nothing is lost by settling then. */
static void test_full(void)
{
	struct zs_pool_stats before, after;
	uint64_t files[4000];
	size_t n = 0;

	begin_full(0);
	fill_text(want, sizeof(want), 3);
	for (;; n++) {
		char name[16];

		REQUIRE(n < 4000);
		snprintf(name, sizeof(name), "%zu", n);
		files[n] = fixture_file(th, name);
		if (store(files[n], 0, CLUSTER_BLOCKS))
			break;
	}
	REQUIRE(n > 10);
	zs_pool_get_stats(fs->pool, &before);
	settle();
	zs_pool_get_stats(fs->pool, &after);
	CHECK(after.payload < before.payload * 7 / 8);
	CHECK(after.pages_used < before.pages_used);
	for (size_t k = 0; k < n; k++)
		CHECK_EQ(load(files[k], 0, CLUSTER_BLOCKS), 0);
	CHECK_EQ(store(files[n], 0, CLUSTER_BLOCKS), 0);
	end();
}

/* Half of each block is noise: its cluster's frame is half as long as it. */
static void fill_half(uint8_t *p, size_t blocks, uint64_t seed)
{
	for (size_t k = 0; k < blocks; k++, p += BLOCK) {
		fill_text(p, BLOCK / 2, seed + k);
		fill_noise(p + BLOCK / 2, BLOCK / 2, seed + k);
	}
}

/* Single blocks of noise, until no more is stored. */
static void fill_memory(void)
{
	static uint8_t noise[BLOCK];
	uint64_t last = fixture_file(th, "last");
	size_t done = BLOCK;

	for (uint64_t k = 0; done == BLOCK; k++) {
		struct tx *tx = tx_begin(th);
		int err;

		fill_noise(noise, BLOCK, k);
		err = zsfs_write(tx, last, noise, BLOCK, k * BLOCK, 0, &done);
		if (fixture_end(tx, err))
			break;
	}
}

/*
 * Each block that is copied over what has settled makes a cluster anew where
 * memory is full: the copy ends short then, and goes on.
 */
static void test_copying_full(void)
{
	struct copy c = {.len = sizeof(want)};
	size_t done = 1;

	begin_full((size_t)8 << 20);
	c.from = fixture_file(th, "from");
	c.to = file;
	fill_half(want, MANY, 1);
	CHECK_EQ(store(file, 0, MANY), 0);
	fill_half(want, MANY, 1000);
	CHECK_EQ(store(c.from, 0, MANY), 0);
	settle();
	fill_memory();
	while (done && c.len) {
		struct tx *tx = tx_begin(th);

		CHECK_EQ(fixture_end(tx, zsfs_copy(tx, &c, &done)), 0);
		c.from_off += done;
		c.to_off += done;
		c.len -= done;
	}
	CHECK_EQ(c.len, 0);
	check_same(file, MANY);
	end();
}

/* Less than an eighth of memory is free: what is dense stays. */
static void test_no_room_to_warm(void)
{
	begin(CLUSTER_BLOCKS);
	settle();
	fs->super->pressure_used = 1;
	warm_ask(th, file, 0);
	warm_step(th);
	fs->super->pressure_used = 0;
	CHECK_EQ(stat_of(ST_DENSE), CLUSTER_BLOCKS);
	fs->super->mem_limit = UINT64_C(1) << 50;
	arena_set_limit(fs->arena, UINT64_C(32) << 20);
	warm_ask(th, file, 0);
	warm_step(th);
	CHECK_EQ(stat_of(ST_DENSE), CLUSTER_BLOCKS);
	fs->super->mem_limit = UINT64_C(32) << 20;
	warm_ask(th, file, 0);
	warm_step(th);
	CHECK_EQ(stat_of(ST_DENSE), 0);
	check_same(file, CLUSTER_BLOCKS);
	end();
}

#if ZS_DEBUG_LEVEL >= 1
/* As of settling: each allocation fails once. */
static void test_no_memory_to_warm(void)
{
	unsigned n = 0;

	do {
		begin(CLUSTER_BLOCKS);
		settle();
		fixture_fail_at(++n);
		warm_ask(th, file, 0);
		warm_step(th);
		if (fixture_has_failed())
			CHECK_EQ(stat_of(ST_DENSE), CLUSTER_BLOCKS);
		fixture_fail_at(0);
		check_same(file, CLUSTER_BLOCKS);
		if (!stat_of(ST_DENSE)) {
			end();
			break;
		}
		end();
	} while (n < 100);
	CHECK(n > 3 && n < 100);
}

/* Each allocation fails once: all is as before, or settled. */
static void test_no_memory(void)
{
	unsigned n = 0;

	do {
		begin(CLUSTER_BLOCKS + 1);
		fixture_fail_at(++n);
		settle();
		check_same(file, CLUSTER_BLOCKS + 1);
		fixture_fail_at(fixture_has_failed() ? 0 : 1000);
		if (zs_fail_hook) {
			fixture_fail_at(0);
			end();
			break;
		}
		settle();
		CHECK_EQ(stat_of(ST_DENSE), CLUSTER_BLOCKS);
		end();
	} while (n < 100);
	CHECK(n > 3 && n < 100);
}

/* A library that fails leaves the blocks as they are, for the next time. */
static bool always(void)
{
	return true;
}

static void test_codec_fails(void)
{
	begin(CLUSTER_BLOCKS);
	zcomp_fail_hook = always;
	settle();
	zcomp_fail_hook = NULL;
	CHECK_EQ(stat_of(ST_DENSE) + stat_of(ST_TRIED), 0);
	settle();
	CHECK_EQ(stat_of(ST_DENSE), CLUSTER_BLOCKS);
	end();
}
#endif

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		CHECK_CASE(test_settles),
		CHECK_CASE(test_reads_once),
		CHECK_CASE(test_settles_once),
		CHECK_CASE(test_small),
		CHECK_CASE(test_between),
		CHECK_CASE(test_writing),
		CHECK_CASE(test_joins),
		CHECK_CASE(test_cutting),
		CHECK_CASE(test_cutting_large),
		CHECK_CASE(test_punching),
		CHECK_CASE(test_copying),
		CHECK_CASE(test_copying_up_to_damage),
		CHECK_CASE(test_flipped_bits),
		CHECK_CASE(test_other_places),
		CHECK_CASE(test_bad_cluster_stays),
		CHECK_CASE(test_warms),
		CHECK_CASE(test_warming_queue),
		CHECK_CASE(test_writing_warms),
		CHECK_CASE(test_sequence_stays_dense),
		CHECK_CASE(test_warming_late),
		CHECK_CASE(test_no_room_to_warm),
		CHECK_CASE(test_verify_finds),
		CHECK_CASE(test_full),
		CHECK_CASE(test_copying_full),
#if ZS_DEBUG_LEVEL >= 1
		CHECK_CASE(test_no_memory),
		CHECK_CASE(test_no_memory_to_warm),
		CHECK_CASE(test_codec_fails),
#endif
	};

	return CHECK_MAIN(cases, argc, argv);
}
