/* SPDX-License-Identifier: BSD-3-Clause */
/* killclient: the model of a directory tree. */
#include "killclient_tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "killclient_record.h"

#define NR_NAMES 34u /* that an entry may have in its directory */

struct tree *tree_new(const char *path)
{
	struct tree *t = calloc(1, sizeof(*t));

	if (t) {
		t->buf = aligned_alloc(BLOCK, MAX_FILE + BLOCK);
		t->path = path;
		t->root = tree_node(t, S_IFDIR | 0700);
	}
	if (!t || !t->buf)
		fail("killclient has no memory");
	return t;
}

/* Mostly small. */
static size_t some_limit(void)
{
	static const size_t limits[] = {
		100,	  BLOCK,     3 * BLOCK + 9, 20000,    20000,
		64 << 10, 100 << 10, 300 << 10,	    1u << 20, MAX_FILE,
	};

	return limits[rnd(sizeof(limits) / sizeof(limits[0]))];
}

struct node *tree_node(struct tree *t, mode_t mode)
{
	struct node *n = t->nodes;

	while (n < t->nodes + MAX_NODES && n->mode)
		n++;
	if (n == t->nodes + MAX_NODES)
		return NULL;
	memset(n, 0, sizeof(*n));
	n->mode = mode;
	n->fd = -1;
	n->id = ++t->next_id;
	if (S_ISREG(mode)) {
		n->limit = some_limit();
		n->data = calloc(1, n->limit);
		if (!n->data)
			fail("killclient has no memory");
	}
	return n;
}

static void free_unused(struct node *n)
{
	if (n->names || n->fd >= 0)
		return;
	free(n->data);
	n->data = NULL;
	n->mode = 0;
}

void tree_close(struct node *n)
{
	n->fd = -1;
	free_unused(n);
}

static void attach(struct entry *e, struct node *n)
{
	e->node = n;
	n->names++;
	if (S_ISDIR(n->mode)) {
		n->self = e;
		e->dir->nr_subdirs++;
	}
	e->dir->mtime_known = false;
}

static void detach(struct entry *e)
{
	struct node *n = e->node;

	e->node = NULL;
	n->names--;
	if (S_ISDIR(n->mode)) {
		n->self = NULL;
		e->dir->nr_subdirs--;
	}
	e->dir->mtime_known = false;
}

struct entry *tree_add(struct tree *t, struct node *dir, const char *name,
		       struct node *node)
{
	struct entry *e = t->entries;

	while (e < t->entries + MAX_ENTRIES && e->node)
		e++;
	if (e == t->entries + MAX_ENTRIES)
		fail("killclient has too many names");
	e->dir = dir;
	e->seen = 0;
	strcpy(e->name, name);
	dir->nr_entries++;
	attach(e, node);
	return e;
}

void tree_del(struct entry *e)
{
	struct node *n = e->node;

	detach(e);
	e->dir->nr_entries--;
	free_unused(n);
}

/* What it named loses a name; for an exchange, the caller gives it another. */
void tree_replace(struct entry *e, struct node *node)
{
	struct node *old = e->node;

	old->names++; /* not freed in between */
	detach(e);
	attach(e, node);
	old->names--;
	free_unused(old);
}

/* ---- finding ---- */

struct entry *tree_find(struct tree *t, const struct node *dir,
			const char *name)
{
	for (struct entry *e = t->entries; e < t->entries + MAX_ENTRIES; e++)
		if (e->node && e->dir == dir && !strcmp(e->name, name))
			return e;
	return NULL;
}

static bool any(const struct entry *e, const void *arg)
{
	return !e->node->pinned;
}

static bool leads_to(const struct entry *e, const void *arg)
{
	return e->node == arg;
}

static bool has_type(const struct entry *e, const void *arg)
{
	return !e->node->pinned &&
	       (e->node->mode & S_IFMT) == *(const mode_t *)arg;
}

static struct entry *some(struct tree *t,
			  bool (*fits)(const struct entry *, const void *),
			  const void *arg)
{
	unsigned from = rnd(MAX_ENTRIES);

	for (unsigned i = 0; i < MAX_ENTRIES; i++) {
		struct entry *e = &t->entries[(from + i) % MAX_ENTRIES];

		if (e->node && fits(e, arg))
			return e;
	}
	return NULL;
}

