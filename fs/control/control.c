/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the knobs of knobs.h show, and what writing to their files of .zsctl
 * does. A write is executed whole or, with an error, not at all.
 */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "base/log.h"
#include "base/machine.h"
#include "base/size_arg.h"
#include "base/textbuf.h"
#include "compact.h"
#include "content/settle.h"
#include "state/ceiling.h"
#include "state/mem_limit.h"
#include "state/ranks.h"
#include "state/reserve.h"
#include "state/settings.h"
#include "state/zsfs.h"
#include "verify.h"
#include "vfile.h"

/* Longest value that can mean anything. */
#define MAX_VALUE 63u

/*
 * Compaction, settling and verification take long: one of them at a time, so
 * that they hold no more than one request thread.
 */
static struct {
	pthread_mutex_t lock;	    /* held while long work is done */
	pthread_mutex_t value_lock; /* while a value is set, with its ceiling */
	pthread_mutex_t text_lock;  /* zsfs_super.control_text */
} work = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.value_lock = PTHREAD_MUTEX_INITIALIZER,
	.text_lock = PTHREAD_MUTEX_INITIALIZER,
};

/* Whose write is executed. */
struct writer {
	struct zsfs_thread *th;
	bool bounded; /* by the ceilings: it is not the mounter */
};

struct meaning {
	/* The value, as write() or the option takes it. */
	void (*show)(struct zsfs *fs, struct textbuf *t);
	/* 0 or -errno. @val is "" for a trigger. NULL: there is no file. */
	int (*write)(struct zsfs *fs, const struct writer *w,
		     const struct knob *k, const char *val);
};

/* ---- showing ---- */

static void show_comp(struct zsfs *fs, struct textbuf *t)
{
	struct zcomp_params p = zsfs_get_comp(fs);
	char name[32];

	zcomp_format(&p, name, sizeof(name));
	textbuf_add(t, "%s", name);
}

static void show_chain_size(struct zsfs *fs, struct textbuf *t)
{
	textbuf_add(t, "%u", zs_chain_size(fs->pool));
}

#define SHOW_FLAG(name)                                                        \
	static void show_##name(struct zsfs *fs, struct textbuf *t)            \
	{                                                                      \
		textbuf_add(t, "%s", fs->super->name ? "true" : "false");      \
	}

SHOW_FLAG(follow_cpu)
SHOW_FLAG(writeback)
SHOW_FLAG(xattr)
SHOW_FLAG(hidestats)

static void read_last_cmd_status(struct zsfs *fs, struct textbuf *t)
{
	const char *text = fs->super->control_text;

	pthread_mutex_lock(&work.text_lock);
	textbuf_add(t, "%s", *text ? text : "ok");
	pthread_mutex_unlock(&work.text_lock);
}

static void add_word(struct textbuf *t, const uint64_t *w)
{
	textbuf_add(t, "%" PRIu64, __atomic_load_n(w, __ATOMIC_RELAXED));
}

static void read_compact(struct zsfs *fs, struct textbuf *t)
{
	add_word(t, &fs->super->last_compact);
}

static void show_dense(struct zsfs *fs, struct textbuf *t)
{
	struct zcomp_params p = {ZCOMP_ZSTD, zsfs_get_dense(fs)};
	char name[32];

	zcomp_format(&p, name, sizeof(name));
	textbuf_add(t, "%s", name);
}

static void show_hot(struct zsfs *fs, struct textbuf *t)
{
	textbuf_add(t, "%" PRIu64, zsfs_get_hot(fs));
}

static void show_settle(struct zsfs *fs, struct textbuf *t)
{
	char text[16];

	zsfs_format_settle(zsfs_get_settle(fs), text, sizeof(text));
	textbuf_add(t, "%s", text);
}

static void read_settle(struct zsfs *fs, struct textbuf *t)
{
	struct settle_progress p;

	settle_get_progress(fs, &p);
	textbuf_add(t, "%" PRIu64 " / %" PRIu64 ", %" PRIu64, p.done, p.to_do,
		    p.saved);
}

static void show_size(struct zsfs *fs, struct textbuf *t)
{
	add_word(t, &fs->super->size_limit);
}

static void show_nr_inodes(struct zsfs *fs, struct textbuf *t)
{
	add_word(t, &fs->super->inode_limit);
}

