/* SPDX-License-Identifier: BSD-3-Clause */
/* One inode, with its tables, blocks and entries (see verify_fs.h). */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "content/block_table.h"
#include "content/slot.h"
#include "content/xattr_set.h"
#include "state/inode.h"
#include "tree/dentry.h"
#include "verify_i.h"

int verify_stop(const struct check *c)
{
	return c->gently && __atomic_load_n(&c->fs->kept_waiting,
					    __ATOMIC_RELAXED)
		       ? -EAGAIN
		       : 0;
}

int verify_fail(struct check *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(c->msg, c->size, fmt, ap);
	va_end(ap);
	return -EUCLEAN;
}

void verify_count_slab(struct check *c, size_t size)
{
	c->slabs[slab_cache_for(size)]++;
}

/* Is anything of the @size bytes at @p of interest to the check? */
static bool is_wanted(const struct check *c, const void *p, size_t size)
{
	const struct numbers *t = c->touched;
	uint64_t addr = (uint64_t)(uintptr_t)p;
	size_t k;

	if (!t)
		return true;
	k = numbers_find(t, addr);
	return k < t->n && t->v[k] - addr < size;
}

static int count_node(const struct table_node *node, void *arg)
{
	size_t size = sizeof(uint64_t) << node->order;

	if (node->level)
		verify_count_slab(arg, size);
	if (node->level == 1 && !is_wanted(arg, node->slots, size) &&
	    !is_wanted(arg, node->link, sizeof(*node->link)))
		return TABLE_SKIP;
	return verify_stop(arg);
}

/* @err of looking at all nodes of a table of @i. */
static int table_checked(struct check *c, const struct zinode *i, int err)
{
	/* Who finds more than a wrong count says what. */
	if (err == -EUCLEAN && !*c->msg)
		return verify_fail(c, "inode %" PRIu64 ": a table counts wrong",
				   inode_number(i));
	return err;
}

static int name_handle(struct check *c, uint32_t handle)
{
	uint8_t bit = (uint8_t)(1u << handle % 8);

	if (handle / 8 >= c->handle_max) {
		size_t room = handle / 8 * 2 + 1024;
		uint8_t *map = realloc(c->handles, room);

		if (!map)
			return -ENOMEM;
		memset(map + c->handle_max, 0, room - c->handle_max);
		c->handles = map;
		c->handle_max = room;
	}
	if (c->handles[handle / 8] & bit)
		return verify_fail(c, "handle %u is named twice", handle);
	c->handles[handle / 8] |= bit;
	c->nr_handles++;
	return 0;
}

static int count_room(struct check *c, const struct zinode *i, uint64_t block)
{
	c->stat[ST_ROOM]++;
	if (i->flags & INODE_HAS_ROOM)
		return 0;
	return verify_fail(c,
			   "inode %" PRIu64 " block %" PRIu64
			   ": room in a file without",
			   inode_number(i), block);
}

int verify_object(struct check *c, const struct zinode *i, uint64_t block,
		  uint32_t handle, struct zs_obj_info *info)
{
	if (!zs_obj_info(c->fs->pool, handle, info))
		return verify_fail(c,
				   "inode %" PRIu64 " block %" PRIu64
				   ": handle %u is not live",
				   inode_number(i), block, handle);
	c->objects++;
	c->payload += info->size;
	c->raw += info->size >= c->fs->huge_size;
	/* Nothing shares objects. */
	if (info->refs != 1)
		return verify_fail(c,
				   "inode %" PRIu64 " block %" PRIu64
				   ": handle %u is owned %u times",
				   inode_number(i), block, handle, info->refs);
	return c->touched ? 0 : name_handle(c, handle);
}

/* @info: of a hot block's object. */
static int check_hot(struct check *c, const struct zinode *i, uint64_t block,
		     const struct zs_obj_info *info)
{
	const char *wrong = NULL;

	c->stat[ST_HOT]++;
	if (!(i->flags & INODE_HAS_HOT))
		wrong = "in a file without";
	else if (info->tag != ZCOMP_RAW || info->size != ZSFS_BLOCK_SIZE)
		wrong = "but not as it is";
	if (!wrong)
		return 0;
	return verify_fail(c, "inode %" PRIu64 " block %" PRIu64 ": hot, %s",
			   inode_number(i), block, wrong);
}

static int check_slot(struct check *c, const struct zinode *i, uint64_t block,
		      uint64_t slot)
{
	struct zs_obj_info info;
	int err;

	if (slot_kind(slot) == SLOT_UNKNOWN)
		return verify_fail(
			c, "inode %" PRIu64 " block %" PRIu64 ": slot %" PRIx64,
			inode_number(i), block, slot);
	if (slot_has_room(slot))
		return count_room(c, i, block);
	if (slot_kind(slot) == SLOT_DENSE)
		return verify_dense(c, i, block, slot);
	if (slot_kind(slot) == SLOT_OBJECT) {
		c->stat[ST_TRIED] += slot_is_tried(slot);
		err = verify_object(c, i, block, slot_handle(slot), &info);
		return err || !slot_is_hot(slot)
			       ? err
			       : check_hot(c, i, block, &info);
	}
	c->stat[ST_SAME]++;
	return 0;
}

