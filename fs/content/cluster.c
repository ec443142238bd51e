/* SPDX-License-Identifier: BSD-3-Clause */
/* Clusters of blocks (see cluster.h). */
#include "cluster.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "object.h"
#include "state/tx.h"
#include "state/zsfs.h"

/* ---- what it takes ---- */

unsigned cluster_huge_pieces(const struct zsfs *fs, uint32_t len)
{
	unsigned n = cluster_pieces(len);

	return cluster_piece_size(len, n - 1) < fs->huge_size ? n - 1 : n;
}

uint32_t cluster_pieces_cost(const struct zsfs *fs, uint32_t len)
{
	unsigned last = cluster_pieces(len) - 1;

	return last * CLUSTER_PIECE_SIZE +
	       object_cost(fs, cluster_piece_size(len, last));
}

uint32_t cluster_cost(const struct zsfs *fs, uint32_t len)
{
	return (uint32_t)slab_object_size(slab_cache_for(cluster_size(len))) +
	       cluster_pieces_cost(fs, len);
}

/* ---- whose it is ---- */

bool cluster_is_of(const struct zsfs *fs, const struct cluster *cl,
		   uint32_t mark)
{
	return arena_holds_slab(fs->arena, cl, sizeof(*cl)) &&
	       cl->mark == (uint16_t)mark && cl->len &&
	       cl->len <= CLUSTER_MAX_LEN &&
	       arena_holds_slab(fs->arena, cl, cluster_size(cl->len));
}

/* ---- reading ---- */

static int read_piece(struct zsfs *fs, struct arena_thread *at,
		      const struct cluster *cl, unsigned k, uint8_t *dst)
{
	uint32_t want = cluster_piece_size(cl->len, k);
	struct zs_obj_info info;
	const void *src = zs_obj_read_begin(fs->pool, at, cl->piece[k], &info);
	int err = 0;

	if (!src)
		return -EIO;
	if (info.size == want && info.tag == CLUSTER_TAG)
		memcpy(dst, src, want);
	else
		err = -EIO;
	zs_obj_read_end(fs->pool, at);
	return err;
}

/* Put the frame together. */
static int read_frame(struct zsfs *fs, struct arena_thread *at,
		      const struct cluster *cl, uint8_t *room)
{
	unsigned n = cluster_pieces(cl->len);
	/* Of another file it may have changed since. */
	int err = n <= CLUSTER_MAX_PIECES ? 0 : -EIO;

	for (unsigned k = 0; !err && k < n; k++)
		err = read_piece(fs, at, cl, k,
				 room + (size_t)k * CLUSTER_PIECE_SIZE);
	return err;
}

/*
 * Of both: zstd can say the same in several ways, so that a frame with a
 * flipped bit may decompress to what it did. And of the places: others, but as
 * many, would give one block for another. And of whose it is.
 */
static uint64_t sum_of(const struct zsfs *fs, const struct cluster *cl,
		       uint32_t mark, const uint8_t *plain,
		       const uint8_t *frame)
{
	uint64_t sum = zcomp_cluster_sum(plain, cluster_plain(cl),
					 fs->super->seed ^ cl->made ^
						 (uint64_t)mark << 32);

	return zcomp_cluster_sum(frame, cl->len, sum);
}

/*
 * What @zc keeps it by: the same sum and places, and size, are the same. The
 * piece is there for a sum that is another one's, and the mark for who reads
 * what is: what was kept is not checked.
 */
static uint64_t key_of(const struct cluster *cl, uint32_t mark)
{
	return cl->sum ^ (uint64_t)cl->made << 32 ^ mark ^
	       cl->piece[0] * UINT64_C(0x9e3779b97f4a7c15);
}

/* Decompress @cl into what @zc keeps. */
static int load(struct zsfs *fs, struct arena_thread *at, struct zcomp_ctx *zc,
		const struct cluster *cl, uint32_t mark,
		struct zcomp_kept *kept)
{
	uint8_t *room = zcomp_cluster_room(zc);
	uint32_t size = cluster_plain(cl);
	int err = room ? read_frame(fs, at, cl, room) : -ENOMEM;

