/* SPDX-License-Identifier: BSD-3-Clause */
/* Inodes being made, while somebody has the nodeid of what was there before. */
#include "check.h"
#include "content/file.h"
#include "fs_fixture.h"
#include "tree/reap.h"
#include "state/zsfs.h"
#include "state/inode.h"
#include "state/tx.h"
#include "tree/namei.h"
#include "volume/volume.h"
#include "volume/verify_fs.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

static struct zsfs *fs;

static void stop(void)
{
	char msg[512];

	if (zsfs_verify(fs, msg, sizeof(msg)))
		CHECK_FAILED("%s", msg);
	zsfs_close(fs);
}

static struct tx *make(const char *name, struct zinode **i)
{
	struct new_inode spec = {.mode = S_IFDIR | 0755};
	struct tx *tx = tx_begin(&fs->threads[0]);

	REQUIRE(!zsfs_make(tx, ROOT_NODEID, name, &spec, i));
	return tx;
}

/* A nodeid of which nothing is left, and whose place is the next to be used. */
static uint64_t stale_nodeid(void)
{
	struct zinode *i;
	uint64_t nodeid;
	struct tx *tx = make("d", &i);

	nodeid = inode_nodeid(fs, i);
	tx_commit(tx);
	tx = tx_begin(&fs->threads[0]);
	REQUIRE(!zsfs_rmdir(tx, ROOT_NODEID, "d"));
	tx_commit(tx);
	zsfs_forget(&fs->threads[0], nodeid, 1, NULL);
	CHECK(!inode_resolve(fs, nodeid));
	return nodeid;
}

/* As a file server does for a handle, from another thread. */
static int look_up(uint64_t nodeid, const char *name)
{
	struct tx *tx = tx_begin(zsfs_background(fs));
	struct zinode *i;
	int err = zsfs_lookup(tx, nodeid, name, &i);

	return fixture_end(tx, err);
}

static void test_not_found_half_made(void)
{
	uint64_t nodeid;
	struct zinode *i;
	struct tx *tx;

	fs = fixture_fs();
	nodeid = stale_nodeid();
	tx = tx_begin(&fs->threads[0]);
	REQUIRE(!inode_new(tx, S_IFDIR | 0755, 0, 0, 0, &i));
	REQUIRE(inode_nodeid(fs, i) == nodeid);
	i->nlink = 2;
	i->nlookup = 1;
	CHECK(!inode_resolve(fs, nodeid));
	CHECK_EQ(look_up(nodeid, "."), -ESTALE);
	CHECK_EQ(look_up(nodeid, ".."), -ESTALE);
	tx_abort(tx, 0);
	CHECK(!inode_resolve(fs, nodeid));
	stop();
}

struct looker {
	uint64_t nodeid;
	const char *name;
	int result; /* atomic; 1 = not yet */
};

static void *looker_main(void *arg)
{
	struct looker *l = arg;

	__atomic_store_n(&l->result, look_up(l->nodeid, l->name),
			 __ATOMIC_RELEASE);
	return NULL;
}

/* Look while another thread makes the inode that is then there, or is not. */
static int look_up_meanwhile(const char *name, bool commit)
{
	struct looker l = {.name = name, .result = 1};
	pthread_t thread;
	struct zinode *i;
	struct tx *tx;

	l.nodeid = stale_nodeid();
	tx = make("e", &i);
	REQUIRE(inode_nodeid(fs, i) == l.nodeid);
	REQUIRE(!pthread_create(&thread, NULL, looker_main, &l));
	usleep(50000);
	CHECK_EQ(__atomic_load_n(&l.result, __ATOMIC_ACQUIRE), 1);
	if (commit)
		tx_commit(tx);
	else
		tx_abort(tx, 0);
	pthread_join(thread, NULL);
	return l.result;
}

static void test_wait_for_the_maker(void)
{
	static const char *const names[] = {".", ".."};

	for (unsigned k = 0; k < 2; k++) {
		fs = fixture_fs();
		CHECK_EQ(look_up_meanwhile(names[k], false), -ESTALE);
		CHECK_EQ(look_up_meanwhile(names[k], true), 0);
		stop();
	}
}

