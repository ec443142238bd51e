/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Handles: the numbers that objects are known by, and their cells.
 *
 * A free handle is in one of three places: never used (from handle_next on),
 * in the list that begins at handle_free, linked through the cells, or in a
 * thread's magazine. Only moves between list and magazine take the handle
 * lock, one in ZS_MAGAZINE_BATCH operations.
 */
#include "zsmalloc_i.h"

#include <errno.h>

static void set_free_list(struct undo_log *u, struct zs_pool_root *root,
			  uint32_t first, uint32_t count)
{
	undo_save(u, &root->handle_free);
	root->handle_free = first;
	root->handles_free = count;
}

static void set_handle_next(struct undo_log *u, struct zs_pool_root *root,
			    uint64_t next)
{
	undo_save(u, &root->handle_next);
	__atomic_store_n(&root->handle_next, next, __ATOMIC_RELAXED);
}

static void refill_from_list_locked(struct zs_pool *pool,
				    struct arena_thread *t)
{
	struct zs_pool_root *root = pool->root;
	uint32_t handle = root->handle_free, n = 0;
	struct undo_log *u;

	while (handle && n < ZS_MAGAZINE_BATCH) {
		t->shared->handles[n++] = handle;
		handle = (uint32_t)cell_load(handle);
	}
	u = undo_begin(t);
	set_free_list(u, root, handle, root->handles_free - n);
	magazine_set_count(u, t, n);
	undo_commit(u);
}

/* Take handles never used; there is at least one that is backed. */
static void refill_from_new_locked(struct zs_pool *pool, struct arena_thread *t)
{
	uint64_t next = pool->root->handle_next;
	uint64_t left = arena_handles_backed(pool->arena) - next;
	uint64_t n = left < ZS_MAGAZINE_BATCH ? left : ZS_MAGAZINE_BATCH;
	struct undo_log *u;

	for (uint64_t i = 0; i < n; i++) {
		uint32_t handle = (uint32_t)(next + i);

		/* An earlier life of the window may have left something. */
		cell_set_free(handle, 0);
		t->shared->handles[n - 1 - i] = handle;
	}
	u = undo_begin(t);
	set_handle_next(u, pool->root, next + n);
	magazine_set_count(u, t, n);
	undo_commit(u);
}

static int back_new_handles_locked(struct zs_pool *pool, struct arena_thread *t)
{
	uint64_t next = pool->root->handle_next;

	if (next > ZS_MAX_HANDLE)
		return -ENOSPC;
	if (next < arena_handles_backed(pool->arena))
		return 0;
	return arena_grow_handles(pool->arena, t);
}

int zs_handles_refill(struct zs_pool *pool, struct arena_thread *t)
{
	int err = 0;

	assert(magazine_count(t) == 0);
	zs_lock(&pool->handle_lock);
	if (pool->root->handle_free) {
		refill_from_list_locked(pool, t);
	} else {
		err = back_new_handles_locked(pool, t);
		if (!err)
			refill_from_new_locked(pool, t);
	}
	zs_unlock(&pool->handle_lock);
	return err;
}

/*
 * Move the last @n handles of @from's magazine to the list, as @t. Their cells
 * name no object, so they are linked before the critical section.
 */
static void drain_locked(struct zs_pool *pool, struct arena_thread *t,
			 struct arena_thread *from, uint64_t n)
{
	struct zs_pool_root *root = pool->root;
	uint64_t left = magazine_count(from) - n;
	uint32_t first = root->handle_free;
	struct undo_log *u;

	for (uint64_t i = 0; i < n; i++) {
		uint32_t handle = from->shared->handles[left + i];

		cell_set_free(handle, first);
		first = handle;
		zs_crash_point();
	}
	u = undo_begin(t);
	set_free_list(u, root, first, root->handles_free + (uint32_t)n);
	magazine_set_count(u, from, left);
	undo_commit(u);
}

void zs_handles_flush(struct zs_pool *pool, struct arena_thread *t)
{
	assert(magazine_count(t) == ZS_MAGAZINE);
	zs_lock(&pool->handle_lock);
	drain_locked(pool, t, t, ZS_MAGAZINE_BATCH);
	zs_unlock(&pool->handle_lock);
}

static bool no_handle_in_use_locked(const struct zs_pool *pool)
{
	for (unsigned i = 0; i < pool->nr_classes; i++) {
		if (pool->class[i].root->objs_used)
			return false;
	}
	return true;
}

/* The same one class at a time, to see whether to try. */
static bool perhaps_no_handle_in_use(struct zs_pool *pool)
{
	bool used = false;

	for (unsigned i = 0; i < pool->nr_classes && !used; i++) {
		zs_lock(&pool->class[i].lock);
		used = pool->class[i].root->objs_used != 0;
		zs_unlock(&pool->class[i].lock);
	}
	return !used;
}

/* Under all class locks and the handle lock, so no magazine is in use. */
static void forget_handles_locked(struct zs_pool *pool, struct arena_thread *t)
{
	struct undo_log *u;

	for (unsigned i = 0; i < pool->nr_readers; i++) {
		struct arena_thread *from = arena_thread(pool->arena, i);

		drain_locked(pool, t, from, magazine_count(from));
	}
	u = undo_begin(t);
	set_free_list(u, pool->root, 0, 0);
	set_handle_next(u, pool->root, 1);
	undo_commit(u);
	arena_reset_handles(pool->arena, t);
}

void zs_handles_reset(struct zs_pool *pool, struct arena_thread *t)
{
	if (!handle_valid(pool, 1) || !perhaps_no_handle_in_use(pool))
		return;
	for (unsigned i = 0; i < pool->nr_classes; i++)
		zs_lock(&pool->class[i].lock);
	zs_lock(&pool->handle_lock);
	if (no_handle_in_use_locked(pool))
		forget_handles_locked(pool, t);
	zs_unlock(&pool->handle_lock);
	for (unsigned i = pool->nr_classes; i-- > 0;)
		zs_unlock(&pool->class[i].lock);
}
