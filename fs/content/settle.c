/* SPDX-License-Identifier: BSD-3-Clause */
/* Settling (see settle.h). */
#include "settle.h"

#include <errno.h>
#include <stdlib.h>

#include "block_table.h"
#include "group.h"
#include "object.h"
#include "slot.h"
#include "state/counters.h"
#include "state/inode.h"
#include "state/settings.h"
#include "state/threads.h"
#include "state/tx.h"
#include "state/zsfs.h"

/* Groups that are looked at under one lock. */
#define LOOK_GROUPS 64u
/* How often a group is tried that others change meanwhile. */
#define MAX_TRIES 3u
/* Pages that clusters have taken, after which the pool is packed. */
#define PACK_PAGES 256u

/* One pass over all files. */
struct pass {
	struct zsfs *fs;
	struct zsfs_thread *th;
	int level;
	uint8_t *frame; /* ZCOMP_CLUSTER_SIZE */
	uint64_t pages; /* taken since the pool was packed */
};

/* ---- what there is to do ---- */

static bool is_new(uint64_t slot)
{
	return slot_kind(slot) == SLOT_OBJECT && !slot_is_tried(slot);
}

static bool wants_settling(const struct group *g)
{
	for (unsigned k = 0; k < CLUSTER_BLOCKS; k++)
		if (is_new(g->slot[k]))
			return true;
	return false;
}

/* The blocks that go into a cluster. */
static uint16_t places_of(const struct group *g)
{
	uint16_t places = 0;

	for (unsigned k = 0; k < CLUSTER_BLOCKS; k++) {
		enum slot_kind kind = slot_kind(g->slot[k]);

		if (kind == SLOT_OBJECT || kind == SLOT_DENSE)
			places |= (uint16_t)(1u << k);
	}
	return places;
}

/* RAM in bytes that they take now. */
static uint32_t cost_of(const struct zsfs *fs, const struct group *g)
{
	const struct cluster *cl = NULL;
	uint32_t cost = 0;

	for (unsigned k = 0; k < CLUSTER_BLOCKS; k++) {
		if (slot_kind(g->slot[k]) == SLOT_OBJECT)
			cost += object_cost(fs, slot_size(fs, g->slot[k]));
		else if (slot_kind(g->slot[k]) == SLOT_DENSE)
			cl = slot_cluster(g->slot[k]);
	}
	return cl ? cost + cluster_cost(fs, cl->len) : cost;
}

/*
 * Find the first group from g->first on that wants settling. 0: there it is; 1:
 * look on from there; -ENOENT: there is none.
 */
static int find_group(struct pass *p, struct group *g)
{
	struct tx *tx = tx_begin(p->th);
	bool there = group_lock(tx, g);
	int ret = 1;

	for (unsigned n = 0; ret == 1 && n < LOOK_GROUPS; n++) {
		uint64_t slot;

		if (!there ||
		    !table_next(&g->inode->file.blocks, &g->first, &slot)) {
			ret = -ENOENT;
			break;
		}
		g->first -= g->first % CLUSTER_BLOCKS;
		group_look(g);
		if (wants_settling(g))
			ret = 0;
		else
			g->first += CLUSTER_BLOCKS;
	}
	return tx_abort(tx, ret);
}

/* ---- one group ---- */

/* Mark the group's blocks as tried. */
static int mark(struct pass *p, struct group *g)
{
	struct table_cursor c;
	struct tx *tx = tx_begin(p->th);

	if (!group_lock_again(tx, g))
		return tx_abort(tx, -EAGAIN);
	c = table_cursor(&g->inode->file.blocks);
	for (unsigned k = 0; k < CLUSTER_BLOCKS; k++) {
		if (!is_new(g->slot[k]))
			continue;
		tx_set(tx, table_at(&c, g->first + k), g->slot[k] | SLOT_TRIED);
		tx_stat(tx, ST_TRIED, 1);
	}
	tx_commit(tx);
	return 0;
}

