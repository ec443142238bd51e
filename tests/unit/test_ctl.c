/* SPDX-License-Identifier: BSD-3-Clause */
/* zsctl: what it makes of what mounts say, older and newer ones, and none. */
#include "ctl/advice.h"
#include "ctl/format.h"
#include "ctl/fullness.h"
#include "ctl/knob.h"
#include "ctl/mounts.h"
#include "ctl/show.h"
#include "ctl/stats.h"
#include "ctl/text.h"
#include "ctl/usage.h"

#include <errno.h>
#include <locale.h>
#include <sys/sysmacros.h>

#include "check.h"

#define CHECK_TEXT(got, want)                                                  \
	do {                                                                   \
		const char *it = (got);                                        \
		if (!it || strcmp(it, want))                                   \
			CHECK_FAILED("\"%s\" is not \"%s\"", it ? it : "NULL", \
				     want);                                    \
	} while (0)

/* ---- stats.json ---- */

static int parse(struct stats *s, const char *text)
{
	return stats_parse(s, text, strlen(text));
}

static const char whole[] =
	"{\"version\":\"0.1.0\",\"created\":1700000000,\"comp\":\"lz4\","
	"\"settle\":\"30\",\"survive\":true,"
	"\"survival\":{\"worker\":12,\"standby\":0,\"why_not\":\"\"},"
	"\"limits\":{\"size\":0,\"mem_limit\":1000000,\"nr_inodes\":100},"
	"\"content\":{\"orig_data_size\":800000,\"inodes\":7,\"blocks\":200},"
	"\"tiers\":{\"dense\":{\"blocks\":1,\"bytes\":4096,\"ram\":1000},"
	"\"gaps\":5},"
	"\"memory\":{\"used\":200000,\"available\":null},"
	"\"requests\":{\"read\":3,\"write\":4},"
	"\"classes\":[{\"class\":0,\"size\":32,\"obj_allocated\":10,"
	"\"obj_used\":5}]}";

static void test_stats(void)
{
	struct stats s;

	CHECK_EQ(parse(&s, whole), 0);
	CHECK_TEXT(s.version, "0.1.0");
	CHECK_EQ(s.survive, 1);
	CHECK_EQ(s.worker, 12);
	CHECK_EQ(s.mem_limit, 1000000);
	CHECK_EQ(s.tier[DENSE].bytes, 4096);
	CHECK_EQ(stats_requests(&s), 7);
	CHECK_EQ(s.nr_classes, 1);
	CHECK_EQ(s.class[0].used, 5);
	CHECK_EQ(stats_saved(&s), 600000);
	CHECK_EQ((int)stats_saved_percent(&s), 75);
	stats_free(&s);
	CHECK_EQ(s.worker, STATS_MISSING);
}

/* What an older mount does not tell. */
static void test_stats_missing(void)
{
	struct stats s;

	CHECK_EQ(parse(&s, whole), 0);
	CHECK_EQ(s.available, STATS_MISSING);
	CHECK_EQ(s.takeovers, STATS_MISSING);
	CHECK_EQ(s.tier[WARM].ram, STATS_MISSING);
	CHECK_EQ(s.class[0].freeable, STATS_MISSING);
	CHECK(!s.dense);
	stats_free(&s);
	CHECK_EQ(parse(&s, "{}\n"), 0);
	CHECK_EQ(s.data, STATS_MISSING);
	CHECK_EQ(stats_requests(&s), STATS_MISSING);
	CHECK_EQ(stats_saved(&s), STATS_MISSING);
	CHECK(stats_saved_percent(&s) < 0);
	CHECK_EQ(stats_age(&s), STATS_MISSING);
	stats_free(&s);
}

/* What a newer one might tell in another way. */
static void test_stats_other_types(void)
{
	struct stats s;

	CHECK_EQ(parse(&s, "{\"version\":7,\"created\":\"x\",\"survival\":[],"
			   "\"content\":3,\"tiers\":{\"warm\":1},"
			   "\"requests\":[1],\"classes\":{\"a\":1},"
			   "\"limits\":null,\"new\":{\"a\":[{}]}}"),
		 0);
	CHECK(!s.version);
	CHECK_EQ(s.created, STATS_MISSING);
	CHECK_EQ(s.worker, STATS_MISSING);
	CHECK_EQ(s.data, STATS_MISSING);
	CHECK_EQ(s.tier[WARM].bytes, STATS_MISSING);
	CHECK_EQ(s.nr_requests, 0);
	CHECK_EQ(s.nr_classes, 0);
	stats_free(&s);
	CHECK_EQ(parse(&s, "{\"version\":\"\\u001b[31m\"}"), 0);
	CHECK_TEXT(s.version, "?[31m");
	stats_free(&s);
	CHECK_EQ(parse(&s, "{\"classes\":[1,null,{}]}"), 0);
	CHECK_EQ(s.nr_classes, 3);
	CHECK_EQ(s.class[1].size, STATS_MISSING);
	stats_free(&s);
}

