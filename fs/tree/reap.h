/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ends of inodes, and freeing what is too much for one transaction.
 *
 * A transaction's log has a constant size, so a large file cannot be freed in
 * one. Its inode (or, when a file is cut, a nameless inode that takes over the
 * part cut off) is put on the reap list in the arena by the transaction, which
 * makes it unreachable and its bytes free by count; the blocks are then freed
 * in bounded transactions, steps. An inode that is being freed is in a thread's
 * slot, where nobody else touches it, or on the list in the arena. The request
 * that ended it makes a few steps, so that who makes much work does some of it;
 * the rest is the background thread's. A successor goes on with all of them.
 */
#ifndef FS_REAP_H
#define FS_REAP_H

#include <stdbool.h>
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

/*
 * The rest needs no transaction open in @th.
 *
 * After a request: free what it has queued, if that is little; else make a few
 * steps, and wake the background thread for the rest.
 */
void reap_help(struct zsfs_thread *th);

/*
 * One bounded step of freeing what @th is at, or something from the list. False
 * when there is nothing.
 */
bool reap_step(struct zsfs_thread *th);

/* Put what @th is at on the list, for others. */
void reap_hand_over(struct zsfs_thread *th);

/* Work off what @th is at and the whole list. */
void reap_all(struct zsfs_thread *th);

/*
 * Take @n from the nlookup of @nodeid and free the inode when nothing holds it
 * any more; a complete transaction by itself. If @consumed is not NULL, that
 * word of the arena is cleared in the same transaction (a FORGET is never sent
 * again, so what was executed must be marked with the execution). What is to
 * be reaped then is left to reap_help(). Takes the inode's lock, exclusive when
 * it may end: who reads it under that lock is waited for.
 */
void zsfs_forget(struct zsfs_thread *th, uint64_t nodeid, uint64_t n,
		 uint64_t *consumed);

#endif
