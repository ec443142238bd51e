/* SPDX-License-Identifier: BSD-3-Clause */
/* Extended attributes: where they lie, at a limit, and without memory. */
#include "check.h"
#include "fs_fixture.h"
#include "content/file.h"
#include "content/xattr_set.h"
#include "state/mem_limit.h"
#include "state/reserve.h"
#include "tree/attr.h"
#include "tree/reap.h"
#include "tree/xattr.h"
#include "volume/verify_fs.h"

#include <errno.h>
#include <sys/xattr.h>

static struct zsfs *fs;
static struct zsfs_thread *th;
static uint64_t file;
static char value[XATTR_VALUE_BYTES + 1];

static void start(void)
{
	fs = fixture_fs();
	th = &fs->threads[0];
	file = fixture_file(th, "f");
	for (size_t k = 0; k < sizeof(value); k++)
		value[k] = (char)(k * 7 + k / 251);
}

static void check_sound(void)
{
	char msg[512];

	if (zsfs_verify(fs, msg, sizeof(msg)))
		CHECK_FAILED("%s", msg);
}

static void stop(void)
{
	check_sound();
	zsfs_close(fs);
}

static int set(const char *name, size_t size, int flags)
{
	struct tx *tx = tx_begin(th);

	return fixture_end(tx,
			   zsfs_setxattr(tx, file, name, value, size, flags));
}

static int unset(const char *name)
{
	struct tx *tx = tx_begin(th);

	return fixture_end(tx, zsfs_removexattr(tx, file, name));
}

/* The length, or -errno. */
static long get(const char *name, void *buf, size_t size)
{
	struct tx *tx = tx_begin(th);
	size_t len = 0;
	int err =
		fixture_end(tx, zsfs_getxattr(tx, file, name, buf, size, &len));

	return err ? err : (long)len;
}

static unsigned asked; /* who lists */

static bool yes(void)
{
	asked++;
	return true;
}

static bool no(void)
{
	asked++;
	return false;
}

static long list(bool trusted, char *buf, size_t size)
{
	struct tx *tx = tx_begin(th);
	size_t len = 0;
	int err = fixture_end(tx, zsfs_listxattr(tx, file, trusted ? yes : no,
						 buf, size, &len));

	return err ? err : (long)len;
}

static bool holds(const char *name, size_t size)
{
	static char buf[XATTR_VALUE_BYTES];

	return get(name, buf, sizeof(buf)) == (long)size &&
	       !memcmp(buf, value, size);
}

static uint64_t data_pages(void)
{
	struct arena_stats st;

	arena_get_stats(fs->arena, &st);
	return st.pages[ARENA_PAGE_DATA];
}

static void end_file(void)
{
	struct tx *tx = tx_begin(th);

	REQUIRE(!fixture_end(tx, zsfs_unlink(tx, ROOT_NODEID, "f")));
	zsfs_forget(th, file, 1, NULL);
	check_sound();
	reap_all(th);
}

static const char *numbered(unsigned k)
{
	static char name[32];

	snprintf(name, sizeof(name), "user.attribute_%u", k);
	return name;
}

static void test_names(void)
{
	char name[XATTR_NAME_BYTES + 2] = "user.";

	start();
	memset(name + 5, 'n', XATTR_NAME_BYTES + 1 - 5);
	CHECK_EQ(set(name, 1, 0), -ERANGE);
	CHECK_EQ(get(name, NULL, 0), -ERANGE);
	CHECK_EQ(unset(name), -ERANGE);
	name[XATTR_NAME_BYTES] = '\0';
	CHECK_EQ(set(name, 1, 0), 0);
	CHECK(holds(name, 1));
	CHECK_EQ(set("user.", 1, 0), -EINVAL);
	CHECK_EQ(set("user", 1, 0), -EOPNOTSUPP);
	CHECK_EQ(set("", 1, 0), -EOPNOTSUPP);
	CHECK_EQ(set("system.x", 1, 0), -EOPNOTSUPP);
	CHECK_EQ(get("system.x", NULL, 0), -EOPNOTSUPP);
	CHECK_EQ(set("trusted.x", 1, 0), 0);
	CHECK_EQ(set("security.x", 1, 0), 0);
	/* Of names that begin alike each is its own. */
	CHECK_EQ(get("user.n", NULL, 0), -ENODATA);
	CHECK_EQ(unset(name), 0);
	CHECK_EQ(get(name, NULL, 0), -ENODATA);
	stop();
}

