/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Mount: making the mount and taking it away, and what the kernel is told about
 * it from outside. No request is served here.
 */
#ifndef FS_MOUNT_H
#define FS_MOUNT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/mount_table.h"

/*
 * Mount on @mountpoint with @opts for libfuse (comma separated, may be "").
 * Returns the descriptor of the connection, close-on-exec, or -errno.
 */
int mount_make(const char *mountpoint, const char *opts);

/*
 * Give the mount just made what libfuse has no word for: of @flags
 * MS_NODIRATIME, MS_STRICTATIME and MS_NOSYMFOLLOW. 0 or -errno.
 */
int mount_set_flags(const char *mountpoint, unsigned long flags);

/* Fill in p->dev of the mount just made, from p->mountpoint. */
void mount_find(struct mount_place *p);

/* What the kernel was given of what only root may change; 0 = it was not. */
struct mount_tuning {
	unsigned read_ahead_kb;
	unsigned max_ratio; /* per cent; only with a cache of writes */
};

/*
 * Have the kernel read more ahead and, with @writeback, hold more that is not
 * written back. Where that is not permitted nothing is changed.
 */
struct mount_tuning mount_tune(const struct mount_place *p, bool writeback);

/*
 * Have the kernel learn that opening and closing are not answered. Waits for
 * the mount to answer, so whoever serves it cannot call this. Opens nothing
 * outside of the mount, whatever that answers.
 */
void mount_teach_kernel(const struct mount_place *p);

/*
 * Take the mount out of the tree, unless another mount lies on it (which is
 * logged). Files that are still open keep the connection.
 */
void mount_detach(const struct mount_place *p);

/* Is our mount the one that its path leads to? */
bool mount_is_visible(const struct mount_place *p);

/*
 * After an abort of the connection: do not leave a dead mount behind. For who
 * knows that there is one: when it has gone, the next one mounted there may
 * have its device number (reconnect_is_left()).
 */
void mount_detach_dead(const struct mount_place *p);

#endif
