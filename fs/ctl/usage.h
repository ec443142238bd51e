/* SPDX-License-Identifier: BSD-3-Clause */
/* How files are stored, as their attribute zsfs.usage says it. */
#ifndef FS_CTL_USAGE_H
#define FS_CTL_USAGE_H

#include <stdbool.h>
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
	/*
	 * What a folder has that is not in its sum: files with several names,
	 * and folders. usage_add() leaves them out.
	 */
	int64_t links, folders;
	bool silent; /* of a file with blocks nothing is known */
};

/*
 * Add what @text says: a line for each form, and of a folder some with one
 * number. 0, or -EINVAL for other text.
 */
int usage_parse(struct usage *u, const char *text);

/*
 * Ask the file or folder at @path, and with @follow what it leads to. 0 or
 * -errno; adds to @u. A folder has the sum of the files with one name in it;
 * -EACCES where they have to be asked, because not all of them may be read;
 * -ENODATA, -ENOTSUP where folders do not tell: an older mount, or noxattr.
 */
int usage_ask(struct usage *u, const char *path, bool follow);

void usage_add(struct usage *to, const struct usage *u);

/* Sums; room has no content yet. */
int64_t usage_data(const struct usage *u);
int64_t usage_ram(const struct usage *u);

/* What is compressed block by block. */
int64_t usage_warm(const struct usage *u);

#endif
