/* SPDX-License-Identifier: BSD-3-Clause */
/* zsctl get, set: the knobs of a mount. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "ask.h"
#include "format.h"
#include "knob.h"
#include "table.h"

#define MOST_NAMES 1000

static int unknown(const char *name, size_t len, bool settable)
{
	char all[256];

	knob_list(all, sizeof(all), settable);
	return ctl_error("there is no knob \"%.*s\"; %s: %s", (int)len, name,
			 settable ? "these can be set" : "there are", all);
}

static void print_knobs(bool settable)
{
	printf("\nKnobs\n");
	for (size_t i = 0; i < ctl_nr_knobs; i++)
		if (ctl_knobs[i].file || !settable)
			printf("  %-13s %s%s\n", ctl_knobs[i].name,
			       ctl_knobs[i].help,
			       ctl_knobs[i].file ? "" : " (fixed)");
}

/* ---- get ---- */

struct row {
	const struct ctl_knob *knob;
	char value[FORMAT_SIZE];
};

#define ROW(name)                                                              \
	static enum colour fill_##name(char *cell, const void *row,            \
				       const struct table_options *o)

ROW(name)
{
	strcpy(cell, ((const struct row *)row)->knob->name);
	return PLAIN;
}

ROW(value)
{
	strcpy(cell, ((const struct row *)row)->value);
	return PLAIN;
}

ROW(help)
{
	const struct ctl_knob *k = ((const struct row *)row)->knob;

	sprintf(cell, "%s%s", k->help, k->file ? "" : " (fixed)");
	return PLAIN;
}

static const struct table_column columns[] = {
	{"KNOB", "its name", CELL_WORD, true, fill_name},
	{"VALUE", "as \"set\" takes it", CELL_WORD, true, fill_value},
	{"MEANING", "what it does", CELL_WORD, true, fill_help},
	{0},
};

static void fill_row(struct row *r, const struct ctl_knob *k,
		     const struct stats *s)
{
	r->knob = k;
	k->show(s, r->value);
}

/* Those of @names, or all without any. A negative status after a message. */
static int fill_rows(struct row *row, const struct stats *s, char **names)
{
	int nr = 0;

	for (size_t i = 0; !*names && i < ctl_nr_knobs; i++)
		fill_row(&row[nr++], &ctl_knobs[i], s);
	for (; *names; names++) {
		const struct ctl_knob *k = knob_find(*names, strlen(*names));

		if (!k)
			return -unknown(*names, strlen(*names), false);
		fill_row(&row[nr++], k, s);
	}
	return nr;
}

/* Only values, one a line. */
static int print_values(const struct row *row, int nr)
{
	for (int i = 0; i < nr; i++)
		printf("%s\n", row[i].value);
	return CTL_OK;
}

/* A table when there are no names, or options of one (@o). */
static int get(const struct stats *s, char **names,
	       const struct table_options *o)
{
	struct row *row = calloc(MOST_NAMES + ctl_nr_knobs, sizeof(*row));
	int nr, status;

	if (!row)
		return ctl_error("%s", strerror(ENOMEM));
	nr = fill_rows(row, s, names);
	if (nr < 0)
		status = -nr;
	else if (!o)
		status = print_values(row, nr);
	else
		status = table_print("knobs", columns, o, row, (size_t)nr,
				     sizeof(*row));
	free(row);
	return status;
}

static int run_get(struct args *a)
{
	struct table_options o = {0};
	bool table = false;
	char **operands;
	struct one one;
	int key, status;

	while ((key = args_next(a)) >= 0)
		table |= table_option(&o, key);
	operands = args_expect(a, 1, MOST_NAMES);
	table |= !operands[1];
	status = one_begin(&one, operands[0]);
	if (status)
		return status;
	status = get(&one.asked.stats, operands + 1, table ? &o : NULL);
	one_end(&one);
	return status;
}

static void help_get(void)
{
	table_help(columns);
	print_knobs(false);
}

/* ---- set ---- */

/* The file that @arg, "knob=value", goes to; NULL after a message. */
static const char *file_of(const char *arg)
{
	size_t len = strcspn(arg, "=");
	const struct ctl_knob *k = knob_find(arg, len);

	if (!arg[len]) {
		ctl_error("\"%s\" is no KNOB=VALUE", arg);
		return NULL;
	}
	if (!k) {
		unknown(arg, len, true);
		return NULL;
	}
	/* A write of nothing changes nothing, and no mount refuses it. */
	if (!arg[len + 1]) {
		ctl_error("\"%s\" has no value", arg);
		return NULL;
	}
	if (!k->file)
		ctl_error("%s is fixed when the mount is made", k->name);
	return k->file;
}

static void help_set(void)
{
	print_knobs(true);
}

/* A remount reads no files, and its options have the names of the knobs. */
static int read_only(const char *at, const char *arg)
{
	const struct ctl_knob *k = knob_find(arg, strcspn(arg, "="));

	if (!strcmp(k->name, "mem_used_max"))
		return ctl_error("%s: the mount is read-only", at);
	return ctl_error("%s: the mount is read-only: \"zsfs -o remount,%s%s "
			 "%s\" changes it",
			 at, k->name, strchr(arg, '='), at);
}

static int refused(const char *at, const char *arg, int err)
{
	char why[512];

	if (err == -EACCES)
		return ctl_error("%s: only root and the owner of the mount "
				 "may do that",
				 at);
	if (err == -ENOENT)
		return ctl_error("%s: this mount is older and has no %s", at,
				 arg);
	if (err == -EROFS)
		return read_only(at, arg);
	ask_why(at, why, sizeof(why));
	return ctl_error("%s: %s", arg, *why ? why : strerror(-err));
}

static int set(const char *at, char **args)
{
	for (char **arg = args; *arg; arg++)
		if (!file_of(*arg))
			return CTL_FAILED;
	for (; *args; args++) {
		int err = ask_write(at, file_of(*args), strchr(*args, '=') + 1);

		if (err)
			return refused(at, *args, err);
	}
	return CTL_OK;
}

static int run_set(struct args *a)
{
	char **operands;
	struct one o;
	int status;

	while (args_next(a) >= 0)
		;
	operands = args_expect(a, 2, MOST_NAMES);
	status = one_begin(&o, operands[0]);
	if (status)
		return status;
	status = set(o.at, operands + 1);
	one_end(&o);
	return status;
}

static const struct ctl_option get_options[] = {TABLE_FORM_OPTIONS, {0}};

const struct ctl_command cmd_get = {
	.name = "get",
	.operands = "MOUNT [KNOB...]",
	.summary = "all knobs, or only the values of those named",
	.options = get_options,
	.more_help = help_get,
	.run = run_get,
};

const struct ctl_command cmd_set = {
	.name = "set",
	.operands = "MOUNT KNOB=VALUE...",
	.summary = "change a live mount",
	.more_help = help_set,
	.run = run_set,
};
