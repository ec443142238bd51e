/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * zsctl du: what files and folders take, and what of them compresses badly.
 *
 * A folder is asked once for the files in it (usage.h). It leaves out those
 * with several names, of which each counts where it is met first. Files by
 * themselves are asked, once, where they are rows and where their folder does
 * not tell.
 */
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <limits.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "args.h"
#include "ask.h"
#include "format.h"
#include "table.h"
#include "usage.h"

#define MOST_DEPTH  10000
#define MOST_NUMBER 1000000000

struct row {
	char *path;
	struct usage usage;
};

struct walk {
	bool files; /* are rows, too */
	long depth; /* of folders that are rows, below what was named */
	long worst; /* only so many files, the worst; 0: not so */
	struct row *row;
	size_t nr, room;
	void *seen;		    /* tree of files with several names */
	dev_t dev;		    /* of what was named */
	struct folder *inside;	    /* which the walk is, the innermost */
	struct asked on;	    /* its mount */
	const struct mount *silent; /* of which it was said already */
	int status;
};

/* Then all files are asked, and no folder is. */
static bool has_file_rows(const struct walk *w)
{
	return w->files || w->worst;
}

/* Which files that are directly in a folder have to be asked. */
enum missing {
	NO_FILES,
	LINKED_FILES, /* those with several names */
	ALL_FILES,
};

/* What is known of one that is walked through. */
struct folder {
	struct folder *outer; /* NULL: it was named */
	struct usage usage;
	enum missing missing;
};

/* ---- cells ---- */

#define ROW(name)                                                              \
	static enum colour fill_##name(char *cell, const void *row,            \
				       const struct table_options *o)

static const struct usage *usage_of(const void *row)
{
	return &((const struct row *)row)->usage;
}

/* What is not told is missing. */
static int64_t told(const struct usage *u, int64_t n)
{
	return u->silent ? STATS_MISSING : n;
}

#define SIZE_CELL(name, value)                                                 \
	ROW(name)                                                              \
	{                                                                      \
		const struct usage *u = usage_of(row);                         \
                                                                               \
		format_size(cell, told(u, value), o->bytes);                   \
		return PLAIN;                                                  \
	}
#define SHARE_CELL(name, value)                                                \
	ROW(name)                                                              \
	{                                                                      \
		const struct usage *u = usage_of(row);                         \
                                                                               \
		format_percent(cell,                                           \
			       stats_percent(told(u, value), usage_data(u)));  \
		return PLAIN;                                                  \
	}

SIZE_CELL(data, usage_data(u))
SIZE_CELL(ram, usage_ram(u))
SIZE_CELL(hot, u->bytes[USAGE_HOT])
SIZE_CELL(lz4, u->bytes[USAGE_LZ4])
SIZE_CELL(zstd, u->bytes[USAGE_ZSTD])
SIZE_CELL(raw, u->bytes[USAGE_RAW])
SIZE_CELL(dense, u->bytes[USAGE_DENSE])
SIZE_CELL(same, u->bytes[USAGE_SAME])
SIZE_CELL(reserved, u->bytes[USAGE_ROOM])
SHARE_CELL(saved, usage_data(u) - usage_ram(u))
SHARE_CELL(warm_share, usage_warm(u))
SHARE_CELL(dense_share, u->bytes[USAGE_DENSE])
SHARE_CELL(raw_share, u->bytes[USAGE_RAW])

ROW(ratio)
{
	const struct usage *u = usage_of(row);

	format_ratio(cell, stats_ratio(told(u, usage_data(u)), usage_ram(u)));
	return PLAIN;
}

/* Of a file that says nothing, too, this is known. */
ROW(size)
{
	format_size(cell, usage_of(row)->size, o->bytes);
	return PLAIN;
}

ROW(files)
{
	format_number(cell, usage_of(row)->files);
	return PLAIN;
}

ROW(path)
{
	snprintf(cell, CELL_SIZE, "%s", ((const struct row *)row)->path);
	return PLAIN;
}

