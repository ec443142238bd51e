/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Warming: a cluster (cluster.h) that small reads and writes come to a few
 * times in a short while turns back into blocks that are compressed one by one,
 * of which each is read without the others.
 *
 * Visits are counted in a table of this process, which forgets: some more or
 * less do no harm. Who reads or writes on from where the last visit ended makes
 * no new one, and large requests make none, so that what is read in sequence
 * stays dense. The move is a transaction of its own, when the request that made
 * the last visit has been answered. It takes no memory that is short: an eighth
 * of mem_limit stays free.
 */
#ifndef FS_WARM_H
#define FS_WARM_H

#include <stdint.h>

struct tx;
struct zinode;
struct zsfs_thread;

/*
 * Blocks @first to @last of @i are being read in @tx. The inode is locked,
 * shared or not.
 */
void warm_note_read(struct tx *tx, const struct zinode *i, uint64_t first,
		    uint64_t last);

/* They were written in @tx. The inode is locked exclusive. */
void warm_note_write(struct tx *tx, const struct zinode *i, uint64_t first,
		     uint64_t last);

/* The cluster of block @block of the file @nodeid, if it has one, is to go. */
void warm_ask(struct zsfs_thread *th, uint64_t nodeid, uint64_t block);

/*
 * See to what was noted last on @th, which has no transaction open, and whose
 * buffers are free. Without memory for it nothing happens.
 */
void warm_clusters(struct zsfs_thread *th);

#endif
