/* SPDX-License-Identifier: BSD-3-Clause */
/* Forms of blocks and their RAM (see tiers.h). */
#include "tiers.h"

#include <inttypes.h>

#include "base/textbuf.h"
#include "state/counters.h"
#include "state/zsfs.h"
#include "zsmalloc.h"

static const struct {
	const char *name, *key;
} names[NR_TIERS] = {
	[TIER_HOT] = {"hot", "hot"},
	[TIER_WARM] = {"warm", "warm"},
	[TIER_DENSE] = {"dense", "dense"},
	[TIER_RAW] = {"incompressible", "incompressible"},
	[TIER_SAME] = {"same-filled", "same_filled"},
};

const char *tier_key(enum tier t)
{
	return names[t].key;
}

/* ---- looking ---- */

static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

struct pool_sum {
	uint64_t objects, bytes; /* of chunks in use */
	uint64_t raw;		 /* objects that take a page */
	uint64_t all;		 /* bytes of zspages */
};

static struct pool_sum sum_pool(struct zsfs *fs)
{
	struct zs_class_stats row[ZS_SIZE_CLASSES];
	unsigned n = zs_class_stats(fs->pool, row);
	struct pool_sum s = {0};

	for (unsigned i = 0; i < n; i++) {
		s.objects += row[i].obj_used;
		s.bytes += row[i].obj_used * row[i].size;
		s.all += row[i].pages_used * ARENA_PAGE_SIZE;
		if (row[i].size == ZSFS_BLOCK_SIZE)
			s.raw += row[i].obj_used;
	}
	return s;
}

static void set(struct tiers *out, enum tier t, uint64_t blocks, uint64_t ram)
{
	out->tier[t].blocks = blocks;
	out->tier[t].ram = ram;
}

void tiers_look(struct zsfs *fs, struct tiers *out)
{
	struct pool_sum pool = sum_pool(fs);
	uint64_t dense = zsfs_stat_get(fs, ST_DENSE_RAM);
	uint64_t raw = less(pool.raw, zsfs_stat_get(fs, ST_HUGE_PIECES));
	uint64_t taken = dense + raw * ZSFS_BLOCK_SIZE;
	uint64_t hot = zsfs_stat_get(fs, ST_HOT);
	struct arena_stats mem;

	arena_get_stats(fs->arena, &mem);
	set(out, TIER_WARM,
	    less(pool.objects, zsfs_stat_get(fs, ST_PIECES) + raw),
	    less(pool.bytes, taken));
	set(out, TIER_DENSE, zsfs_stat_get(fs, ST_DENSE), dense);
	set(out, TIER_HOT, hot, hot * ZSFS_BLOCK_SIZE);
	set(out, TIER_RAW, less(raw, hot), less(raw, hot) * ZSFS_BLOCK_SIZE);
	set(out, TIER_SAME, zsfs_stat_get(fs, ST_SAME), 0);
	out->gaps = less(pool.all, pool.bytes);
	out->other = less(mem.used, pool.all);
	out->used = mem.used;
}

/* ---- the table ---- */

/* Bytes of content for each byte of RAM. */
static void add_row(struct textbuf *t, const char *name, uint64_t blocks,
		    uint64_t ram)
{
	uint64_t bytes = blocks << ZSFS_BLOCK_SHIFT;

	textbuf_add(t, "%-14s %12" PRIu64 " %15" PRIu64 " %15" PRIu64, name,
		    blocks, bytes, ram);
	if (blocks && ram)
		textbuf_add(t, " %7.2f\n", (double)bytes / (double)ram);
	else
		textbuf_add(t, " %7s\n", "-");
}

void tiers_render(struct zsfs *fs, struct textbuf *t)
{
	struct tiers now;
	uint64_t blocks = 0;

	tiers_look(fs, &now);
	textbuf_add(t, "%-14s %12s %15s %15s %7s\n", "", "blocks", "bytes",
		    "RAM", "ratio");
	for (unsigned k = 0; k < NR_TIERS; k++) {
		add_row(t, names[k].name, now.tier[k].blocks, now.tier[k].ram);
		blocks += now.tier[k].blocks;
	}
	add_row(t, "gaps", 0, now.gaps);
	add_row(t, "other", 0, now.other);
	add_row(t, "total", blocks, now.used);
}
