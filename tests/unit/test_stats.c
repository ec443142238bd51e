/* SPDX-License-Identifier: BSD-3-Clause */
/* The files of .zsstats, to the byte. */
#include <stdlib.h>

#include "check.h"
#include "fs_fakes.h"
#include "state/snapshot.h"
#include "state/zsfs.h"

static char text[SNAPSHOT_MAX_TEXT];

static int render(enum vfile_id id)
{
	memset(text, 'X', sizeof(text));
	return stats_render(&fake_fs, id, text, sizeof(text));
}

static void check_text(enum vfile_id id, const char *want)
{
	int len = render(id);

	CHECK_EQ(len, strlen(want));
	if (len >= 0 && strcmp(text, want) != 0)
		CHECK_FAILED("got:\n%s\nwant:\n%s", text, want);
}

/* ---- classes ---- */

static void set_row(unsigned i, const struct zs_class_stats *row)
{
	fake.row[i] = *row;
	if (fake.nr_rows <= i)
		fake.nr_rows = i + 1;
}

static void two_classes(void)
{
	set_row(0, &(struct zs_class_stats){
			   .index = 202,
			   .size = 3264,
			   .pages_per_zspage = 4,
			   .objs_per_zspage = 5,
			   .almost_empty = 1,
			   .obj_allocated = 5,
			   .obj_used = 2,
			   .pages_used = 4,
			   .inuse = {[4] = 1},
		   });
	set_row(1, &(struct zs_class_stats){
			   .index = 254,
			   .size = 4096,
			   .pages_per_zspage = 1,
			   .objs_per_zspage = 1,
			   .huge = true,
			   .almost_full = 12345678901,
			   .obj_allocated = 12345678901,
			   .obj_used = 12345678900,
			   .pages_used = 12345678901,
			   .inuse = {[0] = 7, [1] = 3, [10] = 6, [11] = 1},
			   .freeable = 9,
		   });
}

/* As Linux 4.2 prints it: the example of an almost empty class. */
static void test_classes_seed(void)
{
	fake_reset();
	two_classes();
	fake.nr_rows = 1;
	check_text(VF_CLASSES,
		   " class  size almost_full almost_empty obj_allocated   "
		   "obj_used pages_used pages_per_zspage\n"
		   "   202  3264           0            1             5       "
		   "   2          4                4\n"
		   "\n"
		   " Total                 0            1             5       "
		   "   2          4\n");
}

static void test_classes_sums(void)
{
	fake_reset();
	two_classes();
	check_text(VF_CLASSES,
		   " class  size almost_full almost_empty obj_allocated   "
		   "obj_used pages_used pages_per_zspage\n"
		   "   202  3264           0            1             5       "
		   "   2          4                4\n"
		   "   254  4096 12345678901            0   12345678901 "
		   "12345678900 12345678901                1\n"
		   "\n"
		   " Total       12345678901            1   12345678906 "
		   "12345678902 12345678905\n");
}

static void test_fullness(void)
{
	fake_reset();
	two_classes();
	check_text(
		VF_FULLNESS,
		" class  size       10%       20%       30%       40%       50%"
		"       60%       70%       80%       90%       99%      100% "
		"obj_allocated   obj_used pages_used pages_per_zspage "
		"freeable\n"
		"   202  3264         0         0         0         1         0"
		"         0         0         0         0         0         0 "
		"            5          2          4                4        "
		"0\n"
		"   254  4096         3         0         0         0         0"
		"         0         0         0         0         6         1 "
		"  12345678901 12345678900 12345678901                1        "
		"9"
		"\n\n"
		" Total               3         0         0         1         0"
		"         0         0         0         0         6         1 "
		"  12345678906 12345678902 12345678905                         "
		"9"
		"\n");
}

/* All classes with the largest numbers fit. */
static void test_tables_fit(void)
{
	fake_reset();
	for (unsigned i = 0; i < ZS_SIZE_CLASSES; i++) {
		two_classes();
		set_row(i, &fake.row[1]);
		for (unsigned g = 0; g < ZS_NR_FULLNESS; g++)
			fake.row[i].inuse[g] = 999999999;
	}
	CHECK(render(VF_CLASSES) > 20000);
	CHECK(render(VF_FULLNESS) > 40000);
	CHECK(text[strlen(text) - 1] == '\n');
}

