/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Inside of zsmalloc: its data structures, and what its files share.
 *
 * In the arena
 *   root      struct zs_pool_root: head of the handle list, lists and counters
 *             of every class
 *   zspage    one run; its state is in the descriptor of its first page
 *             (struct page_desc): objects in use, first free object, class,
 *             fullness group, links. The other pages know by run_off how far
 *             the first one is.
 *   chunk     class->size bytes. The first word of one in use is its head,
 *               word << 32 | handle << 1 | 1
 *             and that of a free one the link to the next free chunk,
 *               (index of that chunk + 1) << 1
 *             but the last free chunk of a zspage has no link: how many there
 *             are is known, so nobody looks for one. It may still hold the
 *             head of the object it was, which is dead because no cell points
 *             at it. So a full zspage gets a free chunk, and loses it again,
 *             without a look at memory that is most likely not in the cache.
 *             In the huge class the head is in the descriptor (instead of the
 *             links, since a zspage of that class is always full and full
 *             zspages are on no list), and the chunk is all payload.
 *   cell      8 bytes of a handle. Live: location in units of 16 bytes from
 *             ARENA_BASE, size - 1, tag, reference count (1). Free: reference
 *             count 0, below it the next free handle.
 *   magazine  arena_thread_shared.handles: up to 64 free handles of a thread
 *
 * Equations, true whenever no lock is held
 *   handle_next - 1 = live objects + handles in the list + in all magazines
 *   a class's objs_used = sum of inuse over its zspages, and its payload that
 *   of the sizes in their cells
 *   group[g].count = zspages whose inuse puts them in group g, 1 .. 12; for
 *   groups 1 .. 11 these are on the list group[g].head, 12 has no list. Number
 *   0 counts nothing: an empty zspage comes from the arena, or goes back to the
 *   arena, in the same step. A group is a fullness of zsmalloc.h, but that of
 *   70 to 79 % is two, cut at 3/4, so that the rule of Linux 4.2 is a sum of
 *   groups.
 *
 * Private to the process: struct zs_pool, with all locks.
 *
 * Locks, outermost first
 *   compacting        single flight of zs_compact(); never waited for
 *   reader[].lock     by number; more than one only in compaction
 *   size_class.lock   more than one (by slot) only to trim the handles
 *   handle_lock       list of free handles
 *   arena             its own, leaves
 * A magazine belongs to its thread; only the trimming of handles, which holds
 * all class locks and the handle lock, touches the magazines of others.
 */
#ifndef POOL_ZSMALLOC_I_H
#define POOL_ZSMALLOC_I_H

#include "arena_i.h"
#include "lock.h"
#include "zsmalloc.h"

#define ZS_POOL_MAGIC	UINT64_C(0x6c6f6f702d737a01)
#define ZS_POOL_VERSION 4u

#define ZS_GROUP_EMPTY	     0u
#define ZS_GROUP_ALMOST_FULL 9u /* the first of those above 3/4 */
#define ZS_GROUP_99	     11u
#define ZS_GROUP_FULL	     12u
#define ZS_NR_GROUPS	     13u

#define ZS_CHUNK_UNIT 16u /* sizes and places of chunks are multiples of it */

/* A magazine is filled and emptied by half of it at a time. */
#define ZS_MAGAZINE	  64u
#define ZS_MAGAZINE_BATCH 32u
#define ZS_MAX_HANDLE	  UINT64_C(0x7fffffff)

#define CELL_SIZE_SHIFT 38
#define CELL_TAG_SHIFT	50
#define CELL_REF_SHIFT	54
#define CELL_LOC_MASK	((UINT64_C(1) << CELL_SIZE_SHIFT) - 1)
#define CELL_ONE_REF	(UINT64_C(1) << CELL_REF_SHIFT)
#define CELL_MAX_REFS	1023u

_Static_assert(ARENA_SIZE / ZS_CHUNK_UNIT <= CELL_LOC_MASK + 1,
	       "a location must reach the whole arena");

union zs_group {
	struct {
		uint32_t head;	/* pfn of the first zspage, 0 = none */
		uint32_t count; /* zspages */
	};
	uint64_t word;
};

