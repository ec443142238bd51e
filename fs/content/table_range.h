/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ranges of a file's block table: dividing the table, and freeing what a range
 * of it names.
 */
#ifndef FS_TABLE_RANGE_H
#define FS_TABLE_RANGE_H

#include <stdbool.h>
#include <stdint.h>

struct tx;
struct zinode;
struct ztable;

/*
 * Move the slots from @first on to @to, which is empty; @from has nodes above
 * its leaves (level >= 2). Whole subtrees move, so it takes the time of a
 * look-up. On failure the transaction must be aborted. 0, -ENOSPC, -ENOMEM.
 */
int table_split(struct tx *tx, struct ztable *from, uint64_t first,
		struct ztable *to);

/*
 * Free up to *@max blocks of @i, and no more than @tx has room for, from
 * *@first up to @end, which is not included. @i is locked exclusive. True when
 * none is left there. *@max: less those that were freed; *@first: where to go
 * on.
 */
bool table_free_range(struct tx *tx, struct zinode *i, uint64_t *first,
		      uint64_t end, unsigned *max);

#endif
