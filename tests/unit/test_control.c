/* SPDX-License-Identifier: BSD-3-Clause */
/* The files of .zsctl and the limits behind them. */
#include <stdlib.h>
#include <unistd.h>

#include "check.h"
#include "base/machine.h"
#include "control/verify.h"
#include "fs_fakes.h"
#include "state/zsfs.h"
#include "state/settings.h"
#include "control/statfs.h"

static char text[1024];

static void check_text(enum knob_id id, const char *want)
{
	int len;

	memset(text, 'X', sizeof(text));
	len = control_render(&fake_fs, id, text, sizeof(text));
	if (len != (int)strlen(want) || strcmp(text, want) != 0)
		CHECK_FAILED("file %d: %d \"%.60s\", not \"%s\"", id, len, text,
			     want);
}

static int put_n(enum knob_id id, const char *val, size_t len)
{
	/* A copy without a terminator, so that a sanitizer sees its end. */
	char *copy = malloc(len ? len : 1);
	int err;

	memcpy(copy, val, len);
	err = control_write(&fake_fs, &fake_threads[0], false, id, copy, len);
	free(copy);
	return err;
}

static int put(enum knob_id id, const char *val)
{
	return put_n(id, val, strlen(val));
}

/* ---- values ---- */

/* Values that no file with a size takes. */
static const char *const bad_sizes[] = {
	"",
	"\n",
	"x",
	"-1",
	"+1",
	" 1",
	"1 ",
	"1\n\n",
	"1\r\n",
	"1,2",
	"1KB",
	"0x10",
	"1.5M",
	"18446744073709551616",
	"9223372036854775807",
	"0%",
	"1000000000000000000000000000000000000000000000000000000000000000000",
	"99999999T",
	"\xff",
	"1\xc3\xa9",
};

static void check_bad(enum knob_id id, const char *before)
{
	for (size_t i = 0; i < sizeof(bad_sizes) / sizeof(bad_sizes[0]); i++) {
		if (put(id, bad_sizes[i]) != -EINVAL)
			CHECK_FAILED("file %d took \"%s\"", id, bad_sizes[i]);
	}
	CHECK_EQ(put_n(id, "1\0K", 3), -EINVAL);
	CHECK_EQ(put_n(id, "1\0", 2), -EINVAL);
	check_text(id, before);
}

static void test_size(void)
{
	fake_reset();
	check_text(KNOB_SIZE, "0\n");
	CHECK_EQ(put(KNOB_SIZE, "1G\n"), 0);
	check_text(KNOB_SIZE, "1073741824\n");
	CHECK_EQ(put(KNOB_SIZE, "2m"), 0);
	check_text(KNOB_SIZE, "2097152\n");
	CHECK_EQ(put(KNOB_SIZE, "4097"), 0);
	check_text(KNOB_SIZE, "8192\n");
	check_bad(KNOB_SIZE, "8192\n");
	/* What it shows, it takes. */
	CHECK_EQ(put(KNOB_SIZE, "9223372036854771712"), 0);
	check_text(KNOB_SIZE, "9223372036854771712\n");
	/* As tmpfs: not below what is in use, but none is always right. */
	fake_fs.used_blocks = 3;
	CHECK_EQ(put(KNOB_SIZE, "8192"), -EINVAL);
	CHECK_EQ(put(KNOB_SIZE, "1"), -EINVAL);
	check_text(KNOB_SIZE, "9223372036854771712\n");
	CHECK_EQ(put(KNOB_SIZE, "8193"), 0);
	check_text(KNOB_SIZE, "12288\n");
	CHECK_EQ(put(KNOB_SIZE, "0"), 0);
	check_text(KNOB_SIZE, "0\n");
}

static void test_size_percent(void)
{
	char want[32];

	fake_reset();
	CHECK_EQ(put(KNOB_SIZE, "100%"), 0);
	snprintf(want, sizeof(want), "%llu\n",
		 (unsigned long long)machine_ram(""));
	check_text(KNOB_SIZE, want);
	CHECK_EQ(put(KNOB_SIZE, "300%"), 0);
	CHECK(fake_super.size_limit >= 3 * machine_ram(""));
}

