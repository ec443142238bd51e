/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Transactions: each request changes the file system wholly or not at all.
 *
 * A transaction belongs to a slot in the arena. It
 *   - takes the locks it needs and keeps them to the end,
 *   - saves every reachable word in the slot's undo log before changing it in
 *     place, so that its own reads see its own writes,
 *   - takes memory into refs of the slot's alloc[] list, and puts what it
 *     replaces on the free[] list,
 *   - has its reply recorded in the slot,
 * and then commits by one store of the slot's state. After that the locks are
 * dropped and the free[] list is worked off.
 *
 * If the process dies before the store, a successor rolls the log back and
 * frees alloc[]; the request is executed again. If it dies after, the successor
 * works off what is left of free[] and answers the request from the record: the
 * store that commits also says that the reply in the slot is the answer. An
 * operation that fails does the same rollback through tx_abort().
 *
 * Because words are changed in place under their locks and the locks are held
 * until the commit, no state between exists for anybody else: there is no step
 * of applying a log, and no value can be replayed over a newer one.
 *
 * Order of locks, outermost first:
 *   1  zsfs.rename_lock (renames of directories across directories)
 *   2  inode locks, by stripe number; all of a request at once (tx_lock)
 *   3  counter locks, one or all (tx_count_lock, tx_count_lock_all)
 *   4  zsfs.reap_lock, zsfs.snap_lock
 *   5  locks of pool and arena (leaves)
 * Inodes share 1024 lock stripes by number; a set is taken in stripe order, so
 * sets never deadlock, and whoever learned from a look-up what to lock checks
 * again once it is locked.
 */
#ifndef FS_TX_H
#define FS_TX_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "layout.h"
#include "stamp.h"

struct zsfs;
struct zsfs_thread;
struct zinode;
struct ztable;

#define TX_MAX_LOCKS 6

/* Undo entries that tx.uncounted.settle() may take. */
#define TX_SETTLE_UNDO 5u

enum lock_mode { LOCK_SHARED, LOCK_EXCL };

/*
 * What is allocated for: how much of the limit of memory it may fill. Each may
 * have all that those before it may.
 */
enum alloc_policy {
	ALLOC_NEW,     /* new content and names */
	ALLOC_GROW,    /* more than what it takes the place of */
	ALLOC_LATE,    /* what a shared mapping took before it was counted */
	ALLOC_REPLACE, /* no more than what it takes the place of */
	ALLOC_SHRINK,  /* on the way to less: cutting, deleting */
};

struct tx {
	struct zsfs *fs;
	struct zsfs_thread *th;
	struct zsfs_slot *slot;
	unsigned nr_locks;
	struct {
		unsigned stripe;
		enum lock_mode mode;
	} locks[TX_MAX_LOCKS];
	bool rename_locked;
	bool reap_locked;
	bool snap_locked;
	bool count_all;
	int count_stripe; /* -1 = none */
	/*
	 * An attribute changed that the kernel knows nothing of, or only notes
	 * to be old, so that it would take an answer given before for new: it
	 * must be told.
	 */
	bool attr_changed;
	enum alloc_policy policy; /* tx_raise_policy() */
	/*
	 * Why a write ended early, though some of it was done; 0: it did not.
	 */
	int cut_short;
	/* It is memory that an allocation found none of, no other limit. */
	bool no_pages;
	/* The arena's reserve was used: compaction refills it (room.h). */
	bool used_reserve;
	/*
	 * A cluster (content/cluster.h) has less than half of its blocks left;
	 * where that may be, for content/tidy.h: blocks of an inode.
	 */
	bool thinned;
	struct {
		uint64_t nodeid; /* 0: nowhere */
		uint64_t first, last;
	} thin;
	/* The reply was recorded: it is valid from the commit on. */
	bool replied;
	/*
	 * Slots that came (went: < 0) in one leaf of a table and that its links
	 * do not count yet; settle() has it count them. No table: none.
	 */
	struct {
		const struct ztable *table;
		void (*settle)(struct tx *tx);
		uint64_t leaf; /* index of a slot >> TABLE_ORDER */
		int64_t n;
	} uncounted;
	bool stamped; /* now is set */
	struct ztime now;
	/* Reserved from the limits, given back on abort. */
	int64_t reserved_blocks;
	int64_t reserved_inodes;
	/*
	 * Blocks with room that came (went: < 0) and that the arena has
	 * promised memory to, or does no longer, already.
	 */
	int64_t promised;
	/* Payload bytes that came (went: < 0) with the blocks of a file. */
	int64_t stored;
	int64_t stat[ST_NR]; /* changes, put into the slot's cells at commit */
};