/* @bytes: what its objects are found to hold, and blocks have room for. */
static int check_stored(struct check *c, const struct zinode *i, bool reaping,
			int64_t bytes)
{
	if (reaping)
		c->stat[ST_REAP_BYTES] += (int64_t)i->file.stored;
	if (i->file.blocks.mark || i->file.stored == (uint64_t)bytes)
		return 0;
	return verify_fail(c,
			   "inode %" PRIu64 ": stores %" PRIu64
			   " bytes, counted %" PRId64,
			   inode_number(i), i->file.stored, bytes);
}

/* What it has found so far of what struct zinode counts as stored. */
static uint64_t stored_so_far(const struct check *c)
{
	return c->payload + (uint64_t)c->stat[ST_ROOM] * ZSFS_BLOCK_SIZE;
}

/* A check that looks at an inode. */
struct look {
	struct check *c;
	const struct zinode *inode;
	bool reaping;
};

static int check_block(const struct look *l, uint64_t idx, uint64_t slot)
{
	const struct zinode *i = l->inode;
	uint64_t end = (i->size + ZSFS_BLOCK_SIZE - 1) >> ZSFS_BLOCK_SHIFT;
	int err = check_slot(l->c, i, idx, slot);

	if (err || l->reaping || idx < end || slot_kind(slot) == SLOT_ROOM)
		return err;
	return verify_fail(
		l->c, "inode %" PRIu64 ": block %" PRIu64 " behind its end",
		inode_number(i), idx);
}

/* The clusters that slots of a leaf name. */
static int check_clusters(const struct table_node *node, const struct look *l)
{
	unsigned width = 1u << node->order;
	int err = 0;

	for (unsigned k = 0; !err && k < width; k += CLUSTER_BLOCKS)
		err = verify_cluster(
			l->c, l->inode, node->first + k, node->slots + k,
			width < CLUSTER_BLOCKS ? width : CLUSTER_BLOCKS);
	return err;
}

static int check_blocks(const struct table_node *node, void *look)
{
	const struct look *l = look;
	int err = count_node(node, l->c);

	for (unsigned k = 0; !err && node->level <= 1 && k < 1u << node->order;
	     k++)
		if (node->slots[k])
			err = check_block(l, node->first + k, node->slots[k]);
	return err || node->level > 1 ? err : check_clusters(node, l);
}

static int check_file(struct check *c, const struct zinode *i, bool reaping)
{
	struct look l = {c, i, reaping};
	uint64_t before = stored_so_far(c), n;
	int err = table_for_each_node(c->fs->arena, &i->file.blocks,
				      check_blocks, &l);

	err = table_checked(c, i, err);
	if (!err && i->size > INT64_MAX)
		return verify_fail(c, "inode %" PRIu64 ": size %" PRIu64,
				   inode_number(i), i->size);
	if (!err && !c->touched)
		err = check_stored(c, i, reaping,
				   (int64_t)(stored_so_far(c) - before));
	if (err || reaping)
		return err;
	n = table_count(&i->file.blocks, 0);
	c->stat[ST_BLOCKS] += (int64_t)n;
	if (n != i->blocks)
		return verify_fail(c,
				   "inode %" PRIu64 ": %" PRIu64
				   " blocks, counted %" PRIu64,
				   inode_number(i), i->blocks, n);
	return 0;
}

static int check_entry(struct check *c, const struct zinode *dir,
		       const struct dentry *d)
{
	const struct zinode *i = inode_at(d->ino);
	int err;

	verify_count_slab(c, sizeof(*d) + d->name_len);
	if (!inode_valid(c->fs, i))
		return verify_fail(
			c, "directory %" PRIu64 ": entry %.*s leads nowhere",
			inode_number(dir), d->name_len, d->name);
	if (d->type != (i->mode & S_IFMT) >> 12)
		return verify_fail(
			c, "directory %" PRIu64 ": entry %.*s has a wrong type",
			inode_number(dir), d->name_len, d->name);
	err = numbers_add(&c->links, d->ino);
	if (err || !S_ISDIR(i->mode))
		return err;
	if (i->parent != inode_ino(dir))
		return verify_fail(
			c, "directory %" PRIu64 ": its parent is not %" PRIu64,
			inode_number(i), inode_number(dir));
	return numbers_add(&c->subdirs, inode_ino(dir));
}

static int check_entries(const struct table_node *node, void *look)
{
	const struct look *l = look;
	struct check *c = l->c;
	int err = count_node(node, c);

	for (unsigned k = 0; !err && node->level <= 1 && k < 1u << node->order;
	     k++) {
		const struct dentry *d =
			(const struct dentry *)(uintptr_t)node->slots[k];

		/* The inodes that entries lead to are not locked with it. */
		if (d && c->touched)
			err = dentry_verify_entry(c->fs, l->inode, d,
						  node->first + k, c->msg,
						  c->size);
		else if (d)
			err = check_entry(c, l->inode, d);
	}
	return err;
}

