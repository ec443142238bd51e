/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * FUSE operation ioctl: the flags of inodes, and setting virtual files.
 *
 * The kernel answers the four ioctls of flags for programs, after its checks of
 * who may, and asks here in two ways: by FS_IOC_GETFLAGS and FS_IOC_SETFLAGS,
 * or, for a program that asked for more, by FS_IOC_FSGETXATTR and
 * FS_IOC_FSSETXATTR. Before it sets flags it always gets them, with the file
 * locked.
 *
 * A file that becomes immutable or append-only is not written to any more, so
 * what programs have stored through mappings has to be written back before.
 * Getting the flags does that: setting them is done in a transaction of the
 * request's own thread, which must not wait for other requests.
 */
#include "ops.h"

#include <errno.h>
#include <linux/fs.h>
#include <string.h>

#include "caller.h"
#include "control/vfile.h"
#include "request.h"
#include "state/inode_flags.h"
#include "state/tx.h"
#include "tree/attr.h"
#include "writeback.h"

_Static_assert(INODE_IMMUTABLE == FS_IMMUTABLE_FL &&
		       INODE_APPEND == FS_APPEND_FL &&
		       INODE_NODUMP == FS_NODUMP_FL &&
		       INODE_NOATIME == FS_NOATIME_FL,
	       "flags have the numbers that programs use");

static const struct {
	uint32_t flag, xflag;
} xflags[] = {
	{INODE_IMMUTABLE, FS_XFLAG_IMMUTABLE},
	{INODE_APPEND, FS_XFLAG_APPEND},
	{INODE_NODUMP, FS_XFLAG_NODUMP},
	{INODE_NOATIME, FS_XFLAG_NOATIME},
};

#define NR_XFLAGS (sizeof(xflags) / sizeof(xflags[0]))

static struct fsxattr to_fsxattr(uint32_t flags)
{
	struct fsxattr x = {0};

	for (unsigned k = 0; k < NR_XFLAGS; k++)
		if (flags & xflags[k].flag)
			x.fsx_xflags |= xflags[k].xflag;
	return x;
}

/* What cannot be set is in no flag that there is. */
static int from_fsxattr(const struct fsxattr *x, uint32_t *flags)
{
	uint32_t known = 0;

	*flags = 0;
	for (unsigned k = 0; k < NR_XFLAGS; k++) {
		known |= xflags[k].xflag;
		if (x->fsx_xflags & xflags[k].xflag)
			*flags |= xflags[k].flag;
	}
	return x->fsx_xflags & ~known || x->fsx_extsize || x->fsx_projid ||
			       x->fsx_cowextsize
		       ? -EOPNOTSUPP
		       : 0;
}

/* ---- getting ---- */

void reply_flags(fuse_req_t req, unsigned cmd, uint32_t flags, size_t size)
{
	union {
		uint64_t flags;
		struct fsxattr x;
	} out = {.flags = flags & INODE_FLAGS};

	if (cmd == FS_IOC_FSGETXATTR)
		out.x = to_fsxattr(flags);
	fuse_reply_ioctl(req, 0, &out, size < sizeof(out) ? size : sizeof(out));
}

/* May something wait to be written back that the flags to come would forbid? */
static bool may_have_late(const struct tx *tx, const struct zinode *i)
{
	return S_ISREG(i->mode) && !inode_is_kept(i) &&
	       (i->size || tx->fs->super->writeback);
}

static void get_flags(fuse_req_t req, fuse_ino_t ino, unsigned cmd, size_t size)
{
	struct tx *tx = tx_begin(request_thread_of(req));
	struct zinode *i;
	int err = zsfs_getattr(tx, ino, &i);

	if (err) {
		reply_abort(req, tx, err);
	} else if (may_have_late(tx, i) &&
		   writeback_getflags(tx->fs->writeback, req, ino, cmd, size)) {
		request_deferred();
		tx_abort(tx, 0);
	} else {
		reply_flags(req, cmd, i->flags, size);
		tx_commit(tx);
	}
}

/* ---- setting ---- */

static int read_flags(unsigned cmd, const void *in, size_t size,
		      uint32_t *flags)
{
	struct fsxattr x;

	if (size < (cmd == FS_IOC_SETFLAGS ? sizeof(*flags) : sizeof(x)))
		return -EINVAL;
	if (cmd == FS_IOC_SETFLAGS) {
		memcpy(flags, in, sizeof(*flags));
		return 0;
	}
	memcpy(&x, in, sizeof(x));
	return from_fsxattr(&x, flags);
}

static void set_flags(fuse_req_t req, fuse_ino_t ino, unsigned cmd,
		      const void *in, size_t size)
{
	struct tx *tx;
	uint32_t flags;
	int err = read_flags(cmd, in, size, &flags);

	if (err) {
		reply_error(req, err);
		return;
	}
	tx = tx_begin(request_thread_of(req));
	err = zsfs_setflags(tx, ino, flags);
	if (err) {
		reply_abort(req, tx, err);
		return;
	}
	fuse_reply_ioctl(req, 0, NULL, 0);
	tx_commit(tx);
}

/* ---- virtual files ---- */

static void set_virtual(fuse_req_t req, fuse_ino_t ino, unsigned cmd,
			const void *in, size_t size)
{
	int err = -ENOTTY;

	if (cmd == VFILE_SET && size == VFILE_VALUE_SIZE)
		err = vfile_write(request_thread(), ino, in, strnlen(in, size),
				  0, caller_uid());
	if (err)
		reply_error(req, err);
	else
		fuse_reply_ioctl(req, 0, NULL, 0);
}

void op_ioctl(fuse_req_t req, fuse_ino_t ino, unsigned cmd, void *arg,
	      struct fuse_file_info *fi, unsigned flags, const void *in_buf,
	      size_t in_size, size_t out_size)
{
	if (vfile_is(ino))
		set_virtual(req, ino, cmd, in_buf, in_size);
	else if (cmd == FS_IOC_GETFLAGS || cmd == FS_IOC_FSGETXATTR)
		get_flags(req, ino, cmd, out_size);
	else if (cmd == FS_IOC_SETFLAGS || cmd == FS_IOC_FSSETXATTR)
		set_flags(req, ino, cmd, in_buf, in_size);
	else
		reply_error(req, -ENOTTY);
}
