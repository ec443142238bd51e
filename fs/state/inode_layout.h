/* SPDX-License-Identifier: BSD-3-Clause */
/* The record of an inode, as it is in the arena (see inode.h). */
#ifndef FS_INODE_LAYOUT_H
#define FS_INODE_LAYOUT_H

#include <stdint.h>

#include "arena.h"
#include "stamp.h"

/* Root of a block table (content/block_table.h). */
struct ztable {
	uint64_t root;
	uint32_t level;
	uint32_t order; /* of the leaf at level 1; TABLE_ORDER above, else 0 */
};

/* Of a directory's entries; 1 and 2 are "." and "..". */
#define FIRST_COOKIE 3u

#define INODE_MAGIC UINT64_C(0x65646f6e69736601) /* odd: see slab_alloc() */
#define INODE_ALIGN 32u
#define ROOT_NODEID UINT64_C(1)

/* zinode.flags: those of chattr(1), with the numbers of FS_IOC_GETFLAGS. */
#define INODE_IMMUTABLE UINT32_C(0x10)
#define INODE_APPEND	UINT32_C(0x20)
#define INODE_NODUMP	UINT32_C(0x40)
#define INODE_NOATIME	UINT32_C(0x80)
#define INODE_FLAGS                                                            \
	(INODE_IMMUTABLE | INODE_APPEND | INODE_NODUMP | INODE_NOATIME)
/* What a new inode has from its directory, as on tmpfs. */
#define INODE_INHERITED (INODE_NODUMP | INODE_NOATIME)
/*
 * Not one of those: a regular file that never had a name (O_TMPFILE), so that
 * it can be given one, which a file that lost its last name cannot.
 */
#define INODE_NAMELESS (UINT32_C(1) << 31)

struct zinode {
	uint64_t magic;
	uint64_t nlookup; /* counter lock */
	uint64_t gen;
	struct ztime btime; /* of birth; never changes, as gen */
	uint32_t mode;
	uint32_t nlink;
	uint32_t uid;
	uint32_t gid;
	uint32_t rdev;
	uint32_t flags;	    /* INODE_* */
	uint64_t size;	    /* bytes; directories: entries * DIRENT_SIZE */
	uint64_t blocks;    /* blocks held, in ZSFS_BLOCK_SIZE */
	struct ztime atime; /* also under shared and counter lock (reading) */
	struct ztime mtime;
	struct ztime ctime;
	union {
		struct {
			struct ztable blocks; /* block number -> slot */
			uint64_t stored;      /* payload bytes of the blocks */
			/* It was divided by a cut, and is about right. */
			uint64_t stored_about;
		} file;
		struct {
			struct ztable entries; /* cookie -> dentry */
			struct ztable buckets; /* hash bucket -> dentry */
			uint64_t nr_entries;
			uint64_t nr_buckets;
			uint64_t next_cookie;
			uint64_t parent; /* ino, or 0 when removed */
		} dir;
		struct {
			uint64_t target; /* ref of a SLAB_BUF, size bytes */
		} link;
	};
	uint64_t xattrs;    /* ref of the first node (xattr_set.h), or 0 */
	uint64_t reap_next; /* on the super's reap list; zsfs.reap_lock */
};

_Static_assert(sizeof(struct zinode) <= SLAB_RECORD_SIZE, "fits its slab");

static inline uint64_t inode_ino(const struct zinode *i)
{
	return ((uint64_t)(uintptr_t)i - ARENA_BASE) / INODE_ALIGN;
}

static inline struct zinode *inode_at(uint64_t ino)
{
	return (struct zinode *)(uintptr_t)(ARENA_BASE + ino * INODE_ALIGN);
}

#endif
