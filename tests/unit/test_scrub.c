/* SPDX-License-Identifier: BSD-3-Clause */
/* Scrubbing: damage is named, block by block, and nothing else is. */
#include "check.h"

#include <errno.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <unistd.h>

#include "content/block_table.h"
#include "content/file.h"
#include "content/hot.h"
#include "content/scrub.h"
#include "content/settle.h"
#include "content/slot.h"
#include "fs_fixture.h"
#include "state/counters.h"
#include "state/settings.h"
#include "state/threads.h"
#include "tree/reap.h"

#define BLOCK ((size_t)ZSFS_BLOCK_SIZE)
#define MANY  (3 * CLUSTER_BLOCKS)

static struct zsfs *fs;
static struct zsfs_thread *th;
static uint64_t file;
static uint8_t want[MANY * ZSFS_BLOCK_SIZE];

/* ---- what a scrub says ---- */

static struct {
	struct scrub_bad bad[8];
	unsigned n, blocks, nr_bad;
	void (*meanwhile)(void); /* once, after the first group */
} said;

static void on_read(void *arg, unsigned blocks, unsigned bad)
{
	void (*fn)(void) = said.meanwhile;

	said.blocks += blocks;
	said.nr_bad += bad;
	said.meanwhile = NULL;
	if (fn)
		fn();
}

static void on_bad(void *arg, const struct scrub_bad *b)
{
	if (said.n < sizeof(said.bad) / sizeof(said.bad[0]))
		said.bad[said.n++] = *b;
}

static int scrub_while(void (*meanwhile)(void))
{
	struct scrub_watch watch = {on_read, on_bad, NULL};

	memset(&said, 0, sizeof(said));
	said.meanwhile = meanwhile;
	return zsfs_scrub(th, &watch);
}

static int scrub(void)
{
	return scrub_while(NULL);
}

static void check_clean(unsigned blocks)
{
	CHECK_EQ(scrub(), 0);
	CHECK_EQ(said.blocks, blocks);
	CHECK_EQ(said.nr_bad, 0);
	CHECK_EQ(said.n, 0);
}

static void check_bad(unsigned k, uint64_t nodeid, uint64_t first,
		      uint64_t last, const char *form)
{
	const struct scrub_bad *b = &said.bad[k];

	CHECK(k < said.n);
	CHECK_EQ(b->inode, inode_number(inode_resolve(fs, nodeid)));
	CHECK_EQ(b->first, first);
	CHECK_EQ(b->last, last);
	if (strcmp(b->form, form) != 0)
		CHECK_FAILED("\"%s\", not \"%s\"", b->form, form);
}

/* ---- files, and what is done to them ---- */

static void fill(uint8_t *p, size_t size, uint64_t seed, unsigned shift)
{
	for (; size; size--, p++) {
		seed = seed * UINT64_C(6364136223846793005) + 1;
		*p = (uint8_t)(seed >> shift);
	}
}

static void store(uint64_t nodeid, size_t first, size_t n)
{
	size_t done;

	CHECK_EQ(fixture_write(th, nodeid, want + first * BLOCK, n * BLOCK,
			       first * BLOCK, &done),
		 0);
}

static int load(uint64_t nodeid, size_t block)
{
	static uint8_t got[ZSFS_BLOCK_SIZE];
	size_t done;
	struct tx *tx = tx_begin(th);
	int err = zsfs_read(tx, nodeid, got, BLOCK, block * BLOCK, &done);

	if (!err && memcmp(got, want + block * BLOCK, BLOCK))
		CHECK_FAILED("block %zu is another", block);
	return fixture_end(tx, err);
}

static uint64_t slot_of(uint64_t nodeid, uint64_t block)
{
	return table_get(&inode_resolve(fs, nodeid)->file.blocks, block);
}

static void flip_object(uint32_t handle, unsigned bit)
{
	struct zs_obj_info info;
	uint8_t *bytes = (uint8_t *)(uintptr_t)zs_obj_read_begin(
		fs->pool, th->at, handle, &info);

	zs_obj_read_end(fs->pool, th->at);
	bit %= info.size * 8;
	bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
}

static void flip(uint64_t nodeid, uint64_t block, unsigned bit)
{
	flip_object(slot_handle(slot_of(nodeid, block)), bit);
}

/* Blocks that LZ4 makes smaller, and zstd even more so. */
static void begin(size_t blocks)
{
	fs = fixture_fs();
	th = &fs->threads[0];
	file = fixture_file(th, "f");
	for (size_t k = 0; k < MANY; k++) {
		fill(want + k * BLOCK, BLOCK / 4, k + 1, 60);
		memset(want + k * BLOCK + BLOCK / 4, 'z', BLOCK / 4 * 3);
	}
	if (blocks)
		store(file, 0, blocks);
}

static void end(void)
{
	zsfs_close(fs);
}

