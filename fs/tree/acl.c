/* SPDX-License-Identifier: BSD-3-Clause */
/* POSIX access control lists (see acl.h). */
#include "acl.h"

#include <endian.h>
#include <errno.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <string.h>
#include <sys/stat.h>

#include "content/xattr_set.h"
#include "state/inode.h"
#include "state/tx.h"

#define HEAD  sizeof(struct posix_acl_xattr_header)
#define ENTRY sizeof(struct posix_acl_xattr_entry)

struct entry {
	unsigned tag, perm;
};

/* Lists lie anywhere in memory. */
static struct entry entry_at(const void *value, size_t off)
{
	struct posix_acl_xattr_entry e;

	memcpy(&e, (const char *)value + off, ENTRY);
	return (struct entry){le16toh(e.e_tag), le16toh(e.e_perm)};
}

static bool is_extended(unsigned tag)
{
	return tag == ACL_USER || tag == ACL_GROUP || tag == ACL_MASK;
}

/* Does it say more than a mode can? */
static bool says_more(const void *value, size_t size)
{
	for (size_t off = HEAD; off < size; off += ENTRY)
		if (is_extended(entry_at(value, off).tag))
			return true;
	return false;
}

/* ---- what is a list ---- */

/* By how far it is in the order that entries have; 0: no such tag. */
static unsigned rank_of(unsigned tag)
{
	switch (tag) {
	case ACL_USER_OBJ:
		return 1;
	case ACL_USER:
		return 2;
	case ACL_GROUP_OBJ:
		return 3;
	case ACL_GROUP:
		return 4;
	case ACL_MASK:
		return 5;
	case ACL_OTHER:
		return 6;
	default:
		return 0;
	}
}

/* The owner, the group and the others once each, a mask where it is needed. */
static bool is_list(const void *value, size_t size)
{
	unsigned seen = 0, last = 0;

	for (size_t off = HEAD; off < size; off += ENTRY) {
		struct entry e = entry_at(value, off);
		unsigned rank = rank_of(e.tag);
		bool many = e.tag == ACL_USER || e.tag == ACL_GROUP;

		if (!rank || e.perm > 07 || rank < last ||
		    (rank == last && !many))
			return false;
		seen |= e.tag;
		last = rank;
	}
	if ((seen & (ACL_USER | ACL_GROUP)) && !(seen & ACL_MASK))
		return false;
	return (seen & ACL_USER_OBJ) && (seen & ACL_GROUP_OBJ) &&
	       (seen & ACL_OTHER);
}

static int check_list(const void *value, size_t size)
{
	struct posix_acl_xattr_header head;

	if (size < HEAD)
		return -EINVAL;
	memcpy(&head, value, HEAD);
	if (le32toh(head.a_version) != POSIX_ACL_XATTR_VERSION)
		return -EOPNOTSUPP;
	if ((size - HEAD) % ENTRY)
		return -EINVAL;
	return size == HEAD || is_list(value, size) ? 0 : -EINVAL;
}

/* ---- lists and modes ---- */

/*
 * Where in a mode the entry @tag has its bits; -1: nowhere. The group's are the
 * mask's when there is one.
 */
static int shift_of(unsigned tag, bool has_mask)
{
	switch (tag) {
	case ACL_USER_OBJ:
		return 6;
	case ACL_GROUP_OBJ:
		return has_mask ? -1 : 3;
	case ACL_MASK:
		return 3;
	case ACL_OTHER:
		return 0;
	default:
		return -1;
	}
}

static uint32_t mode_of(const void *value, size_t size)
{
	bool has_mask = says_more(value, size);
	uint32_t mode = 0;

	for (size_t off = HEAD; off < size; off += ENTRY) {
		struct entry e = entry_at(value, off);
		int shift = shift_of(e.tag, has_mask);

		if (shift >= 0)
			mode |= e.perm << shift;
	}
	return mode;
}

/* Have the list @x say what @mode says. */
static void follow_mode(struct tx *tx, const struct xattr *x, uint32_t mode)
{
	bool has_mask = says_more(x->value, x->size);

	for (size_t off = HEAD; off < x->size; off += ENTRY) {
		struct entry e = entry_at(x->value, off);
		int shift = shift_of(e.tag, has_mask);
		uint16_t perm;

		if (shift < 0)
			continue;
		perm = htole16((uint16_t)(mode >> shift & 07));
		xattr_patch(
			tx, x,
			off + offsetof(struct posix_acl_xattr_entry, e_perm),
			&perm, sizeof(perm));
	}
}

static int set_access(struct tx *tx, struct zinode *i, const void *value,
		      size_t size, bool kill_sgid)
{
	inode_save(tx, i);
	i->mode = (i->mode & ~0777u) | mode_of(value, size);
	if (kill_sgid)
		i->mode &= ~(uint32_t)S_ISGID;
	if (says_more(value, size))
		return xattr_put(tx, i, ACL_ACCESS, value, size);
	xattr_drop(tx, i, ACL_ACCESS);
	return 0;
}

int acl_set(struct tx *tx, struct zinode *i, const char *name,
	    const void *value, size_t size, bool kill_sgid)
{
	bool access = !strcmp(name, ACL_ACCESS);
	int err = S_ISLNK(i->mode) ? -EOPNOTSUPP : check_list(value, size);

	if (err)
		return err;
	if (size == HEAD) {
		xattr_drop(tx, i, name);
		return 0;
	}
	if (access)
		return set_access(tx, i, value, size, kill_sgid);
	return S_ISDIR(i->mode) ? xattr_put(tx, i, name, value, size) : -EACCES;
}

void acl_chmod(struct tx *tx, struct zinode *i)
{
	struct xattr x;

	if (xattr_find(i, ACL_ACCESS, &x))
		follow_mode(tx, &x, i->mode);
}

int acl_inherit(struct tx *tx, const struct zinode *dir, struct zinode *i,
		uint32_t umask)
{
	struct xattr from, own;
	int err = 0;

	if (S_ISLNK(i->mode))
		return 0;
	if (!xattr_find(dir, ACL_DEFAULT, &from)) {
		i->mode &= ~(umask & 0777u);
		return 0;
	}
	i->mode &= ~0777u | mode_of(from.value, from.size);
	if (says_more(from.value, from.size)) {
		err = xattr_put(tx, i, ACL_ACCESS, from.value, from.size);
		if (!err && xattr_find(i, ACL_ACCESS, &own))
			follow_mode(tx, &own, i->mode);
	}
	if (!err && S_ISDIR(i->mode))
		err = xattr_put(tx, i, ACL_DEFAULT, from.value, from.size);
	return err;
}
