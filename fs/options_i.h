/* SPDX-License-Identifier: BSD-3-Clause */
/* What options.c and option_list.c share. */
#ifndef FS_OPTIONS_I_H
#define FS_OPTIONS_I_H

#include <stdbool.h>

#include "environment.h"
#include "options.h"
#include "textbuf.h"

/* Longest fsname, subtype or SOURCE. */
#define MAX_NAME 255u

struct parser {
	struct zsfs_options *o;
	const struct environment *env;
	struct textbuf msg;
	bool mem_limit_given;
};

/* Execute the items of a list as -o takes it. 0, -EINVAL, -ENOMEM. */
int options_parse_list(struct parser *p, const char *list);

/* Messages about what the user gave; both return -EINVAL. */
int options_bad_value(struct parser *p, const char *name, const char *val,
		      const char *allowed);
int options_unknown(struct parser *p, const char *what, const char *name);

/* Put a copy of @text in place of *@to. 0, -ENOMEM. */
int options_replace(char **to, const char *text);

#endif
