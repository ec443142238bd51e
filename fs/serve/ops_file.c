/* SPDX-License-Identifier: BSD-3-Clause */
/* FUSE operations on content. */
#include "ops.h"

#include <errno.h>
#include <linux/falloc.h>
#include <linux/fuse.h>
#include <string.h>
#include <unistd.h>

#include "allocate.h"
#include "background.h"
#include "caller.h"
#include "content/copy.h"
#include "content/file.h"
#include "control/vfile.h"
#include "request.h"
#include "room.h"
#include "state/inode.h"
#include "state/inode_flags.h"
#include "state/threads.h"
#include "state/tx.h"
#include "state/zsfs.h"
#include "tree/attr.h"
#include "writeback.h"

/* Steps of fallocate(2) that a request thread makes. */
#define ALLOCATE_STEPS 8

void fill_open(struct fuse_file_info *fi)
{
	fi->fh = (fi->flags & O_ACCMODE) == O_RDONLY ? 0 : FH_WRITER;
	fi->keep_cache = 1;
}

/* Do the flags of the inode let it be opened like this? */
static int may_open(struct zsfs_thread *th, fuse_ino_t ino, int flags)
{
	struct zinode *i;
	struct tx *tx;
	int err;

	if ((flags & O_ACCMODE) == O_RDONLY)
		return 0;
	tx = tx_begin(th);
	err = zsfs_getattr(tx, ino, &i);
	if (!err)
		err = flags & O_APPEND ? inode_may_grow(i)
				       : inode_may_overwrite(i);
	tx_abort(tx, err);
	return err;
}

/*
 * Never answered: the kernel then opens and closes files by itself, without a
 * request, for the rest of the mount. With a cache of writes it has to be told
 * that what is written to a virtual file is not to wait there.
 */
void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct zsfs_thread *th = request_thread_of(req);
	int err;

	if (!th->fs->super->writeback) {
		reply_error(req, -ENOSYS);
		return;
	}
	err = vfile_is(ino) ? 0 : may_open(th, ino, fi->flags);
	if (err) {
		reply_error(req, err);
		return;
	}
	fill_open(fi);
	fi->direct_io = vfile_is(ino);
	fuse_reply_open(req, fi);
}

void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	reply_error(req, -ENOSYS);
}

/* Without answers to OPEN only of what was created before the first of them. */
void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	reply_error(req, 0);
}

/*
 * Nothing is left to do when a WRITE was answered; what the kernel holds it
 * sends before it asks.
 */
void op_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	reply_error(req, -ENOSYS);
}

void op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync,
	      struct fuse_file_info *fi)
{
	reply_error(req, -ENOSYS);
}

static void read_virtual(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off)
{
	struct zsfs_thread *th = request_thread_of(req);
	uint8_t *buf = th->buf.read + READ_BUF_HEAD;
	const char *text;
	size_t len;
	int err = vfile_text(th->fs, ino, &text, &len);

	if (err) {
		reply_error(req, err);
		return;
	}
	if ((size_t)off >= len)
		size = 0;
	else if (size > len - (size_t)off)
		size = len - (size_t)off;
	if (size > ZSFS_MAX_WRITE)
		size = ZSFS_MAX_WRITE;
	if (size)
		memcpy(buf, text + off, size);
	fuse_reply_buf(req, (char *)buf, size);
}

void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
	     struct fuse_file_info *fi)
{
	struct zsfs_thread *th = request_thread_of(req);
	char *buf = (char *)th->buf.read + READ_BUF_HEAD;
	struct tx *tx;
	size_t done;
	int err;

	if (vfile_is(ino)) {
		read_virtual(req, ino, size, off);
		return;
	}
	if (size > ZSFS_MAX_WRITE)
		size = ZSFS_MAX_WRITE;
	tx = tx_begin(th);
	err = zsfs_read(tx, ino, buf, size, (uint64_t)off, &done);
	if (err) {
		reply_abort(req, tx, err);
		return;
	}
	fuse_reply_buf(req, buf, done);
	tx_commit(tx);
}

/* libfuse shows only one of the flags of a WRITE. */
static unsigned write_flags(struct zsfs *fs, fuse_ino_t ino)
{
	const struct fuse_write_in *in = (const void *)(request_header() + 1);
	unsigned flags = 0;

	if (in->write_flags & FUSE_WRITE_KILL_SUIDGID) {
		flags |= WRITE_KILL_PRIV;
		if (caller_is_stranger(fs, ino))
			flags |= WRITE_STRANGER;
	}
	if (in->write_flags & FUSE_WRITE_CACHE)
		flags |= WRITE_CACHE;
	if (in->flags & O_APPEND)
		flags |= WRITE_APPEND;
	if (fs->super->writeback)
		flags |= WRITE_KEEP_TIMES;
	return flags;
}

