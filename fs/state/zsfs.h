/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * struct zsfs: a file system in use by this process, its private half; the
 * other half, which outlives the process, is in layout.h.
 */
#ifndef FS_ZSFS_H
#define FS_ZSFS_H

#include <pthread.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "atime.h"
#include "late.h"
#include "layout.h"
#include "rate.h"
#include "reader_counts.h"
#include "tx.h"
#include "wake.h"
#include "zcomp.h"
#include "zsmalloc.h"

#define NR_LOCK_STRIPES	 1024u
#define NR_COUNT_STRIPES 16u

struct background;
struct settler;
struct crew;
struct hot;
struct writeback;
struct shared_page;
struct staged_block;

struct inode_lock {
	pthread_rwlock_t lock;
	uint64_t turn; /* lock: tx_turn() */
} __attribute__((aligned(64)));

/* Space in front of the content in thread_buffers.read for its header. */
#define READ_BUF_HEAD 4096u

/* What a thread reads, compresses and answers in. */
struct thread_buffers {
	/* In zsfs.buffers, the same memory: no request needs both. */
	uint8_t *read;	/* READ_BUF_HEAD + ZSFS_MAX_WRITE */
	uint8_t *stage; /* (ZSFS_MAX_BLOCKS + 1) * ZSFS_BLOCK_SIZE */
	struct staged_block *staged; /* ZSFS_MAX_BLOCKS + 1 */
	uint8_t *block; /* ZSFS_BLOCK_SIZE, for read-modify-write */
};

/* More than can come between two looks of one who works for long. */
#define ZSFS_INTERRUPTS 64u

/* What one request thread has for itself. */
struct zsfs_thread {
	struct zsfs *fs;
	struct zsfs_slot *slot;
	struct arena_thread *at;
	struct zcomp_ctx *zc;
	struct tx tx;
	jmp_buf *guard; /* of tx_guarded(), NULL outside */
	bool parked;	/* a request waits in the slot (takeover.h) */
	struct thread_buffers buf;
	unsigned forgetting; /* atomic: odd while a FORGET is being executed */
	uint64_t interrupt_ms; /* of the thread: when to look after it again */
	/* Of a request that was put back: as in struct room; else 0. */
	uint64_t room_until;
	bool warm_queue_full; /* it is to make a warm_step() (content/warm.h) */
	/*
	 * Held while the thread executes a request, so that a live check can
	 * keep all others out by taking every gate (zsfs_verify_live()).
	 */
	pthread_mutex_t gate;
};

#define NR_LOOKED_IN 64u /* a power of two */

/* Where a pass that settles goes on; all zero at its beginning. */
struct settle_place {
	void *inode;	/* may end at any time */
	uint64_t gen;	/* its number, 0: not known yet */
	uint64_t first; /* block of the next group */
	uint64_t begun; /* clock_ms() */
	bool saved;	/* something, since the beginning */
};

struct zsfs {
	struct arena *arena;
	struct zs_pool *pool;
	struct zsfs_super *super;
	unsigned nr_threads; /* request threads, then one background thread */
	struct zsfs_thread *threads;
	uint8_t *buffers; /* of all threads, backed; in the shared page's file
			     or our own */
	struct inode_lock *locks; /* NR_LOCK_STRIPES */
	pthread_mutex_t count_locks[NR_COUNT_STRIPES];
	pthread_mutex_t rename_lock;
	pthread_mutex_t reap_lock;
	pthread_mutex_t snap_lock;
	pthread_mutex_t limit_lock;  /* mem_limit and pressure (pressure.h) */
	pthread_mutex_t verify_lock; /* one live check at a time */
	/* At each commit, while all is locked; NULL: nothing (verify_tx.h). */
	void (*verify_tx)(struct tx *tx);
	bool checking; /* it is under way; written under check_lock */
	pthread_mutex_t check_lock;
	pthread_cond_t check_end;
	unsigned kept_waiting; /* threads at a check's gate; atomic */
	/* Requests whose makers had a signal, the last ones; atomic. */
	uint64_t interrupts[ZSFS_INTERRUPTS];
	unsigned nr_interrupts; /* ever; atomic */
	uint8_t *snap_area; /* ZSFS_SNAP_PAGES pages; snap_lock (snapshot.h) */
	struct crew *crew;  /* NULL: no helpers */
	struct hot *hot;    /* content/hot.h */
	struct warm *warm;  /* content/warm.h */
	struct writeback *writeback; /* the server's */
	/* Use plus what transactions have reserved; atomic. */
	int64_t used_blocks;
	int64_t used_inodes;
	size_t huge_size; /* zs_huge_class_size() */
	struct atime atime;
	struct late late;
	/* Directories that names were looked up in lately; atomic; a hint. */
	uint64_t looked_in[NR_LOOKED_IN];
	/*
	 * clock_ms() when a file that the kernel knew last lost its last name;
	 * 0: none has. And requests that wait for a FORGET (room.h). Atomic.
	 */
	uint64_t let_go;
	/* Of settling for requests (content/settle.h); atomic but the place. */
	bool settle_busy;		  /* a thread is at it */
	struct settle_place settle_place; /* of who made it busy */
	uint64_t settle_vain; /* nothing is to be had before that clock_ms() */
	uint64_t settle_vain_for; /* of so many blocks that were not tried */
	unsigned forget_waiters;
	uint64_t chores_began; /* clock_ms() (chore.h) */
	uint64_t crowded; /* clock_ms() until when content is modest (room.h);
			     0: never was; atomic */
	int stamp_fd;	  /* stamp.h */
	/* Shared with the keeper and other workers; NULL: there are none. */
	struct shared_page *shared;
	unsigned bank;	/* this worker's, in the shared page */
	unsigned alive; /* threads that have said so there; atomic */
	struct rate settling, warming; /* blocks, atomic */
	struct wake wake;
	struct background *background;	    /* NULL: there is none */
	struct settler *settler;	    /* the same; background's */
	struct reader_counts reader_counts; /* the server's */
	/* What the environment allowed; for stats.json. */
	unsigned read_ahead_kb; /* 0 = could not be set */
	unsigned max_ratio;	/* likewise */
};

/* Number of a context in zsfs.threads. */
static inline unsigned zsfs_thread_nr(const struct zsfs_thread *th)
{
	return (unsigned)(th - th->fs->threads);
}

/* The background thread's context. */
static inline struct zsfs_thread *zsfs_background(struct zsfs *fs)
{
	return &fs->threads[fs->nr_threads - 1];
}

#endif
