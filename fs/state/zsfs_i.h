/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * struct zsfs: a file system in use by this process (its private half), and
 * the operations on it.
 *
 * Operations are plain functions of a transaction, without FUSE in them, so
 * that tests call them without a mount. They return 0 with the transaction
 * open and its locks held, so that the caller can build the reply from the
 * objects, record it and tx_commit(); or -errno, then the caller calls
 * tx_abort(). Inodes are given by nodeid.
 */
#ifndef FS_ZSFS_I_H
#define FS_ZSFS_I_H

#include <pthread.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "arena.h"
#include "atime.h"
#include "inode.h"
#include "layout.h"
#include "tree/dentry.h"
#include "tx.h"
#include "zcomp.h"
#include "zsmalloc.h"

#define NR_LOCK_STRIPES	 1024u
#define NR_COUNT_STRIPES 16u

struct background;
struct crew;
struct writeback;
struct keep;

struct inode_lock {
	pthread_rwlock_t lock;
} __attribute__((aligned(64)));

/* One block of a write, prepared before any lock is taken. */
struct staged_block {
	uint64_t word; /* BLOCK_SAME: what it is filled with */
	uint32_t sum;  /* BLOCK_OBJ: checksum of the plain block */
	uint16_t len;  /* BLOCK_OBJ: payload bytes */
	uint8_t alg;   /* BLOCK_OBJ: enum zcomp_alg */
	uint8_t kind;  /* enum block_kind (block.h) */
	const uint8_t *payload;
};

/* What one request thread has for itself. */
struct zsfs_thread {
	struct zsfs *fs;
	struct zsfs_slot *slot;
	struct arena_thread *at;
	struct zcomp_ctx *zc;
	struct tx tx;
	jmp_buf *guard; /* of tx_guarded(), NULL outside */
	bool parked;	/* a request waits in the slot (takeover.h) */
	/* In zsfs.buffers, the same memory: no request needs both. */
	uint8_t *read_buf;  /* READ_BUF_HEAD + ZSFS_MAX_WRITE */
	uint8_t *stage_buf; /* (ZSFS_MAX_BLOCKS + 1) * ZSFS_BLOCK_SIZE */
	struct staged_block staged[ZSFS_MAX_BLOCKS + 1];
	uint8_t block[ZSFS_BLOCK_SIZE]; /* for read-modify-write */
	unsigned forgetting; /* atomic: odd while a FORGET is being executed */
	/*
	 * Held while the thread executes a request, so that a live check can
	 * keep all others out by taking every gate (zsfs_verify_live()).
	 */
	pthread_mutex_t gate;
};

struct zsfs {
	struct arena *arena;
	struct zs_pool *pool;
	struct zsfs_super *super;
	unsigned nr_threads; /* request threads, then one background thread */
	struct zsfs_thread *threads;
	uint8_t *buffers; /* of all threads, backed; in the keep's file or our
			     own */
	struct inode_lock *locks; /* NR_LOCK_STRIPES */
	pthread_mutex_t count_locks[NR_COUNT_STRIPES];
	pthread_mutex_t rename_lock;
	pthread_mutex_t reap_lock;
	pthread_mutex_t snap_lock;
	pthread_mutex_t limit_lock;  /* mem_limit and pressure (pressure.h) */
	pthread_mutex_t verify_lock; /* one live check at a time */
	bool checking; /* it is under way; written under check_lock */
	pthread_mutex_t check_lock;
	pthread_cond_t check_end;
	unsigned
		kept_waiting; /* threads at a gate that a check holds; atomic */
	uint8_t *snap_area; /* ZSFS_SNAP_PAGES pages; snap_lock (snapshot.h) */
	struct crew *crew;  /* NULL: no helpers */
	struct writeback *writeback; /* the server's */
	/* Use plus what transactions have reserved; atomic. */
	int64_t used_blocks;
	int64_t used_inodes;
	size_t huge_size; /* zs_huge_class_size() */
	struct atime atime;
	int stamp_fd; /* stamp.h */
	/* Shared with the keeper and other workers; NULL: there are none. */
	struct keep *keep;
	unsigned bank;	/* this worker's, in the keep page */
	unsigned alive; /* threads that have said so there; atomic */
	/* For idle.h: memory was freed since it was looked for; atomic. */
	bool freed;
	struct background *background; /* NULL: there is none */
	/* What the environment allowed; for stats.json. */
	unsigned read_ahead_kb; /* 0 = could not be set */
};

