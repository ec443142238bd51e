/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stats.json: everything that is known, for programs. Names are only added,
 * never changed or taken away.
 */
#include <inttypes.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/machine.h"
#include "base/sandbox_notes.h"
#include "state/atime.h"
#include "state/counters.h"
#include "state/shared_page.h"
#include "state/zsfs.h"
#include "stats_i.h"
#include "tiers.h"
#include "vfile.h"

/* ---- building blocks ---- */

/* The comma before all but the first member of what was opened last. */
static void comma(struct textbuf *t)
{
	char last = t->len ? t->text[t->len - 1] : '{';

	if (last != '{' && last != '[')
		textbuf_add(t, ",");
}

static void open_object(struct textbuf *t, const char *key)
{
	comma(t);
	textbuf_add(t, "\n\"%s\":{", key);
}

static void number(struct textbuf *t, const char *key, uint64_t val)
{
	comma(t);
	textbuf_add(t, "\"%s\":%" PRIu64, key, val);
}

static void truth(struct textbuf *t, const char *key, bool val)
{
	comma(t);
	textbuf_add(t, "\"%s\":%s", key, val ? "true" : "false");
}

/* @val must need no escapes: all strings here are our own words. */
static void string(struct textbuf *t, const char *key, const char *val)
{
	comma(t);
	textbuf_add(t, "\"%s\":\"%s\"", key, val);
}

/* ---- settings and counters ---- */

static void add_setting(struct zsfs *fs, struct textbuf *t, enum knob_id id)
{
	enum knob_kind kind = knobs[id].kind;
	const char *quote = kind == KIND_ALGORITHM || kind == KIND_DENSE ||
					    kind == KIND_IDLE ||
					    kind == KIND_WORD
				    ? "\""
				    : "";

	comma(t);
	textbuf_add(t, "\"%s\":%s", knobs[id].option, quote);
	control_show(fs, id, t);
	textbuf_add(t, "%s", quote);
}

/* The knobs that are limits, or those that are not. */
static void add_settings(struct zsfs *fs, struct textbuf *t, bool limits)
{
	for (enum knob_id id = 0; id < KNOB_NR; id++)
		if (knobs[id].shown && knob_is_limit(&knobs[id]) == limits)
			add_setting(fs, t, id);
}

static void add_head(struct zsfs *fs, struct textbuf *t)
{
	string(t, "version", ZSFS_VERSION);
	number(t, "layout", fs->super->layout);
	comma(t);
	textbuf_add(t, "\"created\":%" PRId64, fs->super->created);
	add_settings(fs, t, false);
	/* Whether another worker takes the mount over when this one dies. */
	truth(t, "survive", stats_survives(fs));
}

/* ---- survival ---- */

static void add_cause(struct textbuf *t, const struct shared_page *k)
{
	char cause[64] = "none";
	int status = k->stats.last_status;

	if (k->stats.deaths && WIFSIGNALED(status))
		snprintf(cause, sizeof(cause), "signal %d (%s)",
			 WTERMSIG(status), strsignal(WTERMSIG(status)));
	else if (k->stats.deaths)
		snprintf(cause, sizeof(cause), "exit status %d",
			 WEXITSTATUS(status));
	string(t, "last_cause", cause);
}

static const char *replace_word(const struct shared_page *k)
{
	static const char *const words[] = {
		[REPLACE_NONE] = "none",
		[REPLACE_UNDER_WAY] = "under way",
		[REPLACE_DONE] = "done",
		[REPLACE_REFUSED] = "refused",
	};
	uint32_t state = shared_get(&k->state.replace);

	return state <= REPLACE_REFUSED ? words[state] : "unknown";
}

static const char *why_not(const struct zsfs *fs)
{
	if (!fs->shared)
		return "nosurvive";
	if (!fs->shared->state.can_resend)
		return "the kernel is older than 6.9";
	return stats_survives(fs) ? "" : "the keeper has died";
}