/* ---- zram's files ---- */

static void test_mm_stat(void)
{
	fake_reset();
	fake.pool.objs_used = 300;
	fake.stat[ST_SAME] = 50;
	fake.pool.payload = 423154;
	fake.pool.huge_objs = 7;
	fake.stat[ST_HUGE_SINCE] = 8;
	fake.mem.used = 123456789012;
	fake.mem.limit = 223456789012;
	fake.mem.used_max = 323456789012;
	fake.pool.pages_compacted = 11;
	check_text(VF_MM_STAT,
		   " 1433600   423154 123456789012 223456789012 323456789012"
		   "       50       11        7        8\n");
}

static void test_io_stat(void)
{
	fake_reset();
	fake.stat[ST_FAILED_READS] = 1;
	fake.stat[ST_FAILED_WRITES] = 22;
	fake.stat[ST_FREED] = 123456789;
	check_text(VF_IO_STAT, "       1       22        0 123456789\n");
}

static void test_tiers(void)
{
	fake_reset();
	two_classes();
	fake.stat[ST_DENSE] = 1000;
	fake.stat[ST_PIECES] = 101;
	fake.stat[ST_HUGE_PIECES] = 100;
	fake.stat[ST_DENSE_RAM] = 412864;
	fake.stat[ST_SAME] = 50;
	fake.stat[ST_HOT] = 0;
	fake.mem.used = UINT64_C(50567900795880);
	check_text(VF_TIERS, "                     blocks           bytes      "
			     "       RAM   ratio\n"
			     "hot                       0               0      "
			     "         0       -\n"
			     "warm                      1            4096      "
			     "      3264    1.25\n"
			     "dense                  1000         4096000      "
			     "    412864    9.92\n"
			     "incompressible  12345678800  50567900364800  "
			     "50567900364800    1.00\n"
			     "same-filled              50          204800      "
			     "         0       -\n"
			     "gaps                      0               0      "
			     "     13952       -\n"
			     "other                     0               0      "
			     "      1000       -\n"
			     "total           12345679851  50567904669696  "
			     "50567900795880    1.00\n");
}

/* While others work, a sum of cells may be off for a moment. */
static void test_never_negative(void)
{
	fake_reset();
	for (unsigned i = 0; i < ST_NR; i++)
		fake.stat[i] = -5;
	check_text(VF_MM_STAT, "       0        0        0        0        0 "
			       "       0        0        0        0\n");
	REQUIRE(render(VF_STATS_JSON) > 0);
	CHECK(!strstr(text, "-5") && !strstr(text, "1844674407"));
}

/* ---- JSON ---- */

static const char *skip_space(const char *p)
{
	return p + strspn(p, " \n\t\r");
}

static const char *json_value(const char *p);

static const char *json_string(const char *p)
{
	if (*p++ != '"')
		return NULL;
	for (; *p != '"'; p++) {
		if (*p == '\\' || (unsigned char)*p < 0x20)
			return NULL;
	}
	return p + 1;
}

/* Members up to @end, each "key": value when @keys. */
static const char *json_members(const char *p, char end, bool keys)
{
	p = skip_space(p + 1);
	if (*p == end)
		return p + 1;
	for (;;) {
		if (keys) {
			p = json_string(skip_space(p));
			if (!p || *(p = skip_space(p)) != ':')
				return NULL;
			p++;
		}
		p = json_value(p);
		if (!p)
			return NULL;
		p = skip_space(p);
		if (*p == end)
			return p + 1;
		if (*p++ != ',')
			return NULL;
	}
}

/* Behind the value at @p, NULL when there is none. */
static const char *json_value(const char *p)
{
	static const char *const words[] = {"true", "false", "null"};
	size_t digits;

	p = skip_space(p);
	if (*p == '{')
		return json_members(p, '}', true);
	if (*p == '[')
		return json_members(p, ']', false);
	if (*p == '"')
		return json_string(p);
	for (unsigned i = 0; i < 3; i++) {
		if (strncmp(p, words[i], strlen(words[i])) == 0)
			return p + strlen(words[i]);
	}
	p += *p == '-';
	digits = strspn(p, "0123456789");
	if (digits == 0 || (digits > 1 && *p == '0'))
		return NULL;
	return p + digits;
}

static bool is_json(const char *p)
{
	p = json_value(p);
	return p && *skip_space(p) == '\0';
}

