/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Inside of verification: what a check has found so far, and one inode's part.
 *
 * The check of a transaction (verify_tx.h) looks only at what was touched: of a
 * table at the nodes above the leaves and at the leaves that were changed.
 */
#ifndef FS_VERIFY_I_H
#define FS_VERIFY_I_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "numbers.h"
#include "state/zsfs.h"
#include "zsmalloc.h"

struct zinode;

struct check {
	struct zsfs *fs;
	char *msg;
	size_t size;
	struct numbers links;	/* ino of each entry's inode */
	struct numbers subdirs; /* ino of the directory, one per subdirectory */
	struct numbers gens;	/* of each inode that is not being reaped */
	uint8_t *handles;	/* bitmap: each handle a slot names */
	size_t handle_max;	/* bytes of it */
	uint64_t nr_handles;
	uint64_t slabs[SLAB_NR_CACHES]; /* objects found, by cache */
	uint64_t data_pages;		/* of plain data */
	int64_t stat[ST_NR];
	uint64_t objects, payload, raw; /* of blocks and pieces */
	bool gently;			/* give up when a request waits */
	/*
	 * What a transaction changed: addresses of words and new objects,
	 * sorted. NULL: everything is looked at.
	 */
	const struct numbers *touched;
};

/* Writes the sentence that says what is wrong. Returns -EUCLEAN. */
int verify_fail(struct check *c, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* -EAGAIN when a gentle check has to give up, else 0. */
int verify_stop(const struct check *c);

/*
 * Check the object of @handle, which holds block @block of @i or a part of its
 * cluster; *@info is about it. 0, -EUCLEAN, -ENOMEM.
 */
int verify_object(struct check *c, const struct zinode *i, uint64_t block,
		  uint32_t handle, struct zs_obj_info *info);

/*
 * Check a slot that names a cluster: that it is one, and of this block. 0,
 * -EUCLEAN.
 */
int verify_dense(struct check *c, const struct zinode *i, uint64_t block,
		 uint64_t slot);

/*
 * Check the cluster of the group whose @n @slots from @first on are these, if
 * it has one: that its blocks are those whose slots name it, and its pieces.
 * Each slot has passed verify_dense(). 0, -EUCLEAN, -ENOMEM.
 */
int verify_cluster(struct check *c, const struct zinode *i, uint64_t first,
		   const uint64_t *slots, unsigned n);

/* Count an object of @size bytes from a slab. */
void verify_count_slab(struct check *c, size_t size);

/*
 * Check the inode at @obj and what belongs to it alone, and count that in the
 * struct check @arg. 0, -EUCLEAN, -EAGAIN, -ENOMEM.
 */
int verify_inode(void *obj, void *arg);

#endif
