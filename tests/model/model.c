/* SPDX-License-Identifier: BSD-3-Clause */
/* Model: inodes and their attributes. */
#include "model.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "state/inode.h"

static void *must(void *p)
{
	if (p)
		return p;
	fprintf(stderr, "model: no memory\n");
	abort();
}

struct minode *model_get(const struct model *m, unsigned id)
{
	return id < m->nr_ids ? m->inodes[id] : NULL;
}

unsigned model_by_nodeid(const struct model *m, uint64_t nodeid)
{
	for (unsigned id = 0; id < m->nr_ids; id++)
		if (m->inodes[id] && m->inodes[id]->nodeid == nodeid)
			return id;
	return MODEL_NO_ID;
}

static unsigned free_id(struct model *m)
{
	for (unsigned id = 0; id < m->nr_ids; id++)
		if (!m->inodes[id])
			return id;
	m->inodes = must(
		realloc(m->inodes, (m->nr_ids + 1) * sizeof(m->inodes[0])));
	m->inodes[m->nr_ids] = NULL;
	return m->nr_ids++;
}

unsigned model_new_inode(struct model *m, const struct mspec *spec)
{
	struct minode *i;

	if (m->max_inodes && m->used_inodes >= m->max_inodes)
		return MODEL_NO_ID;
	i = must(calloc(1, sizeof(*i)));
	i->id = free_id(m);
	i->mode = spec->mode;
	i->uid = spec->uid;
	i->gid = spec->gid;
	i->rdev = spec->rdev;
	i->atime = i->mtime = MODEL_CLOCK;
	if (S_ISLNK(spec->mode)) {
		i->target = must(strdup(spec->target));
		i->size = strlen(spec->target);
	}
	m->inodes[i->id] = i;
	m->used_inodes++;
	return i->id;
}

static void free_inode(struct model *m, struct minode *i)
{
	for (size_t k = 0; k < i->nr_blocks; k++)
		free(i->blocks[k].data);
	for (size_t k = 0; k < i->nr_entries; k++)
		free(i->entries[k].name);
	m->used_blocks -= i->nr_blocks;
	m->used_inodes--;
	m->inodes[i->id] = NULL;
	free(i->blocks);
	free(i->entries);
	free(i->target);
	model_free_xattrs(i);
	free(i);
}

void model_put(struct model *m, unsigned id)
{
	struct minode *i = model_get(m, id);

	if (i && i->nlink == 0 && i->nlookup == 0)
		free_inode(m, i);
}

struct model *model_new(uint32_t mode, uint32_t uid, uint32_t gid)
{
	struct model *m = must(calloc(1, sizeof(*m)));
	struct mspec spec = {.mode = S_IFDIR | mode, .uid = uid, .gid = gid};
	struct minode *root = model_get(m, model_new_inode(m, &spec));

	root->nodeid = 1;
	root->nlookup = 1;
	root->nlink = 2;
	return m;
}

void model_free(struct model *m)
{
	for (unsigned id = 0; id < m->nr_ids; id++)
		if (m->inodes[id])
			free_inode(m, m->inodes[id]);
	free(m->inodes);
	free(m->snaps);
	free(m);
}

void model_kill_priv(struct minode *i, bool stranger)
{
	i->mode &= ~(uint32_t)S_ISUID;
	if (stranger || i->mode & S_IXGRP)
		i->mode &= ~(uint32_t)S_ISGID;
}

static int set_size(struct model *m, struct minode *i, uint64_t size)
{
	if (S_ISDIR(i->mode))
		return -EISDIR;
	if (!S_ISREG(i->mode))
		return -EINVAL;
	if (size > INT64_MAX)
		return -EFBIG;
	model_truncate(m, i, size);
	return 0;
}

static bool may_setattr(const struct minode *i, unsigned set)
{
	const unsigned now = MSET_ATIME_NOW | MSET_MTIME_NOW;
	unsigned forbidden = INODE_IMMUTABLE | INODE_APPEND;

	if ((set & now) == now && !(set & (MSET_MODE | MSET_UID | MSET_GID)))
		forbidden = INODE_IMMUTABLE;
	return !(set & ~(MSET_KILL_PRIV | MSET_STRANGER)) ||
	       !(i->flags & forbidden);
}

int model_setflags(struct model *m, unsigned id, uint32_t flags)
{
	if (flags & ~INODE_FLAGS)
		return -EOPNOTSUPP;
	model_get(m, id)->flags =
		flags | (model_get(m, id)->flags & INODE_NAMELESS);
	return 0;
}

int model_setattr(struct model *m, unsigned id, const struct mattr *a)
{
	struct minode *i = model_get(m, id);
	bool dir = S_ISDIR(i->mode);

	if (!may_setattr(i, a->set))
		return -EPERM;
	if (a->set & MSET_SIZE) {
		int err = set_size(m, i, a->size);

		if (err)
			return err;
	}
	if (a->set & MSET_UID)
		i->uid = a->uid;
	if (a->set & MSET_GID)
		i->gid = a->gid;
	if ((a->set & (MSET_UID | MSET_GID)) && !dir)
		model_kill_priv(i, a->set & MSET_STRANGER);
	if (a->set & MSET_MODE) {
		i->mode = (i->mode & S_IFMT) | (a->mode & 07777);
		model_chmod_acl(i);
	}
	if ((a->set & MSET_KILL_PRIV) && !dir)
		model_kill_priv(i, a->set & MSET_STRANGER);
	if ((a->set & (MSET_UID | MSET_GID | MSET_SIZE | MSET_KILL_PRIV)) &&
	    !dir)
		model_kill_caps(i);
	if (a->set & MSET_ATIME)
		i->atime = a->atime;
	if (a->set & MSET_MTIME)
		i->mtime = a->mtime;
	if (a->set & MSET_ATIME_NOW)
		i->atime = MODEL_CLOCK;
	if (a->set & MSET_MTIME_NOW)
		i->mtime = MODEL_CLOCK;
	return 0;
}

int model_forget(struct model *m, unsigned id, uint64_t n)
{
	struct minode *i = model_get(m, id);

	if (id == MODEL_ROOT)
		return 0;
	i->nlookup -= n < i->nlookup ? n : i->nlookup;
	model_put(m, id);
	return 0;
}
