/* SPDX-License-Identifier: BSD-3-Clause */
/* How files are stored, as their attribute zsfs.usage says it. */
#ifndef FS_CTL_USAGE_H
#define FS_CTL_USAGE_H

#include <stdint.h>

enum usage_form {
	USAGE_HOT,
	USAGE_LZ4,
	USAGE_ZSTD,
	USAGE_RAW,
	USAGE_DENSE,
	USAGE_SAME,
	USAGE_ROOM,
	USAGE_OTHER, /* of a newer mount */
	NR_USAGE_FORMS,
};

/* Of one file, or summed over many. */
struct usage {
	int64_t files, size; /* st_size */
	int64_t bytes[NR_USAGE_FORMS], ram[NR_USAGE_FORMS];
};

/* Add what @text says, a line for each form. 0, or -EINVAL for other text. */
int usage_parse(struct usage *u, const char *text);

/* Ask the file at @path, which is not followed. 0 or -errno; adds to @u. */
int usage_ask(struct usage *u, const char *path);

void usage_add(struct usage *to, const struct usage *u);

/* Sums; room has no content yet. */
int64_t usage_data(const struct usage *u);
int64_t usage_ram(const struct usage *u);

/* What is compressed block by block. */
int64_t usage_warm(const struct usage *u);

#endif