/* A class's half in the arena; all under the class lock. */
struct zs_class_root {
	union zs_group group[ZS_NR_GROUPS];
	/* In the cache line of the fullest groups, which change with them. */
	uint64_t objs_used;
	uint64_t payload; /* bytes of them */
	uint64_t unused;
};

struct zs_pool_root {
	/* Fixed at creation; zs_pool_magic() is written last. */
	uint64_t magic;
	uint32_t version;
	uint32_t chain_size;
	uint32_t root_size; /* sizeof of this and of struct zs_class_root */
	uint32_t class_size;

	/* handle_lock */
	uint32_t handle_free __attribute__((aligned(64))); /* first, 0 = none */
	uint32_t handles_free; /* how many are in that list */
	uint64_t handle_next;  /* lowest handle never used; read atomically */

	/* Read atomically. The first by whoever has all readers' locks, */
	uint64_t pages_compacted;
	/* and these under that of reader 0. */
	uint64_t compactions;
	uint64_t last_compacted;

	/* Only for zs_destroy_pool(). */
	uint64_t doomed_ref;
	/*
	 * Free handles are in no list, and those in magazines are not meant:
	 * zs_trim_handles() was killed. All class locks and handle_lock.
	 */
	uint64_t relinking;

	/* Indexed by the slot of the class. */
	struct zs_class_root class[ZS_SIZE_CLASSES]
		__attribute__((aligned(64)));
};

/* A distinct class, the process's half. All fixed but the lock. */
struct size_class {
	struct zs_lock lock;
	uint16_t index;		   /* highest of the merged indices */
	uint16_t size;		   /* chunk bytes */
	uint16_t pages;		   /* per zspage */
	uint16_t objs;		   /* per zspage */
	uint16_t almost_empty_max; /* most objects of an "almost empty" one */
	uint8_t slot; /* in zs_pool.class[] and in page_desc.class */
	bool huge;
	/* ceil(2^32 / x), to divide numbers below 2^16 by 2 <= x <= 256 */
	uint32_t unit_recip; /* x = size / ZS_CHUNK_UNIT */
	uint32_t objs_recip; /* x = objs; 0 in the huge class */
	struct zs_class_root *root;
} __attribute__((aligned(64)));

/* Held while a thread reads or writes an object; see "Reading pins". */
struct zs_reader {
	struct zs_lock lock;
} __attribute__((aligned(64)));

struct zs_pool {
	struct arena *arena;
	struct zs_pool_root *root;
	struct zs_reader *reader; /* one per arena thread */
	unsigned nr_readers;
	unsigned nr_classes;
	size_t huge_size; /* smallest payload of the huge class */
	uint8_t slot_of[ZS_SIZE_CLASSES]; /* index -> class[] */
	struct zs_lock handle_lock __attribute__((aligned(64)));
	bool compacting;     /* atomic */
	unsigned stepping;   /* atomic: threads in zs_compact_step() */
	unsigned next_class; /* atomic: where the next step looks first */
	struct size_class class[ZS_SIZE_CLASSES];
};

/*
 * With another number of pages all objects would be looked for elsewhere, and
 * new ones put over them: so it is said twice.
 */
static inline uint64_t zs_pool_magic(uint32_t chain_size)
{
	return ZS_POOL_MAGIC ^ (uint64_t)chain_size << 32;
}

/* A zspage in hand: its first page's number and descriptor. */
struct zspage {
	struct page_desc *desc;
	uint32_t pfn;
};

/* Cells. */

static inline uint64_t cell_make(uint64_t loc, size_t size, unsigned tag)
{
	return CELL_ONE_REF | (uint64_t)tag << CELL_TAG_SHIFT |
	       (uint64_t)(size - 1) << CELL_SIZE_SHIFT | loc;
}

static inline bool cell_live(uint64_t cell)
{
	return cell >> CELL_REF_SHIFT != 0;
}

/* How many refs own the object. */
static inline uint32_t cell_refs(uint64_t cell)
{
	return (uint32_t)(cell >> CELL_REF_SHIFT);
}