/* Neither by failing nor by place is a number given out twice. */
static void test_numbers(void)
{
	uint64_t last = 0;

	fs = fixture_fs();
	CHECK_EQ(inode_number(inode_resolve(fs, ROOT_NODEID)), 1);
	for (unsigned k = 0; k < 100; k++) {
		struct zinode *i;
		struct tx *tx = make("f", &i);
		uint64_t nodeid = inode_nodeid(fs, i);
		bool keep = k % 2;

		CHECK(inode_number(i) > last);
		last = inode_number(i);
		if (!keep) {
			tx_abort(tx, 0);
			continue;
		}
		tx_commit(tx);
		tx = tx_begin(&fs->threads[0]);
		CHECK_EQ(zsfs_rmdir(tx, ROOT_NODEID, "f"), 0);
		tx_commit(tx);
		zsfs_forget(&fs->threads[0], nodeid, 1, NULL);
	}
	/* Also beyond 32 bits. */
	fs->super->last_gen = UINT64_C(0xffffffff);
	for (unsigned k = 0; k < 2; k++) {
		struct zinode *i;
		struct tx *tx = make(k ? "g" : "h", &i);

		CHECK_EQ(inode_number(i), UINT64_C(0x100000000) + k);
		tx_commit(tx);
	}
	stop();
}

/* ---- what files take; not where each commit is checked ---- */

#if ZS_DEBUG_LEVEL < 2

#define MANY 40000u

/* *@tables: that of them, which is kept. */
static uint64_t memory_in_use(uint64_t *tables)
{
	struct arena_stats st;

	arena_get_stats(fs->arena, &st);
	*tables = st.window_bytes;
	return st.used - st.free_pages * ARENA_PAGE_SIZE - st.window_bytes;
}

static void make_file(const char *name, size_t size)
{
	uint64_t nodeid = fixture_file(&fs->threads[0], name);
	uint8_t data[64];
	struct tx *tx;
	size_t done;

	for (size_t k = 0; k < size; k++)
		data[k] = (uint8_t)(nodeid * 31 + k * k * 97);
	tx = tx_begin(&fs->threads[0]);
	REQUIRE(!zsfs_write(tx, nodeid, data, size, 0, 0, &done));
	tx_commit(tx);
	zsfs_forget(&fs->threads[0], nodeid, 1, NULL);
}

static void remove_file(const char *name)
{
	struct tx *tx = tx_begin(&fs->threads[0]);

	REQUIRE(!zsfs_unlink(tx, ROOT_NODEID, name));
	tx_commit(tx);
}

/* Bytes of memory a file of @size bytes takes beside its name of @len. */
static uint64_t memory_of_file(int len, size_t size)
{
	uint64_t before, taken, tables, tables_now;
	char name[256];

	fs = fixture_fs();
	before = memory_in_use(&tables);
	for (unsigned k = 0; k < MANY; k++) {
		snprintf(name, sizeof(name), "%0*u", len, k);
		make_file(name, size);
	}
	taken = memory_in_use(&tables_now) - before + tables_now - tables;
	for (unsigned k = 0; k < MANY; k++) {
		snprintf(name, sizeof(name), "%0*u", len, k);
		remove_file(name);
	}
	arena_trim(fs->arena, fs->threads[0].at, true, true);
	CHECK_EQ(memory_in_use(&tables), before);
	stop();
	fprintf(stderr, "# %zu bytes with a name of %d: %.1f\n", size, len,
		(double)taken / MANY - len);
	return taken / MANY - (uint64_t)len;
}

static void test_memory_of_files(void)
{
	static const int lens[] = {5, 8, 9, 17, 73, 105, 255};

	for (size_t k = 0; k < sizeof(lens) / sizeof(lens[0]); k++)
		CHECK(memory_of_file(lens[k], 0) <= 200);
	CHECK(memory_of_file(8, 10) <= 300);
	CHECK(memory_of_file(9, 64) <= 350);
}

#endif

static const struct check_case cases[] = {
	CHECK_CASE(test_not_found_half_made),
	CHECK_CASE(test_wait_for_the_maker),
	CHECK_CASE(test_numbers),
#if ZS_DEBUG_LEVEL < 2
	CHECK_CASE(test_memory_of_files),
#endif
};

int main(int argc, char **argv)
{
	return CHECK_MAIN(cases, argc, argv);
}
