/* SPDX-License-Identifier: BSD-3-Clause */
/* Inodes: making them, changing their fields, showing them. */
#include "inode.h"

#include <errno.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "atime.h"
#include "tx.h"
#include "zsfs.h"

bool inode_valid(const struct zsfs *fs, const struct zinode *i)
{
	return slab_record_valid(fs->arena, i) &&
	       __atomic_load_n(&i->magic, __ATOMIC_ACQUIRE) == INODE_MAGIC;
}

/* Has it a count? */
static bool is_counted(const struct zinode *i)
{
	return __atomic_load_n(&i->nlink, __ATOMIC_ACQUIRE) ||
	       __atomic_load_n(&i->nlookup, __ATOMIC_ACQUIRE);
}

bool inode_lives(const struct zsfs *fs, const struct zinode *i)
{
	/* Again: the counts may be those of one that is being made. */
	return inode_valid(fs, i) && is_counted(i) && inode_valid(fs, i);
}

bool inode_has_ended(const struct zsfs *fs, const struct zinode *i)
{
	return inode_valid(fs, i) && !is_counted(i);
}

struct zinode *inode_resolve(struct zsfs *fs, uint64_t nodeid)
{
	struct zinode *i;

	if (nodeid == ROOT_NODEID)
		return (struct zinode *)(uintptr_t)fs->super->root;
	if (nodeid >= ARENA_SIZE / INODE_ALIGN)
		return NULL;
	i = inode_at(nodeid);
	return inode_valid(fs, i) && is_counted(i) ? i : NULL;
}

int inode_resolve_locked(struct tx *tx, uint64_t nodeid, enum lock_mode mode,
			 struct zinode **out)
{
	*out = inode_resolve(tx->fs, nodeid);
	if (!*out)
		return -ESTALE;
	tx_lock(tx, &(struct lock_want){*out, mode}, 1);
	return 0;
}

uint64_t inode_nodeid(const struct zsfs *fs, const struct zinode *i)
{
	if ((uint64_t)(uintptr_t)i == fs->super->root)
		return ROOT_NODEID;
	return inode_ino(i);
}

void inode_begin_counts(struct zinode *i, uint32_t nlink, uint64_t nlookup)
{
	__atomic_store_n(&i->nlink, nlink, __ATOMIC_RELAXED);
	__atomic_store_n(&i->nlookup, nlookup, __ATOMIC_RELAXED);
}

struct zinode *inode_clear(void *record)
{
	struct zinode *i = record;

	/* The first word is zero but for what tells it from a free one. */
	memset(&i->gen, 0, sizeof(*i) - offsetof(struct zinode, gen));
	inode_begin_counts(i, 0, 0);
	return i;
}

int inode_new(struct tx *tx, uint32_t mode, uint32_t uid, uint32_t gid,
	      uint32_t rdev, struct zinode **out)
{
	struct zinode *i;
	void *p;
	int err = tx_reserve_inodes(tx, 1);

	if (!err)
		err = tx_slab_alloc(tx, SLAB_RECORD, &p);
	if (err)
		return err;
	i = inode_clear(p);
	i->mode = mode;
	i->uid = uid;
	i->gid = gid;
	i->gen = __atomic_add_fetch(&tx->fs->super->last_gen, 1,
				    __ATOMIC_RELAXED);
	for (enum inode_time t = 0; t < INODE_NR_TIMES; t++)
		inode_set_time(i, t, tx_now(tx));
	if (S_ISDIR(mode)) {
		i->dir.buckets.mark = 1;
		i->dir.entries.mark = FIRST_COOKIE;
	} else if (S_ISCHR(mode) || S_ISBLK(mode)) {
		i->dev.rdev = rdev;
	}
	tx_stat(tx, ST_INODES, 1);
	*out = i;
	return 0;
}

void inode_complete(struct tx *tx, struct zinode *i)
{
	tx_count_lock(tx, i);
	__atomic_store_n(&i->magic, INODE_MAGIC, __ATOMIC_RELEASE);
}

