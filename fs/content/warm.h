/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Warming: a cluster (cluster.h) that small reads and writes come to a few
 * times in a short while turns back into blocks that are compressed one by one,
 * of which each is read without the others.
 *
 * Visits are counted in a table of this process, which forgets: some more or
 * less do no harm. Who reads or writes on from where the last visit ended makes
 * no new one, and large requests make none, so that what is read in sequence
 * stays dense. Clusters that are to go wait in a queue of this process for the
 * background thread, so that who reads does not wait for 16 blocks to be
 * compressed. Where it does not keep up, because all CPUs are busy, the queue
 * is full; then a request thread sees to one when it has answered. The move is
 * a transaction of its own. It takes no memory that is short: an eighth of
 * mem_limit stays free.
 */
#ifndef FS_WARM_H
#define FS_WARM_H

#include <stdbool.h>
#include <stdint.h>

struct tx;
struct warm;
struct zinode;
struct zsfs;
struct zsfs_thread;

/* Of a file system in use by this process. NULL: no memory. */
struct warm *warm_create(void);
void warm_destroy(struct warm *w);

/*
 * Blocks @first to @last of @i are being read in @tx. The inode is locked,
 * shared or not.
 */
void warm_note_read(struct tx *tx, const struct zinode *i, uint64_t first,
		    uint64_t last);

/* They were written in @tx. The inode is locked exclusive. */
void warm_note_write(struct tx *tx, const struct zinode *i, uint64_t first,
		     uint64_t last);

/*
 * The cluster of block @block of the file @nodeid, if it has one, is to go, but
 * not while memory is short. Sets th->warm_queue_full. Takes the arena's lock
 * and leaf locks.
 */
void warm_ask(struct zsfs_thread *th, uint64_t nodeid, uint64_t block);

/*
 * Have the one go that has waited longest; without memory for it, it stays. @th
 * has no transaction open, and its buffers are free. False: none waited.
 */
bool warm_step(struct zsfs_thread *th);

#endif
