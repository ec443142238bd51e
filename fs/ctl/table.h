/* SPDX-License-Identifier: BSD-3-Clause */
/* Tables of libsmartcols, as the tools of util-linux print them. */
#ifndef FS_CTL_TABLE_H
#define FS_CTL_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "ctl.h"

#define CELL_SIZE 4096u

enum cell_kind {
	CELL_WORD,   /* to the left */
	CELL_NUMBER, /* to the right, and a number in JSON */
	CELL_SIZE_,  /* the same, but a number only with --bytes */
};

/* How cells are written. */
struct table_options {
	const char *columns; /* of -o; NULL = by default */
	bool bytes, json, noheadings, raw;
};

/* The colour of a cell; none where the terminal has none. */
enum colour { PLAIN, GOOD, ODD, BAD };

struct table_column {
	const char *name;
	const char *help;
	enum cell_kind kind;
	bool by_default;
	/* Writes what the column has of @row to @cell; "-" = nothing. */
	enum colour (*fill)(char *cell, const void *row,
			    const struct table_options *o);
};

/* Options that all tables have, the first where there are sizes. */
/* clang-format off */
#define TABLE_OPTIONS                                                          \
	{'b', "bytes", NULL, "sizes in bytes, not in K, M, G"},                \
	TABLE_FORM_OPTIONS
#define TABLE_FORM_OPTIONS                                                     \
	{'J', "json", NULL, "as JSON"},                                        \
	{'n', "noheadings", NULL, "no line with the names of the columns"},    \
	{'o', "output", "LIST", "these columns; +LIST: them, too"},            \
	{'r', "raw", NULL, "no alignment, blanks as \\x20"}
/* clang-format on */

/* Takes one of the options above; false for any other. */
bool table_option(struct table_options *o, int key);

/* Are only columns wanted that @names has, which ends with NULL? */
bool table_only_has(const struct table_options *o, const char *const *names);

/* The part of --help about columns; @all ends with a name that is NULL. */
void table_help(const struct table_column *all);

/*
 * Print @nr rows, which lie @size bytes apart at @rows. @name is the key of the
 * array in JSON. CTL_OK, or CTL_FAILED after a message.
 */
int table_print(const char *name, const struct table_column *all,
		const struct table_options *o, const void *rows, size_t nr,
		size_t size);

#endif
