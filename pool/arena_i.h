/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Inside of the arena: its layout, and what the files of pool/ share.
 *
 * Offsets in the file (and from ARENA_BASE in the mapping)
 *   0                   header, threads' shared halves, root area
 *   window - ...        segment descriptors, growing downwards
 *   window + ...        handle cells of 8 bytes, growing upwards
 *   data                segments, to the end
 * window and data depend on the size of the arena (struct arena_place).
 * Both windows start in the same 2 MiB, so a small arena spends one huge page
 * on them where they are on huge pages.
 *
 * Terms (beside those of arena.h)
 *   present  a page is present when the file holds memory for it. Only present
 *            pages may be touched: anything else may be SIGBUS.
 *   hole     a longest row of pages that are not present in a segment that has
 *            present ones; never under ARENA_MIN_HOLE pages. A hole is filled
 *            as a whole, because on huge pages the kernel would fill more than
 *            a part of it anyway.
 *   bin      list of segments by what they can give (segment.c)
 *   intent   the one change of the file's backing that is under way; set
 *            before the kernel is asked, cleared when the books agree again
 *
 * Locks: grow_lock before run_lock. slab_lock[] are leaves of their own; no
 * other lock is taken under them.
 */
#ifndef POOL_ARENA_I_H
#define POOL_ARENA_I_H

#include <pthread.h>

#include "arena.h"
#include "lock_rank.h"
#include "undo.h"

#define ARENA_MAGIC   UINT64_C(0x616e657261667a31)
#define ARENA_VERSION 4u

#define ARENA_MAX_ROOT	  (UINT64_C(1) << 30)
#define ARENA_MAX_THREADS 512u
#define ARENA_MIN_HOLE	  4u

/*
 * Steps in which root area and windows are backed. They are small, and on small
 * pages where the segments are on huge ones, too: what most mounts need of them
 * is far less than a huge page. Kernels that cannot be asked for that (before
 * 5.14) give huge pages, and then they are taken as a whole.
 */
#define ARENA_STEP	(UINT64_C(64) << 10)
#define ARENA_HUGE_STEP ((uint64_t)ARENA_SEG_SIZE)

/*
 * Where things are in the arena that this process has mapped: there is only one
 * address for it, so there is only one.
 */
struct arena_place {
	uint64_t size;
	uint64_t window; /* between descriptors and handle cells */
	uint64_t handles_end;
	uint64_t data_pfn; /* first page of the first segment */
	uint32_t max_segs;
};

extern struct arena_place arena_place __attribute__((visibility("hidden")));

/*
 * The shared half of a thread: in the arena, found again by its number.
 * All words but the undo log are only changed under it.
 */
struct arena_thread_shared {
	/* A run taken from the arena or going back that nothing names yet. */
	uint64_t pending_run;
	/* Free handles kept ready by the pool (see zsmalloc.h). */
	uint64_t nr_handles;
	uint32_t handles[64];
	struct undo_log undo; /* of the one critical section that is open */
	struct undo_entry undo_room[126];
};

struct arena_thread {
	struct arena_thread_shared *shared;
	unsigned nr; /* its number, 0 .. arena_params.nr_threads - 1 */
	/* Of what the thread allocates now. Private to the thread. */
	enum arena_claim claim;
	/*
	 * With a claim above ARENA_NEW: bytes that it may go beyond the limit,
	 * because more was in use when the limit was set. Private to the
	 * thread.
	 */
	uint64_t over_limit;
	/*
	 * Bytes that it may still take of what was promised; the owner's to
	 * set, else run_lock.
	 */
	uint64_t redeem;
	bool transient; /* arena_thread_transient(); the thread's own */
	bool modest;	/* arena_thread_modest(); the same */
};

#define MAP_WORDS (ARENA_SEG_PAGES / 64)
/* Entries of a thread's undo log. */
#define UNDO_ROOM                                                              \
	(sizeof(((struct arena_thread_shared *)0)->undo_room) /                \
	 sizeof(struct undo_entry))

/* page_desc.class of a slab page that belongs to no cache (yet). */
#define SLAB_NO_CACHE 0xff
#define NO_FREE_OBJ   0xffff

/*
 * Descriptor of one page. A free or absent page has all zeros in `word`.
 * arena_run_alloc() sets type and run_off of every page of the run and zeros
 * all else; from then on the fields belong to the run's owner, who leaves
 * type and run_off alone. arena_run_free() zeros them again.
 */
