/* SPDX-License-Identifier: BSD-3-Clause */
/* Hot blocks and how they are compressed (see hot.h). */
#include "hot.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/min.h"
#include "block_table.h"
#include "group.h"
#include "object.h"
#include "slot.h"
#include "staged.h"
#include "state/counters.h"
#include "state/inode.h"
#include "state/ranks.h"
#include "state/settings.h"
#include "state/threads.h"
#include "state/tx.h"
#include "state/zsfs.h"

/* How long small pieces are left alone, in milliseconds. */
#define DELAY_MSECS 1000u
/* Entries of a queue, a power of two. */
#define QUEUE_SIZE 16384u
/* Entries that are left when no more blocks get hot. */
#define QUEUE_SLACK 1024u
/* Most bytes that are backed ahead of need. */
#define MOST_AHEAD (UINT64_C(64) << 20)
/* Free bytes that hot blocks leave for others. */
#define LEAVE_BYTES ((uint64_t)ARENA_SEG_SIZE / 4)
/* Between looks at what others are compressing. */
#define LOOK_USECS 200u

/* Blocks of an inode, some of them hot. */
struct range {
	uint64_t nodeid;
	uint64_t first, end;
	uint64_t due; /* clock_ms() */
};

/* Oldest first. */
struct queue {
	uint64_t head, tail; /* entries taken and added, ever */
	struct range range[QUEUE_SIZE];
};

/* Where a walk is. */
struct walk {
	void *inode; /* NULL: before the first */
	uint64_t gen, first;
};

struct hot {
	pthread_mutex_t lock; /* a leaf; of all below */
	struct queue large, small;
	unsigned under_way; /* groups that are being compressed */
	bool to_walk;	    /* there may be some that no queue knows of */
	bool lost;	    /* and there are new ones, behind the walk */
	struct walk walk;
	uint64_t missing; /* bytes that a writer found not backed; atomic */
};

struct hot *hot_create(void)
{
	struct hot *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	pthread_mutex_init(&h->lock, NULL);
	h->to_walk = true;
	return h;
}

void hot_destroy(struct hot *h)
{
	if (!h)
		return;
	pthread_mutex_destroy(&h->lock);
	free(h);
}

static void lock(struct hot *h)
{
	ranked_lock(&h->lock, RANK_HOT, 0);
}

static void unlock(struct hot *h)
{
	ranked_unlock(&h->lock, RANK_HOT, 0);
}

static uint64_t hot_bytes(const struct zsfs *fs)
{
	return zsfs_stat_get(fs, ST_HOT) << ZSFS_BLOCK_SHIFT;
}

/* ---- queues ---- */

static uint64_t queue_length(const struct queue *q)
{
	return q->tail - q->head;
}

static struct range *queue_at(struct queue *q, uint64_t n)
{
	return &q->range[n % QUEUE_SIZE];
}

/* Can @q's last entry be made to have @r, too? */
static bool extends(struct queue *q, const struct range *r, bool within_group)
{
	const struct range *last = queue_at(q, q->tail - 1);

	return queue_length(q) && last->nodeid == r->nodeid &&
	       r->first >= last->first && r->first <= last->end &&
	       (!within_group ||
		r->first / CLUSTER_BLOCKS == last->first / CLUSTER_BLOCKS);
}

/* False: it is full. */
static bool queue_add(struct queue *q, const struct range *r, bool within_group)
{
	struct range *last = queue_at(q, q->tail - 1);

	if (extends(q, r, within_group)) {
		if (r->end > last->end)
			last->end = r->end;
		last->due = r->due;
		return true;
	}
	if (queue_length(q) == QUEUE_SIZE)
		return false;
	*queue_at(q, q->tail++) = *r;
	return true;
}

/* Take the blocks of one group off the oldest entry. */
static void queue_take(struct queue *q, struct range *out)
{
	struct range *r = queue_at(q, q->head);
	uint64_t end = (r->first / CLUSTER_BLOCKS + 1) * CLUSTER_BLOCKS;

	*out = *r;
	out->end = min_u64(end, r->end);
	r->first = out->end;
	if (r->first == r->end)
		q->head++;
}

/* What is not in the queue is found by a walk, if it is @lost. */
static void note_lost(struct hot *h, bool lost)
{
	h->to_walk |= lost;
	h->lost |= lost;
}

static bool is_full(struct hot *h)
{
	bool full;

	lock(h);
	full = queue_length(&h->large) > QUEUE_SIZE - QUEUE_SLACK ||
	       queue_length(&h->small) > QUEUE_SIZE - QUEUE_SLACK;
	unlock(h);
	return full;
}

