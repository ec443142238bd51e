/* SPDX-License-Identifier: BSD-3-Clause */
/* Drawing random steps. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "step.h"
#include "state/inode.h"
#include "state/layout.h"
#include "tree/xattr.h"

/* One step of it, wherever it starts in a block. */
#define ALLOCATE_MAX (ZSFS_MAX_WRITE - ZSFS_BLOCK_SIZE)

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* How often each operation is drawn while growing and while shrinking. */
static const struct {
	unsigned char grow, shrink;
} weights[STEP_NR] = {
	[STEP_LOOKUP] = {10, 10},  [STEP_FORGET] = {14, 20},
	[STEP_MAKE] = {22, 6},	   [STEP_LINK] = {5, 2},
	[STEP_NAMELESS] = {3, 2},  [STEP_UNLINK] = {5, 20},
	[STEP_RMDIR] = {2, 8},	   [STEP_RENAME] = {10, 10},
	[STEP_WRITE] = {18, 8},	   [STEP_READ] = {8, 8},
	[STEP_TRUNCATE] = {8, 10}, [STEP_ALLOCATE] = {12, 2},
	[STEP_PUNCH] = {2, 3},	   [STEP_CHANGE] = {5, 5},
	[STEP_GETATTR] = {3, 3},   [STEP_READLINK] = {1, 1},
	[STEP_SEEK] = {3, 3},	   [STEP_READDIR] = {2, 2},
	[STEP_VLOOKUP] = {1, 1},   [STEP_VFORGET] = {1, 1},
	[STEP_COMPACT] = {1, 2},   [STEP_TRIM] = {1, 1},
	[STEP_CODEC] = {1, 1},	   [STEP_REAP] = {1, 3},
	[STEP_FLAGS] = {2, 3},	   [STEP_XSET] = {9, 4},
	[STEP_XREMOVE] = {3, 6},   [STEP_XGET] = {2, 2},
	[STEP_XLIST] = {1, 1},	   [STEP_COPY] = {3, 2},
	[STEP_SETTLE] = {3, 2},	   [STEP_WARM] = {3, 2},
	[STEP_COOL] = {3, 2},
};

/* ---- whom ---- */

typedef bool wanted_fn(const struct minode *i);

static bool is_known(const struct minode *i)
{
	return i->nlookup > 0;
}

static bool is_known_dir(const struct minode *i)
{
	return is_known(i) && S_ISDIR(i->mode);
}

static bool is_known_file(const struct minode *i)
{
	return is_known(i) && S_ISREG(i->mode);
}

static bool is_known_link(const struct minode *i)
{
	return is_known(i) && S_ISLNK(i->mode);
}

static bool is_nameless(const struct minode *i)
{
	return is_known(i) && i->flags & INODE_NAMELESS;
}

static bool is_held(const struct minode *i)
{
	return is_known(i) && i->id != MODEL_ROOT;
}

static bool is_known_kept(const struct minode *i)
{
	return is_known(i) && i->flags & (INODE_IMMUTABLE | INODE_APPEND);
}

/* Some inode that is wanted; the root when there is none. */
static unsigned draw_inode(struct draw *d, const struct model *m,
			   wanted_fn *wanted)
{
	unsigned start = (unsigned)rng_below(&d->rng, m->nr_ids);

	for (unsigned k = 0; k < m->nr_ids; k++) {
		unsigned id = (start + k) % m->nr_ids;

		if (m->inodes[id] && wanted(m->inodes[id]))
			return id;
	}
	return MODEL_ROOT;
}

static unsigned draw_dir(struct draw *d, const struct model *m)
{
	if (rng_chance(&d->rng, 40))
		return MODEL_ROOT;
	return draw_inode(d, m,
			  rng_chance(&d->rng, 3) ? is_known : is_known_dir);
}

static unsigned draw_file(struct draw *d, const struct model *m)
{
	return draw_inode(d, m,
			  rng_chance(&d->rng, 3) ? is_known : is_known_file);
}

/* ---- names ---- */

static void draw_name(struct draw *d, char *name)
{
	static const char *const hot[] = {
		"a", "b", "c", "dir", "e.txt", "new\nline", "\xff\xfe\x80", "f",
	};
	unsigned n = (unsigned)rng_below(&d->rng, 100);

	if (n < 50) {
		strcpy(name, hot[n % ARRAY_SIZE(hot)]);
	} else if (n < 53) {
		/* The longest there is, and one too long. */
		memset(name, 'n', 256);
		name[n == 52 ? 256 : 255] = '\0';
	} else {
		snprintf(name, STEP_NAME_ROOM, "file-%03u",
			 (unsigned)rng_below(&d->rng, d->nr_names));
	}
}

