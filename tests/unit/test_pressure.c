/* SPDX-License-Identifier: BSD-3-Clause */
/* Limits while memory is short, however often it begins. */
#include "check.h"
#include "state/shared_page.h"
#include "serve/pressure.h"
#include "tree/reap.h"
#include "state/zsfs.h"
#include "state/inode.h"
#include "state/tx.h"
#include "state/mem_limit.h"
#include "zsmalloc.h"
#include "tree/namei.h"
#include "content/file.h"
#include "volume/volume.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB(n) ((uint64_t)(n) << 20)

static struct zsfs *fs;
static struct shared_page *k;

static void start(uint64_t mem_limit)
{
	struct zsfs_params p = {
		.nr_threads = 1,
		.mem_limit = mem_limit,
		.mode = 0755,
		.comp = {ZCOMP_LZ4, 1},
		.chain_size = ZS_DEFAULT_CHAIN_SIZE,
		.no_huge = true,
	};

	REQUIRE(!zsfs_create(&p, &fs));
	REQUIRE(!shared_page_create(1, 4096, false, &k));
	fs->shared = k;
	shared_page_take_spare(k);
	REQUIRE(k->worker.spare == SPARE_HELD);
}

static void stop(void)
{
	close(k->fd.buffers);
	fs->shared = NULL;
	zsfs_close(fs);
}

static struct arena_stats stats(void)
{
	struct arena_stats st;

	arena_get_stats(fs->arena, &st);
	return st;
}

/* A file of @blocks blocks that do not compress; what the last write said. */
static int fill(const char *name, unsigned blocks)
{
	struct zsfs_thread *th = &fs->threads[0];
	struct new_inode spec = {.mode = S_IFREG | 0644};
	struct tx *tx = tx_begin(th);
	struct zinode *ino;
	uint32_t data[ZSFS_BLOCK_SIZE / 4];
	uint64_t nodeid;
	int err = zsfs_make(tx, ROOT_NODEID, name, &spec, &ino);

	if (err)
		return tx_abort(tx, err);
	nodeid = inode_nodeid(fs, ino);
	tx_commit(tx);
	for (unsigned b = 0; !err && b < blocks; b++) {
		size_t done;

		for (unsigned i = 0; i < ZSFS_BLOCK_SIZE / 4; i++)
			data[i] = (uint32_t)rand();
		tx = tx_begin(th);
		err = zsfs_write(tx, nodeid, data, sizeof(data),
				 (uint64_t)b * sizeof(data), 0, &done);
		if (err)
			tx_abort(tx, err);
		else
			tx_commit(tx);
	}
	return err;
}

static void remove_file(const char *name)
{
	struct zsfs_thread *th = &fs->threads[0];
	struct tx *tx = tx_begin(th);
	struct zinode *ino;
	uint64_t nodeid;

	CHECK_EQ(zsfs_lookup(tx, ROOT_NODEID, name, &ino), 0);
	nodeid = inode_nodeid(fs, ino);
	tx_commit(tx);
	tx = tx_begin(th);
	CHECK_EQ(zsfs_unlink(tx, ROOT_NODEID, name), 0);
	tx_commit(tx);
	zsfs_forget(th, nodeid, 2, NULL);
	reap_all(th);
}

/* As statistics do, beyond what there was; 1 MiB. */
static void use_reserve(void)
{
	struct zsfs_thread *th = &fs->threads[0];
	struct tx *tx = tx_begin(th);

	tx_raise_policy(tx, ALLOC_SHRINK);
	for (int i = 0; i < 32; i++)
		CHECK_EQ(tx_run_alloc(tx, 8, tx_alloc_ref(tx)), 0);
	tx_commit(tx);
}

static void test_new_content_stops(void)
{
	uint64_t used;

	start(0);
	CHECK_EQ(fill("a", 4096), 0);
	pressure_begin(fs);
	used = stats().used;
	CHECK_EQ(k->worker.spare, SPARE_GIVEN);
	CHECK_EQ(fs->super->pressure_used, used);
	CHECK_EQ(stats().limit, used + stats().reserve);
	CHECK_EQ(fill("b", 4096), -ENOSPC);
	CHECK(stats().used <= used);
	pressure_end(fs);
	CHECK_EQ(stats().limit, 0);
	CHECK_EQ(fill("c", 4096), 0);
	stop();
}

