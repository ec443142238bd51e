/* SPDX-License-Identifier: BSD-3-Clause */
/* zsmalloc: making and taking up pools, objects' lives, and access to them. */
#include "zsmalloc_i.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LIKELY(x)   __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

/* A live object in hand. */
struct obj {
	uint64_t cell;
	uint64_t *head;
	void *payload;
};

/* Pools. */

size_t zs_pool_root_size(void)
{
	return sizeof(struct zs_pool_root);
}

void zs_close_pool(struct zs_pool *pool)
{
	if (!pool)
		return;
	free(pool->reader);
	free(pool);
}

/* The process's half of the pool at @root. */
static int new_pool(struct arena *a, struct zs_pool_root *root,
		    unsigned chain_size, struct zs_pool **out)
{
	size_t readers = arena_nr_threads(a) * sizeof(struct zs_reader);
	struct zs_pool *pool = aligned_alloc(64, sizeof(*pool));

	if (!pool)
		return -ENOMEM;
	memset(pool, 0, sizeof(*pool));
	pool->arena = a;
	pool->root = root;
	pool->nr_readers = arena_nr_threads(a);
	pool->reader = aligned_alloc(64, readers);
	if (!pool->reader) {
		free(pool);
		return -ENOMEM;
	}
	memset(pool->reader, 0, readers);
	for (unsigned i = 0; i < pool->nr_readers; i++)
		zs_lock_init(&pool->reader[i].lock, RANK_READER, i);
	zs_lock_init(&pool->handle_lock, RANK_HANDLES, 0);
	zs_init_classes(pool, chain_size);
	*out = pool;
	return 0;
}

static bool chain_size_valid(unsigned chain_size)
{
	return chain_size >= ZS_MIN_CHAIN_SIZE &&
	       chain_size <= ZS_MAX_CHAIN_SIZE;
}

int zs_create_pool(struct arena *a, void *root_area, unsigned chain_size,
		   struct zs_pool **out)
{
	struct zs_pool_root *root = root_area;
	int err;

	if (!chain_size_valid(chain_size) ||
	    (uintptr_t)root_area % ARENA_PAGE_SIZE)
		return -EINVAL;
	err = new_pool(a, root, chain_size, out);
	if (err)
		return err;
	memset(root, 0, sizeof(*root));
	root->version = ZS_POOL_VERSION;
	root->chain_size = chain_size;
	root->root_size = sizeof(struct zs_pool_root);
	root->class_size = sizeof(struct zs_class_root);
	root->handle_next = 1;
	for (unsigned i = 0; i < arena_nr_threads(a); i++)
		arena_thread(a, i)->shared->nr_handles = 0;
	undo_barrier();
	root->magic = zs_pool_magic(chain_size);
	return 0;
}

int zs_open_pool(struct arena *a, void *root_area, struct zs_pool **out)
{
	struct zs_pool_root *root = root_area;

	if ((uintptr_t)root_area % ARENA_PAGE_SIZE ||
	    root->magic != zs_pool_magic(root->chain_size) ||
	    root->version != ZS_POOL_VERSION ||
	    root->root_size != sizeof(struct zs_pool_root) ||
	    root->class_size != sizeof(struct zs_class_root) ||
	    !chain_size_valid(root->chain_size))
		return -EPROTO;
	return new_pool(a, root, root->chain_size, out);
}

void zs_destroy_pool(struct zs_pool *pool, struct arena_thread *t)
{
	struct zs_pool_root *root = pool->root;

	for (uint64_t h = 1; h < root->handle_next; h++) {
		while (cell_live(cell_load((uint32_t)h))) {
			root->doomed_ref = REF_MAKE(REF_OBJ, h);
			zs_free(pool, t, &root->doomed_ref);
		}
	}
	zs_trim_handles(pool, t);
	root->magic = 0;
	zs_close_pool(pool);
}

/* Allocation. */

/*
 * Is there a handle that an object may have? Two objects never have the same
 * one: what is in use, or none, was damaged and is left out. Under a class
 * lock.
 */
static bool has_handle(const struct zs_pool *pool, struct arena_thread *t)
{
	while (LIKELY(magazine_count(t))) {
		struct undo_log *u;

		if (LIKELY(handle_is_free(pool, magazine_top(t))))
			return true;
		u = undo_begin(t);
		magazine_set_count(u, t, magazine_count(t) - 1);
		undo_commit(u);
	}
	return false;
}

