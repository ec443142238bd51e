/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Handles: the numbers that objects are known by, and their cells.
 *
 * A free handle is in one of three places: never used (from handle_next on),
 * in the list that begins at handle_free, linked through the cells, or in a
 * thread's magazine. Only moves between list and magazine take the handle
 * lock, one in ZS_MAGAZINE_BATCH operations.
 *
 * When the last handles are free their cells can go. Then the list is made anew
 * of those that stay, in ascending order, so that the lowest are used first.
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

/* A damaged list ends where it leads astray; the rest of it is lost. */
static void refill_from_list_locked(struct zs_pool *pool,
				    struct arena_thread *t)
{
	struct zs_pool_root *root = pool->root;
	uint32_t handle = root->handle_free, n = 0;
	struct undo_log *u;

	while (handle_is_free(pool, handle) && n < ZS_MAGAZINE_BATCH) {
		t->shared->handles[n++] = handle;
		handle = (uint32_t)cell_load(handle);
	}
	if (!handle_is_free(pool, handle))
		handle = 0;
	u = undo_begin(t);
	set_free_list(u, root, handle, handle ? root->handles_free - n : 0);
	magazine_set_count(u, t, n);
	undo_commit(u);
}

/*
 * Take handles never used; there is at least one that is backed. What is in use
 * all the same, because handle_next is damaged, is left alone.
 */
