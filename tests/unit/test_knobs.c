/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The knobs: what is made of their rows agrees. Each is the option, the line of
 * --help, the file in .zsctl and the setting in stats.json that its row says.
 */
#include "control/knobs.h"

#include <errno.h>
#include <stdlib.h>

#include "check.h"
#include "control/vfile.h"
#include "start/options_i.h"
#include "state/snapshot.h"
#include "state/zsfs.h"

static struct zsfs_options o;
static char text[SNAPSHOT_MAX_TEXT];

/* Options as a mount with @list has them; "": none is given. */
static int parse(const char *list)
{
	static const struct environment env = {
		.ram = UINT64_C(8) << 30, .cpus = 2, .privileged = true};
	const char *words[] = {"zsfs", "-o", list, "/mnt", NULL};
	char *argv[5];
	char msg[OPTIONS_MSG_SIZE] = "";
	int err;

	memcpy(argv, words, sizeof(argv));
	options_free(&o);
	err = options_parse(4, argv, &env, &o, msg, sizeof(msg));
	if (err)
		fprintf(stderr, "# %s\n", msg);
	return err;
}

static struct zsfs *fs_of(const char *list)
{
	struct zsfs *fs;

	REQUIRE(!parse(list));
	o.fs.no_huge = true;
	REQUIRE(!zsfs_create(&o.fs, &fs));
	return fs;
}

/* ---- options ---- */

static void test_options(void)
{
	for (enum knob_id id = 0; id < KNOB_NR; id++) {
		const struct knob *k = &knobs[id];
		const struct option_def *d = &knob_options[id];

		CHECK(k->option || k->file);
		CHECK(k->help && *k->help);
		if (!k->option) {
			CHECK(!d->name && !k->fallback && !k->arg && !k->shown);
			continue;
		}
		CHECK(d->name && !strcmp(d->name, k->option));
		CHECK_EQ(k->kind == KIND_FLAG || k->kind == KIND_MARK, !k->arg);
		CHECK(!k->file || k->shown);
	}
}

/* A default that is given is what not giving it is. */
static void check_fallback(enum knob_id id)
{
	const struct knob *k = &knobs[id];
	char before[OPTION_VALUE_SIZE], after[OPTION_VALUE_SIZE], list[128];

	REQUIRE(!parse(""));
	options_value(&o, id, before);
	snprintf(list, sizeof(list), "%s%s%s", k->arg ? k->option : "",
		 k->arg ? "=" : "", k->fallback);
	REQUIRE(!parse(list));
	CHECK_EQ(o.given, OPTION_GIVEN(id));
	options_value(&o, id, after);
	if (strcmp(before, after))
		CHECK_FAILED("%s: %s, not %s", list, after, before);
}

static void test_defaults(void)
{
	for (enum knob_id id = 0; id < KNOB_NR; id++)
		if (knobs[id].fallback)
			check_fallback(id);
}

/* ---- help ---- */

static char *help_text(void)
{
	char *help = NULL;
	size_t size;
	FILE *to = open_memstream(&help, &size);

	REQUIRE(to);
	options_help(to);
	fclose(to);
	return help;
}

/* Is @name one of its words, maybe with a value? */
static bool names(const char *help, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = help; (p = strstr(p, name)); p++)
		if (p > help && p[-1] == ' ' && strchr("=, \n", p[len]))
			return true;
	return false;
}

/* What is the case without them, or is for mount(8). */
static bool is_silent(const struct option_def *d)
{
	return d->set == set_nothing || d->set == set_idle ||
	       d->set == set_refused || d->set == set_kernel_word ||
	       !strcmp(d->name, "nostrictatime");
}

static void test_help(void)
{
	const struct option_def *d;
	char *help = help_text();

	for (const char *p = help; *p; p += strcspn(p, "\n") + 1)
		CHECK(strcspn(p, "\n") < 80);
	for (size_t i = 0; (d = options_at(i)); i++)
		if (d->name && !is_silent(d) && !names(help, d->name))
			CHECK_FAILED("no option %s in the help", d->name);
	for (enum knob_id id = 0; id < KNOB_NR; id++)
		if (knobs[id].file && !names(help, knobs[id].file))
			CHECK_FAILED("no file %s in the help", knobs[id].file);
	free(help);
}

