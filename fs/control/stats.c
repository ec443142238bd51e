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
#include <string.h>

#include "state/counters.h"
#include "state/zsfs.h"
#include "stats_i.h"
#include "vfile.h"

typedef unsigned long long ull;

/* ---- classes ---- */

static void render_classes(struct zsfs *fs, struct textbuf *t)
{
	struct zs_class_stats row[ZS_SIZE_CLASSES];
	ull full = 0, empty = 0, allocated = 0, in_use = 0, pages = 0;
	unsigned n = zs_class_stats(fs->pool, row);

	textbuf_add(t, " %5s %5s %11s %12s %13s %10s %10s %16s\n", "class",
		    "size", "almost_full", "almost_empty", "obj_allocated",
		    "obj_used", "pages_used", "pages_per_zspage");
	for (unsigned i = 0; i < n; i++) {
		const struct zs_class_stats *c = &row[i];

		textbuf_add(t,
			    " %5u %5u %11llu %12llu %13llu %10llu %10llu "
			    "%16u\n",
			    c->index, c->size, (ull)c->almost_full,
			    (ull)c->almost_empty, (ull)c->obj_allocated,
			    (ull)c->obj_used, (ull)c->pages_used,
			    c->pages_per_zspage);
		full += c->almost_full;
		empty += c->almost_empty;
		allocated += c->obj_allocated;
		in_use += c->obj_used;
		pages += c->pages_used;
	}
	textbuf_add(t, "\n %5s %5s %11llu %12llu %13llu %10llu %10llu\n",
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
		textbuf_add(t, "%9llu ", (ull)c->inuse[g]);
	textbuf_add(t, "%13llu %10llu %10llu %16u %8llu\n",
		    (ull)c->obj_allocated, (ull)c->obj_used, (ull)c->pages_used,
		    c->pages_per_zspage, (ull)c->freeable);
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
		textbuf_add(t, "%9llu ", (ull)sum.inuse[g]);
	textbuf_add(t, "%13llu %10llu %10llu %16s %8llu\n",
		    (ull)sum.obj_allocated, (ull)sum.obj_used,
		    (ull)sum.pages_used, "", (ull)sum.freeable);
}

/* ---- zram's files ---- */

static void render_mm_stat(struct zsfs *fs, struct textbuf *t)
{
	struct zs_pool_stats pool;
	struct arena_stats mem;
	ull stored;

	zs_pool_get_stats(fs->pool, &pool);
	/* zram, too, counts same-filled pages as stored. */
	stored = pool.objs_used + zsfs_stat_get(fs, ST_SAME);
	arena_get_stats(fs->arena, &mem);
	textbuf_add(t,
		    "%8llu %8llu %8llu %8llu %8llu %8llu %8llu %8llu %8llu\n",
		    stored << ZSFS_BLOCK_SHIFT, (ull)pool.payload,
		    (ull)mem.used, (ull)mem.limit, (ull)mem.used_max,
		    (ull)zsfs_stat_get(fs, ST_SAME), (ull)pool.pages_compacted,
		    (ull)pool.huge_objs, (ull)zsfs_stat_get(fs, ST_HUGE_SINCE));
}

static void render_io_stat(struct zsfs *fs, struct textbuf *t)
{
	/* zram's invalid_io, too, is always 0. */
	textbuf_add(t, "%8llu %8llu %8llu %8llu\n",
		    (ull)zsfs_stat_get(fs, ST_FAILED_READS),
		    (ull)zsfs_stat_get(fs, ST_FAILED_WRITES), 0ull,
		    (ull)zsfs_stat_get(fs, ST_FREED));
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
	default:
		return -ENOENT;
	}
	return textbuf_end(&t);
}
