/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reserving room for content: fallocate(2).
 *
 * A hole, or a block of zeros that takes no memory, is stored as a raw block of
 * zeros. So the room is taken and counted as any content's, and the first write
 * to the block finds it: what takes no more than before may use the arena's
 * reserve until the old block is freed.
 */
#include <errno.h>

#include "block_io.h"
#include "file.h"
#include "room.h"
#include "zsfs_i.h"

static const uint8_t zeros[ZSFS_BLOCK_SIZE];

static uint64_t first_block(const struct allocation *a)
{
	return a->at >> ZSFS_BLOCK_SHIFT;
}

/* The first block behind it. */
static uint64_t end_block(const struct allocation *a)
{
	return (a->end + ZSFS_BLOCK_SIZE - 1) >> ZSFS_BLOCK_SHIFT;
}

static uint64_t holes_in(const struct zinode *i, const struct allocation *a)
{
	const struct ztable *t = &i->file.blocks;
	uint64_t first = first_block(a), end = end_block(a);

	return end - first - (table_count(t, first) - table_count(t, end));
}

int zsfs_allocate_begin(struct zsfs *fs, struct allocation *a)
{
	struct zinode *i;
	struct statvfs st;
	uint64_t holes;
	int err = file_lock_shared(fs, a->nodeid, &i);

	if (err)
		return err;
	holes = holes_in(i, a);
	a->old_size = i->size;
	inode_unlock(fs, i);
	zsfs_statfs(fs, &st);
	return holes > st.f_bavail ? -ENOSPC : 0;
}

static int take_block(struct tx *tx, struct zinode *i, uint64_t block,
		      const struct staged_block *raw)
{
	uint64_t old = table_get(&i->file.blocks, block);

	if (old && old != slot_tagged(SLOT_ZERO, 0))
		return 0;
	return file_put_block(tx, i, block, raw);
}

int zsfs_allocate_step(struct tx *tx, struct allocation *a)
{
	const struct staged_block raw = {
		.kind = BLOCK_OBJ,
		.alg = ZCOMP_RAW,
		.len = ZSFS_BLOCK_SIZE,
		.sum = zcomp_checksum(zeros),
		.payload = zeros,
	};
	uint64_t block = first_block(a), end = end_block(a), at;
	struct zinode *i;
	int err = file_lock(tx, a->nodeid, LOCK_EXCL, &i);

	if (err)
		return err;
	if (end > block + ZSFS_MAX_BLOCKS)
		end = block + ZSFS_MAX_BLOCKS;
	inode_save(tx, i);
	for (; !err && block < end; block++)
		err = take_block(tx, i, block, &raw);
	if (err)
		return err;
	at = end << ZSFS_BLOCK_SHIFT;
	inode_note_stored(tx, i);
	a->at = at < a->end ? at : a->end;
	if (i->size < a->at)
		i->size = a->at;
	i->mtime = i->ctime = tx_now(tx);
	return 0;
}

/* It failed: the file gets its old size. */
static void allocate_undo(struct zsfs_thread *th, const struct allocation *a)
{
	struct stat st = {.st_size = (off_t)a->old_size};
	struct tx *tx = tx_begin(th);
	struct zinode *i;
	int err = zsfs_getattr(tx, a->nodeid, &i);
	bool grew = !err && i->size > a->old_size;

	tx_unlock(tx);
	if (grew && !zsfs_setattr(tx, a->nodeid, &st, SET_SIZE, &i))
		tx_commit(tx);
	else
		tx_abort(tx, err);
}

int zsfs_allocate_steps(struct zsfs_thread *th, struct allocation *a,
			unsigned steps, struct tx **last)
{
	for (; steps; steps--) {
		struct room room = {.pages = ZSFS_MAX_BLOCKS};
		struct tx *tx;
		int err;

		do {
			tx = tx_begin(th);
			err = zsfs_allocate_step(tx, a);
		} while (room_again(&room, tx, err));
		if (err) {
			tx_abort(tx, err);
			allocate_undo(th, a);
			return err;
		}
		if (a->at == a->end) {
			*last = tx;
			return 0;
		}
		tx_commit(tx);
	}
	return 1;
}
