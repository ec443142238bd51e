/* SPDX-License-Identifier: BSD-3-Clause */
/* zsctl list: a row for each mount. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "ask.h"
#include "format.h"
#include "table.h"

/* From where on a limit is near, in percent. */
#define NEAR_PERCENT  90
#define CLOSE_PERCENT 75

/* ---- cells ---- */

#define ROW(name)                                                              \
	static enum colour fill_##name(char *cell, const void *row,            \
				       const struct table_options *o)

static const struct stats *stats_of(const void *row)
{
	return &((const struct asked *)row)->stats;
}

static const struct mount *mount_of(const void *row)
{
	return ((const struct asked *)row)->mount;
}

static enum colour put_word(char *cell, const char *word)
{
	snprintf(cell, CELL_SIZE, "%s", word && *word ? word : "-");
	return PLAIN;
}

ROW(mountpoint)
{
	return put_word(cell, mount_of(row)->at);
}

ROW(source)
{
	return put_word(cell, mount_of(row)->source);
}

ROW(options)
{
	return put_word(cell, mount_of(row)->options);
}

#define WORD_CELL(name)                                                        \
	ROW(name)                                                              \
	{                                                                      \
		return put_word(cell, stats_of(row)->name);                    \
	}
#define SIZE_CELL(name, value)                                                 \
	ROW(name)                                                              \
	{                                                                      \
		const struct stats *s = stats_of(row);                         \
                                                                               \
		format_size(cell, value, o->bytes);                            \
		return PLAIN;                                                  \
	}
#define NUMBER_CELL(name)                                                      \
	ROW(name)                                                              \
	{                                                                      \
		format_number(cell, stats_of(row)->name);                      \
		return PLAIN;                                                  \
	}

/* 0: there is no limit. */
static int64_t limit(int64_t n)
{
	return n ? n : STATS_MISSING;
}

WORD_CELL(comp)
WORD_CELL(dense)
WORD_CELL(settle)
WORD_CELL(version)
SIZE_CELL(data, s->data)
SIZE_CELL(compressed, s->compressed)
SIZE_CELL(ram, s->ram)
SIZE_CELL(ram_max, s->ram_max)
SIZE_CELL(mem_limit, limit(s->mem_limit))
SIZE_CELL(size, limit(s->size))
SIZE_CELL(available, s->available)
SIZE_CELL(saved_bytes, stats_saved(s))
NUMBER_CELL(inodes)
NUMBER_CELL(keeper)
NUMBER_CELL(standby)
NUMBER_CELL(takeovers)
NUMBER_CELL(corrupt)

/* With nosurvive it is who answers. */
ROW(worker)
{
	const struct stats *s = stats_of(row);

	format_number(cell, s->worker < 0 ? s->pid : s->worker);
	return PLAIN;
}

ROW(saved)
{
	format_percent(cell, stats_saved_percent(stats_of(row)));
	return PLAIN;
}

ROW(ratio)
{
	format_ratio(cell,
		     stats_ratio(stats_of(row)->data, stats_of(row)->ram));
	return PLAIN;
}

ROW(used)
{
	double p = stats_percent(stats_of(row)->ram, stats_of(row)->mem_limit);

	format_percent(cell, p);
	return p >= NEAR_PERCENT ? BAD : p >= CLOSE_PERCENT ? ODD : PLAIN;
}

ROW(settled)
{
	const struct stats *s = stats_of(row);

	format_percent(cell, stats_percent(s->tier[DENSE].bytes, s->data));
	return PLAIN;
}

ROW(age)
{
	format_age(cell, stats_age(stats_of(row)));
	return PLAIN;
}

ROW(state)
{
	const struct asked *a = row;
	const struct stats *s = &a->stats;

	if (a->answer != ANSWERED) {
		put_word(cell, answer_word(a->answer));
		return BAD;
	}
	if (s->worker < 0 && s->survive < 0)
		return put_word(cell, "-");
	if (s->worker < 0) {
		put_word(cell, "single");
		return PLAIN;
	}
	if (s->survive == 0) {
		put_word(cell, "unprotected");
		return ODD;
	}
	put_word(cell, s->standby == 0 ? "no standby" : "ready");
	return s->standby == 0 ? ODD : GOOD;
}