/* RAM in bytes that @len compressed bytes of the group will take. */
static uint32_t new_cost(const struct pass *p, const struct group *g,
			 uint32_t len)
{
	return g->n == 1 ? object_cost(p->fs, len) : cluster_cost(p->fs, len);
}

/*
 * Compress what was read into p->frame. The bytes; -ENOSPC: it saves less than
 * an eighth of @before; -EIO, -ENOMEM.
 */
static int compress(struct pass *p, const struct group *g, uint32_t before)
{
	struct zcomp_params zstd = {ZCOMP_ZSTD, p->level};
	struct zcomp_ctx *zc = p->th->zc;
	int len;

	if (g->n == 1)
		len = zcomp_compress(zc, &zstd, g->plain, p->frame,
				     p->fs->huge_size - 1);
	else
		len = zcomp_compress_cluster(zc, p->level, g->plain,
					     g->n * ZSFS_BLOCK_SIZE, p->frame,
					     CLUSTER_MAX_LEN);
	if (len > 0 && new_cost(p, g, (uint32_t)len) > before - before / 8)
		return -ENOSPC;
	return len;
}

/* Store the only block of a group by itself. */
static int store_alone(struct tx *tx, const struct pass *p,
		       const struct group *g, uint32_t len, uint64_t *slot)
{
	uint64_t *ref = tx_alloc_ref(tx);
	int err;

	err = object_store(tx, p->frame, len, ZCOMP_ZSTD,
			   zcomp_checksum(g->plain), ref);
	if (err)
		return err;
	*slot = slot_store_object(tx, (uint32_t)REF_VALUE(*ref), len) |
		SLOT_TRIED;
	tx_stat(tx, ST_TRIED, 1);
	return 0;
}

/* Store what p->frame holds; slots[]: what the blocks' slots will be. */
static int store(struct tx *tx, const struct pass *p, const struct group *g,
		 uint32_t len, uint64_t *slots)
{
	struct cluster *cl;
	uint64_t sum;
	int err;

	if (g->n == 1)
		return store_alone(tx, p, g, len,
				   &slots[__builtin_ctz(g->places)]);
	sum = zcomp_cluster_sum(g->plain, g->n * ZSFS_BLOCK_SIZE,
				tx->fs->super->seed);
	err = cluster_store(tx, g->places, sum, p->frame, len, &cl);
	for (unsigned k = 0; !err && k < CLUSTER_BLOCKS; k++)
		slots[k] = slot_dense(cl, k);
	return err;
}

/* Put the @len bytes in p->frame in the place of the blocks. */
static int replace(struct pass *p, struct group *g, uint32_t len,
		   uint32_t before, enum alloc_policy policy)
{
	struct tx *tx = tx_begin(p->th);
	uint64_t slots[CLUSTER_BLOCKS];
	int err;

	tx_raise_policy(tx, policy);
	err = store(tx, p, g, len, slots);
	if (!err && !group_lock_again(tx, g))
		err = -EAGAIN;
	if (err)
		return tx_abort(tx, err);
	for (unsigned k = 0; k < CLUSTER_BLOCKS; k++)
		if (g->places & 1u << k)
			group_set(tx, g, k, slots[k]);
	tx_save(tx, &g->inode->flags);
	g->inode->flags |= g->n > 1 ? INODE_HAS_DENSE : 0;
	inode_note_stored(tx, g->inode);
	tx_stat(tx, ST_SAVED, (int64_t)before - new_cost(p, g, len));
	tx_stat(tx, ST_SETTLED, g->n);
	tx_commit(tx);
	rate_add(&p->fs->settling, g->n);
	p->pages += new_cost(p, g, len) / ARENA_PAGE_SIZE + 1;
	return 0;
}

