/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Late writes: what this process remembers of files that a cache of writes (the
 * option writeback) sends, for a second.
 *
 * While such a file is open the kernel does not ask how many blocks it has. It
 * is told that its attributes are old, though not with every write, since the
 * next write(2) would wait for an answer to GETATTR: only with the first and,
 * while others follow, once a second. In between attributes are lent for no
 * longer than that (serve/ops.h).
 *
 * A late write that finds no room is known to the kernel, but not said before
 * fsync(2) or close(2): a program that calls neither would write on for ever,
 * and all of it would be lost. So the kernel is told then, too, and the
 * write(2) that asks for attributes gets the error.
 *
 * All of it are hints. A successor begins without any; then it is told once
 * more, or a failure is not said early.
 */
#ifndef FS_LATE_H
#define FS_LATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct zsfs;

#define LATE_MSECS 1000u
/* Files that are remembered; with more, more is told. */
#define LATE_FILES 64u

/* In struct zsfs. */
struct late {
	pthread_mutex_t lock; /* a leaf */
	struct {
		uint64_t nodeid;
		uint64_t until; /* on clock_ms() */
		bool failed;	/* a write found no room */
	} file[LATE_FILES];
};

void late_init(struct zsfs *fs);
void late_destroy(struct zsfs *fs);

/*
 * A late write to @nodeid was stored and committed, or found no room: is the
 * kernel to be told that its attributes are old? Not without a cache of writes.
 */
bool late_stored(struct zsfs *fs, uint64_t nodeid);
bool late_failed(struct zsfs *fs, uint64_t nodeid);

/* Was the kernel told so of @nodeid within the last second? */
bool late_is_recent(struct zsfs *fs, uint64_t nodeid);

/* Did a write to @nodeid find no room within the last second? Says so once. */
bool late_take_failure(struct zsfs *fs, uint64_t nodeid);

#endif
