/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The files of .zsstats.
 *
 * The tables of zsmalloc's classes have the columns of the kernel's debugfs
 * files (classes: of Linux 4.2, fullness: of today's), mm_stat and io_stat
 * those of zram, so that what reads these reads ours. Totals are sums of the
 * rows shown, so a table is always right in itself.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "state/counters.h"
#include "state/zsfs.h"
#include "stats_i.h"
#include "tiers.h"
#include "vfile.h"

/* ---- classes ---- */

static void render_classes(struct zsfs *fs, struct textbuf *t)
{
	struct zs_class_stats row[ZS_SIZE_CLASSES];
	uint64_t full = 0, empty = 0, allocated = 0, in_use = 0, pages = 0;
	unsigned n = zs_class_stats(fs->pool, row);

	textbuf_add(t, " %5s %5s %11s %12s %13s %10s %10s %16s\n", "class",
		    "size", "almost_full", "almost_empty", "obj_allocated",
		    "obj_used", "pages_used", "pages_per_zspage");
	for (unsigned i = 0; i < n; i++) {
		const struct zs_class_stats *c = &row[i];

		textbuf_add(t,
			    " %5u %5u %11" PRIu64 " %12" PRIu64 " %13" PRIu64
			    " %10" PRIu64 " %10" PRIu64 " "
			    "%16u\n",
			    c->index, c->size, c->almost_full, c->almost_empty,
			    c->obj_allocated, c->obj_used, c->pages_used,
			    c->pages_per_zspage);
		full += c->almost_full;
		empty += c->almost_empty;
		allocated += c->obj_allocated;
		in_use += c->obj_used;
		pages += c->pages_used;
	}
	textbuf_add(t,
		    "\n %5s %5s %11" PRIu64 " %12" PRIu64 " %13" PRIu64
		    " %10" PRIu64 " %10" PRIu64 "\n",
		    "Total", "", full, empty, allocated, in_use, pages);
}

/* ---- fullness ---- */

/* The groups that are shown: all but the empty zspages. */
#define FIRST_SHOWN 1u

static void fullness_header(struct textbuf *t)
{
	static const char *const group[ZS_NR_FULLNESS] = {
		NULL,  "10%", "20%", "30%", "40%", "50%",
		"60%", "70%", "80%", "90%", "99%", "100%"};

	textbuf_add(t, " %5s %5s ", "class", "size");
	for (unsigned g = FIRST_SHOWN; g < ZS_NR_FULLNESS; g++)
		textbuf_add(t, "%9s ", group[g]);
	textbuf_add(t, "%13s %10s %10s %16s %8s\n", "obj_allocated", "obj_used",
		    "pages_used", "pages_per_zspage", "freeable");
}

static void fullness_row(struct textbuf *t, const struct zs_class_stats *c)
{
	textbuf_add(t, " %5u %5u ", c->index, c->size);
	for (unsigned g = FIRST_SHOWN; g < ZS_NR_FULLNESS; g++)
		textbuf_add(t, "%9" PRIu64 " ", c->inuse[g]);
	textbuf_add(t,
		    "%13" PRIu64 " %10" PRIu64 " %10" PRIu64 " %16u %8" PRIu64
		    "\n",
		    c->obj_allocated, c->obj_used, c->pages_used,
		    c->pages_per_zspage, c->freeable);
}

static void add_class(struct zs_class_stats *sum,
		      const struct zs_class_stats *c)
{
	for (unsigned g = 0; g < ZS_NR_FULLNESS; g++)
		sum->inuse[g] += c->inuse[g];
	sum->obj_allocated += c->obj_allocated;
	sum->obj_used += c->obj_used;
	sum->pages_used += c->pages_used;
	sum->freeable += c->freeable;
}

static void render_fullness(struct zsfs *fs, struct textbuf *t)
{
	struct zs_class_stats row[ZS_SIZE_CLASSES], sum;
	unsigned n = zs_class_stats(fs->pool, row);

	memset(&sum, 0, sizeof(sum));
	fullness_header(t);
	for (unsigned i = 0; i < n; i++) {
		fullness_row(t, &row[i]);
		add_class(&sum, &row[i]);
	}
	textbuf_add(t, "\n %5s %5s ", "Total", "");
	for (unsigned g = FIRST_SHOWN; g < ZS_NR_FULLNESS; g++)
		textbuf_add(t, "%9" PRIu64 " ", sum.inuse[g]);
	textbuf_add(t,
		    "%13" PRIu64 " %10" PRIu64 " %10" PRIu64 " %16s %8" PRIu64
		    "\n",
		    sum.obj_allocated, sum.obj_used, sum.pages_used, "",
		    sum.freeable);
}

/* ---- zram's files ---- */

static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

uint64_t stats_stored(struct zsfs *fs, const struct zs_pool_stats *pool)
{
	/* zram, too, counts same-filled pages as stored. */
	return less(pool->objs_used, zsfs_stat_get(fs, ST_PIECES)) +
	       zsfs_stat_get(fs, ST_DENSE) + zsfs_stat_get(fs, ST_SAME);
}

uint64_t stats_huge(struct zsfs *fs, const struct zs_pool_stats *pool)
{
	/* What is hot is not stored as it is for want of a shorter form. */
	return less(pool->huge_objs, zsfs_stat_get(fs, ST_HUGE_PIECES) +
					     zsfs_stat_get(fs, ST_HOT));
}

static void render_mm_stat(struct zsfs *fs, struct textbuf *t)
{
	struct zs_pool_stats pool;
	struct arena_stats mem;

	zs_pool_get_stats(fs->pool, &pool);
	arena_get_stats(fs->arena, &mem);
	textbuf_add(t,
		    "%8" PRIu64 " %8" PRIu64 " %8" PRIu64 " %8" PRIu64
		    " %8" PRIu64 " %8" PRIu64 " %8" PRIu64 " %8" PRIu64
		    " %8" PRIu64 "\n",
		    stats_stored(fs, &pool) << ZSFS_BLOCK_SHIFT, pool.payload,
		    mem.used, mem.limit, mem.used_max,
		    zsfs_stat_get(fs, ST_SAME), pool.pages_compacted,
		    stats_huge(fs, &pool), zsfs_stat_get(fs, ST_HUGE_SINCE));
}

static void render_io_stat(struct zsfs *fs, struct textbuf *t)
{
	/* zram's invalid_io, too, is always 0. */
	textbuf_add(t, "%8" PRIu64 " %8" PRIu64 " %8" PRIu64 " %8" PRIu64 "\n",
		    zsfs_stat_get(fs, ST_FAILED_READS),
		    zsfs_stat_get(fs, ST_FAILED_WRITES), UINT64_C(0),
		    zsfs_stat_get(fs, ST_FREED));
}

int stats_render(struct zsfs *fs, enum vfile_id id, char *buf, size_t size)
{
	struct textbuf t;

	if (size == 0)
		return -ENOSPC;
	textbuf_init(&t, buf, size);
	switch (id) {
	case VF_CLASSES:
		render_classes(fs, &t);
		break;
	case VF_FULLNESS:
		render_fullness(fs, &t);
		break;
	case VF_MM_STAT:
		render_mm_stat(fs, &t);
		break;
	case VF_IO_STAT:
		render_io_stat(fs, &t);
		break;
	case VF_STATS_JSON:
		stats_json(fs, &t);
		break;
	case VF_TIERS:
		tiers_render(fs, &t);
		break;
	case VF_METRICS:
		stats_metrics(fs, &t);
		break;
	default:
		return -ENOENT;
	}
	return textbuf_end(&t);
}
