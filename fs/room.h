/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Room: a write that finds none while memory is on its way waits for it.
 *
 * What was deleted counts as free at once, while its blocks are freed in steps
 * (reap.h), and what another thread's compaction frees comes page by page.
 */
#ifndef FS_ROOM_H
#define FS_ROOM_H

#include <stddef.h>
#include <stdint.h>

struct tx;
struct zsfs_thread;

/*
 * zsfs_write() in a transaction of its own, *@tx, repeated as long as it finds
 * no room and some may come, for at most a second. The thread is in its gate
 * and holds no lock; it leaves the gate while it waits. Results are those of
 * zsfs_write(), and *@tx is open.
 */
int room_write(struct zsfs_thread *th, struct tx **tx, uint64_t nodeid,
	       const void *buf, size_t size, uint64_t off, unsigned flags,
	       size_t *done);

#endif
