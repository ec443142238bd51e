/* SPDX-License-Identifier: BSD-3-Clause */
/* FUSE operations on attributes, symlinks, and the file system as a whole. */
#include "ops.h"

#include <errno.h>
#include <linux/fuse.h>
#include <string.h>

#include "caller.h"
#include "control/statfs.h"
#include "control/vfile.h"
#include "request.h"
#include "room.h"
#include "state/zsfs.h"
#include "statx.h"
#include "tree/attr.h"
#include "tree/reap.h"
#include "writeback.h"

static void getattr_virtual(fuse_req_t req, fuse_ino_t ino)
{
	struct stat st;
	int err = vfile_getattr(request_thread()->fs, ino, &st);

	if (err)
		reply_error(req, err);
	else
		statx_reply(req, request_is_statx(), &st, NULL, CACHE_FOREVER);
}

static void reply_attr(fuse_req_t req, struct tx *tx, const struct zinode *i)
{
	struct ztime btime = inode_time(i, INODE_BTIME);
	struct stat st;

	inode_stat(i, &st);
	statx_reply(req, request_is_statx(), &st, &btime,
		    attr_timeout(tx->fs, i));
	tx_commit(tx);
}

/*
 * Is it a write(2) to the file behind @fi that asks, as far as one can tell?
 * stat(2) and fstat(2) name no open file.
 */
static bool is_for_write(const struct fuse_file_info *fi)
{
	return fi && fi->fh == FH_WRITER;
}

/* Is it to be told that an earlier one found no room, and there is none yet? */
static bool must_fail(struct zsfs *fs, fuse_ino_t ino)
{
	struct statvfs st;

	if (!late_take_failure(fs, ino))
		return false;
	zsfs_statfs(fs, &st);
	return st.f_bavail < ZSFS_MAX_BLOCKS;
}

void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct zsfs_thread *th = request_thread_of(req);
	struct zinode *i;
	struct tx *tx;
	int err;

	if (vfile_is(ino)) {
		getattr_virtual(req, ino);
		return;
	}
	if (is_for_write(fi) && must_fail(th->fs, ino)) {
		reply_error(req, -ENOSPC);
		return;
	}
	tx = tx_begin(th);
	err = zsfs_getattr(tx, ino, &i);
	if (err) {
		reply_abort(req, tx, err);
	} else if (is_bare(tx->fs, i) &&
		   writeback_getattr(tx->fs->writeback, req, ino)) {
		request_deferred();
		tx_abort(tx, 0);
	} else {
		reply_attr(req, tx, i);
	}
}

/* `> file` comes as a truncation, which means nothing to a control file. */
static void setattr_virtual(fuse_req_t req, fuse_ino_t ino, int to_set)
{
	int not_truncation =
		FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID;

	if (!(to_set & FUSE_SET_ATTR_SIZE) || (to_set & not_truncation))
		reply_error(req, -EPERM);
	else
		getattr_virtual(req, ino);
}

/*
 * FATTR_KILL_SUIDGID, which libfuse does not show. And chown(2) that names
 * neither owner nor group: the kernel says nothing then, but what every chown
 * takes from the mode goes with it.
 */
static bool kills_priv(unsigned set)
{
	const struct fuse_setattr_in *in = (const void *)(request_header() + 1);

	return in->valid & FATTR_KILL_SUIDGID || !(set & ~SET_CTIME);
}

/*
 * Does what clears suid and sgid come from a stranger? Of a truncation the
 * kernel tells whether the caller may keep them, as root may; of chown(2) it
 * always says that they go.
 */
static bool is_stranger(struct zsfs *fs, fuse_ino_t ino, unsigned set)
{
	if (!(set & (SET_KILL_PRIV | SET_UID | SET_GID)))
		return false;
	if (!(set & SET_SIZE) && caller_uid() == 0)
		return false;
	return caller_is_stranger(fs, ino);
}

void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
		struct fuse_file_info *fi)
{
	/* The bits of SET_* are FUSE's own. */
	unsigned set = (unsigned)to_set &
		       (SET_MODE | SET_UID | SET_GID | SET_SIZE | SET_ATIME |
			SET_MTIME | SET_ATIME_NOW | SET_MTIME_NOW | SET_CTIME);
	struct zsfs_thread *th = request_thread_of(req);
	struct room room = {0};
	struct zinode *i;
	struct tx *tx;
	int err;

	if (vfile_is(ino)) {
		setattr_virtual(req, ino, to_set);
		return;
	}
	if (kills_priv(set))
		set |= SET_KILL_PRIV;
	if (is_stranger(th->fs, ino, set))
		set |= SET_STRANGER;
	do {
		tx = room_begin(th, &room);
		err = zsfs_setattr(tx, ino, attr, set, &i);
	} while (room_again(&room, tx, err));
	if (err) {
		reply_abort(req, tx, err);
		return;
	}
	reply_attr(req, tx, i);
	reap_help(th);
}

void op_readlink(fuse_req_t req, fuse_ino_t ino)
{
	struct tx *tx = tx_begin(request_thread_of(req));
	const char *target;
	size_t len;
	int err =
		vfile_is(ino) ? -EINVAL : zsfs_readlink(tx, ino, &target, &len);

	if (err) {
		reply_abort(req, tx, err);
		return;
	}
	fuse_reply_buf(req, target, len);
	tx_commit(tx);
}

void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct zsfs_thread *th = request_thread_of(req);
	struct statvfs st;

	zsfs_statfs(th->fs, &st);
	fuse_reply_statfs(req, &st);
}