/* A name that most often is there. */
static void draw_old_name(struct draw *d, const struct model *m, unsigned dir,
			  char *name)
{
	const struct minode *i = model_get(m, dir);

	if (i->nr_entries == 0 || rng_chance(&d->rng, 10))
		draw_name(d, name);
	else
		strcpy(name,
		       i->entries[rng_below(&d->rng, i->nr_entries)].name);
}

static void draw_lookup(struct draw *d, const struct model *m, struct step *s)
{
	s->id = draw_dir(d, m);
	draw_old_name(d, m, s->id, s->name);
	if (rng_chance(&d->rng, 3) && S_ISDIR(model_get(m, s->id)->mode) &&
	    (d->whole || s->id != MODEL_ROOT))
		strcpy(s->name, rng_chance(&d->rng, 50) ? "." : "..");
}

static uint32_t draw_mode(struct draw *d)
{
	return (uint32_t)rng_below(&d->rng, 010000);
}

static uint32_t draw_umask(struct draw *d)
{
	static const uint32_t umasks[] = {0, 022, 077, 0777};

	return umasks[rng_below(&d->rng, ARRAY_SIZE(umasks))];
}

static void draw_make(struct draw *d, const struct model *m, struct step *s)
{
	static const uint32_t types[] = {
		S_IFREG, S_IFREG, S_IFREG,  S_IFREG, S_IFREG, S_IFDIR, S_IFDIR,
		S_IFLNK, S_IFCHR, S_IFSOCK, S_IFIFO, S_IFBLK, S_IFREG, S_IFDIR,
	};
	uint32_t type = types[rng_below(&d->rng, ARRAY_SIZE(types))];

	s->id = draw_dir(d, m);
	draw_name(d, s->name);
	s->spec.mode = type | draw_mode(d);
	s->spec.uid = (uint32_t)rng_below(&d->rng, 3);
	s->spec.gid = (uint32_t)rng_below(&d->rng, 3);
	s->spec.umask = draw_umask(d);
	if (type == S_IFCHR || type == S_IFBLK)
		s->spec.rdev = (uint32_t)rng_below(&d->rng, 1 << 20);
	if (type == S_IFLNK)
		s->size = rng_log(&d->rng, 4097);
}

static void draw_nameless(struct draw *d, const struct model *m, struct step *s)
{
	s->id = draw_dir(d, m);
	s->spec.mode = S_IFREG | draw_mode(d);
	s->spec.uid = (uint32_t)rng_below(&d->rng, 3);
	s->spec.gid = (uint32_t)rng_below(&d->rng, 3);
	s->spec.umask = draw_umask(d);
}

static void draw_rename(struct draw *d, const struct model *m, struct step *s)
{
	static const unsigned flags[] = {
		0,
		0,
		0,
		0,
		RENAME_NOREPLACE,
		RENAME_EXCHANGE,
		RENAME_EXCHANGE,
		RENAME_WHITEOUT,
		RENAME_WHITEOUT,
		RENAME_WHITEOUT | RENAME_NOREPLACE,
		RENAME_WHITEOUT | RENAME_EXCHANGE, /* refused */
	};

	s->id = draw_dir(d, m);
	s->id2 = rng_chance(&d->rng, 50) ? s->id : draw_dir(d, m);
	s->flags = flags[rng_below(&d->rng, ARRAY_SIZE(flags))];
	s->spec.mode = S_IFCHR;
	s->spec.uid = (uint32_t)rng_below(&d->rng, 3);
	s->spec.gid = (uint32_t)rng_below(&d->rng, 3);
	draw_old_name(d, m, s->id, s->name);
	if (rng_chance(&d->rng, s->flags == RENAME_EXCHANGE ? 80 : 40))
		draw_old_name(d, m, s->id2, s->name2);
	else
		draw_name(d, s->name2);
}

/* ---- content ---- */