static void test_nr_inodes(void)
{
	fake_reset();
	CHECK_EQ(put(KNOB_NR_INODES, "10k\n"), 0);
	check_text(KNOB_NR_INODES, "10240\n");
	check_bad(KNOB_NR_INODES, "10240\n");
	CHECK_EQ(put(KNOB_NR_INODES, "1T"), -EINVAL);
	CHECK_EQ(put(KNOB_NR_INODES, "5%"), -EINVAL);
	fake_fs.used_inodes = 100;
	CHECK_EQ(put(KNOB_NR_INODES, "99"), -EINVAL);
	check_text(KNOB_NR_INODES, "10240\n");
	CHECK_EQ(put(KNOB_NR_INODES, "100"), 0);
	check_text(KNOB_NR_INODES, "100\n");
	CHECK_EQ(put(KNOB_NR_INODES, "0"), 0);
	check_text(KNOB_NR_INODES, "0\n");
}

static void test_mem_limit(void)
{
	fake_reset();
	CHECK_EQ(put(KNOB_MEM_LIMIT, "1G\n"), 0);
	check_text(KNOB_MEM_LIMIT, "1073741824\n");
	CHECK_EQ(fake.reserve_for, 1 << 30);
	check_bad(KNOB_MEM_LIMIT, "1073741824\n");
	CHECK_EQ(put(KNOB_MEM_LIMIT, "101%"), -EINVAL);
	/* The least for the two threads that serve requests. */
	CHECK_EQ(put(KNOB_MEM_LIMIT, "16777217"), -EINVAL);
	check_text(KNOB_MEM_LIMIT, "1073741824\n");
	CHECK_EQ(fake.reserve_for, 1 << 30);
	CHECK_EQ(put(KNOB_MEM_LIMIT, "16777218"), 0);
	check_text(KNOB_MEM_LIMIT, "16777218\n");
	/* Below what is in use: taken, new data waits for deletions. */
	fake.mem.used = UINT64_C(1) << 40;
	CHECK_EQ(put(KNOB_MEM_LIMIT, "32M"), 0);
	check_text(KNOB_MEM_LIMIT, "33554432\n");
	CHECK_EQ(put(KNOB_MEM_LIMIT, "0"), 0);
	check_text(KNOB_MEM_LIMIT, "0\n");
	CHECK_EQ(fake.reserve_for, 0);
}

static void test_comp(void)
{
	fake_reset();
	check_text(KNOB_COMP, "[lz4] zstd none\n");
	CHECK_EQ(put(KNOB_COMP, "zstd:3\n"), 0);
	check_text(KNOB_COMP, "lz4 [zstd:3] none\n");
	CHECK_EQ(put(KNOB_COMP, "lz4:65537"), 0);
	CHECK_EQ(zsfs_get_comp(&fake_fs).level, 65537);
	CHECK_EQ(put(KNOB_COMP, "none"), 0);
	check_text(KNOB_COMP, "lz4 zstd [none]\n");
	CHECK_EQ(put(KNOB_COMP, ""), -EINVAL);
	CHECK_EQ(put(KNOB_COMP, "gzip"), -EINVAL);
	CHECK_EQ(put(KNOB_COMP, "zstd:20"), -EINVAL);
	CHECK_EQ(put(KNOB_COMP, "zstd:3 "), -EINVAL);
	CHECK_EQ(put(KNOB_COMP, "zstd\n\n"), -EINVAL);
	CHECK_EQ(put_n(KNOB_COMP, "zstd\0", 5), -EINVAL);
	check_text(KNOB_COMP, "lz4 zstd [none]\n");
}

static void test_mem_used_max(void)
{
	fake_reset();
	fake.mem.used = 10;
	fake.mem.used_max = 20;
	check_text(KNOB_MEM_USED_MAX, "20\n");
	CHECK_EQ(put(KNOB_MEM_USED_MAX, "1"), -EINVAL);
	CHECK_EQ(put(KNOB_MEM_USED_MAX, "00"), -EINVAL);
	CHECK_EQ(put(KNOB_MEM_USED_MAX, ""), -EINVAL);
	CHECK_EQ(put(KNOB_MEM_USED_MAX, "0K"), -EINVAL);
	CHECK_EQ(fake.resets, 0);
	CHECK_EQ(put(KNOB_MEM_USED_MAX, "0\n"), 0);
	CHECK_EQ(fake.resets, 1);
	check_text(KNOB_MEM_USED_MAX, "10\n");
}

/* ---- ceilings ---- */

static int put_bounded(enum knob_id id, const char *val)
{
	return control_write(&fake_fs, &fake_threads[0], true, id, val,
			     strlen(val));
}

