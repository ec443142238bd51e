/* SPDX-License-Identifier: BSD-3-Clause */
/* zsctl classes: the pool's size classes, as a table or a picture. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "ask.h"
#include "format.h"
#include "fullness.h"
#include "plot.h"
#include "table.h"

#define PLOT_KEY  256
#define BAR_WIDTH 20
#define MAX_TEXT  (128u << 10)

/* ---- the table ---- */

#define ROW(name)                                                              \
	static enum colour fill_##name(char *cell, const void *row,            \
				       const struct table_options *o)

#define NUMBER_CELL(name)                                                      \
	ROW(name)                                                              \
	{                                                                      \
		format_number(cell, ((const struct stats_class *)row)->name);  \
		return PLAIN;                                                  \
	}

NUMBER_CELL(index)
NUMBER_CELL(size)
NUMBER_CELL(pages_per_zspage)
NUMBER_CELL(allocated)
NUMBER_CELL(used)
NUMBER_CELL(pages)
NUMBER_CELL(freeable)

ROW(ram)
{
	const struct stats_class *c = row;

	format_size(cell, c->pages < 0 ? STATS_MISSING : c->pages * 4096,
		    o->bytes);
	return PLAIN;
}

static double fill_of(const struct stats_class *c)
{
	return stats_percent(c->used, c->allocated);
}

ROW(fill)
{
	format_percent(cell, fill_of(row));
	return PLAIN;
}

ROW(bar)
{
	double percent = fill_of(row);

	format_bar(cell, percent < 0 ? 0 : percent, BAR_WIDTH, ctl_has_utf8());
	return percent >= 75 ? GOOD : percent >= 50 ? ODD : BAD;
}

/* clang-format off */
static const struct table_column columns[] = {
	{"CLASS", "its number", CELL_NUMBER, true, fill_index},
	{"SIZE", "bytes of an object", CELL_NUMBER, true, fill_size},
	{"OBJECTS", "objects in it", CELL_NUMBER, true, fill_used},
	{"ROOM", "objects that its pages could hold", CELL_NUMBER, true, fill_allocated},
	{"RAM", "its pages", CELL_SIZE_, true, fill_ram},
	{"FILL%", "OBJECTS in percent of ROOM", CELL_NUMBER, true, fill_fill},
	{"FILL", "the same as a bar", CELL_WORD, true, fill_bar},
	{"PAGES", "its pages, of 4 KiB", CELL_NUMBER, false, fill_pages},
	{"CHAIN", "pages of a zspage", CELL_NUMBER, false, fill_pages_per_zspage},
	{"FREEABLE", "pages that compacting would free", CELL_NUMBER, false, fill_freeable},
	{0},
};
/* clang-format on */

static int print_table(const struct stats *s, const struct table_options *o)
{
	return table_print("classes", columns, o, s->class, s->nr_classes,
			   sizeof(*s->class));
}

/* ---- the picture ---- */

static void make_title(const struct one *o, char *title, size_t size)
{
	const struct stats *s = &o->asked.stats;
	int64_t bytes =
		s->pool_pages < 0 ? STATS_MISSING : s->pool_pages * 4096;
	char a[FORMAT_SIZE], b[FORMAT_SIZE];

	snprintf(title, size, "%s: pool of %s, %s of it gaps", o->at,
		 format_size(a, bytes, false),
		 format_percent(b, stats_percent(s->gaps, bytes)));
}

/* "-" is standard output. */
static int write_plot(const char *path, const struct fullness *f,
		      const char *title)
{
	bool is_stdout = !strcmp(path, "-");
	FILE *to = is_stdout ? stdout : fopen(path, "we");
	bool bad;

	if (!to)
		return ctl_error("%s: %s", path, strerror(errno));
	plot(to, f, title);
	if (is_stdout)
		return CTL_OK; /* looked at when the program ends */
	bad = ferror(to);
	bad |= fclose(to) != 0;
	return bad ? ctl_error("%s: %s", path, strerror(errno)) : CTL_OK;
}

static int draw(const struct one *o, const char *path)
{
	char *text = malloc(MAX_TEXT), title[4200];
	struct fullness f = {0};
	int status;
	long len;

	if (!text)
		return ctl_error("%s", strerror(ENOMEM));
	len = ask_file(o->at, "/.zsstats/fullness", text, MAX_TEXT);
	make_title(o, title, sizeof(title));
	if (len < 0)
		status = ctl_error("%s: %s", o->at, strerror((int)-len));
	else if (fullness_parse(&f, text))
		status = ctl_error("%s: .zsstats/fullness is not understood",
				   o->at);
	else
		status = write_plot(path, &f, title);
	free(f.row);
	free(text);
	return status;
}

/* ---- the command ---- */

static int run(struct args *a)
{
	extern char *optarg;
	struct table_options o = {0};
	const char *path = NULL;
	struct one one;
	int key, status;

	while ((key = args_next(a)) >= 0)
		if (!table_option(&o, key))
			path = optarg;
	status = one_begin_classes(&one, args_expect(a, 1, 1)[0]);
	if (status)
		return status;
	status = path ? draw(&one, path) : print_table(&one.asked.stats, &o);
	one_end(&one);
	return status;
}

static void more_help(void)
{
	table_help(columns);
}

static const struct ctl_option options[] = {
	TABLE_OPTIONS,
	{PLOT_KEY, "plot", "FILE",
	 "draw them as an SVG instead; -: on standard output"},
	{0},
};

const struct ctl_command cmd_classes = {
	.name = "classes",
	.operands = "MOUNT",
	.summary = "the pool's size classes and how full they are",
	.options = options,
	.more_help = more_help,
	.run = run,
};