/* Pack the pool until as many pages are free again as clusters have taken. */
static void pack(struct pass *p)
{
	struct zs_pool *pool = p->fs->pool;
	uint64_t freed = 0;
	unsigned n = 1;

	while (n && freed < p->pages) {
		n = zs_compact_step(pool, p->th->at);
		freed += n;
		zsfs_pause(p->th);
	}
	if (freed)
		zs_count_compaction(pool, p->th->at, freed);
	p->pages = 0;
}

/* The same, and where memory is full by what the reserve has. */
static int replace_in_full(struct pass *p, struct group *g, uint32_t len,
			   uint32_t before)
{
	int err = replace(p, g, len, before, ALLOC_NEW);

	if (err != -ENOSPC)
		return err;
	p->pages = PACK_PAGES;
	pack(p);
	err = replace(p, g, len, before, ALLOC_REPLACE);
	p->pages += err ? 0 : PACK_PAGES;
	return err;
}

static int read_group(struct pass *p, struct group *g, uint32_t *before)
{
	struct tx *tx = tx_begin(p->th);
	int err = -ENOENT;

	if (group_lock(tx, g)) {
		group_look(g);
		*before = cost_of(p->fs, g);
		if (wants_settling(g))
			err = group_read(tx, g, places_of(g));
	}
	return tx_abort(tx, err);
}

/* -ENOENT: there is nothing to settle, or it cannot be. */
static int try_group(struct pass *p, struct group *g)
{
	uint32_t before = 0;
	int err = read_group(p, g, &before), len;

	if (err)
		return err;
	len = compress(p, g, before);
	if (len == -ENOSPC)
		return mark(p, g);
	return len < 0 ? len : replace_in_full(p, g, (uint32_t)len, before);
}

/* 0, or why the pass has to end: -ENOSPC, -ENOMEM. */
static int settle_group(struct pass *p, struct group *g)
{
	int err = -EAGAIN;

	for (unsigned n = 0; err == -EAGAIN && n < MAX_TRIES; n++)
		err = try_group(p, g);
	if (p->pages >= PACK_PAGES)
		pack(p);
	return err == -ENOSPC || err == -ENOMEM ? err : 0;
}

/* ---- all of them ---- */

static int settle_file(struct pass *p, struct group *g)
{
	int err;

	for (;;) {
		err = find_group(p, g);
		zsfs_pause(p->th);
		if (err == -ENOENT)
			return 0;
		if (err)
			continue;
		err = settle_group(p, g);
		if (err)
			return err;
		g->first += CLUSTER_BLOCKS;
	}
}

static int settle_all(struct pass *p, uint8_t *plain)
{
	void *at = NULL;
	int err = 0;

	while (!err && (at = slab_next_record(p->fs->arena, at))) {
		struct group g = {.inode = at, .plain = plain};

		err = settle_file(p, &g);
	}
	pack(p);
	return err;
}

int zsfs_settle(struct zsfs_thread *th)
{
	struct pass p = {
		.fs = th->fs,
		.th = th,
		.level = zsfs_get_dense(th->fs),
		.frame = malloc(ZCOMP_CLUSTER_SIZE),
	};
	uint8_t *plain = malloc(ZCOMP_CLUSTER_SIZE);
	int err = p.frame && plain ? settle_all(&p, plain) : -ENOMEM;

	free(p.frame);
	free(plain);
	return err == -ENOSPC ? 0 : err;
}

void settle_get_progress(struct zsfs *fs, struct settle_progress *out)
{
	int64_t tried = zsfs_stat_sum(fs, ST_TRIED);
	struct zs_pool_stats pool;
	int64_t left;

	zs_pool_get_stats(fs->pool, &pool);
	left = (int64_t)pool.objs_used - zsfs_stat_sum(fs, ST_PIECES) - tried;
	out->done = zsfs_stat_get(fs, ST_DENSE) + zsfs_stat_get(fs, ST_TRIED);
	out->to_do = left > 0 ? (uint64_t)left : 0;
	out->saved = zsfs_stat_get(fs, ST_SAVED);
}
