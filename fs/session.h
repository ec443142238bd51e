/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Session: the mount and the threads that serve it.
 */
#ifndef FS_SESSION_H
#define FS_SESSION_H

#include <stdbool.h>

struct session;
struct zsfs;

struct session_params {
	const char *mountpoint; /* absolute */
	const char *mount_opts; /* for libfuse, comma separated; may be "" */
	bool debug;             /* print every request to stderr */
};

/*
 * Mount @fs and start its request threads. Returns when the kernel's INIT has
 * been answered, so that the mount works: 0, or -errno with the reason logged
 * and nothing left behind. The caller owns *out.
 */
int session_start(struct zsfs *fs, const struct session_params *p,
		  struct session **out);

/* Wait until the file system is unmounted by whoever. */
void session_wait(struct session *s);

/*
 * Unmount, from any thread: plainly if nothing uses the mount, else detached
 * from the tree (then files still open get errors when the process ends).
 * session_wait() returns afterwards.
 */
void session_unmount(struct session *s);

/* After session_wait(): release everything. Not the struct zsfs. */
void session_end(struct session *s);

#endif