static void test_checker(void)
{
	CHECK(is_json("{\"a\":1,\"b\":[true,null,{}],\"c\":\"x\"}\n"));
	CHECK(!is_json("{\"a\":1,}"));
	CHECK(!is_json("{\"a\":01}"));
	CHECK(!is_json("{\"a\" 1}"));
	CHECK(!is_json("{} x"));
	CHECK(!is_json("{\"a\":[1,2}"));
	CHECK(!is_json("{\"a\":\"\\\"}"));
}

static void has(const char *member)
{
	if (!strstr(text, member))
		CHECK_FAILED("no %s in:\n%s", member, text);
}

static void test_json(void)
{
	fake_reset();
	two_classes();
	fake_super.layout = 3;
	fake_super.size_limit = 8192;
	fake_super.inode_limit = 77;
	fake_super.comp = ZCOMP_ZSTD | 9 << 8;
	fake_slots[0].requests[1] = 5;
	fake_slots[1].requests[1] = 6;
	fake_slots[2].requests[42] = 2;
	fake_slots[2].requests[61] = 9;
	fake.stat[ST_CORRUPT] = 1;
	fake.mem.limit = 5555;
	fake.mem.huge = true;
	fake.mem.slab_objs[SLAB_RECORD] = 31;
	fake.mem.slab_objs[SLAB_BUF_32] = 32;
	fake_fs.read_ahead_kb = 1024;
	REQUIRE(render(VF_STATS_JSON) > 0);
	CHECK(is_json(text));
	has("\"version\":\"" ZSFS_VERSION "\"");
	has("\"layout\":3");
	has("\"comp\":\"zstd:9\"");
	has("\"survive\":false");
	has("\"limits\":{\"size\":8192,\"mem_limit\":5555,\"nr_inodes\":77}");
	has("\"lookup\":11,");
	has("\"batch_forget\":2,");
	has("\"opcode_61\":9}");
	has("\"corrupt_blocks\":1,");
	has("\"available\":null,");
	has("\"huge_pages\":true");
	has("\"inode\":31,\"buf_1001\":32,");
	has("\"read_ahead_kb\":1024,\"max_ratio\":0,\"threads\":2,\"helpers\":"
	    "0}");
	has("{\"class\":202,\"size\":3264,\"pages_per_zspage\":4,"
	    "\"obj_allocated\":5,\"obj_used\":2,\"pages_used\":4,"
	    "\"freeable\":0},");
}

/* Whatever room there is, what comes out is an object. */
static void test_json_short_of_room(void)
{
	bool with_classes = false, without = false, empty = false;
	int full;

	fake_reset();
	two_classes();
	full = render(VF_STATS_JSON);
	REQUIRE(full > 1000);
	for (size_t size = 4; size <= (size_t)full + 2; size++) {
		int len = stats_render(&fake_fs, VF_STATS_JSON, text, size);

		if (len <= 0 || (size_t)len != strlen(text) ||
		    (size_t)len >= size || !is_json(text))
			CHECK_FAILED("room %zu: %d", size, len);
		with_classes |= len == full;
		without |= len > 3 && len < full;
		empty |= len == 3;
	}
	CHECK(with_classes && without && empty);
}

static void test_no_room(void)
{
	fake_reset();
	two_classes();
	CHECK_EQ(stats_render(&fake_fs, VF_CLASSES, text, 100), -ENOSPC);
	CHECK_EQ(stats_render(&fake_fs, VF_CLASSES, text, 0), -ENOSPC);
	CHECK_EQ(stats_render(&fake_fs, VF_SIZE, text, sizeof(text)), -ENOENT);
}

static const struct check_case cases[] = {
	CHECK_CASE(test_classes_seed),
	CHECK_CASE(test_classes_sums),
	CHECK_CASE(test_fullness),
	CHECK_CASE(test_tables_fit),
	CHECK_CASE(test_mm_stat),
	CHECK_CASE(test_io_stat),
	CHECK_CASE(test_tiers),
	CHECK_CASE(test_never_negative),
	CHECK_CASE(test_checker),
	CHECK_CASE(test_json),
	CHECK_CASE(test_json_short_of_room),
	CHECK_CASE(test_no_room),
};

int main(int argc, char **argv)
{
	return CHECK_MAIN(cases, argc, argv);
}