/* Of each knob: what the mounter sets, what is less, and what is more. */
static const struct bound {
	enum knob_id id;
	const char *given, *less, *more;
} bounds[] = {
	{KNOB_SIZE, "8M", "4M", "9M"},
	{KNOB_SIZE, "8M", "8388608", "0"},
	{KNOB_SIZE, "5000", "8192", "8193"},
	{KNOB_SIZE, "0", "1T", NULL},
	{KNOB_MEM_LIMIT, "64M", "32M", "65M"},
	{KNOB_MEM_LIMIT, "64M", "64M", "0"},
	{KNOB_NR_INODES, "100", "99", "101"},
	{KNOB_NR_INODES, "100", "1", "0"},
	{KNOB_HOT, "1M", "0", "2M"},
	{KNOB_COMP, "lz4", "none", "zstd"},
	{KNOB_COMP, "lz4:8", "lz4:64", "lz4:7"},
	{KNOB_COMP, "lz4:64", "none", "lz4"},
	{KNOB_COMP, "lz4:65537", "none", "lz4:65536"},
	{KNOB_COMP, "zstd", "lz4", "zstd:2"},
	{KNOB_COMP, "zstd:3", "lz4", "zstd:4"},
	{KNOB_COMP, "none", "none", "lz4"},
	{KNOB_DENSE, "zstd:3", "zstd", "zstd:19"},
	{KNOB_SETTLE_AFTER, "30", "31", "29"},
	{KNOB_SETTLE_AFTER, "30", "off", "0"},
	{KNOB_SETTLE_AFTER, "off", "off", "1000"},
};

static void check_bound(const struct bound *b)
{
	fake_reset();
	CHECK_EQ(put(b->id, b->given), 0);
	if (b->more && put_bounded(b->id, b->more) != -EPERM)
		CHECK_FAILED("file %d: %s beyond %s", b->id, b->more, b->given);
	/* Down, and up again. */
	CHECK_EQ(put_bounded(b->id, b->less), 0);
	CHECK_EQ(put_bounded(b->id, b->given), 0);
	if (!b->more)
		return;
	/* The mounter may always, and then others may as much. */
	CHECK_EQ(put(b->id, b->more), 0);
	CHECK_EQ(put_bounded(b->id, b->given), 0);
	CHECK_EQ(put_bounded(b->id, b->more), 0);
	CHECK_EQ(put(b->id, b->given), 0);
	CHECK_EQ(put_bounded(b->id, b->more), -EPERM);
}

static void test_ceilings(void)
{
	for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++)
		check_bound(&bounds[i]);
	fake_super.mounter_uid = 12;
	CHECK_EQ(put(KNOB_SIZE, "1M"), 0);
	CHECK_EQ(put_bounded(KNOB_SIZE, "2M"), -EPERM);
	check_text(KNOB_SIZE, "1048576\n");
	check_text(KNOB_LAST_CMD_STATUS,
		   "size: \"2M\" is more than the mount was given; only who "
		   "mounted (user 12) or root may set that, here or by a "
		   "remount\n");
	/* What is no value is that, whoever says it. */
	CHECK_EQ(put_bounded(KNOB_SIZE, "2MB"), -EINVAL);
	/* Work is not bounded. */
	CHECK_EQ(put_bounded(KNOB_COMPACT, "1"), 0);
}

/* ---- work ---- */

static void test_compact(void)
{
	fake_reset();
	check_text(KNOB_COMPACT, "0\n");
	/* Memory that was free before goes back, too. */
	CHECK_EQ(put(KNOB_COMPACT, "1\n"), 0);
	CHECK_EQ(fake.trims, 1);
	fake.compact_result = 42;
	CHECK_EQ(put(KNOB_COMPACT, "1\n"), 0);
	check_text(KNOB_COMPACT, "42\n");
	CHECK_EQ(put_n(KNOB_COMPACT, "any\0thing\xff", 10), 0);
	CHECK_EQ(put(KNOB_COMPACT, ""), 0);
	CHECK_EQ(fake.compactions, 4);
	CHECK_EQ(fake.trims, 4);
	fake.compact_result = -EBUSY;
	CHECK_EQ(put(KNOB_COMPACT, "1"), -EBUSY);
	CHECK_EQ(fake.trims, 4);
	check_text(KNOB_COMPACT, "42\n");
}