/* clang-format off */
static const struct table_column columns[] = {
	{"DATA", "content in blocks that are no holes", CELL_SIZE_, true, fill_data},
	{"RAM", "what these take in the pool", CELL_SIZE_, true, fill_ram},
	{"SAVED", "share of DATA that takes no RAM", CELL_NUMBER, true, fill_saved},
	{"WARM%", "share that is compressed block by block", CELL_NUMBER, true, fill_warm_share},
	{"DENSE%", "share that has settled", CELL_NUMBER, true, fill_dense_share},
	{"RAW%", "share that does not compress", CELL_NUMBER, true, fill_raw_share},
	{"PATH", "file or folder", CELL_WORD, true, fill_path},
	{"RATIO", "DATA / RAM", CELL_NUMBER, false, fill_ratio},
	{"SIZE", "sizes of files, with holes", CELL_SIZE_, false, fill_size},
	{"FILES", "regular files", CELL_NUMBER, false, fill_files},
	{"HOT", "content that is not yet compressed", CELL_SIZE_, false, fill_hot},
	{"LZ4", "compressed with lz4", CELL_SIZE_, false, fill_lz4},
	{"ZSTD", "compressed with zstd, block by block", CELL_SIZE_, false, fill_zstd},
	{"DENSE", "settled", CELL_SIZE_, false, fill_dense},
	{"RAW", "not compressed", CELL_SIZE_, false, fill_raw},
	{"SAME", "zeros and the like, which take no RAM", CELL_SIZE_, false, fill_same},
	{"RESERVED", "room that fallocate has promised", CELL_SIZE_, false, fill_reserved},
	{0},
};
/* clang-format on */

/* ---- rows ---- */

static void no_memory(struct walk *w)
{
	w->status = ctl_error("%s", strerror(ENOMEM));
}

static void add_row(struct walk *w, const char *path, const struct usage *u)
{
	char *copy = strdup(path);

	if (copy && w->nr == w->room) {
		size_t room = w->room ? 2 * w->room : 64;
		struct row *more = reallocarray(w->row, room, sizeof(*more));

		if (more) {
			w->row = more;
			w->room = room;
		}
	}
	if (!copy || w->nr == w->room) {
		free(copy);
		no_memory(w);
		return;
	}
	w->row[w->nr++] = (struct row){copy, *u};
}

/* What does not compress, the most first; then what takes the most RAM. */
static int compare_rows(const void *a, const void *b)
{
	const struct usage *x = usage_of(a), *y = usage_of(b);
	int64_t d = y->bytes[USAGE_RAW] - x->bytes[USAGE_RAW];

	if (!d)
		d = usage_ram(y) - usage_ram(x);
	return d < 0 ? -1 : d > 0;
}

static void keep_worst(struct walk *w)
{
	if (!w->nr)
		return;
	qsort(w->row, w->nr, sizeof(*w->row), compare_rows);
	while (w->nr > (size_t)w->worst)
		free(w->row[--w->nr].path);
}

/* ---- files with several names ---- */

struct file_id {
	dev_t dev;
	ino_t ino;
};

static int compare_ids(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct file_id));
}

static bool was_seen(struct walk *w, const struct stat *st)
{
	struct file_id *id, **found;

	if (st->st_nlink < 2)
		return false;
	id = calloc(1, sizeof(*id));
	if (!id)
		return false;
	*id = (struct file_id){st->st_dev, st->st_ino};
	found = tsearch(id, &w->seen, compare_ids);
	if (!found || *found != id)
		free(id);
	return found && *found != id;
}

/* ---- the walk ---- */

static void complain(struct walk *w, const char *path, int err)
{
	ctl_error("%s: %s", path, strerror(err));
	w->status = CTL_FAILED;
}

/* All files of a mount are alike in that: once is enough. */
static void complain_of_silence(struct walk *w)
{
	if (w->silent != w->on.mount)
		ctl_error("%s: files do not tell what they take: mounted with "
			  "noxattr, or by an older zsfs",
			  w->on.mount->at);
	w->silent = w->on.mount;
	w->status = CTL_FAILED;
}

/* By the user; a symbolic link, too, is followed. */
static bool is_named(const FTSENT *e)
{
	return e->fts_level == FTS_ROOTLEVEL;
}

