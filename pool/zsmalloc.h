/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * zsmalloc: a memory pool for compressed blocks.
 *
 * Stores objects of 1 to 4096 bytes with little waste: 255 size classes 16
 * bytes apart, neighbours merged where that costs nothing, each class made of
 * zspages, runs of 1 to 16 pages whose size leaves the least unused at the
 * end. An object is known by a handle, which stays the same when compaction
 * moves the object. The design and its words are those of the Linux kernel's
 * mm/zsmalloc.c; in user space a zspage is virtually contiguous, so an object
 * never has to be put together from two pages.
 *
 * The pool lives in an arena (arena.h) and can be taken up again by another
 * process: whatever a thread was doing when its process died is either done or
 * undone by arena_recover() and zs_recover_pool().
 *
 * Terms
 *   size class    objects of one chunk size; chunk = payload + 8-byte head
 *   zspage        run of pages that holds objects of one class
 *   huge class    chunk 4096, one object a page; its head is kept in the page
 *                 descriptor, so a full 4096-byte payload fits
 *   handle        number of an 8-byte cell that holds the object's location,
 *                 payload size, tag and reference count; never 0
 *   head          the object's first 8 bytes: handle, tag bit, and a 32-bit
 *                 word that belongs to the owner (zsfs: a checksum)
 *   fullness      12 groups by objects in use: 0, up to 10, 20, .. 90, 99 %,
 *                 and full
 *
 * Truth: an object is live if and only if its head names a handle whose cell
 * points back at it. Lists, counters and free lists can be rebuilt from that,
 * and zs_pool_verify() checks all of them against it.
 *
 * Reading pins: between zs_obj_read_begin() and zs_obj_read_end() no object
 * moves that the thread has begun to read. Pins are per thread (a lock that
 * compaction takes for every thread before it moves objects of a zspage), so a
 * pin costs no shared cache line and a dead process leaves none behind.
 *
 * Threads: all functions may be called by many threads at once, each with its
 * own struct arena_thread. Lock order inside: reader locks (by number), class,
 * handle cells, arena. Nothing may be called between read_begin and read_end
 * of the same thread except further reads by it of the same pin.
 */
#ifndef POOL_ZSMALLOC_H
#define POOL_ZSMALLOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arena.h"

#define ZS_MIN_ALLOC_SIZE     32u
#define ZS_MAX_ALLOC_SIZE     4096u
#define ZS_SIZE_CLASS_DELTA   16u
#define ZS_SIZE_CLASSES	      255u
#define ZS_HEAD_SIZE	      8u
#define ZS_MIN_CHAIN_SIZE     4u
#define ZS_MAX_CHAIN_SIZE     16u
#define ZS_DEFAULT_CHAIN_SIZE 8u
#define ZS_NR_FULLNESS	      12u
#define ZS_MAX_TAG	      7u

struct zs_pool;

struct zs_obj_info {
	uint32_t size; /* payload bytes, 1 .. 4096 */
	uint32_t tag;  /* as given to zs_malloc(), 0 .. ZS_MAX_TAG */
	uint32_t word; /* as given to zs_malloc() (zsfs: checksum) */
	uint32_t refs; /* that own it: 1, and more after zs_dup() */
};

/* One distinct class, as in the kernel's zsmalloc statistics. */
struct zs_class_stats {
	unsigned index; /* highest of the merged indices, as the kernel */
	unsigned size;	/* chunk bytes */
	unsigned pages_per_zspage;
	unsigned objs_per_zspage;
	bool huge;
	uint64_t inuse[ZS_NR_FULLNESS]; /* zspages by fullness group */
	uint64_t almost_full;  /* zspages by the rule of Linux 4.2: not full, */
	uint64_t almost_empty; /* in use > 3/4, or <= 3/4 of the objects */
	uint64_t obj_allocated; /* room for objects */
	uint64_t obj_used;
	uint64_t payload; /* bytes in them */
	uint64_t pages_used;
	uint64_t freeable; /* pages compaction could free */
};

struct zs_pool_stats {
	uint64_t pages_used;	  /* pages of all zspages */
	uint64_t objs_used;	  /* live objects, each once */
	uint64_t payload;	  /* bytes in them */
	uint64_t pages_compacted; /* freed by compaction since creation */
	uint64_t compactions;	  /* runs that did work: of zs_compact(), and as
				     counted by zs_count_compaction() */
	uint64_t last_compacted;  /* pages freed by the last such run */
	uint64_t huge_objs;	  /* live objects of the huge class */
	uint64_t handle_bytes;	  /* RAM of handle cells */
};

