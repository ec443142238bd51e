/* SPDX-License-Identifier: BSD-3-Clause */
/* The table .zsstats/fullness: zspages of each class by how full they are. */
#ifndef FS_CTL_FULLNESS_H
#define FS_CTL_FULLNESS_H

#include <stddef.h>
#include <stdint.h>

#define FULLNESS_GROUPS 11 /* 10 %, 20 %, .. 90 %, 99 %, 100 % */

struct fullness_row {
	unsigned size, pages_per_zspage;
	uint64_t zspages[FULLNESS_GROUPS];
};

struct fullness {
	struct fullness_row *row;
	size_t nr;
};

/* Names of the groups, as the table has them. */
extern const char *const fullness_group[FULLNESS_GROUPS];

/*
 * Read @text, which is changed: classes that have zspages. 0, or -EINVAL when
 * it has not the columns that are looked for. The caller frees f->row.
 */
int fullness_parse(struct fullness *f, char *text);

#endif
