/* SPDX-License-Identifier: BSD-3-Clause */
/* Compressing hot blocks (see cool.h). */
#include "cool.h"

#include <errno.h>
#include <string.h>

#include "block_table.h"
#include "crew.h"
#include "group.h"
#include "object.h"
#include "slot.h"
#include "staged.h"
#include "state/counters.h"
#include "state/inode.h"
#include "state/settings.h"
#include "state/tx.h"
#include "state/zsfs.h"

_Static_assert(COOL_GROUPS * 2 * CLUSTER_BLOCKS <= ZSFS_MAX_BLOCKS,
	       "plain and compressed groups fit into a thread's buffer");

/* The blocks of @r that are hot. */
uint16_t cool_places(const struct group *g, const struct hot_range *r)
{
	uint16_t places = 0;

	for (unsigned k = 0; k < CLUSTER_BLOCKS; k++)
		if (slot_is_hot(g->slot[k]) && g->first + k >= r->first &&
		    g->first + k < r->end)
			places |= (uint16_t)(1u << k);
	return places;
}

/* Is the block at @place still what was read as @plain? The inode is locked. */
static bool is_same(struct tx *tx, struct group *g, unsigned place,
		    uint64_t slot, const uint8_t *plain)
{
	struct zs_obj_info info;
	const void *now;
	bool same;

	if (slot != g->slot[place])
		return false;
	now = zs_obj_read_begin(tx->fs->pool, tx->th->at, slot_handle(slot),
				&info);
	if (!now)
		return false;
	same = info.size == ZSFS_BLOCK_SIZE &&
	       !memcmp(now, plain, ZSFS_BLOCK_SIZE);
	zs_obj_read_end(tx->fs->pool, tx->th->at);
	return same;
}

/*
 * The inode was locked by others meanwhile: leave only those places that have
 * not changed. A handle may have come back with another block, so what they
 * hold is compared.
 */
static uint16_t unchanged_places(struct tx *tx, struct group *g)
{
	struct table_cursor c = table_cursor(&g->inode->file.blocks);
	const uint8_t *plain = g->plain;
	uint16_t places = 0;

	for (unsigned k = 0; k < CLUSTER_BLOCKS; k++) {
		const uint64_t *slot;

		if (!(g->places & 1u << k))
			continue;
		slot = table_at(&c, g->first + k);
		if (slot && is_same(tx, g, k, *slot, plain))
			places |= (uint16_t)(1u << k);
		plain += ZSFS_BLOCK_SIZE;
	}
	return places;
}

/* The block at @place is tried once, and stays where it is. */
static void keep_block(struct tx *tx, struct group *g, unsigned place)
{
	struct table_cursor c = table_cursor(&g->inode->file.blocks);

	tx_set(tx, table_at(&c, g->first + place), g->slot[place] & ~SLOT_HOT);
	tx_stat(tx, ST_HOT, -1);
	tx_stat(tx, ST_HUGE_SINCE, 1);
}

/*
 * Give the block at @place the form @b, also where that is what it has: among
 * what is transient it would keep a segment in use. 0, -ENOSPC, -ENOMEM.
 */
static int move_block(struct tx *tx, struct group *g, unsigned place,
		      const struct staged_block *b)
{
	uint64_t *ref = tx_alloc_ref(tx);
	uint32_t mark = slot_mark(g->inode, g->first + place);
	int err = object_store(tx, b->payload, b->len, b->alg, b->sum ^ mark,
			       ref);

	if (err)
		return err;
	group_set(tx, g, place,
		  slot_store_object(tx, (uint32_t)REF_VALUE(*ref), b->len));
	tx_stat(tx, b->alg == ZCOMP_RAW ? ST_HUGE_SINCE : ST_COOLED, 1);
	tx_stat(tx, ST_SPARED, -1);
	return 0;
}

/* 0; -ENOSPC, -ENOMEM: it could be compressed, and there is no room. */
static int cool_block(struct tx *tx, struct group *g, unsigned place,
		      const struct staged_block *b)
{
	int err;

	if (b->kind == BLOCK_OBJ) {
		err = move_block(tx, g, place, b);
		if (!err || b->alg != ZCOMP_RAW)
			return err;
	}
	keep_block(tx, g, place);
	return 0;
}

/* What does not verify stays where it is: who reads it is told, not we. */
static void keep_damaged(struct tx *tx, struct group *g, uint16_t damaged)
{
	for (unsigned k = 0; k < CLUSTER_BLOCKS; k++)
		if (damaged & 1u << k && table_get(&g->inode->file.blocks,
						   g->first + k) == g->slot[k])
			keep_block(tx, g, k);
}

/*
 * Put what was made of the blocks in their place. @damaged: others of the
 * group. 0, -ENOSPC, -ENOMEM.
 */
