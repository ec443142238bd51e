/* SPDX-License-Identifier: BSD-3-Clause */
/* Transactions (see tx.h). */
#include "tx.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "base/log.h"
#include "inode_layout.h"
#include "ranks.h"
#include "mem_limit.h"
#include "wake.h"
#include "zsfs.h"

static unsigned inode_stripe(const struct zinode *i)
{
	uint64_t h = inode_ino(i) * UINT64_C(0x9e3779b97f4a7c15);

	return (unsigned)(h >> 54) % NR_LOCK_STRIPES;
}

struct tx *tx_begin(struct zsfs_thread *th)
{
	struct tx *tx = &th->tx;
	struct zsfs_slot *s = th->slot;

	assert(s->state == TX_IDLE && s->undo.n == 0);
	tx->fs = th->fs;
	tx->th = th;
	tx->slot = s;
	tx->nr_locks = 0;
	tx->rename_locked = false;
	tx->reap_locked = false;
	tx->snap_locked = false;
	tx->count_all = false;
	tx->count_stripe = -1;
	tx->attr_changed = false;
	tx->policy = ALLOC_NEW;
	tx->cut_short = 0;
	tx->no_pages = false;
	tx->used_reserve = false;
	tx->thinned = false;
	tx->thin.nodeid = 0;
	tx->replied = false;
	tx->uncounted.table = NULL;
	tx->stamped = false;
	tx->reserved_blocks = 0;
	tx->reserved_inodes = 0;
	tx->promised = 0;
	tx->stored = 0;
	for (unsigned i = 0; i < ST_NR; i++)
		tx->stat[i] = 0;
	s->nr_alloc = 0;
	s->nr_free = 0;
	undo_barrier();
	s->state = TX_ACTIVE;
	undo_barrier();
	return tx;
}

/* ---- bounds ---- */

int tx_guarded(struct zsfs_thread *th, void (*fn)(void *arg), void *arg)
{
	jmp_buf guard, *outer = th->guard;
	int err = 0;

	th->guard = &guard;
	if (_setjmp(guard))
		err = -EIO;
	else
		fn(arg);
	th->guard = outer;
	return err;
}

void tx_leave(struct zsfs_thread *th)
{
	if (!th->guard)
		abort();
	_longjmp(*th->guard, 1);
}

void tx_give_up(struct tx *tx)
{
	if (tx->th->guard)
		tx_abort(tx, -EIO);
	tx_leave(tx->th);
}

_Noreturn void tx_too_large(struct tx *tx, const char *log)
{
	zsfs_log_ratelimited(LOG_ERR,
			     "request %u: a transaction does not fit its %s",
			     tx->slot->opcode, log);
	tx_give_up(tx);
}

/* ---- locks ---- */

static void lock_stripe(struct tx *tx, unsigned stripe, enum lock_mode mode)
{
	pthread_rwlock_t *l = &tx->fs->locks[stripe].lock;

	lock_rank_take(RANK_INODE, stripe);
	if (mode != LOCK_EXCL) {
		pthread_rwlock_rdlock(l);
		return;
	}
	pthread_rwlock_wrlock(l);
	tx->fs->locks[stripe].turn++;
}

void tx_lock(struct tx *tx, const struct lock_want *want, unsigned n)
{
	assert(tx->nr_locks == 0 && n <= TX_MAX_LOCKS);
	for (unsigned i = 0; i < n; i++) {
		unsigned stripe, j;

		if (!want[i].inode)
			continue;
		stripe = inode_stripe(want[i].inode);
		for (j = 0; j < tx->nr_locks; j++)
			if (tx->locks[j].stripe >= stripe)
				break;
		if (j < tx->nr_locks && tx->locks[j].stripe == stripe) {
			if (want[i].mode == LOCK_EXCL)
				tx->locks[j].mode = LOCK_EXCL;
			continue;
		}
		for (unsigned k = tx->nr_locks; k > j; k--)
			tx->locks[k] = tx->locks[k - 1];
		tx->locks[j].stripe = stripe;
		tx->locks[j].mode = want[i].mode;
		tx->nr_locks++;
	}
	for (unsigned i = 0; i < tx->nr_locks; i++)
		lock_stripe(tx, tx->locks[i].stripe, tx->locks[i].mode);
}

static bool try_stripe(struct tx *tx, unsigned stripe, enum lock_mode mode)
{
	pthread_rwlock_t *l = &tx->fs->locks[stripe].lock;
	bool got = mode == LOCK_EXCL ? !pthread_rwlock_trywrlock(l)
				     : !pthread_rwlock_tryrdlock(l);

	if (got)
		lock_rank_tried(RANK_INODE, stripe);
	if (got && mode == LOCK_EXCL)
		tx->fs->locks[stripe].turn++;
	return got;
}