/* The write @tx to @ino has ended: are attributes old that the kernel has? */
static bool are_attr_old(const struct tx *tx, fuse_ino_t ino, unsigned flags)
{
	if (tx->attr_changed || !(flags & WRITE_CACHE))
		return tx->attr_changed;
	return tx->cut_short == -ENOSPC ? late_failed(tx->fs, ino)
					: late_stored(tx->fs, ino);
}

static void write_virtual(fuse_req_t req, fuse_ino_t ino, const char *buf,
			  size_t size, off_t off)
{
	int err = vfile_write(request_thread(), ino, buf, size, (uint64_t)off,
			      caller_uid());

	if (err)
		reply_error(req, err);
	else
		fuse_reply_write(req, size);
}

void op_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size,
	      off_t off, struct fuse_file_info *fi)
{
	struct zsfs_thread *th = request_thread_of(req);
	struct tx *tx;
	unsigned flags;
	size_t done;
	int err;

	if (vfile_is(ino)) {
		write_virtual(req, ino, buf, size, off);
		return;
	}
	flags = write_flags(th->fs, ino);
	err = room_write(th, &tx, ino, buf, size, (uint64_t)off, flags, &done);
	if (err) {
		if (err == -EPERM && flags & WRITE_CACHE)
			writeback_drop(th->fs->writeback, ino, (uint64_t)off,
				       size);
		reply_abort(req, tx, err);
	} else {
		/* The kernel takes a short late write for a whole one. */
		if (tx->cut_short && (flags & WRITE_CACHE))
			reply_error(req, tx->cut_short);
		else
			fuse_reply_write(req, done);
		tx_commit(tx);
	}
	/* Before the reply is sent, so that no set-uid program runs late. */
	if (are_attr_old(tx, ino, flags))
		request_invalidate_attr(ino);
	if (!err)
		room_refill(th);
}

/* What is long is for the background thread, so that this one can serve. */
static void allocate(fuse_req_t req, struct allocation *a)
{
	struct zsfs_thread *th = request_thread_of(req);
	struct tx *tx;
	int err = zsfs_allocate_begin(th, a);

	if (!err)
		err = zsfs_allocate_steps(th, a, ALLOCATE_STEPS, &tx);
	if (err == 1 && !request_came_again() &&
	    background_allocate(th->fs->background, request_fd(), req, a)) {
		request_deferred();
		return;
	}
	while (err == 1) {
		zsfs_pause(th);
		err = zsfs_allocate_steps(th, a, ALLOCATE_STEPS, &tx);
	}
	if (err)
		reply_error(req, err);
	else
		reply_done(req, tx, 0);
}

static bool has_priv(struct zsfs *fs, fuse_ino_t ino)
{
	struct zinode *i;
	bool has;

	if (file_lock_shared(fs, ino, &i))
		return false;
	has = i->mode & (S_ISUID | S_ISGID);
	inode_unlock(fs, i);
	return has;
}

/*
 * The kernel leaves this to us and does not tell, as of a write, whose set-uid
 * and set-gid bits stay: root's, then.
 */
static void drop_priv(fuse_ino_t ino)
{
	struct zsfs_thread *th = request_thread();
	struct zinode *i;
	bool stranger;
	struct tx *tx;
	int err;

	if (caller_uid() == 0)
		return;
	if (!has_priv(th->fs, ino)) {
		/* A worker that did it may have died before it told. */
		if (request_came_again())
			request_invalidate_attr(ino);
		return;
	}
	stranger = caller_is_stranger(th->fs, ino);
	tx = tx_begin(th);
	err = file_lock(tx, ino, LOCK_EXCL, &i);
	if (!err)
		inode_save(tx, i);
	if (err || inode_is_kept(i) || !inode_kill_priv(i, stranger)) {
		tx_abort(tx, err);
		return;
	}
	inode_set_time(i, INODE_CTIME, tx_now(tx));
	tx_commit(tx);
	request_invalidate_attr(ino);
}