struct page_desc {
	union {
		struct {
			uint32_t next; /* pfn, 0 = none */
			uint32_t prev;
		};
		uint64_t head; /* huge class: the object's head */
	};
	union {
		struct {
			uint16_t inuse;	  /* objects in use */
			uint16_t freeobj; /* first free, or NO_FREE_OBJ */
			uint8_t type;	  /* enum arena_page_type */
			uint8_t class;	  /* size class or slab cache */
			uint8_t run_off;  /* of this page in its run */
			uint8_t group;	  /* fullness group */
		};
		uint64_t word;
	};
};

/* Links are segment number + 1, 0 = none. All under run_lock. */
struct segment {
	uint64_t free[MAP_WORDS]; /* present and in no run */
	uint64_t present[MAP_WORDS];
	uint64_t record[MAP_WORDS]; /* SLAB_RECORD slabs; that cache's lock */
	uint32_t next;		    /* in its bin */
	uint32_t prev;
	uint32_t hole_next; /* segments in use that have holes */
	uint32_t hole_prev;
	uint16_t nr_free;
	uint16_t nr_present;
	uint8_t max_run;   /* longest free run, at most ARENA_MAX_RUN */
	uint8_t bin;	   /* BIN_* */
	uint8_t transient; /* bool: for what is, until nothing is in use */
	uint8_t pad;
	uint64_t unused[5];
	struct page_desc desc[ARENA_SEG_PAGES];
};

/*
 * Bins, by what a segment can give; every segment that exists and is not full
 * is in the list of one. Bins 1 to 15: the longest free run has as many pages.
 */
enum {
	BIN_NONE = 0, /* full */
	BIN_RUN = 1,
	BIN_NR = 16,   /* 8 bins: longest run 16 and more, by free pages / 64 */
	BIN_FREE = 24, /* wholly present and free */
	BIN_FREE_HOLED = 25, /* nothing in use, but with holes: to be dropped */
	BIN_ABSENT = 26,     /* nothing present */
	BIN_TRANSIENT = 27,  /* in use for what is transient */
	NR_BINS = 28,
};

/* The lock of a cache is arena.slab_lock[cache]. */
struct slab_head {
	uint32_t partial; /* pfn of the first slab with free and used objects */
	uint32_t spare;	  /* pfn of an empty slab kept at hand, 0 = none */
	uint64_t slabs;	  /* pages, with the spare */
	uint64_t objs;	  /* objects in use */
	uint64_t unused[5];
};

/* What the kernel is being asked for; see arena_header.intent. */
enum arena_intent {
	INTENT_NONE,
	INTENT_GROW,	    /* back an absent segment */
	INTENT_DROP,	    /* give a whole segment back */
	INTENT_FILL,	    /* back the hole at a page */
	INTENT_PUNCH,	    /* make a hole at a page */
	INTENT_WINDOW_LOW,  /* one more step of descriptors */
	INTENT_WINDOW_HIGH, /* one more step of handle cells */
	/* Steps: the number is where others have the segment. */
	INTENT_TRIM_HANDLES, /* drop all steps but the first and so many */
	INTENT_TRIM_DESCS,   /* drop so many that the books have left */
};

#define INTENT_MAKE(op, seg, page, nr)                                         \
	((uint64_t)(op) << 56 | (uint64_t)(seg) << 24 | (page) << 12 |         \
	 (uint64_t)(nr))
#define INTENT_OP(i)   ((unsigned)((i) >> 56))
#define INTENT_SEG(i)  ((uint32_t)((i) >> 24))
#define INTENT_PAGE(i) ((unsigned)((i) >> 12) & 0xfff)
#define INTENT_NR(i)   ((unsigned)(i)&0xfff)

struct arena_header {
	/* Fixed at creation. */
	uint64_t magic;
	uint32_t version;
	uint32_t page_size;
	uint64_t base;
	uint64_t size;
	uint32_t header_size; /* sizeof of every struct in the arena */
	uint32_t thread_size;
	uint32_t segment_size;
	uint32_t desc_size;
	uint32_t record_size;
	uint32_t nr_caches;
	uint32_t nr_threads;
	uint32_t huge;
	uint64_t threads_off;
	uint64_t root_off;
	uint64_t root_size;
	uint64_t root_bytes; /* backed from offset 0 */
	uint64_t step;	     /* in which the windows grow */

	/* Single words, changed at any time, atomically. */
	uint64_t limit __attribute__((aligned(64)));
	uint64_t reserve;
	uint64_t late;

	/* grow_lock */
	uint64_t intent;

