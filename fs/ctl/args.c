/* SPDX-License-Identifier: BSD-3-Clause */
/* Options of a command (see args.h). */
#include "args.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_OPTIONS 24
#define HELP_COLUMN  26

static const struct ctl_option common[] = {
	{'h', "help", NULL, "show this text and end"},
	{'V', "version", NULL, "show the version and end"},
	{0},
};

/* ---- help ---- */

void args_print_option(const struct ctl_option *o)
{
	int at;

	if (o->key < 256)
		at = printf("  -%c, --%s", o->key, o->name);
	else
		at = printf("      --%s", o->name);
	if (o->arg)
		at += printf(" %s", o->arg);
	if (at >= HELP_COLUMN - 1) {
		printf("\n");
		at = 0;
	}
	printf("%*s%s\n", HELP_COLUMN - at, "", o->help);
}

static void print_options(const struct ctl_option *o)
{
	for (; o && o->name; o++)
		args_print_option(o);
}

static _Noreturn void help(const struct ctl_command *cmd)
{
	printf("Usage: zsctl %s [options]%s%s\n\n%s.\n\nOptions\n", cmd->name,
	       *cmd->operands ? " " : "", cmd->operands, cmd->summary);
	print_options(cmd->options);
	print_options(common);
	if (cmd->more_help)
		cmd->more_help();
	printf("\nSee zsctl(1).\n");
	exit(CTL_OK);
}

void args_refuse(const struct args *a, const char *fmt, ...)
{
	char who[32];
	va_list args;

	snprintf(who, sizeof(who), "zsctl %s", a->cmd->name);
	va_start(args, fmt);
	ctl_message(who, fmt, args);
	va_end(args);
	fprintf(stderr, "Try \"zsctl %s --help\".\n", a->cmd->name);
	exit(CTL_FAILED);
}

/* ---- getopt_long ---- */

struct list {
	struct option longs[MOST_OPTIONS + 1];
	char shorts[2 * MOST_OPTIONS + 2];
	int nr;
};

static void add(struct list *l, const struct ctl_option *o)
{
	size_t len = strlen(l->shorts);

	if (l->nr == MOST_OPTIONS)
		abort();
	l->longs[l->nr++] = (struct option){
		o->name, o->arg ? required_argument : no_argument, NULL,
		o->key};
	if (o->key < 256)
		snprintf(l->shorts + len, sizeof(l->shorts) - len, "%c%s",
			 o->key, o->arg ? ":" : "");
}

static void fill(struct list *l, const struct ctl_command *cmd)
{
	*l = (struct list){0};
	if (cmd->has_command)
		strcpy(l->shorts, "+");
	for (const struct ctl_option *o = cmd->options; o && o->name; o++)
		add(l, o);
	for (const struct ctl_option *o = common; o->name; o++)
		add(l, o);
}

int args_next(struct args *a)
{
	struct list l;
	int key;

	fill(&l, a->cmd);
	key = getopt_long(a->argc, a->argv, l.shorts, l.longs, NULL);
	if (key == '?') {
		fprintf(stderr, "Try \"zsctl %s --help\".\n", a->cmd->name);
		exit(CTL_FAILED);
	}
	if (key == 'h')
		help(a->cmd);
	if (key == 'V') {
		printf("zsctl %s\n", ZSFS_VERSION);
		exit(CTL_OK);
	}
	return key;
}

char **args_operands(const struct args *a)
{
	return a->argv + optind;
}

char **args_expect(const struct args *a, int least, int most)
{
	int nr = a->argc - optind;

	if (nr < least)
		args_refuse(a, "something is missing: %s", a->cmd->operands);
	if (nr > most)
		args_refuse(a, "\"%s\" is too much", a->argv[optind + most]);
	return args_operands(a);
}