/* An offset at or around a place where something changes. */
static uint64_t draw_edge(struct draw *d)
{
	static const uint64_t blocks[] = {
		0,  1,	3,  4,	 5,   15,  16,	 17,   63,
		64, 65, 66, 127, 128, 129, 4095, 4096, 4097,
	};
	uint64_t off = blocks[rng_below(&d->rng, ARRAY_SIZE(blocks))];

	if (d->far && rng_chance(&d->rng, 15)) {
		off = UINT64_C(1) << rng_below(&d->rng, 51);
		off += rng_below(&d->rng, 3) - 1;
	}
	if (d->far && rng_chance(&d->rng, 2))
		return INT64_MAX - rng_below(&d->rng, 3) * 4096;
	off *= MODEL_BLOCK;
	if (rng_chance(&d->rng, 50))
		off += rng_below(&d->rng, 3) - 1;
	return off > INT64_MAX ? 0 : off;
}

static uint64_t draw_offset(struct draw *d, const struct minode *i)
{
	if (rng_chance(&d->rng, 25) && S_ISREG(i->mode))
		return i->size;
	if (rng_chance(&d->rng, 50))
		return draw_edge(d);
	return rng_below(&d->rng, (i->size < 1 << 20 ? i->size : 1 << 20) + 1);
}

static uint64_t draw_size(struct draw *d, uint64_t max)
{
	static const uint64_t sizes[] = {
		1, 4095, 4096, 4097, 8192, 12288, 65536,
	};
	uint64_t n = rng_below(&d->rng, 100);

	if (n < 30)
		return 1 + rng_below(&d->rng, 300);
	if (n < 50)
		n = sizes[rng_below(&d->rng, ARRAY_SIZE(sizes))];
	else if (n < 95)
		n = rng_log(&d->rng, max);
	else
		n = max - rng_below(&d->rng, 2) * 4096;
	return n < max ? n : max;
}

static void draw_write(struct draw *d, const struct model *m, struct step *s)
{
	s->id = draw_file(d, m);
	s->off = draw_offset(d, model_get(m, s->id));
	s->size = draw_size(d, d->max_write);
	s->seed = rng_next(&d->rng);
	s->flags = rng_chance(&d->rng, 20) ? MWRITE_KILL_PRIV : 0;
	if (s->seed & 1)
		s->flags |= MWRITE_STRANGER;
	if (rng_chance(&d->rng, 30))
		s->flags |= MWRITE_APPEND;
	s->noise = rng_chance(&d->rng, d->noise);
}

static void draw_copy(struct draw *d, const struct model *m, struct step *s)
{
	s->id = draw_file(d, m);
	s->id2 = draw_file(d, m);
	s->off = draw_offset(d, model_get(m, s->id));
	s->off2 = draw_offset(d, model_get(m, s->id2));
	s->size = draw_size(d, d->max_write);
	if (rng_chance(&d->rng, 60))
		s->off2 += s->off % MODEL_BLOCK - s->off2 % MODEL_BLOCK;
	if (s->off2 > INT64_MAX)
		s->off2 = s->off % MODEL_BLOCK;
	if (s->id != s->id2)
		return;
	/* It overlaps, or has no block in common. */
	s->off2 = s->off + s->size / 2;
	if (rng_chance(&d->rng, 80))
		s->off2 = (s->off + s->size) / MODEL_BLOCK * MODEL_BLOCK +
			  MODEL_BLOCK + s->off2 % 2 * 100;
	if (s->off2 > INT64_MAX)
		s->off2 = s->off;
}

static unsigned largest_file(const struct model *m)
{
	const struct minode *best = model_get(m, MODEL_ROOT);

	for (unsigned id = 0; id < m->nr_ids; id++)
		if (m->inodes[id] && is_known_file(m->inodes[id]) &&
		    m->inodes[id]->nr_blocks >= best->nr_blocks)
			best = m->inodes[id];
	return best->id;
}

/* A size somewhere in the middle of what a file holds. */
static uint64_t middle_of(struct draw *d, const struct minode *i)
{
	const struct mblock *b = &i->blocks[rng_below(&d->rng, i->nr_blocks)];

	return b->index * MODEL_BLOCK + rng_below(&d->rng, 3) * 2000;
}

static void draw_truncate(struct draw *d, const struct model *m, struct step *s)
{
	unsigned n = (unsigned)rng_below(&d->rng, 125);
	const struct minode *i;

	/* Much to cut at once is a case of its own. */
	s->id = n < 100 ? draw_file(d, m) : largest_file(m);
	s->attr.set = MSET_SIZE;
	i = model_get(m, s->id);
	if (n >= 100 && i->nr_blocks)
		s->attr.size = middle_of(d, i);
	else if (n < 20)
		s->attr.size = 0;
	else if (n < 50)
		s->attr.size = rng_below(&d->rng, i->size + 1);
	else if (n < 60 && i->size > 10)
		s->attr.size = i->size - rng_below(&d->rng, 10);
	else if (n < 61)
		s->attr.size = (UINT64_C(1) << 63) + rng_below(&d->rng, 2);
	else
		s->attr.size = draw_edge(d);
}

