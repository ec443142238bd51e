/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Model: what a POSIX file system in memory must do, as plainly as possible.
 *
 * Test programs execute the same operations on the real file system and on a
 * model and compare. Inodes are known by small numbers (ids; the root is 0),
 * which are given out in the same order for the same operations, so that two
 * processes that replay the same steps agree on them. Each operation returns 0
 * or the -errno that the real one must return; where several errors apply,
 * the order is that of the file system's handlers.
 */
#ifndef TESTS_MODEL_MODEL_H
#define TESTS_MODEL_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MODEL_BLOCK    4096u
#define MODEL_ROOT     0u
#define MODEL_NO_ID    (~0u)
#define MODEL_NAME_MAX 255u

#define MODEL_CLOCK    (-1) /* the time at which it was done */
#define MODEL_ANY_TIME (-2)

/* One block of a file. */
struct mblock {
	uint64_t index;
	uint8_t *data; /* MODEL_BLOCK bytes */
	bool room;     /* was given room, and not written since */
	bool hole;     /* nothing else: it is none to SEEK_DATA */
};

/* One name in a directory, in the order in which names were added. */
struct mentry {
	char *name;
	unsigned id;
};

struct mxattr {
	char *name;
	uint8_t *value;
	size_t size;
};

struct minode {
	unsigned id;
	uint64_t nodeid;  /* the real one; 0 = not known */
	uint64_t number;  /* the real st_ino; 0 = not known */
	uint64_t nlookup; /* how often the kernel would have looked it up */
	uint32_t mode, nlink, uid, gid, rdev;
	uint32_t flags;	       /* INODE_* */
	uint64_t size;	       /* bytes, names, or length of the target */
	int64_t atime, mtime;  /* seconds, or one of these: */
	struct mblock *blocks; /* by index */
	size_t nr_blocks, room_blocks;
	struct mentry *entries;
	size_t nr_entries, room_entries;
	unsigned parent;       /* of a directory */
	char *target;	       /* of a symlink */
	struct mxattr *xattrs; /* in no order */
	size_t nr_xattrs;
};

struct model {
	struct minode **inodes; /* by id; NULL = not in use */
	unsigned nr_ids;
	uint64_t last_number; /* st_ino of the inode that was made last */
	uint64_t max_blocks;  /* 0 = no limit */
	uint64_t max_inodes;
	uint64_t used_blocks;
	uint64_t used_inodes;
	/* Snapshots of virtual files that are held, by nodeid. */
	uint64_t *snaps;
	size_t nr_snaps;
};

struct model *model_new(uint32_t mode, uint32_t uid, uint32_t gid);
void model_free(struct model *m);

/* The inode, or NULL. */
struct minode *model_get(const struct model *m, unsigned id);
/* Id of the inode with this nodeid, MODEL_NO_ID when there is none. */
unsigned model_by_nodeid(const struct model *m, uint64_t nodeid);

/* ---- model.c ---- */

struct mspec {
	uint32_t mode, uid, gid, rdev, umask;
	const char *target;
};

#define MSET_MODE      (1u << 0)
#define MSET_UID       (1u << 1)
#define MSET_GID       (1u << 2)
#define MSET_SIZE      (1u << 3)
#define MSET_ATIME     (1u << 4)
#define MSET_MTIME     (1u << 5)
#define MSET_ATIME_NOW (1u << 7)
#define MSET_MTIME_NOW (1u << 8)
#define MSET_KILL_PRIV (1u << 11)
#define MSET_STRANGER  (1u << 12)

struct mattr {
	unsigned set; /* MSET_* */
	uint32_t mode, uid, gid;
	uint64_t size;
	int64_t atime, mtime;
};

int model_setattr(struct model *m, unsigned id, const struct mattr *a);
int model_setflags(struct model *m, unsigned id, uint32_t flags);
int model_forget(struct model *m, unsigned id, uint64_t n);