/*
 * Bytes of the arena's root area that a pool needs; it must be at the start
 * of a page-aligned region there.
 */
size_t zs_pool_root_size(void);

/*
 * Make an empty pool in @a, its fixed part at @root (inside the arena's root
 * area). @chain_size: most pages a zspage may have, ZS_MIN_CHAIN_SIZE to
 * ZS_MAX_CHAIN_SIZE.
 * Returns 0, -EINVAL, -ENOMEM. The caller owns *out; the arena must outlive it.
 */
int zs_create_pool(struct arena *a, void *root, unsigned chain_size,
		   struct zs_pool **out);

/*
 * Take up the pool at @root of an attached arena, and change nothing. After
 * arena_recover(), and before anything else, comes zs_recover_pool().
 * Returns 0, -EPROTO when @root holds no pool of this layout, -ENOMEM.
 */
int zs_open_pool(struct arena *a, void *root, struct zs_pool **out);

/*
 * Finish what a process died in. Nobody else uses the pool. Safe to be killed
 * in and to be called again. 0, or -EPROTO when what it goes by makes no sense.
 */
int zs_recover_pool(struct zs_pool *pool, struct arena_thread *t);

/* Release the process's half of the pool. The objects stay in the arena. */
void zs_close_pool(struct zs_pool *pool);

/* Free all objects, then as zs_close_pool(). Nobody may use the pool. */
void zs_destroy_pool(struct zs_pool *pool, struct arena_thread *t);

/*
 * Allocate an object for @size bytes of payload (1 .. 4096), with @tag
 * (0 .. ZS_MAX_TAG) and @word kept for the owner. REF_MAKE(REF_OBJ, handle) is
 * put into *@ref, an arena word that was 0, in the same step. The payload is
 * undefined until zs_obj_write().
 *
 * Returns 0, -EINVAL for a bad size, -ENOSPC at the arena's limit or when all
 * 2^31 - 1 handles are used, -ENOMEM when the system has no memory, -EIO when
 * what is free in the class is damaged.
 */
int zs_malloc(struct zs_pool *pool, struct arena_thread *t, size_t size,
	      unsigned tag, uint32_t word, uint64_t *ref);

/*
 * The same with the payload at @src put in: @size bytes, which must not be
 * memory of an object. Without it a further call and a pin would be needed.
 */
int zs_store(struct zs_pool *pool, struct arena_thread *t, const void *src,
	     size_t size, unsigned tag, uint32_t word, uint64_t *ref);

/*
 * One more reference to the live object of @handle: REF_MAKE(REF_OBJ, handle)
 * is put into *@ref, an arena word that was 0, in the same step. The caller
 * owns a reference to it meanwhile, so that it stays. Each is dropped by
 * zs_free(); in the statistics the object counts once. Takes the class's lock,
 * which waits for nobody for long.
 *
 * Returns 0, -EINVAL when the handle names nothing, -EMLINK when it has 1023
 * references: then a second object has to be made.
 */
int zs_dup(struct zs_pool *pool, struct arena_thread *t, uint32_t handle,
	   uint64_t *ref);

/*
 * Drop a reference, clear *@ref (REF_OBJ) and, if it was the last one, free the
 * object in the same step. A zspage
 * that becomes empty goes back to the arena at once. 0 does nothing. Nobody may
 * be reading the object.
 */
void zs_free(struct zs_pool *pool, struct arena_thread *t, uint64_t *ref);

/*
 * Copy @len bytes (at most the object's size) into the payload. For an object
 * that nobody reads yet.
 */
void zs_obj_write(struct zs_pool *pool, struct arena_thread *t, uint32_t handle,
		  const void *src, size_t len);

/*
 * Pin the object of @handle and return its payload; *info (never NULL) tells
 * size, tag and word. NULL when the handle names no live object (a broken
 * invariant; nothing is pinned then). The pointer is good until
 * zs_obj_read_end(). May wait while compaction moves one zspage.
 */
const void *zs_obj_read_begin(struct zs_pool *pool, struct arena_thread *t,
			      uint32_t handle, struct zs_obj_info *info);
void zs_obj_read_end(struct zs_pool *pool, struct arena_thread *t);

/*
 * Payload bytes and *@tag of an object, which never change in its life. Takes
 * no lock; the caller owns the object, so that nobody frees it. 0 for a handle
 * that names no live object.
 */
uint32_t zs_obj_size(const struct zs_pool *pool, uint32_t handle,
		     unsigned *tag);

/*
 * Do the handle, its object and its zspage belong together? For who is about to
 * free what a process that died had noted, in an arena that may be damaged: no
 * other thread is in the pool, and zs_recover_pool() has been called.
 */
