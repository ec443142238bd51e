/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Operations of which each allocation in turn fails, alone or with all after
 * it: they say so, nothing has changed, and everything is in order. They find
 * blocks that were just written, that are stored as they are, and that have
 * settled.
 */
#include "check.h"
#include "fs_fixture.h"
#include "fs_look.h"
#include "content/copy.h"
#include "content/file.h"
#include "content/hot.h"
#include "content/settle.h"
#include "content/tidy.h"
#include "content/warm.h"
#include "serve/allocate.h"
#include "state/counters.h"
#include "state/inode_flags.h"
#include "state/settings.h"
#include "state/threads.h"
#include "tree/acl.h"
#include "tree/attr.h"
#include "tree/reap.h"
#include "tree/rename.h"
#include "tree/xattr.h"
#include "volume/verify_fs.h"

#include <errno.h>
#include <fcntl.h>

#define KIB(n) ((uint64_t)(n) << 10)

static struct zsfs *fs;
static struct zsfs_thread *th;
static uint64_t a, b, x, dir, nameless; /* nodeids */
static uint8_t data[KIB(256)];

/* How what is found is stored. */
static enum { WARM, HOT, SETTLED, NR_STATES } state;

/* ---- the file system that operations find ---- */

/* Lists: of an owner, a user, the group, a mask, others; and no more. */
static const uint8_t list[] = {
	2, 0, 0,   0,	1,   0,	  7,  0, 255, 255, 255, 255, 2,	  0,   6,
	0, 5, 0,   0,	0,   4,	  0,  5, 0,   255, 255, 255, 255, 16,  0,
	7, 0, 255, 255, 255, 255, 32, 0, 4,   0,   255, 255, 255, 255,
};

static int set_xattr(uint64_t nodeid, const char *name, const void *value,
		     size_t size)
{
	struct tx *tx = tx_begin(th);

	return fixture_end(tx, zsfs_setxattr(tx, nodeid, name, value, size, 0));
}

static int put(uint64_t nodeid, size_t size, uint64_t off)
{
	size_t done;

	return fixture_write(th, nodeid, data, size, off, &done);
}

static int make(uint64_t parent, const char *name, uint32_t mode,
		uint64_t *nodeid)
{
	struct new_inode spec = {.mode = mode, .target = (const char *)data};
	struct tx *tx = tx_begin(th);
	struct zinode *i = NULL;
	int err = name ? zsfs_make(tx, parent, name, &spec, &i)
		       : zsfs_make_nameless(tx, parent, &spec, &i);

	if (!err && nodeid)
		*nodeid = inode_nodeid(fs, i);
	return fixture_end(tx, err);
}

/*
 * Every third block is noise. The others begin with the same noise, which
 * compresses where there is more than one of them.
 */
static void fill_data(void)
{
	srand(7);
	for (size_t k = 0; k < sizeof(data); k++)
		data[k] = (uint8_t)(rand() % 255 + 1);
	for (size_t k = ZSFS_BLOCK_SIZE; k < sizeof(data); k++) {
		size_t at = k % ZSFS_BLOCK_SIZE;

		if (k / ZSFS_BLOCK_SIZE % 3)
			data[k] = at < 1500 ? data[at] : (uint8_t)(k / 100 + 1);
	}
	data[3000] = '\0'; /* as a target */
}

/* Memory is backed, so that blocks are hot. */
static void heat(void)
{
	zsfs_set_hot(fs, KIB(1024));
	hot_may(th, 256);
	while (hot_step(th, false) == 1)
		;
}

static void check_state(void)
{
	bool hot = zsfs_stat_sum(fs, ST_HOT), dense;

	if (state == SETTLED)
		REQUIRE(!zsfs_settle(th));
	dense = zsfs_stat_sum(fs, ST_DENSE);
	REQUIRE(hot == (state == HOT) && dense == (state == SETTLED));
}

