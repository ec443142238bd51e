/* SPDX-License-Identifier: BSD-3-Clause */
/* Extended attributes, as operations (see xattr.h). */
#include "xattr.h"

#include <errno.h>
#include <string.h>
#include <sys/xattr.h>

#include "acl.h"
#include "content/xattr_set.h"
#include "state/inode.h"
#include "state/inode_flags.h"
#include "state/tx.h"

#define TRUSTED "trusted."

static int check_name(const char *name)
{
	static const char *const spaces[] = {"user.", TRUSTED, "security."};
	size_t len = strlen(name);

	if (len > XATTR_NAME_BYTES)
		return -ERANGE;
	for (unsigned k = 0; k < sizeof(spaces) / sizeof(spaces[0]); k++) {
		size_t n = strlen(spaces[k]);

		if (!strncmp(name, spaces[k], n))
			return len > n ? 0 : -EINVAL;
	}
	return acl_is_name(name) ? 0 : -EOPNOTSUPP;
}

static int lock_to_set(struct tx *tx, uint64_t nodeid, struct zinode **out)
{
	int err = inode_resolve_locked(tx, nodeid, LOCK_EXCL, out);

	return err ? err : inode_may_set(*out);
}

int zsfs_setxattr(struct tx *tx, uint64_t nodeid, const char *name,
		  const void *value, size_t size, int flags)
{
	struct zinode *i;
	struct xattr old;
	bool found;
	int err = check_name(name);

	if (!err && size > XATTR_VALUE_BYTES)
		err = -E2BIG;
	if (!err)
		err = lock_to_set(tx, nodeid, &i);
	if (err)
		return err;
	inode_touch_ctime(tx, i);
	if (acl_is_name(name))
		return acl_set(tx, i, name, value, size,
			       flags & XATTR_KILL_SGID);
	found = xattr_find(i, name, &old);
	if (found && (flags & XATTR_CREATE))
		return -EEXIST;
	if (!found && (flags & XATTR_REPLACE))
		return -ENODATA;
	return xattr_put(tx, i, name, value, size);
}

int zsfs_getxattr(struct tx *tx, uint64_t nodeid, const char *name, void *buf,
		  size_t size, size_t *len)
{
	struct zinode *i;
	struct xattr x;
	int err = check_name(name);

	if (!err)
		err = inode_resolve_locked(tx, nodeid, LOCK_SHARED, &i);
	if (err)
		return err;
	if (!xattr_find(i, name, &x))
		return -ENODATA;
	*len = x.size;
	if (size == 0)
		return 0;
	if (x.size > size)
		return -ERANGE;
	memcpy(buf, x.value, x.size);
	return 0;
}

struct list {
	bool (*trusted)(void);
	bool asked, shows_trusted;
	char *buf;
	size_t size;
	size_t len;
};

static bool shows_trusted(struct list *l)
{
	if (!l->asked)
		l->shows_trusted = l->trusted();
	l->asked = true;
	return l->shows_trusted;
}

static int list_name(const struct xattr *x, void *arg)
{
	struct list *l = arg;
	size_t n = strlen(TRUSTED);

	if (x->name_len > n && !memcmp(x->name, TRUSTED, n) &&
	    !shows_trusted(l))
		return 0;
	if (l->size) {
		if (l->len + x->name_len + 1 > l->size)
			return -ERANGE;
		memcpy(l->buf + l->len, x->name, x->name_len);
		l->buf[l->len + x->name_len] = '\0';
	}
	l->len += x->name_len + 1;
	return 0;
}

int zsfs_listxattr(struct tx *tx, uint64_t nodeid, bool (*trusted)(void),
		   char *buf, size_t size, size_t *len)
{
	struct list l = {.trusted = trusted, .buf = buf, .size = size};
	struct zinode *i;
	int err = inode_resolve_locked(tx, nodeid, LOCK_SHARED, &i);

	if (!err)
		err = xattr_for_each(i, list_name, &l);
	*len = l.len;
	return err;
}

int zsfs_removexattr(struct tx *tx, uint64_t nodeid, const char *name)
{
	struct zinode *i;
	int err = check_name(name);

	if (!err)
		err = lock_to_set(tx, nodeid, &i);
	if (err)
		return err;
	if (!xattr_drop(tx, i, name) && !acl_is_name(name))
		return -ENODATA;
	inode_touch_ctime(tx, i);
	return 0;
}
