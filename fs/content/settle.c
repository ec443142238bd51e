/* SPDX-License-Identifier: BSD-3-Clause */
/* Settling on demand (see settle.h). */
#include "settle.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "dense.h"
#include "hot.h"
#include "settler.h"
#include "settling.h"
#include "state/chore.h"
#include "state/counters.h"
#include "state/inode.h"
#include "state/settings.h"
#include "state/threads.h"
#include "state/zsfs.h"

/* The longest that it compresses what is hot first. */
#define HOT_MSECS 10000u
/* How often a group is tried that others change meanwhile. */
#define MAX_TRIES 3u
/* For how long it is not tried again for a request when nothing was saved. */
#define VAIN_MSECS 1000u
/* Unless there are so many blocks more that were not tried. */
#define SOME_BLOCKS 64u

/* One pass over all files, or as far as it is wanted. */
struct pass {
	struct settling s;
	uint8_t *plain, *frame; /* ZCOMP_CLUSTER_SIZE each */
	uint64_t enough;	/* bytes of RAM that are to be saved */
	uint64_t until;		/* clock_ms() */
	struct settle_place *place;
};

static int try_group(struct pass *p, struct group *g)
{
	uint32_t before = 0;
	int err = settling_read(&p->s, g, &before), len;

	if (err)
		return err;
	len = dense_compress(p->s.fs, p->s.th->zc, p->s.level, g,
			     settling_most(before), p->frame);
	return settling_put(&p->s, g, p->frame, len, before);
}

/* 0, or why the pass has to end: -ENOSPC, -ENOMEM. */
static int settle_group(struct pass *p, struct group *g)
{
	int err = -EAGAIN;

	for (unsigned n = 0; err == -EAGAIN && n < MAX_TRIES; n++)
		err = try_group(p, g);
	settling_pack(&p->s, true);
	return err == -ENOSPC || err == -ENOMEM ? err : 0;
}

static bool is_over(const struct pass *p)
{
	return p->s.saved >= p->enough || clock_ms() >= p->until;
}

static int settle_file(struct pass *p, struct group *g)
{
	int err = 0;

	while (!err && !is_over(p)) {
		err = settling_find(&p->s, g);
		zsfs_pause(p->s.th);
		if (err == -ENOENT)
			return 0;
		if (err == 1) {
			err = 0;
			continue;
		}
		err = settle_group(p, g);
		g->first += CLUSTER_BLOCKS;
	}
	return err;
}

/* From the place on; where it is over that is where it goes on. */
static int settle_all(struct pass *p)
{
	struct settle_place *at = p->place;
	int err = 0;

	if (!at->inode)
		at->inode = slab_next_record(p->s.fs->arena, NULL);
	while (at->inode && !err) {
		struct group g = {.inode = at->inode,
				  .gen = at->gen,
				  .first = at->first,
				  .plain = p->plain};

		err = settle_file(p, &g);
		at->gen = g.gen;
		at->first = g.first;
		if (is_over(p))
			break;
		at->inode = slab_next_record(p->s.fs->arena, at->inode);
		at->gen = at->first = 0;
	}
	settling_pack(&p->s, false);
	return err;
}

static int settle(struct pass *p)
{
	int err;

	p->plain = malloc(ZCOMP_CLUSTER_SIZE);
	p->frame = malloc(ZCOMP_CLUSTER_SIZE);
	err = p->plain && p->frame ? settle_all(p) : -ENOMEM;
	free(p->frame);
	free(p->plain);
	return err;
}

int zsfs_settle(struct zsfs_thread *th)
{
	struct settle_place place = {0};
	struct pass p = {
		.s = {.fs = th->fs, .th = th, .level = zsfs_get_dense(th->fs)},
		.enough = UINT64_MAX,
		.until = UINT64_MAX,
		.place = &place,
	};
	int err;

	if (chore_rests(th->fs, CHORE_SETTLE))
		return -EBUSY;
	hot_drain(th, clock_ms() + HOT_MSECS);
	if (th->fs->settler)
		return settler_run(th->fs->settler, th);
	err = settle(&p);
	return err == -ENOSPC ? 0 : err;
}

static void in_vain(struct zsfs *fs)
{
	struct settle_progress now;

	settle_get_progress(fs, &now);
	__atomic_store_n(&fs->settle_vain_for, now.to_do, __ATOMIC_RELAXED);
	__atomic_store_n(&fs->settle_vain, clock_ms() + VAIN_MSECS,
			 __ATOMIC_RELAXED);
}

/* Nothing but what was tried in vain a moment ago? */
static bool is_vain(struct zsfs *fs, uint64_t to_do)
{
	return clock_ms() <
		       __atomic_load_n(&fs->settle_vain, __ATOMIC_RELAXED) &&
	       to_do <=
		       __atomic_load_n(&fs->settle_vain_for, __ATOMIC_RELAXED) +
			       SOME_BLOCKS;
}

bool zsfs_can_settle(struct zsfs *fs)
{
	struct settle_progress now;

	if (zsfs_get_settle(fs) == SETTLE_OFF || chore_rests(fs, CHORE_SETTLE))
		return false;
	settle_get_progress(fs, &now);
	return now.to_do && !is_vain(fs, now.to_do);
}

/*
 * A part of a pass has ended with @err; @saved: it saved something. May more be
 * had by who came at @since?
 */
static bool may_have_more(struct zsfs *fs, int err, bool saved, uint64_t since)
{
	struct settle_place *at = &fs->settle_place;
	bool whole;

	at->saved |= saved;
	if (!err && at->inode)
		return true;
	whole = err || (at->begun >= since && !at->saved);
	if (!err)
		*at = (struct settle_place){0};
	if (whole && !saved)
		in_vain(fs);
	return saved || !whole;
}

bool zsfs_settle_for(struct zsfs_thread *th, uint64_t bytes, uint64_t since,
		     uint64_t until)
{
	struct zsfs *fs = th->fs;
	struct pass p = {
		.s = {.fs = fs, .th = th, .level = zsfs_get_dense(fs)},
		.enough = bytes,
		.until = until,
		.place = &fs->settle_place,
	};
	bool more;
	int err;

	if (!zsfs_can_settle(fs))
		return false;
	if (__atomic_exchange_n(&fs->settle_busy, true, __ATOMIC_ACQUIRE))
		return true;
	if (!fs->settle_place.inode)
		fs->settle_place.begun = clock_ms();
	err = settle(&p);
	more = may_have_more(fs, err, p.s.saved, since);
	__atomic_store_n(&fs->settle_busy, false, __ATOMIC_RELEASE);
	return more;
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