/* ---- the tests ---- */

static void test_nothing(void)
{
	begin(0);
	check_clean(0);
	end();
}

/* Of an object, in every part of it. */
static void test_single_blocks(void)
{
	begin(MANY);
	check_clean(MANY);
	for (unsigned bit = 5; bit < 5000; bit += 773) {
		flip(file, 20, bit);
		CHECK_EQ(scrub(), 0);
		CHECK_EQ(said.blocks, MANY);
		CHECK_EQ(said.nr_bad, 1);
		CHECK_EQ(said.n, 1);
		check_bad(0, file, 20, 20, "lz4");
		CHECK_EQ(load(file, 20), -EIO);
		CHECK_EQ(load(file, 19), 0);
		flip(file, 20, bit);
	}
	check_clean(MANY);
	end();
}

/* Neighbours are one range, over the border of groups, and of one file. */
static void test_ranges(void)
{
	uint64_t other;

	begin(MANY);
	other = fixture_file(th, "g");
	store(other, 0, 3);
	for (unsigned k = 13; k < 19; k++)
		flip(file, k, k);
	flip(file, 21, 9);
	flip(file, MANY - 1, 9);
	flip(other, 0, 3);
	CHECK_EQ(scrub(), 0);
	CHECK_EQ(said.nr_bad, 9);
	CHECK_EQ(said.n, 4);
	check_bad(0, file, 13, 18, "lz4");
	check_bad(1, file, 21, 21, "lz4");
	check_bad(2, file, MANY - 1, MANY - 1, "lz4");
	check_bad(3, other, 0, 0, "lz4");
	end();
}

/* All blocks of the cluster, and none beside. */
static void test_cluster(void)
{
	const struct cluster *cl;

	begin(MANY);
	CHECK_EQ(zsfs_settle(th), 0);
	check_clean(MANY);
	/* The thread has the cluster from reading, and so takes no look at it.
	 */
	CHECK_EQ(load(file, CLUSTER_BLOCKS), 0);
	cl = slot_cluster(slot_of(file, CLUSTER_BLOCKS));
	for (unsigned k = 0; k < cluster_pieces(cl->len); k++) {
		flip_object(cl->piece[k], 4001);
		CHECK_EQ(scrub(), 0);
		CHECK_EQ(said.nr_bad, CLUSTER_BLOCKS);
		CHECK_EQ(said.n, 1);
		check_bad(0, file, CLUSTER_BLOCKS, 2 * CLUSTER_BLOCKS - 1,
			  "dense");
		for (unsigned b = 0; b < MANY; b++)
			CHECK_EQ(load(file, b),
				 b / CLUSTER_BLOCKS == 1 ? -EIO : 0);
		flip_object(cl->piece[k], 4001);
	}
	check_clean(MANY);
	/* What has left it is not of it. */
	store(file, CLUSTER_BLOCKS + 5, 1);
	cl = slot_cluster(slot_of(file, CLUSTER_BLOCKS));
	flip_object(cl->piece[0], 77);
	CHECK_EQ(scrub(), 0);
	CHECK_EQ(said.n, 2);
	check_bad(0, file, CLUSTER_BLOCKS, CLUSTER_BLOCKS + 4, "dense");
	check_bad(1, file, CLUSTER_BLOCKS + 6, 2 * CLUSTER_BLOCKS - 1, "dense");
	end();
}

/* Those in their forms that were stored so; repeated words have no sum. */
static void test_forms(void)
{
	struct zcomp_params zstd = {ZCOMP_ZSTD, 1};
	uint64_t raw, hot;

	begin(2);
	raw = fixture_file(th, "raw");
	hot = fixture_file(th, "hot");
	zsfs_set_comp(fs, &zstd);
	store(file, 4, 1);
	fill(want, BLOCK, 99, 56);
	store(raw, 0, 1);
	memset(want + 6 * BLOCK, 0, BLOCK);
	memset(want + 7 * BLOCK, 'x', BLOCK);
	store(file, 6, 2);
	zsfs_set_hot(fs, 1 << 20);
	hot_may(th, 256);
	while (hot_step(th, false) == 1)
		;
	store(hot, 8, 16);
	CHECK(slot_is_hot(slot_of(hot, 9)));
	check_clean(3 + 1 + 16);
	flip(file, 1, 1);
	flip(file, 4, 1);
	flip(raw, 0, 1);
	flip(hot, 9, 1);
	CHECK_EQ(scrub(), 0);
	CHECK_EQ(said.n, 4);
	check_bad(0, file, 1, 1, "lz4");
	check_bad(1, file, 4, 4, "zstd");
	check_bad(2, raw, 0, 0, "raw");
	check_bad(3, hot, 9, 9, "hot");
	end();
}