static void show_mem_limit(struct zsfs *fs, struct textbuf *t)
{
	struct arena_stats mem;

	arena_get_stats(fs->arena, &mem);
	textbuf_add(t, "%" PRIu64, mem.limit);
}

static void read_mem_used_max(struct zsfs *fs, struct textbuf *t)
{
	struct arena_stats mem;

	arena_get_stats(fs->arena, &mem);
	textbuf_add(t, "%" PRIu64, mem.used_max);
}

/* ---- writing: values ---- */

static void set_status(struct zsfs *fs, const char *text)
{
	char *to = fs->super->control_text;
	int most = (int)sizeof(fs->super->control_text) - 1;

	pthread_mutex_lock(&work.text_lock);
	snprintf(to, (size_t)most + 1, "%.*s", most, text);
	text_make_harmless(to);
	pthread_mutex_unlock(&work.text_lock);
}

void control_refuse(struct zsfs *fs, const char *why)
{
	zsfs_log_ratelimited(LOG_NOTICE, ".zsctl/%s", why);
	set_status(fs, why);
}

static int refused(struct zsfs *fs, const struct knob *k, const char *val,
		   const char *allowed)
{
	char why[512];

	snprintf(why, sizeof(why), "%s: bad value \"%s\"; allowed: %s", k->file,
		 val, allowed);
	control_refuse(fs, why);
	return -EINVAL;
}

static int refused_below(struct zsfs *fs, const struct knob *k, const char *val,
			 uint64_t least, const char *what)
{
	char why[512];

	snprintf(why, sizeof(why),
		 "%s: \"%s\" is too little; allowed: %" PRIu64
		 " or more (%s), or 0 "
		 "for no limit",
		 k->file, val, least, what);
	control_refuse(fs, why);
	return -EINVAL;
}

static int beyond(struct zsfs *fs, const struct knob *k, const char *val)
{
	char why[512];

	snprintf(why, sizeof(why),
		 "%s: \"%s\" is more than the mount was given; only who "
		 "mounted (user %" PRIu64 ") or root may set that, here or by "
		 "a remount",
		 k->file, val, fs->super->mounter_uid);
	control_refuse(fs, why);
	return -EPERM;
}

/*
 * What @val takes is @much: may @w set it? 0; -EPERM, and last_cmd_status says
 * why. Before anything is changed.
 */
static int check_ceiling(struct zsfs *fs, const struct writer *w,
			 const struct knob *k, const char *val,
			 enum zsfs_ceiling c, uint64_t much)
{
	return w->bounded && !ceiling_allows(fs, c, much) ? beyond(fs, k, val)
							  : 0;
}

/* It was set. */
static int done(struct zsfs *fs, const struct writer *w, enum zsfs_ceiling c)
{
	if (!w->bounded)
		ceiling_note(fs, c);
	return 0;
}

static uint64_t counter(const int64_t *n)
{
	return (uint64_t)__atomic_load_n(n, __ATOMIC_RELAXED);
}

/* As the option of the same kind. */
static int parse_size(struct zsfs *fs, const struct knob *k, const char *val,
		      uint64_t *n)
{
	enum size_kind kind = (enum size_kind)k->kind;

	if (size_arg_parse(val, strlen(val), kind, machine_ram(""), n))
		return refused(fs, k, val, size_arg_usage(kind));
	return 0;
}

/* The same of a limit, and only one that @w may set. */
static int parse_limit(struct zsfs *fs, const struct writer *w,
		       const struct knob *k, const char *val,
		       enum zsfs_ceiling c, uint64_t *n)
{
	int err = parse_size(fs, k, val, n);

	return err ? err
		   : check_ceiling(fs, w, k, val, c, ceiling_of_limit(*n));
}

static int change_size(struct zsfs *fs, const struct writer *w,
		       const struct knob *k, const char *val)
{
	uint64_t n;
	/* The ceiling is in whole blocks, so those of @val need not be counted.
	 */
	int err = parse_limit(fs, w, k, val, CEILING_SIZE, &n);

	if (err)
		return err;
	if (zsfs_set_size(fs, n))
		return refused_below(fs, k, val,
				     counter(&fs->used_blocks)
					     << ZSFS_BLOCK_SHIFT,
				     "bytes in use");
	return done(fs, w, CEILING_SIZE);
}