/* Killed in it, or again for want of memory: no more, and no less. */
static void test_begun_again(void)
{
	struct arena_stats first, again;

	start(0);
	CHECK_EQ(fill("a", 4096), 0);
	pressure_begin(fs);
	first = stats();
	use_reserve();
	CHECK(stats().used > first.used);
	pressure_begin(fs);
	again = stats();
	CHECK_EQ(again.limit, first.limit);
	CHECK_EQ(again.reserve, first.reserve);
	stop();
}

static void test_mem_limit_meanwhile(void)
{
	uint64_t used;

	start(MIB(256));
	CHECK_EQ(fill("a", 4096), 0);
	pressure_begin(fs);
	used = fs->super->pressure_used;
	CHECK_EQ(zsfs_set_mem_limit(fs, 0), 0);
	CHECK_EQ(stats().limit, used + stats().reserve);
	CHECK_EQ(zsfs_set_mem_limit(fs, MIB(512)), 0);
	CHECK_EQ(stats().limit, used + stats().reserve);
	CHECK_EQ(zsfs_set_mem_limit(fs, MIB(16)), 0);
	CHECK_EQ(stats().limit, MIB(16));
	CHECK_EQ(zsfs_set_mem_limit(fs, MIB(512)), 0);
	pressure_end(fs);
	CHECK_EQ(stats().limit, MIB(512));
	stop();
}

/* A successor puts right what was half done. */
static void test_half_set(void)
{
	start(MIB(256));
	arena_set_limit(fs->arena, MIB(1));
	pressure_look(fs, 0);
	CHECK_EQ(stats().limit, MIB(256));
	stop();
}

/* A limit below what is in use must not lock anybody out. */
static void test_limit_below_use(void)
{
	uint64_t used;

	start(MIB(256));
	CHECK_EQ(fill("a", 8192), 0);
	used = stats().used;
	CHECK_EQ(zsfs_set_mem_limit(fs, MIB(16)), 0);
	CHECK_EQ(fill("b", 4096), -ENOSPC);
	use_reserve();
	CHECK(stats().used <= used + stats().reserve);
	/* Again does not mean more. */
	CHECK_EQ(zsfs_set_mem_limit(fs, MIB(16)), 0);
	CHECK(MIB(16) + fs->super->over_limit <= used + stats().reserve);
	/* Just what is in use is too little, too. */
	CHECK_EQ(zsfs_set_mem_limit(fs, stats().used), 0);
	CHECK(fs->super->over_limit > 0);
	CHECK_EQ(zsfs_set_mem_limit(fs, MIB(256)), 0);
	CHECK_EQ(fs->super->over_limit, 0);
	CHECK_EQ(fill("c", 4096), 0);
	stop();
}

/* What is deleted is not for more than the limit later. */
static void test_over_limit_falls(void)
{
	start(MIB(256));
	CHECK_EQ(fill("a", 8192), 0);
	CHECK_EQ(zsfs_set_mem_limit(fs, MIB(16)), 0);
	CHECK(zsfs_over_limit(fs) > MIB(16));
	remove_file("a");
	arena_trim(fs->arena, fs->threads[0].at, true, true);
	CHECK(stats().used < MIB(12));
	CHECK_EQ(zsfs_over_limit(fs), 0);
	stop();
}

static const struct check_case cases[] = {
	CHECK_CASE(test_new_content_stops),   CHECK_CASE(test_begun_again),
	CHECK_CASE(test_mem_limit_meanwhile), CHECK_CASE(test_half_set),
	CHECK_CASE(test_limit_below_use),     CHECK_CASE(test_over_limit_falls),
};

int main(int argc, char **argv)
{
	return CHECK_MAIN(cases, argc, argv);
}
