/* SPDX-License-Identifier: BSD-3-Clause */
/* killclient: operations on names, done to the file system and the model. */
#include "killclient_name.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "killclient_check.h"
#include "killclient_file.h"
#include "killclient_record.h"

#define MAX_DIR_DEPTH (MAX_DEPTH - 1)

static char path[PATH_MAX], path2[PATH_MAX];

static bool full(const struct tree *t)
{
	return tree_nr_entries(t) + 6 > MAX_ENTRIES;
}

static mode_t some_mode(void)
{
	return 0600 | rnd(0200);
}

/* ---- making ---- */

struct node *name_pinned(struct tree *t, const char *name)
{
	struct node *n = tree_node(t, S_IFREG | 0600);

	if (!n)
		fail("killclient has too many nodes");
	tree_path(t, t->root, name, path);
	n->fd = (int)must(
		CALL(open, path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600),
		"open (O_CREAT|O_EXCL)", path);
	n->pinned = true;
	tree_add(t, t->root, name, n);
	return n;
}

static void make_file(const struct node *n)
{
	int fd = CALL(open, path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
		      n->mode & 07777);

	must(fd, "open (O_CREAT|O_EXCL)", path);
	must_close(fd, path);
}

static void make_symlink(struct node *n)
{
	unsigned len = 1 + rnd(rnd(4) ? 40 : MAX_TARGET);

	for (unsigned i = 0; i < len; i++)
		n->target[i] = (char)(rnd(8) ? 'a' + rnd(26) : '/');
	n->target[len] = '\0';
	must(CALL(symlink, n->target, path), "symlink", path);
}

static void make(struct node *n)
{
	if (S_ISDIR(n->mode))
		must(CALL(mkdir, path, n->mode & 07777), "mkdir", path);
	else if (S_ISLNK(n->mode))
		make_symlink(n);
	else if (S_ISREG(n->mode) && rnd(4))
		make_file(n);
	else
		must(CALL(mknod, path, n->mode, 0), "mknod", path);
}

void name_make(struct tree *t)
{
	static const mode_t types[] = {S_IFREG, S_IFREG, S_IFREG, S_IFREG,
				       S_IFDIR, S_IFDIR, S_IFLNK, S_IFIFO};
	mode_t type = types[rnd(sizeof(types) / sizeof(types[0]))];
	mode_t mode = type | (type == S_IFLNK ? 0777 : some_mode());
	unsigned depth = MAX_DIR_DEPTH - (type == S_IFDIR);
	struct node *dir = tree_some_dir(t, depth), *n;
	char name[NAME_MAX + 1];

	if (type == S_IFDIR)
		mode |= 0700;
	if (full(t) || tree_nr_nodes(t) >= t->wanted)
		return;
	n = tree_node(t, mode);
	if (!n)
		return;
	n->flags = dir->flags; /* all that stay are inherited */
	tree_free_name(t, dir, name);
	tree_path(t, dir, name, path);
	make(n);
	check_entry(t, tree_add(t, dir, name, n));
}

static int link_open(int fd, const char *to)
{
	char from[40];

	snprintf(from, sizeof(from), "/proc/self/fd/%d", fd);
	return CALL(linkat, AT_FDCWD, from, AT_FDCWD, to, AT_SYMLINK_FOLLOW);
}

/* @n is open and has none: give it one, or see that it can have none. */
static void name_open(struct tree *t, struct node *n, bool may)
{
	struct node *dir = tree_some_dir(t, MAX_DIR_DEPTH);
	char name[NAME_MAX + 1];

	tree_free_name(t, dir, name);
	tree_path(t, dir, name, path2);
	if (!may) {
		must_fail(link_open(n->fd, path2), ENOENT, "linkat", path2);
		return;
	}
	must(link_open(n->fd, path2), "linkat", path2);
	check_entry(t, tree_add(t, dir, name, n));
}

void name_nameless(struct tree *t)
{
	struct node *dir = tree_some_dir(t, MAX_DIR_DEPTH), *n;
	bool may = rnd(3), now = rnd(3);
	int flags = O_TMPFILE | O_RDWR | O_CLOEXEC | (may ? 0 : O_EXCL);

	if (full(t) || tree_nr_nodes(t) >= t->wanted ||
	    !(n = tree_node(t, S_IFREG | some_mode())))
		return;
	n->flags = dir->flags;
	tree_path(t, dir, NULL, path);
	n->fd = (int)must(CALL(open, path, flags, n->mode & 07777),
			  "open (O_TMPFILE)", path);
	file_append_to(t, n, 1 + rnd(40000));
	if (now)
		name_open(t, n, may);
	check_file(t, n, rnd(2));
	must_close(n->fd, path);
	tree_close(n);
}

