/* SPDX-License-Identifier: BSD-3-Clause */
/* Copying within the file system (see copy.h). */
#include "copy.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/min.h"
#include "block.h"
#include "block_table.h"
#include "file.h"
#include "hot.h"
#include "punch.h"
#include "slot.h"
#include "tidy.h"
#include "state/counters.h"
#include "state/inode.h"
#include "state/inode_flags.h"
#include "state/settings.h"
#include "state/tx.h"
#include "state/zsfs.h"
#include "xattr_set.h"

/*
 * What one part of a copy may take of the logs, with the nodes above it, and
 * where memory is short a cluster that is made anew (press.h).
 */
#define PART_UNDO  61u
#define PART_FREES (20u + CLUSTER_FREES)
#define PART_REFS  (20u + CLUSTER_FREES)

/* A copy under way. */
struct job {
	struct tx *tx;
	struct zinode *from, *to;
	struct table_cursor c; /* of @to */
	uint64_t at, out;      /* bytes in @from and @to, where it is */
	uint64_t end;	       /* in @from */
	unsigned parts;	       /* done so far */
	unsigned holes;	       /* of them, those that are holes */
	unsigned hot;	       /* and blocks that are hot */
};

/* The block of the source that @off is in. */
static struct slot_of slot_at(const struct job *j, uint64_t off)
{
	uint64_t block = off >> ZSFS_BLOCK_SHIFT;

	return (struct slot_of){j->from, block,
				table_get(&j->from->file.blocks, block)};
}

static void advance(struct job *j, uint64_t n)
{
	j->at += n;
	j->out += n;
	j->parts++;
}

/* ---- parts ---- */

/* Up to @data the source has a hole. */
static int copy_hole(struct job *j, uint64_t data)
{
	uint64_t out = j->out;
	int err = file_punch(j->tx, j->to, &out,
			     j->out + (min_u64(data, j->end) - j->at));

	table_drop(&j->c);
	/* Also what was punched before an error. */
	advance(j, out - j->out);
	j->holes++;
	return err < 0 ? err : 0;
}

/*
 * A block of a cluster is compressed anew, as if it were written, and so is a
 * hot one that may not be hot twice.
 */
static bool is_staged_anew(const struct job *j, uint64_t slot)
{
	return slot_kind(slot) == SLOT_DENSE ||
	       (slot_is_hot(slot) && !hot_may(j->tx->th, j->hot + 1));
}

static int stage_anew(const struct job *j, struct slot_of of,
		      struct staged_block *b)
{
	struct zsfs_thread *th = j->tx->th;
	struct zcomp_params comp = zsfs_get_comp(th->fs);
	int err = slot_read(th->fs, th->at, th->zc, of, th->buf.block);

	if (!err)
		block_stage(th->fs, th->zc, &comp, th->buf.block, th->buf.stage,
			    b, 1);
	return err;
}

/* Bring a block into stored form, as it is stored in the source. */
static int stage_slot(const struct job *j, struct slot_of of,
		      struct staged_block *b)
{
	struct zsfs_thread *th = j->tx->th;
	uint64_t slot = of.slot;
	struct zs_obj_info info;
	const void *src;

	*b = (struct staged_block){.kind = BLOCK_SAME};
	if (slot_kind(slot) == SLOT_UNKNOWN)
		return -EIO;
	if (is_staged_anew(j, slot))
		return stage_anew(j, of, b);
	if (slot_kind(slot) == SLOT_SAME)
		b->word = slot;
	if (slot_kind(slot) != SLOT_OBJECT)
		return 0;
	src = zs_obj_read_begin(th->fs->pool, th->at, slot_handle(slot), &info);
	if (!src)
		return -EIO;
	memcpy(th->buf.stage, src, info.size);
	zs_obj_read_end(th->fs->pool, th->at);
	b->kind = BLOCK_OBJ;
	b->sum = info.word ^ slot_mark(of.inode, of.block);
	b->len = (uint16_t)info.size;
	b->alg = (uint8_t)info.tag;
	b->hot = slot_is_hot(slot);
	b->payload = th->buf.stage;
	return 0;
}

/* A block that is one in both files. */
static int copy_block(struct job *j)
{
	struct staged_block b;
	unsigned put;
	int err = stage_slot(j, slot_at(j, j->at), &b);

	if (!err)
		err = block_write(j->tx, j->to, &j->c,
				  j->out >> ZSFS_BLOCK_SHIFT, &b, 1, &put);
	if (err)
		return err;
	advance(j, ZSFS_BLOCK_SIZE);
	j->hot += b.hot;
	return 0;
}