static void test_stats_no_json(void)
{
	static const char *const bad[] = {"",	   "[]",      "3",
					  "\"a\"", "{",	      "x",
					  "null",  "{\"a\":", "\xff\xfe"};
	struct stats s;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CHECK_EQ(parse(&s, bad[i]), -EINVAL);
		CHECK_EQ(s.data, STATS_MISSING);
		stats_free(&s);
	}
	/* One that was cut off. */
	CHECK_EQ(stats_parse(&s, whole, sizeof(whole) / 2), -EINVAL);
	stats_free(&s);
}

/* ---- numbers ---- */

static void test_format(void)
{
	char t[FORMAT_BAR];

	CHECK_TEXT(format_size(t, -1, false), "-");
	CHECK_TEXT(format_size(t, -1, true), "-");
	CHECK_TEXT(format_size(t, 0, false), "0B");
	CHECK_TEXT(format_size(t, 999, false), "999B");
	CHECK_TEXT(format_size(t, 1000, false), "1.0K");
	CHECK_TEXT(format_size(t, 4096, true), "4096");
	CHECK_TEXT(format_size(t, 102200, false), "99.8K");
	CHECK_TEXT(format_size(t, 102400, false), "100K");
	CHECK_TEXT(format_size(t, 1023487, false), "999K");
	CHECK_TEXT(format_size(t, 1023600, false), "1.0M");
	CHECK_TEXT(format_size(t, INT64_MAX, false), "8.0E");
	CHECK_TEXT(format_count(t, 999), "999");
	CHECK_TEXT(format_count(t, 12005), "12,005");
	CHECK_TEXT(format_count(t, 1250000), "1.2M");
	CHECK_TEXT(format_percent(t, -1), "-");
	CHECK_TEXT(format_percent(t, 0), "0%");
	CHECK_TEXT(format_percent(t, 3.14), "3.1%");
	CHECK_TEXT(format_percent(t, 46.4), "46%");
	CHECK_TEXT(format_age(t, -1), "-");
	CHECK_TEXT(format_age(t, 59), "59 s");
	CHECK_TEXT(format_age(t, 7500), "2 h 5 min");
	CHECK_TEXT(format_age(t, 400000), "4 days");
	CHECK_TEXT(format_bar(t, 50, 4, false), "##..");
	CHECK_TEXT(format_bar(t, 0.1, 4, false), "#...");
	CHECK_TEXT(format_bar(t, -1, 4, false), "....");
	CHECK_TEXT(format_bar(t, 1000, 4, false), "####");
	CHECK_EQ(strlen(format_bar(t, 10, 10000, true)), 3 * MAX_BAR);
}

/* ---- mounts ---- */

static const char table[] =
	"22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
	"30 22 0:40 / /mnt/a\\040b rw shared:1 - fuse.zsfs zsfs rw\n"
	"31 22 0:41 /sub /mnt/part rw - fuse.zsfs zsfs rw\n"
	"32 22 0:42 / /mnt/deep rw master:2 propagate_from:3 - fuse.zsfs z rw\n"
	"33 32 0:43 / /mnt/deep/other rw - tmpfs tmpfs rw\n"
	"34 32 0:44 / /mnt/deep rw - fuse.zsfs top rw\n"
	"35 22 0:45 / /mnt/sub rw - fuse.sshfs host: rw\n"
	"36 22 0:40 /d /mnt/bound rw - fuse.zsfs zsfs rw\n"
	"37 22 0:46 / /mnt/x\\134y\\ rw - fuse.zsfs zsfs rw\n"
	"broken\n\n";

static void read_table(struct mounts *m)
{
	char path[] = "/tmp/test_ctl.XXXXXX";
	int fd = mkstemp(path);

	REQUIRE(fd >= 0);
	REQUIRE(write(fd, table, sizeof(table) - 1) == sizeof(table) - 1);
	close(fd);
	CHECK_EQ(mounts_read(m, path), 0);
	unlink(path);
}

