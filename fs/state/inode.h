/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Inode: the fixed-size record of a file, and how a nodeid finds it.
 *
 * Three names of one thing:
 *   address  of struct zinode in the arena
 *   ino      (address - ARENA_BASE) / 16: the FUSE nodeid; only the root is
 *            known to the kernel as nodeid 1. Because it is derived from the
 *            address, no table is needed to resolve it.
 *   gen      the inode's number, from a counter of 64 bits that never goes
 *            back: st_ino, which is never used again, as on tmpfs. With the
 *            mount's salt it is the FUSE generation, so that a file handle,
 *            which is ino + generation, is never used twice, and is no good
 *            on the next mount. The root is the first, 1.
 *
 * Life: an inode lives while nlink > 0 or nlookup > 0. nlookup is what the
 * kernel knows of it (LOOKUP adds, FORGET takes away). nlookup, and the step
 * of nlink to 0, are protected by the inode's counter lock; who makes both 0
 * frees the inode (reap.h). Everything else is protected by the inode's lock.
 */
#ifndef FS_INODE_H
#define FS_INODE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "inode_layout.h"
#include "tx.h"

struct zsfs;

/*
 * The inode a nodeid names, NULL when it names none that is in use, complete
 * and alive: one that is being freed is nobody's any more. Anything but a
 * nodeid that the kernel holds may be freed at any time after.
 */
struct zinode *inode_resolve(struct zsfs *fs, uint64_t nodeid);

/*
 * Lock the inode that @nodeid names, in @tx, which has locked nothing yet. 0,
 * or -ESTALE with nothing locked.
 */
int inode_resolve_locked(struct tx *tx, uint64_t nodeid, enum lock_mode mode,
			 struct zinode **out);

/* As inode_ino(), ROOT_NODEID for the root. */
uint64_t inode_nodeid(const struct zsfs *fs, const struct zinode *i);

/* st_ino. Needs no lock where a name or a look-up count keeps the inode. */
static inline uint64_t inode_number(const struct zinode *i)
{
	return i->gen;
}

/*
 * A new inode of @mode owned by @uid and @gid, all times now, nlink 0, not
 * reachable yet. Counts against the inode limit. Returns 0, -ENOSPC, -ENOMEM.
 */
int inode_new(struct tx *tx, uint32_t mode, uint32_t uid, uint32_t gid,
	      uint32_t rdev, struct zinode **out);

/* Make the free @record an inode that has nothing, not even a magic. */
struct zinode *inode_clear(void *record);
/* The counts of one that is not complete yet. */
void inode_begin_counts(struct zinode *i, uint32_t nlink, uint64_t nlookup);

/*
 * The last step of making one: from now on its nodeid resolves, also for
 * whoever still has the nodeid from the place's last inode. Takes its counter
 * lock, so that nobody else counts it before the transaction has ended.
 */
void inode_complete(struct tx *tx, struct zinode *i);
/* Is there a complete inode at @i? */
bool inode_valid(const struct zsfs *fs, const struct zinode *i);
/*
 * The same for who has @i from a walk or a handle, where neither a name nor a
 * count keeps it: is it complete and alive? @i, or what may be in its place
 * now, is locked, and so is its counter lock. It lives as long as the first is
 * held.
 */
bool inode_lives(const struct zsfs *fs, const struct zinode *i);
/* Is it complete, and nothing holds it any more? For any value. */
bool inode_has_ended(const struct zsfs *fs, const struct zinode *i);

/* Save a whole group of fields before they are changed in place. */
void inode_save(struct tx *tx, struct zinode *i);
void inode_touch_mtime(struct tx *tx, struct zinode *i); /* and ctime */
void inode_touch_ctime(struct tx *tx, struct zinode *i);
/*
 * Something was read from @i, which is locked shared: a new atime, with
 * relatime when the old one is not later than the last change, or a day old;
 * none with INODE_NOATIME. True: it is new. Takes the counter lock.
 */
bool inode_touch_atime(struct tx *tx, struct zinode *i);
/* Not to 0: that is for reap_set_nlink(). */
void inode_set_nlink(struct tx *tx, struct zinode *i, uint32_t nlink);

/*
 * Add to what a file's blocks take what @tx, which changes no other file, has
 * changed so far; once in a transaction.
 */
void inode_note_stored(struct tx *tx, struct zinode *i);

/* @n blocks go, but no more than there are: a table may be damaged. */
static inline void inode_lose_blocks(struct zinode *i, uint64_t n)
{
	i->blocks -= n < i->blocks ? n : i->blocks;
}

/* Change nlookup; the caller holds the counter lock. */
void inode_add_nlookup(struct tx *tx, struct zinode *i, int64_t delta);

void inode_stat(const struct zinode *i, struct stat *st);

#endif
