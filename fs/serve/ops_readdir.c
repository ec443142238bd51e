/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * FUSE readdir and readdirplus.
 *
 * The offset of an entry says where the reader is and where it ends (dentry.h),
 * so nothing is kept between requests, and opening a directory is none. A reply
 * of readdirplus adds to nlookup of every entry in it, all in one transaction,
 * so its size is bounded by the undo log.
 *
 * Who lists a directory mostly wants the inodes too, to stat or to open them,
 * and one that the listing makes known costs a fraction of a LOOKUP. But a
 * million of them would take a gigabyte of the kernel's memory. So the inodes
 * of a large directory are listed in the first reply, and in any other only if
 * a name in it was looked up since: the first entry of such a reply is listed
 * by name only, to see whether the reader does that. The kernel has such a rule
 * of its own, but for directories of any size, so that programs that read all
 * names before they stat the first, as find and rm do, look up most of them.
 *
 * The lowest bits of an offset count how far the names up to there fill the
 * last page of a cached listing in the kernel. When a listing ends with a full
 * page, Linux takes the end of that cache for the end of the directory at any
 * offset that is not in the cache, so that a reader who began before a change
 * would lose the rest. Such a listing ends with a reply that is too short for
 * an entry and not empty: it ends the reader, but the kernel does not keep the
 * listing.
 */
#include "ops.h"

#include <errno.h>
#include <linux/fuse.h>
#include <string.h>

#include "control/vfile.h"
#include "request.h"
#include "state/zsfs.h"
#include "tree/attr.h"
#include "tree/dentry.h"

#define MAX_REPLY	  (ZSFS_REPLY_SIZE - 64u)
#define MAX_REPLY_ENTRIES 512u

/* More entries make a directory large: 10 MiB of the kernel's memory. */
#define SMALL_DIR 8192u

#define FILL_BITS 9 /* of 8 bytes each */
#define FILL_MASK ((1u << FILL_BITS) - 1)
#define FILL_SIZE 4096u

struct listing {
	fuse_req_t req;
	struct tx *tx;
	bool plus;   /* the reply has room for inodes */
	bool inodes; /* and they are in it, */
	bool large;  /* but not that of its first entry */
	char *buf;
	size_t size, used;
	unsigned fill; /* bytes in the last page of the kernel's cache */
	unsigned entries;
	unsigned nr_seen; /* inodes that the reply makes known to the kernel */
	struct zinode *seen[MAX_REPLY_ENTRIES];
};

/* The kernel begins another page where an entry does not fit any more. */
static unsigned fill_with(unsigned fill, const char *name)
{
	unsigned len =
		(unsigned)FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + strlen(name));

	return fill + len > FILL_SIZE ? len : (fill + len) % FILL_SIZE;
}

/* Put one entry in; false when it does not fit any more. */
static bool put(struct listing *l, const char *name,
		const struct fuse_entry_param *e, uint64_t next)
{
	char *at = l->buf + l->used;
	size_t left = l->size - l->used, n;
	unsigned fill = fill_with(l->fill, name);
	off_t off = (off_t)(next << FILL_BITS | fill / 8);

	if (l->plus)
		n = fuse_add_direntry_plus(l->req, at, left, name, e, off);
	else
		n = fuse_add_direntry(l->req, at, left, name, &e->attr, off);
	if (n > left)
		return false;
	l->used += n;
	l->fill = fill;
	return true;
}

/* "." and "..": never looked up, so they count nothing. */
static bool put_dots(struct listing *l, const struct zinode *dir,
		     const struct dir_reader *r)
{
	struct fuse_entry_param e = {.attr.st_mode = S_IFDIR};

	if (r->at < 1) {
		e.attr.st_ino = inode_number(dir);
		if (!put(l, ".", &e, dentry_offset(r, 1)))
			return false;
	}
	if (r->at < 2) {
		e.attr.st_ino =
			inode_number(dir->parent ? inode_at(dir->parent) : dir);
		if (!put(l, "..", &e, dentry_offset(r, 2)))
			return false;
	}
	return true;
}

static void entry_stat(const struct dentry *d, struct stat *st)
{
	st->st_ino = inode_number(inode_at(d->ino));
	st->st_mode = (mode_t)d->type << 12;
}

static bool put_dentry(struct listing *l, struct dentry *d, uint64_t next)
{
	struct zinode *i = inode_at(d->ino);
	struct fuse_entry_param e = {0};
	char name[ZSFS_NAME_MAX + 1];
	unsigned locks = l->tx->nr_locks;
	bool fits;

	memcpy(name, d->name, d->name_len);
	name[d->name_len] = '\0';
	/* An inode locked out of order is listed by name only (nodeid 0). */
	if (!l->inodes || (l->large && !l->entries) ||
	    !tx_lock_more(l->tx, i, LOCK_SHARED)) {
		entry_stat(d, &e.attr);
		return put(l, name, &e, next);
	}
	fill_entry(l->tx->fs, i, &e);
	fits = put(l, name, &e, next);
	if (fits)
		l->seen[l->nr_seen++] = i;
	tx_unlock_more(l->tx, locks);
	return fits;
}