static void add_survival(struct zsfs *fs, struct textbuf *t)
{
	const struct shared_page *k = fs->shared;

	open_object(t, "survival");
	string(t, "why_not", why_not(fs));
	if (k) {
		number(t, "keeper", shared_keeper(k));
		number(t, "worker", shared_get(&k->worker.active_pid));
		number(t, "standby", stats_standby(k));
		number(t, "takeovers", shared_get(&k->worker.takeovers));
		number(t, "deaths", shared_get(&k->stats.deaths));
		add_cause(t, k);
		number(t, "last_takeover_us", k->worker.last_takeover_us);
		number(t, "worst_takeover_us", k->worker.worst_takeover_us);
		number(t, "oom_takeovers", k->worker.oom_takeovers);
		number(t, "poisoned", k->worker.poisoned);
		number(t, "reconnects", shared_get(&k->stats.reconnects));
		number(t, "replacements", shared_get(&k->stats.replacements));
		number(t, "replace_attempts",
		       shared_get(&k->stats.replace_attempts));
		string(t, "replace", replace_word(k));
		string(t, "replace_text", k->state.replace_text);
	}
	textbuf_add(t, "}");
}

static void add_limits(struct zsfs *fs, struct textbuf *t)
{
	open_object(t, "limits");
	add_settings(fs, t, true);
	textbuf_add(t, "}");
}

static void add_word(struct textbuf *t, const char *word, size_t len)
{
	comma(t);
	textbuf_add(t, "\"%.*s\"", (int)len, word);
}

/* A comma separated list of words as an array. */
static void add_words(struct textbuf *t, const char *key, const char *list)
{
	comma(t);
	textbuf_add(t, "\"%s\":[", key);
	while (*list) {
		size_t len = strcspn(list, ",");

		add_word(t, list, len);
		list += len + (list[len] == ',');
	}
	textbuf_add(t, "]");
}

static void add_mount(struct zsfs *fs, struct textbuf *t)
{
	atime_look(fs);
	open_object(t, "mount");
	string(t, "atime", atime_word(fs));
	string(t, "memory_options", fs->super->fixed_options);
	add_words(t, "without_effect", fs->super->idle_options);
	textbuf_add(t, "}");
}

static void add_content(struct zsfs *fs, struct textbuf *t)
{
#define NAME(name, json) [ST_##name] = json,
	static const char *const names[ST_NR] = {ZSFS_COUNTERS(NAME)};
#undef NAME
	struct zs_pool_stats pool;

	zs_pool_get_stats(fs->pool, &pool);
	open_object(t, "content");
	number(t, "orig_data_size",
	       stats_stored(fs, &pool) << ZSFS_BLOCK_SHIFT);
	number(t, "compr_data_size", pool.payload);
	number(t, "objects", pool.objs_used);
	number(t, "huge_blocks", stats_huge(fs, &pool));
	for (unsigned i = 0; i < ST_NR; i++)
		number(t, names[i], zsfs_stat_get(fs, (enum zsfs_stat)i));
	textbuf_add(t, "}");
}

/* The last check of content, or the one under way. */
static void add_verify(struct zsfs *fs, struct textbuf *t)
{
	open_object(t, "verify");
	number(t, "scrubbed_blocks", stats_word(&fs->super->scrubbed));
	number(t, "bad_blocks", stats_word(&fs->super->scrub_bad));
	textbuf_add(t, "}");
}

static void add_tiers(struct zsfs *fs, struct textbuf *t)
{
	struct tiers now;

	tiers_look(fs, &now);
	open_object(t, "tiers");
	for (enum tier k = 0; k < NR_TIERS; k++) {
		open_object(t, tier_key(k));
		number(t, "blocks", now.tier[k].blocks);
		number(t, "bytes", now.tier[k].blocks << ZSFS_BLOCK_SHIFT);
		number(t, "ram", now.tier[k].ram);
		textbuf_add(t, "}");
	}
	number(t, "gaps", now.gaps);
	number(t, "other", now.other);
	number(t, "settled_per_second", rate_get(&fs->settling));
	number(t, "warmed_per_second", rate_get(&fs->warming));
	textbuf_add(t, "}");
}

/* ---- memory ---- */

