/* SPDX-License-Identifier: BSD-3-Clause */
/* Ends of inodes, and freeing large files in steps (see reap.h). */
#include "reap.h"

#include <assert.h>
#include <errno.h>
#include <syslog.h>

#include "base/clock.h"
#include "base/log.h"
#include "content/block_table.h"
#include "content/cluster.h"
#include "content/table_range.h"
#include "content/xattr_set.h"
#include "state/chore.h"
#include "state/inode.h"
#include "state/tx.h"
#include "state/wake.h"
#include "state/zsfs.h"

/* Blocks freed by one transaction. */
#define STEP_BLOCKS 128u
/* What freeing a file of at most one leaf may take of the logs. */
#define SMALL_UNDO  (192u + TABLE_WIDTH)
#define SMALL_FREES (112u + TABLE_WIDTH / CLUSTER_BLOCKS * CLUSTER_FREES)
/* What the end of an inode itself takes of them. */
#define END_UNDO  4u
#define END_FREES 2u
/* Steps that a request makes with what it queued itself. */
#define HELP_STEPS 8u

static struct zinode *inode_of(uint64_t addr)
{
	return (struct zinode *)(uintptr_t)addr;
}

static void put_on_list(struct tx *tx, struct zinode *i)
{
	struct zsfs_super *s = tx->fs->super;

	tx_reap_lock(tx);
	tx_set(tx, &i->reap_next, s->reap_head);
	tx_set(tx, &s->reap_head, (uint64_t)(uintptr_t)i);
}

static uint64_t stored_in(const struct zinode *i)
{
	return S_ISREG(i->mode) ? i->file.stored : 0;
}

/* To be freed in steps: by this thread first, if it is at nothing else. */
static void queue(struct tx *tx, struct zinode *i)
{
	tx_stat(tx, ST_REAPING, 1);
	tx_stat(tx, ST_REAP_BYTES, (int64_t)stored_in(i));
	if (tx->slot->reap)
		put_on_list(tx, i);
	else
		tx_set(tx, &tx->slot->reap, (uint64_t)(uintptr_t)i);
}

/* Tables of at most one leaf, and few attributes, are freed on the spot. */
static bool is_small(const struct zinode *i)
{
	return (!S_ISREG(i->mode) || i->file.blocks.level <= 1) &&
	       xattr_are_few(i);
}

/* Free all blocks from @first on, at most @max, for which there is room. */
static void free_tail(struct tx *tx, struct zinode *i, uint64_t first,
		      unsigned max)
{
	if (!table_free_range(tx, i, &first, UINT64_MAX, &max))
		tx_too_large(tx, "logs");
}

/* End @i, which nothing names any more; its counter lock is held. */
static void reap_inode(struct tx *tx, struct zinode *i)
{
	assert(i->nlink == 0 && i->nlookup == 0);
	tx_stat(tx, ST_INODES, -1);
	if (S_ISREG(i->mode))
		tx_stat(tx, ST_BLOCKS, -(int64_t)i->blocks);
	if (!is_small(i) || !tx_has_room(tx, SMALL_UNDO, SMALL_FREES) ||
	    !xattr_free(tx, i)) {
		queue(tx, i);
		return;
	}
	if (S_ISREG(i->mode)) {
		free_tail(tx, i, 0, TABLE_WIDTH);
	} else if (S_ISLNK(i->mode)) {
		tx_free(tx, i->link.target);
	}
	tx_free(tx, slab_ref(i));
}

void reap_set_nlink(struct tx *tx, struct zinode *i, uint32_t nlink)
{
	/* A FORGET must not see the last link go before this is decided. */
	if (nlink == 0)
		tx_count_lock(tx, i);
	inode_set_nlink(tx, i, nlink);
	if (nlink)
		return;
	if (i->nlookup == 0)
		reap_inode(tx, i);
	else
		__atomic_store_n(&tx->fs->let_go, clock_ms(), __ATOMIC_RELAXED);
}

/* ---- cutting ---- */

/* What @n of the blocks of @i take, which are cut off, goes over to @ghost. */
static void divide_stored(struct tx *tx, struct zinode *i, struct zinode *ghost,
			  uint64_t n)
{
	uint64_t all = i->file.stored;
	bool exact = n >= i->blocks; /* more: a damaged table */

	ghost->file.stored =
		exact ? all
		      : (uint64_t)((unsigned __int128)all * n / i->blocks);
	ghost->file.blocks.mark = exact ? i->file.blocks.mark : 1;
	tx_set(tx, &i->file.stored, all - ghost->file.stored);
	tx_save(tx, &i->file.blocks.level);
	i->file.blocks.mark = !exact;
}