static void test_settle(void)
{
	fake_reset();
	check_text(KNOB_SETTLE, "3 / 5, 7000\n");
	CHECK_EQ(put(KNOB_SETTLE, "1\n"), 0);
	CHECK_EQ(fake.settles, 1);
	fake.settle_result = -ENOMEM;
	CHECK_EQ(put(KNOB_SETTLE, "1"), -ENOMEM);
	check_text(KNOB_LAST_CMD_STATUS, "settle: no memory\n");
	check_text(KNOB_DENSE, "zstd\n");
	CHECK_EQ(put(KNOB_DENSE, "zstd:7\n"), 0);
	check_text(KNOB_DENSE, "zstd:7\n");
	CHECK_EQ(put(KNOB_DENSE, "lz4"), -EINVAL);
	check_text(KNOB_DENSE, "zstd:7\n");
}

/* Where the mounter has it off others cannot have it done. */
static void test_settle_bounded(void)
{
	fake_reset();
	CHECK_EQ(put(KNOB_SETTLE_AFTER, "off"), 0);
	CHECK_EQ(put_bounded(KNOB_SETTLE, "1"), -EPERM);
	CHECK_EQ(fake.settles, 0);
	check_text(KNOB_LAST_CMD_STATUS,
		   "settle: the mount was given settle=off, so only who "
		   "mounted or root may settle it\n");
	CHECK_EQ(put(KNOB_SETTLE, "1"), 0);
	CHECK_EQ(put(KNOB_SETTLE_AFTER, "1000"), 0);
	CHECK_EQ(put_bounded(KNOB_SETTLE, "1"), 0);
	/* It is what was given that counts. */
	CHECK_EQ(put_bounded(KNOB_SETTLE_AFTER, "off"), 0);
	CHECK_EQ(put_bounded(KNOB_SETTLE, "1"), 0);
	CHECK_EQ(fake.settles, 3);
}

static int inner_compact, inner_verify;

static void try_again(void)
{
	inner_compact = put(KNOB_COMPACT, "1");
	inner_verify = put(KNOB_VERIFY, "1");
}

/* While one long work goes on, no other is begun; short things are. */
static void test_single_flight(void)
{
	fake_reset();
	fake.in_work = try_again;
	CHECK_EQ(put(KNOB_COMPACT, "1"), 0);
	CHECK_EQ(inner_compact, -EBUSY);
	CHECK_EQ(inner_verify, -EBUSY);
	CHECK_EQ(fake.compactions, 1);
	inner_compact = inner_verify = 0;
	CHECK_EQ(put(KNOB_VERIFY, "1"), 0);
	CHECK_EQ(inner_compact, -EBUSY);
	CHECK_EQ(inner_verify, -EBUSY);
	/* And afterwards it is free again. */
	fake.in_work = NULL;
	CHECK_EQ(put(KNOB_COMPACT, "1"), 0);
}

/* Runs before all others that verify: the text is the process's. */
static void test_never_verified(void)
{
	fake_reset();
	check_text(KNOB_VERIFY, "never run\n");
}

static void test_verify(void)
{
	fake_reset();
	CHECK_EQ(put(KNOB_VERIFY, "1\n"), 0);
	check_text(KNOB_VERIFY, "clean\n");
	fake.verify_result = -EUCLEAN;
	fake.verify_msg = "inode 12 has 3 links, not 2";
	CHECK_EQ(put(KNOB_VERIFY, "1"), -EUCLEAN);
	check_text(KNOB_VERIFY, "inode 12 has 3 links, not 2\n");
	/* Nothing was found out: the text stays. */
	fake.verify_result = -EBUSY;
	fake.verify_msg = "busy";
	CHECK_EQ(put(KNOB_VERIFY, "1"), -EBUSY);
	check_text(KNOB_VERIFY, "inode 12 has 3 links, not 2\n");
	fake.verify_result = 0;
	CHECK_EQ(put(KNOB_VERIFY, ""), 0);
	check_text(KNOB_VERIFY, "clean\n");
}

