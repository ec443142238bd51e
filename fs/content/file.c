/* SPDX-License-Identifier: BSD-3-Clause */
/* File content: reading and writing ranges of bytes. */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <syslog.h>

#include "base/log.h"
#include "block.h"
#include "block_table.h"
#include "crew.h"
#include "file.h"
#include "hot.h"
#include "slot.h"
#include "tidy.h"
#include "warm.h"
#include "xattr_set.h"
#include "state/counters.h"
#include "state/inode.h"
#include "state/inode_flags.h"
#include "state/settings.h"
#include "state/tx.h"
#include "state/zsfs.h"

/*
 * Blocks that make one piece of work for the crew. Of a read they are a group,
 * so that each cluster is decompressed by one thread.
 */
#define PIECE_BLOCKS CLUSTER_BLOCKS

static unsigned pieces_of(unsigned blocks)
{
	return (blocks + PIECE_BLOCKS - 1) / PIECE_BLOCKS;
}

static int must_be_regular(const struct zinode *i)
{
	if (S_ISDIR(i->mode))
		return -EISDIR;
	return S_ISREG(i->mode) ? 0 : -EINVAL;
}

int file_lock(struct tx *tx, uint64_t nodeid, enum lock_mode mode,
	      struct zinode **out)
{
	int err = inode_resolve_locked(tx, nodeid, mode, out);

	return err ? err : must_be_regular(*out);
}

int file_lock_shared(struct zsfs *fs, uint64_t nodeid, struct zinode **out)
{
	struct zinode *i = inode_resolve(fs, nodeid);
	int err;

	if (!i)
		return -ESTALE;
	inode_lock_shared(fs, i);
	err = must_be_regular(i);
	if (err)
		inode_unlock(fs, i);
	*out = i;
	return err;
}

static void report_bad_block(struct tx *tx, const struct zinode *i,
			     uint64_t block, int err)
{
	zsfs_stat_bump(tx->th, ST_FAILED_READS);
	if (err == -EIO) {
		zsfs_stat_bump(tx->th, ST_CORRUPT);
		zsfs_log_ratelimited(LOG_ERR,
				     "inode %" PRIu64 " block %" PRIu64
				     ": content does not verify",
				     inode_number(i), block);
	}
}

/* ---- reading ---- */

struct read_job {
	struct zsfs *fs;
	const struct zinode *inode;
	uint64_t first; /* whole blocks first .. first + n - 1 */
	unsigned n;
	uint8_t *buf;
	/* The lowest block that failed; atomic. */
	uint64_t bad;
	int err; /* of any failed block */
};

static void read_piece(void *arg, unsigned piece, struct arena_thread *at,
		       struct zcomp_ctx *zc)
{
	struct read_job *j = arg;
	/* The first piece is what is left of a group. */
	unsigned into = (unsigned)(j->first % PIECE_BLOCKS);
	unsigned i = piece ? piece * PIECE_BLOCKS - into : 0;
	unsigned stop = (piece + 1) * PIECE_BLOCKS - into;
	unsigned end = stop < j->n ? stop : j->n;
	struct table_cursor c = table_cursor(&j->inode->file.blocks);

	for (; i < end; i++) {
		const uint64_t *slot = table_at(&c, j->first + i);
		struct slot_of of = {j->inode, j->first + i, slot ? *slot : 0};
		uint64_t seen;
		int err = slot_read(j->fs, at, zc, of,
				    j->buf + (size_t)i * ZSFS_BLOCK_SIZE);

		if (!err)
			continue;
		__atomic_store_n(&j->err, err, __ATOMIC_RELAXED);
		seen = __atomic_load_n(&j->bad, __ATOMIC_RELAXED);
		while (j->first + i < seen &&
		       !__atomic_compare_exchange_n(
			       &j->bad, &seen, j->first + i, false,
			       __ATOMIC_RELAXED, __ATOMIC_RELAXED))
			;
		return;
	}
}

static int read_blocks(struct tx *tx, const struct zinode *i, uint64_t first,
		       unsigned n, void *buf)
{
	struct read_job j = {
		.fs = tx->fs,
		.inode = i,
		.first = first,
		.n = n,
		.buf = buf,
		.bad = UINT64_MAX,
	};

	crew_run(tx->fs->crew, read_piece, &j,
		 pieces_of((unsigned)(first % PIECE_BLOCKS) + n), tx->th->at,
		 tx->th->zc);
	tx_stat(tx, ST_READ_BLOCKS, n);
	if (j.bad == UINT64_MAX)
		return 0;
	report_bad_block(tx, i, j.bad, j.err);
	return j.err;
}