static void test_mounts(void)
{
	struct mounts m;

	read_table(&m);
	REQUIRE(m.nr == 11);
	CHECK_TEXT(m.mount[1].at, "/mnt/a b");
	CHECK_TEXT(m.mount[8].at, "/mnt/x\\y\\");
	CHECK(m.mount[1].dev == makedev(0, 40));
	CHECK(mount_is_zsfs(&m.mount[1]) && !mount_is_zsfs(&m.mount[6]));
	CHECK(mount_is_covered(&m, &m.mount[3]));
	CHECK(!mount_is_covered(&m, &m.mount[5]));
	/* A bind mount is no file system of its own. */
	CHECK(mount_is_first(&m, &m.mount[1]));
	CHECK(!mount_is_first(&m, &m.mount[7]));
	CHECK(mount_is_first(&m, &m.mount[2]));
	mounts_free(&m);
	CHECK_EQ(mounts_read(&m, "/nonexistent"), -ENOENT);
	mounts_free(&m);
}

static void test_mounts_find(void)
{
	const struct mount *found;
	struct mounts m;
	char why[128];

	read_table(&m);
	/* Nothing of that exists here, and "/" does. */
	CHECK(!mounts_find(&m, "/mnt/a b/no/such", why, sizeof(why)));
	CHECK_TEXT(why, "No such file or directory");
	CHECK(!mounts_find(&m, "/", why, sizeof(why)));
	CHECK_TEXT(why, "no zsfs is mounted there");
	CHECK(!mounts_find(&m, "", why, sizeof(why)));
	m.mount[0].type = "fuse.zsfs";
	found = mounts_find(&m, "/usr/..", why, sizeof(why));
	CHECK(found == &m.mount[0]);
	m.mount[0].root = "/part";
	CHECK(!mounts_find(&m, "/", why, sizeof(why)));
	CHECK(strstr(why, "only a part"));
	mounts_free(&m);
}

/* ---- advice ---- */

static void test_advice(void)
{
	struct advice list[MOST_ADVICE];
	struct stats s;

	/* What nothing is known of is not odd. */
	stats_init(&s);
	CHECK_EQ(advice(&s, "/m", list), 0);
	s.survive = 1;
	s.standby = 0;
	CHECK_EQ(advice(&s, "/m", list), 1);
	CHECK(!list[0].bad && strstr(list[0].text, "no standby"));
	s.mem_limit = 1000;
	s.available = 101;
	CHECK_EQ(advice(&s, "/m", list), 1);
	/* The worst comes first. */
	s.available = 100;
	CHECK_EQ(advice(&s, "/m", list), 2);
	CHECK(list[0].bad && strstr(list[0].text, "mem_limit is near"));
	s.survive = 0;
	s.why_not = "nosurvive";
	CHECK_EQ(advice(&s, "/m", list), 2);
	s.corrupt = 3;
	s.data = 100 << 20;
	s.tier[INCOMPRESSIBLE] = (struct stats_form){40 << 20, 40 << 20};
	CHECK_EQ(advice(&s, "/m", list), 4);
	CHECK(strstr(list[0].text, "3 damaged blocks"));
	CHECK(strstr(list[3].text, "40 %"));
}

/* Everything at once: each text ends within its room. */
static void test_advice_all(void)
{
	struct advice list[MOST_ADVICE];
	char at[300];
	struct stats s;
	size_t n;

	memset(at, 'm', sizeof(at) - 1);
	at[sizeof(at) - 1] = '\0';
	stats_init(&s);
	s.corrupt = s.late_lost = s.deaths = s.poisoned = 9;
	s.mem_limit = s.size = s.nr_inodes = 1;
	s.available = s.survive = 0;
	s.inodes = s.blocks = 1 << 20;
	s.data = s.ram = s.gaps = 1 << 30;
	s.settle = "off";
	s.tier[WARM] = s.tier[INCOMPRESSIBLE] =
		(struct stats_form){1 << 30, 1 << 30};
	n = advice(&s, at, list);
	CHECK_EQ(n, 11);
	for (size_t i = 0; i < n; i++)
		CHECK(strlen(list[i].text) < ADVICE_SIZE);
}

/* ---- the page ---- */

