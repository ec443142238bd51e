/* SPDX-License-Identifier: BSD-3-Clause */
/* Running a step on the real file system. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fill.h"
#include "tree/reap.h"
#include "step.h"
#include "control/vfile.h"
#include "state/zsfs.h"
#include "state/inode.h"
#include "state/tx.h"
#include "state/settings.h"
#include "tree/dentry.h"
#include "tree/namei.h"
#include "tree/rename.h"
#include "tree/attr.h"
#include "tree/xattr.h"
#include "content/copy.h"
#include "content/file.h"
#include "content/hot.h"
#include "content/settle.h"
#include "content/tidy.h"
#include "content/warm.h"
#include "serve/allocate.h"
#include "control/compact.h"

/* A step that is being run. */
struct run {
	struct zsfs *fs;
	struct zsfs_thread *th;
	const struct model *m;
	const struct step *s;
	struct step_out *out;
	uint64_t nodeid, nodeid2;
	uint8_t *content;
};

static void result(struct run *r, uint64_t value)
{
	r->out->res->err = 0;
	r->out->res->value = value;
}

static void found(struct run *r, const struct zinode *i)
{
	result(r, inode_nodeid(r->fs, i));
	r->out->res->number = inode_number(i);
}

/* Half of the time all that was ended is left to others. */
static void end_reaping(struct run *r)
{
	if (r->s->seed & 1)
		reap_help(r->th);
	else
		reap_hand_over(r->th);
}

/* Commit or abort, as a request handler does once its reply is recorded. */
static void finish(struct run *r, struct tx *tx, int err)
{
	if (err) {
		r->out->res->err = tx_abort(tx, err);
		return;
	}
	r->out->res->err = 0;
	tx_commit(tx);
	end_reaping(r);
}

uint64_t *step_consumed(struct zsfs_thread *th)
{
	return (uint64_t *)(void *)th->slot->req;
}

void step_target(const struct step *s, char *buf)
{
	for (uint64_t k = 0; k < s->size; k++)
		buf[k] = (char)('a' + (s->seed >> k % 60) % 26);
	buf[s->size] = '\0';
}

void step_content(const struct step *s, uint8_t *buf)
{
	if (s->noise)
		fill_noise(buf, s->size, s->seed);
	else
		fill_mix(buf, s->size, s->seed);
}

/* ---- names ---- */

static void run_lookup(struct run *r)
{
	struct tx *tx = tx_begin(r->th);
	struct zinode *i;
	int err = zsfs_lookup(tx, r->nodeid, r->s->name, &i);

	if (!err && i)
		found(r, i);
	finish(r, tx, err ? err : i ? 0 : -ENOENT);
}

static void run_make(struct run *r)
{
	char target[STEP_TARGET_ROOM];
	const struct mspec *spec = &r->s->spec;
	struct new_inode n = {
		.mode = spec->mode,
		.uid = spec->uid,
		.gid = spec->gid,
		.rdev = spec->rdev,
		.umask = spec->umask,
		.target = target,
	};
	struct tx *tx = tx_begin(r->th);
	struct zinode *i;
	int err;

	step_target(r->s, target);
	err = zsfs_make(tx, r->nodeid, r->s->name, &n, &i);
	if (!err)
		found(r, i);
	finish(r, tx, err);
}

static void run_nameless(struct run *r)
{
	const struct mspec *spec = &r->s->spec;
	struct new_inode n = {
		.mode = spec->mode,
		.uid = spec->uid,
		.gid = spec->gid,
		.umask = spec->umask,
	};
	struct tx *tx = tx_begin(r->th);
	struct zinode *i;
	int err = zsfs_make_nameless(tx, r->nodeid, &n, &i);

	if (!err)
		found(r, i);
	finish(r, tx, err);
}

static void run_link(struct run *r)
{
	struct tx *tx = tx_begin(r->th);
	struct zinode *i;
	int err = zsfs_link(tx, r->nodeid, r->nodeid2, r->s->name, &i);

	if (!err)
		found(r, i);
	finish(r, tx, err);
}

static void run_remove(struct run *r)
{
	struct tx *tx = tx_begin(r->th);

	finish(r, tx,
	       r->s->op == STEP_UNLINK ? zsfs_unlink(tx, r->nodeid, r->s->name)
				       : zsfs_rmdir(tx, r->nodeid, r->s->name));
}

