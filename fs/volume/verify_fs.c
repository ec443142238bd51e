/* SPDX-License-Identifier: BSD-3-Clause */
/* zsfs_verify(): every invariant of the file system, checked from the root. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "content/block_table.h"
#include "content/slot.h"
#include "state/counters.h"
#include "state/inode.h"
#include "state/snapshot.h"
#include "state/threads.h"
#include "state/zsfs.h"
#include "tree/dentry.h"
#include "verify_fs.h"

/* A growing array of numbers, to sort and compare. */
struct numbers {
	uint64_t *v;
	size_t n, room;
};

struct check {
	struct zsfs *fs;
	char *msg;
	size_t size;
	struct numbers links;	/* ino of each entry's inode */
	struct numbers subdirs; /* ino of the directory, one per subdirectory */
	struct numbers gens;	/* of each inode that is not being reaped */
	uint8_t *handles;	/* bitmap: each handle a slot names */
	size_t handle_max;	/* bytes of it */
	uint64_t nr_handles;
	uint64_t slabs[SLAB_NR_CACHES]; /* objects found, by cache */
	int64_t stat[ST_NR];
	uint64_t objects, payload, raw; /* of the blocks */
	bool gently;			/* give up when a request waits */
};

static int gone_on_long_enough(const struct check *c)
{
	return c->gently && __atomic_load_n(&c->fs->kept_waiting,
					    __ATOMIC_RELAXED)
		       ? -EAGAIN
		       : 0;
}

/* The same for the pool's check. */
static int asked_to_stop(const void *check)
{
	return gone_on_long_enough(check);
}

