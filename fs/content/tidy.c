/* SPDX-License-Identifier: BSD-3-Clause */
/* Moving out of clusters (see tidy.h). */
#include "tidy.h"

#include <stdlib.h>

#include "block.h"
#include "block_table.h"
#include "group.h"
#include "slot.h"
#include "state/inode.h"
#include "state/settings.h"
#include "state/tx.h"
#include "state/zsfs.h"

void tidy_note(struct tx *tx, const struct zinode *i, uint64_t first,
	       uint64_t last)
{
	if (!tx->thinned)
		return;
	tx->thin.nodeid = inode_nodeid(tx->fs, i);
	tx->thin.first = first;
	tx->thin.last = last;
}

static bool is_to_go(const struct zsfs *fs, struct slot_of of,
		     enum tidy_why why)
{
	const struct cluster *cl = slot_own_cluster(fs, of);

	return cl && (why == TIDY_WARM || cluster_is_thin(cl));
}

/* What is left of a cluster, if it is to go. */
static uint16_t places_of(const struct zsfs *fs, const struct group *g,
			  enum tidy_why why)
{
	uint16_t places = 0;

	for (unsigned k = 0; k < CLUSTER_BLOCKS; k++)
		if (is_to_go(fs, group_slot(g, k), why))
			places |= (uint16_t)(1u << k);
	return places;
}

static int read_blocks(struct zsfs_thread *th, struct group *g,
		       enum tidy_why why)
{
	struct tx *tx = tx_begin(th);
	int err = 0;

	g->n = 0;
	if (group_lock_shared(tx, g)) {
		group_look(g);
		err = group_read(tx, g, places_of(th->fs, g, why));
	}
	return tx_abort(tx, err);
}

static void put_back(struct zsfs_thread *th, struct group *g,
		     const struct staged_block *b, enum tidy_why why)
{
	struct tx *tx = tx_begin(th);
	struct table_cursor c;
	unsigned put;
	int err = 0;

	if (!group_lock_again(tx, g)) {
		tx_abort(tx, 0);
		return;
	}
	inode_save(tx, g->inode);
	c = table_cursor(&g->inode->file.blocks);
	for (unsigned k = 0; !err && k < CLUSTER_BLOCKS; k++)
		if (g->places & 1u << k)
			err = block_put(tx, g->inode, &c, g->first + k, b++, 1,
					&put);
	if (err) {
		tx_abort(tx, err);
		return;
	}
	inode_note_stored(tx, g->inode);
	/* They go elsewhere: nobody sees a block less. */
	tx_stat(tx, ST_FREED, -(int64_t)g->n);
	tx_stat(tx, ST_WARMED, why == TIDY_WARM ? g->n : 0);
	tx_commit(tx);
	if (why == TIDY_WARM)
		rate_add(&th->fs->warming, g->n);
}

void tidy_group(struct zsfs_thread *th, struct zinode *i, uint64_t first,
		uint8_t *room, enum tidy_why why)
{
	struct zcomp_params comp = zsfs_get_comp(th->fs);
	struct staged_block staged[CLUSTER_BLOCKS];
	struct group g = {.inode = i, .first = first, .plain = room};

	if (read_blocks(th, &g, why) || !g.n)
		return;
	block_stage(th->fs, th->zc, &comp, room, room + ZCOMP_CLUSTER_SIZE,
		    staged, g.n);
	put_back(th, &g, staged, why);
}

void tidy_clusters(struct zsfs_thread *th)
{
	uint64_t first = th->tx.thin.first - th->tx.thin.first % CLUSTER_BLOCKS;
	uint64_t last = th->tx.thin.last - th->tx.thin.last % CLUSTER_BLOCKS;
	uint64_t nodeid = th->tx.thin.nodeid;
	struct zinode *i;
	uint8_t *room;

	if (!nodeid)
		return;
	th->tx.thin.nodeid = 0;
	i = inode_resolve(th->fs, nodeid);
	room = i ? malloc(TIDY_ROOM) : NULL;
	if (!room)
		return;
	tidy_group(th, i, first, room, TIDY_THIN);
	if (last != first)
		tidy_group(th, i, last, room, TIDY_THIN);
	free(room);
}
