/* SPDX-License-Identifier: BSD-3-Clause */
/* Content of regular files: ranges, and single blocks of them. */
#ifndef FS_FILE_H
#define FS_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "state/tx.h"

struct table_cursor;
struct zinode;
struct zsfs;

/* Lock a regular file: 0, -ESTALE, -EISDIR, -EINVAL for anything else. */
int file_lock(struct tx *tx, uint64_t nodeid, enum lock_mode mode,
	      struct zinode **out);
/*
 * The same, shared and without a transaction, for who only looks; the caller
 * ends it with inode_unlock().
 */
int file_lock_shared(struct zsfs *fs, uint64_t nodeid, struct zinode **out);

/*
 * Replace @len bytes at @at of one block by @src, or by zeros when @src is
 * NULL. @c is one of the inode's table, for all blocks of a range. The inode is
 * locked exclusive and saved (inode_save()). 0 or -errno.
 */
int file_patch_block(struct tx *tx, struct zinode *i, struct table_cursor *c,
		     uint64_t block, unsigned at, const void *src,
		     unsigned len);

/*
 * Take from the mode what a write or chown by an ordinary user takes; true if
 * that changed it. @stranger: by one who is not in the file's group, who takes
 * set-group-ID also where the group may not execute. The inode is saved.
 */
bool inode_kill_priv(struct zinode *i, bool stranger);

/*
 * Read up to @size bytes at @off into @buf; *@done = bytes read, less at the
 * end of the file. -EIO when a block does not verify.
 */
int zsfs_read(struct tx *tx, uint64_t nodeid, void *buf, size_t size,
	      uint64_t off, size_t *done);

#define WRITE_KILL_PRIV	 (1u << 0) /* clear suid and sgid */
#define WRITE_CACHE	 (1u << 1) /* late, from the page cache */
#define WRITE_KEEP_TIMES (1u << 2) /* the kernel says them itself */
#define WRITE_APPEND	 (1u << 3) /* opened for appending */
#define WRITE_STRANGER	 (1u << 4) /* by one who is not in the group */

/*
 * Write @size bytes (at most ZSFS_MAX_WRITE, starting anywhere); *@done > 0 on
 * success, less than @size at a limit or a bad block (tx.cut_short). -ENOSPC
 * when nothing fitted; -EPERM when the inode's flags forbid it.
 */
int zsfs_write(struct tx *tx, uint64_t nodeid, const void *buf, size_t size,
	       uint64_t off, unsigned flags, size_t *done);

/*
 * Count, and of a late write report, what the zsfs_write() in @tx did not
 * store, if anything: once nobody tries it again, and with @tx open.
 */
void zsfs_write_failed(struct tx *tx, uint64_t nodeid, uint64_t off,
		       unsigned flags, size_t done);

/*
 * The first byte that is data at or after @off, the size when there is none.
 * The inode is locked.
 */
uint64_t file_next_data(const struct zinode *i, uint64_t off);

/* Where data or a hole begins, as far as the block table knows. */
struct seek {
	uint64_t at;   /* the place; @size: there is none */
	uint64_t size; /* of the file */
	/* The hole that begins there, or lies before it; none: both are 0. */
	uint64_t from, to;
};

/*
 * SEEK_DATA (@hole false) or SEEK_HOLE from @off, without a transaction. -ENXIO
 * when @off is not in the file.
 */
int zsfs_seek(struct zsfs *fs, uint64_t nodeid, uint64_t off, bool hole,
	      struct seek *out);

#endif