/*
 * Lock the class with a handle in the thread's magazine. Trimming of
 * handles may empty the magazine until the lock is held.
 */
static int lock_with_handle(struct zs_pool *pool, struct arena_thread *t,
			    struct size_class *class)
{
	for (;;) {
		if (UNLIKELY(!magazine_count(t))) {
			int err = zs_handles_refill(pool, t);

			if (err)
				return err;
		}
		zs_lock(&class->lock);
		if (LIKELY(has_handle(pool, t)))
			return 0;
		zs_unlock(&class->lock);
	}
}

/*
 * Get a new zspage, leave it in the thread's pending run, and lock the class.
 * Nothing is locked, and nothing pending, when this fails.
 */
static int new_zspage_lock(struct zs_pool *pool, struct arena_thread *t,
			   struct size_class *class)
{
	uint64_t *pending = &t->shared->pending_run;
	int err = arena_run_alloc(pool->arena, t, class->pages,
				  ARENA_PAGE_ZSPAGE, pending);

	if (err)
		return err;
	zspage_init(class, zspage_at((uint32_t)run_ref_pfn(*pending)));
	err = lock_with_handle(pool, t, class);
	if (err)
		arena_run_free(pool->arena, t, pending);
	return err;
}

/* Lock the class and tell the zspage to take an object from. */
static int lock_zspage(struct zs_pool *pool, struct arena_thread *t,
		       struct size_class *class, struct zspage *zp)
{
	uint32_t pfn;
	int err = lock_with_handle(pool, t, class);

	if (err)
		return err;
	pfn = zspage_find_fullest(class, 0);
	if (UNLIKELY(!pfn)) {
		zs_unlock(&class->lock);
		err = new_zspage_lock(pool, t, class);
		if (err)
			return err;
		pfn = (uint32_t)run_ref_pfn(t->shared->pending_run);
	}
	*zp = zspage_at(pfn);
	if (LIKELY(zspage_can_give(pool, class, *zp)))
		return 0;
	zs_unlock(&class->lock);
	return -EIO;
}

int zs_store(struct zs_pool *pool, struct arena_thread *t, const void *src,
	     size_t size, unsigned tag, uint32_t word, uint64_t *ref)
{
	struct size_class *class;
	struct undo_log *u;
	struct zspage zp;
	uint64_t *cell;
	uint32_t handle;
	void *chunk;
	int err;

	if (UNLIKELY(!size || size > ZS_MAX_ALLOC_SIZE || tag > ZS_MAX_TAG))
		return -EINVAL;
	assert(*ref == REF_NONE);
	class = size_class_for(pool, size);
	err = lock_zspage(pool, t, class, &zp);
	if (UNLIKELY(err))
		return err;

	u = undo_begin(t);
	if (UNLIKELY(t->shared->pending_run))
		undo_set(u, &t->shared->pending_run, REF_NONE);
	handle = magazine_top(t);
	cell = arena_handle_cell(handle);
	UNDO_SAVE_WORDS(u, &t->shared->nr_handles, cell, ref,
			&class->root->objs_used, &class->root->payload);
	magazine_pop(t);
	chunk = obj_take(u, class, zp, head_make(handle, word));
	undo_change(cell, cell_make(chunk_loc(chunk), size, tag));
	undo_change(ref, REF_MAKE(REF_OBJ, handle));
	class_add_object(class, size);
	/* Of a chunk that is free again after a rollback nobody reads this. */
	if (src)
		memcpy(chunk_payload(class, chunk), src, size);
	undo_commit(u);
	zspage_assert(pool, class, zp);
	zs_unlock(&class->lock);
	return 0;
}

int zs_malloc(struct zs_pool *pool, struct arena_thread *t, size_t size,
	      unsigned tag, uint32_t word, uint64_t *ref)
{
	return zs_store(pool, t, NULL, size, tag, word, ref);
}

/* Have the object's lines on their way while the locks are being taken. */
static void prefetch_object(uint64_t cell)
{
	__builtin_prefetch(cell_chunk(cell), 1);
	__builtin_prefetch(page_desc_of(cell_pfn(cell)), 1);
}

