/* SPDX-License-Identifier: BSD-3-Clause */
/* zsctl settle, compact, verify: long work, and its result in words. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "ask.h"
#include "format.h"
#include "progress.h"
#include "text.h"

#define PROGRESS_KEY 256

/* ---- how far it is ---- */

/* "12 / 345, 6789": blocks done, to do, bytes saved. */
static bool read_settle(const char *at, int64_t *done, int64_t *all,
			int64_t *saved)
{
	char text[128];

	return ask_file(at, "/.zsctl/settle", text, sizeof(text)) > 0 &&
	       sscanf(text, "%" SCNd64 " / %" SCNd64 ", %" SCNd64, done, all,
		      saved) == 3;
}

static bool look_at_settle(const char *at, int64_t *done, int64_t *all)
{
	int64_t saved;

	return read_settle(at, done, all, &saved);
}

/* Structures are checked first, while nothing else is answered. */
static bool look_at_verify(const char *at, int64_t *done, int64_t *all)
{
	struct one o;

	if (one_await(&o, at))
		return false;
	*done = o.asked.stats.scrubbed;
	*all = o.asked.stats.blocks;
	one_end(&o);
	return *done >= 0;
}

/* ---- before and after ---- */

struct change {
	const char *at, *shown; /* the mountpoint; the same for people */
	int64_t before, after;	/* bytes of RAM */
	double secs;
};

static int64_t ram_of(const char *at)
{
	struct one o;
	int64_t ram;

	if (one_begin(&o, at))
		return STATS_MISSING;
	ram = o.asked.stats.ram;
	one_end(&o);
	return ram;
}

static void print_change(const struct change *c)
{
	char a[FORMAT_SIZE], b[FORMAT_SIZE];

	printf("; RAM %s -> %s (%.1f s)\n", format_size(a, c->before, false),
	       format_size(b, c->after, false), c->secs);
}

static int settle_result(const struct change *c, int err)
{
	int64_t done, all, saved;
	char a[FORMAT_SIZE], b[FORMAT_SIZE];

	if (err || !read_settle(c->at, &done, &all, &saved))
		printf("%s: settled", c->shown);
	else
		printf("%s: settled %s block%s, which saves %s", c->shown,
		       format_count(a, done), format_plural(done),
		       format_size(b, saved, false));
	print_change(c);
	return CTL_OK;
}

static int compact_result(const struct change *c, int err)
{
	char text[128], size[FORMAT_SIZE];

	if (ask_file(c->at, "/.zsctl/compact", text, sizeof(text)) > 0)
		printf("%s: compacted, %s given back", c->shown,
		       format_size(size, strtoll(text, NULL, 10) * 4096,
				   false));
	else
		printf("%s: compacted", c->shown);
	print_change(c);
	return CTL_OK;
}

/* The mount names inodes, and zsctl no files: the kernel knows the names. */
static int damage_result(const struct change *c, const char *text)
{
	printf("%s: %s", c->shown, text);
	if (strstr(text, "inode "))
		printf("\"find %s -xdev -inum N\" finds the file of inode N\n",
		       c->shown);
	return CTL_DAMAGED;
}

static int verify_result(const struct change *c, int err)
{
	char text[16384];

	if (ask_file(c->at, "/.zsctl/verify", text, sizeof(text)) < 0)
		strcpy(text, "-\n");
	text_clean(text, '\n');
	if (err)
		return damage_result(c, text);
	text[strcspn(text, "\n")] = '\0';
	printf("%s: %s: every structure and all content is as it should be "
	       "(%.1f s)\n",
	       c->shown, text, c->secs);
	return CTL_OK;
}

/* ---- the commands ---- */

struct work_kind {
	const char *file;
	bool (*look)(const char *at, int64_t *done, int64_t *all);
	int (*result)(const struct change *c, int err);
};

static int refused(const char *at, const char *file, int err)
{
	char why[512] = "";

	if (err == -EACCES)
		return ctl_error("%s: only root and the owner of the mount "
				 "may do that",
				 at);
	if (err == -ENOENT)
		return ctl_error("%s: this mount is older and cannot %s", at,
				 file);
	if (err == -EROFS)
		return ctl_error("%s: the mount is read-only: \"zsfs -o "
				 "remount,rw %s\" comes before %s",
				 at, at, file);
	if (err == -EINTR)
		return ctl_error("%s: %s was stopped", at, file);
	ask_why(at, why, sizeof(why));
	return ctl_error("%s: %s", at, *why ? why : strerror(-err));
}

/* EIO, EUCLEAN: there is a result, though a bad one. */
static bool is_result(const struct work_kind *k, int err)
{
	return !err ||
	       (k->result == verify_result && (err == -EIO || err == -EUCLEAN));
}

static int do_work(const struct work_kind *k, const char *at, bool shown)
{
	struct progress p = {
		.at = at, .file = k->file, .look = k->look, .shown = shown};
	char name[PATH_MAX];
	struct change c = {.at = at,
			   .shown = text_shown(name, sizeof(name), at),
			   .before = ram_of(at)};

	progress_run(&p);
	if (!is_result(k, p.err))
		return refused(at, k->file, p.err);
	c.secs = p.secs;
	c.after = ram_of(at);
	return k->result(&c, p.err);
}

static int run_kind(struct args *a, const struct work_kind *k)
{
	bool shown = false;
	struct one o;
	int key, status;

	while ((key = args_next(a)) >= 0)
		shown |= key == PROGRESS_KEY;
	status = one_begin(&o, args_expect(a, 1, 1)[0]);
	if (status)
		return status;
	status = do_work(k, o.at, shown);
	one_end(&o);
	return status;
}

#define COMMAND(kind, text)                                                    \
	static int run_##kind(struct args *a)                                  \
	{                                                                      \
		return run_kind(a, &(struct work_kind){#kind, LOOK_##kind,     \
						       kind##_result});        \
	}                                                                      \
	const struct ctl_command cmd_##kind = {                                \
		.name = #kind,                                                 \
		.operands = "MOUNT",                                           \
		.summary = text,                                               \
		.options = options,                                            \
		.run = run_##kind,                                             \
	}

#define LOOK_settle  look_at_settle
#define LOOK_compact NULL
#define LOOK_verify  look_at_verify

static const struct ctl_option options[] = {
	{PROGRESS_KEY, "progress", NULL,
	 "on a terminal, show how far settle or verify is"},
	{0},
};

COMMAND(settle, "compress what is stored more densely, now");
COMMAND(compact, "pack the pool and give memory back, now");
COMMAND(verify, "check every structure and all content");