/* Without a name for it; MODEL_NO_ID at the limit. For model_name.c. */
unsigned model_new_inode(struct model *m, const struct mspec *spec);
/* Free it when nothing holds it any more. */
void model_put(struct model *m, unsigned id);
/* What a write or chown takes from the mode. */
void model_kill_priv(struct minode *i, bool stranger);

/* ---- model_name.c; a name that is not there is -ENOENT ---- */

/* Position of a name, or -1. */
long model_find(const struct minode *dir, const char *name);
int model_lookup(struct model *m, unsigned dir, const char *name, unsigned *id);
int model_make(struct model *m, unsigned dir, const char *name,
	       const struct mspec *spec, unsigned *id);
int model_make_nameless(struct model *m, unsigned dir, const struct mspec *spec,
			unsigned *id);
int model_link(struct model *m, unsigned id, unsigned dir, const char *name);
int model_unlink(struct model *m, unsigned dir, const char *name);
int model_rmdir(struct model *m, unsigned dir, const char *name);
/*
 * @flags as renameat2(2). *@left is what it left at the old name, made as
 * @whiteout says, or MODEL_NO_ID.
 */
int model_rename(struct model *m, unsigned from, const char *name, unsigned to,
		 const char *new_name, unsigned flags,
		 const struct mspec *whiteout, unsigned *left);

/* ---- model_file.c ---- */

/* Content of a block; NULL for a hole. */
const uint8_t *model_block(const struct minode *i, uint64_t index);
int model_read(const struct model *m, unsigned id, void *buf, size_t size,
	       uint64_t off, size_t *done);
#define MWRITE_KILL_PRIV 1u
#define MWRITE_APPEND	 2u
#define MWRITE_STRANGER	 4u
/* Stops where max_blocks is reached; -ENOSPC when nothing was written. */
int model_write(struct model *m, unsigned id, const void *buf, size_t size,
		uint64_t off, unsigned flags, size_t *done);
/* Has all of this range room, so that a write to it cannot fail? */
bool model_has_room(const struct model *m, unsigned id, uint64_t off,
		    uint64_t size);
/* All of it or nothing. */
int model_allocate(struct model *m, unsigned id, uint64_t off, uint64_t size,
		   bool keep_size);
int model_punch(struct model *m, unsigned id, uint64_t off, uint64_t size);
/* Copy @n of up to @size bytes, less at max_blocks or the end: *@done. */
int model_copy(struct model *m, unsigned id, uint64_t off, unsigned id2,
	       uint64_t off2, uint64_t size, uint64_t n, size_t *done);
/* @size < 2^63 */
void model_truncate(struct model *m, struct minode *i, uint64_t size);
int model_seek(const struct model *m, unsigned id, uint64_t off, bool hole,
	       uint64_t *out);

/* ---- model_xattr.c ---- */

/* NULL when there is none. */
struct mxattr *model_find_xattr(const struct minode *i, const char *name);
/* @flags as zsfs_setxattr(). */
int model_setxattr(struct model *m, unsigned id, const char *name,
		   const void *value, size_t size, int flags);
/* *@x is set where that is 0. */
int model_getxattr(const struct model *m, unsigned id, const char *name,
		   size_t room, const struct mxattr **x);
int model_listxattr(const struct model *m, unsigned id, bool trusted,
		    size_t room, size_t *len);
int model_removexattr(struct model *m, unsigned id, const char *name);
/* What a write, a cut or a chown takes. */
void model_kill_caps(struct minode *i);
void model_free_xattrs(struct minode *i);
void model_add_xattr(struct minode *i, const char *name, const void *value,
		     size_t size);
bool model_drop_xattr(struct minode *i, const char *name);

/* ---- model_acl.c ---- */

bool model_is_acl(const char *name);
int model_set_acl(struct minode *i, const char *name, const void *value,
		  size_t size, bool kill_sgid);
/* The mode was set. */
void model_chmod_acl(struct minode *i);
/* @i, which is new in @dir, gets its mode and lists. */
void model_inherit_acl(const struct minode *dir, struct minode *i,
		       uint32_t umask);

#endif
