/* SPDX-License-Identifier: BSD-3-Clause */
/* Storing blocks (see block.h). */
#include "block.h"

#include <errno.h>

#include "block_table.h"
#include "hot.h"
#include "object.h"
#include "press.h"
#include "slot.h"
#include "state/inode_layout.h"
#include "state/settings.h"
#include "state/tx.h"
#include "state/wake.h"
#include "state/zsfs.h"

/* What filling holes with what takes no memory leaves to other new content. */
#define FILL_MARGIN (64 * (uint64_t)ARENA_PAGE_SIZE)

/* Is @b no larger than what @old holds? Then it may use the reserve. */
static bool no_larger(struct zsfs *fs, const struct staged_block *b,
		      uint64_t old)
{
	uint32_t size = slot_size(fs, old);

	return size && zs_lookup_class_index(fs->pool, b->len) <=
			       zs_lookup_class_index(fs->pool, size);
}

static int alloc_object(struct tx *tx, const struct staged_block *b,
			uint64_t *ref)
{
	return object_store(tx, b->payload, b->len, b->alg, b->sum, ref);
}

/* At the limit what takes no more than before may use the reserve. */
static int alloc_at_limit(struct tx *tx, const struct staged_block *b,
			  uint64_t old, uint64_t *ref)
{
	enum alloc_policy was;
	int err;

	if (!no_larger(tx->fs, b, old))
		return -ENOSPC;
	was = tx_raise_policy(tx, ALLOC_REPLACE);
	err = alloc_object(tx, b, ref);
	tx->policy = was;
	tx->used_reserve |= !err;
	return err;
}

/* The first try failed with @err. */
static __attribute__((noinline)) int alloc_again(struct tx *tx,
						 const struct staged_block *b,
						 uint64_t old, uint64_t *ref,
						 int err)
{
	if (err == -ENOSPC)
		err = alloc_at_limit(tx, b, old, ref);
	tx->no_pages |= err == -ENOSPC;
	return err;
}

/* The slot for @b, which was stored as @ref, and is counted. */
static inline uint64_t note_object(struct tx *tx, const struct staged_block *b,
				   uint64_t ref)
{
	uint64_t slot = slot_store_object(tx, (uint32_t)REF_VALUE(ref), b->len);

	if (b->hot) {
		tx_stat(tx, ST_HOT, 1);
		return slot | SLOT_HOT;
	}
	if (b->alg == ZCOMP_RAW)
		tx_stat(tx, ST_HUGE_SINCE, 1);
	return slot;
}

/* As it is, for which the promise is sure to be enough; out of @b. */
static int make_raw(struct tx *tx, const struct staged_block *b,
		    struct staged_block *raw)
{
	*raw = (struct staged_block){.kind = BLOCK_OBJ, .sum = b->sum};
	staged_raw(tx->th->buf.block, raw);
	return zcomp_decompress(tx->th->zc, b->alg, b->payload, b->len,
				tx->th->buf.block);
}

/*
 * Store the first content of a block with room. In the worst case a class of
 * the pool needs more pages at once than were promised.
 */
static __attribute__((noinline)) int store_in_room(struct tx *tx,
						   const struct staged_block *b,
						   uint64_t *slot)
{
	enum alloc_policy was = tx_raise_policy(tx, ALLOC_REPLACE);
	uint64_t *ref = tx_alloc_ref(tx);
	struct staged_block raw;
	int err;

	tx_redeem(tx);
	err = zs_store(tx->fs->pool, tx->th->at, b->payload, b->len, b->alg,
		       b->sum, ref);
	if (err == -ENOSPC && b->alg != ZCOMP_RAW && !make_raw(tx, b, &raw)) {
		b = &raw;
		err = zs_store(tx->fs->pool, tx->th->at, b->payload, b->len,
			       b->alg, b->sum, ref);
	}
	tx_redeem_end(tx, !err);
	tx->policy = was;
	tx->no_pages |= err == -ENOSPC;
	if (!err)
		*slot = note_object(tx, b, *ref);
	return err;
}

/*
 * Store a hot block, if there is memory for it that is backed. 0, -ENOSPC,
 * -ENOMEM.
 */
static int store_hot(struct tx *tx, const struct staged_block *b, uint64_t *ref)
{
	int err;

	arena_thread_transient(tx->th->at, true);
	err = alloc_object(tx, b, ref);
	arena_thread_transient(tx->th->at, false);
	return err;
}

/*
 * Bring a hot block into the form that it would have without that. Of a copy
 * that is damaged, which may be one word now, nothing is made.
 */
static void stage_cooled(struct tx *tx, const struct staged_block *hot,
			 struct staged_block *out)
{
	struct zcomp_params comp = zsfs_get_comp(tx->fs);
	uint8_t *room =
		tx->th->buf.stage + (size_t)ZSFS_MAX_BLOCKS * ZSFS_BLOCK_SIZE;

	block_stage(tx->fs, tx->th->zc, &comp, hot->payload, room, out, 1);
	if (out->kind != BLOCK_OBJ) {
		out->kind = BLOCK_OBJ;
		staged_raw(hot->payload, out);
	}
	out->sum = hot->sum; /* it has its mark */
}

static inline int store_object(struct tx *tx, const struct staged_block *b,
			       uint64_t old, uint64_t *slot)
{
	struct staged_block cooled;
	uint64_t *ref;
	int err;

	if (__builtin_expect(slot_has_room(old), 0))
		return store_in_room(tx, b, slot);
	ref = tx_alloc_ref(tx);
	err = b->hot ? store_hot(tx, b, ref) : alloc_object(tx, b, ref);
	if (__builtin_expect(err && b->hot, 0)) {
		stage_cooled(tx, b, &cooled);
		b = &cooled;
		err = alloc_object(tx, b, ref);
	}
	if (__builtin_expect(err, 0))
		err = alloc_again(tx, b, old, ref, err);
	if (err)
		tx_return_ref(tx, ref);
	else
		*slot = note_object(tx, b, *ref);
	return err;
}