/* What @ref owns is not a live object: free nothing, and own nothing. */
static void drop_bad_ref(uint64_t *ref)
{
	assert(!"zs_free() of a ref that owns no live object");
	*ref = REF_NONE;
}

int zs_dup(struct zs_pool *pool, struct arena_thread *t, uint32_t handle,
	   uint64_t *ref)
{
	uint64_t cell = handle_valid(pool, handle) ? cell_load(handle) : 0;
	struct size_class *class;
	struct undo_log *u;
	int err = 0;

	assert(*ref == REF_NONE);
	if (UNLIKELY(!cell_live(cell)))
		return -EINVAL;
	class = cell_class(pool, cell);
	zs_lock(&class->lock);
	cell = cell_load(handle); /* compaction may have moved it */
	if (cell_refs(cell) == CELL_MAX_REFS) {
		err = -EMLINK;
	} else {
		u = undo_begin(t);
		cell_store(u, handle, cell + CELL_ONE_REF);
		undo_set(u, ref, REF_MAKE(REF_OBJ, handle));
		undo_commit(u);
	}
	zs_unlock(&class->lock);
	return err;
}

/*
 * The object of @cell has no other owner than @ref: it goes with its zspage, or
 * alone.
 */
static void free_last_locked(struct undo_log *u, struct arena_thread *t,
			     const struct size_class *class, struct zspage zp,
			     uint32_t handle, uint64_t cell, uint64_t *ref)
{
	UNDO_SAVE_WORDS(u, ref, arena_handle_cell(handle),
			&t->shared->nr_handles, &class->root->objs_used,
			&class->root->payload);
	undo_change(ref, REF_NONE);
	undo_change(arena_handle_cell(handle), 0);
	magazine_push(t, handle);
	class_remove_object(class, cell_size(cell));
	obj_put(u, class, zp, cell_chunk(cell));
	if (zp.desc->inuse == 0)
		zspage_retire(u, t, class, zp);
}

/*
 * Is it the cell of a live object, and does it name a place in a zspage of
 * @class, which is locked? Else it is damaged, or two that name one object free
 * it at once, and what it names is not to be freed.
 */
static bool is_placed(struct zs_pool *pool, const struct size_class *class,
		      uint64_t cell)
{
	uint64_t pfn = cell_pfn(cell);

	return cell_live(cell) && pfn_valid(pool->arena, pfn) &&
	       page_desc_of(pfn)->type == ARENA_PAGE_ZSPAGE &&
	       page_desc_of(pfn)->class == class->slot;
}

void zs_free(struct zs_pool *pool, struct arena_thread *t, uint64_t *ref)
{
	uint32_t handle = (uint32_t)REF_VALUE(*ref);
	struct size_class *class;
	struct undo_log *u;
	struct zspage zp;
	uint64_t cell;

	if (*ref == REF_NONE)
		return;
	cell = handle_valid(pool, handle) ? cell_load(handle) : 0;
	if (UNLIKELY(REF_KIND(*ref) != REF_OBJ || !cell_live(cell))) {
		drop_bad_ref(ref);
		return;
	}
	prefetch_object(cell);
	if (UNLIKELY(magazine_count(t) == ZS_MAGAZINE))
		zs_handles_flush(pool, t);

	class = cell_class(pool, cell);
	zs_lock(&class->lock);
	cell = cell_load(handle); /* compaction may have moved it */
	if (UNLIKELY(!is_placed(pool, class, cell))) {
		zs_unlock(&class->lock);
		drop_bad_ref(ref);
		return;
	}
	assert(head_names(*chunk_head(class, cell_chunk(cell)), handle));
	zp = zspage_of_cell(cell);
	u = undo_begin(t);
	if (LIKELY(cell_refs(cell) == 1)) {
		free_last_locked(u, t, class, zp, handle, cell, ref);
	} else {
		undo_set(u, ref, REF_NONE);
		cell_store(u, handle, cell - CELL_ONE_REF);
	}
	undo_commit(u);
	if (!t->shared->pending_run)
		zspage_assert(pool, class, zp);
	zs_unlock(&class->lock);
	if (t->shared->pending_run)
		arena_run_free(pool->arena, t, &t->shared->pending_run);
}