struct zsfs_params {
	uint64_t arena_size;  /* bytes of address space, 0 = all there may be */
	uint64_t size_limit;  /* bytes, 0 = none */
	uint64_t mem_limit;   /* bytes, 0 = none */
	uint64_t inode_limit; /* 0 = none */
	struct zcomp_params comp;
	unsigned chain_size;
	unsigned nr_threads;	       /* request threads; one more is made */
	unsigned nr_helpers;	       /* of the compression crew */
	uint32_t mode, uid, gid;       /* of the root directory */
	uint32_t owner_uid, owner_gid; /* of the virtual files */
	bool no_huge;		       /* whatever huge says */
	bool no_swap;  /* what the arena holds is never swapped out */
	char huge[16]; /* as tmpfs's huge=, "" = not given */
	char mpol[64]; /* as tmpfs's mpol=, "" = not given */
	enum zsfs_atime atime;
	bool nodiratime;		      /* not that of directories */
	bool atime_is_own;		      /* no flag of the mount says so */
	char idle_options[ZSFS_OPTIONS_SIZE]; /* accepted, without meaning */
};

/*
 * Make an empty file system in a new arena. 0 or -errno; the caller owns *out
 * and ends it with zsfs_close().
 */
int zsfs_create(const struct zsfs_params *p, struct zsfs **out);

/* Smallest mem_limit= that zsfs_create() takes, for @nr_threads. */
uint64_t zsfs_min_mem_limit(unsigned nr_threads);

/* Smallest arena_size that zsfs_create() takes, but for mem_limit. */
uint64_t zsfs_min_arena_size(unsigned nr_threads, unsigned nr_helpers);

/* Bytes of zsfs.buffers for @nr_threads, the background thread included. */
uint64_t zsfs_buffers_size(unsigned nr_threads);

/*
 * Map the file system in the arena behind @fd and make this process's half of
 * it ready, while another process may still be using it: nothing is changed.
 * With @keep its threads are alive in @bank of it. 0; -EPROTO for a layout this
 * build does not know; -errno. The caller owns *out.
 */
int zsfs_attach(int fd, unsigned nr_helpers, struct keep *keep, unsigned bank,
		struct zsfs **out);

/*
 * The process that used it has died: repair arena and pool, bring every slot to
 * rest, count what is there. What is to be reaped stays on its list, requests
 * and replies in the slots. Safe to be killed in and to be called again. 0, or
 * -EPROTO when something makes no sense.
 */
int zsfs_recover(struct zsfs *fs);

/* Both, and what was to be reaped is reaped. */
int zsfs_open(int fd, unsigned nr_helpers, struct zsfs **out);
void zsfs_close(struct zsfs *fs);

/* The calling thread has arena thread @nr from now on: say that it lives. */
void zsfs_thread_lives(struct zsfs *fs, unsigned nr);
/* Wait until all threads of the arena have said so. */
void zsfs_await_threads(struct zsfs *fs);

/*
 * What the thread allocates has at least this claim to memory, until
 * zsfs_unclaim() with what this returned; can be nested. For what must work
 * when the arena is full, and also when mem_limit was set below what is in use.
 */
enum arena_claim zsfs_claim(struct zsfs_thread *th, enum arena_claim claim);
void zsfs_unclaim(struct zsfs_thread *th, enum arena_claim was);