/* The folder that @e is in, NULL for what was named. */
static struct folder *above(FTSENT *e)
{
	return is_named(e) ? NULL : e->fts_parent->fts_pointer;
}

static void finish(struct walk *w, FTSENT *e, const struct usage *u, bool row)
{
	struct folder *to = above(e);

	if (to)
		usage_add(&to->usage, u);
	if (row)
		add_row(w, e->fts_path, u);
}

static int ask(FTSENT *e, struct usage *u)
{
	return usage_ask(u, e->fts_accpath, is_named(e));
}

/* ---- files ---- */

static void visit_file(struct walk *w, FTSENT *e, const struct stat *st)
{
	struct usage u = {.files = 1, .size = st->st_size};
	int err = 0;

	if (was_seen(w, st))
		return;
	/* What has no blocks need not be asked. */
	if (st->st_blocks > 0)
		err = ask(e, &u);
	if (err == -ENOENT)
		return; /* gone meanwhile */
	u.silent = err == -ENOTSUP;
	if (u.silent)
		complain_of_silence(w);
	else if (err)
		complain(w, e->fts_path, -err);
	finish(w, e, &u, has_file_rows(w) || is_named(e));
}

static enum missing missing_above(FTSENT *e)
{
	struct folder *f = above(e);

	return f ? f->missing : ALL_FILES;
}

static void visit_inode(struct walk *w, FTSENT *e, const struct stat *st)
{
	enum missing m = missing_above(e);

	if (!S_ISREG(st->st_mode))
		return;
	if (m == ALL_FILES || (m == LINKED_FILES && st->st_nlink > 1))
		visit_file(w, e, st);
}

/* What is no folder. */
static void visit_entry(struct walk *w, FTSENT *e)
{
	int flags = is_named(e) ? 0 : AT_SYMLINK_NOFOLLOW;
	struct stat st;

	if (missing_above(e) == NO_FILES)
		return;
	if (!fstatat(AT_FDCWD, e->fts_accpath, &st, flags))
		visit_inode(w, e, &st);
	else if (errno != ENOENT) /* gone meanwhile */
		complain(w, e->fts_path, errno);
}

/* ---- folders ---- */

static void ask_folder(struct folder *f, FTS *fts, FTSENT *e)
{
	struct usage u = {0};

	if (ask(e, &u))
		return;
	f->usage = u;
	f->missing = u.links ? LINKED_FILES : NO_FILES;
	if (!u.links && !u.folders)
		fts_set(fts, e, FTS_SKIP);
}

static void enter_folder(struct walk *w, FTS *fts, FTSENT *e)
{
	struct folder *f = calloc(1, sizeof(*f));

	if (is_named(e))
		w->dev = e->fts_dev;
	/*
	 * With FTS_NOSTAT no more entries than that are taken for folders, but
	 * there may be some more by now.
	 */
	e->fts_nlink = INT_MAX;
	e->fts_pointer = f;
	if (!f) {
		no_memory(w);
		return;
	}
	f->outer = w->inside;
	w->inside = f;
	f->missing = ALL_FILES;
	if (!has_file_rows(w) && e->fts_dev == w->dev)
		ask_folder(f, fts, e);
}

static void drop_innermost(struct walk *w)
{
	struct folder *f = w->inside;

	w->inside = f->outer;
	free(f);
}

/* There was no memory for one that has nothing there. */
static void drop_folder(struct walk *w, FTSENT *e)
{
	if (e->fts_pointer)
		drop_innermost(w);
	e->fts_pointer = NULL;
}

static void leave_folder(struct walk *w, FTSENT *e)
{
	struct folder *f = e->fts_pointer;

	if (f)
		finish(w, e, &f->usage, !w->worst && e->fts_level <= w->depth);
	drop_folder(w, e);
}

/* ---- all of it ---- */

static void visit(struct walk *w, FTS *fts, FTSENT *e)
{
	switch (e->fts_info) {
	case FTS_D:
		enter_folder(w, fts, e);
		break;
	case FTS_DP:
		if (e->fts_errno) /* its list can be read, but no more */
			complain(w, e->fts_path, e->fts_errno);
		leave_folder(w, e);
		break;
	case FTS_DNR:
	case FTS_ERR:
	case FTS_NS:
		complain(w, e->fts_path, e->fts_errno);
		drop_folder(w, e);
		break;
	case FTS_F:
	case FTS_NSOK:
		visit_entry(w, e);
		break;
	}
}