static inline uint64_t cell_loc(uint64_t cell)
{
	return cell & CELL_LOC_MASK;
}

static inline uint32_t cell_size(uint64_t cell)
{
	return (uint32_t)(cell >> CELL_SIZE_SHIFT & 0xfff) + 1;
}

static inline uint32_t cell_tag(uint64_t cell)
{
	return (uint32_t)(cell >> CELL_TAG_SHIFT & ZS_MAX_TAG);
}

/* The chunk a cell points at. */
static inline void *cell_chunk(uint64_t cell)
{
	return (void *)(uintptr_t)(ARENA_BASE + cell_loc(cell) * ZS_CHUNK_UNIT);
}

static inline uint64_t chunk_loc(const void *chunk)
{
	return ((uint64_t)(uintptr_t)chunk - ARENA_BASE) / ZS_CHUNK_UNIT;
}

static inline uint64_t cell_pfn(uint64_t cell)
{
	return cell_loc(cell) / (ARENA_PAGE_SIZE / ZS_CHUNK_UNIT);
}

/* Has this handle a cell that may be looked at? For any value. */
static inline bool handle_valid(const struct zs_pool *pool, uint32_t handle)
{
	return handle && handle < __atomic_load_n(&pool->root->handle_next,
						  __ATOMIC_RELAXED);
}

/* Compaction may be changing the location meanwhile, but nothing else. */
static inline uint64_t cell_load(uint32_t handle)
{
	return __atomic_load_n(arena_handle_cell(handle), __ATOMIC_RELAXED);
}

/* May the next object have this handle? For any value. */
static inline bool handle_is_free(const struct zs_pool *pool, uint32_t handle)
{
	return handle_valid(pool, handle) && !cell_live(cell_load(handle));
}

/* Of a free handle, whose cell only the dead may still name. */
static inline void cell_set_free(uint32_t handle, uint32_t next)
{
	__atomic_store_n(arena_handle_cell(handle), next, __ATOMIC_RELAXED);
}

/* Under the class lock, in the critical section of @u. */
static inline void cell_store(struct undo_log *u, uint32_t handle, uint64_t val)
{
	uint64_t *cell = arena_handle_cell(handle);

	undo_save_word(u, cell);
	__atomic_store_n(cell, val, __ATOMIC_RELAXED);
}

/* Heads. */

static inline uint64_t head_make(uint32_t handle, uint32_t word)
{
	return (uint64_t)word << 32 | (uint64_t)handle << 1 | 1;
}

/* Is this the head of a live object with this handle? */
static inline bool head_names(uint64_t head, uint32_t handle)
{
	return (uint32_t)head == (handle << 1 | 1);
}

static inline uint32_t head_handle(uint64_t head)
{
	return (uint32_t)head >> 1;
}

static inline uint32_t head_word(uint64_t head)
{
	return (uint32_t)(head >> 32);
}

/* What a free chunk holds that is not the last one. */
static inline uint64_t link_make(uint16_t next)
{
	return (uint64_t)(uint16_t)(next + 1) << 1;
}

static inline uint16_t link_next(uint64_t link)
{
	return (uint16_t)((link >> 1) - 1);
}

/* Classes. */

/* @n / x, for @n below 2^16 and the reciprocal of an x of at most 256. */
static inline unsigned recip_div(unsigned n, uint32_t recip)
{
	return (unsigned)((uint64_t)n * recip >> 32);
}

/* Index of the class for a chunk of @chunk bytes. */
static inline unsigned size_class_index(size_t chunk)
{
	size_t i;

	if (chunk <= ZS_MIN_ALLOC_SIZE)
		return 0;
	i = (chunk - ZS_MIN_ALLOC_SIZE + ZS_SIZE_CLASS_DELTA - 1) /
	    ZS_SIZE_CLASS_DELTA;
	return i < ZS_SIZE_CLASSES ? (unsigned)i : ZS_SIZE_CLASSES - 1;
}