bool tx_lock_more(struct tx *tx, const struct zinode *i, enum lock_mode mode)
{
	unsigned stripe = inode_stripe(i), n = tx->nr_locks;
	bool last = true;

	for (unsigned k = 0; k < n; k++) {
		if (tx->locks[k].stripe == stripe)
			return tx->locks[k].mode >= mode;
		if (tx->locks[k].stripe > stripe)
			last = false;
	}
	if (n == TX_MAX_LOCKS)
		return false;
	if (last)
		lock_stripe(tx, stripe, mode);
	else if (!try_stripe(tx, stripe, mode))
		return false;
	tx->locks[n].stripe = stripe;
	tx->locks[n].mode = mode;
	tx->nr_locks++;
	return true;
}

/* Which of the locks that @tx has is that of @i? nr_locks: none. */
static unsigned lock_of(const struct tx *tx, const struct zinode *i)
{
	unsigned stripe = inode_stripe(i), k = 0;

	while (k < tx->nr_locks && tx->locks[k].stripe != stripe)
		k++;
	return k;
}

uint64_t tx_turn(const struct tx *tx, const struct zinode *i)
{
	assert(lock_of(tx, i) < tx->nr_locks);
	return tx->fs->locks[inode_stripe(i)].turn;
}

bool tx_locks(const struct tx *tx, const struct zinode *i)
{
	unsigned k = lock_of(tx, i);

	return k < tx->nr_locks && tx->locks[k].mode == LOCK_EXCL;
}

void tx_unlock_more(struct tx *tx, unsigned nr_locks)
{
	while (tx->nr_locks > nr_locks) {
		unsigned stripe = tx->locks[--tx->nr_locks].stripe;

		pthread_rwlock_unlock(&tx->fs->locks[stripe].lock);
		lock_rank_drop(RANK_INODE, stripe);
	}
}

void tx_unlock(struct tx *tx)
{
	tx_unlock_more(tx, 0);
}

void inode_lock_shared(struct zsfs *fs, const struct zinode *i)
{
	lock_rank_take(RANK_INODE, inode_stripe(i));
	pthread_rwlock_rdlock(&fs->locks[inode_stripe(i)].lock);
}

void inode_unlock(struct zsfs *fs, const struct zinode *i)
{
	pthread_rwlock_unlock(&fs->locks[inode_stripe(i)].lock);
	lock_rank_drop(RANK_INODE, inode_stripe(i));
}

void tx_rename_lock(struct tx *tx)
{
	assert(tx->nr_locks == 0 && !tx->rename_locked);
	ranked_lock(&tx->fs->rename_lock, RANK_RENAME, 0);
	tx->rename_locked = true;
}

void tx_count_lock(struct tx *tx, const struct zinode *i)
{
	unsigned stripe = inode_stripe(i) % NR_COUNT_STRIPES;

	if (tx->count_all || tx->count_stripe == (int)stripe)
		return;
	assert(tx->count_stripe < 0);
	ranked_lock(&tx->fs->count_locks[stripe], RANK_COUNT, stripe);
	tx->count_stripe = (int)stripe;
}

void tx_count_lock_all(struct tx *tx)
{
	assert(tx->count_stripe < 0 && !tx->count_all);
	for (unsigned i = 0; i < NR_COUNT_STRIPES; i++)
		ranked_lock(&tx->fs->count_locks[i], RANK_COUNT, i);
	tx->count_all = true;
}

void tx_reap_lock(struct tx *tx)
{
	if (tx->reap_locked)
		return;
	ranked_lock(&tx->fs->reap_lock, RANK_LISTS, 0);
	tx->reap_locked = true;
}

void tx_snap_lock(struct tx *tx)
{
	ranked_lock(&tx->fs->snap_lock, RANK_LISTS, 1);
	tx->snap_locked = true;
}

void tx_count_unlock(struct tx *tx)
{
	if (tx->count_stripe >= 0)
		ranked_unlock(&tx->fs->count_locks[tx->count_stripe],
			      RANK_COUNT, (unsigned)tx->count_stripe);
	tx->count_stripe = -1;
}

static void drop_locks(struct tx *tx)
{
	struct zsfs *fs = tx->fs;

	if (tx->snap_locked)
		ranked_unlock(&fs->snap_lock, RANK_LISTS, 1);
	if (tx->reap_locked)
		ranked_unlock(&fs->reap_lock, RANK_LISTS, 0);
	tx_count_unlock(tx);
	for (unsigned i = NR_COUNT_STRIPES; tx->count_all && i-- > 0;)
		ranked_unlock(&fs->count_locks[i], RANK_COUNT, i);
	tx_unlock(tx);
	if (tx->rename_locked)
		ranked_unlock(&fs->rename_lock, RANK_RENAME, 0);
	tx->snap_locked = tx->reap_locked = tx->rename_locked = false;
	tx->count_all = false;
}

