/* SPDX-License-Identifier: BSD-3-Clause */
/* Attributes, as operations (see namei.h). */
#ifndef FS_ATTR_H
#define FS_ATTR_H

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

struct tx;
struct zinode;

#define SET_MODE      (1u << 0)
#define SET_UID	      (1u << 1)
#define SET_GID	      (1u << 2)
#define SET_SIZE      (1u << 3)
#define SET_ATIME     (1u << 4)
#define SET_MTIME     (1u << 5)
#define SET_ATIME_NOW (1u << 7)
#define SET_MTIME_NOW (1u << 8)
#define SET_CTIME     (1u << 10) /* from a cache of writes */
#define SET_KILL_PRIV (1u << 11) /* clear suid and sgid */
#define SET_STRANGER  (1u << 12) /* by one who is not in the group */

int zsfs_getattr(struct tx *tx, uint64_t nodeid, struct zinode **out);
int zsfs_setattr(struct tx *tx, uint64_t nodeid, const struct stat *st,
		 unsigned set, struct zinode **out);
/* Replace the flags by @flags; -EOPNOTSUPP when there is no such flag. */
int zsfs_setflags(struct tx *tx, uint64_t nodeid, uint32_t flags);
int zsfs_readlink(struct tx *tx, uint64_t nodeid, const char **target,
		  size_t *len);

#endif