void name_link(struct tree *t)
{
	struct entry *e = tree_some_entry(t, rnd(8) ? S_IFREG : S_IFLNK);
	struct node *dir = tree_some_dir(t, MAX_DIR_DEPTH);
	char name[NAME_MAX + 1];

	if (!e || full(t))
		return;
	tree_free_name(t, dir, name);
	tree_entry_path(t, e, path);
	tree_path(t, dir, name, path2);
	must(CALL(link, path, path2), "link", path2);
	check_entry(t, tree_add(t, dir, name, e->node));
}

/* ---- renaming ---- */

/* Would @n be allowed, and not too deep, in @dir? */
static bool may_move(struct tree *t, const struct node *n,
		     const struct node *dir)
{
	if (!S_ISDIR(n->mode))
		return true;
	return !tree_above(n, dir) &&
	       tree_depth(dir) + tree_height(t, n) <= MAX_DIR_DEPTH;
}

static void check_gone(const char *gone)
{
	struct stat st;

	must_fail(CALL(lstat, gone, &st), ENOENT, "lstat", gone);
}

void name_rename(struct tree *t)
{
	struct entry *e = tree_some_entry(t, 0);
	struct node *dir = tree_some_dir(t, MAX_DIR_DEPTH), *n;
	char name[NAME_MAX + 1];

	if (!e || !may_move(t, e->node, dir))
		return;
	tree_free_name(t, dir, name);
	tree_entry_path(t, e, path);
	tree_path(t, dir, name, path2);
	must(rnd(2) ? CALL(rename, path, path2)
		    : CALL(renameat2, AT_FDCWD, path, AT_FDCWD, path2,
			   RENAME_NOREPLACE),
	     "rename", path2);
	n = e->node;
	n->names++; /* not freed in between */
	tree_del(e);
	n->names--;
	e = tree_add(t, dir, name, n);
	check_gone(path);
	check_entry(t, e);
}

/* Like a rename, with a device left at the old name. */
void name_whiteout(struct tree *t)
{
	struct entry *e = tree_some_entry(t, 0);
	struct node *dir = tree_some_dir(t, MAX_DIR_DEPTH), *n;
	unsigned flags = RENAME_WHITEOUT | (rnd(2) ? RENAME_NOREPLACE : 0);
	char name[NAME_MAX + 1];
	struct node *left;

	if (!e || full(t) || !may_move(t, e->node, dir))
		return;
	left = tree_node(t, S_IFCHR);
	if (!left)
		return;
	left->flags = e->dir->flags;
	tree_free_name(t, dir, name);
	tree_entry_path(t, e, path);
	tree_path(t, dir, name, path2);
	must(CALL(renameat2, AT_FDCWD, path, AT_FDCWD, path2, flags),
	     "renameat2 (RENAME_WHITEOUT)", path2);
	n = e->node;
	n->names++; /* not freed in between */
	tree_replace(e, left);
	n->names--;
	check_entry(t, e);
	check_entry(t, tree_add(t, dir, name, n));
}

static bool may_replace(struct tree *t, const struct entry *from,
			const struct entry *to)
{
	if (S_ISDIR(from->node->mode))
		return S_ISDIR(to->node->mode) && !to->node->nr_entries &&
		       may_move(t, from->node, to->dir);
	return !S_ISDIR(to->node->mode);
}

void name_replace(struct tree *t)
{
	struct entry *from = tree_some_entry(t, 0);
	struct entry *to = tree_some_entry(t, 0);
	struct node *n;

	if (!from || from == to || !may_replace(t, from, to))
		return;
	tree_entry_path(t, from, path);
	tree_entry_path(t, to, path2);
	must(CALL(rename, path, path2), "rename (over another)", path2);
	n = from->node;
	if (n != to->node) { /* else both names stay */
		n->names++;
		tree_del(from);
		tree_replace(to, n);
		n->names--;
		check_gone(path);
	} else {
		check_entry(t, from);
	}
	check_entry(t, to);
}

static void swap(struct entry *a, struct entry *b)
{
	struct node *m = a->node, *n = b->node;

	if (m == n)
		return;
	m->names++;
	n->names++;
	tree_replace(a, n);
	tree_replace(b, m);
	m->names--;
	n->names--;
	if (S_ISDIR(m->mode))
		m->self = b;
	if (S_ISDIR(n->mode))
		n->self = a;
}