struct lock_want {
	const struct zinode *inode;
	enum lock_mode mode;
};

/*
 * Run @fn(@arg). What a transaction changes has to fit into the logs of a slot:
 * operations stay within their bounds by themselves, but one that does not, in
 * any build, is aborted and logged before anything is written beyond them, and
 * this returns -EIO without returning to @fn. Else 0. May be nested: the inner
 * one is left. Without a guard such a process ends, for a successor to undo the
 * transaction. No lock but those of a transaction may be held in @fn where a
 * transaction is open.
 */
int tx_guarded(struct zsfs_thread *th, void (*fn)(void *arg), void *arg);

/*
 * Have the innermost tx_guarded() of @th, in which no transaction is open,
 * return -EIO.
 */
_Noreturn void tx_leave(struct zsfs_thread *th);

/*
 * Abort @tx and have the tx_guarded() that runs it return -EIO; without one the
 * process ends.
 */
_Noreturn void tx_give_up(struct tx *tx);
/* The same, and says of which log of its slot it needs more. */
_Noreturn void tx_too_large(struct tx *tx, const char *log);

/* Start a transaction in the thread's slot. */
struct tx *tx_begin(struct zsfs_thread *th);

/*
 * Make all changes permanent, drop the locks, free what was put on free[].
 * The reply must have been recorded before.
 */
void tx_commit(struct tx *tx);

/* Undo everything, drop the locks, free alloc[]. Returns @err. */
int tx_abort(struct tx *tx, int err);

/* Lock a set of inodes (duplicates and NULL allowed) in a safe order. */
void tx_lock(struct tx *tx, const struct lock_want *want, unsigned n);
/*
 * Lock one more inode on top of those held, if that cannot deadlock: false when
 * it would have to wait out of order, or when its stripe is held shared and
 * exclusive is wanted. Then drop all and take the whole set at once.
 */
bool tx_lock_more(struct tx *tx, const struct zinode *i, enum lock_mode mode);
/* Drop what tx_lock_more() added since there were @nr_locks. */
void tx_unlock_more(struct tx *tx, unsigned nr_locks);
/* One inode, shared, without a transaction; nothing else is locked. */
void inode_lock_shared(struct zsfs *fs, const struct zinode *i);
void inode_unlock(struct zsfs *fs, const struct zinode *i);
/*
 * How often whatever is locked as @i is was locked exclusively; @i is locked
 * now, shared or not. Exclusive and one more than at the last time means that
 * nothing of it has changed since.
 */
uint64_t tx_turn(const struct tx *tx, const struct zinode *i);
/* Is @i locked exclusively? */
bool tx_locks(const struct tx *tx, const struct zinode *i);
/* Drop all inode locks; only before anything was changed. */
void tx_unlock(struct tx *tx);

void tx_rename_lock(struct tx *tx);
void tx_count_lock(struct tx *tx, const struct zinode *i);
void tx_count_lock_all(struct tx *tx);
/* Drop what tx_count_lock() took, before anything it protects was changed. */
void tx_count_unlock(struct tx *tx);
void tx_reap_lock(struct tx *tx);
void tx_snap_lock(struct tx *tx);

/*
 * The time of the transaction, for all that it stamps, taken by the first call.
 * Only when everything that is to be stamped is locked, so that no change of an
 * inode has an earlier time than the one before it.
 */
struct ztime tx_now(struct tx *tx);

/* Save the 8-byte word around @p / save and set a whole word. */
static inline void tx_save(struct tx *tx, const void *p)
{
	struct undo_log *u = &tx->slot->undo;

	if (__builtin_expect(u->n >= u->max, 0))
		tx_too_large(tx, "undo log");
	undo_save(u, p);
}

static inline void tx_set(struct tx *tx, uint64_t *w, uint64_t val)
{
	tx_save(tx, w);
	/* As undo_set(). */
	__atomic_store_n(w, val, __ATOMIC_RELAXED);
}

