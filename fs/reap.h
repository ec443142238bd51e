/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ends of inodes, and freeing what is too much for one transaction.
 *
 * A transaction's log has a constant size, so a large file cannot be freed in
 * one. Its inode (or, when a file is cut, a nameless inode that takes over the
 * part cut off) is put on the reap list in the arena by the transaction, which
 * makes it unreachable and its bytes free by count; the blocks are then freed
 * in bounded transactions by the request itself. A successor goes on with
 * whatever is on the list.
 */
#ifndef FS_REAP_H
#define FS_REAP_H

#include <stdint.h>

struct tx;
struct zinode;
struct zsfs;
struct zsfs_thread;

/*
 * Set the link count of @i (locked exclusive); with the last link gone, end it
 * unless the kernel still knows it.
 */
void reap_set_nlink(struct tx *tx, struct zinode *i, uint32_t nlink);

/*
 * Cut a regular file's blocks from @first on. The inode is locked exclusive and
 * saved. 0, -ENOSPC, -ENOMEM.
 */
int reap_cut(struct tx *tx, struct zinode *i, uint64_t first);

/* Work the reap list off. No transaction may be open in @th. */
void reap_all(struct zsfs_thread *th);

#endif
