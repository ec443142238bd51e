/* SPDX-License-Identifier: BSD-3-Clause */
/* Comparing a file system in an arena with a model (see compare.h). */
#include "compare.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "content/slot.h"
#include "content/xattr_set.h"
#include "state/snapshot.h"
#include "control/vfile.h"
#include "state/zsfs.h"
#include "state/inode.h"
#include "state/counters.h"
#include "tree/dentry.h"
#include "content/block_table.h"

struct compare {
	struct zsfs *fs;
	const struct model *m;
	char *msg;
	size_t size;
};

static int differs(const struct compare *c, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static int differs(const struct compare *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(c->msg, c->size, fmt, ap);
	va_end(ap);
	return -1;
}

/* ---- one inode ---- */

/* A time the clock set is not known, only that it is no nonsense. */
static bool time_is(const struct timespec *ts, int64_t want)
{
	if (ts->tv_nsec < 0 || ts->tv_nsec > 999999999)
		return false;
	if (want == MODEL_ANY_TIME)
		return true;
	return want < 0 ? ts->tv_sec > 1000000000 : ts->tv_sec == want;
}

const char *compare_stat(const struct minode *i, const struct stat *st)
{
	uint64_t size = i->size;

	if (S_ISDIR(i->mode))
		size = i->nr_entries * DIRENT_SIZE;
	if (i->number && st->st_ino != i->number)
		return "number";
	if (st->st_mode != i->mode)
		return "mode";
	if (st->st_nlink != i->nlink)
		return "links";
	if (st->st_uid != i->uid || st->st_gid != i->gid)
		return "owner";
	if (st->st_rdev != i->rdev)
		return "device";
	if ((uint64_t)st->st_size != size)
		return "size";
	if ((uint64_t)st->st_blocks != i->nr_blocks * (MODEL_BLOCK / 512))
		return "blocks";
	if (!time_is(&st->st_atim, i->atime))
		return "atime";
	if (!time_is(&st->st_mtim, i->mtime))
		return "mtime";
	if (!time_is(&st->st_ctim, MODEL_CLOCK))
		return "ctime";
	return NULL;
}

static int compare_attributes(const struct compare *c, const struct minode *i,
			      const struct zinode *zi)
{
	const char *what;
	struct stat st;

	inode_stat(zi, &st);
	what = compare_stat(i, &st);
	if (!what && (zi->sec[INODE_BTIME] < 1000000000 ||
		      zi->nsec[INODE_BTIME] > 999999999))
		what = "birth";
	if (!what && (zi->flags & ~(INODE_HAS_ROOM | INODE_HAS_DENSE |
				    INODE_HAS_HOT | INODE_HAS_NEW)) != i->flags)
		what = "flags";
	if (!what && i->id != MODEL_ROOT && zi->nlookup != i->nlookup)
		what = "lookups";
	if (!what)
		return 0;
	return differs(
		c,
		"inode %u: %s: mode %o links %u owner %u:%u size %" PRIu64
		" blocks %" PRIu64 " lookups %" PRIu64
		", should be %o %u %u:%u %" PRIu64 " %zu %" PRIu64,
		i->id, what, zi->mode, zi->nlink, zi->uid, zi->gid, zi->size,
		zi->blocks, zi->nlookup, i->mode, i->nlink, i->uid, i->gid,
		i->size, i->nr_blocks, i->nlookup);
}

static int compare_block(const struct compare *c, const struct minode *i,
			 struct slot_of of, const uint8_t *want)
{
	struct zsfs_thread *th = zsfs_background(c->fs);
	uint8_t buf[MODEL_BLOCK];
	unsigned at = 0;
	uint64_t index = of.block;
	int err = slot_read(c->fs, th->at, th->zc, of, buf);

	if (err)
		return differs(c, "inode %u block %" PRIu64 ": read: %s", i->id,
			       index, strerror(-err));
	if (!memcmp(buf, want, sizeof(buf)))
		return 0;
	while (buf[at] == want[at])
		at++;
	return differs(c,
		       "inode %u block %" PRIu64
		       ": byte %u is %02x, should be %02x",
		       i->id, index, at, buf[at], want[at]);
}

static int compare_room(const struct compare *c, const struct minode *i,
			const struct mblock *b, uint64_t slot)
{
	if (slot_has_room(slot) == b->room &&
	    (slot_kind(slot) == SLOT_ROOM) == b->hole)
		return 0;
	return differs(c,
		       "inode %u block %" PRIu64 ": slot %" PRIx64
		       " has%s room, should%s",
		       i->id, b->index, slot, slot_has_room(slot) ? "" : " no",
		       b->room ? "" : " not");
}

static int compare_file(const struct compare *c, const struct minode *i,
			const struct zinode *zi)
{
	uint64_t index = 0, slot;

	for (size_t k = 0; k < i->nr_blocks; k++, index++) {
		const struct mblock *b = &i->blocks[k];
		int err;

		if (!table_next(&zi->file.blocks, &index, &slot) ||
		    index != b->index)
			return differs(c, "inode %u: no block %" PRIu64, i->id,
				       b->index);
		err = compare_block(c, i, (struct slot_of){zi, index, slot},
				    b->data);
		if (!err)
			err = compare_room(c, i, b, slot);
		if (err)
			return err;
	}
	if (table_next(&zi->file.blocks, &index, &slot))
		return differs(c, "inode %u: block %" PRIu64 " is no hole",
			       i->id, index);
	return 0;
}

static int compare_symlink(const struct compare *c, const struct minode *i,
			   const struct zinode *zi)
{
	const char *target = slab_addr(zi->link.target);

	if (zi->size == strlen(i->target) && !strcmp(target, i->target))
		return 0;
	return differs(c, "inode %u: wrong target", i->id);
}

static int count_xattr(const struct xattr *x, void *arg)
{
	++*(size_t *)arg;
	return 0;
}

static int compare_xattrs(const struct compare *c, const struct minode *i,
			  const struct zinode *zi)
{
	size_t n = 0;

	for (size_t k = 0; k < i->nr_xattrs; k++) {
		const struct mxattr *want = &i->xattrs[k];
		struct xattr x;

		if (!xattr_find(zi, want->name, &x))
			return differs(c, "inode %u: no attribute %.40s", i->id,
				       want->name);
		if (x.size != want->size ||
		    memcmp(x.value, want->value, x.size))
			return differs(c, "inode %u: attribute %.40s", i->id,
				       want->name);
	}
	xattr_for_each(zi, count_xattr, &n);
	if (n == i->nr_xattrs)
		return 0;
	return differs(c, "inode %u: %zu attributes, should be %zu", i->id, n,
		       i->nr_xattrs);
}

/* ---- the tree ---- */

static int compare_entry(const struct compare *c, const struct minode *dir,
			 const struct mentry *e, const struct dentry *d)
{
	const struct minode *i = model_get(c->m, e->id);
	uint64_t nodeid = inode_nodeid(c->fs, inode_at(d->ino));

	if (d->name_len != strlen(e->name) ||
	    memcmp(d->name, e->name, d->name_len))
		return differs(c, "directory %u: name %.*s, should be %s",
			       dir->id, d->name_len, d->name, e->name);
	if (d->type != (i->mode & S_IFMT) >> 12)
		return differs(c, "directory %u: %s: type %u", dir->id, e->name,
			       d->type);
	if (i->nodeid != nodeid)
		return differs(c,
			       "directory %u: %s: nodeid %" PRIu64
			       ", should be %" PRIu64,
			       dir->id, e->name, nodeid, i->nodeid);
	return 0;
}

static int compare_directory(const struct compare *c, const struct minode *i,
			     const struct zinode *zi)
{
	const struct dentry *d = dentry_next(zi, 0);

	for (size_t k = 0; k < i->nr_entries; k++) {
		int err;

		if (!d)
			return differs(c, "directory %u: %s is missing", i->id,
				       i->entries[k].name);
		err = compare_entry(c, i, &i->entries[k], d);
		if (err)
			return err;
		d = dentry_next(zi, d->cookie + 1);
	}
	if (d)
		return differs(c, "directory %u: %.*s should not be there",
			       i->id, d->name_len, d->name);
	return 0;
}

static int compare_inode(const struct compare *c, const struct minode *i)
{
	const struct zinode *zi = inode_resolve(c->fs, i->nodeid);
	int err;

	if (!zi)
		return differs(c, "inode %u: nodeid %" PRIu64 " is not in use",
			       i->id, i->nodeid);
	err = compare_attributes(c, i, zi);
	if (!err)
		err = compare_xattrs(c, i, zi);
	if (err)
		return err;
	if (S_ISREG(i->mode))
		return compare_file(c, i, zi);
	if (S_ISDIR(i->mode))
		return compare_directory(c, i, zi);
	if (S_ISLNK(i->mode))
		return compare_symlink(c, i, zi);
	return 0;
}

int compare_trees(struct zsfs *fs, const struct model *m, char *msg,
		  size_t size)
{
	struct compare c = {.fs = fs, .m = m, .msg = msg, .size = size};
	int err = 0;

	/*
	 * Every inode by its nodeid, each directory's names on the way: with
	 * the names leading to the right inodes the trees are the same.
	 */
	for (unsigned id = 0; !err && id < m->nr_ids; id++)
		if (m->inodes[id])
			err = compare_inode(&c, m->inodes[id]);
	return err;
}

/* ---- totals ---- */

static int compare_snapshots(const struct compare *c)
{
	size_t n = 0;

	for (uint64_t a = c->fs->super->snap_head; a; n++)
		a = ((const struct snapshot *)(uintptr_t)a)->next;
	if (n != c->m->nr_snaps)
		return differs(c, "%zu snapshots, should be %zu", n,
			       c->m->nr_snaps);
	for (size_t k = 0; k < c->m->nr_snaps; k++) {
		const char *text;
		size_t len;

		if (vfile_text(c->fs, c->m->snaps[k], &text, &len) ||
		    (len > 0 && text[len - 1] != '\n'))
			return differs(c, "snapshot %zu is gone", k);
	}
	return 0;
}

int compare_totals(struct zsfs *fs, const struct model *m, char *msg,
		   size_t size)
{
	struct compare c = {.fs = fs, .m = m, .msg = msg, .size = size};
	uint64_t blocks = (uint64_t)zsfs_stat_sum(fs, ST_BLOCKS);
	uint64_t inodes = (uint64_t)zsfs_stat_sum(fs, ST_INODES);

	if (blocks != m->used_blocks || (uint64_t)fs->used_blocks != blocks)
		return differs(&c,
			       "%" PRIu64 " blocks, %" PRId64
			       " for the limit, should be %" PRIu64,
			       blocks, fs->used_blocks, m->used_blocks);
	if (inodes != m->used_inodes || (uint64_t)fs->used_inodes != inodes)
		return differs(&c,
			       "%" PRIu64 " inodes, %" PRId64
			       " for the limit, should be %" PRIu64,
			       inodes, fs->used_inodes, m->used_inodes);
	return compare_snapshots(&c);
}
