/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reconnect: a new connection in the place of one that was aborted.
 *
 * umount -f, of whatever shows a part of the file system in whatever namespace,
 * ends the connection of all of it, and so does the "abort" file in
 * /sys/fs/fuse/connections; also where the mount stays. What is in the arena is
 * intact, so a new mount is made and put where the dead one is.
 *
 * Root puts the new mount beneath the dead one and takes that away: the folder
 * below is never seen. Mounts of the same file system elsewhere in the
 * namespace (mount --bind) follow; those in other namespaces cannot be reached.
 * For an ordinary user fusermount3 takes the dead mount away and makes a new
 * one.
 */
#ifndef FS_RECONNECT_H
#define FS_RECONNECT_H

#include <stdbool.h>

#include "base/mount_table.h"

struct mount_place;

/* How long, and how often, a new mount is tried while the content is kept. */
#define RECONNECT_TRIES	  600u
#define RECONNECT_SECONDS 1u

/* A new mount, until reconnect_end(). */
struct reconnect {
	struct mount_table old; /* the mounts of the dead file system */
	int mount; /* descriptor of the new one, -1 = fusermount3 made it */
};

/* Is the mount at @p, whose connection @fd has ended, still in the table? */
bool reconnect_is_left(const struct mount_place *p, int fd);

/*
 * The connection @old_fd of the mount at @p has ended. If that was an abort,
 * mount anew: with what the mount table says of the dead mount or, where
 * fusermount3 has to, with the options @user_opts for libfuse. Fills in @p of
 * the new mount. Returns the descriptor of the new connection, close-on-exec,
 * whose first request is FUSE_INIT; -ENOENT when it was an unmount, be it one
 * that comes to its end just now; -EBUSY: another mount lies on the dead one;
 * or another -errno. The caller ends @r in any case.
 */
int reconnect_mount(struct reconnect *r, struct mount_place *p, int old_fd,
		    const char *user_opts);

/*
 * Let mounts of parts of the dead file system follow. Waits for answers, so
 * whoever serves the mount cannot call this.
 */
void reconnect_parts(const struct reconnect *r);

void reconnect_end(struct reconnect *r);

#endif