static void add_slabs(struct textbuf *t, const struct arena_stats *mem)
{
	char name[32];

	open_object(t, "slab_objects");
	for (unsigned i = 0; i < SLAB_NR_CACHES; i++) {
		snprintf(name, sizeof(name), "buf_%zu",
			 slab_object_size((enum slab_cache)i));
		number(t, i == SLAB_RECORD ? "inode" : name, mem->slab_objs[i]);
	}
	textbuf_add(t, "}");
}

static void add_memory(struct zsfs *fs, struct textbuf *t,
		       const struct arena_stats *mem)
{
	uint64_t available = arena_available(fs->arena);

	open_object(t, "memory");
	number(t, "used", mem->used);
	number(t, "used_max", mem->used_max);
	number(t, "reserve", mem->reserve);
	number(t, "late_reserve", mem->late);
	number(t, "growth_reserve", mem->kept_growth);
	comma(t);
	if (available == UINT64_MAX)
		textbuf_add(t, "\"available\":null");
	else
		textbuf_add(t, "\"available\":%" PRIu64, available);
	number(t, "free_pages", mem->free_pages);
	/* Bytes of free segments that are kept for what gets hot. */
	number(t, "kept_for_hot", mem->keep);
	number(t, "segments", mem->segments);
	number(t, "free_segments", mem->free_segments);
	number(t, "pages_given_back", mem->given_back);
	number(t, "zspage_pages", mem->pages[ARENA_PAGE_ZSPAGE]);
	number(t, "slab_pages", mem->pages[ARENA_PAGE_SLAB]);
	number(t, "data_pages", mem->pages[ARENA_PAGE_DATA]);
	number(t, "window_bytes", mem->window_bytes);
	number(t, "root_bytes", mem->root_bytes);
	truth(t, "huge_pages", mem->huge);
	textbuf_add(t, "}");
	add_slabs(t, mem);
}

static void add_pool(struct zsfs *fs, struct textbuf *t)
{
	struct zs_pool_stats p;

	zs_pool_get_stats(fs->pool, &p);
	open_object(t, "pool");
	number(t, "pages_used", p.pages_used);
	number(t, "objs_used", p.objs_used);
	number(t, "huge_objs", p.huge_objs);
	number(t, "handle_bytes", p.handle_bytes);
	number(t, "pages_compacted", p.pages_compacted);
	number(t, "compactions", p.compactions);
	number(t, "last_compacted", p.last_compacted);
	number(t, "can_compact", zs_can_compact(fs->pool));
	textbuf_add(t, "}");
}

/* ---- requests ---- */

static void add_requests(struct zsfs *fs, struct textbuf *t)
{
	char unknown[16];

	open_object(t, "requests");
	for (unsigned op = 0; op < ZSFS_NR_OPCODES; op++) {
		uint64_t n = stats_requests(fs, op);
		const char *name = stats_request_name(op);

		snprintf(unknown, sizeof(unknown), "opcode_%u", op);
		if (name)
			number(t, name, n);
		else if (n)
			number(t, unknown, n);
	}
	textbuf_add(t, "}");
}

static void add_readers(struct zsfs *fs, struct textbuf *t)
{
	const struct reader_counts *c = &fs->reader_counts;

	open_object(t, "readers");
	truth(t, "following", stats_word(&c->following));
	string(t, "now", stats_word(&c->one) ? "one" : "all");
	number(t, "looks", stats_word(&c->looks));
	number(t, "on_client_cpu", stats_word(&c->near));
	number(t, "moves", stats_word(&c->moves));
#define NUMBER(name, json) number(t, json, stats_word(&c->why[READERS_##name]));
	READERS_WHY(NUMBER)
#undef NUMBER
	number(t, "put_aside", stats_word(&c->put_aside));
	textbuf_add(t, "}");
}

/* ---- the rest ---- */

static unsigned get_word(const unsigned *w)
{
	return __atomic_load_n(w, __ATOMIC_RELAXED);
}