void name_exchange(struct tree *t)
{
	struct entry *a = tree_some_entry(t, 0), *b = tree_some_entry(t, 0);

	if (!a || a == b || !may_move(t, a->node, b->dir) ||
	    !may_move(t, b->node, a->dir))
		return;
	tree_entry_path(t, a, path);
	tree_entry_path(t, b, path2);
	must(CALL(renameat2, AT_FDCWD, path, AT_FDCWD, path2, RENAME_EXCHANGE),
	     "renameat2 (RENAME_EXCHANGE)", path2);
	swap(a, b);
	check_entry(t, a);
	check_entry(t, b);
}

/* ---- removing ---- */

static void remove_entry(struct tree *t, struct entry *e)
{
	tree_entry_path(t, e, path);
	if (S_ISDIR(e->node->mode))
		must(CALL(rmdir, path), "rmdir", path);
	else
		must(CALL(unlink, path), "unlink", path);
	tree_del(e);
	check_gone(path);
}

void name_remove(struct tree *t)
{
	struct entry *e = tree_some_entry(t, 0);

	if (e && (!S_ISDIR(e->node->mode) || !e->node->nr_entries))
		remove_entry(t, e);
}

void name_remove_all(struct tree *t)
{
	for (bool some = true; some;) {
		some = false;
		for (unsigned i = 0; i < MAX_ENTRIES; i++) {
			struct entry *e = &t->entries[i];

			if (!e->node || e->node->nr_entries)
				continue;
			remove_entry(t, e);
			some = true;
		}
	}
	check_dir(t, t->root);
	must(CALL(rmdir, t->path), "rmdir", t->path);
}

/* ---- what must fail ---- */

static void refused_over(void)
{
	int fd;

	switch (rnd(4)) {
	case 0:
		fd = CALL(open, path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
			  0600);
		must_fail(fd, EEXIST, "open (O_CREAT|O_EXCL)", path);
		break;
	case 1:
		must_fail(CALL(mkdir, path, 0700), EEXIST, "mkdir", path);
		break;
	case 2:
		must_fail(CALL(symlink, "x", path), EEXIST, "symlink", path);
		break;
	default:
		must_fail(CALL(mknod, path, S_IFREG | 0600, 0), EEXIST, "mknod",
			  path);
	}
}

static void refused_move(struct tree *t, struct entry *e)
{
	struct entry *to = tree_some_entry(t, 0);
	int res;

	if (e == to || S_ISDIR(e->node->mode))
		return;
	tree_entry_path(t, to, path2);
	if (rnd(2)) {
		must_fail(CALL(link, path, path2), EEXIST, "link", path2);
		return;
	}
	res = CALL(renameat2, AT_FDCWD, path, AT_FDCWD, path2,
		   RENAME_NOREPLACE);
	must_fail(res, EEXIST, "renameat2 (RENAME_NOREPLACE)", path2);
}

static void refused_missing(struct tree *t)
{
	char name[NAME_MAX + 1];
	struct node *dir = tree_some_dir(t, MAX_DIR_DEPTH);

	tree_free_name(t, dir, name);
	tree_path(t, dir, name, path2);
	if (rnd(2))
		must_fail(CALL(unlink, path2), ENOENT, "unlink", path2);
	else if (rnd(2))
		must_fail(CALL(rmdir, path2), ENOENT, "rmdir", path2);
	else
		must_fail(CALL(open, path2, O_RDWR | O_CLOEXEC), ENOENT, "open",
			  path2);
}

static void refused_type(struct entry *e)
{
	char target[8];

	if (!S_ISDIR(e->node->mode)) {
		must_fail(CALL(rmdir, path), ENOTDIR, "rmdir", path);
		if (!S_ISLNK(e->node->mode))
			must_fail(CALL(readlink, path, target, sizeof(target)),
				  EINVAL, "readlink", path);
		return;
	}
	must_fail(CALL(unlink, path), EISDIR, "unlink", path);
	if (e->node->nr_entries)
		must_fail(CALL(rmdir, path), ENOTEMPTY, "rmdir", path);
}

void name_refused(struct tree *t)
{
	struct entry *e = tree_some_entry(t, rnd(3) ? 0 : S_IFDIR);
	unsigned what = rnd(4);

	if (!e || what == 0) {
		refused_missing(t);
		return;
	}
	tree_entry_path(t, e, path);
	if (what == 1)
		refused_over();
	else if (what == 2)
		refused_move(t, e);
	else
		refused_type(e);
	check_entry(t, e);
}