/* Damaged content is named, and stays known while structures are clean. */
static void test_verify_content(void)
{
	fake_reset();
	fake.scrub_bad = 2;
	CHECK_EQ(put(KNOB_VERIFY, "1"), -EIO);
	check_text(KNOB_VERIFY,
		   "3 damaged blocks\n"
		   "inode 12 block 5, bytes 20480-24575, lz4\n"
		   "inode 12 blocks 5-6, bytes 20480-28671, lz4\n");
	CHECK_EQ(fake_super.scrubbed, 35);
	CHECK_EQ(fake_super.scrub_bad, 3);
	CHECK_EQ(control_verify_gently(&fake_fs), 0);
	control_render(&fake_fs, KNOB_VERIFY, text, sizeof(text));
	CHECK(!strncmp(text, "3 damaged blocks\n", 17));
	fake.scrub_bad = 1;
	fake.scrub_result = -EINTR;
	CHECK_EQ(put(KNOB_VERIFY, "1"), -EINTR);
	check_text(KNOB_VERIFY, "1 damaged block\n"
				"inode 12 block 5, bytes 20480-24575, lz4\n"
				"stopped before all content was read\n");
	fake.scrub_bad = 0;
	fake.scrub_result = -ENOMEM;
	CHECK_EQ(put(KNOB_VERIFY, "1"), -ENOMEM);
	check_text(KNOB_VERIFY, "no memory before all content was read\n");
	/* A damaged structure comes first, and nothing is read then. */
	fake.scrub_bad = 1;
	fake.verify_result = -EUCLEAN;
	fake.verify_msg = "inode 12 has 3 links, not 2";
	CHECK_EQ(put(KNOB_VERIFY, "1"), -EUCLEAN);
	check_text(KNOB_VERIFY, "inode 12 has 3 links, not 2\n");
	fake_reset();
	CHECK_EQ(put(KNOB_VERIFY, "1"), 0);
	check_text(KNOB_VERIFY, "clean\n");
}

/* Of very much the list has the beginning, and says so. */
static void test_verify_much(void)
{
	char much[4096];
	int len;

	fake_reset();
	fake.scrub_bad = 500;
	CHECK_EQ(put(KNOB_VERIFY, "1"), -EIO);
	len = control_render(&fake_fs, KNOB_VERIFY, much, sizeof(much));
	CHECK(len > 1500 && len < 2048);
	CHECK(!strncmp(much, "125250 damaged blocks\n", 22));
	CHECK(!strcmp(much + len - 10, "\nand more\n"));
	fake_reset();
	CHECK_EQ(put(KNOB_VERIFY, "1"), 0);
	check_text(KNOB_VERIFY, "clean\n");
}

static void take_200_ms(void)
{
	usleep(200000);
}

/* All requests wait for it, so others than the mounter wait between two. */
static void test_verify_bounded(void)
{
	fake_reset();
	CHECK_EQ(put(KNOB_VERIFY, "1"), 0);
	CHECK_EQ(put_bounded(KNOB_VERIFY, "1"), -EAGAIN);
	check_text(KNOB_LAST_CMD_STATUS,
		   "verify: requests had to wait for the last one; again in "
		   "1 s, or by who mounted or root\n");
	usleep(1100000);
	fake.in_work = take_200_ms;
	CHECK_EQ(put_bounded(KNOB_VERIFY, "1"), 0);
	fake.in_work = NULL;
	usleep(1100000);
	CHECK_EQ(put_bounded(KNOB_VERIFY, "1"), -EAGAIN);
	CHECK(control_verify_rest(&fake_fs) > 2000);
	/* What other threads check does not count: it had not begun. */
	fake.verify_result = -EBUSY;
	CHECK_EQ(put(KNOB_VERIFY, "1"), -EBUSY);
	CHECK(control_verify_rest(&fake_fs) > 2000);
	fake.verify_result = 0;
	CHECK_EQ(put(KNOB_VERIFY, "1"), 0);
	CHECK(control_verify_rest(&fake_fs) <= 1000);
}

static void test_other_files(void)
{
	fake_reset();
	CHECK_EQ(put(KNOB_MODE, "1"), -EPERM);
	CHECK_EQ(control_render(&fake_fs, KNOB_MODE, text, sizeof(text)),
		 -ENOENT);
	CHECK_EQ(control_render(&fake_fs, KNOB_SIZE, text, 0), -ENOSPC);
	CHECK_EQ(control_render(&fake_fs, KNOB_COMP, text, 5), -ENOSPC);
}

/* ---- statfs ---- */

#define SLACK (ARENA_SEG_SIZE + 64 * (uint64_t)ARENA_PAGE_SIZE)

static struct statvfs statfs_now(void)
{
	struct statvfs st;

	memset(&st, 0xff, sizeof(st));
	zsfs_statfs(&fake_fs, &st);
	CHECK_EQ(st.f_bsize, 4096);
	CHECK_EQ(st.f_frsize, 4096);
	CHECK_EQ(st.f_namemax, 255);
	CHECK_EQ(st.f_bavail, st.f_bfree);
	CHECK_EQ(st.f_favail, st.f_ffree);
	return st;
}