	kept->size = 0;
	kept->misses++;
	if (!err)
		err = zcomp_decompress_cluster(zc, cl->len, kept->plain, size);
	if (err)
		return err == -ENOMEM ? err : -EIO;
	if (sum_of(fs, cl, mark, kept->plain, room) != cl->sum)
		return -EIO;
	kept->key = key_of(cl, mark);
	kept->size = size;
	return 0;
}

int cluster_read(struct zsfs *fs, struct arena_thread *at, struct zcomp_ctx *zc,
		 const struct cluster *cl, unsigned place, uint32_t mark,
		 void *dst)
{
	struct zcomp_kept *kept = zcomp_kept(zc);
	unsigned before;
	int err = 0;

	if (!kept)
		return -ENOMEM;
	if (!cluster_is_of(fs, cl, mark) || !(cl->made & 1u << place))
		return -EIO;
	before = cl->made & ((1u << place) - 1);
	if (kept->size != cluster_plain(cl) || kept->key != key_of(cl, mark))
		err = load(fs, at, zc, cl, mark, kept);
	if (!err)
		memcpy(dst,
		       kept->plain + (size_t)__builtin_popcount(before) *
					     ZSFS_BLOCK_SIZE,
		       ZSFS_BLOCK_SIZE);
	return err;
}

/* ---- making ---- */

/* One more cluster (@sign 1), or one less (-1). */
static void count(struct tx *tx, const struct cluster *cl, int64_t sign)
{
	tx_stat(tx, ST_CLUSTERS, sign);
	tx_stat(tx, ST_PIECES, sign * cluster_pieces(cl->len));
	tx_stat(tx, ST_HUGE_PIECES,
		sign * cluster_huge_pieces(tx->fs, cl->len));
	tx_stat(tx, ST_DENSE_RAM, sign * cluster_pieces_cost(tx->fs, cl->len));
	tx->stored += sign * cl->len;
}

int cluster_store(struct tx *tx, uint32_t mark, uint16_t made,
		  const uint8_t *plain, const uint8_t *frame, uint32_t len,
		  struct cluster **out)
{
	struct cluster *cl;
	void *p;
	int err = tx_slab_alloc(tx, slab_cache_for(cluster_size(len)), &p);

	if (err)
		return err;
	cl = p;
	cl->made = cl->live = made;
	cl->len = (uint16_t)len;
	cl->mark = (uint16_t)mark;
	cl->sum = sum_of(tx->fs, cl, mark, plain, frame);
	for (unsigned k = 0; k < cluster_pieces(len); k++) {
		uint64_t *ref = tx_alloc_ref(tx);

		err = object_store(tx, frame + (size_t)k * CLUSTER_PIECE_SIZE,
				   cluster_piece_size(len, k), CLUSTER_TAG,
				   cluster_piece_word(cl->sum, k), ref);
		if (err)
			return err;
		cl->piece[k] = (uint32_t)REF_VALUE(*ref);
	}
	count(tx, cl, 1);
	tx_stat(tx, ST_DENSE, __builtin_popcount(made));
	*out = cl;
	return 0;
}

/* ---- leaving ---- */

static void free_cluster(struct tx *tx, struct cluster *cl)
{
	count(tx, cl, -1);
	for (unsigned k = 0; k < cluster_pieces(cl->len); k++)
		tx_free(tx, REF_MAKE(REF_OBJ, cl->piece[k]));
	tx_free(tx, slab_ref(cl));
}

void cluster_leave(struct tx *tx, struct cluster *cl, unsigned place)
{
	assert(cl->live & 1u << place);
	tx_save(tx, &cl->live);
	cl->live &= (uint16_t) ~(1u << place);
	if (!cl->live)
		free_cluster(tx, cl);
	else if (cluster_is_thin(cl))
		tx->thinned = true;
}
