/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tidying: when less than half of a cluster lives, the rest moves out.
 *
 * What changes a file only notes that this may be so. The move is a transaction
 * of its own that follows, and may be left out: a cluster of which little lives
 * only takes more RAM than it should.
 */
#ifndef FS_TIDY_H
#define FS_TIDY_H

#include <stdint.h>

#include "cluster.h"

struct tx;
struct zinode;
struct zsfs_thread;

/*
 * @tx has changed blocks @first to @last of @i, and perhaps taken some of them
 * out of clusters. What lies between has gone as a whole.
 */
void tidy_note(struct tx *tx, const struct zinode *i, uint64_t first,
	       uint64_t last);

/*
 * See to what the last transaction of @th noted, as far as there is memory for
 * it. @th has no transaction open now.
 */
void tidy_clusters(struct zsfs_thread *th);

/* Why blocks move out. */
enum tidy_why {
	TIDY_THIN, /* less than half lives, else they stay */
	TIDY_WARM, /* asked for (warm.h), which is counted */
};

#define TIDY_ROOM (2 * ZCOMP_CLUSTER_SIZE)

/*
 * Have the blocks of the group from block @first of @i on leave their cluster,
 * if it has one. They stay where others change them meanwhile, or memory is
 * wanting. @room: TIDY_ROOM bytes. @th has no transaction open.
 */
void tidy_group(struct zsfs_thread *th, struct zinode *i, uint64_t first,
		uint8_t *room, enum tidy_why why);

#endif
