/* SPDX-License-Identifier: BSD-3-Clause */
/* Making holes (see punch.h). */
#include "punch.h"

#include <stdbool.h>

#include "block_table.h"
#include "file.h"
#include "slot.h"
#include "state/inode.h"
#include "state/tx.h"
#include "table_range.h"

/* Blocks freed by one transaction. */
#define STEP_BLOCKS 256u

/* The bytes of one block that lie in front of @end. */
static unsigned part_at(uint64_t at, uint64_t end)
{
	unsigned n = ZSFS_BLOCK_SIZE - (unsigned)(at % ZSFS_BLOCK_SIZE);

	return end - at < n ? (unsigned)(end - at) : n;
}

/* Fill @len bytes at @at, not a whole block. Works when the mount is full. */
static int fill_part(struct tx *tx, struct zinode *i, uint64_t at, unsigned len)
{
	struct table_cursor c = table_cursor(&i->file.blocks);
	uint64_t block = at >> ZSFS_BLOCK_SHIFT;
	enum alloc_policy was;
	int err;

	if (slot_is_zero(table_get(&i->file.blocks, block)))
		return 0;
	was = tx_raise_policy(tx, ALLOC_SHRINK);
	err = file_patch_block(tx, i, &c, block,
			       (unsigned)(at % ZSFS_BLOCK_SIZE), NULL, len);
	tx->policy = was;
	return err;
}

/* Free whole blocks from *@at on, of which there is one at least. */
static int free_whole(struct tx *tx, struct zinode *i, uint64_t *at,
		      uint64_t end)
{
	uint64_t first = *at >> ZSFS_BLOCK_SHIFT;
	unsigned max = STEP_BLOCKS, freed;
	bool all =
		table_free_range(tx, i, &first, end >> ZSFS_BLOCK_SHIFT, &max);

	freed = STEP_BLOCKS - max;
	inode_lose_blocks(i, freed); /* saved by the caller */
	tx_stat(tx, ST_BLOCKS, -(int64_t)freed);
	*at = first << ZSFS_BLOCK_SHIFT;
	return all ? 0 : 1;
}

int file_punch(struct tx *tx, struct zinode *i, uint64_t *at, uint64_t end)
{
	int err = 0;

	while (!err && *at < end) {
		unsigned len = part_at(*at, end);

		if (len == ZSFS_BLOCK_SIZE) {
			err = free_whole(tx, i, at, end);
			continue;
		}
		err = fill_part(tx, i, *at, len);
		if (!err)
			*at += len;
	}
	return err;
}
