/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a transaction is about to make permanent, checked at debug level 2.
 *
 * Of all that zsfs_verify() checks of an inode, what can be said before the
 * commit: the inode's own fields, the shape of its tables, their counts, and
 * the slots of the leaves that were changed. Of its tables all nodes above the
 * leaves are walked, so a commit costs more where a file or directory is large.
 */
#ifndef FS_VERIFY_TX_H
#define FS_VERIFY_TX_H

struct tx;

/*
 * Check the inodes that @tx has changed and holds alone: locked exclusively,
 * made by it, or being freed by its thread. The process ends with a line in the
 * log where one is not sound, so that nothing of it becomes permanent.
 */
void verify_tx(struct tx *tx);

#endif
