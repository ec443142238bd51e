/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Limits: what may still be stored, and the settings that can change while the
 * file system is in use.
 *
 * Each setting is one word of the super, read by whoever needs it, so a change
 * takes effect for what comes after it.
 */
#include <errno.h>
#include <string.h>

#include "base/machine.h"
#include "serve/pressure.h"
#include "state/zsfs_i.h"

/*
 * What a block that does not compress takes beside its page: its slot in the
 * block table with the nodes above it, its handle, and some more to be safe.
 */
#define BLOCK_COST (ZSFS_BLOCK_SIZE + 24u)
/* An inode with its entry: both slabs, and a slot in both tables. */
#define INODE_COST 512u
/*
 * What promises leave out: the next step of handles, up to 2 MiB at once, and
 * pages that slabs begin. BLOCK_COST pays for the steps after that.
 */
#define PROMISE_SLACK (ARENA_SEG_SIZE + 64 * (uint64_t)ARENA_PAGE_SIZE)

/* ---- statfs ---- */

static uint64_t used(const int64_t *counter)
{
	int64_t n = __atomic_load_n(counter, __ATOMIC_RELAXED);

	return n > 0 ? (uint64_t)n : 0;
}

static uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Without mem_limit: what the machine says it has, no promise possible. */
static uint64_t unlimited_memory(struct zsfs *fs)
{
	struct arena_stats st;
	uint64_t ram = environment_ram_available("");

	arena_get_stats(fs->arena, &st);
	return min_u64(ram + st.free_pages * ARENA_PAGE_SIZE,
		       ARENA_SIZE - st.used);
}

/*
 * Bytes of memory that can be promised to new content. What is being freed
 * counts: a writer that finds no room waits for it.
 */
static uint64_t promised_memory(struct zsfs *fs)
{
	uint64_t avail = arena_available(fs->arena);
	int64_t coming = zsfs_stat_sum(fs, ST_REAP_BYTES);

	if (avail == UINT64_MAX)
		avail = unlimited_memory(fs);
	if (coming > 0)
		avail += (uint64_t)coming;
	return avail > PROMISE_SLACK ? avail - PROMISE_SLACK : 0;
}

/* What of @limit is left, UINT64_MAX without a limit. */
static uint64_t left_of(uint64_t limit, uint64_t in_use)
{
	if (limit == 0)
		return UINT64_MAX;
	return limit > in_use ? limit - in_use : 0;
}

void zsfs_statfs(struct zsfs *fs, struct statvfs *st)
{
	const struct zsfs_super *s = fs->super;
	uint64_t blocks = used(&fs->used_blocks);
	uint64_t inodes = used(&fs->used_inodes);
	uint64_t size = __atomic_load_n(&s->size_limit, __ATOMIC_RELAXED);
	uint64_t max_inodes =
		__atomic_load_n(&s->inode_limit, __ATOMIC_RELAXED);
	uint64_t memory = promised_memory(fs);

	memset(st, 0, sizeof(*st));
	st->f_bsize = ZSFS_BLOCK_SIZE;
	st->f_frsize = ZSFS_BLOCK_SIZE;
	st->f_bfree = min_u64(left_of(size >> ZSFS_BLOCK_SHIFT, blocks),
			      memory / BLOCK_COST);
	st->f_bavail = st->f_bfree;
	st->f_blocks = blocks + st->f_bfree;
	st->f_ffree = min_u64(left_of(max_inodes, inodes), memory / INODE_COST);
	st->f_favail = st->f_ffree;
	st->f_files = inodes + st->f_ffree;
	st->f_namemax = ZSFS_NAME_MAX;
}

/* ---- settings ---- */

int zsfs_set_size(struct zsfs *fs, uint64_t bytes)
{
	uint64_t blocks = (bytes + ZSFS_BLOCK_SIZE - 1) >> ZSFS_BLOCK_SHIFT;

	if (bytes && blocks < used(&fs->used_blocks))
		return -EINVAL;
	__atomic_store_n(&fs->super->size_limit, blocks << ZSFS_BLOCK_SHIFT,
			 __ATOMIC_RELAXED);
	return 0;
}

int zsfs_set_nr_inodes(struct zsfs *fs, uint64_t n)
{
	if (n && n < used(&fs->used_inodes))
		return -EINVAL;
	__atomic_store_n(&fs->super->inode_limit, n, __ATOMIC_RELAXED);
	return 0;
}

enum arena_claim zsfs_claim(struct zsfs_thread *th, enum arena_claim claim)
{
	enum arena_claim was = th->at->claim;

	if (claim > was) {
		th->at->claim = claim;
		th->at->over_limit = pressure_over_limit(th->fs);
	}
	return was;
}

void zsfs_unclaim(struct zsfs_thread *th, enum arena_claim was)
{
	th->at->claim = was;
}

int zsfs_set_mem_limit(struct zsfs *fs, uint64_t bytes)
{
	/* The background thread is not one of those that count there. */
	if (bytes && bytes < zsfs_min_mem_limit(fs->nr_threads - 1))
		return -EINVAL;
	pressure_set_limit(fs, bytes);
	return 0;
}

struct zcomp_params zsfs_get_comp(const struct zsfs *fs)
{
	uint64_t word = __atomic_load_n(&fs->super->comp, __ATOMIC_RELAXED);

	return (struct zcomp_params){
		.alg = (enum zcomp_alg)(word & 0xff),
		.level = (int)(word >> 8),
	};
}

void zsfs_set_comp(struct zsfs *fs, const struct zcomp_params *p)
{
	__atomic_store_n(&fs->super->comp,
			 (uint64_t)p->alg | (uint64_t)p->level << 8,
			 __ATOMIC_RELAXED);
}

static void pause_thread(void *th)
{
	zsfs_pause(th);
}

int64_t zsfs_compact(struct zsfs *fs, struct zsfs_thread *th)
{
	struct arena_stats before, after;
	int64_t freed;
	uint64_t pages;

	arena_get_stats(fs->arena, &before);
	freed = zs_compact_pausing(fs->pool, th->at, pause_thread, th);
	if (freed < 0)
		return freed;
	arena_trim(fs->arena, th->at, true, true);
	arena_get_stats(fs->arena, &after);
	pages = after.given_back - before.given_back;
	if (pages < (uint64_t)freed)
		pages = (uint64_t)freed;
	__atomic_store_n(&fs->super->last_compact, pages, __ATOMIC_RELAXED);
	return (int64_t)pages;
}