/* What it left behind is not told by the operation itself. */
static void run_rename(struct run *r)
{
	const struct step *s = r->s;
	const struct new_inode whiteout = {
		.mode = s->spec.mode,
		.uid = s->spec.uid,
		.gid = s->spec.gid,
	};
	struct tx *tx = tx_begin(r->th);
	int err = zsfs_rename(tx, r->nodeid, s->name, r->nodeid2, s->name2,
			      s->flags, &whiteout);

	if (!err && s->flags & RENAME_WHITEOUT)
		found(r, inode_at(dentry_find(r->fs,
					      inode_resolve(r->fs, r->nodeid),
					      s->name, strlen(s->name))
					  ->ino));
	finish(r, tx, err);
}

/* Into the buffer: nodeid and name of each entry, terminated. */
static void put_entry(struct run *r, const struct dentry *d)
{
	uint64_t nodeid = inode_nodeid(r->fs, inode_at(d->ino));
	uint8_t *p = r->out->buf + r->out->len;

	memcpy(p, &nodeid, 8);
	memcpy(p + 8, d->name, d->name_len);
	p[8 + d->name_len] = '\0';
	r->out->len += 9u + d->name_len;
}

static void run_readdir(struct run *r)
{
	struct tx *tx = tx_begin(r->th);
	const struct dentry *d;
	struct zinode *i;
	int err = zsfs_getattr(tx, r->nodeid, &i);

	if (!err && !S_ISDIR(i->mode))
		err = -ENOTDIR;
	if (!err) {
		struct dir_reader reader = dentry_seek(i, 0);

		while ((d = dentry_read(i, &reader)))
			put_entry(r, d);
	}
	finish(r, tx, err);
}

/* ---- content and attributes ---- */

static unsigned write_flags(unsigned flags)
{
	return (flags & MWRITE_KILL_PRIV ? WRITE_KILL_PRIV : 0) |
	       (flags & MWRITE_APPEND ? WRITE_APPEND : 0) |
	       (flags & MWRITE_STRANGER ? WRITE_STRANGER : 0);
}

static void run_write(struct run *r)
{
	const struct step *s = r->s;
	struct tx *tx;
	size_t done;
	int err;

	step_content(s, r->out->buf);
	tx = tx_begin(r->th);
	err = zsfs_write(tx, r->nodeid, r->out->buf, s->size, s->off,
			 write_flags(s->flags), &done);
	if (!err)
		result(r, done);
	finish(r, tx, err);
}

static void run_read(struct run *r)
{
	struct tx *tx = tx_begin(r->th);
	size_t done;
	int err = zsfs_read(tx, r->nodeid, r->out->buf, r->s->size, r->s->off,
			    &done);

	if (!err) {
		r->out->len = done;
		result(r, done);
	}
	finish(r, tx, err);
}

static void run_setattr(struct run *r)
{
	const struct mattr *a = &r->s->attr;
	struct stat st = {
		.st_mode = a->mode,
		.st_uid = a->uid,
		.st_gid = a->gid,
		.st_size = (off_t)a->size,
		.st_atim = {.tv_sec = a->atime},
		.st_mtim = {.tv_sec = a->mtime},
	};
	struct tx *tx = tx_begin(r->th);
	struct zinode *i;

	finish(r, tx, zsfs_setattr(tx, r->nodeid, &st, a->set, &i));
}

static void run_setflags(struct run *r)
{
	struct tx *tx = tx_begin(r->th);

	finish(r, tx, zsfs_setflags(tx, r->nodeid, r->s->flags));
}

static void run_allocate(struct run *r)
{
	struct tx *tx = tx_begin(r->th);
	struct allocation a = {
		.nodeid = r->nodeid,
		.start = r->s->off,
		.end = r->s->off + r->s->size,
		.owner = r->s->seed,
		.punch = r->s->op == STEP_PUNCH,
		.room = r->s->op == STEP_ALLOCATE,
		.keep_size = r->s->flags,
	};
	int err = a.end > INT64_MAX ? -EFBIG : zsfs_allocate_step(tx, &a);

	finish(r, tx, err);
}

static void run_copy(struct run *r)
{
	struct tx *tx = tx_begin(r->th);
	struct copy c = {
		.from = r->nodeid,
		.from_off = r->s->off,
		.to = r->nodeid2,
		.to_off = r->s->off2,
		.len = r->s->size,
	};
	size_t done;
	int err = zsfs_copy(tx, &c, &done);

	if (!err)
		result(r, done);
	finish(r, tx, err);
}

