/* SPDX-License-Identifier: BSD-3-Clause */
/* Model: extended attributes, an array. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "model.h"
#include "state/inode.h"
#include "tree/xattr.h"

struct mxattr *model_find_xattr(const struct minode *i, const char *name)
{
	for (size_t k = 0; k < i->nr_xattrs; k++)
		if (!strcmp(i->xattrs[k].name, name))
			return &i->xattrs[k];
	return NULL;
}

static bool begins(const char *name, const char *with)
{
	return !strncmp(name, with, strlen(with));
}

static int check_name(const char *name)
{
	if (strlen(name) > MODEL_NAME_MAX)
		return -ERANGE;
	if (model_is_acl(name))
		return 0;
	if (!begins(name, "user.") && !begins(name, "trusted.") &&
	    !begins(name, "security."))
		return -EOPNOTSUPP;
	return strchr(name, '.')[1] ? 0 : -EINVAL;
}

static bool is_kept(const struct minode *i)
{
	return i->flags & (INODE_IMMUTABLE | INODE_APPEND);
}

static void drop(struct minode *i, struct mxattr *x)
{
	free(x->name);
	free(x->value);
	*x = i->xattrs[--i->nr_xattrs];
}

bool model_drop_xattr(struct minode *i, const char *name)
{
	struct mxattr *x = model_find_xattr(i, name);

	if (x)
		drop(i, x);
	return x;
}

void model_add_xattr(struct minode *i, const char *name, const void *value,
		     size_t size)
{
	struct mxattr x = {strdup(name), malloc(size + 1), size};

	i->xattrs = realloc(i->xattrs, (i->nr_xattrs + 1) * sizeof(x));
	if (!x.name || !x.value || !i->xattrs)
		abort();
	if (size)
		memcpy(x.value, value, size);
	i->xattrs[i->nr_xattrs++] = x;
}

/* With a NUL behind each. */
static size_t names_length(const struct minode *i, bool trusted)
{
	size_t len = 0;

	for (size_t k = 0; k < i->nr_xattrs; k++)
		if (trusted || !begins(i->xattrs[k].name, "trusted."))
			len += strlen(i->xattrs[k].name) + 1;
	return len;
}

int model_setxattr(struct model *m, unsigned id, const char *name,
		   const void *value, size_t size, int flags)
{
	struct minode *i = model_get(m, id);
	struct mxattr *x = model_find_xattr(i, name);
	int err = check_name(name);

	if (err)
		return err;
	if (size > 65536)
		return -E2BIG;
	if (is_kept(i))
		return -EPERM;
	if (model_is_acl(name))
		return model_set_acl(i, name, value, size,
				     flags & XATTR_KILL_SGID);
	if (x && (flags & XATTR_CREATE))
		return -EEXIST;
	if (!x && (flags & XATTR_REPLACE))
		return -ENODATA;
	if (!x && names_length(i, true) + strlen(name) + 1 > 65536)
		return -ENOSPC;
	if (x)
		drop(i, x);
	model_add_xattr(i, name, value, size);
	return 0;
}

int model_getxattr(const struct model *m, unsigned id, const char *name,
		   size_t room, const struct mxattr **x)
{
	int err = check_name(name);

	if (err)
		return err;
	*x = model_find_xattr(model_get(m, id), name);
	if (!*x)
		return -ENODATA;
	return room && (*x)->size > room ? -ERANGE : 0;
}

int model_listxattr(const struct model *m, unsigned id, bool trusted,
		    size_t room, size_t *len)
{
	*len = names_length(model_get(m, id), trusted);
	return room && *len > room ? -ERANGE : 0;
}

int model_removexattr(struct model *m, unsigned id, const char *name)
{
	struct minode *i = model_get(m, id);
	int err = check_name(name);

	if (err)
		return err;
	if (is_kept(i))
		return -EPERM;
	return model_drop_xattr(i, name) || model_is_acl(name) ? 0 : -ENODATA;
}

void model_kill_caps(struct minode *i)
{
	model_drop_xattr(i, "security.capability");
}

void model_free_xattrs(struct minode *i)
{
	while (i->nr_xattrs)
		drop(i, i->xattrs);
	free(i->xattrs);
}
