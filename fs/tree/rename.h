/* SPDX-License-Identifier: BSD-3-Clause */
/* Renaming: a name moves, replaces another, or trades places with it. */
#ifndef FS_RENAME_H
#define FS_RENAME_H

#include <stdint.h>

struct tx;

/*
 * An operation as those of namei.h: of entry @name of directory @from to
 * @new_name of directory @to. @flags: 0, RENAME_NOREPLACE or RENAME_EXCHANGE.
 */
int zsfs_rename(struct tx *tx, uint64_t from, const char *name, uint64_t to,
		const char *new_name, unsigned flags);

#endif
