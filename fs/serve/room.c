/* SPDX-License-Identifier: BSD-3-Clause */
/* Making room and waiting for it (see room.h). */
#include "room.h"

#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include "base/clock.h"
#include "content/file.h"
#include "content/hot.h"
#include "content/pack.h"
#include "content/settle.h"
#include "crash_test.h"
#include "request.h"
#include "state/chore.h"
#include "state/counters.h"
#include "state/threads.h"
#include "state/tx.h"
#include "state/zsfs.h"
#include "tree/reap.h"
#include "waiting.h"

/* ROOM_WAIT_MSECS for what is lost otherwise, and may wait for its turns. */
#define LATE_WAIT_MSECS 5000
#define SLICE_MSECS	10
/* How long in all where others wait, and it is little or cannot be put back. */
#define HURRY_MSECS 100
#define LOOK_USECS  500
/* How long content is modest after a small call has found no memory. */
#define CROWDED_MSECS 60000
/* Steps of freeing between two attempts. */
#define STEPS 8u
/* Pages for what a request needs beside its content. */
#define META_PAGES 32u
/* Pages below which packing is not worth it only for the reserve. */
#define WORTH_PACKING 32u
/* Steps of packing that follow a request which used the reserve. */
#define REFILL_STEPS 8u

static bool is_being_freed(struct zsfs *fs)
{
	return zsfs_stat_sum(fs, ST_REAPING) > 0;
}

/* Free some of what was deleted. */
static bool reap_some(struct zsfs_thread *th, const struct room *r)
{
	unsigned steps = 0;

	while (steps < STEPS && reap_step(th))
		steps++;
	reap_hand_over(th);
	return steps != 0;
}

/* Others go on meanwhile. */
static void look_away(struct zsfs_thread *th)
{
	zsfs_leave(th);
	usleep(LOOK_USECS);
	zsfs_enter(th);
}

/* Compress what was only stored. */
static bool cool_some(struct zsfs_thread *th, const struct room *r)
{
	return hot_drain(th, r->slice);
}

static bool pack_some(struct zsfs_thread *th, const struct room *r)
{
	return pack_pool(th, r->pages + META_PAGES, UINT_MAX, r->slice) != 0;
}

/* Make denser what is stored. */
static bool settle_some(struct zsfs_thread *th, const struct room *r)
{
	uint64_t bytes = (r->pages + META_PAGES) * ZSFS_BLOCK_SIZE;

	if (__atomic_load_n(&th->fs->settle_busy, __ATOMIC_RELAXED)) {
		look_away(th);
		return true;
	}
	return zsfs_settle_for(th, bytes, r->begun, r->slice);
}

/* One of these, and whether it was of use. */
struct work {
	struct zsfs_thread *th;
	const struct room *r;
	bool (*some)(struct zsfs_thread *th, const struct room *r);
	bool did;
};

static void do_work(void *arg)
{
	struct work *w = arg;

	w->did = w->some(w->th, w->r);
}

/*
 * The request is not to blame for what others have stored: not when workers
 * crash of it, nor when a transaction of it does not fit.
 */
static bool some(struct zsfs_thread *th, const struct room *r,
		 enum zsfs_chore c,
		 bool (*fn)(struct zsfs_thread *th, const struct room *r))
{
	struct work w = {.th = th, .r = r, .some = fn};
	uint64_t was;

	if (chore_rests(th->fs, c))
		return false;
	was = chore_begins(th, c);
	crash_test_chore(c);
	if (tx_guarded(th, do_work, &w))
		w.did = false;
	chore_ends(th, was);
	return w.did;
}

bool room_await_forget(struct zsfs_thread *th)
{
	struct zsfs *fs = th->fs;
	uint64_t since = __atomic_load_n(&fs->let_go, __ATOMIC_RELAXED);
	unsigned servers = fs->nr_threads - 1; /* one is in the background */
	bool wait;

	if (!since || clock_ms() >= since + ROOM_FORGET_MSECS)
		return false;
	wait = __atomic_add_fetch(&fs->forget_waiters, 1, __ATOMIC_RELAXED) <
	       servers;
	if (wait)
		look_away(th);
	__atomic_sub_fetch(&fs->forget_waiters, 1, __ATOMIC_RELAXED);
	return wait;
}

/* Make some room, or let others go on with that. False: none will come. */
static bool make_room(struct zsfs_thread *th, struct room *r, bool pack)
{
	struct zsfs *fs = th->fs;

	if (some(th, r, CHORE_REAP, reap_some))
		return true;
	/* Once, because those who delete all the time may not keep it. */
	if (!r->awaited) {
		r->awaited = true;
		if (room_await_forget(th))
			return true;
	}
	if (pack && (some(th, r, CHORE_COOL, cool_some) ||
		     some(th, r, CHORE_PACK, pack_some) ||
		     some(th, r, CHORE_SETTLE, settle_some)))
		return true;
	if (room_await_forget(th))
		return true;
	if (!is_being_freed(fs) && !(pack && zs_is_compacting(fs->pool)))
		return false;
	look_away(th);
	return true;
}