	/* run_lock; window_*, nr_segs and handles_backed also grow_lock */
	uint64_t used __attribute__((aligned(64))); /* bytes backed */
	uint64_t used_max;
	uint64_t in_use;	 /* pages in runs */
	uint64_t free_pages;	 /* present pages in no run */
	uint64_t free_transient; /* of them, those in BIN_TRANSIENT */
	uint64_t hole_pages; /* pages of the holes in that list's segments */
	uint64_t segments;   /* with at least one present page */
	uint64_t free_segs;  /* of them, with no page in use */
	uint64_t given_back; /* pages, ever */
	uint64_t nr_segs;    /* segments ever used; read atomically */
	uint64_t pages[ARENA_NR_PAGE_TYPES]; /* in runs, by type */
	uint64_t window_low;  /* offset of the lowest backed descriptor byte */
	uint64_t window_high; /* offset behind the last backed cell byte */
	uint64_t handles_backed; /* touchable cells; read atomically */
	uint32_t hole_head;	 /* list of segments in use with holes */
	uint32_t bin[NR_BINS];

	struct slab_head slab[SLAB_NR_CACHES] __attribute__((aligned(64)));
};

/* The process's half of the arena. */
struct arena {
	struct arena_header *hdr;
	struct arena_thread *threads;
	unsigned nr_threads; /* as when it was attached, whatever hdr says */
	int fd;
	pthread_mutex_t grow_lock; /* changes of backing, one at a time */
	/*
	 * Bytes that the file holds beyond the books, because the kernel did
	 * not take them back when it was asked. grow_lock.
	 */
	uint64_t excess;
	pthread_mutex_t run_lock;
	uint64_t promised; /* bytes, arena_promise(); run_lock */
	uint64_t keep;	   /* bytes, arena_set_keep(); run_lock */
	uint64_t growth;   /* bytes, arena_add_growth(); atomic */
	pthread_mutex_t slab_lock[SLAB_NR_CACHES];
};

static inline uint64_t round_up(uint64_t n, uint64_t to)
{
	return (n + to - 1) / to * to;
}

/* What is backed on each side of the window at creation. */
static inline uint64_t arena_first_step(uint64_t step)
{
	return step == ARENA_HUGE_STEP ? step / 2 : step;
}

/* Page numbers and addresses. */

static inline void *pfn_to_addr(uint64_t pfn)
{
	return (void *)(uintptr_t)(ARENA_BASE + pfn * ARENA_PAGE_SIZE);
}

static inline uint64_t addr_to_pfn(const void *p)
{
	return ((uint64_t)(uintptr_t)p - ARENA_BASE) / ARENA_PAGE_SIZE;
}

static inline uint64_t seg_pfn(uint32_t seg)
{
	return arena_place.data_pfn + (uint64_t)seg * ARENA_SEG_PAGES;
}

static inline uint32_t pfn_seg(uint64_t pfn)
{
	return (uint32_t)((pfn - arena_place.data_pfn) / ARENA_SEG_PAGES);
}

static inline uint64_t seg_offset(uint32_t seg)
{
	return seg_pfn(seg) * ARENA_PAGE_SIZE;
}

/* Of one of its pages. */
static inline uint64_t seg_page_offset(uint32_t seg, unsigned page)
{
	return (seg_pfn(seg) + page) * ARENA_PAGE_SIZE;
}

static inline struct segment *segment_of(uint32_t seg)
{
	return (struct segment *)(uintptr_t)(ARENA_BASE + arena_place.window) -
	       (seg + UINT64_C(1));
}

/* Descriptor of a page of a segment that exists (pfn_valid()). */
static inline struct page_desc *page_desc_of(uint64_t pfn)
{
	return &segment_of(pfn_seg(pfn))->desc[pfn % ARENA_SEG_PAGES];
}

static inline uint64_t arena_nr_segs(const struct arena *a)
{
	return __atomic_load_n(&a->hdr->nr_segs, __ATOMIC_RELAXED);
}

/* Has this page a descriptor that may be looked at? For any value. */
static inline bool pfn_valid(const struct arena *a, uint64_t pfn)
{
	return pfn >= arena_place.data_pfn &&
	       (pfn - arena_place.data_pfn) / ARENA_SEG_PAGES <
		       arena_nr_segs(a);
}

/* Is this page present and part of a run? At rest, or as the run's owner. */
static inline bool pfn_in_use(const struct arena *a, uint64_t pfn)
{
	const struct segment *s;
	unsigned bit = pfn % ARENA_SEG_PAGES;

	if (!pfn_valid(a, pfn))
		return false;
	s = segment_of(pfn_seg(pfn));
	return (s->present[bit / 64] & ~s->free[bit / 64]) >> (bit % 64) & 1;
}