/* Access. */

/*
 * Find the live object of @handle. The caller keeps it from moving, by its
 * reader lock or the class lock, and from being freed, by owning it.
 */
static bool find_object(struct zs_pool *pool, uint32_t handle, struct obj *obj)
{
	const struct size_class *class;
	uint64_t pfn;

	if (!handle_valid(pool, handle))
		return false;
	obj->cell = cell_load(handle);
	pfn = cell_pfn(obj->cell);
	if (!cell_live(obj->cell) || !pfn_valid(pool->arena, pfn) ||
	    page_desc_of(pfn)->type != ARENA_PAGE_ZSPAGE)
		return false;
	class = cell_class(pool, obj->cell);
	obj->head = chunk_head(class, cell_chunk(obj->cell));
	obj->payload = chunk_payload(class, cell_chunk(obj->cell));
	return head_names(*obj->head, handle);
}

static void describe_object(const struct obj *obj, struct zs_obj_info *info)
{
	info->size = cell_size(obj->cell);
	info->tag = cell_tag(obj->cell);
	info->word = head_word(*obj->head);
	info->refs = cell_refs(obj->cell);
}

void zs_obj_write(struct zs_pool *pool, struct arena_thread *t, uint32_t handle,
		  const void *src, size_t len)
{
	struct zs_lock *pin = &pool->reader[t->nr].lock;
	struct obj obj;
	bool found;

	zs_lock(pin);
	found = find_object(pool, handle, &obj);
	assert(found && len <= cell_size(obj.cell));
	if (found && len <= cell_size(obj.cell))
		memcpy(obj.payload, src, len);
	zs_unlock(pin);
	zs_crash_point();
}

const void *zs_obj_read_begin(struct zs_pool *pool, struct arena_thread *t,
			      uint32_t handle, struct zs_obj_info *info)
{
	struct zs_lock *pin = &pool->reader[t->nr].lock;
	struct obj obj;

	zs_lock(pin);
	if (UNLIKELY(!find_object(pool, handle, &obj))) {
		zs_unlock(pin);
		return NULL;
	}
	describe_object(&obj, info);
	return obj.payload;
}

void zs_obj_read_end(struct zs_pool *pool, struct arena_thread *t)
{
	assert(zs_locked(&pool->reader[t->nr].lock));
	zs_unlock(&pool->reader[t->nr].lock);
}

uint32_t zs_obj_size(const struct zs_pool *pool, uint32_t handle, unsigned *tag)
{
	uint64_t cell = handle_valid(pool, handle) ? cell_load(handle) : 0;

	*tag = cell_tag(cell);
	return cell_live(cell) ? cell_size(cell) : 0;
}

bool zs_obj_info(struct zs_pool *pool, uint32_t handle,
		 struct zs_obj_info *info)
{
	struct size_class *class;
	struct obj obj;
	uint64_t cell;
	bool found;

	if (!handle_valid(pool, handle))
		return false;
	cell = cell_load(handle);
	if (!cell_live(cell))
		return false;
	class = cell_class(pool, cell);
	zs_lock(&class->lock);
	found = find_object(pool, handle, &obj);
	if (found)
		describe_object(&obj, info);
	zs_unlock(&class->lock);
	return found;
}

bool zs_obj_is_sound(struct zs_pool *pool, uint32_t handle)
{
	const struct size_class *class;
	struct zspage zp;
	struct obj obj;
	void *chunk;

	if (!find_object(pool, handle, &obj))
		return false;
	class = cell_class(pool, obj.cell);
	chunk = cell_chunk(obj.cell);
	zp = zspage_of_cell(obj.cell);
	return zp.desc->class == class - pool->class &&
	       chunk == zspage_chunk(class, zp,
				     zspage_obj_index(class, zp, chunk));
}

int zs_for_each_handle(struct zs_pool *pool,
		       int (*fn)(uint32_t handle, void *arg), void *arg)
{
	uint64_t end = pool->root->handle_next;

	for (uint64_t h = 1; h < end; h++) {
		int ret;

		if (!cell_live(cell_load((uint32_t)h)))
			continue;
		ret = fn((uint32_t)h, arg);
		if (ret)
			return ret;
	}
	return 0;
}