/* ---- changes ---- */

struct ztime tx_now(struct tx *tx)
{
	if (!tx->stamped)
		tx->now = stamp_now(tx->fs->stamp_fd);
	tx->stamped = true;
	return tx->now;
}

void tx_save_range(struct tx *tx, const void *p, size_t size)
{
	for (size_t off = 0; off < size; off += 8)
		tx_save(tx, (const char *)p + off);
}

bool tx_has_room(const struct tx *tx, unsigned undo, unsigned frees)
{
	const struct zsfs_slot *s = tx->slot;

	/* What the commit itself saves stays reserved. */
	return s->undo.n + undo + ST_NR + TX_SETTLE_UNDO <= s->undo.max &&
	       s->nr_free + frees <= TX_MAX_FREE;
}

bool tx_has_refs(const struct tx *tx, unsigned refs)
{
	return tx->slot->nr_alloc + refs <= TX_MAX_ALLOC;
}

void tx_claim_more(struct tx *tx)
{
	static const enum arena_claim of[] = {
		[ALLOC_GROW] = ARENA_GROW,
		[ALLOC_LATE] = ARENA_LATE,
		[ALLOC_REPLACE] = ARENA_RESERVE,
		[ALLOC_SHRINK] = ARENA_RESERVE,
	};

	zsfs_claim(tx->th, of[tx->policy]);
}

void tx_unclaim_more(struct tx *tx)
{
	zsfs_unclaim(tx->th);
}

int tx_run_alloc(struct tx *tx, unsigned pages, uint64_t *ref)
{
	int err;

	tx_claim(tx);
	err = arena_run_alloc(tx->fs->arena, tx->th->at, pages, ARENA_PAGE_DATA,
			      ref);
	tx_unclaim(tx);
	tx->no_pages |= err == -ENOSPC;
	return err;
}

int tx_slab_alloc(struct tx *tx, enum slab_cache cache, void **out)
{
	uint64_t *ref = tx_alloc_ref(tx);
	int err;

	tx_claim(tx);
	err = slab_alloc(tx->fs->arena, tx->th->at, cache, ref);
	tx_unclaim(tx);
	if (!err)
		*out = slab_addr(*ref);
	tx->no_pages |= err == -ENOSPC;
	return err;
}

/* ---- limits ---- */

static int reserve(int64_t *used, int64_t *reserved, int64_t n, uint64_t limit)
{
	int64_t now = __atomic_add_fetch(used, n, __ATOMIC_RELAXED);

	if (limit && now > 0 && (uint64_t)now > limit) {
		__atomic_sub_fetch(used, n, __ATOMIC_RELAXED);
		return -ENOSPC;
	}
	*reserved += n;
	return 0;
}

int tx_reserve_blocks(struct tx *tx, int64_t n)
{
	uint64_t limit =
		__atomic_load_n(&tx->fs->super->size_limit, __ATOMIC_RELAXED);

	return reserve(&tx->fs->used_blocks, &tx->reserved_blocks, n,
		       limit >> ZSFS_BLOCK_SHIFT);
}

int tx_reserve_inodes(struct tx *tx, int64_t n)
{
	return reserve(
		&tx->fs->used_inodes, &tx->reserved_inodes, n,
		__atomic_load_n(&tx->fs->super->inode_limit, __ATOMIC_RELAXED));
}

/* The arena promises memory to @n blocks more, or less. */
static void add_promised(struct tx *tx, int64_t n)
{
	if (n)
		arena_add_promised(tx->fs->arena, n * (int64_t)ZSFS_ROOM_COST);
}

int tx_promise(struct tx *tx, int64_t n)
{
	int err = arena_promise(tx->fs->arena, (uint64_t)n * ZSFS_ROOM_COST);

	if (err)
		tx->no_pages = true;
	else
		tx->promised += n;
	return err;
}

void tx_redeem(struct tx *tx)
{
	tx_claim(tx);
	arena_redeem(tx->th->at, ZSFS_ROOM_COST);
}

void tx_redeem_end(struct tx *tx, bool stored)
{
	arena_redeem_end(tx->fs->arena, tx->th->at);
	tx_unclaim(tx);
	if (stored)
		tx->promised--;
	else
		add_promised(tx, 1);
}

/* ---- ends ---- */

