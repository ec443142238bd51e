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
#include "cool.h"
#include "group.h"
#include "hot_queue.h"
#include "state/counters.h"
#include "state/inode.h"
#include "state/mem_limit.h"
#include "state/ranks.h"
#include "state/settings.h"
#include "state/threads.h"
#include "state/tx.h"
#include "state/zsfs.h"

/* How long small pieces are left alone, in milliseconds. */
#define DELAY_MSECS 1000u
/* Entries that are left when no more blocks get hot. */
#define QUEUE_SLACK 1024u
/* Most bytes that are backed ahead of need. */
#define MOST_AHEAD (UINT64_C(64) << 20)
/* Free bytes that are left for who asks at the same time. */
#define LEAVE_BYTES ((uint64_t)ARENA_SEG_SIZE / 4)
/* No block gets hot when no more than this part of the limit is free. */
#define SHORT_PART 32u
/* Between looks at what others are compressing. */
#define LOOK_USECS 200u

/* Blocks of a file changed again, from which on its blocks may be hot. */
#define OFTEN 4u
/* Files that are remembered for that. */
#define NR_PATCHED 64u

/* The last change to a part of a block of a file. */
struct patched {
	uint64_t key : 20;   /* of the file's number */
	uint64_t block : 12; /* the last bits of its number */
	uint64_t ms : 24;    /* of clock_ms() */
	uint64_t n : 8;	     /* that it, or one before it, was one again */
};

_Static_assert(sizeof(struct patched) == sizeof(uint64_t), "one atomic word");

/* Where a walk is. */
struct walk {
	void *inode; /* NULL: before the first */
	uint64_t gen, first;
};

struct hot {
	pthread_mutex_t lock; /* a leaf; of all below */
	struct hot_queue large, small;
	unsigned under_way; /* groups that are being compressed */
	bool to_walk;	    /* there may be some that no queue knows of */
	bool lost;	    /* and there are new ones, behind the walk */
	struct walk walk;
	uint64_t missing; /* bytes that a writer found not backed; atomic */
	uint64_t patched[NR_PATCHED]; /* struct patched; atomic */
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
	full = hot_queue_length(&h->large) > HOT_QUEUE_SIZE - QUEUE_SLACK ||
	       hot_queue_length(&h->small) > HOT_QUEUE_SIZE - QUEUE_SLACK;
	unlock(h);
	return full;
}

void hot_note(struct tx *tx, const struct zinode *i, uint64_t first, unsigned n)
{
	struct zsfs *fs = tx->fs;
	struct hot *h = fs->hot;
	bool large = n >= HOT_LARGE_BLOCKS, wake;
	struct hot_queue *q = large ? &h->large : &h->small;
	struct hot_range r = {
		.nodeid = inode_nodeid(fs, i),
		.first = first,
		.end = first + n,
		.due = clock_ms() + (large ? 0 : DELAY_MSECS),
	};

	lock(h);
	wake = !hot_queue_length(q);
	note_lost(h,
		  !(large ? hot_queue_add(q, &r) : hot_queue_add_again(q, &r)));
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
	    hot_bytes(fs) + bytes > budget || is_full(fs->hot) ||
	    mem_limit_is_near(fs, SHORT_PART))
		return false;
	if (arena_has_backed(fs->arena, th->at, bytes + LEAVE_BYTES))
		return true;
	if (!__atomic_exchange_n(&fs->hot->missing, bytes + LEAVE_BYTES,
				 __ATOMIC_RELAXED))
		zsfs_wake(fs);
	return false;
}

/*
 * How often in a row a block of @i was changed that had just been. Whose entry
 * another file takes begins anew.
 */
static unsigned count_patch(struct hot *h, const struct zinode *i,
			    uint64_t block)
{
	uint32_t key = (uint32_t)(i->gen * UINT64_C(0x9e3779b97f4a7c15) >> 44);
	uint64_t *at = &h->patched[key % NR_PATCHED];
	uint64_t word = __atomic_load_n(at, __ATOMIC_RELAXED);
	struct patched was, p = {.key = key, .block = block & 0xfff};

	memcpy(&was, &word, sizeof(was));
	p.ms = (uint32_t)clock_ms() & 0xffffff;
	if (was.key == p.key && ((p.ms - was.ms) & 0xffffff) < DELAY_MSECS)
		p.n = was.n + (was.block == p.block && was.n < OFTEN);
	memcpy(&word, &p, sizeof(word));
	__atomic_store_n(at, word, __ATOMIC_RELAXED);
	return p.n;
}

bool hot_may_patch(struct zsfs_thread *th, const struct zinode *i,
		   uint64_t block)
{
	return zsfs_get_hot(th->fs) &&
	       count_patch(th->fs->hot, i, block) >= OFTEN && hot_may(th, 1);
}