/* Read @len bytes at @at of one block. */
static int read_part(struct tx *tx, const struct zinode *i, uint64_t block,
		     unsigned at, unsigned len, void *buf)
{
	int err = read_blocks(tx, i, block, 1, tx->th->buf.block);

	if (!err)
		memcpy(buf, tx->th->buf.block + at, len);
	return err;
}

static int read_range(struct tx *tx, const struct zinode *i, uint8_t *buf,
		      size_t size, uint64_t off)
{
	size_t done = 0;
	int err = 0;

	while (!err && done < size) {
		uint64_t block = (off + done) >> ZSFS_BLOCK_SHIFT;
		unsigned at = (unsigned)(off + done) % ZSFS_BLOCK_SIZE;
		size_t left = size - done;
		unsigned n;

		if (at == 0 && left >= ZSFS_BLOCK_SIZE) {
			n = (unsigned)(left / ZSFS_BLOCK_SIZE);
			err = read_blocks(tx, i, block, n, buf + done);
			n *= ZSFS_BLOCK_SIZE;
		} else {
			n = ZSFS_BLOCK_SIZE - at;
			n = left < n ? (unsigned)left : n;
			err = read_part(tx, i, block, at, n, buf + done);
		}
		done += n;
	}
	return err;
}

int zsfs_read(struct tx *tx, uint64_t nodeid, void *buf, size_t size,
	      uint64_t off, size_t *done)
{
	struct zinode *i;
	int err = file_lock(tx, nodeid, LOCK_SHARED, &i);

	*done = 0;
	if (err)
		return err;
	if (off >= i->size)
		size = 0;
	else if (size > i->size - off)
		size = i->size - off;
	err = read_range(tx, i, buf, size, off);
	if (err)
		return err;
	if (size)
		warm_note_read(tx, i, off >> ZSFS_BLOCK_SHIFT,
			       (off + size - 1) >> ZSFS_BLOCK_SHIFT);
	/* Never less: the kernel would take a short read for the end. */
	*done = size;
	inode_touch_atime(tx, i);
	return 0;
}

/* ---- seeking ---- */

static uint64_t block_start(uint64_t block, const struct zinode *i)
{
	return block > i->size >> ZSFS_BLOCK_SHIFT ? i->size
						   : block << ZSFS_BLOCK_SHIFT;
}

static bool is_hole(uint64_t slot)
{
	return !slot || slot_kind(slot) == SLOT_ROOM;
}

/* Set *@block to the first one from there on that is data; false: none is. */
static bool find_data(const struct ztable *t, uint64_t *block)
{
	struct table_cursor c = table_cursor(t);
	const uint64_t *slot;
	uint64_t val;

	for (;;) {
		slot = table_at(&c, *block);
		if (slot && !is_hole(*slot))
			return true;
		if (slot && *slot)
			++*block;
		else if (!table_next(t, block, &val))
			return false;
	}
}

/* The first block from @block on that is none. */
static uint64_t find_hole(const struct zinode *i, uint64_t block)
{
	const struct ztable *t = &i->file.blocks;
	struct table_cursor c = table_cursor(t);
	uint64_t end = table_next_hole(t, block);

	while (i->flags & INODE_HAS_ROOM && block < end &&
	       !is_hole(*table_at(&c, block)))
		block++;
	return i->flags & INODE_HAS_ROOM ? block : end;
}

uint64_t file_next_data(const struct zinode *i, uint64_t off)
{
	uint64_t block = off >> ZSFS_BLOCK_SHIFT, start;

	if (!find_data(&i->file.blocks, &block))
		return i->size;
	start = block_start(block, i);
	return start > off ? start : off;
}

static uint64_t next_hole(const struct zinode *i, uint64_t off)
{
	uint64_t block = find_hole(i, off >> ZSFS_BLOCK_SHIFT);
	uint64_t start = block_start(block, i);

	return start > off ? start : off;
}

static void seek_locked(const struct zinode *i, uint64_t off, bool hole,
			struct seek *out)
{
	uint64_t from = hole ? next_hole(i, off) : off;
	uint64_t to = file_next_data(i, from);

	*out = (struct seek){.at = hole ? from : to, .size = i->size};
	if (from < to) {
		out->from = from - from % ZSFS_BLOCK_SIZE;
		out->to = to;
	}
}

int zsfs_seek(struct zsfs *fs, uint64_t nodeid, uint64_t off, bool hole,
	      struct seek *out)
{
	struct zinode *i;
	int err = file_lock_shared(fs, nodeid, &i);

	if (err)
		return err;
	if (off >= i->size)
		err = -ENXIO;
	else
		seek_locked(i, off, hole, out);
	inode_unlock(fs, i);
	return err;
}

/* ---- writing ---- */