/*
 * The directory is still locked, so all of them have a name and live. Their
 * locks are dropped by now: counter locks come after all inode locks.
 */
static void count_seen(struct listing *l)
{
	if (!l->nr_seen)
		return;
	tx_count_lock_all(l->tx);
	for (unsigned k = 0; k < l->nr_seen; k++)
		inode_add_nlookup(l->tx, l->seen[k], 1);
}

static uint64_t *looked_in(struct zsfs *fs, fuse_ino_t ino)
{
	/* The multiplier of xxHash: nodeids differ in any of their bits. */
	return &fs->looked_in[ino * 0x9e3779b185ebca87ull >> 32 &
			      (NR_LOOKED_IN - 1)];
}

void readdir_note_lookup(struct zsfs *fs, fuse_ino_t ino)
{
	uint64_t *last = looked_in(fs, ino);

	/* Mostly it is there already, and CPUs share what they only read. */
	if (__atomic_load_n(last, __ATOMIC_RELAXED) != ino)
		__atomic_store_n(last, ino, __ATOMIC_RELAXED);
}

/* Was a name looked up in directory @ino since this was asked last? */
static bool was_looked_in(struct zsfs *fs, fuse_ino_t ino)
{
	return __atomic_compare_exchange_n(looked_in(fs, ino), &(uint64_t){ino},
					   0, false, __ATOMIC_RELAXED,
					   __ATOMIC_RELAXED);
}

static void choose_inodes(struct listing *l, const struct zinode *dir,
			  fuse_ino_t ino, uint64_t off)
{
	l->large = dentry_count(dir) > SMALL_DIR;
	l->inodes = l->plus;
	if (l->plus && l->large)
		l->inodes = was_looked_in(l->tx->fs, ino) || !off;
}

static int list_dir(struct listing *l, fuse_ino_t ino, uint64_t off)
{
	struct dir_reader r;
	struct zinode *dir;
	struct dentry *d;
	int err = zsfs_getattr(l->tx, ino, &dir);

	if (err)
		return err;
	if (!S_ISDIR(dir->mode))
		return -ENOTDIR;
	choose_inodes(l, dir, ino, off);
	r = dentry_seek(dir, off);
	if (!put_dots(l, dir, &r))
		return 0;
	for (; l->entries < MAX_REPLY_ENTRIES; l->entries++) {
		d = dentry_read(dir, &r);
		if (!d || !put_dentry(l, d, dentry_offset(&r, d->cookie)))
			break;
	}
	count_seen(l);
	/* Last: the counter lock of this one may be another. */
	inode_touch_atime(l->tx, dir);
	return 0;
}

static void list_virtual(struct listing *l, fuse_ino_t ino, uint64_t off)
{
	struct fuse_entry_param e = {.attr.st_mode = S_IFDIR,
				     .attr.st_ino = ino};
	const char *name;

	if (off < 1 && !put(l, ".", &e, 1))
		return;
	e.attr.st_ino = ROOT_NODEID;
	if (off < 2 && !put(l, "..", &e, 2))
		return;
	for (uint64_t pos = off < 2 ? 0 : off - 2;
	     vfile_dir_entry(ino, (unsigned)pos, &name, &e.attr); pos++)
		if (!put(l, name, &e, pos + 3))
			return;
}

static void list(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		 bool plus)
{
	struct zsfs_thread *th = request_thread();
	struct listing l;
	int err = 0;

	l.req = req;
	l.tx = tx_begin(th);
	l.plus = plus;
	l.buf = (char *)th->buf.stage;
	l.size = size < MAX_REPLY ? size : MAX_REPLY;
	l.used = 0;
	l.fill = (unsigned)((uint64_t)off & FILL_MASK) * 8;
	l.entries = 0;
	l.nr_seen = 0;

	if (vfile_is(ino))
		list_virtual(&l, ino, (uint64_t)off >> FILL_BITS);
	else
		err = list_dir(&l, ino, (uint64_t)off >> FILL_BITS);
	if (err) {
		reply_abort(req, l.tx, err);
		return;
	}
	if (!l.used && !l.fill && l.size >= 8) {
		memset(l.buf, 0, 8);
		l.used = 8;
	}
	fuse_reply_buf(req, l.buf, l.used);
	tx_commit(l.tx);
}

void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		struct fuse_file_info *fi)
{
	list(req, ino, size, off, false);
}

void op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		    struct fuse_file_info *fi)
{
	list(req, ino, size, off, true);
}