struct entry *tree_name_of(struct tree *t, const struct node *n)
{
	return some(t, leads_to, n);
}

struct entry *tree_some_entry(struct tree *t, mode_t type)
{
	return some(t, type ? has_type : any, &type);
}

/* With a name, or kept open. */
struct node *tree_some_file(struct tree *t)
{
	unsigned from = rnd(MAX_NODES);

	for (unsigned i = 0; i < MAX_NODES; i++) {
		struct node *n = &t->nodes[(from + i) % MAX_NODES];

		if (S_ISREG(n->mode))
			return n;
	}
	return NULL;
}

struct node *tree_some_dir(struct tree *t, unsigned max_depth)
{
	unsigned from = rnd(MAX_NODES);

	for (unsigned i = 0; i < MAX_NODES; i++) {
		struct node *n = &t->nodes[(from + i) % MAX_NODES];

		if (S_ISDIR(n->mode) && tree_depth(n) <= max_depth)
			return n;
	}
	return t->root;
}

/* Few names, so that they are used again, some of them long. */
static void make_name(unsigned nr, char *name)
{
	static const unsigned char longer[] = {0, 0, 0, 0, 30, 120, 252};
	unsigned len = longer[nr % sizeof(longer)];

	name += sprintf(name, "n%02u", nr);
	memset(name, 'x', len);
	name[len] = '\0';
}

void tree_free_name(struct tree *t, const struct node *dir, char *name)
{
	unsigned from = rnd(NR_NAMES);

	/* A directory has fewer entries than the tree has. */
	for (unsigned i = 0; i < MAX_ENTRIES + 1; i++) {
		unsigned nr = i < NR_NAMES ? (from + i) % NR_NAMES : i;

		make_name(nr, name);
		if (!tree_find(t, dir, name))
			return;
	}
}

/* ---- paths ---- */

static char *put_dir(struct tree *t, const struct node *dir, char *p)
{
	if (!dir->self)
		return stpcpy(p, t->path);
	p = put_dir(t, dir->self->dir, p);
	*p++ = '/';
	return stpcpy(p, dir->self->name);
}

const char *tree_path(struct tree *t, const struct node *dir, const char *name,
		      char *buf)
{
	char *p = put_dir(t, dir, buf);

	if (name) {
		*p++ = '/';
		strcpy(p, name);
	}
	return buf;
}

const char *tree_entry_path(struct tree *t, const struct entry *e, char *buf)
{
	return tree_path(t, e->dir, e->name, buf);
}

/* ---- measures ---- */

unsigned tree_nr_nodes(const struct tree *t)
{
	unsigned nr = 0;

	for (unsigned i = 0; i < MAX_NODES; i++)
		nr += t->nodes[i].mode != 0;
	return nr;
}

unsigned tree_nr_entries(const struct tree *t)
{
	unsigned nr = 0;

	for (unsigned i = 0; i < MAX_ENTRIES; i++)
		nr += t->entries[i].node != NULL;
	return nr;
}

unsigned tree_nr_open(const struct tree *t)
{
	unsigned nr = 0;

	for (unsigned i = 0; i < MAX_NODES; i++)
		nr += t->nodes[i].mode && t->nodes[i].fd >= 0;
	return nr;
}

size_t tree_bytes(const struct tree *t)
{
	size_t bytes = 0;

	for (unsigned i = 0; i < MAX_NODES; i++)
		bytes += t->nodes[i].mode ? t->nodes[i].size : 0;
	return bytes;
}

unsigned tree_depth(const struct node *dir)
{
	unsigned depth = 0;

	for (; dir->self; dir = dir->self->dir)
		depth++;
	return depth;
}

bool tree_above(const struct node *n, const struct node *dir)
{
	while (dir != n && dir->self)
		dir = dir->self->dir;
	return dir == n;
}

/* Levels of directories, itself included; 0 for anything else. */
unsigned tree_height(struct tree *t, const struct node *n)
{
	unsigned height = 0;

	if (!S_ISDIR(n->mode))
		return 0;
	for (unsigned i = 0; i < MAX_NODES; i++) {
		const struct node *d = &t->nodes[i];
		unsigned levels;

		if (!S_ISDIR(d->mode) || !tree_above(n, d))
			continue;
		levels = tree_depth(d) - tree_depth(n) + 1;
		height = levels > height ? levels : height;
	}
	return height;
}