static void add_environment(struct zsfs *fs, struct textbuf *t)
{
	unsigned helpers = arena_nr_threads(fs->arena) - fs->nr_threads;
	const struct shared_page *k = fs->shared;
	uint64_t keeper = k ? shared_keeper(k) : 0;

	open_object(t, "environment");
	/* The process that users started: the keeper if there is one. */
	number(t, "pid", keeper ? keeper : (uint64_t)getpid());
	truth(t, "privileged", process_notes.privileged);
	truth(t, "oom_protected", process_notes.oom_protected);
	truth(t, "io_flusher", process_notes.io_flusher);
	/* 0: could not be raised from the kernel's default. */
	number(t, "read_ahead_kb",
	       k ? k->state.read_ahead_kb : get_word(&fs->read_ahead_kb));
	number(t, "max_ratio",
	       k ? k->state.max_ratio : get_word(&fs->max_ratio));
	number(t, "threads", fs->nr_threads - 1);
	number(t, "helpers", fs->crew ? helpers : 0);
	textbuf_add(t, "}");
}

static const char *sandbox_state(void)
{
	if (!sandbox_is_on())
		return "off";
	return *sandbox_notes.lacks ? "partly" : "on";
}

static void add_sandbox(struct textbuf *t)
{
	const struct sandbox_notes *n = &sandbox_notes;

	open_object(t, "sandbox");
	string(t, "state", sandbox_state());
	string(t, "off_because", n->off ? n->off : "");
	string(t, "lacks", n->lacks);
	number(t, "uid", geteuid());
	number(t, "gid", getegid());
	truth(t, "no_new_privs", n->no_new_privs);
	string(t, "capabilities", n->capabilities);
	/* The kernel's version of it; 0: none. */
	number(t, "landlock", n->landlock);
	truth(t, "seccomp", n->filter);
	textbuf_add(t, "}");
}

static void add_class(struct textbuf *t, const struct zs_class_stats *c)
{
	comma(t);
	textbuf_add(t,
		    "\n{\"class\":%u,\"size\":%u,\"pages_per_zspage\":%u,"
		    "\"obj_allocated\":%" PRIu64 ",\"obj_used\":%" PRIu64 ","
		    "\"pages_used\":%" PRIu64 ",\"freeable\":%" PRIu64 "}",
		    c->index, c->size, c->pages_per_zspage, c->obj_allocated,
		    c->obj_used, c->pages_used, c->freeable);
}

/* The classes that hold anything. */
static void add_classes(struct zsfs *fs, struct textbuf *t)
{
	struct zs_class_stats row[ZS_SIZE_CLASSES];
	unsigned n = zs_class_stats(fs->pool, row);

	textbuf_add(t, ",\n\"classes\":[");
	for (unsigned i = 0; i < n; i++) {
		if (row[i].obj_allocated)
			add_class(t, &row[i]);
	}
	textbuf_add(t, "]");
}

static void render(struct zsfs *fs, struct textbuf *t, bool classes)
{
	struct arena_stats mem;

	arena_get_stats(fs->arena, &mem);
	textbuf_add(t, "{");
	add_head(fs, t);
	add_survival(fs, t);
	add_limits(fs, t);
	add_mount(fs, t);
	add_content(fs, t);
	add_verify(fs, t);
	add_tiers(fs, t);
	add_memory(fs, t, &mem);
	add_pool(fs, t);
	add_requests(fs, t);
	add_readers(fs, t);
	add_environment(fs, t);
	add_sandbox(t);
	if (classes)
		add_classes(fs, t);
	textbuf_add(t, "}\n");
}

void stats_json(struct zsfs *fs, struct textbuf *t)
{
	char *room = t->text;
	size_t size = t->size;

	render(fs, t, true);
	if (!t->full)
		return;
	textbuf_init(t, room, size);
	render(fs, t, false);
	if (!t->full)
		return;
	textbuf_init(t, room, size);
	textbuf_add(t, "{}\n");
}

int stats_summary(struct zsfs *fs, char *buf, size_t size)
{
	struct textbuf t;

	textbuf_init(&t, buf, size);
	render(fs, &t, false);
	return textbuf_end(&t);
}
