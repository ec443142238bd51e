/* SPDX-License-Identifier: BSD-3-Clause */
/* FUSE operations on names. */
#include "ops.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "caller.h"
#include "control/vfile.h"
#include "crash_test.h"
#include "request.h"
#include "room.h"
#include "tree/namei.h"
#include "tree/reap.h"
#include "tree/rename.h"

static void reply_vfile(void *arg, const struct vfile_entry *v)
{
	struct fuse_entry_param e = {
		.ino = v->nodeid,
		.attr = v->st,
		.attr_timeout = CACHE_FOREVER,
		.entry_timeout = v->volatile_entry ? 0 : CACHE_FOREVER,
	};

	fuse_reply_entry(arg, &e);
}

void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct zsfs_thread *th = request_thread_of(req);
	struct zinode *i;
	struct tx *tx;
	int err;

	crash_test_lookup(name);
	if (vfile_reserved(parent, name)) {
		err = vfile_lookup(th, parent, name, caller_uid(), reply_vfile,
				   req);
		if (err)
			reply_error(req, err);
		return;
	}
	tx = tx_begin(th);
	readdir_note_lookup(tx->fs, parent);
	err = zsfs_lookup(tx, parent, name, &i);
	if (!err && !i && vfile_no_negative(parent, name))
		err = -ENOENT;
	if (err)
		reply_abort(req, tx, err);
	else
		reply_entry(req, tx, i);
}

/* A new inode, with the caller as its owner. */
static struct new_inode spec_of(fuse_req_t req, mode_t mode)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);

	return (struct new_inode){
		.mode = mode,
		.uid = ctx->uid,
		.gid = ctx->gid,
		.umask = ctx->umask,
	};
}

/* Make a file of any kind. */
static int make(fuse_req_t req, struct tx *tx, fuse_ino_t parent,
		const char *name, mode_t mode, dev_t rdev, const char *target,
		struct zinode **out)
{
	struct new_inode spec = spec_of(req, mode);

	spec.rdev = (uint32_t)rdev;
	spec.target = target;
	if (vfile_is(parent))
		return -EPERM;
	if (vfile_reserved(parent, name))
		return -EEXIST;
	return zsfs_make(tx, parent, name, &spec, out);
}

static void make_and_reply(fuse_req_t req, fuse_ino_t parent, const char *name,
			   mode_t mode, dev_t rdev, const char *target)
{
	struct room room = {0};
	struct zinode *i;
	struct tx *tx;
	int err;

	do {
		tx = room_begin(request_thread_of(req), &room);
		err = make(req, tx, parent, name, mode, rdev, target, &i);
	} while (room_again(&room, tx, err));
	if (err)
		reply_abort(req, tx, err);
	else
		reply_entry(req, tx, i);
}

/* Directories and symlinks need more than a mode. */
static bool is_node(mode_t mode)
{
	return S_ISREG(mode) || S_ISCHR(mode) || S_ISBLK(mode) ||
	       S_ISFIFO(mode) || S_ISSOCK(mode);
}

void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
	      dev_t rdev)
{
	if (is_node(mode))
		make_and_reply(req, parent, name, mode, rdev, NULL);
	else
		reply_error(req, -EINVAL);
}

void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	make_and_reply(req, parent, name, S_IFDIR | (mode & 07777), 0, NULL);
}

void op_symlink(fuse_req_t req, const char *link, fuse_ino_t parent,
		const char *name)
{
	make_and_reply(req, parent, name, S_IFLNK | 0777, 0, link);
}

/* The answer to CREATE and TMPFILE. */
static void reply_create(fuse_req_t req, struct tx *tx, const struct zinode *i,
			 struct fuse_file_info *fi)
{
	struct fuse_entry_param e;

	fill_entry(tx->fs, i, &e);
	fill_open(fi);
	fuse_reply_create(req, &e, fi);
	tx_commit(tx);
}

/* open(2) with O_TMPFILE: the kernel keeps those apart that get no name. */
static void tmpfile_and_reply(fuse_req_t req, fuse_ino_t dir, mode_t mode,
			      struct fuse_file_info *fi)
{
	struct new_inode spec = spec_of(req, mode);
	struct room room = {0};
	struct zinode *i;
	struct tx *tx;
	int err;

	do {
		tx = room_begin(request_thread_of(req), &room);
		err = vfile_is(dir) ? -EPERM
				    : zsfs_make_nameless(tx, dir, &spec, &i);
	} while (room_again(&room, tx, err));
	if (err)
		reply_abort(req, tx, err);
	else
		reply_create(req, tx, i, fi);
}

void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
	       struct fuse_file_info *fi)
{
	struct room room = {0};
	struct zinode *i;
	struct tx *tx;
	int err;

	mode = S_IFREG | (mode & 07777);
	if (request_is_tmpfile()) {
		tmpfile_and_reply(req, parent, mode, fi);
		return;
	}
	do {
		tx = room_begin(request_thread_of(req), &room);
		err = make(req, tx, parent, name, mode, 0, NULL, &i);
	} while (room_again(&room, tx, err));
	if (err == -EEXIST && !vfile_reserved(parent, name) &&
	    !(fi->flags & O_EXCL)) {
		/* Somebody else made it since the kernel looked. */
		tx_abort(tx, err);
		tx = tx_begin(request_thread_of(req));
		err = zsfs_lookup(tx, parent, name, &i);
		if (!err && (!i || !S_ISREG(i->mode)))
			err = -EEXIST;
	}
	if (err)
		reply_abort(req, tx, err);
	else
		reply_create(req, tx, i, fi);
}

static void remove_and_reply(fuse_req_t req, fuse_ino_t parent,
			     const char *name,
			     int (*fn)(struct tx *, uint64_t, const char *))
{
	struct zsfs_thread *th = request_thread_of(req);
	struct tx *tx = tx_begin(th);
	int err;

	if (vfile_reserved(parent, name))
		err = -EPERM;
	else
		err = fn(tx, parent, name);
	reply_done(req, tx, err);
	reap_help(th);
}

void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	remove_and_reply(req, parent, name, zsfs_unlink);
}

void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	remove_and_reply(req, parent, name, zsfs_rmdir);
}

void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent,
	     const char *name)
{
	struct room room = {0};
	struct zinode *i;
	struct tx *tx;
	int err;

	do {
		tx = room_begin(request_thread_of(req), &room);
		if (vfile_is(ino) || vfile_is(parent))
			err = -EPERM;
		else if (vfile_reserved(parent, name))
			err = -EEXIST;
		else
			err = zsfs_link(tx, ino, parent, name, &i);
	} while (room_again(&room, tx, err));
	if (err)
		reply_abort(req, tx, err);
	else
		reply_entry(req, tx, i);
}

void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name,
	       fuse_ino_t newparent, const char *newname, unsigned flags)
{
	const struct new_inode whiteout = spec_of(req, S_IFCHR);
	struct zsfs_thread *th = request_thread_of(req);
	struct room room = {0};
	struct tx *tx;
	int err;

	do {
		tx = room_begin(th, &room);
		if (vfile_is(newparent) || vfile_reserved(parent, name))
			err = -EPERM;
		else if (vfile_reserved(newparent, newname))
			err = -EEXIST;
		else
			err = zsfs_rename(tx, parent, name, newparent, newname,
					  flags, &whiteout);
	} while (room_again(&room, tx, err));
	reply_done(req, tx, err);
	reap_help(th);
}