void hot_note(struct tx *tx, const struct zinode *i, uint64_t first, unsigned n)
{
	struct zsfs *fs = tx->fs;
	struct hot *h = fs->hot;
	bool large = n >= HOT_LARGE_BLOCKS, wake;
	struct queue *q = large ? &h->large : &h->small;
	struct range r = {
		.nodeid = inode_nodeid(fs, i),
		.first = first,
		.end = first + n,
		.due = clock_ms() + (large ? 0 : DELAY_MSECS),
	};

	lock(h);
	wake = !queue_length(q);
	note_lost(h, !queue_add(q, &r, !large));
	unlock(h);
	if (wake)
		zsfs_wake(fs);
}

/* ---- what may be hot ---- */

bool hot_may(struct zsfs_thread *th, unsigned blocks)
{
	struct zsfs *fs = th->fs;
	uint64_t budget = zsfs_get_hot(fs);
	uint64_t bytes = (uint64_t)blocks << ZSFS_BLOCK_SHIFT;

	if (!budget || zsfs_get_comp(fs).alg == ZCOMP_RAW ||
	    __atomic_load_n(&fs->super->pressure_used, __ATOMIC_RELAXED) ||
	    hot_bytes(fs) + bytes > budget || is_full(fs->hot))
		return false;
	if (arena_has_backed(fs->arena, th->at, bytes + LEAVE_BYTES))
		return true;
	if (!__atomic_exchange_n(&fs->hot->missing, bytes + LEAVE_BYTES,
				 __ATOMIC_RELAXED))
		zsfs_wake(fs);
	return false;
}

void hot_rest(struct zsfs *fs)
{
	arena_set_keep(fs->arena, 0);
}

/* As much again as is hot now, or as was missed. True: a segment was backed. */
static bool back_ahead(struct zsfs_thread *th)
{
	struct zsfs *fs = th->fs;
	uint64_t budget = zsfs_get_hot(fs), hot = hot_bytes(fs);
	uint64_t missing =
		__atomic_exchange_n(&fs->hot->missing, 0, __ATOMIC_RELAXED);
	uint64_t want = hot > missing ? hot : missing;

	want = min_u64(want, hot < budget ? budget - hot : 0);
	if (!want ||
	    __atomic_load_n(&fs->super->pressure_used, __ATOMIC_RELAXED))
		return false;
	arena_set_keep(fs->arena, budget);
	if (!arena_back_ahead(fs->arena, th->at, min_u64(want, MOST_AHEAD)))
		return false;
	/* It goes back when the mount is idle. */
	zsfs_note_freed(fs);
	return true;
}

/* ---- compressing a group ---- */

/* The blocks of @r that are hot. */
static uint16_t hot_places(const struct group *g, const struct range *r)
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

/* Give the block at @place the form @b. 0, -ENOSPC, -ENOMEM. */
static int cool_block(struct tx *tx, struct group *g, unsigned place,
		      const struct staged_block *b)
{
	struct table_cursor c = table_cursor(&g->inode->file.blocks);
	uint64_t old = g->slot[place], *ref;
	int err;

	if (b->kind != BLOCK_OBJ || b->alg == ZCOMP_RAW) {
		/* It is tried once, and stays as it is. */
		tx_set(tx, table_at(&c, g->first + place), old & ~SLOT_HOT);
		tx_stat(tx, ST_HOT, -1);
		tx_stat(tx, ST_HUGE_SINCE, 1);
		return 0;
	}
	ref = tx_alloc_ref(tx);
	err = object_store(tx, b->payload, b->len, b->alg, b->sum, ref);
	if (err)
		return err;
	group_set(tx, g, place,
		  slot_store_object(tx, (uint32_t)REF_VALUE(*ref), b->len));
	tx_stat(tx, ST_COOLED, 1);
	tx_stat(tx, ST_SPARED, -1);
	return 0;
}

/* Put what was made of the blocks in their place. 0, -ENOSPC, -ENOMEM. */
static int cool_places(struct zsfs_thread *th, struct group *g,
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
	inode_note_stored(tx, g->inode);
	tx_commit(tx);
	return 0;
}

/* A block of them does not verify: who reads it is told, not we. */
static void leave_as_is(struct staged_block *b)
{
	for (unsigned k = 0; k < CLUSTER_BLOCKS; k++)
		b[k] = (struct staged_block){.kind = BLOCK_OBJ,
					     .alg = ZCOMP_RAW};
}

static int read_hot(struct zsfs_thread *th, struct group *g,
		    const struct range *r)
{
	struct tx *tx = tx_begin(th);
	int err = 0;

	g->n = 0;
	if (group_lock(tx, g)) {
		group_look(g);
		err = group_read(tx, g, hot_places(g, r));
	}
	return tx_abort(tx, err);
}