static void start(void)
{
	fill_data();
	fs = fixture_fs();
	th = &fs->threads[0];
	if (state == HOT)
		heat();
	a = fixture_file(th, "a");
	b = fixture_file(th, "b");
	REQUIRE(!make(ROOT_NODEID, "d", S_IFDIR | 0755, &dir));
	REQUIRE(!make(dir, "x", S_IFREG | 0644, &x));
	REQUIRE(!make(dir, "e", S_IFDIR | 0755, NULL));
	REQUIRE(!make(ROOT_NODEID, NULL, S_IFREG | 0600, &nameless));
	REQUIRE(!put(a, KIB(68) + 5, 0));
	REQUIRE(!put(b, KIB(40) + 7, 100));
	REQUIRE(!put(x, 5000, 0));
	REQUIRE(!set_xattr(a, "user.old", data, 700));
	REQUIRE(!set_xattr(a, ACL_ACCESS, list, sizeof(list)));
	REQUIRE(!set_xattr(dir, ACL_DEFAULT, list, sizeof(list)));
	check_state();
}

static void check_sound(const char *what)
{
	char msg[512];

	if (zsfs_verify(fs, msg, sizeof(msg)))
		CHECK_FAILED("%s: %s", what, msg);
}

static void stop(const char *what)
{
	reap_all(th);
	check_sound(what);
	zsfs_close(fs);
}

/* ---- operations ---- */

static int op_write(void)
{
	return put(a, KIB(200), KIB(1024) + 5);
}

static int op_overwrite(void)
{
	return put(a, KIB(50), 2000);
}

static int copy_to(uint64_t off)
{
	struct copy c = {.from = a, .to = b, .to_off = off, .len = KIB(60) + 5};
	struct tx *tx = tx_begin(th);
	size_t done;

	return fixture_end(tx, zsfs_copy(tx, &c, &done));
}

static int op_copy_blocks(void)
{
	return copy_to(0);
}

static int op_copy_bytes(void)
{
	return copy_to(KIB(30) + 1);
}

static int allocate(struct allocation *al)
{
	struct tx *last;
	int err;

	al->nodeid = a;
	al->owner = 8;
	zsfs_enter(th);
	err = zsfs_allocate_begin(th, al);
	if (!err)
		do
			err = zsfs_allocate_steps(th, al, UINT32_MAX, &last);
		while (err == 1);
	if (!err)
		tx_commit(last);
	zsfs_leave(th);
	return err;
}

static int op_allocate(void)
{
	return allocate(
		&(struct allocation){.end = KIB(1024) + 1, .room = true});
}

static int op_allocate_keeping_size(void)
{
	return allocate(&(struct allocation){.start = KIB(70),
					     .end = KIB(1024),
					     .room = true,
					     .keep_size = true});
}

static int op_punch(void)
{
	return allocate(&(struct allocation){
		.start = 100, .end = KIB(50) + 9, .punch = true});
}

static int op_zero(void)
{
	return allocate(&(struct allocation){
		.start = 100, .end = KIB(90), .punch = true, .room = true});
}

static int op_set_small_xattr(void)
{
	return set_xattr(b, "user.new", data, 10);
}

static int op_set_xattr(void)
{
	return set_xattr(a, "user.new", data, 600);
}

static int op_set_large_xattr(void)
{
	return set_xattr(a, "user.new", data, KIB(60));
}

static int op_replace_xattr(void)
{
	return set_xattr(a, "user.old", data, 5000);
}

static int op_set_list(void)
{
	return set_xattr(b, ACL_ACCESS, list, sizeof(list));
}

static int op_create(void)
{
	return make(dir, "f", S_IFREG | 0666, NULL);
}

static int op_mkdir(void)
{
	return make(dir, "f", S_IFDIR | 0777, NULL);
}

static int op_symlink(void)
{
	return make(dir, "f", S_IFLNK | 0777, NULL);
}

static int link_to(uint64_t nodeid)
{
	struct tx *tx = tx_begin(th);
	struct zinode *i;

	return fixture_end(tx, zsfs_link(tx, nodeid, dir, "f", &i));
}

static int op_link_nameless(void)
{
	return link_to(nameless);
}

static int op_link(void)
{
	return link_to(a);
}

static int rename_to(const char *name, uint64_t to, const char *new_name,
		     unsigned flags)
{
	struct new_inode whiteout = {.mode = S_IFCHR};
	struct tx *tx = tx_begin(th);

	return fixture_end(tx, zsfs_rename(tx, ROOT_NODEID, name, to, new_name,
					   flags, &whiteout));
}

static int op_rename(void)
{
	return rename_to("a", dir, "f", 0);
}