/* The first attempt has found no room. */
static void begin(struct room *r, const struct zsfs_thread *th, uint64_t now)
{
	r->begun = now;
	r->until = th->room_until ? th->room_until
				  : now + (r->late ? LATE_WAIT_MSECS
						   : ROOM_WAIT_MSECS);
	r->slice = now + SLICE_MSECS;
}

/* Is a part as much as there is for now, because others wait? */
static bool part_will_do(const struct room *r, uint64_t now)
{
	return r->part && !r->late && now >= r->slice && request_others_wait();
}

/* No longer than this from now on. */
static void shorten(struct room *r, uint64_t until)
{
	if (!r->late && r->until > until)
		r->until = until;
}

/* Others first, if there are any. A part of what would be lost is kept. */
static void next_slice(struct room *r, const struct zsfs_thread *th,
		       uint64_t now)
{
	r->slice = now + SLICE_MSECS;
	r->awaited = false;
	if (!request_others_wait())
		return;
	/* Who makes small calls waits for answers. */
	if (!th->room_until && th->slot->req_len < WAITING_LITTLE)
		shorten(r, r->begun + HURRY_MSECS);
	if (r->part || now >= r->until)
		return;
	request_put_back(r->until);
	if (!r->stuck)
		shorten(r, now + HURRY_MSECS);
	r->stuck = true;
}

static bool is_crowded(struct zsfs *fs)
{
	uint64_t until = __atomic_load_n(&fs->crowded, __ATOMIC_RELAXED);

	return until && clock_ms() < until;
}

struct tx *room_begin(struct zsfs_thread *th, const struct room *r)
{
	arena_thread_modest(th->at, r->pages && is_crowded(th->fs));
	return tx_begin(th);
}

/* A small call has found no memory. */
static void note_crowd(struct zsfs *fs, uint64_t now)
{
	if (request_others_wait())
		__atomic_store_n(&fs->crowded, now + CROWDED_MSECS,
				 __ATOMIC_RELAXED);
}

bool room_again(struct room *r, struct tx *tx, int err)
{
	struct zsfs_thread *th = tx->th;
	bool pack = tx->no_pages;
	uint64_t now;

	arena_thread_modest(th->at, false);
	if (err != -ENOSPC || r->last)
		return false;
	now = clock_ms();
	if (!r->begun)
		begin(r, th, now);
	if (pack && !r->pages)
		note_crowd(th->fs, now);
	if (now >= r->until || (r->brief && now >= r->slice) ||
	    part_will_do(r, now))
		return false;
	tx_abort(tx, err);
	if (now >= r->slice)
		next_slice(r, th, now);
	if (make_room(th, r, pack))
		return true;
	now = clock_ms();
	/* Where its time was over it has not seen all, nor is there any yet. */
	r->last = now < r->slice;
	if (!r->last && !r->brief && now < r->until)
		next_slice(r, th, now);
	return true;
}

/*
 * Why @tx, a write, shall be tried again; 0: it is as good as can be. A part is
 * better than nothing as long as nothing is sure to come.
 */
static int want_of(const struct tx *tx, int err)
{
	struct zsfs *fs = tx->fs;

	if (err || tx->cut_short != -ENOSPC || !tx->no_pages)
		return err;
	return is_being_freed(fs) || zsfs_stat_sum(fs, ST_HOT) > 0 ||
			       zs_is_compacting(fs->pool) ||
			       zs_can_compact(fs->pool) || zsfs_can_settle(fs)
		       ? -ENOSPC
		       : 0;
}

int room_write(struct zsfs_thread *th, struct tx **tx, uint64_t nodeid,
	       const void *buf, size_t size, uint64_t off, unsigned flags,
	       size_t *done)
{
	struct room r = {.pages = size / ZSFS_BLOCK_SIZE,
			 .late = flags & WRITE_CACHE};
	int err;

	do {
		*tx = room_begin(th, &r);
		err = zsfs_write(*tx, nodeid, buf, size, off, flags, done);
		r.part = !err;
	} while (room_again(&r, *tx, want_of(*tx, err)));
	zsfs_write_failed(*tx, nodeid, off, flags, *done);
	return err;
}

void room_refill(struct zsfs_thread *th)
{
	if (th->tx.used_reserve &&
	    zs_can_compact(th->fs->pool) >= WORTH_PACKING)
		pack_pool(th, WORTH_PACKING, REFILL_STEPS, UINT64_MAX);
}