/* As tmpfs, and FALLOC_FL_ZERO_RANGE. The kernel lets no more through. */
static bool mode_is_known(int mode)
{
	mode &= ~FALLOC_FL_KEEP_SIZE;
	return mode == 0 || mode == FALLOC_FL_PUNCH_HOLE ||
	       mode == FALLOC_FL_ZERO_RANGE;
}

void op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t off,
		  off_t len, struct fuse_file_info *fi)
{
	struct allocation a = {
		.nodeid = ino,
		.start = (uint64_t)off,
		.end = (uint64_t)off + (uint64_t)len,
		.owner = request_number(),
		.punch = mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE),
		.room = !(mode & FALLOC_FL_PUNCH_HOLE),
		.keep_size = mode & FALLOC_FL_KEEP_SIZE,
	};

	if (vfile_is(ino) || !mode_is_known(mode)) {
		reply_error(req, -EOPNOTSUPP);
	} else if (off < 0 || len <= 0) {
		reply_error(req, -EINVAL);
	} else if (a.end > INT64_MAX) {
		reply_error(req, -EFBIG);
	} else {
		drop_priv(ino);
		allocate(req, &a);
	}
}

/* Tried again for room as a write is; what was copied then is enough. */
static int copy(struct zsfs_thread *th, struct tx **tx, const struct copy *c,
		size_t *done)
{
	struct room room = {.pages = ZSFS_MAX_BLOCKS};
	int err;

	do {
		*tx = room_begin(th, &room);
		err = zsfs_copy(*tx, c, done);
	} while (room_again(&room, *tx, err));
	return err;
}

/* The answer has 32 bits, and a hole of any length is copied at once. */
#define MOST_COPIED (UINT32_MAX & ~(ZSFS_BLOCK_SIZE - 1))

/* Who copies asks on for what a short answer leaves. */
void op_copy(fuse_req_t req, fuse_ino_t from, off_t from_off,
	     struct fuse_file_info *from_fi, fuse_ino_t to, off_t to_off,
	     struct fuse_file_info *to_fi, size_t len, int flags)
{
	struct zsfs_thread *th = request_thread_of(req);
	struct copy c = {
		.from = from,
		.from_off = (uint64_t)from_off,
		.to = to,
		.to_off = (uint64_t)to_off,
		.len = len < MOST_COPIED ? len : MOST_COPIED,
	};
	struct tx *tx;
	size_t done;
	int err;

	/* Their text is not in blocks: the kernel reads and writes then. */
	if (vfile_is(from) || vfile_is(to) || flags) {
		reply_error(req, flags ? -EINVAL : -EOPNOTSUPP);
		return;
	}
	drop_priv(to);
	err = copy(th, &tx, &c, &done);
	if (err) {
		reply_abort(req, tx, err);
		return;
	}
	fuse_reply_write(req, done);
	tx_commit(tx);
	if (tx->attr_changed)
		request_invalidate_attr(from);
	room_refill(th);
}

void reply_seek(fuse_req_t req, const struct seek *s, bool hole)
{
	if (!hole && s->at >= s->size)
		reply_error(req, -ENXIO);
	else
		fuse_reply_lseek(req, (off_t)s->at);
}

/*
 * May what the kernel holds (writeback.h) be data where the answer @err or @s
 * calls it a hole, or the end of the file?
 */
static bool is_unsure(const struct zsfs *fs, int err, const struct seek *s)
{
	if (fs->super->writeback && (err ? err == -ENXIO : s->at == s->size))
		return true;
	return !err && s->from != s->to;
}

static void lseek_file(fuse_req_t req, fuse_ino_t ino, uint64_t off, bool hole)
{
	struct zsfs *fs = request_thread()->fs;
	struct seek s;
	int err = zsfs_seek(fs, ino, off, hole, &s);
	bool unsure = is_unsure(fs, err, &s);

	if (unsure && writeback_seek(fs->writeback, req, ino, off, hole))
		request_deferred();
	else if (unsure && fs->super->writeback)
		reply_error(req, -ENOMEM);
	else if (err)
		reply_error(req, err);
	else if (unsure) /* all of it may be data */
		fuse_reply_lseek(req, (off_t)(hole ? s.size : off));
	else
		reply_seek(req, &s, hole);
}

void op_lseek(fuse_req_t req, fuse_ino_t ino, off_t off, int whence,
	      struct fuse_file_info *fi)
{
	if (vfile_is(ino) || (whence != SEEK_DATA && whence != SEEK_HOLE))
		reply_error(req, -EINVAL);
	else
		lseek_file(req, ino, (uint64_t)off, whence == SEEK_HOLE);
}