static int op_whiteout(void)
{
	return rename_to("a", dir, "f", RENAME_WHITEOUT);
}

static int op_whiteout_over(void)
{
	return rename_to("a", ROOT_NODEID, "b", RENAME_WHITEOUT);
}

static int op_rename_over(void)
{
	return rename_to("a", dir, "x", 0);
}

static int op_exchange(void)
{
	return rename_to("a", dir, "x", RENAME_EXCHANGE);
}

static int op_exchange_directory(void)
{
	return rename_to("a", dir, "e", RENAME_EXCHANGE);
}

static int set_attr(uint64_t nodeid, unsigned set)
{
	struct stat st = {.st_mode = 0600, .st_uid = 5, .st_size = 17001};
	struct tx *tx = tx_begin(th);
	struct zinode *i;

	return fixture_end(tx, zsfs_setattr(tx, nodeid, &st, set, &i));
}

static int op_cut(void)
{
	return set_attr(a, SET_SIZE);
}

static int op_grow(void)
{
	return set_attr(x, SET_SIZE);
}

static int op_chmod(void)
{
	return set_attr(a, SET_MODE);
}

static int op_chown(void)
{
	return set_attr(a, SET_UID);
}

static int op_chattr(void)
{
	struct tx *tx = tx_begin(th);

	return fixture_end(tx, zsfs_setflags(tx, a, INODE_IMMUTABLE));
}

static int remove_xattr(uint64_t nodeid, const char *name)
{
	struct tx *tx = tx_begin(th);

	return fixture_end(tx, zsfs_removexattr(tx, nodeid, name));
}

static int op_remove_xattr(void)
{
	return remove_xattr(a, "user.old");
}

static int op_remove_list(void)
{
	return remove_xattr(dir, ACL_DEFAULT);
}

static int op_unlink(void)
{
	struct tx *tx = tx_begin(th);

	return fixture_end(tx, zsfs_unlink(tx, ROOT_NODEID, "b"));
}

static int op_rmdir(void)
{
	struct tx *tx = tx_begin(th);

	return fixture_end(tx, zsfs_rmdir(tx, dir, "e"));
}

static int op_settle(void)
{
	return zsfs_settle(th);
}

static int op_cool(void)
{
	hot_drain(th, UINT64_MAX);
	return 0;
}

static int op_warm(void)
{
	warm_ask(th, a, 3);
	warm_step(th);
	return 0;
}

/* As the kernel looks up a handle that it holds no count of. */
static int handle(uint64_t nodeid, const char *dots)
{
	struct tx *tx = tx_begin(th);
	struct zinode *i;

	return fixture_end(tx, zsfs_lookup(tx, nodeid, dots, &i));
}

static int op_handles(void)
{
	int err;

	zsfs_forget(th, x, UINT64_MAX, NULL);
	err = handle(x, ".");
	if (!err)
		err = handle(dir, "..");
	if (!err && handle(x, "..") != -ENOTDIR)
		err = -EINVAL;
	return err;
}

static int op_old_handle(void)
{
	int err = op_unlink();

	zsfs_forget(th, b, UINT64_MAX, NULL);
	reap_all(th);
	if (!err && handle(b, ".") != -ESTALE)
		err = -EINVAL;
	return err;
}

struct operation {
	const char *name;
	int (*run)(void);
};

/* Of some a part may be done, which is then no failure. */
static const struct operation operations[] = {
	{"write", op_write},
	{"overwrite", op_overwrite},
	{"copy blocks", op_copy_blocks},
	{"copy bytes", op_copy_bytes},
	{"allocate", op_allocate},
	{"allocate, keeping the size", op_allocate_keeping_size},
	{"punch", op_punch},
	{"set a small attribute", op_set_small_xattr},
	{"set an attribute", op_set_xattr},
	{"set a large attribute", op_set_large_xattr},
	{"replace an attribute", op_replace_xattr},
	{"set a list", op_set_list},
	{"create", op_create},
	{"mkdir", op_mkdir},
	{"symlink", op_symlink},
	{"link what had no name", op_link_nameless},
	{"link", op_link},
	{"rename", op_rename},
	{"whiteout", op_whiteout},
	{"whiteout over another", op_whiteout_over},
	{"cut", op_cut},
};

/* The hole that it makes first stays. */
static const struct operation zero = {"zero", op_zero};