static void draw_change(struct draw *d, const struct model *m, struct step *s)
{
	static const unsigned sets[] = {
		MSET_MODE,
		MSET_UID,
		MSET_GID,
		MSET_UID | MSET_GID,
		MSET_ATIME,
		MSET_MTIME,
		MSET_KILL_PRIV,
		MSET_KILL_PRIV | MSET_STRANGER,
		MSET_GID | MSET_STRANGER,
		MSET_ATIME | MSET_MTIME,
		MSET_ATIME_NOW | MSET_MTIME_NOW,
		MSET_MTIME_NOW,
	};

	s->id = draw_inode(d, m, is_known);
	s->attr.set = sets[rng_below(&d->rng, ARRAY_SIZE(sets))];
	s->attr.mode = draw_mode(d);
	s->attr.uid = (uint32_t)rng_below(&d->rng, 3);
	s->attr.gid = (uint32_t)rng_below(&d->rng, 3);
	s->attr.atime = (int64_t)rng_below(&d->rng, 1 << 30);
	s->attr.mtime = (int64_t)rng_below(&d->rng, 1 << 30);
}

/* Mostly taken away again, so that the rest can go on. */
static void draw_flags(struct draw *d, const struct model *m, struct step *s)
{
	static const uint32_t flags[] =
		{
			INODE_IMMUTABLE, INODE_APPEND,	  INODE_NODUMP,
			INODE_NOATIME,	 INODE_INHERITED, INODE_FLAGS,
			INODE_FLAGS + 1, /* no such flag */
		};

	s->id = draw_inode(d, m, is_known_kept);
	if (model_get(m, s->id)->flags || rng_chance(&d->rng, 50))
		return;
	s->id = draw_inode(d, m, is_known);
	s->flags = flags[rng_below(&d->rng, ARRAY_SIZE(flags))];
}

static void draw_forget(struct draw *d, const struct model *m, struct step *s)
{
	s->id = draw_inode(d, m, is_held);
	s->size = model_get(m, s->id)->nlookup;
	if (rng_chance(&d->rng, 40))
		s->size = rng_log(&d->rng, s->size);
}

/* ---- extended attributes ---- */

static void draw_xattr_name(struct draw *d, char *name)
{
	static const char *const names[] = {
		"user.a",    "user.b",	    "user.mime_type",
		"trusted.t", "security.s",  "security.capability",
		"user.",     "system.none", "none",
	};
	unsigned n = (unsigned)rng_below(&d->rng, 100);

	if (n < 60) {
		strcpy(name, names[n % 6]);
	} else if (n < 63) {
		strcpy(name, names[6 + n % 3]);
	} else if (n < 66) {
		/* The longest there is, and one too long. */
		strcpy(name, "user.");
		memset(name + 5, 'x', 251);
		name[n == 65 ? 256 : 255] = '\0';
	} else {
		snprintf(name, STEP_NAME_ROOM, "user.attribute-%u",
			 (unsigned)rng_below(&d->rng, d->nr_names));
	}
}

/* Bytes at and around the borders of what lies where. */
static uint64_t draw_xattr_size(struct draw *d)
{
	static const uint64_t sizes[] = {
		0, 511, 512, 513, 4095, 4096, 4097, 65535, 65536, 65537,
	};

	if (rng_chance(&d->rng, 70))
		return rng_below(&d->rng, 60);
	if (rng_chance(&d->rng, 50))
		return sizes[rng_below(&d->rng, ARRAY_SIZE(sizes))];
	return rng_log(&d->rng, 20000);
}

/* A few files have many, so that there are some with more than a page. */
static bool has_xattrs(const struct minode *i)
{
	return is_known(i) && i->nr_xattrs;
}

static void draw_old_xattr_name(struct draw *d, const struct minode *i,
				char *name)
{
	if (!i->nr_xattrs || rng_chance(&d->rng, 10))
		draw_xattr_name(d, name);
	else
		strcpy(name, i->xattrs[rng_below(&d->rng, i->nr_xattrs)].name);
}

