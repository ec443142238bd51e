/* SPDX-License-Identifier: BSD-3-Clause */
/* Following a step on the model, and comparing the results. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare.h"
#include "step.h"
#include "state/inode.h"

/* What the model says about a step. */
struct follow {
	struct model *m;
	const struct step *s;
	const struct step_out *out;
	char *msg;
	size_t size;
	bool short_ok; /* a write may stop early */
	uint64_t value;
	bool has_value; /* and the real one must have the same */
};

static int wrong(const struct follow *f, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static int wrong(const struct follow *f, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(f->msg, f->size, fmt, ap);
	va_end(ap);
	return 1;
}

static void expect(struct follow *f, uint64_t value)
{
	f->value = value;
	f->has_value = true;
}

/*
 * Each follower returns the errno that the model wants, or 1 after wrong().
 */

static int follow_lookup(struct follow *f)
{
	unsigned id;
	int err = model_lookup(f->m, f->s->id, f->s->name, &id);

	if (!err)
		expect(f, model_get(f->m, id)->nodeid);
	return err;
}

/* The real file system made inode @id of the model, too. */
static int follow_new(struct follow *f, unsigned id)
{
	const struct step_result *res = f->out->res;
	struct minode *i = model_get(f->m, id);

	if (model_by_nodeid(f->m, res->value) != MODEL_NO_ID)
		return wrong(f, "the new nodeid is in use");
	if (res->number <= f->m->last_number)
		return wrong(f, "number %" PRIu64 " was used before",
			     res->number);
	f->m->last_number = i->number = res->number;
	i->nodeid = res->value;
	return 0;
}

static int follow_make(struct follow *f)
{
	struct mspec spec = f->s->spec;
	char target[STEP_TARGET_ROOM];
	unsigned id;
	int err;

	step_target(f->s, target);
	spec.target = target;
	err = model_make(f->m, f->s->id, f->s->name, &spec, &id);
	return err ? err : follow_new(f, id);
}

static int follow_nameless(struct follow *f)
{
	unsigned id;
	int err = model_make_nameless(f->m, f->s->id, &f->s->spec, &id);

	return err ? err : follow_new(f, id);
}

static int follow_link(struct follow *f)
{
	int err = model_link(f->m, f->s->id, f->s->id2, f->s->name);

	if (!err)
		expect(f, model_get(f->m, f->s->id)->nodeid);
	return err;
}

static int follow_names(struct follow *f)
{
	const struct step *s = f->s;

	if (s->op == STEP_UNLINK)
		return model_unlink(f->m, s->id, s->name);
	return model_rmdir(f->m, s->id, s->name);
}

static int follow_rename(struct follow *f)
{
	const struct step *s = f->s;
	unsigned left;
	int err = model_rename(f->m, s->id, s->name, s->id2, s->name2, s->flags,
			       &s->spec, &left);

	return err || left == MODEL_NO_ID ? err : follow_new(f, left);
}

static int follow_readdir(struct follow *f)
{
	const struct minode *i = model_get(f->m, f->s->id);
	const uint8_t *p = f->out->buf;

	for (size_t k = 0; p && k < i->nr_entries; k++) {
		const struct mentry *e = &i->entries[k];
		uint64_t nodeid = model_get(f->m, e->id)->nodeid;
		size_t len = strlen(e->name) + 1;

		if (p + 8 + len > f->out->buf + f->out->len ||
		    memcmp(p, &nodeid, 8) || memcmp(p + 8, e->name, len))
			return wrong(f, "%s not in its place", e->name);
		p += 8 + len;
	}
	if (p && p != f->out->buf + f->out->len)
		return wrong(f, "more than %zu names", i->nr_entries);
	return 0;
}

static int follow_write(struct follow *f)
{
	const struct step *s = f->s;
	uint64_t real = f->out->res->value, size = s->size;
	uint8_t *buf = malloc(s->size);
	size_t done;
	int err;

	if (!buf)
		abort();
	step_content(s, buf);
	if (f->short_ok && f->out->res->err == 0 && real > 0 && real < size &&
	    (s->off + real) % MODEL_BLOCK == 0)
		size = real;
	err = model_write(f->m, s->id, buf, size, s->off, s->flags, &done);
	free(buf);
	expect(f, done);
	return err;
}

/* As far as the real one went, which may stop early. */
static int follow_copy(struct follow *f)
{
	const struct step *s = f->s;
	uint64_t real = f->out->res->value;
	size_t done;
	int err = model_copy(f->m, s->id, s->off, s->id2, s->off2, s->size,
			     f->out->res->err ? s->size : real, &done);

	if (!err && !f->out->res->err && !done && real)
		return wrong(f, "more was copied than there is");
	expect(f, done);
	return err;
}

static int wrong_content(const struct follow *f, const uint8_t *want)
{
	const uint8_t *got = f->out->buf;
	size_t at = 0;

	while (at < f->out->len && got[at] == want[at])
		at++;
	if (at == f->out->len)
		return 0;
	return wrong(f, "byte %zu is %02x, should be %02x", at, got[at],
		     want[at]);
}

static int follow_read(struct follow *f)
{
	uint8_t *buf = malloc(f->s->size);
	size_t done;
	int err;

	if (!buf)
		abort();
	err = model_read(f->m, f->s->id, buf, f->s->size, f->s->off, &done);
	expect(f, done);
	if (!err && f->out->buf && f->out->res->err == 0 && f->out->len == done)
		err = wrong_content(f, buf);
	free(buf);
	return err;
}

static int follow_getattr(struct follow *f)
{
	const struct minode *i = model_get(f->m, f->s->id);
	const char *what = NULL;

	if (f->out->buf)
		what = compare_stat(i, &f->out->st);
	if (what)
		return wrong(f, "wrong %s", what);
	return 0;
}

static int follow_readlink(struct follow *f)
{
	struct minode *i = model_get(f->m, f->s->id);

	if (!i->target)
		return -EINVAL;
	if (!(i->flags & INODE_NOATIME))
		i->atime = MODEL_CLOCK;
	if (f->out->buf &&
	    (f->out->len != i->size || memcmp(f->out->buf, i->target, i->size)))
		return wrong(f, "wrong target");
	return 0;
}

static int follow_seek(struct follow *f)
{
	uint64_t off = 0;
	int err = model_seek(f->m, f->s->id, f->s->off, f->s->flags, &off);

	expect(f, off);
	return err;
}

static int follow_setxattr(struct follow *f)
{
	uint8_t *buf = malloc(f->s->size + 1);
	int err;

	if (!buf)
		abort();
	step_value(f->s, buf);
	err = model_setxattr(f->m, f->s->id, f->s->name, buf, f->s->size,
			     (int)f->s->flags);
	free(buf);
	return err;
}

static int follow_getxattr(struct follow *f)
{
	const struct mxattr *x;
	int err = model_getxattr(f->m, f->s->id, f->s->name, f->s->size, &x);

	if (err)
		return err;
	expect(f, x->size);
	if (f->out->buf && f->s->size && f->out->res->err == 0 &&
	    (f->out->len != x->size || memcmp(x->value, f->out->buf, x->size)))
		return wrong(f, "wrong value");
	return 0;
}

/* Each that is listed is there; with the right length that is all of them. */
static int follow_listxattr(struct follow *f)
{
	const struct minode *i = model_get(f->m, f->s->id);
	const char *p = (const char *)f->out->buf;
	size_t len;
	int err =
		model_listxattr(f->m, f->s->id, f->s->flags, f->s->size, &len);

	if (err)
		return err;
	expect(f, len);
	for (size_t at = 0; p && at < f->out->len; at += strlen(p + at) + 1)
		if (!model_find_xattr(i, p + at))
			return wrong(f, "%.40s is not there", p + at);
	return 0;
}

static int follow_snapshot(struct follow *f)
{
	struct model *m = f->m;

	if (f->s->op == STEP_VFORGET) {
		m->snaps[f->s->seed % m->nr_snaps] = m->snaps[m->nr_snaps - 1];
		m->nr_snaps--;
		return 0;
	}
	m->snaps = realloc(m->snaps, (m->nr_snaps + 1) * sizeof(m->snaps[0]));
	if (!m->snaps)
		abort();
	m->snaps[m->nr_snaps++] = f->out->res->value;
	return 0;
}

static int follow(struct follow *f)
{
	switch (f->s->op) {
	case STEP_LOOKUP:
		return follow_lookup(f);
	case STEP_FORGET:
		return model_forget(f->m, f->s->id, f->s->size);
	case STEP_MAKE:
		return follow_make(f);
	case STEP_NAMELESS:
		return follow_nameless(f);
	case STEP_LINK:
		return follow_link(f);
	case STEP_UNLINK:
	case STEP_RMDIR:
		return follow_names(f);
	case STEP_RENAME:
		return follow_rename(f);
	case STEP_WRITE:
		return follow_write(f);
	case STEP_READ:
		return follow_read(f);
	case STEP_TRUNCATE:
	case STEP_CHANGE:
		return model_setattr(f->m, f->s->id, &f->s->attr);
	case STEP_FLAGS:
		return model_setflags(f->m, f->s->id, f->s->flags);
	case STEP_ALLOCATE:
		return model_allocate(f->m, f->s->id, f->s->off, f->s->size,
				      f->s->flags);
	case STEP_PUNCH:
		return model_punch(f->m, f->s->id, f->s->off, f->s->size);
	case STEP_COPY:
		return follow_copy(f);
	case STEP_GETATTR:
		return follow_getattr(f);
	case STEP_READLINK:
		return follow_readlink(f);
	case STEP_SEEK:
		return follow_seek(f);
	case STEP_READDIR:
		return follow_readdir(f);
	case STEP_XSET:
		return follow_setxattr(f);
	case STEP_XGET:
		return follow_getxattr(f);
	case STEP_XLIST:
		return follow_listxattr(f);
	case STEP_XREMOVE:
		return model_removexattr(f->m, f->s->id, f->s->name);
	case STEP_VLOOKUP:
	case STEP_VFORGET:
		return follow_snapshot(f);
	default:
		return 0;
	}
}

/*
 * May this step fail for want of room? Never what deletes; a cut, a hole or a
 * write into room only where the system has no memory at all.
 */
static bool may_fail(const struct model *m, const struct step *s,
		     unsigned allow)
{
	switch (s->op) {
	case STEP_MAKE:
	case STEP_NAMELESS:
	case STEP_LINK:
	case STEP_RENAME:
	case STEP_ALLOCATE:
	case STEP_XSET:
	case STEP_COPY:
	case STEP_VLOOKUP:
		return allow != FOLLOW_EXACT;
	case STEP_WRITE:
		return allow & FOLLOW_NO_MEM ||
		       (allow && !model_has_room(m, s->id, s->off, s->size));
	case STEP_TRUNCATE:
	case STEP_PUNCH:
		return allow & FOLLOW_NO_MEM;
	default:
		return false;
	}
}

int step_follow(struct model *m, const struct step *s,
		const struct step_out *out, unsigned allow, char *msg,
		size_t size)
{
	struct follow f = {
		.m = m, .s = s, .out = out, .msg = msg, .size = size};
	int64_t real = out->res->err;
	int err;

	if ((real == -ENOSPC || (real == -ENOMEM && allow & FOLLOW_NO_MEM)) &&
	    may_fail(m, s, allow))
		return 0;
	f.short_ok = may_fail(m, s, allow);
	err = follow(&f);
	if (err == 1)
		return -1;
	if (err != real) {
		wrong(&f, "result %" PRId64 " (%s), should be %d (%s)", real,
		      strerror((int)-real), err, strerror(-err));
		return -1;
	}
	if (!err && f.has_value && f.value != out->res->value) {
		wrong(&f, "value %" PRIu64 ", should be %" PRIu64,
		      out->res->value, f.value);
		return -1;
	}
	return 0;
}

/* ---- in words ---- */

const char *step_op_name(enum step_op op)
{
	static const char *const names[STEP_NR] = {
		[STEP_LOOKUP] = "lookup",	[STEP_FORGET] = "forget",
		[STEP_MAKE] = "make",		[STEP_LINK] = "link",
		[STEP_UNLINK] = "unlink",	[STEP_RMDIR] = "rmdir",
		[STEP_RENAME] = "rename",	[STEP_WRITE] = "write",
		[STEP_READ] = "read",		[STEP_TRUNCATE] = "truncate",
		[STEP_CHANGE] = "change",	[STEP_GETATTR] = "getattr",
		[STEP_READLINK] = "readlink",	[STEP_SEEK] = "seek",
		[STEP_READDIR] = "readdir",	[STEP_VLOOKUP] = "vlookup",
		[STEP_VFORGET] = "vforget",	[STEP_COMPACT] = "compact",
		[STEP_TRIM] = "trim",		[STEP_CODEC] = "codec",
		[STEP_ALLOCATE] = "allocate",	[STEP_PUNCH] = "punch",
		[STEP_REAP] = "reap",		[STEP_FLAGS] = "flags",
		[STEP_NAMELESS] = "nameless",	[STEP_XSET] = "setxattr",
		[STEP_XGET] = "getxattr",	[STEP_XLIST] = "listxattr",
		[STEP_XREMOVE] = "removexattr", [STEP_COPY] = "copy",
		[STEP_SETTLE] = "settle",	[STEP_WARM] = "warm",
		[STEP_COOL] = "cool",
	};

	return names[op];
}

void step_print(const struct step *s, char *buf, size_t size)
{
	snprintf(buf, size,
		 "%s(id %u, \"%.20s\", id %u, \"%.20s\", flags %u, mode %o, "
		 "set %x, size %" PRIu64 ", off %" PRIu64 ", seed %" PRIx64
		 "%s)",
		 step_op_name(s->op), s->id, s->name, s->id2, s->name2,
		 s->flags, s->spec.mode, s->attr.set,
		 s->op == STEP_TRUNCATE ? s->attr.size : s->size, s->off,
		 s->seed, s->noise ? ", noise" : "");
}
