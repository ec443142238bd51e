/* SPDX-License-Identifier: BSD-3-Clause */
/* What df is told. */
#ifndef FS_STATFS_H
#define FS_STATFS_H

#include <sys/statvfs.h>

struct zsfs;

/*
 * As statvfs(3): f_bavail is what new content that does not compress can have,
 * f_blocks what files hold and that. Takes the arena's lock; waits for nobody.
 */
void zsfs_statfs(struct zsfs *fs, struct statvfs *st);

#endif
