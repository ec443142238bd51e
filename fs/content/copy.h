/* SPDX-License-Identifier: BSD-3-Clause */
/* Copying from file to file without the content leaving the daemon. */
#ifndef FS_COPY_H
#define FS_COPY_H

#include <stddef.h>
#include <stdint.h>

struct tx;

/* From one regular file to another, or to another place of the same. */
struct copy {
	uint64_t from, to; /* nodeids */
	uint64_t from_off; /* bytes */
	uint64_t to_off;
	uint64_t len;
};

/*
 * Copy up to c->len bytes, as many as @tx has room for; *@done > 0 on success,
 * or 0 where the source ends. What is a hole in the source becomes one; blocks
 * that lie alike in both are copied as they are stored, so a damaged one is
 * damaged in the copy, too.
 *
 * 0; -ESTALE, -EISDIR, -EINVAL (also for ranges of one file that overlap),
 * -EFBIG; -EPERM when the inode's flags forbid it; -ENOSPC, -ENOMEM, -EIO when
 * nothing was copied. What ended a copy early is in tx.cut_short, as with
 * zsfs_write(); tx.attr_changed: the source has a new access time.
 */
int zsfs_copy(struct tx *tx, const struct copy *c, size_t *done);

#endif
