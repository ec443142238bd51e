/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Extended attributes, as operations (see namei.h).
 *
 * Who may do what is the kernel's to say: it lets only the privileged at
 * trusted. and to change security., and has user. of files and directories
 * alone. Here are the names that exist, as on tmpfs: user., trusted. and
 * security. with something behind the dot, and those of access control lists
 * (acl.h); others are -EOPNOTSUPP. A name longer than XATTR_NAME_BYTES is
 * -ERANGE.
 */
#ifndef FS_XATTR_H
#define FS_XATTR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tx;

/* Of a list: who sets it may not keep the set-group-ID bit. */
#define XATTR_KILL_SGID (1 << 16)

/*
 * Set @name to the @size bytes at @value. @flags as setxattr(2): -EEXIST with
 * XATTR_CREATE, -ENODATA with XATTR_REPLACE, which lists do not heed; and
 * XATTR_KILL_SGID. Also -E2BIG above XATTR_VALUE_BYTES, -EPERM (inode_flags.h),
 * what acl_set() says of lists, and -ENOSPC, -ENOMEM.
 */
int zsfs_setxattr(struct tx *tx, uint64_t nodeid, const char *name,
		  const void *value, size_t size, int flags);

/*
 * The value of @name into the @size bytes at @buf, and its length to *@len;
 * with @size 0 only that. -ENODATA; -ERANGE when it is larger.
 */
int zsfs_getxattr(struct tx *tx, uint64_t nodeid, const char *name, void *buf,
		  size_t size, size_t *len);

/*
 * The same of all names, each with a NUL behind it. Those in trusted. only
 * where @trusted says so of the caller. It is not asked where there are none,
 * once where there are, and with the inode locked shared.
 */
int zsfs_listxattr(struct tx *tx, uint64_t nodeid, bool (*trusted)(void),
		   char *buf, size_t size, size_t *len);

/* -ENODATA, but not for lists; -EPERM; never for want of memory. */
int zsfs_removexattr(struct tx *tx, uint64_t nodeid, const char *name);

#endif