bool hot_rest(struct zsfs *fs)
{
	return arena_set_keep(fs->arena, 0);
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
	if (!budget)
		hot_rest(fs);
	if (!want ||
	    __atomic_load_n(&fs->super->pressure_used, __ATOMIC_RELAXED))
		return false;
	arena_set_keep(fs->arena, min_u64(budget, 2 * hot + MOST_AHEAD));
	if (!arena_back_ahead(fs->arena, th->at, min_u64(want, MOST_AHEAD)))
		return false;
	/* It goes back when the mount is idle. */
	zsfs_note_freed(fs);
	return true;
}

/* ---- what is next ---- */

/* Take the next blocks that are due by @now, of one group. False: none are. */
static bool take_locked(struct hot *h, uint64_t now, struct hot_range *r)
{
	if (hot_queue_length(&h->large))
		hot_queue_take(&h->large, r);
	else if (hot_queue_length(&h->small) && hot_queue_due(&h->small) <= now)
		hot_queue_take(&h->small, r);
	else
		return false;
	return true;
}

/* Take up to @most such ranges. How many there are. */
static unsigned take_next(struct hot *h, uint64_t now, unsigned most,
			  struct hot_range *r)
{
	unsigned n = 0;

	lock(h);
	while (n < most && take_locked(h, now, &r[n]))
		n++;
	h->under_way += n;
	unlock(h);
	return n;
}

/* What could not be compressed is tried again later. */
static void put_back(struct hot *h, struct hot_range *r, int err)
{
	lock(h);
	h->under_way--;
	if (err) {
		r->due = clock_ms() + DELAY_MSECS;
		note_lost(h, !hot_queue_add_again(&h->small, r));
	}
	unlock(h);
}

struct taken {
	struct zsfs_thread *th;
	struct hot_range r[COOL_GROUPS];
	int err[COOL_GROUPS];
	unsigned n;
};

static void cool_taken(void *arg)
{
	struct taken *t = arg;

	cool_ranges(t->th, t->r, t->n, t->err);
}

/* What does not fit a transaction is one more failure. */
static void cool(struct taken *t)
{
	if (tx_guarded(t->th, cool_taken, t))
		for (unsigned k = 0; k < t->n; k++)
			t->err[k] = -EIO;
}

/*
 * Compress what is due by @now, up to @most groups. How many are done, if any
 * was due; -1: none of those that were could be.
 */
static int cool_next(struct zsfs_thread *th, uint64_t now, unsigned most)
{
	struct hot *h = th->fs->hot;
	struct taken t = {.th = th};
	int done = 0;

	t.n = take_next(h, now, most, t.r);
	if (t.n)
		cool(&t);
	for (unsigned k = 0; k < t.n; k++) {
		put_back(h, &t.r[k], t.err[k]);
		done += !t.err[k];
	}
	return t.n && !done ? -1 : done;
}

/* Milliseconds until the next is due, 0: there is none. */
static unsigned until_next(struct hot *h)
{
	uint64_t now = clock_ms(), due = 0;

	lock(h);
	if (hot_queue_length(&h->small))
		due = hot_queue_due(&h->small);
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
	struct hot_range all = {.end = UINT64_MAX};
	struct tx *tx = tx_begin(th);
	bool more = group_lock(tx, &g) && g.inode->flags & INODE_HAS_HOT;

	for (unsigned n = 0; more && n < LOOK_GROUPS; n++) {
		more = group_next(&g);
		if (!more)
			break;
		if (cool_places(&g, &all))
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
	     hot_queue_length(&h->large) < HOT_QUEUE_SIZE - QUEUE_SLACK;
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

unsigned hot_step(struct zsfs_thread *th, bool busy)
{
	unsigned most = busy ? 1 : COOL_GROUPS;

	if (back_ahead(th))
		return 1;
	if (cool_next(th, clock_ms(), most) > 0 || walk_some(th))
		return 1;
	return until_next(th->fs->hot);
}

bool hot_is_behind(const struct zsfs *fs)
{
	return hot_bytes(fs) > zsfs_get_hot(fs) / 2;
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

	while (clock_ms() < until) {
		int done = cool_next(th, UINT64_MAX, COOL_GROUPS);

		some |= done > 0;
		zsfs_pause(th);
		if (done < 0)
			break;
		if (done || walk_some(th))
			continue;
		if (!is_under_way(h))
			break;
		some = true;
		usleep(LOOK_USECS);
	}
	return some;
}

void hot_finish(struct zsfs_thread *th, uint64_t until)
{
	struct zsfs *fs = th->fs;
	int64_t written = zsfs_stat_sum(fs, ST_WRITTEN_BLOCKS);

	hot_drain(th, until);
	if (!hot_bytes(fs) && zsfs_stat_sum(fs, ST_WRITTEN_BLOCKS) == written &&
	    hot_rest(fs))
		arena_trim(fs->arena, th->at, true, false);
}