/* The background thread's context. */
static inline struct zsfs_thread *zsfs_background(struct zsfs *fs)
{
	return &fs->threads[fs->nr_threads - 1];
}

/*
 * Check the whole tree: link counts, tables, entries, handles, counters, then
 * pool and arena. Takes no locks: nothing else may run. -EUCLEAN and a sentence
 * in @msg for the first broken invariant, else 0.
 */
int zsfs_verify(struct zsfs *fs, char *msg, size_t size);

/*
 * The same on a live file system: keeps all requests out meanwhile. For a
 * request thread with no transaction open, which holds its own gate. -EBUSY
 * while another check runs. @gently: -EAGAIN as soon as a request has to wait
 * for it.
 */
int zsfs_verify_live(struct zsfs *fs, bool gently, char *msg, size_t size);

/* Enter and leave the gate of the calling thread's context. */
void zsfs_enter(struct zsfs_thread *th);
void zsfs_leave(struct zsfs_thread *th);
/*
 * In the midst of long work, with no transaction open: let a live check go
 * first, if one waits for this thread.
 */
void zsfs_pause(struct zsfs_thread *th);

/* ---- namei.c: names ---- */

/* *@out = NULL and 0 when the name is not there. Adds one to nlookup. */
int zsfs_lookup(struct tx *tx, uint64_t parent, const char *name,
		struct zinode **out);

struct new_inode {
	uint32_t mode; /* with S_IFMT */
	uint32_t uid, gid;
	uint32_t rdev;
	const char *target; /* symlinks */
};

/*
 * Create a file of any kind; -EEXIST when the name is there. Adds one to
 * nlookup.
 */
int zsfs_make(struct tx *tx, uint64_t parent, const char *name,
	      const struct new_inode *spec, struct zinode **out);
int zsfs_unlink(struct tx *tx, uint64_t parent, const char *name);
int zsfs_rmdir(struct tx *tx, uint64_t parent, const char *name);
int zsfs_link(struct tx *tx, uint64_t nodeid, uint64_t parent, const char *name,
	      struct zinode **out);
/* @flags: 0, RENAME_NOREPLACE or RENAME_EXCHANGE. */
int zsfs_rename(struct tx *tx, uint64_t from, const char *name, uint64_t to,
		const char *new_name, unsigned flags);

/* ---- attr.c ---- */

#define SET_MODE      (1u << 0)
#define SET_UID	      (1u << 1)
#define SET_GID	      (1u << 2)
#define SET_SIZE      (1u << 3)
#define SET_ATIME     (1u << 4)
#define SET_MTIME     (1u << 5)
#define SET_ATIME_NOW (1u << 7)
#define SET_MTIME_NOW (1u << 8)
#define SET_KILL_PRIV (1u << 11) /* clear suid and sgid */

int zsfs_getattr(struct tx *tx, uint64_t nodeid, struct zinode **out);
int zsfs_setattr(struct tx *tx, uint64_t nodeid, const struct stat *st,
		 unsigned set, struct zinode **out);
int zsfs_readlink(struct tx *tx, uint64_t nodeid, const char **target,
		  size_t *len);

/* ---- file.c: content ---- */

/*
 * Read up to @size bytes at @off into @buf; *@done = bytes read, less at the
 * end of the file. -EIO when a block does not verify.
 */
int zsfs_read(struct tx *tx, uint64_t nodeid, void *buf, size_t size,
	      uint64_t off, size_t *done);

#define WRITE_KILL_PRIV (1u << 0) /* clear suid and sgid */
#define WRITE_CACHE	(1u << 1) /* late write of a shared mapping */

/*
 * Write @size bytes (at most ZSFS_MAX_WRITE, starting anywhere); *@done > 0 on
 * success, less than @size at a limit or a bad block (tx.cut_short). -ENOSPC
 * when nothing fitted.
 */
