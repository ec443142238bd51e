/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Wake: how a thread tells the background thread that there is something to do.
 *
 * What there is to do is found where it is: a list of inodes to be freed,
 * memory that was freed. The wake only says that it is worth a look.
 */
#ifndef FS_WAKE_H
#define FS_WAKE_H

#include <pthread.h>
#include <stdbool.h>

struct zsfs;

/* In struct zsfs. */
struct wake {
	pthread_mutex_t lock; /* a leaf */
	pthread_cond_t rung;  /* with CLOCK_MONOTONIC (clock_wait()) */
	bool look;	      /* lock: something is to be looked at */
	/* Memory was freed since it was last looked for; atomic. */
	bool freed;
	/* Objects were stored since the settler last began to look; atomic. */
	bool stored;
};

void wake_init(struct wake *w);
void wake_destroy(struct wake *w);

/* Any thread, also where there is no background thread. Takes wake.lock. */
void zsfs_wake(struct zsfs *fs);

/* Memory was freed, or may have been. Any thread, often: cheap. */
void zsfs_note_freed(struct zsfs *fs);
/* Content was stored that may settle later. The same. */
void zsfs_note_stored(struct zsfs *fs);

#endif
