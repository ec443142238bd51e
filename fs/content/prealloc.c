/* SPDX-License-Identifier: BSD-3-Clause */
/* Giving and taking room (see prealloc.h). */
#include "prealloc.h"

#include <stdbool.h>

#include "block_table.h"
#include "slot.h"
#include "state/inode.h"
#include "state/tx.h"

/* Leaves that one transaction makes. */
#define STEP_LEAVES 256u
/* At most so many slots are looked at in one. */
#define STEP_LOOKS 65536u
/* What one slot or one new leaf, with its nodes, may take of the logs. */
#define LEAF_UNDO  40u
#define LEAF_FREES 14u

/* What one step does. */
struct step {
	struct tx *tx;
	struct zinode *inode;
	struct table_cursor c;
	uint64_t owner;
	unsigned leaves; /* made so far */
	unsigned looks;	 /* at slots, so far */
};

/* ---- giving ---- */

/* Have @n blocks more, all of them with room, counted and promised. */
static int take_blocks(struct step *s, uint64_t n)
{
	int err = tx_reserve_blocks(s->tx, (int64_t)n);

	if (!err)
		err = tx_promise(s->tx, (int64_t)n);
	if (err)
		return err;
	tx_stat(s->tx, ST_BLOCKS, (int64_t)n);
	s->inode->blocks += n; /* saved by the caller */
	slot_count_room(s->tx, (int64_t)n);
	return 0;
}

static int take_zeros(struct step *s)
{
	int err = tx_promise(s->tx, 1);

	if (err)
		return err;
	tx_stat(s->tx, ST_SAME, -1);
	slot_count_room(s->tx, 1);
	return 0;
}

/* @slot: of @block, with its leaf in place. */
static int give_one(struct step *s, uint64_t block, uint64_t *slot)
{
	enum slot_kind kind = slot_kind(*slot);
	int err;

	if (kind != SLOT_HOLE && kind != SLOT_ZEROS)
		return 0;
	err = kind == SLOT_HOLE ? take_blocks(s, 1) : take_zeros(s);
	if (!err)
		table_set(s->tx, &s->inode->file.blocks, block, slot,
			  slot_room(*slot, s->owner));
	return err;
}

/* There is no leaf for *@block: make one, and fill it as far as @end. */
static int give_leaf(struct step *s, uint64_t *block, uint64_t end)
{
	struct ztable *t = &s->inode->file.blocks;
	uint64_t n = TABLE_WIDTH - *block % TABLE_WIDTH, *slot;
	int err;

	/* With no level above the leaves, one may hold some already. */
	if (t->level <= 1)
		n = 1;
	else if (n > end - *block)
		n = end - *block;
	err = take_blocks(s, n);
	if (!err)
		err = table_make(s->tx, t, &s->c, *block, &slot);
	if (err)
		return err;
	table_set_new(s->tx, t, *block, slot, (unsigned)n,
		      slot_room(0, s->owner));
	s->leaves++;
	*block += n;
	return 0;
}

static int give_next(struct step *s, uint64_t *block, uint64_t end)
{
	uint64_t *slot = table_at(&s->c, *block);
	int err;

	if (!slot)
		return give_leaf(s, block, end);
	err = give_one(s, *block, slot);
	if (!err)
		++*block;
	return err;
}

/* Where nothing is to be changed a step ends, too: others wait for the file. */
static bool has_room(struct step *s)
{
	return s->leaves < STEP_LEAVES && s->looks++ < STEP_LOOKS &&
	       tx_has_room(s->tx, LEAF_UNDO, LEAF_FREES);
}

static struct step step_of(struct tx *tx, struct zinode *i, uint64_t owner)
{
	return (struct step){
		.tx = tx,
		.inode = i,
		.c = table_cursor(&i->file.blocks),
		.owner = owner,
	};
}

int file_give_room(struct tx *tx, struct zinode *i, uint64_t owner,
		   uint64_t *block, uint64_t end)
{
	struct step s = step_of(tx, i, owner);
	int err = 0;

	i->flags |= INODE_HAS_ROOM; /* saved by the caller */
	while (!err && *block < end && has_room(&s))
		err = give_next(&s, block, end);
	return err ? err : *block < end;
}

/* ---- taking ---- */

/* True when the block becomes a hole. */
static bool take_one(struct step *s, uint64_t block, uint64_t *slot)
{
	bool zeros = slot_kind(*slot) == SLOT_ROOM_ZEROS;

	if (!slot_is_room_of(*slot, s->owner))
		return false;
	slot_count_room(s->tx, -1);
	if (zeros) {
		tx_set(s->tx, slot, slot_store_same(s->tx, 0));
		return false;
	}
	table_unset(s->tx, &s->inode->file.blocks, block, slot);
	tx_stat(s->tx, ST_BLOCKS, -1);
	s->inode->blocks--;
	return true;
}

/* The leaf of *@block, which is in use, from there up to @end. */
static void take_leaf(struct step *s, uint64_t *block, uint64_t end)
{
	uint64_t *slot = table_at(&s->c, *block), hole = 0;
	uint64_t stop = s->c.first + s->c.width;
	bool any = false;

	for (; *block < end && *block < stop && has_room(s); ++*block, slot++) {
		if (!take_one(s, *block, slot))
			continue;
		any = true;
		hole = *block;
	}
	if (any) {
		table_clear(s->tx, &s->inode->file.blocks, hole);
		table_drop(&s->c);
	}
}

int file_take_room(struct tx *tx, struct zinode *i, uint64_t owner,
		   uint64_t *block, uint64_t end)
{
	struct step s = step_of(tx, i, owner);
	uint64_t slot;

	while (has_room(&s) && *block < end) {
		if (!table_next(&i->file.blocks, block, &slot)) {
			*block = end;
			break;
		}
		if (*block < end)
			take_leaf(&s, block, end);
	}
	return *block < end;
}
