/* SPDX-License-Identifier: BSD-3-Clause */
/* Options of a command, by its table; the same table makes its --help. */
#ifndef FS_CTL_ARGS_H
#define FS_CTL_ARGS_H

#include "ctl.h"

struct args {
	const struct ctl_command *cmd;
	int argc; /* with the command's name as the first */
	char **argv;
};

/*
 * The key of the next option, with its value in optarg; -1 after the last one.
 * Ends the program for --help and --version, and for what is no option.
 */
int args_next(struct args *a);

/* After the last option: the operands, which end with NULL. */
char **args_operands(const struct args *a);

/*
 * The same, of which there must be at least @least and at most @most. Ends the
 * program where there are not.
 */
char **args_expect(const struct args *a, int least, int most);

/* Says that the usage is wrong, how to get help, and ends the program. */
_Noreturn void args_refuse(const struct args *a, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* "  -x, --name ARG   help" */
void args_print_option(const struct ctl_option *o);

#endif
