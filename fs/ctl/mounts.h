/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Mounts: which there are, by /proc/self/mountinfo, and which one a path is on.
 * Finding them touches none, so a dead one hangs nobody.
 */
#ifndef FS_CTL_MOUNTS_H
#define FS_CTL_MOUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* One line. Escapes are undone; all text belongs to the table. */
struct mount {
	int id, parent;
	dev_t dev;
	const char *root;    /* what of the file system is seen, "/" = all */
	const char *at;	     /* mountpoint */
	const char *options; /* of this mount */
	const char *type;
	const char *source;
	const char *super_options; /* of the file system */
	char *line;
};

struct mounts {
	struct mount *mount;
	size_t nr;
};

/*
 * Read all lines of @path, NULL = /proc/self/mountinfo. 0 or -errno; the caller
 * ends it with mounts_free(), also after an error.
 */
int mounts_read(struct mounts *m, const char *path);
void mounts_free(struct mounts *m);

/* Is it one of ours, by its type? One with another subtype is not known. */
bool mount_is_zsfs(const struct mount *m);

/*
 * Does another mount lie on it, so that its path leads there? One that lies on
 * a folder above is not seen here.
 */
bool mount_is_covered(const struct mounts *all, const struct mount *m);

/*
 * The zsfs that @path is on, which need not be its mountpoint and may be a
 * symbolic link. Of several mounts of one file system it is one that shows all
 * of it. NULL, and a sentence in @why, when there is none.
 */
const struct mount *mounts_find(const struct mounts *all, const char *path,
				char *why, size_t size);

/*
 * The zsfs that @path is on by its text alone, or NULL: mounts_find() looks it
 * up, and waits for ever for a mount that does not answer.
 */
const struct mount *mounts_near(const struct mounts *all, const char *path);

/*
 * Each file system once: is @m the first mount in @all that shows all of its
 * file system, or the first at all if none does?
 */
bool mount_is_first(const struct mounts *all, const struct mount *m);

#endif