static inline uint64_t run_ref(uint64_t pfn, unsigned pages)
{
	return REF_MAKE(REF_RUN, pfn << 8 | pages);
}

static inline uint64_t run_ref_pfn(uint64_t ref)
{
	return REF_VALUE(ref) >> 8;
}

/*
 * Begin a critical section: the thread's undo log, which must be empty. End it
 * with undo_commit() before the lock that protects the words is released.
 */
static inline struct undo_log *undo_begin(struct arena_thread *t)
{
	assert(t->shared->undo.n == 0);
	return &t->shared->undo;
}

/* Save the word around a field, then set the field. */
#define UNDO_SET(u, p, val)                                                    \
	do {                                                                   \
		undo_save((u), (p));                                           \
		*(p) = (__typeof__(*(p)))(val);                                \
	} while (0)

/* Say what the kernel is about to be asked for, or 0 when it is done. */
static inline void arena_set_intent(struct arena *a, uint64_t intent)
{
	undo_barrier();
	a->hdr->intent = intent;
	undo_barrier();
	zs_crash_point();
}

/* The handle window, for the pool. */

/* Cell of handle @h; h < arena_handles_backed(). */
static inline uint64_t *arena_handle_cell(uint32_t h)
{
	return (uint64_t *)(uintptr_t)(ARENA_BASE + arena_place.window) + h;
}

/* Cells that may be touched: 0 .. this - 1. New ones are zero. */
static inline uint64_t arena_handles_backed(const struct arena *a)
{
	return __atomic_load_n(&a->hdr->handles_backed, __ATOMIC_ACQUIRE);
}

/*
 * Back one more step of the handle window. 0, -ENOSPC at the limit or when all
 * 2^31 cells are backed, -ENOMEM. Takes growth and run locks; the thread's
 * undo log must be empty.
 */
int arena_grow_handles(struct arena *a, struct arena_thread *t);

/*
 * Give back the steps of the handle window, but the first, that have none of
 * the cells 0 .. @cells - 1. For a pool in which the handles of the others are
 * not in use and whose own books (free list, threads' spare handles) already
 * say so: a kill in here may leave some of their cells zeroed and still backed.
 * Takes growth and run locks.
 */
void arena_trim_handles(struct arena *a, struct arena_thread *t,
			uint64_t cells);
/* Would that give something back? Takes no lock. */
bool arena_can_trim_handles(struct arena *a, uint64_t cells);

/* Files of the arena among each other. */

/* arena_map.c: the file and its mapping. */
/* An empty file of @size bytes, or -errno. The caller's. */
int arena_make_file(const struct arena_params *params, uint64_t size);
/* Does the kernel back this file in huge pages? Probes an empty file. */
int arena_probe_huge(int fd, const struct arena_place *p, bool *huge);
/* Map it, and have arena_place say how. */
int arena_map(int fd, const struct arena_place *p);
/*
 * Does the kernel give the fixed parts of this file, which is mapped and empty
 * and on huge pages, small ones? Backs the first ARENA_STEP of it then.
 */
bool arena_probe_small(int fd);
/*
 * As arena_back(), of root area or windows, in pages as @h says. They are
 * mapped.
 */
int arena_back_fixed(int fd, const struct arena_header *h, uint64_t off,
		     uint64_t len);
void arena_unmap(void);
/*
 * Unback a part of a segment that has left the books already. The kernel must
 * split huge pages for it, and does not while one is looked at by somebody
 * (a page fault in another thread is enough), so this looks whether it did,
 * and tries again for a while. Under grow_lock.
 */
void arena_punch(struct arena *a, uint64_t off, uint64_t len);
/* Bytes that the file holds and the books do not; 0 if that cannot be told. */
uint64_t arena_excess(const struct arena *a);
/* Map what is backed, so that nobody has to fault it in page by page. */
void arena_populate(uint64_t off, uint64_t len);
/*
 * Segments all of whose pages are present may be mapped by huge pages, where
 * the file has such: random reads are 1.5 times as fast then, long ones 2.5
 * times. Others may not: khugepaged fills the holes of any mapping that does
 * not say so until it can have a huge page there, and what the books call
 * absent would take memory again. So the mapping begins with wanting small
 * pages; segments that a successor finds whole want huge ones until they get a
 * hole. A wish that cannot be noted (too many mappings) is one for small pages.
 */
void arena_want_huge(uint64_t off, uint64_t len);
void arena_want_small(uint64_t off, uint64_t len);
/*
 * As arena_populate(), of whole segments of file @fd that nobody uses yet, by
 * huge pages, which stay when small ones are wanted.
 */