static int change_nr_inodes(struct zsfs *fs, const struct writer *w,
			    const struct knob *k, const char *val)
{
	uint64_t n;
	int err = parse_limit(fs, w, k, val, CEILING_NR_INODES, &n);

	if (err)
		return err;
	if (zsfs_set_nr_inodes(fs, n))
		return refused_below(fs, k, val, counter(&fs->used_inodes),
				     "inodes in use");
	return done(fs, w, CEILING_NR_INODES);
}

static int change_mem_limit(struct zsfs *fs, const struct writer *w,
			    const struct knob *k, const char *val)
{
	uint64_t n;
	int err = parse_limit(fs, w, k, val, CEILING_MEM_LIMIT, &n);

	if (err)
		return err;
	if (zsfs_set_mem_limit(fs, n))
		return refused_below(fs, k, val,
				     zsfs_min_mem_limit(fs->nr_threads - 1),
				     "what an empty file system takes");
	return done(fs, w, CEILING_MEM_LIMIT);
}

static int change_comp(struct zsfs *fs, const struct writer *w,
		       const struct knob *k, const char *val)
{
	struct zcomp_params p;

	if (zcomp_parse(val, &p))
		return refused(fs, k, val, zcomp_usage());
	if (check_ceiling(fs, w, k, val, CEILING_COMP, ceiling_of_comp(&p)))
		return -EPERM;
	zsfs_set_comp(fs, &p);
	return done(fs, w, CEILING_COMP);
}

static int change_dense(struct zsfs *fs, const struct writer *w,
			const struct knob *k, const char *val)
{
	struct zcomp_params p;

	if (zsfs_parse_dense(val, &p))
		return refused(fs, k, val, DENSE_USAGE);
	if (check_ceiling(fs, w, k, val, CEILING_DENSE, (uint64_t)p.level))
		return -EPERM;
	zsfs_set_dense(fs, p.level);
	return done(fs, w, CEILING_DENSE);
}

static int change_settle(struct zsfs *fs, const struct writer *w,
			 const struct knob *k, const char *val)
{
	uint32_t secs;

	if (zsfs_parse_settle(val, &secs))
		return refused(fs, k, val, SETTLE_USAGE);
	if (check_ceiling(fs, w, k, val, CEILING_SETTLE,
			  ceiling_of_settle(secs)))
		return -EPERM;
	zsfs_set_settle(fs, secs);
	return done(fs, w, CEILING_SETTLE);
}

static int change_hot(struct zsfs *fs, const struct writer *w,
		      const struct knob *k, const char *val)
{
	uint64_t n;

	if (parse_size(fs, k, val, &n))
		return -EINVAL;
	if (check_ceiling(fs, w, k, val, CEILING_HOT, n))
		return -EPERM;
	zsfs_set_hot(fs, n);
	return done(fs, w, CEILING_HOT);
}

static int write_mem_used_max(struct zsfs *fs, const struct writer *w,
			      const struct knob *k, const char *val)
{
	if (strcmp(val, "0") != 0)
		return refused(fs, k, val, "0, to start anew");
	arena_reset_used_max(fs->arena);
	return 0;
}

/* Says what became of other writes. */
static int write_last_cmd_status(struct zsfs *fs, const struct writer *w,
				 const struct knob *k, const char *val)
{
	return -EPERM;
}

/* ---- writing: work ---- */

static int write_compact(struct zsfs *fs, const struct writer *w,
			 const struct knob *k, const char *val)
{
	int64_t freed = zsfs_compact(fs, w->th);

	if (freed >= 0)
		return 0;
	set_status(fs, "compact: another is under way");
	return (int)freed;
}

/* Where nothing settles by itself, to settle is more than was given. */
static bool may_settle(const struct zsfs *fs, const struct writer *w)
{
	return !w->bounded || ceiling_allows(fs, CEILING_SETTLE,
					     ceiling_of_settle(SETTLE_MAX));
}

