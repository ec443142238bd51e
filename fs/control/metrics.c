/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * metrics: what monitoring asks for, as OpenMetrics text. Names are only added,
 * never changed or taken away. A metric that does not apply, such as a limit
 * that is not set, has no sample.
 */
#include <inttypes.h>
#include <string.h>

#include "state/counters.h"
#include "state/settings.h"
#include "state/shared_page.h"
#include "state/zsfs.h"
#include "stats_i.h"
#include "tiers.h"

/* ---- building blocks ---- */

static bool ends_with(const char *name, const char *end)
{
	size_t n = strlen(name), m = strlen(end);

	return n >= m && !strcmp(name + n - m, end);
}

/* The unit that @name ends in, as it must, or NULL. */
static const char *unit_of(const char *name)
{
	if (ends_with(name, "_bytes"))
		return "bytes";
	return ends_with(name, "_seconds") ? "seconds" : NULL;
}

/* What comes before the samples of @name. */
static void describe(struct textbuf *t, const char *type, const char *name,
		     const char *help)
{
	const char *unit = unit_of(name);

	textbuf_add(t, "# TYPE zsfs_%s %s\n", name, type);
	if (unit)
		textbuf_add(t, "# UNIT zsfs_%s %s\n", name, unit);
	textbuf_add(t, "# HELP zsfs_%s %s\n", name, help);
}

static void gauge(struct textbuf *t, const char *name, uint64_t val,
		  const char *help)
{
	describe(t, "gauge", name, help);
	textbuf_add(t, "zsfs_%s %" PRIu64 "\n", name, val);
}

static void counter(struct textbuf *t, const char *name, uint64_t val,
		    const char *help)
{
	describe(t, "counter", name, help);
	textbuf_add(t, "zsfs_%s_total %" PRIu64 "\n", name, val);
}

/* @word must need no escapes: all of them are our own. */
static void labelled(struct textbuf *t, const char *name, const char *label,
		     const char *word, uint64_t val)
{
	textbuf_add(t, "zsfs_%s{%s=\"%s\"} %" PRIu64 "\n", name, label, word,
		    val);
}

static void microseconds(struct textbuf *t, const char *name, uint32_t us,
			 const char *help)
{
	describe(t, "gauge", name, help);
	textbuf_add(t, "zsfs_%s %u.%06u\n", name, us / 1000000, us % 1000000);
}

/* ---- what is stored ---- */

static void add_head(struct zsfs *fs, struct textbuf *t)
{
	describe(t, "info", "build", "The program that serves the mount.");
	textbuf_add(t, "zsfs_build_info{version=\"%s\",layout=\"%u\"} 1\n",
		    ZSFS_VERSION, fs->super->layout);
	gauge(t, "mount_time_seconds", (uint64_t)fs->super->created,
	      "When it was mounted, since the epoch.");
}

static void add_content(struct zsfs *fs, struct textbuf *t,
			const struct zs_pool_stats *pool)
{
	gauge(t, "stored_bytes", stats_stored(fs, pool) << ZSFS_BLOCK_SHIFT,
	      "Content that is stored, before compression.");
	gauge(t, "compressed_bytes", pool->payload,
	      "The same after compression.");
	gauge(t, "inodes", zsfs_stat_get(fs, ST_INODES),
	      "Files, directories and others.");
	gauge(t, "freeing_bytes", zsfs_stat_get(fs, ST_REAP_BYTES),
	      "Deleted content whose memory is being freed.");
}

static void add_memory(struct zsfs *fs, struct textbuf *t,
		       const struct arena_stats *mem,
		       const struct zs_pool_stats *pool)
{
	gauge(t, "memory_used_bytes", mem->used, "RAM that all takes.");
	gauge(t, "memory_used_max_bytes", mem->used_max,
	      "The most that it was.");
	gauge(t, "memory_free_bytes", mem->free_pages * ARENA_PAGE_SIZE,
	      "RAM that is held and has nothing in it.");
	gauge(t, "pool_bytes", pool->pages_used * ARENA_PAGE_SIZE,
	      "RAM of the pool that content is in.");
	counter(t, "compacted_bytes", pool->pages_compacted * ARENA_PAGE_SIZE,
		"RAM that compaction has freed.");
}

/* ---- limits ---- */

static uint64_t left_of(uint64_t limit, uint64_t used)
{
	return limit > used ? limit - used : 0;
}

static void add_limits(struct zsfs *fs, struct textbuf *t,
		       const struct arena_stats *mem)
{
	uint64_t size = stats_word(&fs->super->size_limit);
	uint64_t inodes = stats_word(&fs->super->inode_limit);
	uint64_t blocks = zsfs_stat_get(fs, ST_BLOCKS);
	uint64_t available = arena_available(fs->arena);

	describe(t, "gauge", "limit_bytes",
		 "Limits that are set: mem_limit of RAM, size of content.");
	if (mem->limit)
		labelled(t, "limit_bytes", "limit", "mem_limit", mem->limit);
	if (size)
		labelled(t, "limit_bytes", "limit", "size", size);
	describe(t, "gauge", "limit_left_bytes",
		 "What is left of them for new content.");
	if (available != UINT64_MAX)
		labelled(t, "limit_left_bytes", "limit", "mem_limit",
			 available);
	if (size)
		labelled(t, "limit_left_bytes", "limit", "size",
			 left_of(size, blocks << ZSFS_BLOCK_SHIFT));
	describe(t, "gauge", "limit_inodes",
		 "The limit nr_inodes if it is set.");
	if (inodes)
		textbuf_add(t, "zsfs_limit_inodes %" PRIu64 "\n", inodes);
}

/* ---- states ---- */