static void test_flags_and_sizes(void)
{
	char buf[8];

	start();
	CHECK_EQ(set("user.a", 3, XATTR_REPLACE), -ENODATA);
	CHECK_EQ(set("user.a", 3, XATTR_CREATE), 0);
	CHECK_EQ(set("user.a", 4, XATTR_CREATE), -EEXIST);
	CHECK_EQ(set("user.a", 4, XATTR_REPLACE), 0);
	CHECK_EQ(get("user.a", NULL, 0), 4);
	CHECK_EQ(get("user.a", buf, 3), -ERANGE);
	CHECK_EQ(get("user.a", buf, 4), 4);
	CHECK_EQ(set("user.e", 0, 0), 0);
	CHECK_EQ(get("user.e", buf, 8), 0);
	CHECK_EQ(set("user.a", XATTR_VALUE_BYTES + 1, 0), -E2BIG);
	for (size_t size = 505; size < 520; size++) {
		CHECK_EQ(set("user.a", size, 0), 0);
		CHECK(holds("user.a", size));
	}
	for (size_t size = 4090; size < 4100; size++) {
		CHECK_EQ(set("user.a", size, 0), 0);
		CHECK(holds("user.a", size));
	}
	CHECK_EQ(set("user.a", XATTR_VALUE_BYTES, 0), 0);
	CHECK(holds("user.a", XATTR_VALUE_BYTES));
	CHECK_EQ(data_pages(), 16);
	check_sound();
	CHECK_EQ(unset("user.a"), 0);
	CHECK_EQ(data_pages(), 0);
	CHECK_EQ(unset("user.a"), -ENODATA);
	stop();
}

static void test_list(void)
{
	char buf[64];

	start();
	CHECK_EQ(list(true, buf, 64), 0);
	CHECK_EQ(set("user.a", 3, 0), 0);
	CHECK_EQ(set("trusted.t", 3, 0), 0);
	CHECK_EQ(list(true, NULL, 0), 17);
	CHECK_EQ(list(true, buf, 17), 17);
	CHECK(!memcmp(buf, "user.a\0trusted.t\0", 17));
	CHECK_EQ(list(true, buf, 16), -ERANGE);
	CHECK_EQ(list(false, buf, 16), 7);
	CHECK(!memcmp(buf, "user.a\0", 7));
	stop();
}

/* A few small ones share the smallest buffer that has room for them. */
static void test_small_ones_share_a_buffer(void)
{
	uint64_t before;

	start();
	before = fixture_objects(fs);
	CHECK_EQ(set("security.capability", 20, 0), 0);
	CHECK_EQ(set("user.mime_type", 10, 0), 0);
	CHECK_EQ(set("user.a", 300, 0), 0);
	CHECK_EQ(fixture_objects(fs), before + 1);
	CHECK_EQ(unset("user.mime_type"), 0);
	CHECK_EQ(unset("security.capability"), 0);
	CHECK(holds("user.a", 300));
	CHECK_EQ(fixture_objects(fs), before + 1);
	CHECK_EQ(unset("user.a"), 0);
	CHECK_EQ(fixture_objects(fs), before);
	stop();
}

/* More than a node has room for, set, replaced and removed in other orders. */
static void test_many(void)
{
	uint64_t before;

	start();
	before = fixture_objects(fs);
	for (unsigned k = 0; k < 1000; k++)
		CHECK_EQ(set(numbered(k), k % 100, 0), 0);
	for (unsigned k = 0; k < 1000; k += 3)
		CHECK_EQ(set(numbered(k), 600 + k, XATTR_REPLACE), 0);
	check_sound();
	for (unsigned k = 0; k < 1000; k++)
		CHECK(holds(numbered(k), k % 3 ? k % 100 : 600 + k));
	for (unsigned k = 0; k < 1000; k++)
		CHECK_EQ(unset(numbered(k * 7 % 1000)), 0);
	CHECK_EQ(list(true, NULL, 0), 0);
	CHECK_EQ(fixture_objects(fs), before);
	stop();
}

/* No list is longer than programs can ask for. */
static void test_names_have_an_end(void)
{
	static char buf[XATTR_LIST_BYTES];
	unsigned k = 0;
	int err = 0;

	start();
	for (; !err && k < 10000; k++)
		err = set(numbered(k), 0, 0);
	CHECK_EQ(err, -ENOSPC);
	CHECK(list(true, buf, sizeof(buf)) > (long)sizeof(buf) - 32);
	CHECK_EQ(set(numbered(0), 5, 0), 0);
	CHECK_EQ(unset(numbered(1)), 0);
	CHECK_EQ(set(numbered(1), 5, 0), 0);
	stop();
}

