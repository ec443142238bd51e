/* SPDX-License-Identifier: BSD-3-Clause */
/* Attributes of inodes: reading and setting them, and changing the size. */
#include <errno.h>
#include <string.h>

#include "acl.h"
#include "attr.h"
#include "content/file.h"
#include "content/punch.h"
#include "content/tidy.h"
#include "content/xattr_set.h"
#include "reap.h"
#include "state/inode.h"
#include "state/inode_flags.h"
#include "state/tx.h"
#include "state/zsfs.h"

int zsfs_getattr(struct tx *tx, uint64_t nodeid, struct zinode **out)
{
	return inode_resolve_locked(tx, nodeid, LOCK_SHARED, out);
}

int zsfs_readlink(struct tx *tx, uint64_t nodeid, const char **target,
		  size_t *len)
{
	struct zinode *i;
	int err = zsfs_getattr(tx, nodeid, &i);

	if (err)
		return err;
	if (!S_ISLNK(i->mode))
		return -EINVAL;
	*target = slab_addr(i->link.target);
	*len = i->size;
	inode_touch_atime(tx, i);
	return 0;
}

/* The bytes behind the end of a file must read as zeros when it grows again. */
static int zero_tail(struct tx *tx, struct zinode *i, uint64_t size)
{
	uint64_t part = size % ZSFS_BLOCK_SIZE, at = size;

	return part ? file_punch(tx, i, &at, size - part + ZSFS_BLOCK_SIZE) : 0;
}

static int set_size(struct tx *tx, struct zinode *i, uint64_t size)
{
	uint64_t first = (size + ZSFS_BLOCK_SIZE - 1) >> ZSFS_BLOCK_SHIFT;
	int err = 0;

	if (S_ISDIR(i->mode))
		return -EISDIR;
	if (!S_ISREG(i->mode))
		return -EINVAL;
	if (size > INT64_MAX)
		return -EFBIG;
	if (size < i->size)
		err = zero_tail(tx, i, size);
	/* An allocation that did not end may have left blocks behind it. */
	if (!err && size <= i->size)
		err = reap_cut(tx, i, first);
	if (err)
		return err;
	i->size = size;
	if (first)
		tidy_note(tx, i, first - 1, first - 1);
	if (!tx->fs->super->writeback)
		inode_set_time(i, INODE_MTIME, tx_now(tx));
	return 0;
}

static struct ztime from_timespec(const struct timespec *ts)
{
	return (struct ztime){.sec = ts->tv_sec, .nsec = (uint32_t)ts->tv_nsec};
}

static void set_times(struct tx *tx, struct zinode *i, const struct stat *st,
		      unsigned set)
{
	if (set & SET_ATIME_NOW)
		inode_set_time(i, INODE_ATIME, tx_now(tx));
	else if (set & SET_ATIME)
		inode_set_time(i, INODE_ATIME, from_timespec(&st->st_atim));
	if (set & SET_MTIME_NOW)
		inode_set_time(i, INODE_MTIME, tx_now(tx));
	else if (set & SET_MTIME)
		inode_set_time(i, INODE_MTIME, from_timespec(&st->st_mtim));
	inode_set_time(i, INODE_CTIME,
		       set & SET_CTIME ? from_timespec(&st->st_ctim)
				       : tx_now(tx));
}

static void set_owner(struct zinode *i, const struct stat *st, unsigned set)
{
	if (set & SET_UID)
		i->uid = st->st_uid;
	if (set & SET_GID)
		i->gid = st->st_gid;
	if ((set & (SET_UID | SET_GID)) && !S_ISDIR(i->mode))
		inode_kill_priv(i, set & SET_STRANGER);
}

/*
 * May all of @set be changed? With a cache of writes, which says SET_CTIME, the
 * kernel sets mtime and ctime alone for what was done before, and does not tell
 * whether mtime is the present.
 */
static int may_setattr(const struct zinode *i, unsigned set)
{
	const unsigned times =
		SET_ATIME | SET_MTIME | SET_ATIME_NOW | SET_MTIME_NOW;

	if (set & SET_SIZE)
		return inode_may_overwrite(i);
	if (set & (SET_MODE | SET_UID | SET_GID))
		return inode_may_set(i);
	if (!(set & times) || set == (SET_MTIME | SET_CTIME))
		return 0;
	return set & SET_ATIME_NOW && set & (SET_MTIME_NOW | SET_CTIME)
		       ? inode_may_touch(i)
		       : inode_may_set(i);
}

/* What gives a file to somebody else, or cuts it, takes capabilities. */
static void kill_caps(struct tx *tx, struct zinode *i, unsigned set)
{
	if ((set & (SET_UID | SET_GID | SET_SIZE | SET_KILL_PRIV)) &&
	    !S_ISDIR(i->mode))
		xattr_drop(tx, i, XATTR_CAPS);
}

int zsfs_setattr(struct tx *tx, uint64_t nodeid, const struct stat *st,
		 unsigned set, struct zinode **out)
{
	struct zinode *i;
	int err = inode_resolve_locked(tx, nodeid, LOCK_EXCL, &i);

	if (!err)
		err = may_setattr(i, set);
	if (err)
		return err;
	inode_save(tx, i);
	if (set & SET_SIZE) {
		err = set_size(tx, i, (uint64_t)st->st_size);
		if (err)
			return err;
	}
	set_owner(i, st, set);
	if (set & SET_MODE) {
		i->mode = (i->mode & S_IFMT) | (st->st_mode & 07777);
		acl_chmod(tx, i);
	}
	if ((set & SET_KILL_PRIV) && !S_ISDIR(i->mode))
		inode_kill_priv(i, set & SET_STRANGER);
	kill_caps(tx, i, set);
	set_times(tx, i, st, set);
	*out = i;
	return 0;
}

int zsfs_setflags(struct tx *tx, uint64_t nodeid, uint32_t flags)
{
	struct zinode *i;
	int err = inode_resolve_locked(tx, nodeid, LOCK_EXCL, &i);

	if (err)
		return err;
	if (flags & ~INODE_FLAGS)
		return -EOPNOTSUPP;
	inode_save(tx, i);
	i->flags = flags | (i->flags & ~INODE_FLAGS);
	inode_set_time(i, INODE_CTIME, tx_now(tx));
	return 0;
}
