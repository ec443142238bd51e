/* SPDX-License-Identifier: BSD-3-Clause */
/* killclient: extended attributes of files and directories. */
#include "killclient_xattr.h"

#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

#include "killclient_check.h"
#include "killclient_record.h"

#define MAX_LIST (NODE_XATTRS * 16 + 64)

static char path[PATH_MAX];

static const char *name_of(unsigned nr)
{
	static char name[16];

	snprintf(name, sizeof(name), "user.k%u", nr);
	return name;
}

/* Most are small; some lie in pages of their own. */
static size_t some_size(void)
{
	static const unsigned sizes[] = {24, 24, 24, 300, 600, 5000, 65537};

	return rnd(sizes[rnd(sizeof(sizes) / sizeof(sizes[0]))]);
}

static void fill(unsigned char *buf, const struct node *n, unsigned nr)
{
	const struct node_xattr *x = &n->xattrs[nr];

	data_fill(buf, n->id * NODE_XATTRS + nr, x->version, 0, x->size);
}

static void check_value(struct tree *t, const struct node *n, unsigned nr,
			const char *of)
{
	const struct node_xattr *x = &n->xattrs[nr];
	unsigned char *want = t->buf + XATTR_SIZE_MAX;
	ssize_t len = CALL(lgetxattr, of, name_of(nr), t->buf, XATTR_SIZE_MAX);

	if (!x->version) {
		must_fail(len, ENODATA, "lgetxattr", of);
		return;
	}
	must(len, "lgetxattr", of);
	if ((size_t)len != x->size)
		fail("lgetxattr %s %s: expected %zu bytes, got %zd", of,
		     name_of(nr), x->size, len);
	fill(want, n, nr);
	data_compare(t->buf, want, 0, x->size, "lgetxattr", of);
}

/* ---- access control lists ---- */

#define ACL	   "system.posix_acl_access"
#define ACL_LINES  5
#define ACL_LENGTH (4 + 8 * ACL_LINES)

/* Owner, user 1, group, mask, others. */
static void acl_value(const struct node *n, unsigned char *buf)
{
	const unsigned lines[ACL_LINES][3] = {
		{1, n->mode >> 6 & 7, 0}, {2, n->acl_user, 1},
		{4, n->acl_group, 0},	  {16, n->mode >> 3 & 7, 0},
		{32, n->mode & 7, 0},
	};

	memset(buf, 0, ACL_LENGTH);
	buf[0] = 2;
	for (unsigned k = 0; k < ACL_LINES; k++) {
		unsigned char *line = buf + 4 + 8 * k;

		line[0] = (unsigned char)lines[k][0];
		line[2] = (unsigned char)lines[k][1];
		/* Who has no number has none. */
		memset(line + 4, lines[k][2] ? 0 : 0xff, 4);
		if (lines[k][2])
			line[4] = (unsigned char)lines[k][2];
	}
}

static void check_acl(const struct node *n, const char *of)
{
	unsigned char got[ACL_LENGTH + 8], want[ACL_LENGTH];
	ssize_t len = CALL(lgetxattr, of, ACL, got, sizeof(got));

	if (!n->has_acl) {
		must_fail(len, ENODATA, "lgetxattr (acl)", of);
		return;
	}
	must(len, "lgetxattr (acl)", of);
	acl_value(n, want);
	if (len != ACL_LENGTH || memcmp(got, want, ACL_LENGTH))
		fail("lgetxattr %s: another list, of %zd bytes", of, len);
}

static void change_acl(struct node *n)
{
	unsigned char value[ACL_LENGTH];

	if (n->has_acl && rnd(3) == 0) {
		must(CALL(lremovexattr, path, ACL), "lremovexattr (acl)", path);
		n->has_acl = false;
		return;
	}
	n->acl_user = rnd(8);
	n->acl_group = rnd(8);
	n->mode = (n->mode & ~(mode_t)077) | rnd(0100);
	n->has_acl = true;
	acl_value(n, value);
	must(CALL(lsetxattr, path, ACL, value, ACL_LENGTH, 0),
	     "lsetxattr (acl)", path);
}

/* ---- any ---- */

void xattr_check(struct tree *t, const struct node *n, const char *of)
{
	char list[MAX_LIST];
	ssize_t len = CALL(llistxattr, of, list, sizeof(list));
	unsigned want = 0, got = 0;

	must(len, "llistxattr", of);
	for (ssize_t at = 0; at < len; at += (ssize_t)strlen(list + at) + 1)
		got += !strncmp(list + at, "user.k", 6);
	for (unsigned nr = 0; nr < NODE_XATTRS; nr++) {
		want += n->xattrs[nr].version != 0;
		check_value(t, n, nr, of);
	}
	check_acl(n, of);
	if (got != want)
		fail("llistxattr %s: expected %u names, got %u", of, want, got);
}

static void set(struct tree *t, struct node *n, unsigned nr)
{
	struct node_xattr *x = &n->xattrs[nr];
	int flags = x->version ? XATTR_REPLACE : XATTR_CREATE;

	x->size = some_size();
	x->version = ++n->xattr_version;
	fill(t->buf, n, nr);
	must(CALL(lsetxattr, path, name_of(nr), t->buf, x->size,
		  rnd(2) ? flags : 0),
	     "lsetxattr", path);
}

static void unset(struct node *n, unsigned nr)
{
	if (!n->xattrs[nr].version) {
		must_fail(CALL(lremovexattr, path, name_of(nr)), ENODATA,
			  "lremovexattr", path);
		must_fail(CALL(lsetxattr, path, name_of(nr), "", 0,
			       XATTR_REPLACE),
			  ENODATA, "lsetxattr", path);
		return;
	}
	must_fail(CALL(lsetxattr, path, name_of(nr), "", 0, XATTR_CREATE),
		  EEXIST, "lsetxattr", path);
	must(CALL(lremovexattr, path, name_of(nr)), "lremovexattr", path);
	n->xattrs[nr].version = 0;
}

void xattr_change(struct tree *t)
{
	struct entry *e = tree_some_entry(t, rnd(3) ? S_IFREG : S_IFDIR);
	unsigned nr = rnd(NODE_XATTRS);

	if (!e)
		return;
	tree_entry_path(t, e, path);
	if (rnd(4) == 0)
		change_acl(e->node);
	else if (rnd(3))
		set(t, e->node, nr);
	else
		unset(e->node, nr);
	xattr_check(t, e->node, path);
	check_entry(t, e);
}