/* Save @size bytes (whole words) from @p on. */
void tx_save_range(struct tx *tx, const void *p, size_t size);

/* The ref to allocate into, for the next allocation. Never NULL. */
static inline uint64_t *tx_alloc_ref(struct tx *tx)
{
	struct zsfs_slot *s = tx->slot;

	if (__builtin_expect(s->nr_alloc >= TX_MAX_ALLOC, 0))
		tx_too_large(tx, "list of allocations");
	s->alloc[s->nr_alloc] = REF_NONE;
	undo_barrier();
	s->nr_alloc++;
	undo_barrier();
	return &s->alloc[s->nr_alloc - 1];
}

/* Nothing was allocated into @ref, the last that tx_alloc_ref() gave. */
static inline void tx_return_ref(struct tx *tx, const uint64_t *ref)
{
	assert(ref == &tx->slot->alloc[tx->slot->nr_alloc - 1] && !*ref);
	tx->slot->nr_alloc--;
	undo_barrier();
}

/*
 * What @tx allocates from now on is for @policy at least, until its policy is
 * set to what this returned; can be nested. Above ALLOC_NEW it works when the
 * arena is full, and when mem_limit was set below what is in use.
 */
static inline enum alloc_policy tx_raise_policy(struct tx *tx,
						enum alloc_policy policy)
{
	enum alloc_policy was = tx->policy;

	if (policy > was)
		tx->policy = policy;
	return was;
}

/*
 * Around each allocation: the thread has the claim to memory that the policy
 * of @tx stands for.
 */
void tx_claim_more(struct tx *tx);
void tx_unclaim_more(struct tx *tx);

static inline void tx_claim(struct tx *tx)
{
	if (tx->policy != ALLOC_NEW)
		tx_claim_more(tx);
}

static inline void tx_unclaim(struct tx *tx)
{
	if (tx->policy != ALLOC_NEW)
		tx_unclaim_more(tx);
}

/*
 * Allocate in the transaction, as its policy says: a slab object; a run of
 * pages of plain data into @ref, which is of tx_alloc_ref(). 0, -ENOSPC,
 * -ENOMEM.
 */
int tx_slab_alloc(struct tx *tx, enum slab_cache cache, void **out);
int tx_run_alloc(struct tx *tx, unsigned pages, uint64_t *ref);
/* Free @ref after the commit. */
static inline void tx_free(struct tx *tx, uint64_t ref)
{
	struct zsfs_slot *s = tx->slot;

	assert(REF_KIND(ref) != REF_NONE);
	if (__builtin_expect(s->nr_free >= TX_MAX_FREE, 0))
		tx_too_large(tx, "list of frees");
	s->free[s->nr_free] = ref;
	undo_barrier();
	s->nr_free++;
	undo_barrier();
}

static inline void tx_stat(struct tx *tx, enum zsfs_stat s, int64_t delta)
{
	tx->stat[s] += delta;
}

/*
 * Reserve blocks or inodes from the limits. Returns 0 or -ENOSPC. What is not
 * reserved here must not be added to ST_BLOCKS / ST_INODES.
 */
int tx_reserve_blocks(struct tx *tx, int64_t n);
int tx_reserve_inodes(struct tx *tx, int64_t n);

/*
 * Have the arena promise memory to @n blocks, which must be added to ST_ROOM. 0
 * or -ENOSPC.
 */
int tx_promise(struct tx *tx, int64_t n);
/*
 * Around the allocation for the content of one block with room, which is taken
 * off ST_ROOM when it is stored.
 */
void tx_redeem(struct tx *tx);
void tx_redeem_end(struct tx *tx, bool stored);

/* Room left for undo entries and frees, for operations done in steps. */
bool tx_has_room(const struct tx *tx, unsigned undo, unsigned frees);
/* And for refs of what is allocated. */
bool tx_has_refs(const struct tx *tx, unsigned refs);

/*
 * Does the slot of a dead process make sense, so that recovery may go by it?
 * For all slots before the first of them is brought to rest.
 */
bool tx_is_sound(struct zsfs *fs, const struct zsfs_thread *th);

/*
 * Bring the slot of a dead process to rest: roll back or finish. Needs the
 * arena and pool recovered. May be killed and repeated.
 */
void tx_recover(struct zsfs *fs, struct zsfs_thread *th);

#endif
