/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * killclient: one worker's directory as it should be.
 *
 * A node is an inode, an entry is a name of one. The operations below only
 * change the model; the caller has done the same to the file system.
 */
#ifndef KILLCLIENT_TREE_H
#define KILLCLIENT_TREE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "killclient_data.h"

#define MAX_NODES   60u
#define MAX_ENTRIES 110u
#define MAX_DEPTH   4u
#define MAX_FILE    (3u << 20)
#define MAX_WRITE   (1u << 20)
#define MAX_BYTES   (24u << 20) /* of all files together, roughly */
#define MAX_TARGET  300u

#define NODE_XATTRS 6u

struct node_xattr {
	uint32_t version; /* 0: there is none */
	size_t size;
};

struct node {
	mode_t mode; /* 0: free */
	bool pinned; /* held by its worker: names and locks stay */
	int fd;	     /* kept open, -1: not */
	uint32_t id; /* never used again */
	uint32_t version;
	uint64_t ino;	/* st_ino, 0: not seen yet */
	unsigned names; /* entries that lead here */
	bool mtime_known;
	struct timespec mtime;
	int flags;	/* FS_*_FL */
	uint64_t birth; /* ns, 0: not seen yet */
	bool has_acl;
	unsigned acl_user, acl_group; /* permissions beside those of the mode */
	uint32_t xattr_version;
	struct node_xattr xattrs[NODE_XATTRS];

	/* a directory */
	struct entry *self; /* its only name, NULL: the root */
	unsigned nr_entries, nr_subdirs;

	/* a regular file */
	size_t size, limit;
	unsigned char *data;	      /* @limit bytes, zero behind the end */
	bool maybe[MAX_FILE / BLOCK]; /* blocks that may not be a hole */
	bool map_dirty; /* stored to through a mapping, and not synced */

	char target[MAX_TARGET + 1]; /* of a symlink */
};

struct entry {
	struct node *dir;
	struct node *node; /* NULL: free */
	uint64_t seen;	   /* the listing that had it last */
	char name[NAME_MAX + 1];
};

struct tree {
	const char *path; /* of the root */
	struct node *root;
	bool mappings;	/* may be used */
	bool no_direct; /* the file system has no direct I/O */
	uint32_t next_id;
	uint64_t listings;
	unsigned wanted;    /* nodes that it should grow or shrink to */
	unsigned char *buf; /* MAX_FILE and a block more, on a block border */
	struct node nodes[MAX_NODES];
	struct entry entries[MAX_ENTRIES];
};

struct tree *tree_new(const char *path);

/* NULL when there are enough. */
struct node *tree_node(struct tree *t, mode_t mode);
struct entry *tree_add(struct tree *t, struct node *dir, const char *name,
		       struct node *node);
void tree_del(struct entry *e);
void tree_replace(struct entry *e, struct node *node);
void tree_close(struct node *n); /* its descriptor is closed */

struct entry *tree_find(struct tree *t, const struct node *dir,
			const char *name);
struct entry *tree_name_of(struct tree *t, const struct node *n);
const char *tree_path(struct tree *t, const struct node *dir, const char *name,
		      char *buf);
const char *tree_entry_path(struct tree *t, const struct entry *e, char *buf);

unsigned tree_nr_nodes(const struct tree *t);
unsigned tree_nr_entries(const struct tree *t);
unsigned tree_nr_open(const struct tree *t);
size_t tree_bytes(const struct tree *t);
unsigned tree_depth(const struct node *dir);
unsigned tree_height(struct tree *t, const struct node *n);
bool tree_above(const struct node *n, const struct node *dir);

/* At random; NULL when there is none. */
struct node *tree_some_file(struct tree *t);
struct node *tree_some_dir(struct tree *t, unsigned max_depth);
struct entry *tree_some_entry(struct tree *t, mode_t type); /* 0: any */
/* A name that is not in @dir. */
void tree_free_name(struct tree *t, const struct node *dir, char *name);

#endif