/* What blocks of one group are hot in @r is compressed. 0 or -errno. */
static int cool_range(struct zsfs_thread *th, const struct range *r)
{
	struct staged_block *b = th->buf.staged;
	struct zcomp_params comp = zsfs_get_comp(th->fs);
	struct group g = {
		.inode = inode_resolve(th->fs, r->nodeid),
		.first = r->first - r->first % CLUSTER_BLOCKS,
		.plain = th->buf.stage,
	};
	int err = g.inode ? read_hot(th, &g, r) : 0;

	if (!g.inode || !g.n)
		return err;
	if (err == -EIO)
		leave_as_is(b);
	else if (!err)
		block_stage(th->fs, th->zc, &comp, g.plain,
			    g.plain + ZCOMP_CLUSTER_SIZE, b, g.n);
	else
		return err;
	err = cool_places(th, &g, b, ALLOC_NEW);
	if (err == -ENOSPC)
		err = cool_places(th, &g, b, ALLOC_REPLACE);
	return err;
}

/* ---- what is next ---- */

/* Take the next blocks that are due by @now. True: there they are. */
static bool take_next(struct hot *h, uint64_t now, struct range *r)
{
	bool found = true;

	lock(h);
	if (queue_length(&h->large))
		queue_take(&h->large, r);
	else if (queue_length(&h->small) &&
		 queue_at(&h->small, h->small.head)->due <= now)
		queue_take(&h->small, r);
	else
		found = false;
	h->under_way += found;
	unlock(h);
	return found;
}

/* What could not be compressed is tried again later. */
static void put_back(struct hot *h, struct range *r, int err)
{
	lock(h);
	h->under_way--;
	if (err) {
		r->due = clock_ms() + DELAY_MSECS;
		note_lost(h, !queue_add(&h->small, r, true));
	}
	unlock(h);
}

/* Compress what is due by @now, a group. 1: done; 0: none is; -errno. */
static int cool_next(struct zsfs_thread *th, uint64_t now)
{
	struct hot *h = th->fs->hot;
	struct range r;
	int err;

	if (!take_next(h, now, &r))
		return 0;
	err = cool_range(th, &r);
	put_back(h, &r, err);
	return err ? err : 1;
}

/* Milliseconds until the next is due, 0: there is none. */
static unsigned until_next(struct hot *h)
{
	uint64_t now = clock_ms(), due = 0;

	lock(h);
	if (queue_length(&h->small))
		due = queue_at(&h->small, h->small.head)->due;
	unlock(h);
	if (!due)
		return 0;
	return due > now + 1 ? (unsigned)(due - now) : 2;
}

/* ---- the walk ---- */

/* Note the next hot group of the walk's inode. False: there is none. */
static bool walk_file(struct zsfs_thread *th, struct walk *w)
{
	struct group g = {.inode = w->inode, .gen = w->gen, .first = w->first};
	struct range all = {.end = UINT64_MAX};
	struct tx *tx = tx_begin(th);
	bool more = group_lock(tx, &g) && g.inode->flags & INODE_HAS_HOT;

	for (unsigned n = 0; more && n < LOOK_GROUPS; n++) {
		more = group_next(&g);
		if (!more)
			break;
		if (hot_places(&g, &all))
			hot_note(tx, g.inode, g.first, HOT_LARGE_BLOCKS);
		g.first += CLUSTER_BLOCKS;
	}
	w->gen = g.gen;
	w->first = g.first;
	return tx_abort(tx, more);
}

/* Some steps of looking for what no queue knows of. False: it is done. */
static bool walk_some(struct zsfs_thread *th)
{
	struct hot *h = th->fs->hot;
	bool on;
	struct walk w;

	lock(h);
	on = h->to_walk && zsfs_stat_sum(th->fs, ST_HOT) > 0 &&
	     queue_length(&h->large) < QUEUE_SIZE - QUEUE_SLACK;
	if (!on && !zsfs_stat_sum(th->fs, ST_HOT))
		h->to_walk = false;
	w = h->walk;
	unlock(h);
	if (!on)
		return false;
	if (!w.inode || !walk_file(th, &w))
		w = (struct walk){
			.inode = slab_next_record(th->fs->arena, w.inode)};
	lock(h);
	h->walk = w;
	if (!w.inode) {
		h->to_walk = h->lost;
		h->lost = false;
	}
	unlock(h);
	return true;
}

/* ---- all of it ---- */

unsigned hot_step(struct zsfs_thread *th)
{
	if (back_ahead(th))
		return 1;
	if (cool_next(th, clock_ms()) > 0 || walk_some(th))
		return 1;
	return until_next(th->fs->hot);
}

static bool is_under_way(struct hot *h)
{
	bool under_way;

	lock(h);
	under_way = h->under_way != 0;
	unlock(h);
	return under_way;
}

bool hot_drain(struct zsfs_thread *th, uint64_t until)
{
	struct hot *h = th->fs->hot;
	bool some = false;
	int err = 0;

	while (clock_ms() < until) {
		err = cool_next(th, UINT64_MAX);
		some |= err > 0;
		zsfs_pause(th);
		if (err < 0)
			break;
		if (err || walk_some(th))
			continue;
		if (!is_under_way(h))
			break;
		some = true;
		usleep(LOOK_USECS);
	}
	return some;
}
