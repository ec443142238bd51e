/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Hot: what is written is stored as it is at first, and compressed soon after
 * by who has the time.
 *
 * A block is hot (SLOT_HOT) as long as hot blocks take no more than a budget
 * (zsfs_get_hot()), and only where memory for it is backed already, in segments
 * for what is transient (arena_thread_transient()) or free ones: where the
 * kernel would have to be asked for a page, compressing takes no longer. So
 * more is backed ahead of need while writes go on, and free segments are kept
 * until the mount is idle. What goes before its turn is never compressed.
 *
 * Where hot blocks are is noted in two queues, which belong to the process: of
 * what was written in one piece, which is compressed at once, and of small
 * pieces, whose blocks may well change again and are left alone for a second.
 * What is small and new is compressed at once, as it is little work; so are
 * blocks of which a part is written over, unless that has happened to one block
 * of the file after another again and again: to a log or a database it will. Of
 * what tar writes in pieces of 10 KiB each block is written to twice at most.
 * After a takeover the blocks are found by a walk through the files that may
 * have some (INODE_HAS_HOT). How a group of blocks is compressed: cool.h.
 */
#ifndef FS_HOT_H
#define FS_HOT_H

#include <stdbool.h>
#include <stdint.h>

#include "cluster.h"

/* Whole blocks of a write from which on they may be hot. */
#define HOT_LARGE_BLOCKS CLUSTER_BLOCKS

struct hot;
struct tx;
struct zinode;
struct zsfs;
struct zsfs_thread;

/* Of a file system in use by this process. NULL: no memory. */
struct hot *hot_create(void);
void hot_destroy(struct hot *h);

/*
 * May @th store @blocks blocks as they are? Has memory backed when it is that
 * which is missing. Takes leaf locks.
 */
bool hot_may(struct zsfs_thread *th, unsigned blocks);

/*
 * The same for @block of @i, which is locked exclusive, of which a part is
 * being changed. Notes that it is.
 */
bool hot_may_patch(struct zsfs_thread *th, const struct zinode *i,
		   uint64_t block);

/*
 * @tx has stored @n blocks of @i from @first on, of which some are hot. The
 * inode is locked. Takes leaf locks.
 */
void hot_note(struct tx *tx, const struct zinode *i, uint64_t first,
	      unsigned n);

/*
 * One step of what there is to do, for the background: back memory ahead, or
 * compress, some groups and with the crew's help, or one if @busy. 0: there is
 * nothing; 1: go on; else milliseconds until something is due. @th has no
 * transaction open, and nothing is locked.
 */
unsigned hot_step(struct zsfs_thread *th, bool busy);

/*
 * Is more than half of the budget taken? Who writes on will have to compress
 * soon, so that it is no help to give way to it.
 */
bool hot_is_behind(const struct zsfs *fs);

/* The mount is idle: keep no memory for what may come. Was some to be kept? */
bool hot_rest(struct zsfs *fs);

/*
 * Compress all that is hot, also what is not due, until clock_ms() is @until.
 * @th as above. True: something was hot, and is no more.
 */
bool hot_drain(struct zsfs_thread *th, uint64_t until);

/*
 * For who looks at what is stored, and at the memory that it takes:
 * hot_drain(), and if that was all, and nothing is written meanwhile, what is
 * kept for more goes back at once. @th as above.
 */
void hot_finish(struct zsfs_thread *th, uint64_t until);

#endif
