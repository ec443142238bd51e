/* SPDX-License-Identifier: BSD-3-Clause */
/* How the files of a folder are stored (see usage_walk.h). */
#include "usage_walk.h"

#include <errno.h>
#include <inttypes.h>

#include "base/textbuf.h"
#include "content/group.h"
#include "content/usage.h"
#include "dentry.h"
#include "state/inode.h"
#include "state/threads.h"
#include "state/zsfs.h"

/* Entries that are looked at under one lock. */
#define LOOK_ENTRIES 64u

struct walk {
	struct zsfs_thread *th;
	uint64_t nodeid;
	uint32_t uid, owner;
	uint64_t off; /* of the directory's reader */
	struct usage usage;
	uint64_t files, size, links, folders;
	/* Files of this step: who they were when the folder was locked. */
	unsigned nr;
	struct {
		uint64_t ino, gen;
	} found[LOOK_ENTRIES];
};

/* May the one who asks do what @bits of "others" say, beyond doubt? */
static bool surely_may(const struct walk *w, const struct zinode *i,
		       uint32_t bits)
{
	uint32_t all = bits * 0111;

	if (w->uid == 0)
		return true;
	if (w->uid == i->uid)
		return i->mode & bits << 6;
	return !i->xattrs && (i->mode & all) == all;
}

/* ---- entries ---- */

static void note_entry(struct walk *w, const struct dentry *d)
{
	mode_t mode = (mode_t)d->type << 12;

	if (S_ISDIR(mode))
		w->folders++;
	if (!S_ISREG(mode))
		return;
	w->found[w->nr].ino = d->ino;
	w->found[w->nr].gen = inode_number(inode_at(d->ino));
	w->nr++;
}

/* 1: there may be more; 0: that was all; -errno. */
static int read_entries(struct walk *w, const struct zinode *dir)
{
	struct dir_reader r = dentry_seek(dir, w->off);
	const struct dentry *d = NULL;

	if (!S_ISDIR(dir->mode))
		return -ENODATA;
	if (!surely_may(w, dir, S_IXOTH))
		return -EACCES;
	for (unsigned left = LOOK_ENTRIES; left > 0; left--) {
		d = dentry_read(dir, &r);
		if (!d)
			return 0;
		note_entry(w, d);
	}
	w->off = dentry_offset(&r, d->cookie);
	return 1;
}

static int find_files(struct walk *w)
{
	struct tx *tx = tx_begin(w->th);
	struct zinode *dir;
	int ret = inode_resolve_locked(tx, w->nodeid, LOCK_SHARED, &dir);

	w->nr = 0;
	if (!ret)
		ret = read_entries(w, dir);
	return tx_abort(tx, ret);
}

/* ---- files ---- */

/* As read_entries(), of a file that was met: is it one that is summed? */
static int meet_file(struct walk *w, const struct zinode *i)
{
	if (!surely_may(w, i, S_IROTH) ||
	    !usage_is_open(w->th->fs, i, w->owner))
		return -EACCES;
	if (i->nlink != 1) {
		w->links += i->nlink > 1;
		return 0;
	}
	w->files++;
	w->size += i->size;
	return 1;
}

/* The same, of what is left of the file; one that is gone has nothing. */
static int add_some(struct walk *w, struct group *g, bool begins)
{
	struct tx *tx = tx_begin(w->th);
	int ret = group_lock_shared(tx, g);

	if (ret && begins)
		ret = meet_file(w, g->inode);
	if (ret > 0)
		ret = usage_add_groups(w->th->fs, &w->usage, g);
	return tx_abort(tx, ret);
}

/* Only a large file has to wait in the midst of it. */
static int add_file(struct walk *w, unsigned n)
{
	struct group g = {.inode = inode_at(w->found[n].ino),
			  .gen = w->found[n].gen};
	int ret = add_some(w, &g, true);

	while (ret > 0) {
		zsfs_pause(w->th);
		ret = add_some(w, &g, false);
	}
	return ret;
}

static int add_files(struct walk *w)
{
	int err = 0;

	for (unsigned n = 0; !err && n < w->nr; n++)
		err = add_file(w, n);
	zsfs_pause(w->th);
	return !err && zsfs_is_interrupted(w->th) ? -EINTR : err;
}

/* ---- the whole ---- */

static int add_all(struct walk *w)
{
	int more, err;

	do {
		more = find_files(w);
		err = more < 0 ? more : add_files(w);
	} while (!err && more);
	return err;
}

static int print(const struct walk *w, char *buf)
{
	struct textbuf t;

	textbuf_init(&t, buf, USAGE_SIZE);
	usage_print(&w->usage, &t);
	textbuf_add(&t, "files %" PRIu64 "\nsize %" PRIu64 "\n", w->files,
		    w->size);
	textbuf_add(&t, "links %" PRIu64 "\nfolders %" PRIu64 "\n", w->links,
		    w->folders);
	return textbuf_end(&t);
}

int zsfs_folder_usage(struct zsfs_thread *th, uint64_t nodeid, uint32_t uid,
		      uint32_t owner, char *buf)
{
	struct walk w = {
		.th = th, .nodeid = nodeid, .uid = uid, .owner = owner};
	int err = add_all(&w);

	return err ? err : print(&w, buf);
}
