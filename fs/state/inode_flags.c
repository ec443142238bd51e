/* SPDX-License-Identifier: BSD-3-Clause */
/* What the flags of inodes forbid (see inode_flags.h). */
#include "inode_flags.h"

#include <errno.h>

static int unless(bool forbidden)
{
	return forbidden ? -EPERM : 0;
}

int inode_may_gain(const struct zinode *dir)
{
	return unless(dir->flags & INODE_IMMUTABLE);
}

int inode_may_lose(const struct zinode *dir, const struct zinode *i)
{
	return unless(inode_is_kept(dir) || inode_is_kept(i));
}

int inode_may_link(const struct zinode *i)
{
	return unless(inode_is_kept(i));
}

int inode_may_overwrite(const struct zinode *i)
{
	return unless(inode_is_kept(i));
}

int inode_may_grow(const struct zinode *i)
{
	return unless(i->flags & INODE_IMMUTABLE);
}

int inode_may_set(const struct zinode *i)
{
	return unless(inode_is_kept(i));
}

int inode_may_touch(const struct zinode *i)
{
	return unless(i->flags & INODE_IMMUTABLE);
}
