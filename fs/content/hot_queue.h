/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Queues of where hot blocks are (hot.h), oldest first. A process has them for
 * itself; the caller has a lock for each.
 */
#ifndef FS_HOT_QUEUE_H
#define FS_HOT_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

/* Entries of a queue, a power of two. */
#define HOT_QUEUE_SIZE 16384u

/* Blocks of an inode, some of them hot. */
struct hot_range {
	uint64_t nodeid;
	uint64_t first, end;
	uint64_t due; /* clock_ms() */
};

struct hot_queue {
	uint64_t head, tail; /* entries taken and added, ever */
	struct hot_range range[HOT_QUEUE_SIZE];
};

static inline uint64_t hot_queue_length(const struct hot_queue *q)
{
	return q->tail - q->head;
}

/* When the oldest is due; there is one. */
static inline uint64_t hot_queue_due(const struct hot_queue *q)
{
	return q->range[q->head % HOT_QUEUE_SIZE].due;
}

/* Add @r, perhaps to the last entry if it goes on there. False: it is full. */
bool hot_queue_add(struct hot_queue *q, const struct hot_range *r);

/*
 * Add @r, of one group. What one of the last entries says of that group is due
 * with it, so that nothing is due before it was left alone for a while, also
 * where programs append to some files in turns. False: it is full.
 */
bool hot_queue_add_again(struct hot_queue *q, const struct hot_range *r);

/* Take the blocks of one group off the oldest entry; there is one. */
void hot_queue_take(struct hot_queue *q, struct hot_range *out);

#endif