static int put_places(struct zsfs_thread *th, struct group *g, uint16_t damaged,
		      const struct staged_block *b, enum alloc_policy policy)
{
	struct tx *tx = tx_begin(th);
	uint16_t places = g->places;
	int err = 0;

	tx_raise_policy(tx, policy);
	if (!group_lock(tx, g))
		return tx_abort(tx, 0);
	if (tx_turn(tx, g->inode) != g->turn + 1)
		places = unchanged_places(tx, g);
	for (unsigned k = 0; !err && k < CLUSTER_BLOCKS; k++) {
		if (places & 1u << k)
			err = cool_block(tx, g, k, b);
		b += g->places >> k & 1;
	}
	if (err)
		return tx_abort(tx, err);
	keep_damaged(tx, g, damaged);
	inode_note_stored(tx, g->inode);
	tx_commit(tx);
	return 0;
}

/* Those of @places whose blocks do not verify. */
static uint16_t damaged_places(struct tx *tx, const struct group *g,
			       uint16_t places)
{
	struct zsfs_thread *th = tx->th;
	uint16_t damaged = 0;

	for (unsigned k = 0; k < CLUSTER_BLOCKS; k++)
		if (places & 1u << k &&
		    slot_read(th->fs, th->at, th->zc, group_slot(g, k),
			      g->plain) == -EIO)
			damaged |= (uint16_t)(1u << k);
	return damaged;
}

/*
 * Read what is hot and verifies into @g, of which nothing has been read. 0,
 * -ENOMEM.
 */
static int read_hot(struct zsfs_thread *th, struct group *g,
		    const struct hot_range *r, uint16_t *damaged)
{
	struct tx *tx = tx_begin(th);
	uint16_t places;
	int err = 0;

	if (group_lock(tx, g)) {
		group_look(g);
		places = cool_places(g, r);
		err = group_read(tx, g, places);
		if (err == -EIO) {
			*damaged = damaged_places(tx, g, places);
			err = group_read(tx, g, places & ~*damaged);
		}
	}
	return tx_abort(tx, err);
}

/* ---- some groups ---- */

struct cooling {
	struct zsfs *fs;
	struct zcomp_params comp;
	int *err; /* of each */
	struct group g[COOL_GROUPS];
	uint16_t damaged[COOL_GROUPS]; /* places */
	struct staged_block *out;      /* CLUSTER_BLOCKS of each */
};

static uint8_t *plain_of(struct zsfs_thread *th, unsigned k)
{
	return th->buf.stage + (size_t)k * 2 * ZCOMP_CLUSTER_SIZE;
}

static struct staged_block *out_of(const struct cooling *c, unsigned k)
{
	return c->out + (size_t)k * CLUSTER_BLOCKS;
}

/* Is there nothing to be done about it? */
static bool is_left_out(const struct cooling *c, unsigned k)
{
	return c->err[k] || (!c->g[k].n && !c->damaged[k]);
}

static void begin(struct cooling *c, struct zsfs_thread *th, unsigned k,
		  const struct hot_range *r)
{
	c->g[k] = (struct group){
		.inode = inode_resolve(th->fs, r->nodeid),
		.first = r->first - r->first % CLUSTER_BLOCKS,
		.plain = plain_of(th, k),
	};
	c->damaged[k] = 0;
	c->err[k] =
		c->g[k].inode ? read_hot(th, &c->g[k], r, &c->damaged[k]) : 0;
}

static void compress_piece(void *arg, unsigned k, struct arena_thread *at,
			   struct zcomp_ctx *zc)
{
	struct cooling *c = arg;
	const struct group *g = &c->g[k];

	if (!is_left_out(c, k))
		block_stage(c->fs, zc, &c->comp, g->plain,
			    g->plain + ZCOMP_CLUSTER_SIZE, out_of(c, k), g->n);
}

static void end(struct cooling *c, struct zsfs_thread *th, unsigned k)
{
	if (is_left_out(c, k))
		return;
	c->err[k] = put_places(th, &c->g[k], c->damaged[k], out_of(c, k),
			       ALLOC_NEW);
	if (c->err[k] == -ENOSPC)
		c->err[k] = put_places(th, &c->g[k], c->damaged[k],
				       out_of(c, k), ALLOC_REPLACE);
}

void cool_ranges(struct zsfs_thread *th, const struct hot_range *r, unsigned n,
		 int *err)
{
	struct cooling c = {
		.fs = th->fs,
		.comp = zsfs_get_comp(th->fs),
		.err = err,
		.out = th->buf.staged,
	};

	for (unsigned k = 0; k < n; k++)
		begin(&c, th, k, &r[k]);
	crew_run(th->fs->crew, compress_piece, &c, n, th->at, th->zc);
	for (unsigned k = 0; k < n; k++)
		end(&c, th, k);
}
