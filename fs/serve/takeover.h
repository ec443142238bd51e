/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Takeover: what a successor does between the death of a worker and its own
 * first request. In this order, each step safe to be killed in and repeated:
 *
 *   1  zsfs_recover(): transactions are rolled back or finished. What was
 *      answered but perhaps not sent stays in the slots (zsfs_slot.done).
 *   2  Blame: requests that a thread died of are counted; three times and it
 *      is poison.
 *   3  FORGETs found in the slots are finished: the kernel never repeats them.
 *   4  The kernel is asked to send again what it has no answer for.
 *   5  Drain, by one thread: what comes again is answered from the record where
 *      there is one; else it waits (waiting.h), or without memory for that is
 *      parked in a slot. That ends with the first request that is new, which
 *      is parked, or when there is none.
 *   6  Records that nobody asked for were delivered, or their client is gone:
 *      dropped, in the latter case with the look-ups that they gave it.
 *   7  The request threads start, first with what is parked in their slots.
 *
 * Nothing is executed in the drain but FORGETs, so while there are records no
 * new one is made. More come again than there are slots: also those that waited
 * for a thread, or whose answer was deferred.
 */
#ifndef FS_TAKEOVER_H
#define FS_TAKEOVER_H

#include <stdbool.h>
#include <stdint.h>

struct zsfs;

struct takeover {
	struct zsfs *fs;
	int fd;	  /* the connection */
	bool oom; /* something was killed for want of memory since the last */
	/* What was found, for the log and the statistics. */
	unsigned rolled_back, finished; /* transactions */
	unsigned forgets;
	unsigned again;	   /* requests that came again */
	unsigned replayed; /* of them, answered from the record */
	unsigned parked;   /* requests, with a new one that ended the drain */
	unsigned poisoned;
};

/*
 * Steps 1 to 6, by the only thread of any process that uses arena or
 * connection. 0; -ENODEV when the file system was unmounted meanwhile; -EPROTO
 * when the arena makes no sense; or -errno.
 */
int takeover_run(struct takeover *t);

/* Can the kernel on the other side of the stored INIT send requests again? */
bool takeover_possible(const struct zsfs *fs);

#endif
