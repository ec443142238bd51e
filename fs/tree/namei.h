/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Names: finding, making, linking and removing files; rename.h has the rest.
 *
 * Operations are plain functions of a transaction, without FUSE in them, so
 * that tests call them without a mount. They return 0 with the transaction
 * open and its locks held, so that the caller can build the reply from the
 * objects, record it and tx_commit(); or -errno, then the caller calls
 * tx_abort(). Inodes are given by nodeid.
 */
#ifndef FS_NAMEI_H
#define FS_NAMEI_H

#include <stdint.h>

struct tx;
struct zinode;

/* *@out = NULL and 0 when the name is not there. Adds one to nlookup. */
int zsfs_lookup(struct tx *tx, uint64_t parent, const char *name,
		struct zinode **out);

struct new_inode {
	uint32_t mode; /* with S_IFMT */
	uint32_t uid, gid;
	uint32_t rdev;
	uint32_t umask;	    /* where the directory has no default list */
	const char *target; /* symlinks */
};

/*
 * Create a file of any kind; -EEXIST when the name is there. Adds one to
 * nlookup.
 */
int zsfs_make(struct tx *tx, uint64_t parent, const char *name,
	      const struct new_inode *spec, struct zinode **out);
/*
 * Create a regular file that nothing names: it lives as long as it is looked
 * up, once now, unless zsfs_link() gives it a name. @dir may have been removed.
 */
int zsfs_make_nameless(struct tx *tx, uint64_t dir,
		       const struct new_inode *spec, struct zinode **out);
int zsfs_unlink(struct tx *tx, uint64_t parent, const char *name);
int zsfs_rmdir(struct tx *tx, uint64_t parent, const char *name);
/* -ENOENT for a file that has lost its last name. */
int zsfs_link(struct tx *tx, uint64_t nodeid, uint64_t parent, const char *name,
	      struct zinode **out);

#endif
