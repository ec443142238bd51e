/* SPDX-License-Identifier: BSD-3-Clause */
/* Clusters of a file's blocks (see verify_i.h). */
#include <inttypes.h>

#include "content/slot.h"
#include "state/inode.h"
#include "verify_i.h"

static int bad_cluster(struct check *c, const struct zinode *i, uint64_t block,
		       const char *what)
{
	return verify_fail(
		c, "inode %" PRIu64 " block %" PRIu64 ": its cluster %s",
		inode_number(i), block, what);
}

int verify_dense(struct check *c, const struct zinode *i, uint64_t block,
		 uint64_t slot)
{
	const struct cluster *cl = slot_cluster(slot);
	uint64_t bit = UINT64_C(1) << slot_place(slot);

	if (!(i->flags & INODE_HAS_DENSE))
		return bad_cluster(c, i, block, "is in a file without");
	if (slot_place(slot) != block % CLUSTER_BLOCKS)
		return bad_cluster(c, i, block, "is of another block");
	if (!arena_holds_slab(c->fs->arena, cl, sizeof(*cl)))
		return bad_cluster(c, i, block, "is no memory of a slab");
	if (cl->mark != (uint16_t)slot_group_mark(i, block))
		return bad_cluster(c, i, block, "is another group's");
	if (!(cl->live & cl->made & bit))
		return bad_cluster(c, i, block, "does not know of it");
	c->stat[ST_DENSE]++;
	return 0;
}

/* Do all slots of blocks that live name @cl, and no others? */
static bool are_named(const struct cluster *cl, const uint64_t *slots,
		      unsigned n)
{
	unsigned named = 0;

	for (unsigned k = 0; k < n; k++) {
		if (slot_kind(slots[k]) != SLOT_DENSE)
			continue;
		if (slot_cluster(slots[k]) != cl)
			return false;
		named |= 1u << k;
	}
	return named == cl->live;
}

static int check_pieces(struct check *c, const struct zinode *i, uint64_t block,
			const struct cluster *cl)
{
	int err = 0;

	for (unsigned k = 0; !err && k < cluster_pieces(cl->len); k++) {
		struct zs_obj_info info;

		err = verify_object(c, i, block, cl->piece[k], &info);
		if (!err && (info.tag != CLUSTER_TAG ||
			     info.size != cluster_piece_size(cl->len, k) ||
			     info.word != cluster_piece_word(cl->sum, k)))
			err = bad_cluster(c, i, block,
					  "has a piece of something else");
	}
	return err;
}

int verify_cluster(struct check *c, const struct zinode *i, uint64_t first,
		   const uint64_t *slots, unsigned n)
{
	const struct cluster *cl;
	unsigned k = 0;

	while (k < n && slot_kind(slots[k]) != SLOT_DENSE)
		k++;
	if (k == n)
		return 0;
	cl = slot_cluster(slots[k]);
	if (cl->live & ~cl->made || !are_named(cl, slots, n))
		return bad_cluster(c, i, first + k, "has other blocks");
	if (!cl->len || cl->len > CLUSTER_MAX_LEN)
		return bad_cluster(c, i, first + k, "has no length");
	if (!arena_holds_slab(c->fs->arena, cl, cluster_size(cl->len)))
		return bad_cluster(c, i, first + k, "is cut off");
	verify_count_slab(c, cluster_size(cl->len));
	c->stat[ST_CLUSTERS]++;
	c->stat[ST_PIECES] += cluster_pieces(cl->len);
	c->stat[ST_HUGE_PIECES] += cluster_huge_pieces(c->fs, cl->len);
	c->stat[ST_DENSE_RAM] += cluster_pieces_cost(c->fs, cl->len);
	return check_pieces(c, i, first + k, cl);
}