/* ---- files ---- */

/* The mode of @file in .zsctl, 0 when it is not there. */
static mode_t mode_in_ctl(const char *file)
{
	struct stat st;
	const char *name;

	for (unsigned pos = 0;
	     vfile_dir_entry(VFILE_NODEID + VF_CTL_DIR, pos, &name, &st); pos++)
		if (!strcmp(name, file))
			return st.st_mode;
	return 0;
}

static int put(struct zsfs *fs, enum knob_id id, const char *val)
{
	return control_write(fs, &fs->threads[0], false, id, val, strlen(val));
}

/* Only triggers take everything; the others say what they do not take. */
static void check_refuses(struct zsfs *fs, enum knob_id id)
{
	const char *file = knobs[id].file;
	int err = put(fs, id, "no value");

	if (knobs[id].kind == KIND_TRIGGER) {
		CHECK_EQ(err, 0);
	} else if (!(knobs[id].mode & 0200)) {
		CHECK_EQ(err, -EPERM);
	} else {
		CHECK_EQ(err, -EINVAL);
		control_render(fs, KNOB_LAST_CMD_STATUS, text, sizeof(text));
		CHECK(!strncmp(text, file, strlen(file)));
	}
}

static void test_files(void)
{
	struct zsfs *fs = fs_of("");

	for (enum knob_id id = 0; id < KNOB_NR; id++) {
		const struct knob *k = &knobs[id];
		int len = control_render(fs, id, text, sizeof(text));

		if (!k->file) {
			CHECK_EQ(len, -ENOENT);
			CHECK_EQ(put(fs, id, "1"), -EPERM);
			continue;
		}
		if (mode_in_ctl(k->file) != (S_IFREG | k->mode))
			CHECK_FAILED("no %s as it should be", k->file);
		CHECK(len > 1 && text[len - 1] == '\n');
		check_refuses(fs, id);
	}
	zsfs_close(fs);
}

/* ---- settings ---- */

/* stats.json, the option and the file agree. */
static void check_setting(struct zsfs *fs, enum knob_id id)
{
	const struct knob *k = &knobs[id];
	char want[OPTION_VALUE_SIZE], value[256], member[512];
	struct textbuf t;

	options_value(&o, id, want);
	textbuf_init(&t, value, sizeof(value));
	control_show(fs, id, &t);
	if (strcmp(value, want))
		CHECK_FAILED("%s is %s, not %s", k->option, value, want);
	snprintf(member, sizeof(member),
		 k->kind == KIND_ALGORITHM || k->kind == KIND_DENSE ||
				 k->kind == KIND_IDLE
			 ? "\"%s\":\"%s\""
			 : "\"%s\":%s",
		 k->option, want);
	CHECK(stats_render(fs, VF_STATS_JSON, text, sizeof(text)) > 0);
	if (!strstr(text, member))
		CHECK_FAILED("no %s in %s", member, text);
	if (knob_is_live(k))
		CHECK_EQ(put(fs, id, want), 0);
}

static void check_settings(const char *list)
{
	struct zsfs *fs = fs_of(list);

	for (enum knob_id id = 0; id < KNOB_NR; id++)
		if (knobs[id].shown)
			check_setting(fs, id);
	zsfs_close(fs);
}

static void test_settings(void)
{
	check_settings("");
	check_settings("size=8M,mem_limit=64M,nr_inodes=77,comp=zstd:3,"
		       "chain_size=4");
}

static const struct check_case cases[] = {
	CHECK_CASE(test_options),  CHECK_CASE(test_defaults),
	CHECK_CASE(test_help),	   CHECK_CASE(test_files),
	CHECK_CASE(test_settings),
};

int main(int argc, char **argv)
{
	int status = CHECK_MAIN(cases, argc, argv);

	options_free(&o);
	return status;
}
