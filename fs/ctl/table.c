/* SPDX-License-Identifier: BSD-3-Clause */
/* Tables (see table.h). */
#include "table.h"

#include <errno.h>
#include <libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define MOST_COLUMNS 64

/* ---- options ---- */

bool table_option(struct table_options *o, int key)
{
	extern char *optarg;

	switch (key) {
	case 'b':
		o->bytes = true;
		return true;
	case 'J':
		o->json = true;
		return true;
	case 'n':
		o->noheadings = true;
		return true;
	case 'o':
		o->columns = optarg;
		return true;
	case 'r':
		o->raw = true;
		return true;
	default:
		return false;
	}
}

void table_help(const struct table_column *all)
{
	printf("\nColumns (*: those without --output)\n");
	for (; all->name; all++)
		printf("  %c %-11s %s\n", all->by_default ? '*' : ' ',
		       all->name, all->help);
}

/* ---- which columns ---- */

struct chosen {
	const struct table_column *column[MOST_COLUMNS];
	size_t nr;
};

static bool is_chosen(const struct chosen *c, const struct table_column *column)
{
	for (size_t i = 0; i < c->nr; i++)
		if (c->column[i] == column)
			return true;
	return false;
}

/* Once: JSON must not have a key twice. */
static bool choose(struct chosen *c, const struct table_column *column)
{
	if (is_chosen(c, column))
		return true;
	if (c->nr == MOST_COLUMNS)
		return false;
	c->column[c->nr++] = column;
	return true;
}

static void choose_default(struct chosen *c, const struct table_column *all)
{
	for (; all->name; all++)
		if (all->by_default)
			choose(c, all);
}

static const struct table_column *find(const struct table_column *all,
				       const char *name, size_t len)
{
	for (; all->name; all++)
		if (strlen(all->name) == len &&
		    !strncasecmp(all->name, name, len))
			return all;
	return NULL;
}

static int choose_listed(struct chosen *c, const struct table_column *all,
			 const char *list)
{
	for (;;) {
		size_t len = strcspn(list, ",");
		const struct table_column *found = find(all, list, len);

		if (!found)
			return ctl_error("there is no column \"%.*s\"; --help "
					 "lists them",
					 (int)len, list);
		if (!choose(c, found))
			return ctl_error("too many columns");
		if (!list[len])
			return CTL_OK;
		list += len + 1;
	}
}

static int choose_all(struct chosen *c, const struct table_column *all,
		      const char *list)
{
	if (!list || *list == '+')
		choose_default(c, all);
	if (!list)
		return CTL_OK;
	return choose_listed(c, all, list + (*list == '+'));
}

static bool is_among(const char *const *names, const char *name, size_t len)
{
	for (; *names; names++)
		if (strlen(*names) == len && !strncasecmp(*names, name, len))
			return true;
	return false;
}

bool table_only_has(const struct table_options *o, const char *const *names)
{
	const char *list = o->columns;

	while (list && *list) {
		size_t len = strcspn(list, ",");

		if (!is_among(names, list, len))
			return false;
		list += len + (list[len] == ',');
	}
	return list;
}

/* ---- printing ---- */

static const char *sequence(enum colour c)
{
	static const char *const names[] = {
		[GOOD] = "green", [ODD] = "brown", [BAD] = "red"};

	return names[c];
}

static int json_type(const struct table_column *c,
		     const struct table_options *o)
{
	if (c->kind == CELL_NUMBER || (c->kind == CELL_SIZE_ && o->bytes))
		return SCOLS_JSON_NUMBER;
	return SCOLS_JSON_STRING;
}

static bool add_column(struct libscols_table *t, const struct table_column *c,
		       const struct table_options *o)
{
	struct libscols_column *col = scols_table_new_column(
		t, c->name, 0, c->kind == CELL_WORD ? 0 : SCOLS_FL_RIGHT);

	return col && !scols_column_set_json_type(col, json_type(c, o));
}

/* How wide others than ASCII are is known to the locale. */
static void note_characters(const char *cell)
{
	for (; *cell; cell++)
		if ((unsigned char)*cell & 0x80)
			ctl_use_locale();
}

/* What is missing is null in JSON. */
static const char *shown(const char *cell, const struct table_options *o)
{
	return o->json && !strcmp(cell, "-") ? NULL : cell;
}

/* "46%" is a number, too. */
static void bare(char *cell, const struct table_column *c,
		 const struct table_options *o)
{
	size_t len = strlen(cell);

	if (o->json && c->kind == CELL_NUMBER && len && cell[len - 1] == '%')
		cell[len - 1] = '\0';
}

static bool add_cell(struct libscols_line *line, size_t at,
		     const struct table_column *c, const void *row,
		     const struct table_options *o)
{
	char cell[CELL_SIZE] = "-";
	enum colour colour = c->fill(cell, row, o);
	struct libscols_cell *made;

	bare(cell, c, o);
	note_characters(cell);
	if (scols_line_set_data(line, at, shown(cell, o)))
		return false;
	made = scols_line_get_cell(line, at);
	return colour == PLAIN || !made ||
	       !scols_cell_set_color(made, sequence(colour));
}

static bool add_row(struct libscols_table *t, const struct chosen *c,
		    const void *row, const struct table_options *o)
{
	struct libscols_line *line = scols_table_new_line(t, NULL);

	for (size_t i = 0; line && i < c->nr; i++)
		if (!add_cell(line, i, c->column[i], row, o))
			return false;
	return line;
}

static bool set_up(struct libscols_table *t, const char *name,
		   const struct table_options *o)
{
	return !scols_table_set_name(t, name) &&
	       !scols_table_enable_noheadings(t, o->noheadings) &&
	       !(o->raw && scols_table_enable_raw(t, true)) &&
	       !(o->json && scols_table_enable_json(t, true)) &&
	       !(ctl_wants_colours(STDOUT_FILENO) &&
		 scols_table_enable_colors(t, true));
}

static bool fill(struct libscols_table *t, const struct chosen *c,
		 const struct table_options *o, const void *rows, size_t nr,
		 size_t size)
{
	for (size_t i = 0; i < c->nr; i++)
		if (!add_column(t, c->column[i], o))
			return false;
	for (size_t i = 0; i < nr; i++)
		if (!add_row(t, c, (const char *)rows + i * size, o))
			return false;
	return true;
}

int table_print(const char *name, const struct table_column *all,
		const struct table_options *o, const void *rows, size_t nr,
		size_t size)
{
	struct chosen c = {.nr = 0};
	struct libscols_table *t;
	bool good;

	if (o->raw && o->json)
		return ctl_error("--raw and --json exclude each other");
	if (choose_all(&c, all, o->columns))
		return CTL_FAILED;
	t = scols_new_table();
	good = t && set_up(t, name, o) && fill(t, &c, o, rows, nr, size);
	/* An empty table has no headings, but is an array in JSON. */
	if (good && (nr || o->json))
		good = !scols_print_table(t);
	scols_unref_table(t);
	return good ? CTL_OK : ctl_error("%s", strerror(ENOMEM));
}