void inode_save(struct tx *tx, struct zinode *i)
{
	/* nlookup and nlink have a lock of their own. */
	tx_save_range(tx, &i->mode,
		      offsetof(struct zinode, file) -
			      offsetof(struct zinode, mode));
}

void inode_touch_ctime(struct tx *tx, struct zinode *i)
{
	tx_save(tx, &i->sec[INODE_CTIME]);
	tx_save(tx, &i->nsec[INODE_CTIME]);
	inode_set_time(i, INODE_CTIME, tx_now(tx));
}

void inode_touch_mtime(struct tx *tx, struct zinode *i)
{
	tx_save(tx, &i->sec[INODE_MTIME]);
	tx_save(tx, &i->sec[INODE_CTIME]);
	tx_save(tx, &i->nsec[INODE_MTIME]); /* and that of ctime */
	inode_set_changed(i, tx_now(tx));
}

static bool is_after(struct ztime a, struct ztime b)
{
	return a.sec > b.sec || (a.sec == b.sec && a.nsec > b.nsec);
}

/* As relatime: when it is not later than the last change, or a day old. */
static bool atime_is_due(const struct zinode *i)
{
	struct ztime was = inode_time(i, INODE_ATIME);

	return !is_after(was, inode_time(i, INODE_MTIME)) ||
	       !is_after(was, inode_time(i, INODE_CTIME)) ||
	       stamp_coarse().sec - was.sec >= 24 * 60 * 60;
}

bool inode_touch_atime(struct tx *tx, struct zinode *i)
{
	if (i->flags & INODE_NOATIME ||
	    !atime_wanted(tx->fs, S_ISDIR(i->mode), atime_is_due(i)))
		return false;
	/* Two words that no invariant ties together: no undo needed. */
	tx_count_lock(tx, i);
	inode_set_time(i, INODE_ATIME, tx_now(tx));
	return true;
}

void inode_set_nlink(struct tx *tx, struct zinode *i, uint32_t nlink)
{
	tx_save(tx, &i->nlink);
	__atomic_store_n(&i->nlink, nlink, __ATOMIC_RELAXED);
}

void inode_note_stored(struct tx *tx, struct zinode *i)
{
	int64_t n = (int64_t)i->file.stored + tx->stored;

	tx_set(tx, &i->file.stored, n > 0 ? (uint64_t)n : 0);
}

void inode_add_nlookup(struct tx *tx, struct zinode *i, int64_t delta)
{
	tx_set(tx, &i->nlookup, i->nlookup + (uint64_t)delta);
}

static struct timespec to_timespec(struct ztime t)
{
	return (struct timespec){.tv_sec = t.sec, .tv_nsec = t.nsec};
}

/*
 * What programs should write at once: stdio takes a buffer of this size, up to
 * 8 KiB, Python all of it, and each time it is full is a request.
 */
#define IO_SIZE 32768

void inode_stat(const struct zinode *i, struct stat *st)
{
	memset(st, 0, sizeof(*st));
	st->st_ino = inode_number(i);
	st->st_mode = i->mode;
	st->st_nlink = i->nlink;
	st->st_uid = i->uid;
	st->st_gid = i->gid;
	if (S_ISCHR(i->mode) || S_ISBLK(i->mode))
		st->st_rdev = i->dev.rdev;
	st->st_size = (off_t)i->size;
	if (S_ISREG(i->mode))
		st->st_blocks = (blkcnt_t)(i->blocks * (ZSFS_BLOCK_SIZE / 512));
	st->st_blksize = S_ISREG(i->mode) ? IO_SIZE : ZSFS_BLOCK_SIZE;
	st->st_atim = to_timespec(inode_time(i, INODE_ATIME));
	st->st_mtim = to_timespec(inode_time(i, INODE_MTIME));
	st->st_ctim = to_timespec(inode_time(i, INODE_CTIME));
}