static void refill_from_new_locked(struct zs_pool *pool, struct arena_thread *t)
{
	uint64_t next = pool->root->handle_next;
	uint64_t left = arena_handles_backed(pool->arena) - next;
	uint64_t n = left < ZS_MAGAZINE_BATCH ? left : ZS_MAGAZINE_BATCH;
	uint32_t nr = 0;
	struct undo_log *u;

	for (uint64_t handle = next + n; handle-- > next;) {
		if (cell_live(cell_load((uint32_t)handle)))
			continue;
		/* An earlier life of the window may have left something. */
		cell_set_free((uint32_t)handle, 0);
		t->shared->handles[nr++] = (uint32_t)handle;
	}
	u = undo_begin(t);
	set_handle_next(u, pool->root, next + n);
	magazine_set_count(u, t, nr);
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
 * Move the last @n handles of the thread's magazine to the list. Their cells
 * name no object, so they are linked before the critical section; a handle that
 * is in use belongs to neither.
 */
static void drain_locked(struct zs_pool *pool, struct arena_thread *t,
			 uint64_t n)
{
	struct zs_pool_root *root = pool->root;
	uint64_t left = magazine_count(t) - n;
	uint32_t first = root->handle_free, moved = 0;
	struct undo_log *u;

	for (uint64_t i = 0; i < n; i++) {
		uint32_t handle = t->shared->handles[left + i];

		if (!handle_is_free(pool, handle))
			continue;
		cell_set_free(handle, first);
		first = handle;
		moved++;
		zs_crash_point();
	}
	u = undo_begin(t);
	set_free_list(u, root, first, root->handles_free + moved);
	magazine_set_count(u, t, left);
	undo_commit(u);
}

void zs_handles_flush(struct zs_pool *pool, struct arena_thread *t)
{
	zs_lock(&pool->handle_lock);
	/* Somebody may have emptied it meanwhile. */
	if (magazine_count(t) == ZS_MAGAZINE)
		drain_locked(pool, t, ZS_MAGAZINE_BATCH);
	zs_unlock(&pool->handle_lock);
}

/* ---- giving back ---- */

/* The last handle below @end that is in use, 0 = none. */
static uint64_t last_in_use(uint64_t end)
{
	while (end > 1 && !cell_live(cell_load((uint32_t)(end - 1))))
		end--;
	return end - 1;
}

/*
 * Shall the handles behind @last, which are free, be forgotten? That takes a
 * look at each of the others.
 */
static bool worth_trimming_locked(const struct zs_pool *pool, uint64_t last)
{
	uint64_t behind = pool->root->handle_next - 1 - last;

	if (!last)
		return behind != 0;
	return behind >= last / 8 &&
	       arena_can_trim_handles(pool->arena, last + 1);
}

/* The same before all locks are held, to see whether to try. */
static bool may_be_worth_trimming(struct zs_pool *pool)
{
	bool worth;

	zs_lock(&pool->handle_lock);
	worth = worth_trimming_locked(pool,
				      last_in_use(pool->root->handle_next));
	zs_unlock(&pool->handle_lock);
	return worth;
}

static void empty_magazines_locked(struct zs_pool *pool, struct arena_thread *t)
{
	for (unsigned i = 0; i < pool->nr_readers; i++) {
		struct undo_log *u = undo_begin(t);

		magazine_set_count(u, arena_thread(pool->arena, i), 0);
		undo_commit(u);
	}
}

/* Finish what root.relinking says has begun. */
static void relink_locked(struct zs_pool *pool, struct arena_thread *t)
{
	uint64_t handle = pool->root->handle_next;
	uint32_t first = 0, n = 0;
	struct undo_log *u;

	arena_trim_handles(pool->arena, t, handle);
	empty_magazines_locked(pool, t);
	while (--handle) {
		if (cell_live(cell_load((uint32_t)handle)))
			continue;
		cell_set_free((uint32_t)handle, first);
		first = (uint32_t)handle;
		n++;
	}
	zs_crash_point();
	u = undo_begin(t);
	set_free_list(u, pool->root, first, n);
	undo_set(u, &pool->root->relinking, false);
	undo_commit(u);
}

/* Under all class locks and the handle lock, as no magazine is in use then. */
static void forget_handles_locked(struct zs_pool *pool, struct arena_thread *t,
				  uint64_t last)
{
	struct undo_log *u = undo_begin(t);

	set_free_list(u, pool->root, 0, 0);
	set_handle_next(u, pool->root, last + 1);
	undo_set(u, &pool->root->relinking, true);
	undo_commit(u);
	relink_locked(pool, t);
}

void zs_trim_handles(struct zs_pool *pool, struct arena_thread *t)
{
	uint64_t last;

	if (!may_be_worth_trimming(pool))
		return;
	for (unsigned i = 0; i < pool->nr_classes; i++)
		zs_lock(&pool->class[i].lock);
	zs_lock(&pool->handle_lock);
	last = last_in_use(pool->root->handle_next);
	if (worth_trimming_locked(pool, last))
		forget_handles_locked(pool, t, last);
	zs_unlock(&pool->handle_lock);
	for (unsigned i = pool->nr_classes; i-- > 0;)
		zs_unlock(&pool->class[i].lock);
}

/* ---- recovery ---- */

static bool is_sound_magazine(const struct zs_pool *pool,
			      const struct arena_thread *t)
{
	uint64_t n = magazine_count(t);

	if (n > ZS_MAGAZINE)
		return false;
	for (uint64_t i = 0; i < n; i++)
		if (!handle_is_free(pool, t->shared->handles[i]))
			return false;
	return true;
}

static bool has_sound_handles(const struct zs_pool *pool)
{
	const struct zs_pool_root *root = pool->root;

	if (!root->handle_next ||
	    root->handle_next > arena_handles_backed(pool->arena))
		return false;
	if (root->relinking)
		return true;
	for (unsigned i = 0; i < pool->nr_readers; i++)
		if (!is_sound_magazine(pool, arena_thread(pool->arena, i)))
			return false;
	return !root->handle_free || handle_is_free(pool, root->handle_free);
}

/* Is it a zspage of @class that group @nr has in its list? */
static bool is_listed(const struct zs_pool *pool,
		      const struct size_class *class, unsigned nr, uint32_t pfn)
{
	return arena_holds_run(pool->arena, pfn_to_addr(pfn), class->pages,
			       ARENA_PAGE_ZSPAGE) &&
	       page_desc_of(pfn)->class == class->slot &&
	       page_desc_of(pfn)->group == nr;
}

static bool has_sound_lists(const struct zs_pool *pool,
			    const struct size_class *class)
{
	for (unsigned g = 0; g < ZS_NR_GROUPS; g++) {
		uint32_t pfn = class->root->group[g].head;

		if (pfn && group_has_list(g) && !is_listed(pool, class, g, pfn))
			return false;
	}
	return true;
}

int zs_recover_pool(struct zs_pool *pool, struct arena_thread *t)
{
	if (!has_sound_handles(pool))
		return -EPROTO;
	for (unsigned i = 0; i < pool->nr_classes; i++)
		if (!has_sound_lists(pool, &pool->class[i]))
			return -EPROTO;
	if (pool->root->relinking)
		relink_locked(pool, t);
	return 0;
}
