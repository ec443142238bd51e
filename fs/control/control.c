/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The files of .zsctl: one knob each. A write is executed whole or, with an
 * error, not at all.
 */
#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "base/log.h"
#include "base/machine.h"
#include "base/size_arg.h"
#include "base/textbuf.h"
#include "compact.h"
#include "state/mem_limit.h"
#include "state/reserve.h"
#include "state/settings.h"
#include "state/zsfs.h"
#include "vfile.h"
#include "volume/verify_fs.h"

/* Longest value that can mean anything. */
#define MAX_VALUE 63u

typedef unsigned long long ull;

/*
 * Compaction and verification take long: one of them at a time, so that they
 * hold no more than one request thread.
 */
static struct {
	pthread_mutex_t lock;	   /* held while long work is done */
	pthread_mutex_t text_lock; /* the super's texts */
} work = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.text_lock = PTHREAD_MUTEX_INITIALIZER,
};

/* ---- reading ---- */

static void add_comp(struct zsfs *fs, struct textbuf *t)
{
	struct zcomp_params p = zsfs_get_comp(fs);
	char list[128];

	zcomp_format_list(&p, list, sizeof(list));
	textbuf_add(t, "%s", list);
}

static void add_verify(struct zsfs *fs, struct textbuf *t)
{
	const char *text = fs->super->verify_text;

	pthread_mutex_lock(&work.text_lock);
	textbuf_add(t, "%s\n", *text ? text : "never run");
	pthread_mutex_unlock(&work.text_lock);
}

static void add_status(struct zsfs *fs, struct textbuf *t)
{
	const char *text = fs->super->control_text;

	pthread_mutex_lock(&work.text_lock);
	textbuf_add(t, "%s\n", *text ? text : "ok");
	pthread_mutex_unlock(&work.text_lock);
}

static ull setting(const uint64_t *w)
{
	return __atomic_load_n(w, __ATOMIC_RELAXED);
}

int control_render(struct zsfs *fs, enum vfile_id id, char *buf, size_t size)
{
	struct arena_stats mem;
	struct textbuf t;

	if (size == 0)
		return -ENOSPC;
	arena_get_stats(fs->arena, &mem);
	textbuf_init(&t, buf, size);
	switch (id) {
	case VF_COMPACT:
		textbuf_add(&t, "%llu\n", setting(&fs->super->last_compact));
		break;
	case VF_COMP_ALGORITHM:
		add_comp(fs, &t);
		break;
	case VF_SIZE:
		textbuf_add(&t, "%llu\n", setting(&fs->super->size_limit));
		break;
	case VF_MEM_LIMIT:
		textbuf_add(&t, "%llu\n", (ull)mem.limit);
		break;
	case VF_NR_INODES:
		textbuf_add(&t, "%llu\n", setting(&fs->super->inode_limit));
		break;
	case VF_MEM_USED_MAX:
		textbuf_add(&t, "%llu\n", (ull)mem.used_max);
		break;
	case VF_VERIFY:
		add_verify(fs, &t);
		break;
	case VF_LAST_CMD_STATUS:
		add_status(fs, &t);
		break;
	default:
		return -ENOENT;
	}
	return textbuf_end(&t);
}

/* ---- writing: values ---- */

static void set_status(struct zsfs *fs, const char *text)
{
	char *to = fs->super->control_text;
	int most = (int)sizeof(fs->super->control_text) - 1;

	pthread_mutex_lock(&work.text_lock);
	snprintf(to, (size_t)most + 1, "%.*s", most, text);
	/* One line, whatever was written. */
	for (; *to; to++)
		if (iscntrl((unsigned char)*to))
			*to = '?';
	pthread_mutex_unlock(&work.text_lock);
}

void control_refuse(struct zsfs *fs, const char *why)
{
	zsfs_log_ratelimited(LOG_NOTICE, ".zsctl/%s", why);
	set_status(fs, why);
}

static int refused(struct zsfs *fs, const char *file, const char *val,
		   const char *allowed)
{
	char why[512];

	snprintf(why, sizeof(why), "%s: bad value \"%s\"; allowed: %s", file,
		 val, allowed);
	control_refuse(fs, why);
	return -EINVAL;
}

static int refused_below(struct zsfs *fs, const char *file, const char *val,
			 ull least, const char *what)
{
	char why[512];

	snprintf(why, sizeof(why),
		 "%s: \"%s\" is too little; allowed: %llu or more (%s), or 0 "
		 "for no limit",
		 file, val, least, what);
	control_refuse(fs, why);
	return -EINVAL;
}

static ull counter(const int64_t *n)
{
	return (ull)__atomic_load_n(n, __ATOMIC_RELAXED);
}