/* What show prints of @s. */
static char *page(const struct stats *s)
{
	static char text[16384];
	FILE *file = tmpfile();
	int out = dup(STDOUT_FILENO);
	size_t n;

	REQUIRE(file && out >= 0);
	fflush(stdout);
	dup2(fileno(file), STDOUT_FILENO);
	show_print(s, "/m", false);
	fflush(stdout);
	dup2(out, STDOUT_FILENO);
	close(out);
	rewind(file);
	n = fread(text, 1, sizeof(text) - 1, file);
	text[n] = '\0';
	fclose(file);
	return text;
}

/* Of a mount that tells nothing each value is "-". */
static void test_show_missing(void)
{
	struct stats s;
	char *text;

	stats_init(&s);
	text = page(&s);
	CHECK(strstr(text, "/m   zsfs -, mounted - ago\n"));
	CHECK(strstr(text, "Takes          - of RAM\n"));
	CHECK(strstr(text, "Survives   -\n"));
	CHECK(strstr(text, "Settling   -\n"));
	for (const char *c = text; *c; c++)
		CHECK(*c < '0' || *c > '9' || c[-1] == '.');
}

static void test_show(void)
{
	struct stats s;
	char *text;

	CHECK_EQ(parse(&s, whole), 0);
	text = page(&s);
	CHECK(strstr(text, "781K in 7 files"));
	CHECK(strstr(text, "586K (75%) saved, ratio 4.00"));
	CHECK(strstr(text, "20%  195K of 977K"));
	CHECK(strstr(text, "no standby"));
	stats_free(&s);
}

/* ---- names ---- */

static void test_text_clean(void)
{
	char text[] = "a\033[31m b\n\x7f\t", high[] = "\xc2\x9b"
						      "1m \xc3\xa4\xc2\xa0";
	char lines[] = "a\nb\r\n", cut[4];

	CHECK_TEXT(text_clean(text, '\0'), "a?[31m b???");
	CHECK_TEXT(text_clean(high, '\0'), "?"
					   "?1m \xc3\xa4\xc2\xa0");
	CHECK_TEXT(text_clean(lines, '\n'), "a\nb?\n");
	CHECK_TEXT(text_shown(cut, sizeof(cut), "\rabc"), "?ab");
}

static void check_wide(const char *text, const wchar_t *want)
{
	wchar_t got[16];

	text_wide(got, 16, text);
	if (wcscmp(got, want) != 0)
		CHECK_FAILED("\"%s\" became \"%ls\"", text, got);
}

/* @text, cut at its left to @room columns, is @want. */
static void check_cut_left(const wchar_t *text, int room, const wchar_t *mark,
			   const wchar_t *want)
{
	wchar_t got[16];

	wcscpy(got, text);
	text_cut_left(got, room, mark);
	CHECK(!wcscmp(got, want));
}

static void test_text_cut_left(void)
{
	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		return;
	check_cut_left(L"/mnt/a", 6, L"...", L"/mnt/a");
	check_cut_left(L"/mnt/a", 5, L"...", L".../a");
	check_cut_left(L"/mnt/a", 5, L"\u2026", L"\u2026nt/a");
	/* Those of two columns, and no room at all. */
	check_cut_left(L"\u4e2d\u4e2d\u4e2d", 4, L"\u2026", L"\u2026\u4e2d");
	check_cut_left(L"\u4e2d\u4e2d", 3, L"...", L"\u4e2d\u4e2d");
	check_cut_left(L"abcd", 0, L"...", L"...");
	setlocale(LC_CTYPE, "C");
}

static void test_text_wide(void)
{
	wchar_t few[3];
	int columns;

	check_wide("a\xff\033", L"a??");
	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		return;
	check_wide("\xc3\xa4\xc3", L"\u00e4?");
	check_wide("\xff\xe4\xb8\xad\n", L"?\u4e2d?");
	text_wide(few, 3, "abcd");
	CHECK(!wcscmp(few, L"ab"));
	/* One that takes two columns is not cut apart. */
	CHECK_EQ(text_fitting(L"a\u4e2db", 2, &columns), 1);
	CHECK_EQ(columns, 1);
	CHECK_EQ(text_fitting(L"a\u4e2db", 3, &columns), 2);
	CHECK_EQ(columns, 3);
	setlocale(LC_CTYPE, "C");
}

/* ---- the rest ---- */

