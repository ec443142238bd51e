/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Receive: the next request for a thread, from the kernel or from those that
 * wait.
 *
 * The kernel hands out requests in the order in which they came. A thread that
 * has read one that may take long, and sees others behind it that no thread is
 * there to read, puts it aside (waiting.h) and reads on, so that short ones
 * overtake it; it takes one that waits when nothing is left to be read, and
 * after some short ones anyway. Putting aside costs a copy of what is written,
 * so it is done only while short requests come at all, and never where memory
 * is short.
 */
#ifndef FS_RECEIVE_H
#define FS_RECEIVE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct fuse_in_header;
struct readers;
struct zsfs_thread;

/* What a thread receives with. */
struct receiver {
	int fd; /* the connection, its owner's */
	struct readers *readers;
	bool sound;	   /* is what is in the slot a request? */
	unsigned in_a_row; /* requests that did not wait */
	/*
	 * The request in the slot, if it has waited. Of a WRITE the slot has
	 * what comes before the content and no more.
	 */
	struct fuse_in_header *waited;
};

/*
 * Have a request in the slot of @th, whose buffer has none, and whose thread
 * the caller is. Holds no lock and no gate. Its length in bytes, or what was
 * read of one; -EAGAIN when another thread was quicker; -ENODEV when the mount
 * is gone; or -errno, as of read(2). The caller calls receive_done() when it
 * was served.
 */
ssize_t receive_next(struct receiver *r, struct zsfs_thread *th);

/* The whole request in the slot of @th: header, body. */
void *receive_body(const struct receiver *r, struct zsfs_thread *th);

/* The request in the slot was served. */
void receive_done(struct receiver *r);

/* Would this thread have something else to do than this request? */
bool receive_others(const struct receiver *r);

/*
 * The request in the slot, which was not answered, waits once more, with @until
 * in th->room_until when it is received again. False: there is no room for it.
 */
bool receive_put_back(struct receiver *r, struct zsfs_thread *th,
		      uint64_t until);

#endif