static inline int store(struct tx *tx, const struct staged_block *b,
			uint64_t old, uint64_t *slot)
{
	if (b->kind == BLOCK_OBJ)
		return store_object(tx, b, old, slot);
	*slot = slot_store_same(tx, b->word);
	return 0;
}

/*
 * What takes no memory fills holes only while some is left for other new
 * content, so that to make a file longer with it is what fails first at the
 * limit.
 */
static bool may_fill(struct tx *tx, const struct staged_block *b)
{
	int64_t more = tx->stat[ST_SAME];
	bool may;

	if (b->kind == BLOCK_OBJ || tx->policy != ALLOC_NEW)
		return true;
	may = arena_available(tx->fs->arena) >=
	      FILL_MARGIN + (more > 0 ? (uint64_t)more * ZSFS_ROOM_COST : 0);
	tx->no_pages |= !may;
	return may;
}

/* Put a block where a hole is; @where as table_at() gave it. */
static __attribute__((noinline)) int fill_hole(struct tx *tx, struct zinode *i,
					       struct table_cursor *c,
					       uint64_t block, uint64_t *where,
					       const struct staged_block *b)
{
	uint64_t slot;
	int err = may_fill(tx, b) ? tx_reserve_blocks(tx, 1) : -ENOSPC;

	if (!err && !where)
		err = table_make(tx, &i->file.blocks, c, block, &where);
	if (err)
		return err;
	err = store(tx, b, 0, &slot);
	if (err) {
		table_clear(tx, &i->file.blocks, block);
		table_drop(c);
		return err;
	}
	table_set(tx, &i->file.blocks, block, where, slot);
	tx_stat(tx, ST_BLOCKS, 1);
	i->blocks++; /* saved with the inode's fields */
	return 0;
}

static inline int replace(struct tx *tx, const struct zinode *i, uint64_t block,
			  const struct staged_block *b, uint64_t *slot)
{
	struct slot_of old = {i, block, *slot};
	uint64_t new;
	int err = store(tx, b, old.slot, &new);

	if (err)
		return err;
	tx_set(tx, slot, new); /* it was in use, so no count changes */
	slot_free(tx, old);
	return 0;
}

/* @b in the place of what the block @block holds; *@hot is set if it is hot. */
static inline int put_one(struct tx *tx, struct zinode *i,
			  struct table_cursor *c, uint64_t block,
			  const struct staged_block *b, bool *hot)
{
	uint64_t *slot = table_at(c, block);
	struct staged_block marked = *b;

	if (b->kind == BLOCK_OBJ) {
		marked.sum ^= slot_mark(i, block);
		*hot |= b->hot;
	}
	if (slot && *slot)
		return replace(tx, i, block, &marked, slot);
	return fill_hole(tx, i, c, block, slot, &marked);
}

int block_put(struct tx *tx, struct zinode *i, struct table_cursor *c,
	      uint64_t block, const struct staged_block *b, unsigned n,
	      unsigned *put)
{
	bool hot = false;
	unsigned k;
	int err = 0;

	i->flags |= INODE_HAS_NEW; /* saved with the inode's fields */
	for (k = 0; k < n; k++) {
		err = put_one(tx, i, c, block + k, &b[k], &hot);
		if (err)
			break;
	}
	zsfs_note_stored(tx->fs);
	if (hot && k) {
		i->flags |= INODE_HAS_HOT;
		hot_note(tx, i, block, k);
	}
	*put = k;
	return err;
}

static bool in_use(const uint64_t *slot)
{
	return slot && *slot;
}

/* Has the block been looked at since it was written, to be made denser? */
static bool has_settled(uint64_t slot)
{
	return slot_kind(slot) == SLOT_DENSE || slot_is_tried(slot);
}

/* How many of @n blocks are in use, up to the first that is not? */
static unsigned count_in_use(struct table_cursor *c, uint64_t block, unsigned n)
{
	unsigned k = 0;

	while (k < n && in_use(table_at(c, block + k)))
		k++;
	return k;
}

/* Put blocks in the place of what took less, up to a hole. The number put. */
static unsigned put_grown(struct tx *tx, struct zinode *i,
			  struct table_cursor *c, uint64_t block,
			  const struct staged_block *b, unsigned n)
{
	enum alloc_policy was = tx_raise_policy(tx, ALLOC_GROW);
	unsigned put;

	block_put(tx, i, c, block, b, count_in_use(c, block, n), &put);
	tx->policy = was;
	tx->used_reserve |= put != 0;
	return put;
}

/* The first of @n blocks found no room, and is in use. The number put. */
static unsigned replace_at_limit(struct tx *tx, struct zinode *i,
				 struct table_cursor *c, uint64_t block,
				 const struct staged_block *b, unsigned n)
{
	unsigned put = 0;

	if (has_settled(*table_at(c, block)))
		put = press_blocks(tx, i, block, b, n);
	return put ? put : put_grown(tx, i, c, block, b, n);
}

int block_write(struct tx *tx, struct zinode *i, struct table_cursor *c,
		uint64_t block, const struct staged_block *b, unsigned n,
		unsigned *put)
{
	int err = block_put(tx, i, c, block, b, n, put);
	unsigned some;

	while (err == -ENOSPC && in_use(table_at(c, block + *put))) {
		some = replace_at_limit(tx, i, c, block + *put, &b[*put],
					n - *put);
		if (!some)
			break;
		*put += some;
		err = block_put(tx, i, c, block + *put, &b[*put], n - *put,
				&some);
		*put += some;
	}
	return err;
}