/* Put @n bytes of the source, of one block or two, into @piece. */
static int gather(const struct job *j, uint8_t *piece, unsigned n)
{
	struct zsfs_thread *th = j->tx->th;
	unsigned done = 0;

	while (done < n) {
		unsigned at = (unsigned)((j->at + done) % ZSFS_BLOCK_SIZE);
		unsigned k = (unsigned)min_u64(n - done, ZSFS_BLOCK_SIZE - at);
		int err = slot_read(th->fs, th->at, th->zc,
				    slot_at(j, j->at + done), th->buf.block);

		if (err)
			return err;
		memcpy(piece + done, th->buf.block + at, k);
		done += k;
	}
	return 0;
}

/* What goes into one block of the copy. */
static int copy_part(struct job *j)
{
	uint8_t piece[ZSFS_BLOCK_SIZE];
	unsigned at = (unsigned)(j->out % ZSFS_BLOCK_SIZE);
	unsigned n = (unsigned)min_u64(j->end - j->at, ZSFS_BLOCK_SIZE - at);
	int err = gather(j, piece, n);

	if (!err)
		err = file_patch_block(j->tx, j->to, &j->c,
				       j->out >> ZSFS_BLOCK_SHIFT, at, piece,
				       n);
	if (!err)
		advance(j, n);
	return err;
}

static int copy_next(struct job *j)
{
	uint64_t data = file_next_data(j->from, j->at);

	if (data > j->at)
		return copy_hole(j, data);
	if (j->at % ZSFS_BLOCK_SIZE == 0 && j->out % ZSFS_BLOCK_SIZE == 0 &&
	    j->end - j->at >= ZSFS_BLOCK_SIZE)
		return copy_block(j);
	return copy_part(j);
}

/* ---- the whole ---- */

static int check(const struct copy *c, const struct zinode *from,
		 const struct zinode *to)
{
	if (S_ISDIR(from->mode) || S_ISDIR(to->mode))
		return -EISDIR;
	if (!S_ISREG(from->mode) || !S_ISREG(to->mode))
		return -EINVAL;
	if (inode_is_kept(to))
		return -EPERM;
	if (c->to_off > INT64_MAX || c->len > INT64_MAX - c->to_off)
		return -EFBIG;
	if (from == to && c->from_off < c->to_off + c->len &&
	    c->to_off < c->from_off + c->len)
		return -EINVAL;
	return 0;
}

/* Lock both files. */
static int begin(struct tx *tx, const struct copy *c, struct job *j)
{
	struct zinode *from = inode_resolve(tx->fs, c->from);
	struct zinode *to = inode_resolve(tx->fs, c->to);

	if (!from || !to)
		return -ESTALE;
	tx_lock(tx, (struct lock_want[]){{from, LOCK_SHARED}, {to, LOCK_EXCL}},
		2);
	*j = (struct job){
		.tx = tx,
		.from = from,
		.to = to,
		.c = table_cursor(&to->file.blocks),
		.at = c->from_off,
		.out = c->to_off,
		.end = c->from_off,
	};
	if (c->from_off < from->size)
		j->end += min_u64(c->len, from->size - c->from_off);
	return check(c, from, to);
}

static void note_copied(struct job *j, const struct copy *c)
{
	struct zinode *i = j->to;

	inode_note_stored(j->tx, i);
	if (j->out > i->size)
		i->size = j->out;
	if (!j->tx->fs->super->writeback)
		inode_set_changed(i, tx_now(j->tx));
	tx_stat(j->tx, ST_WRITTEN_BLOCKS, j->parts - j->holes);
	/* The kernel takes the source's attributes for unchanged. */
	j->tx->attr_changed = inode_touch_atime(j->tx, j->from);
}

int zsfs_copy(struct tx *tx, const struct copy *c, size_t *done)
{
	struct job j;
	int err = begin(tx, c, &j);

	*done = 0;
	if (err || j.at == j.end)
		return err;
	inode_save(tx, j.to);
	xattr_drop(tx, j.to, XATTR_CAPS);
	while (!err && j.at < j.end && j.parts < ZSFS_MAX_BLOCKS &&
	       tx_has_room(tx, PART_UNDO, PART_FREES) &&
	       tx_has_refs(tx, PART_REFS))
		err = copy_next(&j);
	tx->cut_short = err;
	*done = j.at - c->from_off;
	if (*done == 0)
		return err;
	note_copied(&j, c);
	tidy_note(tx, j.to, c->to_off >> ZSFS_BLOCK_SHIFT,
		  (j.out - 1) >> ZSFS_BLOCK_SHIFT);
	return 0;
}