static void test_statfs_memory(void)
{
	struct statvfs st;

	fake_reset();
	fake_fs.used_blocks = 1000;
	fake_fs.used_inodes = 10;
	fake.available = SLACK + 4320 * 500 + 4319;
	st = statfs_now();
	CHECK_EQ(st.f_bfree, 500);
	CHECK_EQ(st.f_blocks, 1500);
	CHECK_EQ(st.f_ffree, (4320 * 500 + 4319) / 512);
	CHECK_EQ(st.f_files, 10 + st.f_ffree);
	/* A promise that cannot be kept is not made. */
	fake.available = SLACK;
	CHECK_EQ(statfs_now().f_bfree, 0);
	fake.available = 0;
	st = statfs_now();
	CHECK_EQ(st.f_bfree, 0);
	CHECK_EQ(st.f_blocks, 1000);
	CHECK_EQ(st.f_ffree, 0);
}

static void test_statfs_size(void)
{
	struct statvfs st;

	fake_reset();
	fake.available = UINT64_C(1) << 40;
	fake_super.size_limit = 100 * 4096;
	fake_super.inode_limit = 50;
	fake_fs.used_blocks = 30;
	fake_fs.used_inodes = 20;
	st = statfs_now();
	CHECK_EQ(st.f_bfree, 70);
	CHECK_EQ(st.f_blocks, 100);
	CHECK_EQ(st.f_ffree, 30);
	CHECK_EQ(st.f_files, 50);
	/* Reservations may go past the limit for a moment. */
	fake_fs.used_blocks = 101;
	fake_fs.used_inodes = 51;
	st = statfs_now();
	CHECK_EQ(st.f_bfree, 0);
	CHECK_EQ(st.f_blocks, 101);
	CHECK_EQ(st.f_ffree, 0);
	fake_fs.used_blocks = fake_fs.used_inodes = -1;
	st = statfs_now();
	CHECK_EQ(st.f_bfree, 100);
	CHECK_EQ(st.f_blocks, 100);
}

/* One more block that does not compress is seen by nobody. */
static void test_statfs_hidden(void)
{
	const uint64_t step = 4 << 20, some = 100 * step;

	fake_reset();
	fake_super.hidestats = 1;
	fake.available = SLACK + some + 4096;
	CHECK_EQ(statfs_now().f_bfree, some / 4320);
	fake.available -= 4096;
	CHECK_EQ(statfs_now().f_bfree, some / 4320);
	fake.available--;
	CHECK_EQ(statfs_now().f_bfree, (some - step) / 4320);
	CHECK_EQ(statfs_now().f_ffree, (some - step) / 512);
	/* A limit of content says nothing of how that compresses. */
	fake_super.size_limit = 100 * 4096;
	fake_fs.used_blocks = 30;
	CHECK_EQ(statfs_now().f_bfree, 70);
}

/* Without mem_limit, about what the machine has. */
static void test_statfs_unlimited(void)
{
	struct statvfs st;
	uint64_t ram = machine_ram("");

	fake_reset();
	st = statfs_now();
	CHECK(st.f_bfree > 0 && st.f_bfree * 4096 <= ram);
	/* The arena cannot grow beyond its addresses. */
	fake.mem.used = ARENA_SIZE - SLACK - 4320 * 7;
	CHECK_EQ(statfs_now().f_bfree, 7);
}

static const struct check_case cases[] = {
	CHECK_CASE(test_never_verified),   CHECK_CASE(test_size),
	CHECK_CASE(test_size_percent),	   CHECK_CASE(test_nr_inodes),
	CHECK_CASE(test_mem_limit),	   CHECK_CASE(test_comp),
	CHECK_CASE(test_mem_used_max),	   CHECK_CASE(test_compact),
	CHECK_CASE(test_settle),	   CHECK_CASE(test_single_flight),
	CHECK_CASE(test_verify),	   CHECK_CASE(test_verify_content),
	CHECK_CASE(test_verify_much),	   CHECK_CASE(test_other_files),
	CHECK_CASE(test_statfs_memory),	   CHECK_CASE(test_statfs_size),
	CHECK_CASE(test_statfs_unlimited), CHECK_CASE(test_statfs_hidden),
	CHECK_CASE(test_ceilings),	   CHECK_CASE(test_settle_bounded),
	CHECK_CASE(test_verify_bounded),
};

int main(int argc, char **argv)
{
	return CHECK_MAIN(cases, argc, argv);
}