static int write_settle(struct zsfs *fs, const struct writer *w,
			const struct knob *k, const char *val)
{
	int err;

	if (!may_settle(fs, w)) {
		control_refuse(fs, "settle: the mount was given settle=off, so "
				   "only who mounted or root may settle it");
		return -EPERM;
	}
	err = zsfs_settle(w->th);
	arena_trim(fs->arena, w->th->at, true, true);
	if (err == -EBUSY)
		set_status(fs, "settle: workers crashed of it, it rests");
	else if (err)
		set_status(fs, err == -EINTR ? "settle: goes on by itself"
					     : "settle: no memory");
	return err;
}

/* 0; -EAGAIN: @w has to wait, and is told how long. */
static int check_rest(struct zsfs *fs, const struct writer *w)
{
	uint64_t ms = w->bounded ? control_verify_rest(fs) : 0;
	char why[128];

	if (!ms)
		return 0;
	snprintf(why, sizeof(why),
		 "verify: requests had to wait for the last one; again in "
		 "%" PRIu64 " s, or by who mounted or root",
		 (ms + 999) / 1000);
	control_refuse(fs, why);
	return -EAGAIN;
}

static int write_verify(struct zsfs *fs, const struct writer *w,
			const struct knob *k, const char *val)
{
	int err = check_rest(fs, w);

	if (err)
		return err;
	err = control_verify(fs, w->th);
	if (err)
		set_status(fs, "verify: see what reading it says");
	return err;
}

static void read_verify(struct zsfs *fs, struct textbuf *t)
{
	control_verify_show(fs, t);
}

/* ---- the knobs ---- */

#define OPTION(...)
#define FIXED(id, name, ...)   [KNOB_##id] = {show_##name, NULL},
#define LIVE(id, name, ...)    [KNOB_##id] = {show_##name, change_##name},
#define CONTROL(id, name, ...) [KNOB_##id] = {read_##name, write_##name},

static const struct meaning meaning[KNOB_NR] = {
	KNOBS(OPTION, FIXED, LIVE, CONTROL)};

void control_show(struct zsfs *fs, enum knob_id id, struct textbuf *t)
{
	meaning[id].show(fs, t);
}

/* As in zram, a file says all that there are. */
static void show_algorithms(struct zsfs *fs, struct textbuf *t)
{
	struct zcomp_params p = zsfs_get_comp(fs);
	char list[128];

	zcomp_format_list(&p, list, sizeof(list));
	textbuf_add(t, "%s", list);
}

int control_render(struct zsfs *fs, enum knob_id id, char *buf, size_t size)
{
	struct textbuf t;

	if (size == 0)
		return -ENOSPC;
	if (!knobs[id].file)
		return -ENOENT;
	textbuf_init(&t, buf, size);
	if (knobs[id].kind == KIND_ALGORITHM) {
		show_algorithms(fs, &t);
	} else {
		control_show(fs, id, &t);
		textbuf_add(&t, "\n");
	}
	return textbuf_end(&t);
}

static int do_work(struct zsfs *fs, const struct writer *w, enum knob_id id)
{
	int err;

	if (ranked_trylock(&work.lock, RANK_WORK, 0)) {
		control_refuse(fs, "compact, settle and verify: one of them "
				   "is under way already");
		return -EBUSY;
	}
	err = meaning[id].write(fs, w, &knobs[id], "");
	ranked_unlock(&work.lock, RANK_WORK, 0);
	return err;
}

static int write_text(struct zsfs *fs, const struct writer *w, enum knob_id id,
		      const char *buf, size_t len)
{
	char val[MAX_VALUE + 1];
	int err;

	if (len > 0 && buf[len - 1] == '\n')
		len--;
	if (len > MAX_VALUE || memchr(buf, '\0', len)) {
		control_refuse(fs, "what was written is no value of any file");
		return -EINVAL;
	}
	memcpy(val, buf, len);
	val[len] = '\0';
	pthread_mutex_lock(&work.value_lock);
	err = meaning[id].write(fs, w, &knobs[id], val);
	pthread_mutex_unlock(&work.value_lock);
	return err;
}

int control_write(struct zsfs *fs, struct zsfs_thread *th, bool bounded,
		  enum knob_id id, const char *buf, size_t len)
{
	const struct writer w = {.th = th, .bounded = bounded};
	int err;

	if (!knobs[id].file)
		return -EPERM;
	err = knobs[id].kind == KIND_TRIGGER ? do_work(fs, &w, id)
					     : write_text(fs, &w, id, buf, len);
	if (!err)
		set_status(fs, "");
	return err;
}
