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
	uint16_t level;
	uint16_t order; /* of the leaf at level 1; TABLE_ORDER above, else 0 */
	uint32_t mark;	/* a number of the owner's, who also saves it */
};

/* Of a directory's entries; 1 and 2 are "." and "..". */
#define FIRST_COOKIE 3u

#define INODE_MAGIC UINT32_C(0x646f6e69) /* odd: see slab_alloc() */
#define INODE_ALIGN 16u
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
/* Nor this: blocks of the file may have room (content/slot.h). */
#define INODE_HAS_ROOM (UINT32_C(1) << 30)
/* Nor this: they may be in clusters (content/cluster.h). */
#define INODE_HAS_DENSE (UINT32_C(1) << 29)
/* Nor this: some were written since the settler looked (content/settler.h). */
#define INODE_HAS_NEW (UINT32_C(1) << 27)
/* Nor this: they may be hot (content/hot.h). */
#define INODE_HAS_HOT (UINT32_C(1) << 28)

/* The times of an inode. */
enum inode_time {
	INODE_BTIME, /* of birth; never changes, as gen */
	INODE_ATIME, /* also under shared and counter lock (reading) */
	INODE_MTIME,
	INODE_CTIME,
	INODE_NR_TIMES,
};

/*
 * Most inodes are small files, so the record is kept small: its fields are as
 * wide as they must be, and what never is in use at the same time shares a
 * place.
 */
struct zinode {
	uint32_t magic;
	uint32_t nlink;
	uint64_t nlookup; /* counter lock */
	uint64_t gen;
	/* From here to nsec[]: inode_save(). */
	uint32_t mode;
	uint32_t flags; /* INODE_* */
	uint32_t uid;
	uint32_t gid;
	uint64_t size; /* bytes; directories: entries * DIRENT_SIZE */
	union {
		uint64_t blocks; /* files: blocks held, in ZSFS_BLOCK_SIZE */
		uint64_t parent; /* directories: ino, or 0 when removed */
	};
	union {
		int64_t sec[INODE_NR_TIMES];
		uint64_t reap_next; /* on the reap list; zsfs.reap_lock */
	};
	uint32_t nsec[INODE_NR_TIMES];
	union {
		struct {
			/*
			 * Block number -> slot. Marked 1: it was divided by a
			 * cut, and `stored` is about right.
			 */
			struct ztable blocks;
			uint64_t stored; /* payload bytes of the blocks */
		} file;
		struct {
			/* Cookie -> dentry; its mark is the next cookie. */
			struct ztable entries;
			/* Bucket of the hash -> dentry; their number. */
			struct ztable buckets;
		} dir;
		struct {
			uint64_t target; /* ref of a SLAB_BUF, size bytes */
		} link;
		struct {
			uint32_t rdev;
		} dev;
	};
	uint64_t xattrs; /* ref of the first node (xattr_set.h), or 0 */
};

_Static_assert(sizeof(struct zinode) <= SLAB_RECORD_SIZE, "fits its slab");
_Static_assert(SLAB_RECORD_SIZE % INODE_ALIGN == 0, "has an ino");

/* Safe beside a reader that sets the atime. */
static inline struct ztime inode_time(const struct zinode *i, enum inode_time t)
{
	return (struct ztime){
		.sec = __atomic_load_n(&i->sec[t], __ATOMIC_RELAXED),
		.nsec = __atomic_load_n(&i->nsec[t], __ATOMIC_RELAXED),
	};
}

/* Saves nothing. */
static inline void inode_set_time(struct zinode *i, enum inode_time t,
				  struct ztime now)
{
	__atomic_store_n(&i->nsec[t], now.nsec, __ATOMIC_RELAXED);
	__atomic_store_n(&i->sec[t], now.sec, __ATOMIC_RELAXED);
}

/* The same for mtime and ctime. */
static inline void inode_set_changed(struct zinode *i, struct ztime now)
{
	inode_set_time(i, INODE_MTIME, now);
	inode_set_time(i, INODE_CTIME, now);
}

static inline uint64_t inode_ino(const struct zinode *i)
{
	return ((uint64_t)(uintptr_t)i - ARENA_BASE) / INODE_ALIGN;
}

static inline struct zinode *inode_at(uint64_t ino)
{
	return (struct zinode *)(uintptr_t)(ARENA_BASE + ino * INODE_ALIGN);
}

#endif
