/* SPDX-License-Identifier: BSD-3-Clause */
/* How a file, or those of a folder, are stored (see usage_walk.h). */
#include "usage_walk.h"

#include <errno.h>
#include <inttypes.h>

#include "base/clock.h"
#include "base/textbuf.h"
#include "dentry.h"
#include "state/inode.h"
#include "state/threads.h"
#include "state/zsfs.h"

/* May the one who asks do what @bits of "others" say, beyond doubt? */
static bool surely_may(const struct usage_walk *w, const struct zinode *i,
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

static void note_entry(struct usage_walk *w, const struct dentry *d)
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
static int read_entries(struct usage_walk *w, const struct zinode *dir)
{
	struct dir_reader r = dentry_seek(dir, w->off);
	const struct dentry *d = NULL;

	if (!S_ISDIR(dir->mode))
		return -ENODATA;
	if (!surely_may(w, dir, S_IXOTH))
		return -EACCES;
	for (unsigned left = USAGE_WALK_ENTRIES; left > 0; left--) {
		d = dentry_read(dir, &r);
		if (!d)
			return 0;
		note_entry(w, d);
	}
	w->off = dentry_offset(&r, d->cookie);
	return 1;
}

static int find_files(struct zsfs_thread *th, struct usage_walk *w)
{
	struct tx *tx = tx_begin(th);
	struct zinode *dir;
	int ret = inode_resolve_locked(tx, w->nodeid, LOCK_SHARED, &dir);

	w->nr = w->at = 0;
	if (!ret)
		ret = read_entries(w, dir);
	w->no_more = ret == 0;
	return tx_abort(tx, ret);
}

/* ---- files ---- */

/* As read_entries(), of a file that was met: is it one that is summed? */
static int meet_file(struct zsfs *fs, struct usage_walk *w,
		     const struct zinode *i)
{
	if (!surely_may(w, i, S_IROTH) || !usage_is_open(fs, i, w->owner))
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
static int add_some(struct zsfs_thread *th, struct usage_walk *w)
{
	struct tx *tx = tx_begin(th);
	bool begins = !w->group.inode;
	int ret;

	if (begins) {
		w->group.inode = inode_at(w->found[w->at].ino);
		w->group.gen = w->found[w->at].gen;
	}
	ret = group_lock_shared(tx, &w->group);
	if (ret && begins)
		ret = meet_file(th->fs, w, w->group.inode);
	if (ret > 0)
		ret = usage_add_groups(th->fs, &w->usage, &w->group);
	return tx_abort(tx, ret);
}

static int add_file(struct zsfs_thread *th, struct usage_walk *w)
{
	int ret = add_some(th, w);

	if (ret)
		return ret;
	w->at++;
	w->group = (struct group){0};
	return w->at < w->nr || !w->no_more;
}

/* ---- the whole ---- */

static int step_in_folder(struct zsfs_thread *th, struct usage_walk *w)
{
	int ret;

	if (w->at < w->nr)
		return add_file(th, w);
	ret = find_files(th, w);
	return ret < 0 ? ret : w->nr || !w->no_more;
}

int usage_walk_step(struct zsfs_thread *th, struct usage_walk *w)
{
	int ret;

	if (w->is_folder)
		return step_in_folder(th, w);
	ret = usage_add_some(th->fs, &w->usage, w->nodeid, w->owner, &w->group);
	if (ret != -ENODATA)
		return ret;
	w->is_folder = true;
	w->group = (struct group){0};
	return 1;
}

int usage_walk_until(struct zsfs_thread *th, struct usage_walk *w,
		     uint64_t until)
{
	int ret;

	do {
		ret = usage_walk_step(th, w);
		zsfs_pause(th);
	} while (ret > 0 && clock_ms() < until);
	return ret;
}

int usage_walk_print(const struct usage_walk *w, char *buf)
{
	struct textbuf t;

	textbuf_init(&t, buf, USAGE_SIZE);
	usage_print(&w->usage, &t);
	if (w->is_folder) {
		textbuf_add(&t, "files %" PRIu64 "\nsize %" PRIu64 "\n",
			    w->files, w->size);
		textbuf_add(&t, "links %" PRIu64 "\nfolders %" PRIu64 "\n",
			    w->links, w->folders);
	}
	return textbuf_end(&t);
}