/* They do what they can, and nothing of it can be seen. */
static const struct operation changes[] = {
	{"settle", op_settle},
	{"cool", op_cool},
	{"warm", op_warm},
	{"what is there by its handle", op_handles},
};

/* Of these nothing may fail. */
static const struct operation removals[] = {
	{"rename over another", op_rename_over},
	{"exchange", op_exchange},
	{"exchange with a directory", op_exchange_directory},
	{"grow", op_grow},
	{"chmod", op_chmod},
	{"chown", op_chown},
	{"chattr", op_chattr},
	{"remove an attribute", op_remove_xattr},
	{"remove a list", op_remove_list},
	{"unlink", op_unlink},
	{"rmdir", op_rmdir},
	{"what has gone by its handle", op_old_handle},
};

#define NR(array) (sizeof(array) / sizeof((array)[0]))

static void succeeds(const struct operation *o)
{
	uint64_t before;
	int err;

	start();
	before = look_at_fs(th);
	err = o->run();
	if (err)
		CHECK_FAILED("%s: %s", o->name, strerror(-err));
	if (look_at_fs(th) == before)
		CHECK_FAILED("%s: nothing was done", o->name);
	stop(o->name);
}

static void changes_are_unseen(const struct operation *o)
{
	uint64_t before;

	start();
	before = look_at_fs(th);
	CHECK_EQ(o->run(), 0);
	if (look_at_fs(th) != before)
		CHECK_FAILED("%s: not as before", o->name);
	stop(o->name);
}

/* Each operation does something that can be seen. */
static void succeed(void)
{
	for (size_t k = 0; k < NR(changes); k++)
		changes_are_unseen(&changes[k]);
	for (size_t k = 0; k < NR(operations); k++)
		succeeds(&operations[k]);
	succeeds(&zero);
	for (size_t k = 0; k < NR(removals); k++)
		succeeds(&removals[k]);
}

static void in_all_states(void (*run)(void))
{
	for (state = WARM; state < NR_STATES; state++)
		run();
}

static void test_with_memory(void)
{
	in_all_states(succeed);
}

#if ZS_DEBUG_LEVEL >= 1

static bool all_after; /* from the one that is to fail on */

static bool fail(void)
{
	if (fixture_countdown > 1) {
		fixture_countdown--;
		return false;
	}
	if (!all_after && !fixture_countdown)
		return false;
	fixture_countdown = 0;
	return true;
}

static bool took_memory; /* an operation would have, and not what follows it */

/* What a request has to do when it was answered, and the background then. */
static void see_to_the_rest(void)
{
	tidy_clusters(th);
	warm_step(th);
	hot_drain(th, UINT64_MAX);
}

static int run_failing(const struct operation *o, unsigned n)
{
	int err;

	fixture_countdown = n;
	zs_fail_hook = fail;
	err = o->run();
	took_memory = fixture_has_failed();
	see_to_the_rest();
	zs_fail_hook = NULL;
	return err;
}

/* The @n'th allocation fails. Was there one? */
static bool fails_at(const struct operation *o, unsigned n, bool whole)
{
	uint64_t before = look_at_fs(th);
	int err = run_failing(o, n);

	if (err && err != -ENOSPC && err != -ENOMEM)
		CHECK_FAILED("%s, %u: %s", o->name, n, strerror(-err));
	if (err && !took_memory)
		CHECK_FAILED("%s, %u: no reason", o->name, n);
	if (err && whole && look_at_fs(th) != before)
		CHECK_FAILED("%s, %u: not as before", o->name, n);
	check_sound(o->name);
	return fixture_has_failed();
}

static void fails_everywhere(const struct operation *o, bool whole)
{
	bool failed = true;
	unsigned n;

	for (n = 1; failed; n++) {
		start();
		failed = fails_at(o, n, whole);
		stop(o->name);
	}
	/* What has settled or cooled leaves gaps, which may be enough. */
	if (n == 2 && state == WARM)
		CHECK_FAILED("%s: takes no memory", o->name);
}

static void fail_all(void)
{
	for (size_t k = 0; k < NR(operations); k++)
		fails_everywhere(&operations[k], true);
	fails_everywhere(&zero, false);
}

static void test_each_allocation_fails(void)
{
	in_all_states(fail_all);
}