bool zs_obj_is_sound(struct zs_pool *pool, uint32_t handle);

/*
 * Pin-free look at an object's size, tag and word. False when the handle names
 * no live object. The caller must own the object.
 */
bool zs_obj_info(struct zs_pool *pool, uint32_t handle,
		 struct zs_obj_info *info);

/*
 * Is a zs_compact() or zs_compact_step() under way, in any thread? Takes no
 * lock. While it is, pages may come that nobody sees yet.
 */
bool zs_is_compacting(const struct zs_pool *pool);

/*
 * Give back the memory of the handles behind the last one in use, where that is
 * worth it; compaction ends with it, too. Takes all locks of the pool but those
 * of the readers.
 */
void zs_trim_handles(struct zs_pool *pool, struct arena_thread *t);

/*
 * Pages that compaction could free now, summed over the classes.
 */
uint64_t zs_can_compact(struct zs_pool *pool);

/*
 * Move objects out of the emptiest zspages into the fullest, in every class as
 * long as that can free a zspage; a class lock is dropped between zspages. One
 * run at a time: a second caller gets -EBUSY. Returns pages freed, >= 0. Does
 * not trim the arena (arena_trim()).
 */
int64_t zs_compact(struct zs_pool *pool, struct arena_thread *t);

typedef void zs_pause_fn(void *arg);

/*
 * The same, calling @pause after each zspage, with nothing locked and the pool
 * as if the run had ended: it may wait for others, and let the pool be
 * verified. It must not use @t. @pause may be NULL.
 */
int64_t zs_compact_pausing(struct zs_pool *pool, struct arena_thread *t,
			   zs_pause_fn *pause, void *arg);

/*
 * The same for one zspage, of whichever class, for a caller that needs a few
 * pages and must not be away for long: at most 256 objects or 64 KiB are
 * copied. Any number of threads may do this at once, also beside zs_compact();
 * each waits for a zspage that another one is emptying in the same class.
 * Complete in itself: nothing is left to be done when no further step follows.
 *
 * Returns the pages freed, 1 .. ZS_MAX_CHAIN_SIZE, which are the arena's again;
 * 0 when no class had a zspage that could be freed. They are counted in
 * pages_compacted; the run is not, see below. Takes every reader's lock:
 * nothing may be pinned by @t, nor may a lock be held that a reader can wait
 * for.
 */
unsigned zs_compact_step(struct zs_pool *pool, struct arena_thread *t);

/*
 * Count the steps made so far, which freed @pages (more than 0), as one run of
 * compaction. Takes a reader's lock; nothing may be pinned by @t.
 */
void zs_count_compaction(struct zs_pool *pool, struct arena_thread *t,
			 uint64_t pages);

/* Total pages in zspages. */
uint64_t zs_get_total_pages(struct zs_pool *pool);

/* Index of the distinct class that payload @size falls into. */
unsigned zs_lookup_class_index(struct zs_pool *pool, size_t size);

/*
 * Smallest payload that gets a page of its own (3625 at chain 8); storing
 * anything from there on compressed saves nothing.
 */
size_t zs_huge_class_size(struct zs_pool *pool);

unsigned zs_chain_size(struct zs_pool *pool);

void zs_pool_get_stats(struct zs_pool *pool, struct zs_pool_stats *out);

/*
 * Fill @out with one entry per distinct class, smallest first, and return how
 * many there are (at most ZS_SIZE_CLASSES). Each entry is consistent in itself:
 * it is copied under its class's lock.
 */
unsigned zs_class_stats(struct zs_pool *pool,
			struct zs_class_stats out[ZS_SIZE_CLASSES]);

/*
 * Check every zspage, head, cell, list and counter. The pool must be at rest.
 * On the first broken invariant writes a sentence to @msg (@size bytes) and
 * returns -EUCLEAN, else 0.
 */
int zs_pool_verify(struct zs_pool *pool, char *msg, size_t size);

/* Shall the caller's check stop? 0, or the -errno that it then returns. */
typedef int zs_stop_fn(const void *arg);

/*
 * The same, asking @stop every few microseconds whether to go on. @stop may be
 * NULL.
 */
int zs_pool_verify_until(struct zs_pool *pool, zs_stop_fn *stop,
			 const void *arg, char *msg, size_t size);

/*
 * Call @fn for every live handle until it returns non-zero, which is then
 * returned. At rest only; for verification by the owner of the handles.
 */
int zs_for_each_handle(struct zs_pool *pool,
		       int (*fn)(uint32_t handle, void *arg), void *arg);

#endif