void arena_populate_huge(int fd, uint64_t off, uint64_t len);

/* arena_trim.c */
/*
 * Punch all that the books call absent once more, if the file holds more than
 * they say: who is killed at that, or looked on too long, leaves some behind.
 * Takes the growth lock.
 */
void arena_punch_absent(struct arena *a);

/* arena_place.c */
/* Where the root area begins. */
uint64_t arena_root_offset(unsigned nr_threads);
/*
 * Where the parts of an arena of @size bytes lie whose root area ends at
 * @root_end. 0, or -EINVAL when there is too little room.
 */
int arena_plan_place(uint64_t size, uint64_t root_end, struct arena_place *p);

/* arena_bound.c */
/* Bytes of the limit that a thread may fill; UINT64_MAX = no limit. */
uint64_t arena_bound(const struct arena *a, const struct arena_thread *t);
/* Bytes of it that are kept for ARENA_GROW. */
uint64_t arena_kept_growth(const struct arena *a);
/* Bytes that are neither in runs nor free pages. */
uint64_t arena_fixed_bytes_locked(const struct arena *a);
/*
 * Is there room for @bytes more that stay, beside what was promised to others?
 * Who has the claim ARENA_RESERVE, and takes nothing that was promised, may use
 * that room, too, for a while.
 */
bool arena_within_bound_locked(const struct arena *a,
			       const struct arena_thread *t, uint64_t bytes);
/*
 * Bytes that are backed and may be taken for what is transient. (Free segments
 * with holes count as whole; they do not stay.)
 */
uint64_t arena_transient_locked(const struct arena *a);
/* @t has taken @bytes: of what was promised to it, as far as that goes. */
void arena_redeem_locked(struct arena *a, struct arena_thread *t,
			 uint64_t bytes);

/* growth.c */
/* Back more pages, on the way to a free run of @pages; called until one is. */
int arena_grow(struct arena *a, struct arena_thread *t, unsigned pages);
/*
 * Give back whole free segments: those above the level that is kept, or all.
 * Returns the pages given back.
 */
uint64_t arena_shrink(struct arena *a, struct arena_thread *t, bool all);
/* Is there something that arena_shrink() would give back? */
bool arena_can_shrink_locked(const struct arena *a, bool all);
/*
 * May the calling thread use @bytes more of the limit? Gives back free segments
 * where that makes it so. Under grow_lock.
 */
bool arena_make_room(struct arena *a, struct arena_thread *t, uint64_t bytes);
/* arena_stats.c: as arena_available(). */
uint64_t arena_available_locked(const struct arena *a);

/* Bytes of segments that growing may bring when @bytes more may be used. */
uint64_t arena_growable_locked(const struct arena *a, uint64_t bytes);

/* window.c; under grow_lock */
int arena_grow_window(struct arena *a, struct arena_thread *t,
		      enum arena_intent op);
/* Bytes of the descriptor window's steps that @segs more segments need. */
uint64_t arena_window_need(const struct arena *a, uint64_t segs);

/*
 * Unback the handle window but its first step and @steps more, and clear the
 * intent.
 */
void arena_drop_handles(struct arena *a, struct arena_thread *t,
			uint64_t steps);
/* How many steps, beside the first, the cells 0 .. @cells - 1 take. */
uint64_t arena_handle_steps(const struct arena *a, uint64_t cells);
/*
 * Forget the last segments, as far as nothing of them is present, and give back
 * the steps of descriptors that no segment needs then. Returns the pages given
 * back. Takes growth and run locks.
 */
uint64_t arena_trim_descriptors(struct arena *a, struct arena_thread *t);
/* Unback @steps steps of descriptors that the books have left. */
void arena_drop_descriptors(struct arena *a, uint64_t steps);

/* arena_recover.c */
/* Bring the arena of a dead process into a consistent state; sound header. */
int arena_repair(struct arena *a);

/*
 * arena_sound.c: may recovery go by what is there? First by the logs, and when
 * they are rolled back by the rest.
 */
bool arena_has_sound_logs(const struct arena *a);
bool arena_has_sound_books(const struct arena *a);
/* Does @ref own a run? For any value; at rest, or with run_lock. */
bool arena_is_run(const struct arena *a, uint64_t ref);

/* slab.c */
/* Give back the empty slabs kept at hand. */
void slab_drop_spares(struct arena *a, struct arena_thread *t);
unsigned slab_objs_per_page(enum slab_cache cache);

/* arena_verify.c */
/* Write the sentence and return -EUCLEAN. */
int arena_broken(char *msg, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
