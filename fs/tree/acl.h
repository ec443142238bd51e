/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * POSIX access control lists, in the form that the kernel has them in extended
 * attributes: that is also how they are kept (content/xattr_set.h).
 *
 * The kernel checks them at every access. What is left to a file system is what
 * they have to do with the mode: a list that says no more than the mode is not
 * kept, any other has the mode follow it, and the mode's bits go into the list
 * when they are set. New files inherit the default list of their directory in
 * place of the umask. As in withdrawn POSIX 1003.1e draft 17.
 */
#ifndef FS_ACL_H
#define FS_ACL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tx;
struct zinode;

#define ACL_ACCESS  "system.posix_acl_access"
#define ACL_DEFAULT "system.posix_acl_default"

static inline bool acl_is_name(const char *name)
{
	return !__builtin_strcmp(name, ACL_ACCESS) ||
	       !__builtin_strcmp(name, ACL_DEFAULT);
}

/*
 * Give @i, which is locked exclusive, the list @name. An empty one takes it
 * away. @kill_sgid: who sets it may not keep the set-group-ID bit. -EINVAL for
 * what is no list, -EOPNOTSUPP for another version of lists and for symlinks,
 * -EACCES for a default list of what is no directory; -ENOSPC, -ENOMEM.
 */
int acl_set(struct tx *tx, struct zinode *i, const char *name,
	    const void *value, size_t size, bool kill_sgid);

/* The mode of @i, which is locked exclusive, was set: its list follows. */
void acl_chmod(struct tx *tx, struct zinode *i);

/*
 * @i is new in @dir, whose lock is held, and was made with its mode and
 * @umask: give it the mode that it gets, and lists. 0, -ENOSPC, -ENOMEM.
 */
int acl_inherit(struct tx *tx, const struct zinode *dir, struct zinode *i,
		uint32_t umask);

#endif
