/* SPDX-License-Identifier: BSD-3-Clause */
/* zsfs_verify(): every invariant of the file system, checked from the root. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "state/counters.h"
#include "state/inode.h"
#include "state/snapshot.h"
#include "state/threads.h"
#include "state/zsfs.h"
#include "verify_fs.h"
#include "verify_i.h"

/* verify_stop() for the check of the pool. */
static int asked_to_stop(const void *check)
{
	return verify_stop(check);
}

/* ---- totals ---- */

static int check_numbers(struct check *c)
{
	for (size_t k = 1; k < c->gens.n; k++)
		if (c->gens.v[k] == c->gens.v[k - 1])
			return verify_fail(c, "two inodes have number %" PRIu64,
					   c->gens.v[k]);
	return 0;
}

static int check_links(void *obj, void *arg)
{
	const struct zinode *i = obj;
	struct check *c = arg;
	uint64_t names = numbers_count(&c->links, inode_ino(i));
	uint64_t want = names;
	bool root = (uint64_t)(uintptr_t)i == c->fs->super->root;

	if (S_ISDIR(i->mode) && (names || root))
		want = 2 + numbers_count(&c->subdirs, inode_ino(i));
	if (S_ISDIR(i->mode) && names > 1)
		return verify_fail(
			c, "directory %" PRIu64 " has %" PRIu64 " names",
			inode_number(i), names);
	if (i->nlink != want)
		return verify_fail(
			c, "inode %" PRIu64 ": %u links, counted %" PRIu64,
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
			return verify_fail(c,
					   "directory %" PRIu64
					   " is not under the root",
					   inode_number(obj));
		i = inode_at(i->parent);
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
	return verify_fail(c, "inode %" PRIu64 " is being freed, but in use",
			   inode_number(i));
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
		return verify_fail(c,
				   "%" PRId64
				   " inodes are held by nothing, %" PRId64
				   " to be freed",
				   c->stat[ST_REAPING], n);
	return err;
}

static int check_handles(struct check *c)
{
	struct zs_pool_stats ps;

	zs_pool_get_stats(c->fs->pool, &ps);
	if (ps.objs_used != c->nr_handles)
		return verify_fail(
			c, "pool has %" PRIu64 " objects, files name %" PRIu64,
			ps.objs_used, c->nr_handles);
	return 0;
}

static int check_slabs(struct check *c)
{
	struct arena_stats as;

	arena_get_stats(c->fs->arena, &as);
	for (unsigned k = 0; k < SLAB_NR_CACHES; k++)
		if (as.slab_objs[k] != c->slabs[k])
			return verify_fail(c,
					   "slab %u has %" PRIu64
					   " objects, found %" PRIu64,
					   k, as.slab_objs[k], c->slabs[k]);
	return 0;
}

static int check_data_pages(struct check *c)
{
	struct arena_stats as;
	uint64_t pages;
	const char *wrong = snapshot_verify(c->fs, &pages);

	if (wrong)
		return verify_fail(c, "%s", wrong);
	arena_get_stats(c->fs->arena, &as);
	if (as.pages[ARENA_PAGE_DATA] != pages + c->data_pages)
		return verify_fail(
			c,
			"%" PRIu64 " pages of plain data, snapshots have "
			"%" PRIu64 ", attributes %" PRIu64,
			as.pages[ARENA_PAGE_DATA], pages, c->data_pages);
	return 0;
}

/* Only blocks and pieces of clusters are kept as objects. */
static int check_objects(struct check *c)
{
	struct zs_pool_stats st;

	zs_pool_get_stats(c->fs->pool, &st);
	if (st.objs_used != c->objects || st.payload != c->payload ||
	    st.huge_objs != c->raw)
		return verify_fail(c,
				   "the pool counts %" PRIu64
				   " objects of %" PRIu64 " bytes, %" PRIu64
				   " raw; found %" PRIu64 " of %" PRIu64
				   ", %" PRIu64,
				   st.objs_used, st.payload, st.huge_objs,
				   c->objects, c->payload, c->raw);
	return 0;
}

/*
 * Memory is promised to blocks with room, and to nothing else; same-filled ones
 * may grow.
 */
static int check_promises(struct check *c)
{
	uint64_t want = (uint64_t)c->stat[ST_ROOM] * ZSFS_ROOM_COST;
	uint64_t growth = (uint64_t)c->stat[ST_SAME] * ZSFS_ROOM_COST;
	struct arena_stats st;

	arena_get_stats(c->fs->arena, &st);
	if (st.promised == want && st.growth == growth)
		return 0;
	return verify_fail(c,
			   "%" PRIu64 " bytes are promised, %" PRIu64
			   " may grow, should be %" PRIu64 ", %" PRIu64,
			   st.promised, st.growth, want, growth);
}

static int check_totals(struct check *c)
{
	static const char *const names[] = {
		[ST_BLOCKS] = "blocks",
		[ST_INODES] = "inodes",
		[ST_SAME] = "same-filled blocks",
		[ST_ROOM] = "blocks with room",
		[ST_DENSE] = "blocks in clusters",
		[ST_CLUSTERS] = "clusters",
		[ST_PIECES] = "pieces of clusters",
		[ST_HUGE_PIECES] = "pieces that take a page",
		[ST_DENSE_RAM] = "bytes of their pieces",
		[ST_TRIED] = "settled blocks",
		[ST_HOT] = "hot blocks",
		[ST_REAPING] = "inodes being freed",
		[ST_REAP_BYTES] = "bytes being freed",
	};

	for (unsigned k = 0; k <= ST_REAP_BYTES; k++) {
		int64_t sum = zsfs_stat_sum(c->fs, k);

		if (sum != c->stat[k])
			return verify_fail(
				c, "%s: %" PRId64 " by count, found %" PRId64,
				names[k], sum, c->stat[k]);
	}
	if (c->fs->used_blocks != c->stat[ST_BLOCKS] ||
	    c->fs->used_inodes != c->stat[ST_INODES])
		return verify_fail(c,
				   "limits count %" PRId64
				   " blocks and %" PRId64 " inodes",
				   c->fs->used_blocks, c->fs->used_inodes);
	return check_promises(c);
}

static int check_slots(struct check *c)
{
	for (unsigned k = 0; k < c->fs->nr_threads; k++)
		if (c->fs->threads[k].slot->state != TX_IDLE)
			return verify_fail(c, "slot %u is not at rest", k);
	return 0;
}

static int check_all(struct check *c)
{
	struct arena *a = c->fs->arena;
	int err = check_slots(c);

	if (!err)
		err = slab_for_each_record(a, verify_inode, c);
	numbers_sort(&c->links);
	numbers_sort(&c->subdirs);
	numbers_sort(&c->gens);
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
		err = check_data_pages(c);
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
