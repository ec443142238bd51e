/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Snapshots: the texts of virtual files, each from its LOOKUP until the kernel
 * forgets it.
 *
 * A snapshot is in one of two places: the snapshot area, a part of the root
 * area that is always backed, or, when there is no room, a run of the arena's
 * pages, which new content may have just as well. So looking takes no memory,
 * never what overwriting and deleting need, and works when nothing is left.
 *
 * In each place users have shares, by the user of the request: one may have a
 * quarter of it, all but the owner of the mount and root half of it, and the
 * last eighth is for these two looking at controls.
 *
 * All are on a list from super->snap_head; nothing else says what is in use, so
 * nothing else has to be recovered.
 */
#ifndef FS_SNAPSHOT_H
#define FS_SNAPSHOT_H

#include <stdint.h>

#include "inode.h"
#include "layout.h"

struct tx;
struct zsfs;

/* At the beginning of its pages. zsfs.snap_lock. */
struct snapshot {
	uint64_t magic;
	uint64_t next; /* address, or 0 */
	uint64_t nlookup;
	uint64_t ref; /* of the run; 0: in the snapshot area */
	uint32_t id;  /* enum vfile_id */
	uint32_t len; /* bytes of text */
	uint32_t uid; /* whose look-up it was */
	uint32_t pages;
	struct ztime time;
	char text[];
};

/* Most bytes a text may have: a run of pages less the head. */
#define SNAPSHOT_MAX_TEXT (ARENA_MAX_RUN * ARENA_PAGE_SIZE - 64u)

struct snapshot_spec {
	uint32_t id;  /* enum vfile_id */
	uint32_t uid; /* of the request */
	bool control; /* of .zsctl */
	const char *text;
	uint32_t len; /* bytes, at most SNAPSHOT_MAX_TEXT */
};

/*
 * Make a snapshot with one look-up; snap_lock stays with @tx. -ENFILE when the
 * user has too many, or there is no room for it.
 */
int snapshot_add(struct tx *tx, const struct snapshot_spec *spec,
		 struct snapshot **out);

/* Take @n from its look-ups; its end with the last. snap_lock is with @tx. */
void snapshot_forget(struct tx *tx, struct snapshot *s, uint64_t n);

/*
 * The snapshot whose first page is the arena's page @pfn, or NULL. For any
 * value.
 */
struct snapshot *snapshot_at(const struct zsfs *fs, uint64_t pfn);
uint64_t snapshot_pfn(const struct snapshot *s);

/*
 * Check all of them; at rest. *@pages: what they have of the arena's pages.
 * NULL or what is wrong.
 */
const char *snapshot_verify(const struct zsfs *fs, uint64_t *pages);

#endif