static void test_all_from_each_fail(void)
{
	all_after = true;
	in_all_states(fail_all);
}

/* Is it as it was, and was anything to be had? */
static bool changes_nothing(const struct operation *o, unsigned n)
{
	uint64_t before = look_at_fs(th);
	int err = run_failing(o, n);
	bool failed = fixture_has_failed();

	if (err && (err != -ENOMEM || !failed))
		CHECK_FAILED("%s, %u: %s", o->name, n, strerror(-err));
	for (unsigned k = 0; k < 2; k++) {
		if (look_at_fs(th) != before)
			CHECK_FAILED("%s, %u: not as before", o->name, n);
		check_sound(o->name);
		/* With memory it goes on. */
		CHECK_EQ(o->run(), 0);
	}
	return failed;
}

static void fail_changes(void)
{
	for (size_t k = 0; k < NR(changes); k++) {
		bool failed = true;

		for (unsigned n = 1; failed; n++) {
			start();
			failed = changes_nothing(&changes[k], n);
			stop(changes[k].name);
		}
	}
}

static void test_each_allocation_of_a_change_fails(void)
{
	in_all_states(fail_changes);
}

static void test_all_from_each_of_a_change_fail(void)
{
	all_after = true;
	in_all_states(fail_changes);
}

static void look_without_memory(void)
{
	uint64_t before;

	start();
	before = look_at_fs(th);
	fixture_countdown = 1;
	zs_fail_hook = fail;
	CHECK_EQ(op_handles(), 0);
	CHECK(look_at_fs(th) == before);
	zs_fail_hook = NULL;
	CHECK(!fixture_has_failed());
	stop("looking");
}

static void test_looking_takes_none(void)
{
	in_all_states(look_without_memory);
}

static void remove_without_memory(void)
{
	for (size_t k = 0; k < NR(removals); k++) {
		const struct operation *o = &removals[k];

		start();
		CHECK_EQ(run_failing(o, 1), 0);
		if (took_memory)
			CHECK_FAILED("%s: takes memory", o->name);
		stop(o->name);
	}
}

static void test_removing_takes_none(void)
{
	all_after = true;
	in_all_states(remove_without_memory);
}

/* A directory as it grows: whatever is to be made larger cannot be. */
static void test_growing_directory(void)
{
	unsigned failures = 0;

	start();
	for (unsigned k = 0; k < 600; k++) {
		char name[100];
		unsigned n = 1;
		int err;

		snprintf(name, sizeof(name), "%u-a-name-of-some-length", k);
		do {
			fixture_fail_at(n++);
			err = make(dir, name, S_IFREG | 0644, NULL);
			fixture_fail_at(0);
			failures += err != 0;
			CHECK(!err || err == -ENOSPC || err == -ENOMEM);
		} while (err);
		if (k % 37 == 0)
			check_sound(name);
	}
	CHECK(failures > 600);
	CHECK_EQ(fs->used_inodes, zsfs_stat_sum(fs, ST_INODES));
	stop("a growing directory");
}

/* And so with a file's table of blocks. */
static void test_growing_file(void)
{
	unsigned failures = 0;

	start();
	for (unsigned k = 0; k < 48; k++) {
		uint64_t off = (UINT64_C(1) << k) - 1;
		unsigned n = 1;
		int err;

		do {
			fixture_fail_at(n++);
			err = put(nameless, 1, off);
			fixture_fail_at(0);
			failures += err != 0;
			CHECK(!err || err == -ENOSPC || err == -ENOMEM);
		} while (err);
		check_sound("a growing file");
	}
	CHECK(failures > 48);
	stop("a growing file");
}

#endif

static const struct check_case cases[] = {
	CHECK_CASE(test_with_memory),
#if ZS_DEBUG_LEVEL >= 1
	CHECK_CASE(test_each_allocation_fails),
	CHECK_CASE(test_all_from_each_fail),
	CHECK_CASE(test_each_allocation_of_a_change_fails),
	CHECK_CASE(test_all_from_each_of_a_change_fail),
	CHECK_CASE(test_looking_takes_none),
	CHECK_CASE(test_removing_takes_none),
	CHECK_CASE(test_growing_directory),
	CHECK_CASE(test_growing_file),
#endif
};

int main(int argc, char **argv)
{
	return CHECK_MAIN(cases, argc, argv);
}