struct write_job {
	struct zsfs *fs;
	struct zcomp_params comp;
	const uint8_t *src; /* whole blocks */
	unsigned n;
	uint8_t *room;
	struct staged_block *out;
};

static void stage_piece(void *arg, unsigned piece, struct arena_thread *at,
			struct zcomp_ctx *zc)
{
	struct write_job *j = arg;
	unsigned i = piece * PIECE_BLOCKS;
	unsigned end = i + PIECE_BLOCKS < j->n ? i + PIECE_BLOCKS : j->n;

	block_stage(j->fs, zc, &j->comp, j->src + (size_t)i * ZSFS_BLOCK_SIZE,
		    j->room + (size_t)i * ZSFS_BLOCK_SIZE, &j->out[i], end - i);
}

int file_patch_block(struct tx *tx, struct zinode *i, struct table_cursor *c,
		     uint64_t block, unsigned at, const void *src, unsigned len)
{
	struct thread_buffers *buf = &tx->th->buf;
	struct zcomp_params comp = zsfs_get_comp(tx->fs);
	const uint64_t *slot = table_at(c, block);
	struct slot_of of = {i, block, slot ? *slot : 0};
	struct staged_block b;
	unsigned put;
	int err = slot_read(tx->fs, tx->th->at, tx->th->zc, of, buf->block);

	if (err) {
		report_bad_block(tx, i, block, err);
		return err;
	}
	if (src)
		memcpy(buf->block + at, src, len);
	else
		memset(buf->block + at, 0, len);
	if (src && slot && !is_hole(*slot) && hot_may_patch(tx->th, i, block))
		block_stage_hot(buf->block, &b, 1);
	else
		block_stage(tx->fs, tx->th->zc, &comp, buf->block,
			    buf->stage +
				    (size_t)ZSFS_MAX_BLOCKS * ZSFS_BLOCK_SIZE,
			    &b, 1);
	return block_write(tx, i, c, block, &b, 1, &put);
}

/* How a range of bytes falls on blocks: a part, whole blocks, a part. */
struct extent {
	uint64_t block;
	unsigned head_at, head_len; /* head_len 0: no part in front */
	unsigned whole;
	unsigned tail_len;
};

static struct extent extent_of(uint64_t off, size_t size)
{
	struct extent e = {.block = off >> ZSFS_BLOCK_SHIFT};

	e.head_at = (unsigned)(off % ZSFS_BLOCK_SIZE);
	if (e.head_at || size < ZSFS_BLOCK_SIZE) {
		e.head_len = ZSFS_BLOCK_SIZE - e.head_at;
		if (size < e.head_len)
			e.head_len = (unsigned)size;
	}
	e.whole = (unsigned)((size - e.head_len) / ZSFS_BLOCK_SIZE);
	e.tail_len = (unsigned)((size - e.head_len) % ZSFS_BLOCK_SIZE);
	return e;
}

/* Write the blocks of @e; *@done counts bytes up to the first failure. */
static int write_extent(struct tx *tx, struct zinode *i, const struct extent *e,
			const uint8_t *src, size_t *done)
{
	struct table_cursor c = table_cursor(&i->file.blocks);
	uint64_t block = e->block;
	unsigned put;
	int err;

	if (e->head_len) {
		err = file_patch_block(tx, i, &c, block++, e->head_at, src,
				       e->head_len);
		if (err)
			return err;
		*done += e->head_len;
	}
	err = block_write(tx, i, &c, block, tx->th->buf.staged, e->whole, &put);
	*done += (size_t)put * ZSFS_BLOCK_SIZE;
	if (err)
		return err;
	if (e->tail_len) {
		err = file_patch_block(tx, i, &c, block + put, 0, src + *done,
				       e->tail_len);
		if (err)
			return err;
		*done += e->tail_len;
	}
	return 0;
}

/* Bring the whole blocks of a write into stored form. */
static void stage_whole(struct zsfs_thread *th, struct write_job *j)
{
	if (j->n >= HOT_LARGE_BLOCKS && hot_may(th, j->n))
		block_stage_hot(j->src, j->out, j->n);
	else
		crew_run(th->fs->crew, stage_piece, j, pieces_of(j->n), th->at,
			 th->zc);
}

bool inode_kill_priv(struct zinode *i, bool stranger)
{
	uint32_t old = i->mode;

	i->mode &= ~(uint32_t)S_ISUID;
	if (stranger || i->mode & S_IXGRP)
		i->mode &= ~(uint32_t)S_ISGID;
	return i->mode != old;
}