static int write_size(struct zsfs *fs, const char *val)
{
	uint64_t n;

	if (size_arg_parse(val, strlen(val), SIZE_BYTES, machine_ram(""), &n))
		return refused(fs, "size", val, size_arg_usage(SIZE_BYTES));
	if (zsfs_set_size(fs, n))
		return refused_below(fs, "size", val,
				     counter(&fs->used_blocks)
					     << ZSFS_BLOCK_SHIFT,
				     "bytes in use");
	return 0;
}

static int write_nr_inodes(struct zsfs *fs, const char *val)
{
	uint64_t n;

	if (size_arg_parse(val, strlen(val), SIZE_COUNT, 0, &n))
		return refused(fs, "nr_inodes", val,
			       size_arg_usage(SIZE_COUNT));
	if (zsfs_set_nr_inodes(fs, n))
		return refused_below(fs, "nr_inodes", val,
				     counter(&fs->used_inodes),
				     "inodes in use");
	return 0;
}

static int write_mem_limit(struct zsfs *fs, const char *val)
{
	uint64_t n;

	if (size_arg_parse(val, strlen(val), SIZE_MEMORY, machine_ram(""), &n))
		return refused(fs, "mem_limit", val,
			       size_arg_usage(SIZE_MEMORY));
	if (zsfs_set_mem_limit(fs, n))
		return refused_below(fs, "mem_limit", val,
				     zsfs_min_mem_limit(fs->nr_threads - 1),
				     "what an empty file system takes");
	return 0;
}

static int write_comp(struct zsfs *fs, const char *val)
{
	struct zcomp_params p;

	if (zcomp_parse(val, &p))
		return refused(fs, "comp_algorithm", val, zcomp_usage());
	zsfs_set_comp(fs, &p);
	return 0;
}

static int write_mem_used_max(struct zsfs *fs, const char *val)
{
	if (strcmp(val, "0") != 0)
		return refused(fs, "mem_used_max", val, "0, to start anew");
	arena_reset_used_max(fs->arena);
	return 0;
}

static int write_value(struct zsfs *fs, enum vfile_id id, const char *val)
{
	switch (id) {
	case VF_COMP_ALGORITHM:
		return write_comp(fs, val);
	case VF_SIZE:
		return write_size(fs, val);
	case VF_MEM_LIMIT:
		return write_mem_limit(fs, val);
	case VF_NR_INODES:
		return write_nr_inodes(fs, val);
	case VF_MEM_USED_MAX:
		return write_mem_used_max(fs, val);
	default:
		return -EPERM;
	}
}

/* ---- writing: work ---- */

static int do_compact(struct zsfs *fs, struct zsfs_thread *th)
{
	int64_t freed = zsfs_compact(fs, th);

	return freed < 0 ? (int)freed : 0;
}

static int verify(struct zsfs *fs, bool gently)
{
	char msg[sizeof(fs->super->verify_text)];
	int err;

	strcpy(msg, "unknown");
	err = zsfs_verify_live(fs, gently, msg, sizeof(msg));
	if (err == -EBUSY || err == -EAGAIN)
		return err;
	if (err)
		zsfs_log_ratelimited(LOG_ERR, "verify: %s", msg);
	pthread_mutex_lock(&work.text_lock);
	strcpy(fs->super->verify_text, err ? msg : "clean");
	pthread_mutex_unlock(&work.text_lock);
	return err;
}

int control_verify_gently(struct zsfs *fs)
{
	return verify(fs, true);
}

static int do_work(struct zsfs *fs, struct zsfs_thread *th, enum vfile_id id)
{
	int err;

	if (pthread_mutex_trylock(&work.lock)) {
		control_refuse(fs, "compact and verify: one of them is under "
				   "way already");
		return -EBUSY;
	}
	err = id == VF_COMPACT ? do_compact(fs, th) : verify(fs, false);
	pthread_mutex_unlock(&work.lock);
	if (err)
		set_status(fs, id == VF_COMPACT
				       ? "compact: another is under way"
				       : "verify: see what reading it says");
	return err;
}

static int write_text(struct zsfs *fs, enum vfile_id id, const char *buf,
		      size_t len)
{
	char val[MAX_VALUE + 1];

	if (len > 0 && buf[len - 1] == '\n')
		len--;
	if (len > MAX_VALUE || memchr(buf, '\0', len)) {
		control_refuse(fs, "what was written is no value of any file");
		return -EINVAL;
	}
	memcpy(val, buf, len);
	val[len] = '\0';
	return write_value(fs, id, val);
}

int control_write(struct zsfs *fs, struct zsfs_thread *th, enum vfile_id id,
		  const char *buf, size_t len)
{
	bool work_wanted = id == VF_COMPACT || id == VF_VERIFY;
	int err;

	err = work_wanted ? do_work(fs, th, id) : write_text(fs, id, buf, len);
	if (!err)
		set_status(fs, "");
	return err;
}