/* The class for @size bytes of payload. */
static inline struct size_class *size_class_for(struct zs_pool *pool,
						size_t size)
{
	return &pool->class[pool->slot_of[size_class_index(size +
							   ZS_HEAD_SIZE)]];
}

/*
 * The class of a live handle. The size never changes, so this needs no lock,
 * even while compaction is moving the object.
 */
static inline struct size_class *cell_class(struct zs_pool *pool, uint64_t cell)
{
	return size_class_for(pool, cell_size(cell));
}

/* Objects. */

static inline uint64_t *chunk_head(const struct size_class *class, void *chunk)
{
	if (class->huge)
		return &page_desc_of(addr_to_pfn(chunk))->head;
	return chunk;
}

static inline void *chunk_payload(const struct size_class *class, void *chunk)
{
	return class->huge ? chunk : (char *)chunk + ZS_HEAD_SIZE;
}

static inline void *zspage_chunk(const struct size_class *class,
				 struct zspage zp, unsigned obj)
{
	return (char *)pfn_to_addr(zp.pfn) + (size_t)obj * class->size;
}

static inline struct zspage zspage_at(uint32_t pfn)
{
	return (struct zspage){.desc = page_desc_of(pfn), .pfn = pfn};
}

/* The zspage that contains a live object. */
static inline struct zspage zspage_of_cell(uint64_t cell)
{
	uint32_t pfn = (uint32_t)cell_pfn(cell);
	struct page_desc *desc = page_desc_of(pfn);
	unsigned off = desc->run_off;

	return (struct zspage){.desc = desc - off, .pfn = pfn - off};
}

/* Number of the chunk at @chunk in its zspage. */
static inline unsigned zspage_obj_index(const struct size_class *class,
					struct zspage zp, const void *chunk)
{
	size_t off = (size_t)((const char *)chunk -
			      (const char *)pfn_to_addr(zp.pfn));

	return recip_div((unsigned)(off / ZS_CHUNK_UNIT), class->unit_recip);
}

/* The cell of the live object at @chunk; 0 if there is none. */
static inline uint64_t chunk_cell(const struct zs_pool *pool,
				  const struct size_class *class, void *chunk)
{
	uint64_t head = *chunk_head(class, chunk), cell;

	if (!(head & 1) || !handle_valid(pool, head_handle(head)))
		return 0;
	cell = cell_load(head_handle(head));
	return cell_live(cell) && cell_chunk(cell) == chunk ? cell : 0;
}

/* The group of a zspage with @inuse objects. */
static inline unsigned zspage_group(const struct size_class *class,
				    unsigned inuse)
{
	if (inuse == class->objs)
		return ZS_GROUP_FULL;
	if (inuse == 0)
		return ZS_GROUP_EMPTY;
	return recip_div(10 * inuse, class->objs_recip) + 1 +
	       (inuse > class->almost_empty_max);
}

/* The fullness (zsmalloc.h) that a group is all or a part of. */
static inline unsigned group_fullness(unsigned group)
{
	return group < ZS_GROUP_ALMOST_FULL ? group : group - 1;
}

static inline bool group_has_list(unsigned group)
{
	return group != ZS_GROUP_EMPTY && group != ZS_GROUP_FULL;
}

static inline uint64_t class_zspages(const struct size_class *class)
{
	uint64_t n = 0;

	for (unsigned g = 0; g < ZS_NR_GROUPS; g++)
		n += class->root->group[g].count;
	return n;
}

/* size_class.c */
void zs_init_classes(struct zs_pool *pool, unsigned chain_size);

/* zspage.c; all but zspage_init() under the class lock, in a section of @u. */

/* Thread the free list through a new run that nobody can reach. */
void zspage_init(const struct size_class *class, struct zspage zp);
/*
 * Make an empty zspage, which is in no group, the thread's pending run. The
 * caller commits, leaves the class and gives that run back to the arena.
 */
void zspage_retire(struct undo_log *u, struct arena_thread *t,
		   const struct size_class *class, struct zspage zp);