/* Of @i, whose @done bytes from @off on were written, all but the content. */
static void note_written(struct tx *tx, struct zinode *i, uint64_t off,
			 size_t done, unsigned flags)
{
	uint64_t end = off + done;
	uint64_t blocks = ((end + ZSFS_BLOCK_SIZE - 1) >> ZSFS_BLOCK_SHIFT) -
			  (off >> ZSFS_BLOCK_SHIFT);

	inode_note_stored(tx, i);
	if (end > i->size)
		i->size = end;
	if (!(flags & WRITE_KEEP_TIMES)) {
		inode_set_changed(i, tx_now(tx));
		/* After a late one the kernel only notes that they are old. */
		tx->attr_changed = flags & WRITE_CACHE;
	}
	if (flags & WRITE_KILL_PRIV)
		tx->attr_changed |= inode_kill_priv(i, flags & WRITE_STRANGER);
	tx_stat(tx, ST_WRITTEN_BLOCKS, done ? (int64_t)blocks : 0);
}

/* Blocks @first to @last were written, perhaps into clusters. */
static void note_places(struct tx *tx, const struct zinode *i, uint64_t first,
			uint64_t last)
{
	tidy_note(tx, i, first, last);
	warm_note_write(tx, i, first, last);
}

/*
 * The program that wrote learns of it at msync(), fsync() or close() at best,
 * so it is said here, too.
 */
static void report_lost_write(struct tx *tx, uint64_t nodeid, uint64_t off,
			      int err)
{
	const struct zinode *i = inode_resolve(tx->fs, nodeid);
	const char *what = tx->fs->super->writeback
				   ? "cached write"
				   : "write to its shared mapping";

	if (!i)
		return;
	if (err == -ENOSPC || err == -ENOMEM) {
		zsfs_stat_bump(tx->th, ST_LATE_LOST);
		zsfs_log_ratelimited(LOG_ERR,
				     "inode %" PRIu64 ": no room for a %s at "
				     "offset %" PRIu64,
				     inode_number(i), what, off);
	} else {
		zsfs_log_ratelimited(LOG_ERR,
				     "inode %" PRIu64
				     ": a %s at offset %" PRIu64 " is lost: %s",
				     inode_number(i), what, off,
				     strerror(-err));
	}
}

/*
 * May @i be written to? A cache of writes has asked when the file was opened,
 * and who has it open goes on, as on tmpfs. A mapping may be newer than the
 * flags, so what was written through it before is stored when they are set
 * (ops_ioctl.c), and nothing after.
 */
static int may_write(const struct zinode *i, uint64_t off, unsigned flags)
{
	if (!inode_is_kept(i) ||
	    (flags & WRITE_CACHE && flags & WRITE_KEEP_TIMES))
		return 0;
	if (flags & WRITE_APPEND && off == i->size && !(flags & WRITE_CACHE))
		return inode_may_grow(i);
	return inode_may_overwrite(i);
}

int zsfs_write(struct tx *tx, uint64_t nodeid, const void *buf, size_t size,
	       uint64_t off, unsigned flags, size_t *done)
{
	struct zsfs_thread *th = tx->th;
	struct extent e = extent_of(off, size);
	struct write_job j = {
		.fs = tx->fs,
		.comp = zsfs_get_comp(tx->fs),
		.src = (const uint8_t *)buf + e.head_len,
		.n = e.whole,
		.room = th->buf.stage,
		.out = th->buf.staged,
	};
	enum alloc_policy was;
	struct zinode *i;
	int err;

	*done = 0;
	if (off > INT64_MAX || size > INT64_MAX - off)
		return -EFBIG;
	/* Compress before anything is locked. */
	stage_whole(th, &j);
	err = file_lock(tx, nodeid, LOCK_EXCL, &i);
	if (!err)
		err = may_write(i, off, flags);
	if (err)
		return err;
	inode_save(tx, i);
	/* Of a late one the kernel has seen to that, or nothing goes. */
	if (!(flags & WRITE_CACHE))
		xattr_drop(tx, i, XATTR_CAPS);
	was = tx_raise_policy(tx, flags & WRITE_CACHE ? ALLOC_LATE : ALLOC_NEW);
	err = write_extent(tx, i, &e, buf, done);
	tx->policy = was;
	tx->cut_short = err;
	if (*done == 0 && size > 0)
		return err;
	note_written(tx, i, off, *done, flags);
	if (*done)
		note_places(tx, i, off >> ZSFS_BLOCK_SHIFT,
			    (off + *done - 1) >> ZSFS_BLOCK_SHIFT);
	return 0;
}

void zsfs_write_failed(struct tx *tx, uint64_t nodeid, uint64_t off,
		       unsigned flags, size_t done)
{
	if (!tx->cut_short)
		return;
	if (flags & WRITE_CACHE)
		report_lost_write(tx, nodeid, off + done, tx->cut_short);
	if (!done)
		zsfs_stat_bump(tx->th, ST_FAILED_WRITES);
}
