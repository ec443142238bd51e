/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Arena: all memory that must outlive the process, in one shareable file.
 *
 * Terms
 *   arena    one file in memory (an unlinked file on a private huge-page tmpfs
 *            where that is permitted, else a memfd), mapped MAP_SHARED at one
 *            fixed address, so that a pointer into it means the same in every
 *            process that maps it.
 *   segment  2 MiB of the arena; memory is got from and given back to the
 *            kernel in segments.
 *   run      1 to 16 contiguous pages of one segment.
 *   page     4096 bytes, named by its page number (pfn): offset / 4096. Every
 *            page of a segment has a 16-byte descriptor (struct page_desc in
 *            arena_i.h).
 *   slab     one page cut into equal objects of one slab cache.
 *   window   a range of the arena, apart from the segments, that grows from
 *            one end: segment descriptors, and the pool's handle cells.
 *   thread   struct arena_thread: what a thread needs to change the arena. Its
 *            shared half (undo log, what it is about to own) lives in the
 *            arena, so a successor can finish or undo what the thread began.
 *   ref      a 64-bit word that owns something: a kind in the upper 4 bits
 *            (REF_*), what it owns below. 0 owns nothing.
 *
 * Allocation is "into a ref": the thing is taken and named by a word of the
 * arena in one step that a kill cannot split, and freeing clears that word in
 * the same way (libpmemobj's pmemobj_alloc() into an OID works so). Whoever
 * keeps its refs where a successor finds them never leaks and never frees
 * twice.
 *
 * Order of recovery: arena_recover() rolls back every thread's open undo log
 * and finishes what its pending words name; then the owner of the refs decides
 * about them.
 *
 * Locks: all are leaves and private to the process; the caller needs none.
 * A struct arena_thread is used by one thread at a time.
 */
#ifndef POOL_ARENA_H
#define POOL_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARENA_PAGE_SIZE 4096u
#define ARENA_SEG_SIZE	(2u << 20)
#define ARENA_SEG_PAGES (ARENA_SEG_SIZE / ARENA_PAGE_SIZE)
#define ARENA_MAX_RUN	16u

/* Fixed address and largest size of the mapping. */
#if ZS_ARENA_SANITIZED
#define ARENA_BASE UINT64_C(0x550000000000)
#define ARENA_SIZE (UINT64_C(128) << 30)
#else
#define ARENA_BASE UINT64_C(0x100000000000)
#define ARENA_SIZE (UINT64_C(1) << 40)
#endif

#define REF_KIND_SHIFT 60
#define REF_NONE       UINT64_C(0)
#define REF_SLAB       UINT64_C(1) /* address of a slab object */
#define REF_RUN	       UINT64_C(2) /* pfn << 8 | pages */
#define REF_OBJ	       UINT64_C(3) /* handle of a zsmalloc object */
#define REF_KIND(r)    ((uint64_t)(r) >> REF_KIND_SHIFT)
#define REF_VALUE(r)   ((uint64_t)(r) & ((UINT64_C(1) << REF_KIND_SHIFT) - 1))
#define REF_MAKE(k, v) ((uint64_t)(k) << REF_KIND_SHIFT | (uint64_t)(v))

/* What a page is used for (page_desc.type), for validation and statistics. */
enum arena_page_type {
	ARENA_PAGE_NONE, /* free, or a continuation never asked about */
	ARENA_PAGE_ZSPAGE,
	ARENA_PAGE_SLAB,
	ARENA_PAGE_DATA, /* a run used as plain memory */
	ARENA_NR_PAGE_TYPES,
};

/*
 * Slab caches. SLAB_RECORD is for the owner's records of one fixed size: the
 * arena tells from an address whether a record lies there, and walks all of
 * them. SLAB_BUF_* are plain buffers by size.
 */
enum slab_cache {
	SLAB_RECORD,
	SLAB_BUF_32,
	SLAB_BUF_40,
	SLAB_BUF_48,
	SLAB_BUF_56,
	SLAB_BUF_64,
	SLAB_BUF_72,
	SLAB_BUF_80,
	SLAB_BUF_88,
	SLAB_BUF_96,
	SLAB_BUF_104,
	SLAB_BUF_112,
	SLAB_BUF_120,
	SLAB_BUF_128,
	SLAB_BUF_144,
	SLAB_BUF_160,
	SLAB_BUF_176,
	SLAB_BUF_192,
	SLAB_BUF_208,
	SLAB_BUF_224,
	SLAB_BUF_240,
	SLAB_BUF_256,
	SLAB_BUF_272,
	SLAB_BUF_288,
	SLAB_BUF_512,
	SLAB_BUF_1024,
	SLAB_BUF_2048,
	SLAB_BUF_4096,
	SLAB_NR_CACHES,
};

/* Bytes of one object in SLAB_RECORD: 28 in a page. A multiple of 16. */
#define SLAB_RECORD_SIZE 144u

struct arena;
struct arena_thread;
struct undo_log;

/* How much of the limit a thread may fill: each leaves room for the next. */
enum arena_claim {
	ARENA_NEW,     /* new content */
	ARENA_GROW,    /* content in the place of what took less */
	ARENA_LATE,    /* content that was accepted before it was counted */
	ARENA_RESERVE, /* what works when it is full: overwrites, deletions */
};

struct arena_params {
	uint64_t size;	/* bytes of address space, whole segments; 0 = all */
	uint64_t limit; /* bytes of RAM for everything, 0 = no limit */
	unsigned nr_threads; /* threads that change the arena, 1 .. 512 */
	size_t root_size;    /* bytes of the owner's root area */
	bool no_huge;	     /* no huge pages */
	bool no_swap;	     /* never to be swapped out; Linux 6.4, root */
	const char *mpol;    /* as tmpfs's mpol=; NULL or "": none; root */
};

struct arena_stats {
	uint64_t used;	      /* bytes the file really holds in RAM */
	uint64_t used_max;    /* its peak since start or reset */
	uint64_t limit;	      /* bytes, 0 = none */
	uint64_t reserve;     /* bytes of the limit kept for ARENA_RESERVE */
	uint64_t late;	      /* bytes of it kept for ARENA_LATE beside that */
	uint64_t promised;    /* bytes that are promised, and not yet in use */
	uint64_t growth;      /* bytes, arena_add_growth() */
	uint64_t kept_growth; /* bytes of the limit kept for that */
	uint64_t keep;	      /* bytes, arena_set_keep() */
	uint64_t free_pages;  /* pages that are in `used` but hold nothing */
	uint64_t free_transient; /* of them, for arena_thread_transient() */
	uint64_t segments; /* segments that hold at least one backed page */
	uint64_t free_segments; /* of them, those that hold nothing */
	uint64_t given_back;	/* pages given back to the kernel so far */
	uint64_t pages[ARENA_NR_PAGE_TYPES]; /* in use, by type ([0] unused) */
	uint64_t window_bytes; /* of `used`: descriptors and handle cells */
	uint64_t root_bytes;   /* of `used`: header, threads, root area */
	uint64_t slab_objs[SLAB_NR_CACHES];
	bool huge; /* backed by huge pages */
};

/* The least arena_params.size for these, whose other fields they are. */
uint64_t arena_min_size(unsigned nr_threads, size_t root_size);

/*
 * Make a new arena and map it. What it holds in RAM is also limited by its
 * size, less what tables take of that (a twentieth).
 *
 * Returns 0; -EEXIST when the fixed address range is taken; -EINVAL for bad
 * parameters or a limit too small for header and root area plus one segment;
 * -EOPNOTSUPP when the kernel does not give this process no_swap or mpol;
 * -ENOMEM, -ENOSPC when the system has no memory. Nothing is left behind on
 * failure. The caller owns *out and ends it with arena_close().
 */
int arena_create(const struct arena_params *params, struct arena **out);

/*
 * Map the arena behind @fd (which stays the caller's; it is duplicated) and
 * change nothing: another process may be using it. Until arena_recover() only
 * arena_root(), arena_thread() and the like may be called.
 *
 * Returns 0, -EEXIST as above, -EPROTO when the header is not one this build
 * understands (magic, layout version, struct sizes), or -errno from the
 * system. The caller owns *out.
 */
int arena_attach(int fd, struct arena **out);

/*
 * Bring an arena whose process died into a consistent state: rolls back open
 * undo logs, finishes or undoes growth and give-back, gives back pending runs.
 * No other process may be using it any more. Safe to be killed in and to be
 * called again. 0, or -EPROTO when header or logs do not make sense.
 */
int arena_recover(struct arena *a);

/* Both: arena_attach() and arena_recover(). */
int arena_open(int fd, struct arena **out);

/* Unmap and close. The memory is gone with the last descriptor of the file. */
void arena_close(struct arena *a);

/*
 * A new empty file in memory, on huge pages where the system gives them to this
 * process: what an arena is in, for what belongs beside one. @name: in the list
 * of mappings; of @p the last three count. A descriptor (close-on-exec, the
 * caller's), or -errno, as of arena_create().
 */
int arena_new_file(const char *name, const struct arena_params *p);

/*
 * Back @len bytes of such a file, or of an arena's, from @off with memory, and
 * give it back; whole pages. 0, -ENOMEM when the system has none, or -errno.
 */
int arena_back(int fd, uint64_t off, uint64_t len);
void arena_unback(int fd, uint64_t off, uint64_t len);

/* The file's descriptor, for handing to a successor. Stays the arena's. */
int arena_fd(const struct arena *a);

/* The owner's root area: zeroed at creation, page aligned, always backed. */
void *arena_root(const struct arena *a);

/* Its size in bytes, as given at creation. */
size_t arena_root_size(const struct arena *a);

unsigned arena_nr_threads(const struct arena *a);

/* Is the arena on huge pages? */
bool arena_is_huge(const struct arena *a);

/* Thread @nr's context; the same pointer at every call. nr < nr_threads. */
struct arena_thread *arena_thread(struct arena *a, unsigned nr);

/* The number of @t. */
unsigned arena_thread_nr(const struct arena_thread *t);

/*
 * What @t allocates from now on has at least this claim to the limit, ARENA_NEW
 * until it is first told. A claim that was lower is raised; then @t may also go
 * @over_limit bytes beyond the limit, because more was in use when the limit
 * was set. A claim of ARENA_NEW never goes beyond the limit.
 *
 * Returns the claim before, for arena_thread_unclaim(), so that claims can be
 * nested. Both are the thread's own calls and take no lock.
 */
enum arena_claim arena_thread_claim(struct arena_thread *t,
				    enum arena_claim claim,
				    uint64_t over_limit);
/*
 * Lower the claim to @was. Above ARENA_NEW the bytes beyond the limit that the
 * last raise brought still count.
 */
void arena_thread_unclaim(struct arena_thread *t, enum arena_claim was);

/*
 * While @transient, what @t takes will soon go again. It comes from segments
 * that hold nothing else, as far as it is single pages, so that those come
 * empty as a whole, and only of pages that are backed already: where the arena
 * would have to grow, -ENOSPC. (The idea is that of generational collectors.)
 * The thread's own call, takes no lock.
 */
void arena_thread_transient(struct arena_thread *t, bool transient);

/*
 * While @modest, what @t allocates with the claim ARENA_NEW leaves a 256th of
 * the limit, at most 2 MiB, to those who are not. The thread's own call, takes
 * no lock.
 */
void arena_thread_modest(struct arena_thread *t, bool modest);

/*
 * Are @bytes of pages backed for what is transient, and may @t take them? A
 * hint: others may take them first. Takes the run lock.
 */
bool arena_has_backed(struct arena *a, struct arena_thread *t, uint64_t bytes);

/*
 * Back a segment ahead of need, if arena_has_backed() would not find @bytes and
 * the limit allows one more beside all that are backed. True: it has been.
 * Locks: as arena_run_alloc().
 */
bool arena_back_ahead(struct arena *a, struct arena_thread *t, uint64_t bytes);

/*
 * For who took an arena over, when it has time: have some segments more mapped
 * by huge pages, where the file has them; all of them are mapped by small ones
 * at first, because to look at each takes a while. *@seg says how far that has
 * come, and begins as 0. False: that was all. Takes the growth lock.
 */
bool arena_map_on(struct arena *a, uint64_t *seg);

/*
 * Keep free segments of @bytes, if that is more than the level that is kept
 * anyway, as far as that is allowed (a quarter of the limit). Unless it is 0,
 * what is not transient leaves what is free in the segments for that alone
 * while the arena may grow. Known to the process only, 0 at first. Takes the
 * run lock. Returns how many there were to be until now.
 */
uint64_t arena_set_keep(struct arena *a, uint64_t bytes);

/* Change the limit (bytes, 0 = none). Takes effect for the next growth. */
void arena_set_limit(struct arena *a, uint64_t bytes);
/*
 * Bytes of the limit that only ARENA_RESERVE may use, and @late bytes below
 * those for ARENA_LATE and it.
 */
void arena_set_reserve(struct arena *a, uint64_t bytes, uint64_t late);
/*
 * What takes no memory may grow by @bytes more, or less, with the claim
 * ARENA_GROW: as much is kept from ARENA_NEW, up to an eighth of the limit and
 * 256 MiB. Known to the process only, as promises are. They take no lock.
 */
void arena_add_growth(struct arena *a, int64_t bytes);
void arena_set_growth(struct arena *a, uint64_t bytes);
/*
 * Promises: bytes that others leave alone until whom they were promised to
 * needs them. They are known to the process only: who attaches says how many
 * there are. All take the run lock.
 *
 * Promise @bytes more, when so many are available: 0 or -ENOSPC.
 */
int arena_promise(struct arena *a, uint64_t bytes);
/* Without a look at what is available: more, or less. */
void arena_add_promised(struct arena *a, int64_t bytes);
void arena_set_promised(struct arena *a, uint64_t bytes);
/*
 * What @t takes from now on is what was promised, up to @bytes. It needs the
 * claim ARENA_RESERVE.
 */
void arena_redeem(struct arena_thread *t, uint64_t bytes);
/* That ends; what was not taken of those bytes is promised no longer. */
void arena_redeem_end(struct arena *a, struct arena_thread *t);

/* Restart the peak at the present use. */
void arena_reset_used_max(struct arena *a);

/* Consistent per field, not across fields, unless the arena is at rest. */
void arena_get_stats(struct arena *a, struct arena_stats *out);

/*
 * Bytes that a new allocation could still get without the reserve: free pages
 * that are backed plus what may be got from the kernel under the limit, less
 * what was promised.
 * UINT64_MAX when there is no limit.
 */
uint64_t arena_available(struct arena *a);

/*
 * Take a run of @pages pages (1 .. ARENA_MAX_RUN) for use as @type, with
 * REF_MAKE(REF_RUN, ..) put into *@ref, an arena word that was 0. Content is
 * undefined. Fullest fitting segment first; grows the arena when none fits.
 *
 * Returns 0, -ENOSPC at the limit, -ENOMEM when the system has no more.
 * Locks: takes run and growth locks; the thread's undo log must be empty.
 */
int arena_run_alloc(struct arena *a, struct arena_thread *t, unsigned pages,
		    enum arena_page_type type, uint64_t *ref);

/* Give the run in *@ref back and clear *@ref. 0 is allowed: does nothing. */
void arena_run_free(struct arena *a, struct arena_thread *t, uint64_t *ref);

/* How many pages the run in @ref has. */
static inline unsigned arena_run_pages(uint64_t ref)
{
	return REF_VALUE(ref) & 0xff;
}

/* Address of a run's first byte. */
static inline void *arena_run_addr(uint64_t ref)
{
	return (void *)(uintptr_t)(ARENA_BASE +
				   (REF_VALUE(ref) >> 8) * ARENA_PAGE_SIZE);
}

/*
 * Take an object of slab cache @cache, with REF_MAKE(REF_SLAB, address) put
 * into *@ref, an arena word that was 0. Content is undefined, except that the
 * first word of a SLAB_RECORD object is 1: its owner keeps the first 32 bits
 * odd while the object is in use (in a free object, where a link is, they are
 * even), so that objects in use can be told from free ones.
 *
 * Returns 0, -ENOSPC or -ENOMEM as arena_run_alloc(). Locks: as there.
 */
int slab_alloc(struct arena *a, struct arena_thread *t, enum slab_cache cache,
	       uint64_t *ref);

/* Give the object in *@ref back and clear *@ref; 0 does nothing. */
void slab_free(struct arena *a, struct arena_thread *t, uint64_t *ref);

static inline void *slab_addr(uint64_t ref)
{
	return (void *)(uintptr_t)REF_VALUE(ref);
}

static inline uint64_t slab_ref(const void *obj)
{
	return REF_MAKE(REF_SLAB, (uint64_t)(uintptr_t)obj);
}

/* Smallest SLAB_BUF_* with objects of at least @size bytes, 1 .. 4096. */
enum slab_cache slab_cache_for(size_t size);
/* Bytes of one object of @cache. */
size_t slab_object_size(enum slab_cache cache);

/*
 * Is @p the address of an object of some SLAB_BUF_* of @size bytes or more? For
 * any value of @p; at rest, or of an object that is the caller's.
 */
bool arena_holds_slab(const struct arena *a, const void *p, size_t size);

/*
 * For recovery by the owner of refs, which believes nothing that may be
 * damaged; at rest. Each for any value.
 *
 * Is there a word at @addr that is in a slab or a run of plain data?
 */
bool arena_holds_word(const struct arena *a, uint64_t addr);
/* Is what @ref owns of the arena, and in use? */
bool arena_owns(struct arena *a, uint64_t ref);

/*
 * Does a run of @type and at least @pages pages begin at @p? For any value of
 * @p, also when not at rest.
 */
bool arena_holds_run(const struct arena *a, const void *p, unsigned pages,
		     enum arena_page_type type);

/*
 * Is @p the address of a SLAB_RECORD object in use? For any value of @p; takes
 * the cache's lock. The answer holds as long as the caller keeps the object
 * from being freed.
 */
bool slab_record_valid(struct arena *a, const void *p);

/*
 * Call @fn for every SLAB_RECORD object in use until it returns non-zero, which
 * is then returned (0 otherwise). Takes no lock during the calls: nobody else
 * may change the cache meanwhile. For verification and recovery.
 */
int slab_for_each_record(struct arena *a, int (*fn)(void *obj, void *arg),
			 void *arg);

/*
 * The SLAB_RECORD object in use with the lowest address behind @after, NULL:
 * the first of all. NULL when there is none. Others may change the cache
 * meanwhile: what it returns may be freed at any time, and what comes later at
 * a lower address is not seen. Takes the cache's lock.
 */
void *slab_next_record(struct arena *a, const void *after);

/*
 * Give RAM back to the kernel: all whole free segments, and descriptors that
 * none needs, when @all, else the segments above the level that is kept
 * (max(32 MiB, 3 % of use)); and, when @punch, free runs of 16 KiB and more
 * inside segments in use.
 * Returns the pages given back. Locks: takes run and growth locks.
 */
uint64_t arena_trim(struct arena *a, struct arena_thread *t, bool all,
		    bool punch);

/*
 * Check every descriptor, bitmap, list and counter of the arena. The arena
 * must be at rest (no thread inside any call). On the first broken invariant
 * writes a sentence to @msg (size bytes) and returns -EUCLEAN, else 0.
 */
int arena_verify(struct arena *a, char *msg, size_t size);

#endif