/* Only that it is there. */
static int look_on(const struct table_node *node, void *check)
{
	const struct check *c = check;

	return c->touched && node->level == 1 ? TABLE_SKIP : verify_stop(check);
}

/* What looks up names goes through both tables, so first that it can. */
static int check_directory(struct check *c, const struct zinode *dir)
{
	const struct ztable *entries = &dir->dir.entries;
	struct look l = {c, dir, false};
	int err = table_for_each_node(c->fs->arena, &dir->dir.buckets,
				      count_node, c);

	if (!err)
		err = table_for_each_node(c->fs->arena, entries, look_on, c);
	if (!err)
		err = c->touched ? dentry_verify_counts(dir, c->msg, c->size)
				 : dentry_verify(c->fs, dir, c->msg, c->size);
	if (!err)
		err = table_for_each_node(c->fs->arena, entries, check_entries,
					  &l);
	return table_checked(c, dir, err);
}

static bool has_mode(const struct zinode *i)
{
	switch (i->mode & S_IFMT) {
	case S_IFREG:
	case S_IFDIR:
	case S_IFLNK:
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
	case S_IFSOCK:
		return true;
	default:
		return false;
	}
}

/* What an inode has for all its life, and its flags. */
static int check_identity(struct check *c, const struct zinode *i)
{
	if (i->gen == 0 ||
	    i->gen > __atomic_load_n(&c->fs->super->last_gen, __ATOMIC_RELAXED))
		return verify_fail(c, "inode at %p: its number is %" PRIu64,
				   (const void *)i, i->gen);
	if (i->flags & INODE_NAMELESS && (i->nlink || !S_ISREG(i->mode)))
		return verify_fail(c, "inode %" PRIu64 ": has never had a name",
				   i->gen);
	if (!has_mode(i))
		return verify_fail(c, "inode %" PRIu64 ": mode %o", i->gen,
				   i->mode);
	if (inode_time(i, INODE_BTIME).nsec > 999999999)
		return verify_fail(c, "inode %" PRIu64 ": born at no time",
				   i->gen);
	if (i->flags & ~(INODE_FLAGS | INODE_NAMELESS | INODE_HAS_ROOM |
			 INODE_HAS_DENSE | INODE_HAS_HOT | INODE_HAS_NEW))
		return verify_fail(c, "inode %" PRIu64 ": flags %x", i->gen,
				   i->flags);
	return c->touched ? 0 : numbers_add(&c->gens, i->gen);
}

static void count_xattr(uint64_t ref, size_t size, void *arg)
{
	struct check *c = arg;

	if (REF_KIND(ref) == REF_SLAB)
		verify_count_slab(c, size);
	else
		c->data_pages += (size + ARENA_PAGE_SIZE - 1) / ARENA_PAGE_SIZE;
}

static int check_xattrs(struct check *c, const struct zinode *i)
{
	const char *wrong = xattr_verify(c->fs->arena, i, count_xattr, c);

	if (!wrong && !c->touched)
		wrong = xattr_verify_names(i);
	if (!wrong)
		return 0;
	return verify_fail(c, "inode %" PRIu64 ": %s", inode_number(i), wrong);
}

static int check_symlink(struct check *c, const struct zinode *i)
{
	uint64_t ref = i->link.target;

	if (REF_KIND(ref) != REF_SLAB || i->size >= ARENA_PAGE_SIZE ||
	    !arena_holds_slab(c->fs->arena, slab_addr(ref), i->size + 1))
		return verify_fail(c,
				   "inode %" PRIu64 ": its target is nowhere",
				   inode_number(i));
	verify_count_slab(c, i->size + 1);
	return 0;
}

int verify_inode(void *obj, void *arg)
{
	const struct zinode *i = obj;
	struct check *c = arg;
	bool reaping = i->nlink == 0 &&
		       __atomic_load_n(&i->nlookup, __ATOMIC_RELAXED) == 0;
	int err = 0;

	c->slabs[SLAB_RECORD]++;
	*c->msg = '\0';
	if (verify_stop(c))
		return -EAGAIN;
	if (i->magic != INODE_MAGIC)
		return verify_fail(c, "inode %" PRIu64 ": bad magic",
				   inode_number(i));
	c->stat[reaping ? ST_REAPING : ST_INODES]++;
	if (!reaping)
		err = check_identity(c, i);
	if (!err)
		err = check_xattrs(c, i);
	if (err)
		return err;
	if (S_ISREG(i->mode))
		return check_file(c, i, reaping);
	if (S_ISDIR(i->mode))
		return check_directory(c, i);
	return S_ISLNK(i->mode) ? check_symlink(c, i) : 0;
}