/* The fullest zspage with a free chunk but @skip (a pfn); pfn 0 if none. */
uint32_t zspage_find_fullest(const struct size_class *class, uint32_t skip);
/* The zspage with the fewest objects, nearly; pfn 0 if all are full. */
uint32_t zspage_find_emptiest(const struct size_class *class);
/*
 * May a chunk of it be taken? Mends its list of free chunks if that is damaged,
 * unless there are not as many as it says.
 */
bool zspage_can_give(struct zs_pool *pool, const struct size_class *class,
		     struct zspage zp);
/*
 * Take a free chunk, of a zspage that can give one, and give it the head @head.
 * Neither this nor obj_put() counts objects and payload of the class.
 */
void *obj_take(struct undo_log *u, const struct size_class *class,
	       struct zspage zp, uint64_t head);
/*
 * Put a chunk back. Of a zspage that becomes empty the chunk is left as it is:
 * zspage_retire() must follow.
 */
void obj_put(struct undo_log *u, const struct size_class *class,
	     struct zspage zp, void *chunk);

/* handle.c */

/*
 * Fill the thread's empty magazine. 0, -ENOSPC, -ENOMEM. The undo log must be
 * empty. Takes the handle lock.
 */
int zs_handles_refill(struct zs_pool *pool, struct arena_thread *t);
/* Make room in the thread's full magazine. As above, but never fails. */
void zs_handles_flush(struct zs_pool *pool, struct arena_thread *t);

/* How many handles @t has ready. Its owner may look without a lock. */
static inline uint64_t magazine_count(const struct arena_thread *t)
{
	return __atomic_load_n(&t->shared->nr_handles, __ATOMIC_RELAXED);
}

static inline void magazine_set_count(struct undo_log *u,
				      struct arena_thread *t, uint64_t n)
{
	undo_save_word(u, &t->shared->nr_handles);
	__atomic_store_n(&t->shared->nr_handles, n, __ATOMIC_RELAXED);
}

/* The handle that magazine_pop() takes. Under a class lock. */
static inline uint32_t magazine_top(const struct arena_thread *t)
{
	uint64_t n = magazine_count(t);

	assert(n > 0 && n <= ZS_MAGAZINE);
	return t->shared->handles[n - 1];
}

/* Both: the caller has saved the count. Under a class lock. */
static inline void magazine_pop(struct arena_thread *t)
{
	undo_change(&t->shared->nr_handles, magazine_count(t) - 1);
}

/*
 * Into a magazine that has room. What is above the count is not part of the
 * state, so it needs not be saved.
 */
static inline void magazine_push(struct arena_thread *t, uint32_t handle)
{
	uint64_t n = magazine_count(t);

	assert(n < ZS_MAGAZINE);
	t->shared->handles[n] = handle;
	undo_change(&t->shared->nr_handles, n + 1);
}

/* The class has one object of @size bytes more; both counts are saved. */
static inline void class_add_object(const struct size_class *class,
				    uint64_t size)
{
	struct zs_class_root *root = class->root;

	undo_change(&root->objs_used, root->objs_used + 1);
	undo_change(&root->payload, root->payload + size);
}

/* One less, as above. */
static inline void class_remove_object(const struct size_class *class,
				       uint64_t size)
{
	struct zs_class_root *root = class->root;

	undo_change(&root->objs_used, root->objs_used - 1);
	undo_change(&root->payload, root->payload - size);
}

/* pool_stats.c */

/* Pages of this class that compaction could free. Under the class lock. */
uint64_t zs_class_freeable_locked(const struct size_class *class);

/* verify.c */

/*
 * Check one zspage in itself, and that its objects' cells point back. Under
 * the class lock.
 */
int zspage_check(struct zs_pool *pool, const struct size_class *class,
		 struct zspage zp, char *msg, size_t size);

/* At debug level 3, do so after every change of a zspage. */
#if ZS_DEBUG_LEVEL >= 3
void zspage_assert(struct zs_pool *pool, const struct size_class *class,
		   struct zspage zp);
#else
static inline void zspage_assert(struct zs_pool *pool,
				 const struct size_class *class,
				 struct zspage zp)
{
}
#endif

#endif