static int fail(struct check *c, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static int fail(struct check *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(c->msg, c->size, fmt, ap);
	va_end(ap);
	return -EUCLEAN;
}

static int add_number(struct numbers *a, uint64_t x)
{
	if (a->n == a->room) {
		size_t room = a->room ? a->room * 2 : 1024;
		uint64_t *v = realloc(a->v, room * sizeof(*v));

		if (!v)
			return -ENOMEM;
		a->v = v;
		a->room = room;
	}
	a->v[a->n++] = x;
	return 0;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void sort_numbers(struct numbers *a)
{
	if (a->n)
		qsort(a->v, a->n, sizeof(a->v[0]), by_value);
}

/* How often @x is in the sorted array. */
static uint64_t count_number(const struct numbers *a, uint64_t x)
{
	size_t lo = 0, hi = a->n, first;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (a->v[mid] < x)
			lo = mid + 1;
		else
			hi = mid;
	}
	first = lo;
	while (lo < a->n && a->v[lo] == x)
		lo++;
	return lo - first;
}

static void count_slab(struct check *c, size_t size)
{
	c->slabs[slab_cache_for(size)]++;
}

/* ---- one inode ---- */

static int count_node(uint64_t node, unsigned order, void *arg)
{
	count_slab(arg, sizeof(uint64_t) << order);
	return gone_on_long_enough(arg);
}

static int check_table(struct check *c, const struct zinode *i,
		       const struct ztable *t)
{
	int err = table_for_each_node(t, count_node, c);

	if (err == -EUCLEAN)
		return fail(c, "inode %lu: a table counts wrong",
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
		return fail(c, "handle %u is named twice", handle);
	c->handles[handle / 8] |= bit;
	c->nr_handles++;
	return 0;
}

static int check_slot(struct check *c, const struct zinode *i, uint64_t block,
		      uint64_t slot)
{
	struct zs_obj_info info;

	if (slot_kind(slot) == SLOT_UNKNOWN)
		return fail(c, "inode %lu block %lu: slot %lx", inode_number(i),
			    block, slot);
	if (slot_kind(slot) != SLOT_OBJECT) {
		c->stat[ST_SAME]++;
		return 0;
	}
	if (!zs_obj_info(c->fs->pool, slot_handle(slot), &info))
		return fail(c, "inode %lu block %lu: handle %u is not live",
			    inode_number(i), block, slot_handle(slot));
	c->objects++;
	c->payload += info.size;
	c->raw += info.tag == ZCOMP_RAW;
	/* Nothing shares objects. */
	if (info.refs != 1)
		return fail(
			c, "inode %lu block %lu: handle %u is owned %u times",
			inode_number(i), block, slot_handle(slot), info.refs);
	return name_handle(c, slot_handle(slot));
}

/*
 * Is it a block of zeros that takes room? An allocation that is under way, or
 * that did not end, has such behind the end of the file (allocate.c).
 */
static bool is_reserved(const struct check *c, uint64_t slot)
{
	static const uint8_t zeros[ZSFS_BLOCK_SIZE];
	struct zs_obj_info info;

	return slot_kind(slot) == SLOT_OBJECT &&
	       zs_obj_info(c->fs->pool, slot_handle(slot), &info) &&
	       info.tag == ZCOMP_RAW && info.size == ZSFS_BLOCK_SIZE &&
	       info.word == zcomp_checksum(zeros);
}

/* @bytes: what its objects are found to hold. */
static int check_stored(struct check *c, const struct zinode *i, bool reaping,
			int64_t bytes)
{
	if (reaping)
		c->stat[ST_REAP_BYTES] += (int64_t)i->file.stored;
	if (i->file.stored_about || i->file.stored == (uint64_t)bytes)
		return 0;
	return fail(c, "inode %lu: stores %lu bytes, counted %ld",
		    inode_number(i), i->file.stored, bytes);
}

static int check_file(struct check *c, const struct zinode *i, bool reaping)
{
	uint64_t before = c->payload;
	struct table_cursor at = table_cursor(&i->file.blocks);
	uint64_t idx = 0, slot, n = 0;
	uint64_t end = (i->size + ZSFS_BLOCK_SIZE - 1) >> ZSFS_BLOCK_SHIFT;
	int err = check_table(c, i, &i->file.blocks);

	for (; !err && table_next_at(&at, &idx, &slot); idx++, n++) {
		err = check_slot(c, i, idx, slot);
		if (!err && n % 64 == 0)
			err = gone_on_long_enough(c);
		if (!err && !reaping && idx >= end && !is_reserved(c, slot))
			err = fail(c, "inode %lu: block %lu behind its end",
				   inode_number(i), idx);
	}
	if (!err)
		err = check_stored(c, i, reaping,
				   (int64_t)(c->payload - before));
	if (err || reaping)
		return err;
	c->stat[ST_BLOCKS] += (int64_t)n;
	if (n != i->blocks)
		return fail(c, "inode %lu: %lu blocks, counted %lu",
			    inode_number(i), i->blocks, n);
	return 0;
}

static int check_entry(struct check *c, const struct zinode *dir,
		       const struct dentry *d)
{
	const struct zinode *i = inode_at(d->ino);
	int err;

	count_slab(c, sizeof(*d) + d->name_len);
	if (!inode_valid(c->fs, i))
		return fail(c, "directory %lu: entry %.*s leads nowhere",
			    inode_number(dir), d->name_len, d->name);
	if (d->type != (i->mode & S_IFMT) >> 12)
		return fail(c, "directory %lu: entry %.*s has a wrong type",
			    inode_number(dir), d->name_len, d->name);
	err = add_number(&c->links, d->ino);
	if (err || !S_ISDIR(i->mode))
		return err;
	if (i->dir.parent != inode_ino(dir))
		return fail(c, "directory %lu: its parent is not %lu",
			    inode_number(i), inode_number(dir));
	return add_number(&c->subdirs, inode_ino(dir));
}

static int check_directory(struct check *c, const struct zinode *dir)
{
	const struct dentry *d;
	int err = dentry_verify(c->fs, dir, c->msg, c->size);

	if (!err)
		err = check_table(c, dir, &dir->dir.entries);
	if (!err)
		err = check_table(c, dir, &dir->dir.buckets);
	for (d = dentry_next(dir, 0); !err && d;
	     d = dentry_next(dir, d->cookie + 1))
		err = check_entry(c, dir, d);
	return err;
}

/* What an inode has for all its life. */
static int check_identity(struct check *c, const struct zinode *i)
{
	if (i->gen == 0 || i->gen > c->fs->super->last_gen)
		return fail(c, "inode at %p: its number is %lu",
			    (const void *)i, i->gen);
	if (i->btime.nsec > 999999999)
		return fail(c, "inode %lu: born at no time", i->gen);
	return add_number(&c->gens, i->gen);
}

static int check_inode(void *obj, void *arg)
{
	const struct zinode *i = obj;
	struct check *c = arg;
	bool reaping = i->nlink == 0 && i->nlookup == 0;
	int err = 0;

	c->slabs[SLAB_RECORD]++;
	if (gone_on_long_enough(c))
		return -EAGAIN;
	if (i->magic != INODE_MAGIC)
		return fail(c, "inode %lu: bad magic", inode_number(i));
	c->stat[reaping ? ST_REAPING : ST_INODES]++;
	if (!reaping)
		err = check_identity(c, i);
	if (err)
		return err;
	if (S_ISREG(i->mode))
		return check_file(c, i, reaping);
	if (S_ISDIR(i->mode))
		return check_directory(c, i);
	if (S_ISLNK(i->mode))
		count_slab(c, i->size + 1);
	return 0;
}

/* ---- totals ---- */

static int check_numbers(struct check *c)
{
	for (size_t k = 1; k < c->gens.n; k++)
		if (c->gens.v[k] == c->gens.v[k - 1])
			return fail(c, "two inodes have number %lu",
				    c->gens.v[k]);
	return 0;
}

static int check_links(void *obj, void *arg)
{
	const struct zinode *i = obj;
	struct check *c = arg;
	uint64_t names = count_number(&c->links, inode_ino(i));
	uint64_t want = names;
	bool root = (uint64_t)(uintptr_t)i == c->fs->super->root;

	if (S_ISDIR(i->mode) && (names || root))
		want = 2 + count_number(&c->subdirs, inode_ino(i));
	if (S_ISDIR(i->mode) && names > 1)
		return fail(c, "directory %lu has %lu names", inode_number(i),
			    names);
	if (i->nlink != want)
		return fail(c, "inode %lu: %u links, counted %lu",
			    inode_number(i), i->nlink, want);
	return 0;
}

static int check_reachable(void *obj, void *arg)
{
	const struct zinode *i = obj;
	struct check *c = arg;
	uint64_t root = c->fs->super->root;

	if (!S_ISDIR(i->mode) || !i->nlink)
		return 0;
	for (uint64_t n = 0; (uint64_t)(uintptr_t)i != root; n++) {
		if (n > c->slabs[SLAB_RECORD])
			return fail(c, "directory %lu is not under the root",
				    inode_number(obj));
		i = inode_at(i->dir.parent);
	}
	return 0;
}

/* @addr is on the reap list or in a slot: it must be an inode that ended. */
static int check_ended(struct check *c, uint64_t addr)
{
	const struct zinode *i = (const struct zinode *)(uintptr_t)addr;

	if (slab_record_valid(c->fs->arena, i) && i->nlink == 0 &&
	    i->nlookup == 0)
		return 0;
	return fail(c, "inode %lu is being freed, but in use", inode_number(i));
}

/* What nothing holds any more is where it will be freed. */
static int check_reaping(struct check *c)
{
	uint64_t at = c->fs->super->reap_head;
	int64_t n = 0;
	int err = 0;

	for (unsigned k = 0; !err && k < c->fs->nr_threads; k++) {
		uint64_t own = c->fs->threads[k].slot->reap;

		if (own)
			err = check_ended(c, own);
		n += own != 0;
	}
	for (; !err && at && n <= c->stat[ST_REAPING]; n++) {
		err = check_ended(c, at);
		at = ((const struct zinode *)(uintptr_t)at)->reap_next;
	}
	if (!err && n != c->stat[ST_REAPING])
		return fail(c,
			    "%ld inodes are held by nothing, %ld to be freed",
			    c->stat[ST_REAPING], n);
	return err;
}

static int check_handles(struct check *c)
{
	struct zs_pool_stats ps;

	zs_pool_get_stats(c->fs->pool, &ps);
	if (ps.objs_used != c->nr_handles)
		return fail(c, "pool has %lu objects, files name %lu",
			    ps.objs_used, c->nr_handles);
	return 0;
}

static int check_slabs(struct check *c)
{
	struct arena_stats as;

	arena_get_stats(c->fs->arena, &as);
	for (unsigned k = 0; k < SLAB_NR_CACHES; k++)
		if (as.slab_objs[k] != c->slabs[k])
			return fail(c, "slab %u has %lu objects, found %lu", k,
				    as.slab_objs[k], c->slabs[k]);
	return 0;
}

static int check_snapshots(struct check *c)
{
	struct arena_stats as;
	uint64_t pages;
	const char *wrong = snapshot_verify(c->fs, &pages);

	if (wrong)
		return fail(c, "%s", wrong);
	arena_get_stats(c->fs->arena, &as);
	if (as.pages[ARENA_PAGE_DATA] != pages)
		return fail(c, "%lu pages of plain data, snapshots have %lu",
			    as.pages[ARENA_PAGE_DATA], pages);
	return 0;
}

/* Only blocks are kept as objects. */
static int check_objects(struct check *c)
{
	struct zs_pool_stats st;

	zs_pool_get_stats(c->fs->pool, &st);
	if (st.objs_used != c->objects || st.payload != c->payload ||
	    st.huge_objs != c->raw)
		return fail(c,
			    "the pool counts %lu objects of %lu bytes, %lu raw;"
			    " found %lu of %lu, %lu",
			    st.objs_used, st.payload, st.huge_objs, c->objects,
			    c->payload, c->raw);
	return 0;
}

static int check_totals(struct check *c)
{
	static const char *const names[] = {
		[ST_BLOCKS] = "blocks",
		[ST_INODES] = "inodes",
		[ST_SAME] = "same-filled blocks",
		[ST_REAPING] = "inodes being freed",
		[ST_REAP_BYTES] = "bytes being freed",
	};

	for (unsigned k = 0; k <= ST_REAP_BYTES; k++) {
		int64_t sum = zsfs_stat_sum(c->fs, k);

		if (sum != c->stat[k])
			return fail(c, "%s: %ld by count, found %ld", names[k],
				    sum, c->stat[k]);
	}
	if (c->fs->used_blocks != c->stat[ST_BLOCKS] ||
	    c->fs->used_inodes != c->stat[ST_INODES])
		return fail(c, "limits count %ld blocks and %ld inodes",
			    c->fs->used_blocks, c->fs->used_inodes);
	return 0;
}

static int check_slots(struct check *c)
{
	for (unsigned k = 0; k < c->fs->nr_threads; k++)
		if (c->fs->threads[k].slot->state != TX_IDLE)
			return fail(c, "slot %u is not at rest", k);
	return 0;
}

static int check_all(struct check *c)
{
	struct arena *a = c->fs->arena;
	int err = check_slots(c);

	if (!err)
		err = slab_for_each_record(a, check_inode, c);
	sort_numbers(&c->links);
	sort_numbers(&c->subdirs);
	sort_numbers(&c->gens);
	if (!err)
		err = check_numbers(c);
	if (!err)
		err = slab_for_each_record(a, check_links, c);
	if (!err)
		err = slab_for_each_record(a, check_reachable, c);
	if (!err)
		err = check_reaping(c);
	if (!err)
		err = check_totals(c);
	if (!err)
		err = check_objects(c);
	if (!err)
		err = check_slabs(c);
	if (!err)
		err = check_handles(c);
	if (!err)
		err = check_snapshots(c);
	if (!err)
		err = zs_pool_verify_until(c->fs->pool, asked_to_stop, c,
					   c->msg, c->size);
	if (!err)
		err = arena_verify(a, c->msg, c->size);
	return err;
}

static int check_and_free(struct check *c)
{
	int err = check_all(c);

	if (err == -ENOMEM)
		snprintf(c->msg, c->size, "no memory for the check");
	free(c->links.v);
	free(c->subdirs.v);
	free(c->gens.v);
	free(c->handles);
	return err;
}

/* ---- on a live file system ---- */

int zsfs_verify_live(struct zsfs *fs, bool gently, char *msg, size_t size)
{
	struct check c = {.fs = fs, .msg = msg, .size = size, .gently = gently};
	int err;

	if (!zsfs_keep_out(fs))
		return -EBUSY;
	err = check_and_free(&c);
	zsfs_let_in(fs);
	return err;
}

int zsfs_verify(struct zsfs *fs, char *msg, size_t size)
{
	struct check c = {.fs = fs, .msg = msg, .size = size};

	return check_and_free(&c);
}