static void free_ref(struct zsfs *fs, struct zsfs_thread *th, uint64_t *ref)
{
	switch (REF_KIND(*ref)) {
	case REF_SLAB:
		slab_free(fs->arena, th->at, ref);
		break;
	case REF_RUN:
		arena_run_free(fs->arena, th->at, ref);
		break;
	case REF_OBJ:
		zs_free(fs->pool, th->at, ref);
		break;
	default:
		break;
	}
}

static void finish_frees(struct zsfs *fs, struct zsfs_thread *th)
{
	struct zsfs_slot *s = th->slot;

	for (uint64_t i = 0; i < s->nr_free; i++)
		free_ref(fs, th, &s->free[i]);
}

/* The answer stays on record when the transaction is at rest. */
static void keep_answer(struct zsfs_slot *s)
{
	s->done = s->unique;
	undo_barrier();
}

/*
 * Lists at rest name nothing, so that a wrong count frees nothing of what lives
 * by then.
 */
static void clear_lists(struct zsfs_slot *s, uint64_t nr_alloc,
			uint64_t nr_free)
{
	memset(s->alloc, 0, nr_alloc * sizeof(s->alloc[0]));
	memset(s->free, 0, nr_free * sizeof(s->free[0]));
}

static void finish_slot(struct zsfs_slot *s)
{
	undo_barrier();
	s->undo.n = 0;
	clear_lists(s, s->nr_alloc, s->nr_free);
	s->nr_alloc = 0;
	s->nr_free = 0;
	undo_barrier();
	s->state = TX_IDLE;
	undo_barrier();
	zs_crash_point();
}

static void roll_back(struct zsfs *fs, struct zsfs_thread *th)
{
	struct zsfs_slot *s = th->slot;

	undo_rollback(&s->undo);
	for (uint64_t i = 0; i < s->nr_alloc; i++)
		free_ref(fs, th, &s->alloc[i]);
}

static void fold_stats(struct tx *tx)
{
	struct zsfs_slot *s = tx->slot;

	for (unsigned i = 0; i < ST_NR; i++) {
		if (!tx->stat[i])
			continue;
		tx_save(tx, &s->stat[i]);
		__atomic_store_n(&s->stat[i], s->stat[i] + tx->stat[i],
				 __ATOMIC_RELAXED);
	}
	__atomic_add_fetch(&tx->fs->used_blocks,
			   tx->stat[ST_BLOCKS] - tx->reserved_blocks,
			   __ATOMIC_RELAXED);
	__atomic_add_fetch(&tx->fs->used_inodes,
			   tx->stat[ST_INODES] - tx->reserved_inodes,
			   __ATOMIC_RELAXED);
	add_promised(tx, tx->stat[ST_ROOM] - tx->promised);
	/* What takes no memory may be written over. */
	if (tx->stat[ST_SAME])
		arena_add_growth(tx->fs->arena,
				 tx->stat[ST_SAME] * (int64_t)ZSFS_ROOM_COST);
}

void tx_commit(struct tx *tx)
{
	struct zsfs_slot *s = tx->slot;

	assert(s->state == TX_ACTIVE);
	if (tx->uncounted.table)
		tx->uncounted.settle(tx);
	fold_stats(tx);
	if (ZS_DEBUG_LEVEL >= 2 && tx->fs->verify_tx)
		tx->fs->verify_tx(tx);
	undo_barrier();
	zs_crash_point();
	s->state = tx->replied ? TX_ANSWERED : TX_COMMITTED;
	undo_barrier();
	zs_crash_point();
	drop_locks(tx);
	if (tx->replied)
		keep_answer(s);
	finish_frees(tx->fs, tx->th);
	if (s->nr_free)
		zsfs_note_freed(tx->fs);
	finish_slot(s);
}

int tx_abort(struct tx *tx, int err)
{
	struct zsfs *fs = tx->fs;

	assert(tx->slot->state == TX_ACTIVE);
	roll_back(fs, tx->th);
	__atomic_sub_fetch(&fs->used_blocks, tx->reserved_blocks,
			   __ATOMIC_RELAXED);
	__atomic_sub_fetch(&fs->used_inodes, tx->reserved_inodes,
			   __ATOMIC_RELAXED);
	add_promised(tx, -tx->promised);
	finish_slot(tx->slot);
	drop_locks(tx);
	return err;
}

void tx_recover(struct zsfs *fs, struct zsfs_thread *th)
{
	struct zsfs_slot *s = th->slot;

	if (s->state == TX_ACTIVE)
		roll_back(fs, th);
	else if (s->state == TX_ANSWERED)
		keep_answer(s);
	if (s->state == TX_COMMITTED || s->state == TX_ANSWERED)
		finish_frees(fs, th);
	/* Who was killed may have put down one that it did not count. */
	clear_lists(s, TX_MAX_ALLOC, TX_MAX_FREE);
	finish_slot(s);
}