static void remove_file(void)
{
	struct tx *tx = tx_begin(th);

	CHECK_EQ(fixture_end(tx, zsfs_unlink(tx, ROOT_NODEID, "f")), 0);
	zsfs_forget(th, file, UINT64_MAX, NULL);
	reap_all(th);
}

/* Another inode in the place of the one that is being read. */
static void replace_file(void)
{
	remove_file();
	fixture_file(th, "g");
}

static void settle_meanwhile(void)
{
	CHECK_EQ(zsfs_settle(th), 0);
}

static void write_meanwhile(void)
{
	store(file, 20, 20);
}

static void test_meanwhile(void)
{
	void (*const fn[])(void) = {settle_meanwhile, write_meanwhile,
				    remove_file, replace_file};

	for (unsigned k = 0; k < 4; k++) {
		begin(MANY);
		CHECK_EQ(scrub_while(fn[k]), 0);
		CHECK_EQ(said.nr_bad, 0);
		CHECK_EQ(said.blocks, k < 2 ? MANY : CLUSTER_BLOCKS);
		end();
	}
}

static void *forget_file(void *forgotten)
{
	zsfs_forget(&fs->threads[1], file, UINT64_MAX, NULL);
	reap_all(&fs->threads[1]);
	__atomic_store_n((bool *)forgotten, true, __ATOMIC_SEQ_CST);
	return NULL;
}

/* What is read under the lock of a file that has lost its name stays. */
static void test_end_waits(void)
{
	struct zinode *i;
	struct tx *tx;
	pthread_t thread;
	bool forgotten = false;

	begin(MANY);
	i = inode_resolve(fs, file);
	tx = tx_begin(th);
	CHECK_EQ(fixture_end(tx, zsfs_unlink(tx, ROOT_NODEID, "f")), 0);
	inode_lock_shared(fs, i);
	REQUIRE(!pthread_create(&thread, NULL, forget_file, &forgotten));
	usleep(50000);
	CHECK(!__atomic_load_n(&forgotten, __ATOMIC_SEQ_CST));
	CHECK_EQ(table_count(&i->file.blocks, 0), MANY);
	inode_unlock(fs, i);
	pthread_join(thread, NULL);
	CHECK(forgotten);
	check_clean(0);
	end();
}

/* It leaves no trace. */
static void test_no_use(void)
{
	struct stat before, after;

	begin(MANY);
	CHECK_EQ(zsfs_settle(th), 0);
	inode_stat(inode_resolve(fs, file), &before);
	for (unsigned k = 0; k < 5; k++)
		check_clean(MANY);
	inode_stat(inode_resolve(fs, file), &after);
	CHECK_EQ(before.st_atim.tv_nsec, after.st_atim.tv_nsec);
	CHECK_EQ(zsfs_stat_sum(fs, ST_DENSE), MANY);
	CHECK_EQ(zsfs_stat_sum(fs, ST_READ_BLOCKS), 0);
	CHECK_EQ(zsfs_stat_sum(fs, ST_CORRUPT), 0);
	end();
}

static void interrupt(void)
{
	struct fuse_in_header *in = (void *)th->slot->req;

	zsfs_interrupt(fs, 76);
	CHECK(!zsfs_is_interrupted(th));
	/* No signal waits for this thread that would end it. */
	in->pid = (uint32_t)getpid();
	zsfs_interrupt(fs, 77);
	CHECK(!zsfs_is_interrupted(th));
	/* This one nobody can see. */
	in->pid = 0;
	th->interrupt_ms = 0;
	CHECK(zsfs_is_interrupted(th));
	th->interrupt_ms = 0;
}

static void test_interrupted(void)
{
	begin(MANY);
	CHECK(!zsfs_is_interrupted(th));
	/* The kernel may tell of it before the request is seen as executed. */
	zsfs_interrupt(fs, 79);
	th->slot->unique = 79;
	th->interrupt_ms = 0;
	CHECK(zsfs_is_interrupted(th));
	th->interrupt_ms = 0;
	th->slot->unique = 77;
	flip(file, 3, 3);
	CHECK_EQ(scrub_while(interrupt), -EINTR);
	CHECK_EQ(said.blocks, CLUSTER_BLOCKS);
	CHECK_EQ(said.n, 1);
	check_bad(0, file, 3, 3, "lz4");
	/* The next request is not meant. */
	th->slot->unique = 78;
	CHECK_EQ(scrub(), 0);
	CHECK_EQ(said.blocks, MANY);
	end();
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		CHECK_CASE(test_nothing),     CHECK_CASE(test_single_blocks),
		CHECK_CASE(test_ranges),      CHECK_CASE(test_cluster),
		CHECK_CASE(test_forms),	      CHECK_CASE(test_meanwhile),
		CHECK_CASE(test_end_waits),   CHECK_CASE(test_no_use),
		CHECK_CASE(test_interrupted),
	};

	return CHECK_MAIN(cases, argc, argv);
}