/* clang-format off */
static const struct table_column columns[] = {
	{"MOUNTPOINT", "where it is mounted", CELL_WORD, true, fill_mountpoint},
	{"ALGORITHM", "how what is written is compressed", CELL_WORD, true, fill_comp},
	{"DATA", "content, as files have it", CELL_SIZE_, true, fill_data},
	{"COMPR", "the same, compressed", CELL_SIZE_, true, fill_compressed},
	{"RAM", "all that the mount takes", CELL_SIZE_, true, fill_ram},
	{"SAVED", "share of DATA that takes no RAM", CELL_NUMBER, true, fill_saved},
	{"LIMIT", "most RAM it may take (mem_limit)", CELL_SIZE_, true, fill_mem_limit},
	{"USE%", "RAM in percent of LIMIT", CELL_NUMBER, true, fill_used},
	{"SETTLED", "share of DATA that is stored densely", CELL_NUMBER, true, fill_settled},
	{"STATE", "of its processes: see zsctl(1)", CELL_WORD, true, fill_state},
	{"RATIO", "DATA / RAM", CELL_NUMBER, false, fill_ratio},
	{"SPARED", "DATA less RAM", CELL_SIZE_, false, fill_saved_bytes},
	{"PEAK", "most RAM it has taken", CELL_SIZE_, false, fill_ram_max},
	{"AVAIL", "RAM that new content may take", CELL_SIZE_, false, fill_available},
	{"SIZE", "most content (size)", CELL_SIZE_, false, fill_size},
	{"FILES", "files, folders and so on", CELL_NUMBER, false, fill_inodes},
	{"DENSE", "how what settles is compressed", CELL_WORD, false, fill_dense},
	{"SETTLE", "seconds before that happens", CELL_WORD, false, fill_settle},
	{"SOURCE", "first field of its line in fstab", CELL_WORD, false, fill_source},
	{"OPTIONS", "flags of the mount", CELL_WORD, false, fill_options},
	{"KEEPER", "process that keeps the memory", CELL_NUMBER, false, fill_keeper},
	{"WORKER", "process that serves", CELL_NUMBER, false, fill_worker},
	{"STANDBY", "process that would take over; 0: none", CELL_NUMBER, false, fill_standby},
	{"TAKEOVERS", "how often one has", CELL_NUMBER, false, fill_takeovers},
	{"CORRUPT", "blocks that were read and are damaged", CELL_NUMBER, false, fill_corrupt},
	{"AGE", "time since it was mounted", CELL_WORD, false, fill_age},
	{"VERSION", "of the program that serves it", CELL_WORD, false, fill_version},
	{0},
};
/* clang-format on */

/* ---- rows ---- */

struct rows {
	struct asked *row;
	size_t nr;
};

static bool add(struct rows *r, const struct mount *m)
{
	struct asked *more = reallocarray(r->row, r->nr + 1, sizeof(*more));

	if (!more)
		return false;
	r->row = more;
	r->row[r->nr++] = (struct asked){.mount = m};
	return true;
}

static bool add_every(struct rows *r, const struct mounts *all)
{
	for (size_t i = 0; i < all->nr; i++) {
		const struct mount *m = &all->mount[i];

		if (mount_is_zsfs(m) && mount_is_first(all, m) && !add(r, m))
			return false;
	}
	return true;
}

/* CTL_NO_MOUNT when one of these is none; the others are still shown. */
static int add_named(struct rows *r, const struct mounts *all, char **paths)
{
	int status = CTL_OK;
	char why[256];

	for (; *paths; paths++) {
		const struct mount *m =
			mounts_find(all, *paths, why, sizeof(why));

		if (m && add(r, m))
			continue;
		ctl_error("%s: %s", *paths, m ? strerror(ENOMEM) : why);
		status = CTL_NO_MOUNT;
	}
	return status;
}

/* What was named and turns out to be another file system is no row. */
static int drop_strangers(struct rows *r)
{
	int status = CTL_OK;
	size_t kept = 0;

	for (size_t i = 0; i < r->nr; i++) {
		struct asked *a = &r->row[i];

		if (mount_is_zsfs(a->mount) || a->answer != ANSWER_NOT_ZSFS) {
			r->row[kept++] = *a;
			continue;
		}
		ctl_error("%s: %s", a->mount->at, answer_sentence(a->answer));
		status = CTL_NO_MOUNT;
	}
	r->nr = kept;
	return status;
}

/* Without answers others than zsfs would be rows, too. */
static bool must_ask(const struct rows *r, const struct table_options *o)
{
	static const char *const known[] = {"MOUNTPOINT", "SOURCE", "OPTIONS",
					    NULL};

	for (size_t i = 0; i < r->nr; i++)
		if (!mount_is_zsfs(r->row[i].mount))
			return true;
	return !table_only_has(o, known);
}

static int print_rows(struct rows *r, const struct table_options *o)
{
	int none = drop_strangers(r);
	int bad = table_print("mounts", columns, o, r->row, r->nr,
			      sizeof(*r->row));

	return bad ? bad : none;
}

static void free_rows(struct rows *r)
{
	for (size_t i = 0; i < r->nr; i++)
		stats_free(&r->row[i].stats);
	free(r->row);
}

static int list(char **paths, const struct table_options *o)
{
	struct rows r = {0};
	struct mounts all;
	int status = CTL_OK, printed = CTL_OK;

	if (mounts_read(&all, NULL))
		status = ctl_error("/proc/self/mountinfo: %s", strerror(errno));
	else if (*paths)
		status = add_named(&r, &all, paths);
	else if (!add_every(&r, &all))
		status = ctl_error("%s", strerror(ENOMEM));
	if (status != CTL_FAILED) {
		if (must_ask(&r, o))
			ask_all(&all, r.row, r.nr, PATIENCE);
		printed = print_rows(&r, o);
	}
	free_rows(&r);
	mounts_free(&all);
	return status ? status : printed;
}

static int run(struct args *a)
{
	struct table_options o = {0};
	int key;

	while ((key = args_next(a)) >= 0)
		table_option(&o, key);
	return list(args_operands(a), &o);
}

static void more_help(void)
{
	table_help(columns);
}

static const struct ctl_option options[] = {TABLE_OPTIONS, {0}};

const struct ctl_command cmd_list = {
	.name = "list",
	.operands = "[MOUNT...]",
	.summary = "one row for each mount, or for those named",
	.options = options,
	.more_help = more_help,
	.run = run,
};
