/* SPDX-License-Identifier: BSD-3-Clause */
/* Groups of blocks (see group.h). */
#include "group.h"

#include <assert.h>

#include "block_table.h"
#include "slot.h"
#include "state/inode.h"
#include "state/tx.h"
#include "state/zsfs.h"

static bool lock(struct tx *tx, struct group *g, enum lock_mode mode)
{
	bool lives;

	tx_lock(tx, &(struct lock_want){g->inode, mode}, 1);
	tx_count_lock(tx, g->inode);
	lives = inode_lives(tx->fs, g->inode);
	tx_count_unlock(tx);
	if (!lives || !S_ISREG(g->inode->mode))
		return false;
	if (!g->gen)
		g->gen = g->inode->gen;
	return g->inode->gen == g->gen;
}

bool group_lock(struct tx *tx, struct group *g)
{
	return lock(tx, g, LOCK_EXCL);
}

bool group_lock_shared(struct tx *tx, struct group *g)
{
	return lock(tx, g, LOCK_SHARED);
}

void group_look(struct group *g)
{
	struct table_cursor c = table_cursor(&g->inode->file.blocks);

	for (unsigned k = 0; k < CLUSTER_BLOCKS; k++) {
		const uint64_t *slot = table_at(&c, g->first + k);

		g->slot[k] = slot ? *slot : 0;
	}
}

bool group_next(struct group *g)
{
	uint64_t slot;

	if (!table_next(&g->inode->file.blocks, &g->first, &slot))
		return false;
	g->first -= g->first % CLUSTER_BLOCKS;
	group_look(g);
	return true;
}

int group_read(struct tx *tx, struct group *g, uint16_t places)
{
	struct zsfs_thread *th = tx->th;
	uint8_t *dst = g->plain;
	int err = 0;

	g->turn = tx_turn(tx, g->inode);
	g->places = places;
	g->n = (unsigned)__builtin_popcount(places);
	for (unsigned k = 0; !err && k < CLUSTER_BLOCKS; k++) {
		if (!(places & 1u << k))
			continue;
		err = slot_read(th->fs, th->at, th->zc, group_slot(g, k), dst);
		dst += ZSFS_BLOCK_SIZE;
	}
	return err;
}

bool group_lock_again(struct tx *tx, struct group *g)
{
	return group_lock(tx, g) && tx_turn(tx, g->inode) == g->turn + 1;
}

void group_set(struct tx *tx, struct group *g, unsigned place, uint64_t slot)
{
	struct table_cursor c = table_cursor(&g->inode->file.blocks);
	uint64_t *at = table_at(&c, g->first + place);

	assert(at && *at && *at == g->slot[place]);
	tx_set(tx, at, slot); /* it was in use, so no count changes */
	slot_free(tx, group_slot(g, place));
	/* It goes elsewhere: nobody sees a block less. */
	tx_stat(tx, ST_FREED, -1);
}
