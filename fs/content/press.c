/* SPDX-License-Identifier: BSD-3-Clause */
/* Overwriting what has settled at the limit (see press.h). */
#include "press.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dense.h"
#include "slot.h"
#include "state/inode.h"
#include "state/settings.h"
#include "state/tx.h"
#include "state/zsfs.h"

struct press {
	struct group g;
	unsigned at, end; /* places that are written */
	const struct staged_block *b;
	uint8_t *frame;
};

static bool is_written(const struct press *p, unsigned place)
{
	return place >= p->at && place < p->end;
}

static bool can_replace(uint64_t slot)
{
	return slot && !slot_has_room(slot);
}

/* Blocks from p->at on, @n at most, that are in the group and not holes. */
static void find_end(struct press *p, unsigned n)
{
	p->end = p->at;
	while (n-- && p->end < CLUSTER_BLOCKS && can_replace(p->g.slot[p->end]))
		p->end++;
}

static int plain_of(struct zcomp_ctx *zc, const struct staged_block *b,
		    uint8_t *dst)
{
	if (b->alg != ZCOMP_RAW)
		return zcomp_decompress(zc, b->alg, b->payload, b->len, dst);
	memcpy(dst, b->payload, ZSFS_BLOCK_SIZE);
	return 0;
}

/* Put what is written and what stays in the cluster together. */
static int gather(struct tx *tx, struct press *p)
{
	struct zsfs_thread *th = tx->th;
	uint8_t *dst = p->g.plain;
	int err = 0;

	for (unsigned k = 0; !err && k < CLUSTER_BLOCKS; k++) {
		const struct staged_block *b = &p->b[k - p->at];

		if (is_written(p, k) && b->kind == BLOCK_SAME)
			continue;
		if (is_written(p, k))
			err = plain_of(th->zc, b, dst);
		else if (slot_kind(p->g.slot[k]) == SLOT_DENSE)
			err = slot_read(th->fs, th->at, th->zc,
					group_slot(&p->g, k), dst);
		else
			continue;
		p->g.places |= (uint16_t)(1u << k);
		p->g.n++;
		dst += ZSFS_BLOCK_SIZE;
	}
	return err;
}

/* RAM in bytes that goes: the cluster and what is written over. */
static uint32_t cost_before(const struct zsfs *fs, const struct press *p)
{
	struct group g = p->g;

	for (unsigned k = 0; k < CLUSTER_BLOCKS; k++)
		if (slot_kind(g.slot[k]) == SLOT_OBJECT && !is_written(p, k))
			g.slot[k] = 0;
	return dense_cost_now(fs, &g);
}

/*
 * Bytes that may be taken beyond that. A group takes a little more or less than
 * the one before though it is as hard to compress, so half of the reserve is
 * for them all together.
 */
static uint64_t slack(struct zsfs *fs)
{
	struct arena_stats st;
	uint64_t held, most;

	arena_get_stats(fs->arena, &st);
	held = st.used + st.promised - st.free_pages * ARENA_PAGE_SIZE;
	most = held + st.late + st.reserve / 2;
	return st.limit > most ? st.limit - most : 0;
}

static void set_slots(struct tx *tx, struct press *p, const uint64_t *slots)
{
	for (unsigned k = 0; k < CLUSTER_BLOCKS; k++) {
		const struct staged_block *b = &p->b[k - p->at];

		if (p->g.places & 1u << k)
			group_set(tx, &p->g, k, slots[k]);
		else if (is_written(p, k))
			group_set(tx, &p->g, k, slot_store_same(tx, b->word));
		/* group_set() is for what only goes elsewhere. */
		if (is_written(p, k))
			tx_stat(tx, ST_FREED, 1);
	}
	p->g.inode->flags |= p->g.n > 1 ? INODE_HAS_DENSE : 0;
}

/* What @tx has allocated since it had @nr_alloc refs goes when it ends. */
static void give_back(struct tx *tx, uint64_t nr_alloc)
{
	for (; nr_alloc < tx->slot->nr_alloc; nr_alloc++)
		if (REF_KIND(tx->slot->alloc[nr_alloc]) != REF_NONE)
			tx_free(tx, tx->slot->alloc[nr_alloc]);
}

static unsigned press(struct tx *tx, struct press *p)
{
	int level = zsfs_get_dense(tx->fs), len, err;
	uint64_t most = cost_before(tx->fs, p) + slack(tx->fs);
	uint64_t slots[CLUSTER_BLOCKS], nr_alloc = tx->slot->nr_alloc;
	enum alloc_policy was;

	if (gather(tx, p) || !p->g.n)
		return 0;
	if (most > UINT32_MAX)
		most = UINT32_MAX;
	len = dense_compress(tx->fs, tx->th->zc, level, &p->g, (uint32_t)most,
			     p->frame);
	if (len < 0)
		return 0;
	was = tx_raise_policy(tx, ALLOC_REPLACE);
	err = dense_store(tx, &p->g, p->frame, (uint32_t)len, slots);
	tx->policy = was;
	if (err) {
		give_back(tx, nr_alloc);
		return 0;
	}
	tx->used_reserve = true;
	set_slots(tx, p, slots);
	return p->end - p->at;
}

unsigned press_blocks(struct tx *tx, struct zinode *i, uint64_t block,
		      const struct staged_block *b, unsigned n)
{
	struct press p = {
		.g = {.inode = i, .first = block - block % CLUSTER_BLOCKS},
		.at = block % CLUSTER_BLOCKS,
		.b = b,
	};
	unsigned put;

	p.g.plain = malloc(2 * ZCOMP_CLUSTER_SIZE);
	if (!p.g.plain)
		return 0;
	p.frame = p.g.plain + ZCOMP_CLUSTER_SIZE;
	group_look(&p.g);
	find_end(&p, n);
	put = press(tx, &p);
	free(p.g.plain);
	return put;
}