/* fts says by errno alone whether it is through or has lost its way. */
static FTSENT *next(FTS *fts)
{
	errno = 0;
	return fts_read(fts);
}

/*
 * Symbolic links that are named are followed, and no others. What is a folder
 * is told by the list that it is in, so files that are not asked are not looked
 * at, either.
 */
static void walk(struct walk *w, char *path)
{
	char *paths[] = {path, NULL};
	FTS *fts = fts_open(
		paths, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_XDEV | FTS_NOSTAT,
		NULL);
	FTSENT *e;

	if (!fts) {
		complain(w, path, errno);
		return;
	}
	while ((e = next(fts)))
		visit(w, fts, e);
	if (errno)
		complain(w, path, errno);
	while (w->inside)
		drop_innermost(w);
	fts_close(fts);
}

/*
 * The walk itself waits for ever, so mounts are asked before. One that says
 * nothing of its statistics may still tell of files.
 */
static int find_mount(struct walk *w, const struct mounts *all,
		      const char *path)
{
	char why[256];
	int status = ask_path(all, &w->on, path, PATIENCE, why, sizeof(why));

	if (status != CTL_NO_MOUNT && w->on.answer != ANSWER_NONE)
		return CTL_OK;
	ctl_error("%s: %s", path, why);
	return status;
}

static void walk_all(struct walk *w, char **paths)
{
	static char here[] = ".";
	char *nothing[] = {here, NULL};
	struct mounts all;

	if (mounts_read(&all, NULL))
		w->status =
			ctl_error("/proc/self/mountinfo: %s", strerror(errno));
	for (paths = *paths ? paths : nothing; *paths; paths++) {
		int status = find_mount(w, &all, *paths);

		if (status)
			w->status = status;
		else
			walk(w, *paths);
	}
	stats_free(&w->on.stats);
	mounts_free(&all);
	if (w->worst)
		keep_worst(w);
}

/* ---- the command ---- */

static long parse_number(const struct args *a, const char *text, long least)
{
	char *rest;
	long n = strtol(text, &rest, 10);

	if (!*text || *rest || n < least || n > MOST_NUMBER)
		args_refuse(a, "\"%s\" is no number from %ld to %d", text,
			    least, MOST_NUMBER);
	return n;
}

static void take_option(struct walk *w, const struct args *a, int key)
{
	extern char *optarg;

	if (key == 'a')
		w->files = true;
	if (key == 'a')
		w->depth = MOST_DEPTH;
	if (key == 'd')
		w->depth = parse_number(a, optarg, 0);
	if (key == 'w')
		w->worst = parse_number(a, optarg, 1);
}

static void free_walk(struct walk *w)
{
	for (size_t i = 0; i < w->nr; i++)
		free(w->row[i].path);
	free(w->row);
	tdestroy(w->seen, free);
}

static int run(struct args *a)
{
	struct table_options o = {0};
	struct walk w = {.status = CTL_OK};
	int key, status;

	while ((key = args_next(a)) >= 0)
		if (!table_option(&o, key))
			take_option(&w, a, key);
	walk_all(&w, args_operands(a));
	status = table_print("usage", columns, &o, w.row, w.nr, sizeof(*w.row));
	free_walk(&w);
	return status ? status : w.status;
}

static void more_help(void)
{
	table_help(columns);
}

static const struct ctl_option options[] = {
	{'a', "all", NULL, "a row for each file and folder"},
	{'d', "depth", "N",
	 "a row for folders so far below, too; 0 by default"},
	{'w', "worst", "N",
	 "only the N files of which the most is incompressible"},
	TABLE_OPTIONS,
	{0},
};

const struct ctl_command cmd_du = {
	.name = "du",
	.operands = "[PATH...]",
	.summary = "what files and folders take, and what compresses badly",
	.options = options,
	.more_help = more_help,
	.run = run,
};
