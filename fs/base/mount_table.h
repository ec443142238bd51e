/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Mount table: what /proc/self/mountinfo says of the mounts in the namespace of
 * this process. Reading it touches no mount, so a dead one cannot hang anybody.
 */
#ifndef FS_MOUNT_TABLE_H
#define FS_MOUNT_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#define MOUNT_DEV_SIZE 32u

/* Where a mount is: enough to unmount it. */
struct mount_place {
	const char *mountpoint;	  /* absolute */
	char dev[MOUNT_DEV_SIZE]; /* "major:minor", "" = unknown */
	bool gone;		  /* there is no mount of ours any more */
};

/* One mount. Escapes are undone; all text belongs to the table. */
struct mount_entry {
	int id, parent;	     /* numbers of mounts */
	const char *dev;     /* "major:minor" of its file system */
	const char *root;    /* what of the file system is seen, "/" = all */
	const char *at;	     /* mountpoint */
	const char *options; /* of this mount, comma separated */
	const char *type;
	const char *source;
	const char *super_options; /* of the file system */
	char *line;
};

struct mount_table {
	struct mount_entry *entries;
	size_t nr;
};

/*
 * Read the mounts of the file system @dev; of all with NULL. 0 or -errno. The
 * caller ends it with mount_table_free(), also after an error.
 */
int mount_table_read(struct mount_table *t, const char *dev);
void mount_table_free(struct mount_table *t);

/* The mount that @path leads to if several lie there on each other, or NULL. */
const struct mount_entry *mount_table_top(const struct mount_table *t,
					  const char *path);

/* Is @word in the comma separated @list? */
bool mount_table_has(const char *list, const char *word);

#endif