static void draw_list(struct draw *d, const struct model *m, struct step *s)
{
	static const uint64_t lines[] = {0, 1, 2, 3, 3,	 4,
					 5, 6, 6, 9, 60, 1000};

	strcpy(s->name, "system.posix_acl_access");
	if (rng_chance(&d->rng, 50)) {
		strcpy(s->name, "system.posix_acl_default");
		s->id = draw_inode(d, m, is_known_dir);
	}
	s->size = 4 + 8 * lines[rng_below(&d->rng, ARRAY_SIZE(lines))];
	if (rng_chance(&d->rng, 5))
		s->size = rng_below(&d->rng, s->size);
	s->noise = rng_chance(&d->rng, 15);
	if (rng_chance(&d->rng, 20))
		s->flags |= XATTR_KILL_SGID;
}

static void draw_setxattr(struct draw *d, const struct model *m, struct step *s)
{
	static const unsigned flags[] = {0, 0, 0, XATTR_CREATE, XATTR_REPLACE};

	s->id = draw_inode(d, m,
			   rng_chance(&d->rng, 80) ? has_xattrs : is_known);
	if (rng_chance(&d->rng, 30))
		draw_old_xattr_name(d, model_get(m, s->id), s->name);
	else
		draw_xattr_name(d, s->name);
	s->flags = flags[rng_below(&d->rng, ARRAY_SIZE(flags))];
	s->size = draw_xattr_size(d);
	s->noise = rng_chance(&d->rng, d->noise);
	if (rng_chance(&d->rng, 20))
		draw_list(d, m, s);
}

static void draw_xattr(struct draw *d, const struct model *m, struct step *s)
{
	s->id = draw_inode(d, m,
			   rng_chance(&d->rng, 90) ? has_xattrs : is_known);
	draw_old_xattr_name(d, model_get(m, s->id), s->name);
	s->flags = rng_chance(&d->rng, 50);
	/* Of the buffer; 0 asks for the length. */
	s->size = rng_chance(&d->rng, 30) ? 0 : rng_log(&d->rng, 70000);
}

/* ---- which ---- */

/* Renames above all, of few names over each other. */
static bool draw_burst(struct draw *d)
{
	static const enum step_op ops[] = {
		STEP_RENAME, STEP_RENAME,   STEP_RENAME, STEP_MAKE,
		STEP_UNLINK, STEP_TRUNCATE, STEP_XSET,
	};

	if (!d->left && rng_below(&d->rng, 3000) == 0) {
		d->left = 50 + (unsigned)rng_below(&d->rng, 200);
		d->burst = ops[rng_below(&d->rng, ARRAY_SIZE(ops))];
	}
	if (!d->left)
		return false;
	d->left--;
	return true;
}

static enum step_op draw_weighted(struct draw *d)
{
	unsigned total = 0, op, n;

	if (rng_below(&d->rng, d->phase) == 0)
		d->shrinking = !d->shrinking;
	for (op = 0; op < STEP_NR; op++)
		total += d->shrinking ? weights[op].shrink : weights[op].grow;
	n = (unsigned)rng_below(&d->rng, total);
	for (op = 0;; op++) {
		unsigned w =
			d->shrinking ? weights[op].shrink : weights[op].grow;

		if (n < w)
			return op;
		n -= w;
	}
}

static bool few_are_known(const struct draw *d, const struct model *m)
{
	uint64_t n = 0;

	for (unsigned id = 0; d->min_inodes && id < m->nr_ids; id++)
		n += m->inodes[id] && is_known(m->inodes[id]);
	return n < d->min_inodes;
}

/* What goes on with too few is something else. */
static enum step_op draw_kind(struct draw *d, const struct model *m)
{
	enum step_op op =
		d->bursts && draw_burst(d) ? d->burst : draw_weighted(d);

	if (op == STEP_FORGET && few_are_known(d, m))
		return STEP_LOOKUP;
	if ((op == STEP_UNLINK || op == STEP_RMDIR) &&
	    m->used_inodes < d->min_inodes)
		return STEP_MAKE;
	return op;
}

static enum step_op draw_op(struct draw *d, const struct model *m)
{
	enum step_op op = draw_kind(d, m);