static void add_states(struct zsfs *fs, struct textbuf *t)
{
	struct tiers now;

	tiers_look(fs, &now);
	describe(t, "gauge", "state_bytes",
		 "Content by the state in which it is stored.");
	for (enum tier k = 0; k < NR_TIERS; k++)
		labelled(t, "state_bytes", "state", tier_key(k),
			 now.tier[k].blocks << ZSFS_BLOCK_SHIFT);
	describe(t, "gauge", "state_memory_bytes",
		 "RAM that it takes in the pool, by state.");
	for (enum tier k = 0; k < NR_TIERS; k++)
		labelled(t, "state_memory_bytes", "state", tier_key(k),
			 now.tier[k].ram);
	gauge(t, "gaps_bytes", now.gaps, "Room in the pool between objects.");
	gauge(t, "other_bytes", now.other,
	      "RAM of metadata, and free memory that is kept.");
}

/* ---- what happened ---- */

static void add_requests(struct zsfs *fs, struct textbuf *t)
{
	describe(t, "counter", "requests",
		 "Requests received from the kernel, by operation.");
	for (unsigned op = 0; op < ZSFS_NR_OPCODES; op++) {
		const char *name = stats_request_name(op);

		if (name)
			labelled(t, "requests_total", "operation", name,
				 stats_requests(fs, op));
	}
}

static const struct {
	enum zsfs_stat stat;
	unsigned shift; /* what is counted has 1 << shift of the unit */
	const char *name, *help;
} counted[] = {
	{ST_READ_BLOCKS, ZSFS_BLOCK_SHIFT, "read_bytes",
	 "Content that was read, in whole blocks."},
	{ST_WRITTEN_BLOCKS, ZSFS_BLOCK_SHIFT, "written_bytes",
	 "Content that was written, in whole blocks."},
	{ST_FREED, ZSFS_BLOCK_SHIFT, "freed_bytes",
	 "Content that was overwritten or deleted."},
	{ST_SETTLED, ZSFS_BLOCK_SHIFT, "settled_bytes",
	 "Content that settled: it was compressed more densely."},
	{ST_WARMED, ZSFS_BLOCK_SHIFT, "warmed_bytes",
	 "Content that is no longer dense, because it was in use."},
	{ST_SAVED, 0, "settle_saved_bytes", "RAM that settling has saved."},
	{ST_COOLED, ZSFS_BLOCK_SHIFT, "hot_compressed_bytes",
	 "Hot content that was compressed."},
	{ST_SPARED, ZSFS_BLOCK_SHIFT, "hot_spared_bytes",
	 "Hot content that went before it was compressed."},
	{ST_FAILED_READS, 0, "failed_reads", "Blocks that could not be read."},
	{ST_FAILED_WRITES, 0, "failed_writes",
	 "Blocks that could not be written."},
	{ST_CORRUPT, 0, "corrupt_blocks",
	 "Blocks whose content did not verify when it was needed."},
	{ST_LATE_LOST, 0, "late_writes_lost",
	 "Writes from the kernel's cache that found no room."},
};

static void add_counted(struct zsfs *fs, struct textbuf *t)
{
	for (size_t i = 0; i < sizeof(counted) / sizeof(counted[0]); i++)
		counter(t, counted[i].name,
			zsfs_stat_get(fs, counted[i].stat) << counted[i].shift,
			counted[i].help);
}

static void add_verify(struct zsfs *fs, struct textbuf *t)
{
	gauge(t, "verify_scrubbed_blocks", stats_word(&fs->super->scrubbed),
	      "Blocks that the last check of content read.");
	gauge(t, "verify_bad_blocks", stats_word(&fs->super->scrub_bad),
	      "Those of them that are damaged.");
}

/* ---- survival ---- */

static void add_takeovers(struct textbuf *t, const struct shared_page *k)
{
	counter(t, "takeovers", shared_get(&k->worker.takeovers),
		"Takeovers by another worker.");
	microseconds(t, "last_takeover_seconds", k->worker.last_takeover_us,
		     "How long the last one took.");
	microseconds(t, "worst_takeover_seconds", k->worker.worst_takeover_us,
		     "The longest.");
	counter(t, "worker_deaths", shared_get(&k->stats.deaths),
		"Deaths of workers that served.");
	counter(t, "oom_takeovers", k->worker.oom_takeovers,
		"Takeovers after the system ran out of memory.");
	counter(t, "poisoned_requests", k->worker.poisoned,
		"Requests that got EIO because workers died of them.");
	counter(t, "reconnects", shared_get(&k->stats.reconnects),
		"Connections made after the one before was aborted.");
	counter(t, "replacements", shared_get(&k->stats.replacements),
		"Replacements of the program.");
}

static void add_survival(struct zsfs *fs, struct textbuf *t)
{
	const struct shared_page *k = fs->shared;

	gauge(t, "survives", stats_survives(fs),
	      "1: another worker takes over when this one dies.");
	if (!k)
		return;
	/* Where none could take over, none is missed. */
	if (k->state.can_resend)
		gauge(t, "standby_ready", stats_standby(k) != 0,
		      "1: a worker waits to take over.");
	add_takeovers(t, k);
}

void stats_metrics(struct zsfs *fs, struct textbuf *t)
{
	struct zs_pool_stats pool;
	struct arena_stats mem;

	zs_pool_get_stats(fs->pool, &pool);
	arena_get_stats(fs->arena, &mem);
	add_head(fs, t);
	add_content(fs, t, &pool);
	add_memory(fs, t, &mem, &pool);
	add_limits(fs, t, &mem);
	add_states(fs, t);
	add_requests(fs, t);
	add_counted(fs, t);
	add_verify(fs, t);
	add_survival(fs, t);
	textbuf_add(t, "# EOF\n");
}
