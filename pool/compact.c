/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Compaction: empties the emptiest zspages into the fullest.
 *
 * One zspage is emptied at a time, with all readers and its class locked out;
 * that is at most 256 objects or 64 KiB to copy. Every object is moved in a
 * critical section of its own, so lists and counters are right after each, and
 * a kill leaves an object wholly here or wholly there. The copy is made before
 * that, into a chunk that nobody can reach yet.
 *
 * When the free chunks of a class are worth a whole zspage, those outside of
 * any one zspage have room for all that it holds: emptying one never fails.
 *
 * Any number of threads may do so at once: they meet at the locks of readers
 * and classes.
 */
#include "zsmalloc_i.h"

#include <errno.h>
#include <string.h>

static void lock_readers(struct zs_pool *pool)
{
	for (unsigned i = 0; i < pool->nr_readers; i++)
		zs_lock(&pool->reader[i].lock);
}

static void unlock_readers(struct zs_pool *pool)
{
	for (unsigned i = pool->nr_readers; i-- > 0;)
		zs_unlock(&pool->reader[i].lock);
}

/* The counter is read by others without a lock. */
static void count_compacted(struct undo_log *u, uint64_t *counter, uint64_t n)
{
	undo_save(u, counter);
	__atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

/*
 * Move the object at @chunk, of cell @cell, from @src to @dst. With the last
 * one @src ceases to be a zspage and becomes the thread's pending run.
 */
static void move_object_locked(struct zs_pool *pool, struct arena_thread *t,
			       const struct size_class *class,
			       struct zspage src, struct zspage dst,
			       void *chunk, uint64_t cell)
{
	void *to = zspage_chunk(class, dst, dst.desc->freeobj);
	uint64_t head = *chunk_head(class, chunk);
	struct undo_log *u;

	memcpy(chunk_payload(class, to), chunk_payload(class, chunk),
	       cell_size(cell));
	zs_crash_point();

	u = undo_begin(t);
	to = obj_take(u, class, dst, head);
	cell_store(u, head_handle(head),
		   (cell & ~CELL_LOC_MASK) | chunk_loc(to));
	obj_put(u, class, src, chunk);
	if (src.desc->inuse == 0) {
		zspage_retire(u, t, class, src);
		count_compacted(u, &pool->root->pages_compacted, class->pages);
	}
	undo_commit(u);
	zspage_assert(pool, class, dst);
	if (src.desc->inuse)
		zspage_assert(pool, class, src);
}

/* Where the next object goes to; 0: nowhere, because something is damaged. */
static uint32_t find_target(struct zs_pool *pool,
			    const struct size_class *class, uint32_t from)
{
	uint32_t pfn = zspage_find_fullest(class, from);

	return pfn && zspage_can_give(pool, class, zspage_at(pfn)) ? pfn : 0;
}

/* False: what is damaged stays where it is. */
static bool empty_zspage_locked(struct zs_pool *pool, struct arena_thread *t,
				const struct size_class *class,
				struct zspage src)
{
	for (unsigned i = 0; src.desc->inuse && i < class->objs; i++) {
		void *chunk = zspage_chunk(class, src, i);
		uint64_t cell = chunk_cell(pool, class, chunk);
		uint32_t dst;

		if (!cell || cell_class(pool, cell) != class)
			continue;
		dst = find_target(pool, class, src.pfn);
		if (!dst)
			return false;
		move_object_locked(pool, t, class, src, zspage_at(dst), chunk,
				   cell);
	}
	return !src.desc->inuse;
}

static bool worth_compacting(struct size_class *class)
{
	uint64_t pages;

	zs_lock(&class->lock);
	pages = zs_class_freeable_locked(class);
	zs_unlock(&class->lock);
	return pages != 0;
}

/* Free one zspage of the class, if that can be done by moving objects. */
static unsigned compact_step(struct zs_pool *pool, struct arena_thread *t,
			     struct size_class *class)
{
	unsigned pages = 0;
	uint32_t src;

	/* The class may have changed when it is locked with the readers. */
	if (!worth_compacting(class))
		return 0;
	lock_readers(pool);
	zs_lock(&class->lock);
	src = zs_class_freeable_locked(class) ? zspage_find_emptiest(class) : 0;
	if (src && empty_zspage_locked(pool, t, class, zspage_at(src)))
		pages = class->pages;
	zs_unlock(&class->lock);
	unlock_readers(pool);
	arena_run_free(pool->arena, t, &t->shared->pending_run);
	return pages;
}

/* The next zspage, from the class on that gave the last one. */
static unsigned next_step(struct zs_pool *pool, struct arena_thread *t)
{
	unsigned first = __atomic_load_n(&pool->next_class, __ATOMIC_RELAXED);

	for (unsigned i = 0; i < pool->nr_classes; i++) {
		unsigned nr = (first + i) % pool->nr_classes;
		unsigned pages = compact_step(pool, t, &pool->class[nr]);

		if (pages) {
			__atomic_store_n(&pool->next_class, nr,
					 __ATOMIC_RELAXED);
			return pages;
		}
	}
	return 0;
}

unsigned zs_compact_step(struct zs_pool *pool, struct arena_thread *t)
{
	unsigned pages;

	__atomic_fetch_add(&pool->stepping, 1, __ATOMIC_ACQUIRE);
	pages = next_step(pool, t);
	__atomic_fetch_sub(&pool->stepping, 1, __ATOMIC_RELEASE);
	return pages;
}

static uint64_t compact_class(struct zs_pool *pool, struct arena_thread *t,
			      struct size_class *class, zs_pause_fn *pause,
			      void *arg)
{
	uint64_t total = 0;
	unsigned pages;

	while ((pages = compact_step(pool, t, class))) {
		total += pages;
		if (pause)
			pause(arg);
	}
	return total;
}

void zs_count_compaction(struct zs_pool *pool, struct arena_thread *t,
			 uint64_t pages)
{
	struct undo_log *u;

	zs_lock(&pool->reader[0].lock);
	u = undo_begin(t);
	count_compacted(u, &pool->root->compactions, 1);
	undo_save(u, &pool->root->last_compacted);
	__atomic_store_n(&pool->root->last_compacted, pages, __ATOMIC_RELAXED);
	undo_commit(u);
	zs_unlock(&pool->reader[0].lock);
}

bool zs_is_compacting(const struct zs_pool *pool)
{
	return __atomic_load_n(&pool->compacting, __ATOMIC_ACQUIRE) ||
	       __atomic_load_n(&pool->stepping, __ATOMIC_ACQUIRE);
}

int64_t zs_compact_pausing(struct zs_pool *pool, struct arena_thread *t,
			   zs_pause_fn *pause, void *arg)
{
	uint64_t pages = 0;

	if (__atomic_exchange_n(&pool->compacting, true, __ATOMIC_ACQUIRE))
		return -EBUSY;
	for (unsigned i = 0; i < pool->nr_classes; i++)
		pages += compact_class(pool, t, &pool->class[i], pause, arg);
	if (pages)
		zs_count_compaction(pool, t, pages);
	zs_trim_handles(pool, t);
	__atomic_store_n(&pool->compacting, false, __ATOMIC_RELEASE);
	return (int64_t)pages;
}

int64_t zs_compact(struct zs_pool *pool, struct arena_thread *t)
{
	return zs_compact_pausing(pool, t, NULL, NULL);
}
