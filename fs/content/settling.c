/* SPDX-License-Identifier: BSD-3-Clause */
/* Settling a group (see settling.h). */
#include "settling.h"

#include <errno.h>
#include <limits.h>

#include "block_table.h"
#include "dense.h"
#include "pack.h"
#include "slot.h"
#include "state/counters.h"
#include "state/inode.h"
#include "state/tx.h"
#include "state/zsfs.h"

/* Pages that clusters have taken, after which the pool is packed. */
#define PACK_PAGES 64u

/* ---- what there is to do ---- */

static bool is_new(uint64_t slot)
{
	return slot_kind(slot) == SLOT_OBJECT && !slot_is_tried(slot);
}

static bool is_hot(const struct group *g)
{
	for (unsigned k = 0; k < CLUSTER_BLOCKS; k++)
		if (slot_is_hot(g->slot[k]))
			return true;
	return false;
}

static bool wants_settling(const struct group *g)
{
	for (unsigned k = 0; k < CLUSTER_BLOCKS; k++)
		if (is_new(g->slot[k]))
			return !is_hot(g); /* that comes first (hot.h) */
	return false;
}

static bool is_young(const struct settling *p, const struct group *g)
{
	unsigned now = slot_stamp_now();

	for (unsigned k = 0; k < CLUSTER_BLOCKS; k++)
		if (is_new(g->slot[k]) && slot_age(g->slot[k], now) < p->age)
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

/* Is the group that was looked at to be settled now? */
static bool is_due(struct settling *p, const struct group *g)
{
	p->young |= is_hot(g);
	if (!wants_settling(g))
		return false;
	if (!p->age || !is_young(p, g))
		return true;
	p->young = true;
	return false;
}

bool settling_lock(struct settling *p, struct tx *tx, struct group *g)
{
	bool there = group_lock(tx, g);
	uint64_t turn = tx_turn(tx, g->inode);

	for (unsigned k = 0; k < p->nr_others; k++) {
		struct group *o = p->others[k];

		if (o != g && o->inode && tx_locks(tx, o->inode) &&
		    o->turn + 1 == turn)
			o->turn = turn;
	}
	return there;
}

/* group_lock_again(), with the same in mind. */
static bool lock_again(struct settling *p, struct tx *tx, struct group *g)
{
	return settling_lock(p, tx, g) && tx_turn(tx, g->inode) == g->turn + 1;
}

int settling_find(struct settling *p, struct group *g)
{
	struct tx *tx = tx_begin(p->th);
	bool there = settling_lock(p, tx, g);
	int ret = 1;

	for (unsigned n = 0; ret == 1 && n < LOOK_GROUPS; n++) {
		if (!there || !group_next(g))
			ret = -ENOENT;
		else if (is_due(p, g))
			ret = 0;
		else
			g->first += CLUSTER_BLOCKS;
	}
	return tx_abort(tx, ret);
}

int settling_read(struct settling *p, struct group *g, uint32_t *before)
{
	struct tx *tx = tx_begin(p->th);
	int err = -ENOENT;

	if (settling_lock(p, tx, g)) {
		group_look(g);
		*before = dense_cost_now(p->fs, g);
		if (wants_settling(g))
			err = group_read(tx, g, places_of(g));
	}
	return tx_abort(tx, err);
}

/* ---- putting ---- */

/* Mark the group's blocks as tried. */
static int mark(struct settling *p, struct group *g)
{
	struct table_cursor c;
	struct tx *tx = tx_begin(p->th);

	if (!lock_again(p, tx, g))
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

/* Put the @len bytes of @frame in the place of the blocks. */
static int replace(struct settling *p, struct group *g, const uint8_t *frame,
		   uint32_t len, uint32_t before, enum alloc_policy policy)
{
	uint32_t cost = dense_cost(p->fs, g->n, len);
	struct tx *tx = tx_begin(p->th);
	uint64_t slots[CLUSTER_BLOCKS];
	int err;

	tx_raise_policy(tx, policy);
	err = dense_store(tx, g, frame, len, slots);
	if (!err && !lock_again(p, tx, g))
		err = -EAGAIN;
	if (err)
		return tx_abort(tx, err);
	for (unsigned k = 0; k < CLUSTER_BLOCKS; k++)
		if (g->places & 1u << k)
			group_set(tx, g, k, slots[k]);
	tx_save(tx, &g->inode->flags);
	g->inode->flags |= g->n > 1 ? INODE_HAS_DENSE : 0;
	inode_note_stored(tx, g->inode);
	tx_stat(tx, ST_SAVED, (int64_t)before - cost);
	tx_stat(tx, ST_SETTLED, g->n);
	tx_commit(tx);
	rate_add(&p->fs->settling, g->n);
	p->saved += before - cost;
	p->pages += cost / ARENA_PAGE_SIZE + 1;
	return 0;
}

void settling_pack(struct settling *p, bool enough)
{
	if (enough && p->pages < PACK_PAGES)
		return;
	pack_pool(p->th, p->pages, UINT_MAX, UINT64_MAX);
	p->pages = 0;
}

/* The same, and where memory is full by what the reserve has. */
static int replace_in_full(struct settling *p, struct group *g,
			   const uint8_t *frame, uint32_t len, uint32_t before)
{
	int err = replace(p, g, frame, len, before, ALLOC_NEW);

	if (err != -ENOSPC)
		return err;
	p->pages = PACK_PAGES;
	settling_pack(p, true);
	err = replace(p, g, frame, len, before, ALLOC_REPLACE);
	p->pages += err ? 0 : PACK_PAGES;
	return err;
}

struct put {
	struct settling *p;
	struct group *g;
	const uint8_t *frame;
	int len;
	uint32_t before;
	int err;
};

static void put(void *arg)
{
	struct put *a = arg;

	a->err = a->len == -ENOSPC
			 ? mark(a->p, a->g)
			 : replace_in_full(a->p, a->g, a->frame,
					   (uint32_t)a->len, a->before);
}

int settling_put(struct settling *p, struct group *g, const uint8_t *frame,
		 int len, uint32_t before)
{
	struct put a = {p, g, frame, len, before, 0};
	int err = len < 0 && len != -ENOSPC ? len : tx_guarded(p->th, put, &a);

	return err ? err : a.err;
}
