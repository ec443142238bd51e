/* SPDX-License-Identifier: BSD-3-Clause */
/* What the kernel is told about inodes that it has cached. */
#include "notify.h"

#include <errno.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/fuse.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "request_slot.h"

int notify_inode(int fd, uint64_t nodeid, int64_t off, int64_t len)
{
	struct {
		struct fuse_out_header head;
		struct fuse_notify_inval_inode_out body;
	} out = {
		.head = {.len = sizeof(out), .error = FUSE_NOTIFY_INVAL_INODE},
		.body = {.ino = nodeid, .off = off, .len = len},
	};

	return write(fd, &out, sizeof(out)) < 0 ? -errno : 0;
}

int notify_attr(int fd, uint64_t nodeid)
{
	return notify_inode(fd, nodeid, -1, 0);
}

/* The kernel does not count that as a change. */
static bool sets_flags(uint32_t cmd)
{
	return cmd == FS_IOC_SETFLAGS || cmd == FS_IOC_FSSETXATTR;
}

void notify_note(struct zsfs_slot *slot)
{
	const struct fuse_in_header *in = request_in(slot);
	const void *body = in + 1;

	memset(slot->touched, 0, sizeof(slot->touched));
	slot->moved = 0;
	switch (in->opcode) {
	case FUSE_RENAME:
	case FUSE_RENAME2:
		/* newdir is the first word of both. */
		slot->touched[1] =
			((const struct fuse_rename_in *)body)->newdir;
		/* fall through */
	case FUSE_CREATE:
	case FUSE_MKNOD:
	case FUSE_MKDIR:
	case FUSE_SYMLINK:
	case FUSE_LINK:
	case FUSE_UNLINK:
	case FUSE_RMDIR:
	case FUSE_SETXATTR:
	case FUSE_REMOVEXATTR:
		slot->touched[0] = in->nodeid;
		break;
	case FUSE_WRITE:
		if (((const struct fuse_write_in *)body)->write_flags &
		    (FUSE_WRITE_KILL_SUIDGID | FUSE_WRITE_CACHE))
			slot->touched[0] = in->nodeid;
		break;
	case FUSE_FALLOCATE:
		if (((const struct fuse_fallocate_in *)body)->mode &
		    FALLOC_FL_KEEP_SIZE)
			slot->touched[0] = in->nodeid;
		break;
	case FUSE_IOCTL:
		if (sets_flags(((const struct fuse_ioctl_in *)body)->cmd))
			slot->touched[0] = in->nodeid;
		break;
	case FUSE_SETATTR:
		if (((const struct fuse_setattr_in *)body)->valid ==
		    (FATTR_MTIME | FATTR_CTIME))
			slot->touched[0] = in->nodeid;
		break;
	default:
		break;
	}
}

void notify_touched(int fd, const struct zsfs_slot *slot)
{
	const struct fuse_out_header *out = (const void *)slot->reply;

	if (!slot->done || out->error)
		return;
	for (unsigned i = 0; i < ZSFS_NR_TOUCHED; i++) {
		uint64_t nodeid = slot->touched[i];

		if (!nodeid || (i == 1 && nodeid == slot->touched[0]))
			continue;
		/*
		 * Pages are waited for, but nobody lists a directory while it
		 * is moved, and only one is at a time.
		 */
		notify_inode(fd, nodeid, slot->moved >> i & 1 ? 0 : -1, 0);
	}
}