/* To find out who lists takes longer than all else. */
static void test_who_lists(void)
{
	start();
	CHECK_EQ(list(true, NULL, 0), 0);
	CHECK_EQ(set("user.a", 5, 0), 0);
	CHECK_EQ(list(false, NULL, 0), 7);
	CHECK_EQ(asked, 0);
	CHECK_EQ(set("trusted.a", 5, 0), 0);
	CHECK_EQ(set("trusted.b", 5, 0), 0);
	CHECK_EQ(list(false, NULL, 0), 7);
	CHECK_EQ(asked, 1);
	CHECK_EQ(list(true, NULL, 0), 27);
	CHECK_EQ(asked, 2);
	stop();
}

static void check_twice(const char *name, const char *other)
{
	char msg[512] = "";
	struct xattr x;

	REQUIRE(xattr_find(inode_resolve(fs, file), name, &x));
	REQUIRE(strlen(name) == strlen(other));
	memcpy((char *)(uintptr_t)x.name, other, x.name_len);
	CHECK(zsfs_verify(fs, msg, sizeof(msg)) &&
	      strstr(msg, "an attribute is there twice"));
	memcpy((char *)(uintptr_t)x.name, name, x.name_len);
	check_sound();
}

/* As many attributes as there can be. */
static void test_twice_is_found(void)
{
	char name[32];
	int err = 0;

	start();
	for (unsigned k = 0; !err; k++) {
		snprintf(name, sizeof(name), "user.%x", k);
		err = set(name, 0, 0);
	}
	CHECK_EQ(err, -ENOSPC);
	check_twice("user.0", "user.1");
	check_twice("user.1a40", "user.1000");
	stop();
}

/* As many pieces of memory as an inode can have go in steps. */
static void test_end_of_many(void)
{
	start();
	for (unsigned k = 0; k < 2500; k++)
		REQUIRE(!set(numbered(k), k % 2 ? 513 : 5000, 0));
	CHECK(data_pages() == 2500);
	end_file();
	CHECK_EQ(data_pages(), 0);
	stop();
}

/*
 * The last node fills the log of a transaction to the brim, or leaves any
 * number of places, as what was removed before has it.
 */
static void test_end_fills_the_log(void)
{
	char name[32];

	for (unsigned gone = 140; gone <= 170; gone++) {
		start();
		for (unsigned k = 0; k < 850; k++) {
			snprintf(name, sizeof(name), "user.%u", k);
			REQUIRE(!set(name, 513, 0));
		}
		for (unsigned k = 510; k < 510 + gone; k++) {
			snprintf(name, sizeof(name), "user.%u", k);
			REQUIRE(!unset(name));
		}
		end_file();
		CHECK_EQ(data_pages(), 0);
		stop();
	}
}

static void test_end_of_few(void)
{
	start();
	CHECK_EQ(set("user.a", 10, 0), 0);
	CHECK_EQ(set("user.b", 1000, 0), 0);
	CHECK_EQ(set("user.c", 10000, 0), 0);
	end_file();
	CHECK_EQ(data_pages(), 0);
	stop();
}

static struct ztime ctime_of_file(void)
{
	return inode_time(inode_resolve(fs, file), INODE_CTIME);
}

static bool is_later(struct ztime a, struct ztime b)
{
	return a.sec > b.sec || (a.sec == b.sec && a.nsec > b.nsec);
}

static void test_ctime(void)
{
	struct ztime t;

	start();
	t = ctime_of_file();
	usleep(20000);
	CHECK_EQ(set("user.a", 10, 0), 0);
	CHECK(is_later(ctime_of_file(), t));
	t = ctime_of_file();
	usleep(20000);
	CHECK_EQ(get("user.a", NULL, 0), 10);
	CHECK_EQ(set("user.a", 10, XATTR_CREATE), -EEXIST);
	CHECK(!is_later(ctime_of_file(), t));
	CHECK_EQ(unset("user.a"), 0);
	CHECK(is_later(ctime_of_file(), t));
	stop();
}

static void write_file(unsigned flags)
{
	struct tx *tx = tx_begin(th);
	size_t done;

	REQUIRE(!fixture_end(tx,
			     zsfs_write(tx, file, "x", 1, 0, flags, &done)));
}

static void change(unsigned set_what)
{
	struct stat st = {.st_uid = 5, .st_gid = 5, .st_mode = 0600};
	struct tx *tx = tx_begin(th);
	struct zinode *i;

	REQUIRE(!fixture_end(tx, zsfs_setattr(tx, file, &st, set_what, &i)));
}