/* To end with blocks of @i, which keep their marks. */
static int new_ghost(struct tx *tx, const struct zinode *i, struct zinode **out)
{
	struct zinode *ghost;
	void *p;
	int err = tx_slab_alloc(tx, SLAB_RECORD, &p);

	if (err)
		return err;
	ghost = inode_clear(p);
	ghost->mode = S_IFREG;
	ghost->gen = i->gen;
	*out = ghost;
	return 0;
}

/* Give the @n blocks from @first on to a nameless inode that is freed. */
static int detach(struct tx *tx, struct zinode *i, uint64_t first, uint64_t n)
{
	struct zinode *ghost;
	int err = new_ghost(tx, i, &ghost);

	if (err)
		return err;
	if (first == 0) {
		ghost->file.blocks = i->file.blocks;
		tx_set(tx, &i->file.blocks.root, 0);
		tx_save(tx, &i->file.blocks.level);
		i->file.blocks.level = 0;
		i->file.blocks.order = 0;
	} else {
		err = table_split(tx, &i->file.blocks, first,
				  &ghost->file.blocks);
		if (err)
			return err;
	}
	divide_stored(tx, i, ghost, n);
	ghost->flags =
		i->flags & (INODE_HAS_ROOM | INODE_HAS_DENSE | INODE_HAS_HOT);
	inode_complete(tx, ghost);
	queue(tx, ghost);
	return 0;
}

/* Clusters that may go with @n blocks of @i. */
static unsigned clusters_in(const struct zinode *i, unsigned n)
{
	unsigned most = TABLE_WIDTH / CLUSTER_BLOCKS;

	if (!(i->flags & INODE_HAS_DENSE))
		return 0;
	/* Where blocks lie far apart each may be the last of a cluster. */
	return i->file.blocks.level > 1 || n < most ? n : most;
}

/* May @n blocks of @i be freed by this transaction? */
static bool can_cut_here(const struct tx *tx, const struct zinode *i,
			 uint64_t n)
{
	/*
	 * Where blocks lie far apart each may take a node of each level along.
	 */
	unsigned nodes = i->file.blocks.level + 1;
	unsigned clusters = n <= STEP_BLOCKS ? clusters_in(i, (unsigned)n) : 0;

	return n <= STEP_BLOCKS &&
	       tx_has_room(tx, (unsigned)n * (nodes + 2 + TX_SETTLE_UNDO) + 64,
			   (unsigned)n * nodes + clusters * CLUSTER_FREES + 32 +
				   CLUSTER_FREES);
}

/*
 * Free what is left of the group of blocks that @first lies in, so that no
 * cluster is divided. Returns the first block of the next group.
 */
static uint64_t cut_group(struct tx *tx, struct zinode *i, uint64_t first,
			  uint64_t *n)
{
	uint64_t end =
		(first + CLUSTER_BLOCKS - 1) / CLUSTER_BLOCKS * CLUSTER_BLOCKS;
	unsigned max = CLUSTER_BLOCKS, freed;

	if (!table_free_range(tx, i, &first, end, &max))
		tx_too_large(tx, "logs");
	freed = CLUSTER_BLOCKS - max;
	tx_stat(tx, ST_BLOCKS, -(int64_t)freed);
	inode_lose_blocks(i, freed); /* saved by the caller */
	*n -= freed;
	return end;
}

int reap_cut(struct tx *tx, struct zinode *i, uint64_t first)
{
	enum alloc_policy was;
	uint64_t n;
	int err = 0;

	table_settle(tx);
	n = table_count(&i->file.blocks, first);
	if (can_cut_here(tx, i, n)) {
		free_tail(tx, i, first, STEP_BLOCKS + 1);
		inode_note_stored(tx, i);
	} else {
		if (i->flags & INODE_HAS_DENSE)
			first = cut_group(tx, i, first, &n);
		inode_note_stored(tx, i);
		/* Deleting works when the arena is full, too. */
		was = tx_raise_policy(tx, ALLOC_SHRINK);
		err = detach(tx, i, first, n);
		tx->policy = was;
	}
	if (!err) {
		tx_stat(tx, ST_BLOCKS, -(int64_t)n);
		inode_lose_blocks(i, n); /* saved by the caller */
	}
	return err;
}

/* ---- freeing in steps ---- */

/*
 * The first of the list, or NULL. A damaged list ends where it leads to what
 * has not ended; the rest of it is lost.
 */
static struct zinode *first_listed(struct tx *tx)
{
	struct zsfs_super *s = tx->fs->super;
	struct zinode *i = inode_of(s->reap_head);

