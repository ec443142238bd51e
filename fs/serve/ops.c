/* SPDX-License-Identifier: BSD-3-Clause */
/* FUSE operations: the table, what is negotiated, and the replies. */
#include "ops.h"

#include <string.h>

/*
 * All that the kernel is asked for, whatever this libfuse asks for by itself.
 * Left out, among others:
 *   ATOMIC_O_TRUNC   with OPEN unanswered, O_TRUNC must come as SETATTR
 *   AUTO_INVAL_DATA  nobody else changes the content
 *   ASYNC_DIO        cached pages that a reader brings in during an
 *                    asynchronous direct write would never be dropped
 *   HANDLE_KILLPRIV  its second version is asked for (request.c)
 *   READDIRPLUS_AUTO it knows less than ops_readdir.c does
 */
#define WANTED_CAPS                                                            \
	(FUSE_CAP_ASYNC_READ | FUSE_CAP_EXPORT_SUPPORT |                       \
	 FUSE_CAP_READDIRPLUS | FUSE_CAP_PARALLEL_DIROPS |                     \
	 FUSE_CAP_IOCTL_DIR | FUSE_CAP_CACHE_SYMLINKS |                        \
	 FUSE_CAP_EXPLICIT_INVAL_DATA | FUSE_CAP_POSIX_ACL |                   \
	 FUSE_CAP_DONT_MASK)

static void op_init(void *userdata, struct fuse_conn_info *conn)
{
	const struct zsfs *fs = userdata;

	conn->max_write = ZSFS_MAX_WRITE;
	conn->max_readahead = ZSFS_MAX_WRITE;
	conn->max_background = 64;
	conn->congestion_threshold = 48;
	conn->time_gran = 1;
	conn->want = conn->capable & WANTED_CAPS;
	if (!fs->super->xattr)
		conn->want &= ~(unsigned)FUSE_CAP_POSIX_ACL;
	if (fs->super->writeback)
		conn->want |= conn->capable & FUSE_CAP_WRITEBACK_CACHE;
}

static const struct fuse_lowlevel_ops all_ops = {
	.init = op_init,
	.lookup = op_lookup,
	.getattr = op_getattr,
	.setattr = op_setattr,
	.readlink = op_readlink,
	.mknod = op_mknod,
	.mkdir = op_mkdir,
	.unlink = op_unlink,
	.rmdir = op_rmdir,
	.symlink = op_symlink,
	.rename = op_rename,
	.link = op_link,
	.open = op_open,
	.opendir = op_opendir,
	.read = op_read,
	.write = op_write,
	.flush = op_flush,
	.release = op_release,
	.releasedir = op_release,
	.fsync = op_fsync,
	.fsyncdir = op_fsync,
	.readdir = op_readdir,
	.readdirplus = op_readdirplus,
	.statfs = op_statfs,
	.setxattr = op_setxattr,
	.getxattr = op_getxattr,
	.listxattr = op_listxattr,
	.removexattr = op_removexattr,
	.create = op_create,
	.fallocate = op_fallocate,
	.copy_file_range = op_copy,
	.lseek = op_lseek,
	.ioctl = op_ioctl,
};

struct fuse_lowlevel_ops ops_of(const struct zsfs *fs)
{
	struct fuse_lowlevel_ops ops = all_ops;

	if (!fs->super->xattr) {
		ops.setxattr = NULL;
		ops.getxattr = NULL;
		ops.listxattr = NULL;
		ops.removexattr = NULL;
	}
	return ops;
}

void reply_error(fuse_req_t req, int err)
{
	fuse_reply_err(req, -err);
}

void reply_abort(fuse_req_t req, struct tx *tx, int err)
{
	tx_abort(tx, err);
	reply_error(req, err);
}

void reply_done(fuse_req_t req, struct tx *tx, int err)
{
	if (err) {
		reply_abort(req, tx, err);
		return;
	}
	reply_error(req, 0);
	tx_commit(tx);
}

void fill_entry(struct zsfs *fs, const struct zinode *i,
		struct fuse_entry_param *e)
{
	memset(e, 0, sizeof(*e));
	e->entry_timeout = CACHE_FOREVER;
	if (!i)
		return;
	e->attr_timeout = attr_timeout(fs, i);
	e->ino = inode_nodeid(fs, i);
	/* The kernel compares 32 bits of it. */
	e->generation = i->gen + fs->super->salt;
	inode_stat(i, &e->attr);
}

void reply_entry(fuse_req_t req, struct tx *tx, const struct zinode *i)
{
	struct fuse_entry_param e;

	fill_entry(tx->fs, i, &e);
	fuse_reply_entry(req, &e);
	tx_commit(tx);
}
