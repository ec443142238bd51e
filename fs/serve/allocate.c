/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Room for content, and holes: fallocate(2).
 *
 * Both are done in steps, each a transaction of its own (content/prealloc.h,
 * content/punch.h). A step that was done is found done by a successor that
 * starts anew, since the request that is sent again has the same number, which
 * says whose room it is; so it gives all of that back when it fails, whoever
 * took it.
 *
 * The file grows with the last step. Until then room lies behind its end, as it
 * does for ever where the size is to be kept.
 */
#include "allocate.h"

#include <errno.h>

#include "base/clock.h"
#include "content/block_table.h"
#include "content/file.h"
#include "content/prealloc.h"
#include "content/punch.h"
#include "content/tidy.h"
#include "content/xattr_set.h"
#include "control/statfs.h"
#include "room.h"
#include "state/inode.h"
#include "state/inode_flags.h"
#include "state/threads.h"
#include "state/tx.h"
#include "state/zsfs.h"

static uint64_t first_block(const struct allocation *a)
{
	return a->start >> ZSFS_BLOCK_SHIFT;
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

/* It failed: the room that it was given goes, step by step. */
static void give_back(struct zsfs_thread *th, const struct allocation *a)
{
	uint64_t block = first_block(a);
	int more = 1;

	while (more > 0) {
		struct tx *tx = tx_begin(th);
		struct zinode *i;

		more = file_lock(tx, a->nodeid, LOCK_EXCL, &i);
		if (more) {
			tx_abort(tx, more);
			return;
		}
		inode_save(tx, i);
		more = file_take_room(tx, i, a->owner, &block, end_block(a));
		inode_note_stored(tx, i);
		tx_commit(tx);
		zsfs_pause(th);
	}
}

static int check_room(struct zsfs *fs, const struct allocation *a)
{
	struct zinode *i;
	struct statvfs st;
	uint64_t holes;
	int err = file_lock_shared(fs, a->nodeid, &i);

	if (err)
		return err;
	holes = holes_in(i, a);
	inode_unlock(fs, i);
	zsfs_statfs(fs, &st);
	return !a->room || holes <= st.f_bavail ? 0 : -ENOSPC;
}

int zsfs_allocate_begin(struct zsfs_thread *th, const struct allocation *a)
{
	uint64_t until = clock_ms() + ROOM_FORGET_MSECS;
	int err;

	do
		err = check_room(th->fs, a);
	while (err == -ENOSPC && clock_ms() < until && room_await_forget(th));
	if (err == -ENOSPC)
		give_back(th, a);
	return err;
}

/* All blocks were seen to. 1: somebody has cut the file meanwhile. */
static int end_room(struct tx *tx, struct zinode *i, struct allocation *a)
{
	table_settle(tx);
	if (holes_in(i, a)) {
		a->done = 0;
		return 1;
	}
	if (!a->keep_size && i->size < a->end)
		i->size = a->end;
	return 0;
}

static int room_step(struct tx *tx, struct zinode *i, struct allocation *a)
{
	uint64_t block = first_block(a) + (a->done >> ZSFS_BLOCK_SHIFT);
	int err = file_give_room(tx, i, a->owner, &block, end_block(a));

	if (err >= 0)
		a->done = (block - first_block(a)) << ZSFS_BLOCK_SHIFT;
	return err ? err : end_room(tx, i, a);
}

static int punch_step(struct tx *tx, struct zinode *i, struct allocation *a)
{
	uint64_t at = a->start + a->done;
	int err = file_punch(tx, i, &at, a->end);

	if (err >= 0)
		a->done = at - a->start;
	if (err || !a->room)
		return err;
	a->punch = false;
	a->done = 0;
	return 1;
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
	xattr_drop(tx, i, XATTR_CAPS);
	err = a->punch ? punch_step(tx, i, a) : room_step(tx, i, a);
	if (err >= 0) {
		inode_note_stored(tx, i);
		tidy_note(tx, i, first_block(a), end_block(a) - 1);
	}
	if (!err)
		inode_set_changed(i, tx_now(tx));
	return err;
}

/* Has the step that ended with @room found none, but may find some later? */
static bool may_wait(struct allocation *a, const struct room *room)
{
	uint64_t now = clock_ms();

	a->searched += now - room->begun;
	return room_was_brief(room, now) && a->searched < ROOM_WAIT_MSECS;
}

int zsfs_allocate_steps(struct zsfs_thread *th, struct allocation *a,
			unsigned steps, struct tx **last)
{
	for (; steps; steps--) {
		struct room room = {
			.pages = ZSFS_MAX_BLOCKS,
			.brief = true,
		};
		int err;

		do {
			*last = room_begin(th, &room);
			err = zsfs_allocate_step(*last, a);
		} while (room_again(&room, *last, err));
		if (err < 0)
			tx_abort(*last, err);
		if (err == -ENOSPC && may_wait(a, &room))
			return 1;
		if (err < 0)
			give_back(th, a);
		/* A request thread does not look on for ever. */
		if (th == zsfs_background(th->fs))
			a->searched = 0;
		if (err <= 0)
			return err;
		tx_commit(*last);
		tidy_clusters(th);
	}
	return 1;
}