static void run_getattr(struct run *r)
{
	struct tx *tx = tx_begin(r->th);
	struct zinode *i;
	int err = zsfs_getattr(tx, r->nodeid, &i);

	if (!err)
		inode_stat(i, &r->out->st);
	finish(r, tx, err);
}

static void run_readlink(struct run *r)
{
	struct tx *tx = tx_begin(r->th);
	const char *target;
	int err = zsfs_readlink(tx, r->nodeid, &target, &r->out->len);

	if (!err)
		memcpy(r->out->buf, target, r->out->len);
	finish(r, tx, err);
}

static void run_seek(struct run *r)
{
	struct tx *tx = tx_begin(r->th);
	bool hole = r->s->flags;
	struct seek s;
	int err = zsfs_seek(tx->fs, r->nodeid, r->s->off, hole, &s);

	if (!err && !hole && s.at == s.size)
		err = -ENXIO;
	if (!err)
		result(r, s.at);
	finish(r, tx, err);
}

/* ---- extended attributes ---- */

/* Users, then groups, between what every list has; without them no mask. */
static unsigned tag_of(uint64_t k, uint64_t n)
{
	if (k == 0)
		return 1;
	if (k == n - 1)
		return 32;
	if (n > 3 && k == n - 2)
		return 16;
	if (k == 1 + (n > 4 ? (n - 4) / 2 : 0))
		return 4;
	return k < 1 + (n - 4) / 2 ? 2 : 8;
}

static void put_list(const struct step *s, uint8_t *buf)
{
	struct rng r = {s->seed};
	uint64_t n = (s->size - 4) / 8;

	memset(buf, 0, s->size);
	buf[0] = 2;
	for (uint64_t k = 0; k < n; k++) {
		uint8_t *line = buf + 4 + 8 * k;

		line[0] = (uint8_t)tag_of(k, n);
		line[2] = (uint8_t)rng_below(&r, 8);
		/* Only users and groups have a number, as the kernel has it. */
		memset(line + 4, 0xff, 4);
		if (line[0] == 2 || line[0] == 8)
			memset(line + 4, (int)(k % 128), 4);
	}
	if (s->noise) /* as garbage */
		buf[rng_below(&r, s->size)] = (uint8_t)rng_next(&r);
}

void step_value(const struct step *s, uint8_t *buf)
{
	if (model_is_acl(s->name) && s->size >= 4)
		put_list(s, buf);
	else
		step_content(s, buf);
	/* The kernel takes no others: those of revision 2, effective. */
	if (!strcmp(s->name, "security.capability") && s->size == 20)
		memcpy(buf, "\1\0\0\2", 4);
}

static void run_setxattr(struct run *r)
{
	const struct step *s = r->s;
	struct tx *tx;

	step_value(s, r->out->buf);
	tx = tx_begin(r->th);
	finish(r, tx,
	       zsfs_setxattr(tx, r->nodeid, s->name, r->out->buf, s->size,
			     (int)s->flags));
}

static void run_removexattr(struct run *r)
{
	struct tx *tx = tx_begin(r->th);

	finish(r, tx, zsfs_removexattr(tx, r->nodeid, r->s->name));
}

static bool yes(void)
{
	return true;
}

static bool no(void)
{
	return false;
}

static void run_getxattr(struct run *r)
{
	const struct step *s = r->s;
	struct tx *tx = tx_begin(r->th);
	char *buf = (char *)r->out->buf;
	size_t len = 0;
	int err = s->op == STEP_XGET
			  ? zsfs_getxattr(tx, r->nodeid, s->name, buf, s->size,
					  &len)
			  : zsfs_listxattr(tx, r->nodeid, s->flags ? yes : no,
					   buf, s->size, &len);

	if (!err) {
		r->out->len = s->size ? len : 0;
		result(r, len);
	}
	finish(r, tx, err);
}

/* ---- what is a transaction, or several, by itself ---- */

static void run_forget(struct run *r)
{
	uint64_t *consumed = step_consumed(r->th);

	*consumed = r->s->size;
	undo_barrier();
	r->out->res->err = 0;
	zsfs_forget(r->th, r->nodeid, r->s->size, consumed);
	end_reaping(r);
	if (*consumed)
		r->out->res->err = -EUCLEAN;
}

static void record_snapshot(void *arg, const struct vfile_entry *e)
{
	result(arg, e->nodeid);
}