int zsfs_write(struct tx *tx, uint64_t nodeid, const void *buf, size_t size,
	       uint64_t off, unsigned flags, size_t *done);

/*
 * Count, and of a late write report, what the zsfs_write() in @tx did not
 * store, if anything: once nobody tries it again, and with @tx open.
 */
void zsfs_write_failed(struct tx *tx, uint64_t nodeid, uint64_t off,
		       unsigned flags, size_t done);

/* Where data or a hole begins, as far as the block table knows. */
struct seek {
	uint64_t at;   /* the place; @size: there is none */
	uint64_t size; /* of the file */
	/* The hole that begins there, or lies before it; none: both are 0. */
	uint64_t from, to;
};

/*
 * SEEK_DATA (@hole false) or SEEK_HOLE from @off, without a transaction. -ENXIO
 * when @off is not in the file.
 */
int zsfs_seek(struct zsfs *fs, uint64_t nodeid, uint64_t off, bool hole,
	      struct seek *out);

/* ---- allocate.c: room for content ---- */

/* A range of a file that is given room; the caller sets the first three. */
struct allocation {
	uint64_t nodeid;
	uint64_t start; /* bytes, @end not included */
	uint64_t end;	/* above @start, at most INT64_MAX */
	uint64_t done;	/* blocks that were seen to; 0 to begin with */
};

/*
 * Is there room for all of it, as statfs tells? 0, -ESTALE, -EISDIR, -EINVAL;
 * -ENOSPC: and what another worker, which died of it, has taken behind the end
 * of the file is given back. With no transaction open.
 */
int zsfs_allocate_begin(struct zsfs_thread *th, const struct allocation *a);

/*
 * Do up to ZSFS_MAX_BLOCKS blocks. 1: there is more to do. 0: that was the last
 * step, with which the file grows. -ENOSPC: none of these has room.
 */
int zsfs_allocate_step(struct tx *tx, struct allocation *a);

/*
 * Up to @steps of them, with no transaction open; for room it waits as room.h
 * says. 1: there is more to do. 0: the last one was done in *@last, which is
 * open. -errno: what was taken behind the end of the file is given back, what
 * filled holes before it stays.
 */
int zsfs_allocate_steps(struct zsfs_thread *th, struct allocation *a,
			unsigned steps, struct tx **last);

/* ---- reap.c: ends of inodes ---- */

/*
 * Take @n from the nlookup of @nodeid and free the inode when nothing holds it
 * any more; a complete transaction by itself. If @consumed is not NULL, that
 * word of the arena is cleared in the same transaction (a FORGET is never sent
 * again, so what was executed must be marked with the execution). What is to
 * be reaped then is left to reap_help().
 */
void zsfs_forget(struct zsfs_thread *th, uint64_t nodeid, uint64_t n,
		 uint64_t *consumed);

/* ---- statfs.c ---- */

void zsfs_statfs(struct zsfs *fs, struct statvfs *st);
/* Change a limit; -EBUSY below present use... see control.c. */
int zsfs_set_size(struct zsfs *fs, uint64_t bytes);
int zsfs_set_nr_inodes(struct zsfs *fs, uint64_t n);
int zsfs_set_mem_limit(struct zsfs *fs, uint64_t bytes);
struct zcomp_params zsfs_get_comp(const struct zsfs *fs);
void zsfs_set_comp(struct zsfs *fs, const struct zcomp_params *p);

/*
 * Set what the arena keeps back to what suits this mem_limit; returns what of
 * it is for ARENA_RESERVE. Under limit_lock once the file system is in use.
 */
uint64_t zsfs_apply_reserve(struct zsfs *fs, uint64_t mem_limit);

/*
 * Compact the pool, then give back free memory. Pages given back to the system,
 * or freed in the pool if those are more; or -EBUSY. A live check goes first.
 */
int64_t zsfs_compact(struct zsfs *fs, struct zsfs_thread *th);

#endif
