/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Background thread: what has to be done without a request that asks for it.
 *
 * It frees large files that were deleted or cut (reap.h), after a takeover
 * those that the dead worker was at, too, makes long allocations, and sums up
 * the usage of large files and folders (usage_walk.h). Then it
 * verifies the file system after a takeover, when no requests come (giving way
 * to those that do), and lifts the limit that shortage of memory made necessary
 * (pressure.h). When the mount has become idle it packs the pool and gives back
 * what is free (idle.h). What was not written for a while settles (settler.h).
 * It sleeps when there is nothing of that kind.
 * Each of these is a row of a table of jobs (job_loop.h) in background.c.
 */
#ifndef FS_BACKGROUND_H
#define FS_BACKGROUND_H

#include <stdbool.h>
#include <stddef.h>

struct allocation;
struct background;
struct fuse_req;
struct usage_walk;
struct zsfs;

/*
 * Start the thread, which touches nothing before background_go(). 0 or -errno;
 * ended by background_stop().
 */
int background_start(struct zsfs *fs, struct background **out);

/*
 * The process serves from now on: see what has to be done, after a takeover
 * more than else.
 */
void background_go(struct background *b, bool after_takeover);

/*
 * Go on with an allocation (allocate.h) that came by the connection @fd, in
 * steps, and answer. False when there is no memory for it, or too many wait:
 * then the caller does.
 */
bool background_allocate(struct background *b, int fd, struct fuse_req *req,
			 const struct allocation *a);

/*
 * Go on with a walk (tree/usage_walk.h), of the request that the calling thread
 * executes, and answer in @size bytes. False as above.
 */
bool background_walk(struct background *b, struct fuse_req *req,
		     const struct usage_walk *w, size_t size);

/* NULL does nothing. May wait for a step to end. */
void background_stop(struct background *b);

#endif
