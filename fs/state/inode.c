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

struct zinode *inode_resolve(struct zsfs *fs, uint64_t nodeid)
{
	struct zinode *i;

	if (nodeid == ROOT_NODEID)
		return (struct zinode *)(uintptr_t)fs->super->root;
	if (nodeid >= ARENA_SIZE / INODE_ALIGN)
		return NULL;
	i = inode_at(nodeid);
	return inode_valid(fs, i) ? i : NULL;
}

uint64_t inode_nodeid(const struct zsfs *fs, const struct zinode *i)
{
	if ((uint64_t)(uintptr_t)i == fs->super->root)
		return ROOT_NODEID;
	return inode_ino(i);
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
	i = p;
	memset(&i->nlookup, 0, sizeof(*i) - sizeof(i->magic));
	i->mode = mode;
	i->uid = uid;
	i->gid = gid;
	i->rdev = rdev;
	i->gen = __atomic_add_fetch(&tx->fs->super->last_gen, 1,
				    __ATOMIC_RELAXED);
	i->btime = i->atime = i->mtime = i->ctime = tx_now(tx);
	if (S_ISDIR(mode)) {
		i->dir.nr_buckets = 1;
		i->dir.next_cookie = FIRST_COOKIE;
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
	/* mode .. ctime; nlookup has a lock of its own. */
	tx_save_range(tx, &i->mode,
		      offsetof(struct zinode, file) -
			      offsetof(struct zinode, mode));
}

static void save_time(struct tx *tx, struct ztime *t)
{
	tx_save_range(tx, t, sizeof(*t));
}

void inode_touch_ctime(struct tx *tx, struct zinode *i)
{
	save_time(tx, &i->ctime);
	i->ctime = tx_now(tx);
}

void inode_touch_mtime(struct tx *tx, struct zinode *i)
{
	save_time(tx, &i->mtime);
	save_time(tx, &i->ctime);
	i->mtime = i->ctime = tx_now(tx);
}

static bool is_after(const struct ztime *a, const struct ztime *b)
{
	return a->sec > b->sec || (a->sec == b->sec && a->nsec > b->nsec);
}

/* As relatime: when it is not later than the last change, or a day old. */
static bool atime_is_due(const struct zinode *i)
{
	struct ztime was = {
		.sec = __atomic_load_n(&i->atime.sec, __ATOMIC_RELAXED),
		.nsec = __atomic_load_n(&i->atime.nsec, __ATOMIC_RELAXED),
	};

	return !is_after(&was, &i->mtime) || !is_after(&was, &i->ctime) ||
	       stamp_coarse().sec - was.sec >= 24 * 60 * 60;
}

void inode_touch_atime(struct tx *tx, struct zinode *i)
{
	struct ztime now;

	if (i->flags & INODE_NOATIME ||
	    !atime_wanted(tx->fs, S_ISDIR(i->mode), atime_is_due(i)))
		return;
	/* Two words that no invariant ties together: no undo needed. */
	tx_count_lock(tx, i);
	now = tx_now(tx);
	__atomic_store_n(&i->atime.nsec, now.nsec, __ATOMIC_RELAXED);
	__atomic_store_n(&i->atime.sec, now.sec, __ATOMIC_RELAXED);
}

void inode_set_nlink(struct tx *tx, struct zinode *i, uint32_t nlink)
{
	tx_save(tx, &i->nlink);
	i->nlink = nlink;
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

static struct timespec to_timespec(const struct ztime *t)
{
	struct timespec ts = {
		.tv_sec = __atomic_load_n(&t->sec, __ATOMIC_RELAXED),
		.tv_nsec = __atomic_load_n(&t->nsec, __ATOMIC_RELAXED),
	};
	return ts;
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
	st->st_rdev = i->rdev;
	st->st_size = (off_t)i->size;
	st->st_blocks = (blkcnt_t)(i->blocks * (ZSFS_BLOCK_SIZE / 512));
	st->st_blksize = S_ISREG(i->mode) ? IO_SIZE : ZSFS_BLOCK_SIZE;
	st->st_atim = to_timespec(&i->atime);
	st->st_mtim = to_timespec(&i->mtime);
	st->st_ctim = to_timespec(&i->ctime);
}