/* What may change a program takes its capabilities, and no other attribute. */
static void test_capabilities_go(void)
{
	static const unsigned takers[] = {
		SET_UID,
		SET_GID,
		SET_SIZE,
		SET_KILL_PRIV | SET_SIZE,
	};

	start();
	CHECK_EQ(set("security.selinux", 20, 0), 0);
	CHECK_EQ(set(XATTR_CAPS, 20, 0), 0);
	change(SET_MODE);
	change(SET_MTIME_NOW);
	CHECK(holds(XATTR_CAPS, 20));
	for (unsigned k = 0; k < sizeof(takers) / sizeof(takers[0]); k++) {
		CHECK_EQ(set(XATTR_CAPS, 20, 0), 0);
		change(takers[k]);
		CHECK_EQ(get(XATTR_CAPS, NULL, 0), -ENODATA);
	}
	CHECK_EQ(set(XATTR_CAPS, 20, 0), 0);
	write_file(0);
	CHECK_EQ(get(XATTR_CAPS, NULL, 0), -ENODATA);
	CHECK(holds("security.selinux", 20));
	/* What comes late from a mapping takes nothing. */
	CHECK_EQ(set(XATTR_CAPS, 20, 0), 0);
	write_file(WRITE_CACHE);
	CHECK(holds(XATTR_CAPS, 20));
	stop();
}

/* Of the same size or less it can be replaced, and anything removed. */
static void test_full(void)
{
	unsigned k = 0;

	start();
	REQUIRE(!zsfs_set_mem_limit(fs, zsfs_min_mem_limit(1)));
	CHECK_EQ(set("user.small", 100, 0), 0);
	CHECK_EQ(set("user.page", 3000, 0), 0);
	CHECK_EQ(set("user.large", 60000, 0), 0);
	while (!set(numbered(k), 2000, 0) && k < 10000)
		k++;
	CHECK(k < 10000);
	CHECK_EQ(set(numbered(k), 2000, 0), -ENOSPC);
	CHECK_EQ(set("user.small", 90, 0), 0);
	CHECK_EQ(set("user.page", 3000, 0), 0);
	CHECK_EQ(set("user.large", 60000, 0), 0);
	CHECK(holds("user.small", 90));
	CHECK(holds("user.large", 60000));
	check_sound();
	while (k-- > 0)
		CHECK_EQ(unset(numbered(k)), 0);
	CHECK_EQ(unset("user.large"), 0);
	CHECK_EQ(set(numbered(0), 2000, 0), 0);
	stop();
}

#if ZS_DEBUG_LEVEL >= 1

static int try_at(unsigned n, const char *name, size_t size)
{
	int err;

	fixture_fail_at(n);
	err = set(name, size, 0);
	fixture_fail_at(0);
	return err;
}

/* Each allocation fails once: then nothing has happened. */
static void test_without_memory(void)
{
	static const size_t sizes[] = {10, 600, 5000};
	static const char *const names[] = {"user.old", "user.new"};

	start();
	for (unsigned k = 0; k < 130; k++)
		REQUIRE(!set(numbered(k), 30, 0));
	for (unsigned s = 0; s < 3; s++)
		for (unsigned m = 0; m < 2; m++) {
			unsigned n = 1;

			unset("user.new");
			CHECK_EQ(set("user.old", 700, 0), 0);
			while (try_at(n, names[m], sizes[s])) {
				CHECK(holds("user.old", 700));
				CHECK_EQ(get("user.new", NULL, 0), -ENODATA);
				check_sound();
				n++;
			}
			CHECK(n > 1);
			CHECK(holds(names[m], sizes[s]));
		}
	/* Removing asks for none. */
	fixture_fail_at(1);
	CHECK_EQ(unset("user.old"), 0);
	CHECK_EQ(unset(numbered(5)), 0);
	CHECK(!fixture_has_failed());
	fixture_fail_at(0);
	stop();
}

#endif

static const struct check_case cases[] = {
	CHECK_CASE(test_names),
	CHECK_CASE(test_flags_and_sizes),
	CHECK_CASE(test_list),
	CHECK_CASE(test_small_ones_share_a_buffer),
	CHECK_CASE(test_who_lists),
	CHECK_CASE(test_many),
	CHECK_CASE(test_names_have_an_end),
	CHECK_CASE(test_twice_is_found),
	CHECK_CASE(test_end_of_many),
	CHECK_CASE(test_end_fills_the_log),
	CHECK_CASE(test_end_of_few),
	CHECK_CASE(test_ctime),
	CHECK_CASE(test_capabilities_go),
	CHECK_CASE(test_full),
#if ZS_DEBUG_LEVEL >= 1
	CHECK_CASE(test_without_memory),
#endif
};

int main(int argc, char **argv)
{
	return CHECK_MAIN(cases, argc, argv);
}