	if (d->hoard && !d->shrinking &&
	    (op == STEP_TRUNCATE || op == STEP_PUNCH || op == STEP_COPY))
		op = STEP_WRITE;
	if (d->hoard && !d->shrinking && op == STEP_UNLINK)
		op = STEP_MAKE;
	if ((op == STEP_WRITE || op == STEP_ALLOCATE || op == STEP_COPY) &&
	    m->used_blocks > d->max_blocks)
		op = STEP_TRUNCATE;
	/* Only the number of all inodes tells whether a killed one was made. */
	if (!d->whole && op == STEP_NAMELESS)
		op = STEP_MAKE;
	if ((op == STEP_MAKE || op == STEP_NAMELESS) &&
	    m->used_inodes > d->max_inodes)
		op = rng_chance(&d->rng, 50) ? STEP_UNLINK : STEP_FORGET;
	if (!d->whole && op >= STEP_VLOOKUP && op != STEP_COMPACT &&
	    op != STEP_TRIM && op != STEP_REAP && op != STEP_SETTLE &&
	    op != STEP_WARM && op != STEP_COOL)
		op = STEP_GETATTR;
	if ((op == STEP_CODEC || op == STEP_SETTLE) && d->one_codec)
		op = STEP_GETATTR;
	if (op == STEP_VLOOKUP && m->nr_snaps >= 8)
		op = STEP_VFORGET;
	else if (op == STEP_VFORGET && m->nr_snaps == 0)
		op = STEP_VLOOKUP;
	return op;
}

static void draw_rest(struct draw *d, const struct model *m, struct step *s)
{
	switch (s->op) {
	case STEP_UNLINK:
	case STEP_RMDIR:
		s->id = draw_dir(d, m);
		draw_old_name(d, m, s->id, s->name);
		break;
	case STEP_LINK:
		s->id = draw_inode(
			d, m, rng_chance(&d->rng, 40) ? is_nameless : is_known);
		if (s->id == MODEL_ROOT)
			s->id = draw_inode(d, m, is_known);
		s->id2 = draw_dir(d, m);
		draw_name(d, s->name);
		break;
	case STEP_READ:
		s->id = draw_file(d, m);
		s->off = draw_offset(d, model_get(m, s->id));
		s->size = draw_size(d, d->max_write);
		break;
	case STEP_ALLOCATE:
	case STEP_PUNCH:
		s->id = draw_file(d, m);
		s->off = draw_offset(d, model_get(m, s->id));
		s->size = 1 + draw_size(d, d->max_write) % ALLOCATE_MAX;
		s->flags = (unsigned)rng_below(&d->rng, 2);
		break;
	case STEP_COPY:
		draw_copy(d, m, s);
		break;
	case STEP_WARM:
		s->id = draw_file(d, m);
		s->off = draw_offset(d, model_get(m, s->id));
		break;
	case STEP_SEEK:
		s->id = draw_file(d, m);
		s->off = draw_offset(d, model_get(m, s->id));
		s->flags = rng_chance(&d->rng, 50);
		break;
	case STEP_READLINK:
		s->id = draw_inode(d, m, is_known_link);
		break;
	case STEP_READDIR:
		s->id = draw_inode(d, m, is_known_dir);
		break;
	default:
		s->id = draw_inode(d, m, is_known);
		s->flags = (unsigned)rng_below(&d->rng, 5);
		break;
	}
}

void step_draw(struct draw *d, const struct model *m, struct step *s)
{
	memset(s, 0, sizeof(*s));
	s->op = draw_op(d, m);
	s->seed = rng_next(&d->rng);
	if (s->op == STEP_NAMELESS)
		draw_nameless(d, m, s);
	else if (s->op == STEP_LOOKUP)
		draw_lookup(d, m, s);
	else if (s->op == STEP_FORGET)
		draw_forget(d, m, s);
	else if (s->op == STEP_MAKE)
		draw_make(d, m, s);
	else if (s->op == STEP_RENAME)
		draw_rename(d, m, s);
	else if (s->op == STEP_WRITE)
		draw_write(d, m, s);
	else if (s->op == STEP_TRUNCATE)
		draw_truncate(d, m, s);
	else if (s->op == STEP_CHANGE)
		draw_change(d, m, s);
	else if (s->op == STEP_FLAGS)
		draw_flags(d, m, s);
	else if (s->op == STEP_XSET)
		draw_setxattr(d, m, s);
	else if (s->op == STEP_XGET || s->op == STEP_XLIST ||
		 s->op == STEP_XREMOVE)
		draw_xattr(d, m, s);
	else
		draw_rest(d, m, s);
}