	if (!i || inode_has_ended(tx->fs, i))
		return i;
	zsfs_log(LOG_ERR, "the list of what is to be freed leads astray: "
			  "memory is lost");
	tx_set(tx, &s->reap_head, 0);
	return NULL;
}

/* Take an inode off the list; false when it is empty. */
static bool take(struct zsfs_thread *th)
{
	struct zsfs_super *s = th->fs->super;
	struct zinode *i;
	struct tx *tx;

	if (!__atomic_load_n(&s->reap_head, __ATOMIC_RELAXED))
		return false;
	tx = tx_begin(th);
	tx_reap_lock(tx);
	i = first_listed(tx);
	if (i) {
		tx_set(tx, &s->reap_head, i->reap_next);
		tx_set(tx, &th->slot->reap, (uint64_t)(uintptr_t)i);
	}
	tx_commit(tx);
	return i;
}

void reap_hand_over(struct zsfs_thread *th)
{
	struct tx *tx;

	if (!th->slot->reap)
		return;
	tx = tx_begin(th);
	put_on_list(tx, inode_of(th->slot->reap));
	tx_set(tx, &th->slot->reap, 0);
	tx_commit(tx);
}

/* Count what @tx has freed of @i, and with the last block what is left. */
static void count_reaped(struct tx *tx, struct zinode *i, bool done)
{
	uint64_t before = stored_in(i);

	if (!S_ISREG(i->mode))
		return;
	inode_note_stored(tx, i);
	if (done)
		tx_set(tx, &i->file.stored, 0);
	tx_stat(tx, ST_REAP_BYTES, (int64_t)(i->file.stored - before));
}

bool reap_step(struct zsfs_thread *th)
{
	unsigned max = STEP_BLOCKS;
	uint64_t first = 0;
	struct zinode *i;
	struct tx *tx;
	bool done;

	if (!th->slot->reap && !take(th))
		return false;
	/* Nobody else knows this inode: it needs no lock. */
	i = inode_of(th->slot->reap);
	tx = tx_begin(th);
	done = xattr_free(tx, i);
	if (done && S_ISREG(i->mode))
		done = table_free_range(tx, i, &first, UINT64_MAX, &max);
	/* What went before may have left no room for it. */
	done = done && tx_has_room(tx, END_UNDO, END_FREES);
	count_reaped(tx, i, done);
	if (done) {
		if (S_ISLNK(i->mode))
			tx_free(tx, i->link.target);
		tx_stat(tx, ST_REAPING, -1);
		tx_set(tx, &th->slot->reap, 0);
		tx_free(tx, slab_ref(i));
	}
	tx_commit(tx);
	return true;
}

void reap_help(struct zsfs_thread *th)
{
	unsigned steps = chore_rests(th->fs, CHORE_REAP) ? 0 : HELP_STEPS;
	uint64_t was;

	if (!th->slot->reap)
		return;
	was = chore_begins(th, CHORE_REAP);
	for (unsigned n = 0; n < steps && th->slot->reap; n++)
		reap_step(th);
	reap_hand_over(th);
	chore_ends(th, was);
	if (__atomic_load_n(&th->fs->super->reap_head, __ATOMIC_RELAXED))
		zsfs_wake(th->fs);
}

void reap_all(struct zsfs_thread *th)
{
	while (reap_step(th))
		;
}

/* ---- FORGET ---- */

/*
 * Who looks at all inodes reads one under its lock, shared, although nobody
 * else knows it: its end waits for that. What has a name does not end, and gets
 * or loses its last one under the lock alone.
 */
static void lock_to_forget(struct tx *tx, struct zinode *i)
{
	tx_lock(tx, &(struct lock_want){i, LOCK_SHARED}, 1);
	if (i->nlink)
		return;
	tx_unlock(tx);
	tx_lock(tx, &(struct lock_want){i, LOCK_EXCL}, 1);
}

static void forget_some(struct tx *tx, struct zinode *i, uint64_t n)
{
	tx_count_lock(tx, i);
	if (n > i->nlookup)
		n = i->nlookup;
	inode_add_nlookup(tx, i, -(int64_t)n);
	/* What ended before has been queued before. */
	if (n && i->nlookup == 0 && i->nlink == 0)
		reap_inode(tx, i);
}

void zsfs_forget(struct zsfs_thread *th, uint64_t nodeid, uint64_t n,
		 uint64_t *consumed)
{
	struct zinode *i = inode_resolve(th->fs, nodeid);
	struct tx *tx = tx_begin(th);

	if (nodeid == ROOT_NODEID)
		i = NULL;
	if (i)
		lock_to_forget(tx, i);
	if (consumed)
		tx_set(tx, consumed, 0);
	if (i)
		forget_some(tx, i, n);
	tx_commit(tx);
}
