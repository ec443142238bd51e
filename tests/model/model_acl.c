/* SPDX-License-Identifier: BSD-3-Clause */
/* Model: access control lists, which are taken apart and put together. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "model.h"

#define ACCESS	"system.posix_acl_access"
#define DEFAULT "system.posix_acl_default"

/* As in the value, behind the version. */
struct line {
	uint16_t tag, perm;
	uint32_t id;
};

struct list {
	size_t n;
	struct line *lines;
};

/* Tags, in the order of a list. */
enum { OWNER = 1, USER = 2, OWNING = 4, GROUP = 8, MASK = 16, OTHER = 32 };

static struct list take_apart(const void *value, size_t size)
{
	struct list l = {.n = (size - 4) / sizeof(struct line)};

	l.lines = calloc(l.n + 1, sizeof(struct line));
	if (!l.lines)
		abort();
	memcpy(l.lines, (const char *)value + 4, size - 4);
	return l;
}

static size_t count(const struct list *l, unsigned tag)
{
	size_t n = 0;

	for (size_t k = 0; k < l->n; k++)
		n += l->lines[k].tag == tag;
	return n;
}

static bool is_valid(const struct list *l)
{
	for (size_t k = 0; k < l->n; k++) {
		unsigned tag = l->lines[k].tag;

		if (tag > OTHER || !tag || (tag & (tag - 1)) ||
		    l->lines[k].perm > 7)
			return false;
		if (k && tag < l->lines[k - 1].tag)
			return false;
	}
	if (count(l, OWNER) != 1 || count(l, OWNING) != 1 ||
	    count(l, OTHER) != 1 || count(l, MASK) > 1)
		return false;
	return count(l, MASK) || !(count(l, USER) + count(l, GROUP));
}

/* The line that has bits of the mode: of the owner, the group, others. */
static struct line *line_of(const struct list *l, unsigned tag)
{
	if (tag == OWNING && count(l, MASK))
		tag = MASK;
	for (size_t k = 0; k < l->n; k++)
		if (l->lines[k].tag == tag)
			return &l->lines[k];
	abort();
}

static uint32_t bits_of(const struct list *l)
{
	return (uint32_t)line_of(l, OWNER)->perm << 6 |
	       (uint32_t)line_of(l, OWNING)->perm << 3 |
	       line_of(l, OTHER)->perm;
}

static void set_bits(const struct list *l, uint32_t mode)
{
	line_of(l, OWNER)->perm = mode >> 6 & 7;
	line_of(l, OWNING)->perm = mode >> 3 & 7;
	line_of(l, OTHER)->perm = mode & 7;
}

bool model_is_acl(const char *name)
{
	return !strcmp(name, ACCESS) || !strcmp(name, DEFAULT);
}

static void keep_access(struct minode *i, const struct mxattr *x)
{
	struct list l = take_apart(x->value, x->size);

	set_bits(&l, i->mode);
	memcpy(x->value + 4, l.lines, x->size - 4);
	free(l.lines);
}

static int set_list(struct minode *i, const char *name, const void *value,
		    size_t size, bool kill_sgid, const struct list *l)
{
	bool access = !strcmp(name, ACCESS);

	if (l->n && !is_valid(l))
		return -EINVAL;
	if (l->n && !access && !S_ISDIR(i->mode))
		return -EACCES;
	if (l->n && access)
		i->mode = (i->mode & ~0777u) | bits_of(l);
	if (l->n && access && kill_sgid)
		i->mode &= ~(uint32_t)S_ISGID;
	model_drop_xattr(i, name);
	/* Three lines are the mode. */
	if (l->n > (access ? 3 : 0))
		model_add_xattr(i, name, value, size);
	return 0;
}

int model_set_acl(struct minode *i, const char *name, const void *value,
		  size_t size, bool kill_sgid)
{
	uint32_t version = 0;
	struct list l;
	int err;

	if (S_ISLNK(i->mode))
		return -EOPNOTSUPP;
	if (size < 4)
		return -EINVAL;
	memcpy(&version, value, 4);
	if (version != 2)
		return -EOPNOTSUPP;
	if (size % 8 != 4)
		return -EINVAL;
	l = take_apart(value, size);
	err = set_list(i, name, value, size, kill_sgid, &l);
	free(l.lines);
	return err;
}

void model_chmod_acl(struct minode *i)
{
	const struct mxattr *x = model_find_xattr(i, ACCESS);

	if (x)
		keep_access(i, x);
}

void model_inherit_acl(const struct minode *dir, struct minode *i,
		       uint32_t umask)
{
	const struct mxattr *d = model_find_xattr(dir, DEFAULT);
	struct list l;

	if (S_ISLNK(i->mode))
		return;
	if (!d) {
		i->mode &= ~umask;
		return;
	}
	l = take_apart(d->value, d->size);
	i->mode &= bits_of(&l) | ~0777u;
	if (l.n > 3)
		model_add_xattr(i, ACCESS, d->value, d->size);
	model_chmod_acl(i);
	if (S_ISDIR(i->mode))
		model_add_xattr(i, DEFAULT, d->value, d->size);
	free(l.lines);
}