static void run_vlookup(struct run *r)
{
	static const char *const names[] = {
		"classes",    "fullness", "mm_stat", "io_stat",
		"stats.json", "tiers",	  "metrics",
	};
	struct zsfs_thread *th = r->th;

	r->out->res->err = vfile_lookup(
		th, VFILE_NODEID + VF_STATS_DIR, names[r->s->seed % 7],
		(uint32_t)r->s->seed % 3, record_snapshot, r);
}

static void run_vforget(struct run *r)
{
	uint64_t *consumed = step_consumed(r->th);

	*consumed = 1;
	undo_barrier();
	r->out->res->err = 0;
	vfile_forget(r->th, r->m->snaps[r->s->seed % r->m->nr_snaps], 1,
		     consumed);
	if (*consumed)
		r->out->res->err = -EUCLEAN;
}

static void run_codec(struct run *r)
{
	static const struct zcomp_params codecs[] = {
		{ZCOMP_LZ4, 1},	 {ZCOMP_LZ4, 8}, {ZCOMP_ZSTD, 1},
		{ZCOMP_ZSTD, 3}, {ZCOMP_RAW, 0},
	};

	r->out->res->err = 0;
	zsfs_set_comp(r->fs, &codecs[r->s->flags % 5]);
}

static void run_memory(struct run *r)
{
	if (r->s->op == STEP_COMPACT)
		zsfs_compact(r->fs, r->th);
	else
		arena_trim(r->fs->arena, r->th->at, r->s->flags & 1,
			   r->s->flags & 2);
	r->out->res->err = 0;
}

static void run_reap(struct run *r)
{
	r->out->res->err = 0;
	for (unsigned n = r->s->seed % 32; n > 0 && reap_step(r->th); n--)
		;
}

/* For want of memory it only does less. */
static void run_settle(struct run *r)
{
	r->out->res->err = 0;
	zsfs_settle(r->th);
}

/* Done when the step is. */
static void run_warm(struct run *r)
{
	r->out->res->err = 0;
	warm_ask(r->th, r->nodeid, r->s->off / ZSFS_BLOCK_SIZE);
}

/* For want of memory it only does less. */
static void run_cool(struct run *r)
{
	r->out->res->err = 0;
	hot_step(r->th, false);
	if (r->s->seed % 2)
		hot_drain(r->th, UINT64_MAX);
}

typedef void run_fn(struct run *r);

static run_fn *const runners[STEP_NR] = {
	[STEP_LOOKUP] = run_lookup,	  [STEP_FORGET] = run_forget,
	[STEP_MAKE] = run_make,		  [STEP_LINK] = run_link,
	[STEP_UNLINK] = run_remove,	  [STEP_RMDIR] = run_remove,
	[STEP_RENAME] = run_rename,	  [STEP_WRITE] = run_write,
	[STEP_READ] = run_read,		  [STEP_TRUNCATE] = run_setattr,
	[STEP_CHANGE] = run_setattr,	  [STEP_GETATTR] = run_getattr,
	[STEP_READLINK] = run_readlink,	  [STEP_SEEK] = run_seek,
	[STEP_READDIR] = run_readdir,	  [STEP_VLOOKUP] = run_vlookup,
	[STEP_VFORGET] = run_vforget,	  [STEP_COMPACT] = run_memory,
	[STEP_TRIM] = run_memory,	  [STEP_CODEC] = run_codec,
	[STEP_ALLOCATE] = run_allocate,	  [STEP_PUNCH] = run_allocate,
	[STEP_REAP] = run_reap,		  [STEP_NAMELESS] = run_nameless,
	[STEP_FLAGS] = run_setflags,	  [STEP_XSET] = run_setxattr,
	[STEP_XREMOVE] = run_removexattr, [STEP_XGET] = run_getxattr,
	[STEP_XLIST] = run_getxattr,	  [STEP_COPY] = run_copy,
	[STEP_SETTLE] = run_settle,	  [STEP_WARM] = run_warm,
	[STEP_COOL] = run_cool,
};

static uint64_t nodeid_of(const struct model *m, unsigned id)
{
	const struct minode *i = model_get(m, id);

	return i ? i->nodeid : 0;
}

void step_run(const struct model *m, struct zsfs_thread *th,
	      const struct step *s, struct step_out *out)
{
	struct run r = {
		.fs = th->fs,
		.th = th,
		.m = m,
		.s = s,
		.out = out,
		.nodeid = nodeid_of(m, s->id),
		.nodeid2 = nodeid_of(m, s->id2),
	};

	out->res->err = -EINPROGRESS;
	out->res->value = 0;
	out->len = 0;
	runners[s->op](&r);
	tidy_clusters(th);
	warm_step(th);
}