static void test_fullness(void)
{
	char text[] = " class  size       10%       20%       30%       40% "
		      "50% 60% 70% 80% 90% 99% 100% new obj_allocated "
		      "pages_per_zspage freeable\n"
		      "     0    32 1 0 0 0 0 0 0 0 0 0 2 9 10 3 0\n"
		      "     1    48 0 0 0 0 0 0 0 0 0 0 0 9 10 1 0\n"
		      "\n Total 1 0 0 0 0 0 0 0 0 0 2 10\n";
	char other[] = " class size 10%\n 0 32 1\n", empty[] = "";
	struct fullness f;

	CHECK_EQ(fullness_parse(&f, text), 0);
	REQUIRE(f.nr == 1);
	CHECK_EQ(f.row[0].size, 32);
	CHECK_EQ(f.row[0].pages_per_zspage, 3);
	CHECK_EQ(f.row[0].zspages[0], 1);
	CHECK_EQ(f.row[0].zspages[10], 2);
	free(f.row);
	CHECK_EQ(fullness_parse(&f, other), -EINVAL);
	free(f.row);
	CHECK_EQ(fullness_parse(&f, empty), -EINVAL);
	free(f.row);
}

static void test_usage(void)
{
	struct usage u = {.files = 0};

	CHECK_EQ(usage_parse(&u, "hot 0 0\nlz4 2 100\nraw 1 4096\n"
				 "new 3 7\nroom 9 0\n"),
		 0);
	CHECK_EQ(u.bytes[USAGE_LZ4], 8192);
	CHECK_EQ(u.bytes[USAGE_OTHER], 3 * 4096);
	CHECK_EQ(usage_data(&u), 6 * 4096);
	CHECK_EQ(usage_ram(&u), 100 + 4096 + 7);
	usage_add(&u, &u);
	CHECK_EQ(usage_data(&u), 12 * 4096);
	CHECK_EQ(usage_parse(&u, ""), 0);
	CHECK_EQ(usage_parse(&u, "lz4 x 1\n"), -EINVAL);
	CHECK_EQ(usage_parse(&u, "lz4\n"), -EINVAL);
	CHECK_EQ(usage_parse(&u, "lz4\n2 100\n"), -EINVAL);
}

/* Of a folder, also one of a newer mount. */
static void test_usage_of_folder(void)
{
	struct usage u = {.files = 1}, sum = {.files = 0};

	CHECK_EQ(usage_parse(&u, "lz4 2 100\nfiles 3\nsize 5000\n"
				 "links 4\nfolders 5\nnew 6\nraw 1 4096\n"),
		 0);
	CHECK_EQ(u.files, 4);
	CHECK_EQ(u.size, 5000);
	CHECK_EQ(u.links, 4);
	CHECK_EQ(u.folders, 5);
	CHECK_EQ(usage_data(&u), 3 * 4096);
	usage_add(&sum, &u);
	CHECK_EQ(sum.files, 4);
	CHECK_EQ(sum.size, 5000);
	CHECK_EQ(sum.links + sum.folders, 0);
}

static void test_knobs(void)
{
	struct stats s;
	char text[FORMAT_SIZE];

	CHECK_TEXT(knob_find("comp", 4)->file, "comp_algorithm");
	CHECK_TEXT(knob_find("comp_algorithm", 14)->name, "comp");
	/* The option, not the file that does the work. */
	CHECK_TEXT(knob_find("settle", 6)->file, "settle_after");
	CHECK(!knob_find("com", 3) && !knob_find("", 0));
	stats_init(&s);
	for (size_t i = 0; i < ctl_nr_knobs; i++) {
		ctl_knobs[i].show(&s, text);
		CHECK_TEXT(text, "-");
	}
}

static const struct check_case cases[] = {
	CHECK_CASE(test_stats),
	CHECK_CASE(test_stats_missing),
	CHECK_CASE(test_stats_other_types),
	CHECK_CASE(test_stats_no_json),
	CHECK_CASE(test_format),
	CHECK_CASE(test_mounts),
	CHECK_CASE(test_mounts_find),
	CHECK_CASE(test_advice),
	CHECK_CASE(test_advice_all),
	CHECK_CASE(test_text_clean),
	CHECK_CASE(test_text_wide),
	CHECK_CASE(test_text_cut_left),
	CHECK_CASE(test_fullness),
	CHECK_CASE(test_knobs),
	CHECK_CASE(test_usage),
	CHECK_CASE(test_usage_of_folder),
	CHECK_CASE(test_show_missing),
	CHECK_CASE(test_show),
};

int main(int argc, char **argv)
{
	return CHECK_MAIN(cases, argc, argv);
}
