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
	uint64_t objects, payload, raw; /* of the blocks */
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
 * Check the inode at @obj and what belongs to it alone, and count that in the
 * struct check @arg. 0, -EUCLEAN, -EAGAIN, -ENOMEM.
 */
int verify_inode(void *obj, void *arg);

#endif
