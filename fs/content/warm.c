/* SPDX-License-Identifier: BSD-3-Clause */
/* Warming of clusters (see warm.h). */
#include "warm.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "block_table.h"
#include "group.h"
#include "slot.h"
#include "state/inode.h"
#include "state/mem_limit.h"
#include "state/tx.h"
#include "state/zsfs.h"
#include "tidy.h"

/* The part of mem_limit that warming leaves free. */
#define FREE_PART 8u
/* Of visits: a hash table of so many words. */
#define NR_VISITS 8192u
/* Clusters that wait; a power of two. As many are some milliseconds' work. */
#define QUEUE_SIZE 32u

struct place {
	uint64_t nodeid;
	uint64_t first; /* block */
};

struct warm {
	uint64_t visits[NR_VISITS]; /* atomic */
	pthread_mutex_t lock;	    /* a leaf */
	/* lock: the clusters that are to go, taken and added, ever */
	unsigned head, tail;
	struct place queue[QUEUE_SIZE];
};

struct warm *warm_create(void)
{
	struct warm *w = calloc(1, sizeof(*w));

	if (w)
		pthread_mutex_init(&w->lock, NULL);
	return w;
}

void warm_destroy(struct warm *w)
{
	if (!w)
		return;
	pthread_mutex_destroy(&w->lock);
	free(w);
}

/* ---- the queue ---- */

/* False: it is full. */
static bool add(struct warm *w, struct place p)
{
	bool fits;

	pthread_mutex_lock(&w->lock);
	fits = w->tail - w->head < QUEUE_SIZE;
	if (fits)
		w->queue[w->tail++ % QUEUE_SIZE] = p;
	pthread_mutex_unlock(&w->lock);
	return fits;
}

/* The oldest. False: there is none. */
static bool take(struct warm *w, struct place *p)
{
	bool some;

	pthread_mutex_lock(&w->lock);
	some = w->head != w->tail;
	if (some)
		*p = w->queue[w->head++ % QUEUE_SIZE];
	pthread_mutex_unlock(&w->lock);
	return some;
}

void warm_ask(struct zsfs_thread *th, uint64_t nodeid, uint64_t block)
{
	struct place p = {nodeid, block - block % CLUSTER_BLOCKS};

	if (mem_limit_is_near(th->fs, FREE_PART))
		return;
	th->warm_queue_full = !add(th->fs->warm, p);
	zsfs_wake(th->fs);
}

/* ---- visits ---- */

/* Requests of more blocks are no visits. */
#define MAX_BLOCKS 4u
/* Visits after which a cluster goes. */
#define ENOUGH 3u
/* They count together if each comes so many units of time after another. */
#define UNIT_SHIFT 12u /* of milliseconds: 4 s */
#define MAX_UNITS  2u

/*
 * A word of warm.visits. A group that another one with the same place came
 * after is new when it comes again.
 */
struct visits {
	uint64_t tag : 40; /* which group */
	uint64_t time : 16;
	uint64_t n : 3;
	uint64_t next : 5; /* the place behind the last visit */
};

union visits_word {
	struct visits v;
	uint64_t word;
};

_Static_assert(sizeof(struct visits) == sizeof(uint64_t), "is a word");

static uint64_t hash_of(const struct zinode *i, uint64_t group)
{
	uint64_t h = inode_ino(i) * UINT64_C(0x9e3779b97f4a7c15) + group;

	h ^= h >> 32;
	return h * UINT64_C(0xd6e8feb86659fd93);
}

/* Does who comes for @n blocks at @place go on in sequence, or anew? */
static bool goes_on(const struct visits *v, unsigned place, unsigned n)
{
	return place == v->next || (!place && v->next > n);
}

/* @v is of the group now, for a visit of @n blocks at @place. */
static void count(struct visits *v, uint64_t tag, unsigned place, unsigned n)
{
	uint16_t now = (uint16_t)(clock_ms() >> UNIT_SHIFT);

	if (v->tag != tag || (uint16_t)(now - v->time) > MAX_UNITS)
		/* Who begins at the beginning may go on in sequence. */
		*v = (struct visits){.tag = tag, .n = place != 0};
	else if (!goes_on(v, place, n))
		v->n++;
	v->time = now;
	v->next = place + n;
}

/* A visit of @n blocks from @first on, in one group. Was it one too many? */
static bool visit(struct zsfs *fs, const struct zinode *i, uint64_t first,
		  unsigned n)
{
	uint64_t h = hash_of(i, first / CLUSTER_BLOCKS);
	uint64_t *at = &fs->warm->visits[h % NR_VISITS];
	union visits_word w = {.word = __atomic_load_n(at, __ATOMIC_RELAXED)};
	bool enough;

	count(&w.v, h >> 24, first % CLUSTER_BLOCKS, n);
	enough = w.v.n >= ENOUGH;
	if (enough)
		w.v.n = 0;
	__atomic_store_n(at, w.word, __ATOMIC_RELAXED);
	return enough;
}

/* Blocks from @first on, up to @last, that are in one group. */
static unsigned blocks_in_group(uint64_t first, uint64_t last)
{
	uint64_t end = first - first % CLUSTER_BLOCKS + CLUSTER_BLOCKS;

	return (unsigned)((last < end ? last + 1 : end) - first);
}

/* Is block @block one of more than @n in a cluster? */
static bool is_part(const struct zinode *i, uint64_t block, unsigned n)
{
	uint64_t slot = table_get(&i->file.blocks, block);

	return slot_kind(slot) == SLOT_DENSE &&
	       (unsigned)__builtin_popcount(slot_cluster(slot)->live) > n;
}

static bool is_small(const struct zinode *i, uint64_t first, uint64_t last)
{
	return i->flags & INODE_HAS_DENSE && last - first < MAX_BLOCKS;
}

static void visit_group(struct tx *tx, const struct zinode *i, uint64_t first,
			unsigned n)
{
	if (visit(tx->fs, i, first, n))
		warm_ask(tx->th, inode_nodeid(tx->fs, i), first);
}

void warm_note_read(struct tx *tx, const struct zinode *i, uint64_t first,
		    uint64_t last)
{
	if (!is_small(i, first, last))
		return;
	while (first <= last) {
		unsigned n = blocks_in_group(first, last);

		if (is_part(i, first, n))
			visit_group(tx, i, first, n);
		first += n;
	}
}

void warm_note_write(struct tx *tx, const struct zinode *i, uint64_t first,
		     uint64_t last)
{
	/* Blocks left clusters, or nothing of that kind was written to. */
	if (!is_small(i, first, last) || tx->stat[ST_DENSE] >= 0)
		return;
	while (first <= last) {
		unsigned n = blocks_in_group(first, last);

		visit_group(tx, i, first, n);
		first += n;
	}
}

/* ---- the move ---- */

bool warm_step(struct zsfs_thread *th)
{
	struct zinode *i;
	struct place p;

	th->warm_queue_full = false;
	if (!take(th->fs->warm, &p))
		return false;
	i = inode_resolve(th->fs, p.nodeid);
	if (i)
		tidy_group(th, i, p.first, th->buf.stage, TIDY_WARM);
	return true;
}
