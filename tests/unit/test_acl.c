/* SPDX-License-Identifier: BSD-3-Clause */
/* Access control lists: what is one, long ones, and without memory. */
#include "check.h"
#include "fs_fixture.h"
#include "tree/acl.h"
#include "tree/xattr.h"
#include "volume/verify_fs.h"

#include <errno.h>

struct line {
	uint16_t tag, perm;
	uint32_t id;
};

#define OWNER(p)                                                               \
	{                                                                      \
		1, (p), 0                                                      \
	}
#define USER(p)                                                                \
	{                                                                      \
		2, (p), 5                                                      \
	}
#define OWNING(p)                                                              \
	{                                                                      \
		4, (p), 0                                                      \
	}
#define GROUP(p)                                                               \
	{                                                                      \
		8, (p), 6                                                      \
	}
#define MASK(p)                                                                \
	{                                                                      \
		16, (p), 0                                                     \
	}
#define OTHER(p)                                                               \
	{                                                                      \
		32, (p), 0                                                     \
	}

static struct zsfs *fs;
static struct zsfs_thread *th;
static uint8_t list[16384];

static void start(void)
{
	fs = fixture_fs();
	th = &fs->threads[0];
}

static void stop(void)
{
	char msg[512];

	if (zsfs_verify(fs, msg, sizeof(msg)))
		CHECK_FAILED("%s", msg);
	zsfs_close(fs);
}

static int set(uint64_t nodeid, const char *name, size_t size)
{
	struct tx *tx = tx_begin(th);

	return fixture_end(tx, zsfs_setxattr(tx, nodeid, name, list, size, 0));
}

/* Into list[]; its size. */
static size_t put(const struct line *lines, size_t n)
{
	memset(list, 0, 4);
	list[0] = 2;
	memcpy(list + 4, lines, n * sizeof(*lines));
	return 4 + n * sizeof(*lines);
}

static uint32_t mode_of(uint64_t nodeid)
{
	return inode_resolve(fs, nodeid)->mode & 07777;
}

static void test_garbage(void)
{
	static const struct {
		size_t n;
		struct line lines[5];
	} bad[] = {
		{1, {OWNER(7)}},
		{2, {OWNER(7), OTHER(7)}},
		{3, {OWNER(7), OWNING(7), MASK(7)}},
		{3, {OWNING(7), OWNER(7), OTHER(7)}},
		{3, {OWNER(8), OWNING(7), OTHER(7)}},
		{4, {OWNER(7), OWNER(7), OWNING(7), OTHER(7)}},
		{4, {OWNER(7), USER(7), OWNING(7), OTHER(7)}},
		{5, {OWNER(7), USER(7), OWNING(7), OTHER(7), MASK(7)}},
		{5, {OWNER(7), OWNING(7), MASK(7), MASK(7), OTHER(7)}},
		{4, {OWNER(7), OWNING(7), {64, 7, 0}, OTHER(7)}},
		{4, {OWNER(7), OWNING(7), {0, 7, 0}, OTHER(7)}},
	};
	uint64_t file;

	start();
	file = fixture_file(th, "f");
	for (unsigned k = 0; k < sizeof(bad) / sizeof(bad[0]); k++)
		CHECK_EQ(set(file, ACL_ACCESS, put(bad[k].lines, bad[k].n)),
			 -EINVAL);
	put(bad[0].lines, 1);
	CHECK_EQ(set(file, ACL_ACCESS, 0), -EINVAL);
	CHECK_EQ(set(file, ACL_ACCESS, 3), -EINVAL);
	CHECK_EQ(set(file, ACL_ACCESS, 11), -EINVAL);
	CHECK_EQ(set(file, ACL_ACCESS, 4), 0);
	CHECK_EQ(mode_of(file), 0644);
	CHECK_EQ(set(file, "system.posix_acl", 4), -EOPNOTSUPP);
	stop();
}

/* Longer than the kernel's FUSE passes on. */
static void test_thousand(void)
{
	static struct line lines[1000] = {OWNER(6)};
	uint64_t file;

	start();
	file = fixture_file(th, "f");
	for (unsigned k = 1; k < 997; k++)
		lines[k] = (struct line){2, 4, 1000 + k};
	lines[997] = (struct line)OWNING(4);
	lines[998] = (struct line)MASK(6);
	lines[999] = (struct line)OTHER(0);
	CHECK_EQ(set(file, ACL_ACCESS, put(lines, 1000)), 0);
	CHECK_EQ(mode_of(file), 0660);
	lines[500].tag = 64;
	CHECK_EQ(set(file, ACL_ACCESS, put(lines, 1000)), -EINVAL);
	CHECK_EQ(mode_of(file), 0660);
	stop();
}

static int make(const char *name, uint32_t mode, uint64_t *nodeid)
{
	struct new_inode spec = {.mode = mode, .umask = 077};
	struct tx *tx = tx_begin(th);
	struct zinode *i;
	int err = zsfs_make(tx, ROOT_NODEID, name, &spec, &i);

	if (!err)
		*nodeid = inode_nodeid(fs, i);
	return fixture_end(tx, err);
}

static const struct line inherited[] = {
	OWNER(7), USER(7), OWNING(5), MASK(7), OTHER(1),
};

static void test_inherit(void)
{
	uint64_t i = 0;

	start();
	CHECK_EQ(make("before", S_IFREG | 0666, &i), 0);
	CHECK_EQ(mode_of(i), 0600);
	CHECK_EQ(set(ROOT_NODEID, ACL_DEFAULT, put(inherited, 5)), 0);
	CHECK_EQ(make("f", S_IFREG | 0666, &i), 0);
	CHECK_EQ(mode_of(i), 0660);
	CHECK_EQ(make("d", S_IFDIR | 0777, &i), 0);
	CHECK_EQ(mode_of(i), 0771);
	CHECK_EQ(make("p", S_IFIFO | 04751, &i), 0);
	CHECK_EQ(mode_of(i), 04751);
	stop();
}

#if ZS_DEBUG_LEVEL >= 1

/* Then nothing is made. */
static void test_inherit_without_memory(void)
{
	uint64_t i = 0;
	unsigned n = 1;
	int err;

	start();
	CHECK_EQ(set(ROOT_NODEID, ACL_DEFAULT, put(inherited, 5)), 0);
	do {
		char msg[512];

		fixture_fail_at(n++);
		err = make("d", S_IFDIR | 0777, &i);
		fixture_fail_at(0);
		if (zsfs_verify(fs, msg, sizeof(msg)))
			CHECK_FAILED("%s", msg);
	} while (err == -ENOSPC);
	CHECK_EQ(err, 0);
	CHECK(n > 4);
	stop();
}

#endif

static const struct check_case cases[] = {
	CHECK_CASE(test_garbage),
	CHECK_CASE(test_thousand),
	CHECK_CASE(test_inherit),
#if ZS_DEBUG_LEVEL >= 1
	CHECK_CASE(test_inherit_without_memory),
#endif
};

int main(int argc, char **argv)
{
	return CHECK_MAIN(cases, argc, argv);
}
