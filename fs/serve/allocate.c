/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reserving room for content: fallocate(2).
 *
 * A hole, or a block of zeros that takes no memory, is stored as a raw block of
 * zeros. So the room is taken and counted as any content's, and the first write
 * to the block finds it: what takes no more than before may use the arena's
 * reserve until the old block is freed.
 *
 * The file grows with the last step, so that its size tells at any time, and to
 * a successor that starts anew, what was there before. Until then blocks of
 * zeros lie behind its end; a failure gives them back.
 *
 * Holes are made in steps, too (punch.h), and a step that was done is found
 * done by a successor that starts anew.
 */
#include "allocate.h"

#include <errno.h>

#include "content/block.h"
#include "content/block_table.h"
#include "content/file.h"
#include "content/punch.h"
#include "content/slot.h"
#include "control/statfs.h"
#include "room.h"
#include "state/inode.h"
#include "state/inode_flags.h"
#include "state/tx.h"
#include "state/zsfs.h"
#include "tree/reap.h"

static const uint8_t zeros[ZSFS_BLOCK_SIZE];

static uint64_t blocks_of(uint64_t bytes)
{
	return (bytes + ZSFS_BLOCK_SIZE - 1) >> ZSFS_BLOCK_SHIFT;
}

static uint64_t first_block(const struct allocation *a)
{
	return a->start >> ZSFS_BLOCK_SHIFT;
}

/* The first block behind it. */
static uint64_t end_block(const struct allocation *a)
{
	return blocks_of(a->end);
}

static uint64_t holes_in(const struct zinode *i, const struct allocation *a)
{
	const struct ztable *t = &i->file.blocks;
	uint64_t first = first_block(a), end = end_block(a);

	return end - first - (table_count(t, first) - table_count(t, end));
}

/* It failed: what lies behind the end of the file, as long as it is, goes. */
static void give_back(struct zsfs_thread *th, const struct allocation *a)
{
	struct tx *tx = tx_begin(th);
	struct zinode *i;
	int err = file_lock(tx, a->nodeid, LOCK_EXCL, &i);

	if (!err) {
		inode_save(tx, i);
		err = reap_cut(tx, i, blocks_of(i->size));
	}
	if (err)
		tx_abort(tx, err);
	else
		tx_commit(tx);
	reap_help(th);
}

int zsfs_allocate_begin(struct zsfs_thread *th, const struct allocation *a)
{
	struct zsfs *fs = th->fs;
	struct zinode *i;
	struct statvfs st;
	uint64_t holes;
	int err = file_lock_shared(fs, a->nodeid, &i);

	if (err)
		return err;
	holes = holes_in(i, a);
	inode_unlock(fs, i);
	zsfs_statfs(fs, &st);
	if (holes <= st.f_bavail)
		return 0;
	give_back(th, a);
	return -ENOSPC;
}

static int take_block(struct tx *tx, struct zinode *i, struct table_cursor *c,
		      uint64_t block, const struct staged_block *raw)
{
	const uint64_t *slot = table_at(c, block);
	unsigned put;

	if (slot && *slot && slot_kind(*slot) != SLOT_ZEROS)
		return 0;
	return block_put(tx, i, c, block, raw, 1, &put);
}

/* All blocks were seen to. 1: somebody has cut the file meanwhile. */
static int end_allocation(struct tx *tx, struct zinode *i, struct allocation *a)
{
	table_settle(tx);
	if (holes_in(i, a)) {
		a->done = 0;
		return 1;
	}
	if (i->size < a->end)
		i->size = a->end;
	inode_set_changed(i, tx_now(tx));
	return 0;
}

static int allocate_step(struct tx *tx, struct zinode *i, struct allocation *a)
{
	const struct staged_block raw = {
		.kind = BLOCK_OBJ,
		.alg = ZCOMP_RAW,
		.len = ZSFS_BLOCK_SIZE,
		.sum = zcomp_checksum(zeros),
		.payload = zeros,
	};
	uint64_t block = first_block(a) + a->done, end = end_block(a);
	struct table_cursor c = table_cursor(&i->file.blocks);
	int err = 0;

	if (end > block + ZSFS_MAX_BLOCKS)
		end = block + ZSFS_MAX_BLOCKS;
	for (; !err && block < end; block++)
		err = take_block(tx, i, &c, block, &raw);
	if (err)
		return err;
	inode_note_stored(tx, i);
	a->done = end - first_block(a);
	return end < end_block(a) ? 1 : end_allocation(tx, i, a);
}

static int punch_step(struct tx *tx, struct zinode *i, struct allocation *a)
{
	uint64_t at = a->start + a->done;
	int err = file_punch(tx, i, &at, a->end);

	if (err < 0)
		return err;
	a->done = at - a->start;
	if (!err)
		inode_set_changed(i, tx_now(tx));
	return err;
}

int zsfs_allocate_step(struct tx *tx, struct allocation *a)
{
	struct zinode *i;
	int err = file_lock(tx, a->nodeid, LOCK_EXCL, &i);

	if (!err)
		err = a->punch ? inode_may_overwrite(i) : inode_may_grow(i);
	if (err)
		return err;
	inode_save(tx, i);
	return a->punch ? punch_step(tx, i, a) : allocate_step(tx, i, a);
}

int zsfs_allocate_steps(struct zsfs_thread *th, struct allocation *a,
			unsigned steps, struct tx **last)
{
	for (; steps; steps--) {
		struct room room = {.pages = ZSFS_MAX_BLOCKS};
		int err;

		do {
			*last = tx_begin(th);
			err = zsfs_allocate_step(*last, a);
		} while (room_again(&room, *last, err));
		if (err < 0) {
			tx_abort(*last, err);
			if (!a->punch)
				give_back(th, a);
		}
		if (err <= 0)
			return err;
		tx_commit(*last);
	}
	return 1;
}
