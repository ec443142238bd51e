/* SPDX-License-Identifier: BSD-3-Clause */
/* Holes made in files (FALLOC_FL_PUNCH_HOLE), step by step. */
#ifndef FS_PUNCH_H
#define FS_PUNCH_H

#include <stdint.h>

struct tx;
struct zinode;

/*
 * Make the bytes of a regular file from *@at up to @end, which is not included,
 * read as zeros: blocks that lie in the range as a whole become holes, of
 * others the part is filled. One step, with what @tx has room for. The inode is
 * locked exclusive and saved (inode_save()); its times and inode_note_stored()
 * are the caller's.
 *
 * 0: that was all. 1: there is more to do, from *@at on. -EIO: a block of which
 * a part was to be filled does not verify; -ENOMEM, and -ENOSPC where even the
 * reserve is used up: the transaction must be aborted.
 */
int file_punch(struct tx *tx, struct zinode *i, uint64_t *at, uint64_t end);

#endif
