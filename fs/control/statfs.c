/* SPDX-License-Identifier: BSD-3-Clause */
/* What df is told (see statfs.h). */
#include "statfs.h"

#include <errno.h>
#include <string.h>

#include "base/machine.h"
#include "base/min.h"
#include "state/counters.h"
#include "state/settings.h"
#include "state/zsfs.h"

/*
 * What a block that does not compress takes where each is a file of its own:
 * its page with the page's descriptor, its handle, an inode, and an entry with
 * a name that is not long. In a large file it is 200 bytes less.
 */
#define BLOCK_COST (ZSFS_BLOCK_SIZE + 224u)
/* An inode with its entry: both slabs, and a slot in both tables. */
#define INODE_COST 512u
/*
 * What promises leave out: the next step of handles, up to 2 MiB at once, and
 * pages that slabs begin. BLOCK_COST pays for the steps after that.
 */
#define PROMISE_SLACK (ARENA_SEG_SIZE + 64 * (uint64_t)ARENA_PAGE_SIZE)

/* With hidestats what is left is told in steps of so many bytes. */
#define HIDDEN_STEP (UINT64_C(4) << 20)

/* Without mem_limit: what the machine says it has, no promise possible. */
static uint64_t unlimited_memory(struct zsfs *fs)
{
	struct arena_stats st;
	uint64_t ram = machine_ram_available("");

	arena_get_stats(fs->arena, &st);
	ram = min_u64(ram + st.free_pages * ARENA_PAGE_SIZE,
		      ARENA_SIZE - st.used);
	return ram > st.promised ? ram - st.promised : 0;
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

/*
 * What anybody may be told of that: with hidestats nothing exact, else whoever
 * looks before and after learns how well a neighbour's file compresses.
 */
static uint64_t told_memory(struct zsfs *fs)
{
	uint64_t memory = promised_memory(fs);

	return fs->super->hidestats ? memory - memory % HIDDEN_STEP : memory;
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
	uint64_t blocks = zsfs_in_use(&fs->used_blocks);
	uint64_t inodes = zsfs_in_use(&fs->used_inodes);
	uint64_t size = __atomic_load_n(&s->size_limit, __ATOMIC_RELAXED);
	uint64_t max_inodes =
		__atomic_load_n(&s->inode_limit, __ATOMIC_RELAXED);
	uint64_t memory = told_memory(fs);

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
