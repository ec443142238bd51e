/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Waiting: requests that came again after a takeover and wait in the memory of
 * this process. The kernel still has them: if this process dies, too, they come
 * once more.
 *
 * A thread has one request at a time, but those whose answer is deferred have
 * no thread. They would take the slots that the rest needs.
 */
#ifndef FS_WAITING_H
#define FS_WAITING_H

#include <stdbool.h>
#include <stddef.h>

struct fuse_in_header;

/* Drop all: a takeover begins. By its only thread. */
void waiting_clear(void);

/*
 * Keep a copy of request @in, complete in its buffer, if it is one whose answer
 * may be deferred. False when it is not, or for want of memory.
 */
bool waiting_keep(const struct fuse_in_header *in);

/*
 * Move one into @buf, of ZSFS_REQ_SIZE bytes. Its length in bytes; 0 when none
 * waits. For any request thread.
 */
size_t waiting_take(void *buf);

#endif
