/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * zs_pool_verify(): the whole pool, checked against what the objects' own
 * heads and cells say. At rest only.
 *
 * Zspages are found through the segments, not the lists. A list can only hold
 * each of them once if all links agree, so a list is complete when its length
 * is the number of zspages found for it.
 */
#include "zsmalloc_i.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_OBJS 256u

/* What has been found of one class. */
struct census {
	uint64_t group[ZS_NR_GROUPS];
	uint64_t objs;
	uint64_t payload;
};

struct verifier {
	struct zs_pool *pool;
	char *msg;
	size_t size;
	struct census *class; /* by slot */
	uint64_t *seen;	      /* bitmap of free handles found */
	uint64_t objs;
	uint64_t pages;
	zs_stop_fn *stop; /* NULL = go on to the end */
	const void *stop_arg;
};

/* Between two looks at whether to stop. */
#define HANDLES_AT_ONCE 1024

static int stopped(const struct verifier *v)
{
	return v->stop ? v->stop(v->stop_arg) : 0;
}

#define BROKEN(v, ...) arena_broken((v)->msg, (v)->size, __VA_ARGS__)

/* Zspages. */

/* Mark the free chunks; the last one's link is not looked at. */
static int check_free_list(const struct size_class *class, struct zspage zp,
			   bool *is_free, char *msg, size_t size)
{
	unsigned obj = zp.desc->freeobj, n = class->objs - zp.desc->inuse;

	for (; n; n--) {
		uint64_t link;

		if (obj >= class->objs || is_free[obj])
			return arena_broken(msg, size,
					    "zspage %u: bad free chunk %u",
					    zp.pfn, obj);
		is_free[obj] = true;
		if (n == 1)
			return 0;
		link = *chunk_head(class, zspage_chunk(class, zp, obj));
		if (link & 1 || link >> 1 > class->objs)
			return arena_broken(msg, size,
					    "zspage %u: free chunk %u holds "
					    "%#" PRIx64,
					    zp.pfn, obj, link);
		obj = link_next(link);
	}
	if (obj != NO_FREE_OBJ)
		return arena_broken(msg, size,
				    "zspage %u: full with free chunk %u",
				    zp.pfn, obj);
	return 0;
}

static int check_live_chunk(struct zs_pool *pool,
			    const struct size_class *class, void *chunk,
			    char *msg, size_t size)
{
	uint64_t head = *chunk_head(class, chunk);
	uint64_t cell = chunk_cell(pool, class, chunk);

	if (!(head & 1) || !handle_valid(pool, head_handle(head)))
		return arena_broken(msg, size,
				    "object at %p: bad head %#" PRIx64, chunk,
				    head);
	if (!cell)
		return arena_broken(msg, size,
				    "object at %p: cell %u does not point back",
				    chunk, head_handle(head));
	if (cell_class(pool, cell) != class)
		return arena_broken(msg, size,
				    "object at %p: size %u in class %u", chunk,
				    cell_size(cell), class->index);
	return 0;
}

int zspage_check(struct zs_pool *pool, const struct size_class *class,
		 struct zspage zp, char *msg, size_t size)
{
	bool is_free[MAX_OBJS] = {false};
	int err;

	if (!zp.desc->inuse || zp.desc->inuse > class->objs ||
	    zp.desc->group != zspage_group(class, zp.desc->inuse))
		return arena_broken(
			msg, size, "zspage %u: %u objects of %u in group %u",
			zp.pfn, zp.desc->inuse, class->objs, zp.desc->group);
	err = check_free_list(class, zp, is_free, msg, size);
	for (unsigned i = 0; !err && i < class->objs; i++) {
		if (!is_free[i])
			err = check_live_chunk(pool, class,
					       zspage_chunk(class, zp, i), msg,
					       size);
	}
	return err;
}

#if ZS_DEBUG_LEVEL >= 3
void zspage_assert(struct zs_pool *pool, const struct size_class *class,
		   struct zspage zp)
{
	char msg[160];

	if (!zspage_check(pool, class, zp, msg, sizeof(msg)))
		return;
	fprintf(stderr, "zsmalloc: %s\n", msg);
	abort();
}
#endif

static int check_run(const struct verifier *v, const struct size_class *class,
		     struct zspage zp)
{
	for (unsigned i = 0; i < class->pages; i++) {
		const struct page_desc *desc = zp.desc + i;

		if (!pfn_in_use(v->pool->arena, zp.pfn + i) ||
		    desc->type != ARENA_PAGE_ZSPAGE || desc->run_off != i ||
		    desc->class != class->slot)
			return BROKEN(v, "zspage %u: page %u is not its own",
				      zp.pfn, i);
	}
	return 0;
}

static void count_zspage(struct verifier *v, const struct size_class *class,
			 unsigned inuse)
{
	struct census *census = &v->class[class->slot];

	census->group[zspage_group(class, inuse)]++;
	census->objs += inuse;
	v->objs += inuse;
	v->pages += class->pages;
}

static int verify_zspage(struct verifier *v, uint32_t pfn)
{
	struct zspage zp = zspage_at(pfn);
	const struct size_class *class;
	int err;

	if (zp.desc->class >= v->pool->nr_classes)
		return BROKEN(v, "zspage %u: no class %u", pfn, zp.desc->class);
	class = &v->pool->class[zp.desc->class];
	err = check_run(v, class, zp);
	if (!err)
		err = zspage_check(v->pool, class, zp, v->msg, v->size);
	if (!err)
		count_zspage(v, class, zp.desc->inuse);
	return err;
}

static int verify_zspages(struct verifier *v)
{
	struct arena *a = v->pool->arena;
	uint64_t end = seg_pfn((uint32_t)arena_nr_segs(a)), found = 0;
	struct arena_stats stats;

	for (uint64_t pfn = arena_place.data_pfn; pfn < end; pfn++) {
		int err;

		if (!pfn_in_use(a, pfn) ||
		    page_desc_of(pfn)->type != ARENA_PAGE_ZSPAGE)
			continue;
		found++;
		if (page_desc_of(pfn)->run_off)
			continue;
		err = verify_zspage(v, (uint32_t)pfn);
		if (!err)
			err = stopped(v);
		if (err)
			return err;
	}
	arena_get_stats(a, &stats);
	if (found != v->pages || stats.pages[ARENA_PAGE_ZSPAGE] != v->pages)
		return BROKEN(v,
			      "%" PRIu64 " pages in zspages, %" PRIu64
			      " of that type, the arena counts %" PRIu64,
			      v->pages, found, stats.pages[ARENA_PAGE_ZSPAGE]);
	return 0;
}

/* Lists and counters of the classes. */

static bool belongs_in_list(const struct verifier *v,
			    const struct size_class *class, unsigned group,
			    uint32_t pfn)
{
	const struct page_desc *desc;

	if (!pfn_in_use(v->pool->arena, pfn))
		return false;
	desc = page_desc_of(pfn);
	return desc->type == ARENA_PAGE_ZSPAGE && !desc->run_off &&
	       desc->class == class->slot && desc->group == group;
}

static int verify_list(const struct verifier *v, const struct size_class *class,
		       unsigned group)
{
	uint32_t pfn = class->root->group[group].head, prev = 0;
	uint64_t n = 0, want = v->class[class->slot].group[group];

	while (pfn && n <= want) {
		if (!belongs_in_list(v, class, group, pfn) ||
		    (prev && page_desc_of(pfn)->prev != prev))
			return BROKEN(v, "class %u group %u: bad link %u",
				      class->index, group, pfn);
		n++;
		prev = pfn;
		pfn = page_desc_of(pfn)->next;
	}
	if (n != want)
		return BROKEN(v,
			      "class %u group %u: %" PRIu64
			      " in the list of %" PRIu64,
			      class->index, group, n, want);
	return 0;
}

static int verify_class(const struct verifier *v,
			const struct size_class *class)
{
	const struct census *census = &v->class[class->slot];
	const struct zs_class_root *root = class->root;

	if (root->objs_used != census->objs)
		return BROKEN(v,
			      "class %u counts %" PRIu64
			      " objects, found %" PRIu64,
			      class->index, root->objs_used, census->objs);
	for (unsigned g = 0; g < ZS_NR_GROUPS; g++) {
		int err = 0;

		if (root->group[g].count != census->group[g])
			return BROKEN(v,
				      "class %u group %u counts %u zspages, "
				      "found %" PRIu64,
				      class->index, g, root->group[g].count,
				      census->group[g]);
		if (group_has_list(g))
			err = verify_list(v, class, g);
		else if (root->group[g].head)
			err = BROKEN(v, "class %u group %u has a list",
				     class->index, g);
		if (err)
			return err;
	}
	return 0;
}

/* Handles. */

static int see_free_handle(const struct verifier *v, uint64_t handle,
			   const char *where)
{
	uint64_t bit = UINT64_C(1) << handle % 64;

	if (handle > UINT32_MAX || !handle_valid(v->pool, (uint32_t)handle) ||
	    cell_live(cell_load((uint32_t)handle)))
		return BROKEN(v, "handle %" PRIu64 " in %s is not free", handle,
			      where);
	if (v->seen[handle / 64] & bit)
		return BROKEN(v, "free handle %" PRIu64 " is in two places",
			      handle);
	v->seen[handle / 64] |= bit;
	return 0;
}

static int verify_free_list(const struct verifier *v)
{
	const struct zs_pool_root *root = v->pool->root;
	uint64_t n = 0, handle = root->handle_free;

	while (handle) {
		int err = see_free_handle(v, handle, "the free list");

		if (err)
			return err;
		n++;
		handle = cell_load((uint32_t)handle);
	}
	if (n != root->handles_free)
		return BROKEN(v, "%" PRIu64 " free handles in the list of %u",
			      n, root->handles_free);
	return 0;
}

static int verify_magazine(const struct verifier *v, unsigned nr)
{
	const struct arena_thread_shared *s =
		arena_thread(v->pool->arena, nr)->shared;
	int err = 0;

	if (s->undo.n || s->pending_run)
		return BROKEN(v, "thread %u is not at rest", nr);
	if (s->nr_handles > ZS_MAGAZINE)
		return BROKEN(v, "thread %u has %" PRIu64 " handles", nr,
			      s->nr_handles);
	for (uint64_t i = 0; !err && i < s->nr_handles; i++)
		err = see_free_handle(v, s->handles[i], "a magazine");
	return err;
}

/*
 * Every handle is either free and was found, or live and its object names it.
 * As many live handles as live objects, each of which names another handle:
 * so nothing is missing on either side.
 */
static int verify_handles(const struct verifier *v)
{
	uint64_t end = v->pool->root->handle_next, live = 0;

	for (uint64_t h = 1; h < end; h++) {
		uint64_t cell = cell_load((uint32_t)h);
		bool is_free = v->seen[h / 64] >> h % 64 & 1;
		struct zs_obj_info info;

		if (h % HANDLES_AT_ONCE == 0 && stopped(v))
			return stopped(v);
		if (is_free)
			continue;
		if (!cell_live(cell))
			return BROKEN(v, "free handle %" PRIu64 " is lost", h);
		if (cell >> 53 & 1 || !zs_obj_info(v->pool, (uint32_t)h, &info))
			return BROKEN(v,
				      "cell %" PRIu64 " (%#" PRIx64
				      ") names no object",
				      h, cell);
		v->class[cell_class(v->pool, cell)->slot].payload += info.size;
		live++;
	}
	if (live != v->objs)
		return BROKEN(v,
			      "%" PRIu64 " live handles, %" PRIu64 " objects",
			      live, v->objs);
	return 0;
}

static int verify_payload(const struct verifier *v,
			  const struct size_class *class)
{
	uint64_t found = v->class[class->slot].payload;

	if (class->root->payload == found)
		return 0;
	return BROKEN(v,
		      "class %u counts %" PRIu64 " bytes of payload, found "
		      "%" PRIu64,
		      class->index, class->root->payload, found);
}

static int verify_all(struct verifier *v)
{
	struct zs_pool *pool = v->pool;
	int err = 0;

	for (unsigned i = 0; !err && i < pool->nr_readers; i++)
		err = verify_magazine(v, i);
	if (!err)
		err = verify_free_list(v);
	if (!err)
		err = verify_zspages(v);
	for (unsigned i = 0; !err && i < pool->nr_classes; i++)
		err = verify_class(v, &pool->class[i]);
	if (!err)
		err = verify_handles(v);
	for (unsigned i = 0; !err && i < pool->nr_classes; i++)
		err = verify_payload(v, &pool->class[i]);
	return err;
}

static int verify_root(const struct zs_pool *pool, char *msg, size_t size)
{
	const struct zs_pool_root *root = pool->root;

	if (root->magic != zs_pool_magic(root->chain_size))
		return arena_broken(msg, size, "no pool at %p", (void *)root);
	if (root->relinking)
		return arena_broken(msg, size, "free handles are in no list");
	if (!root->handle_next ||
	    root->handle_next > arena_handles_backed(pool->arena))
		return arena_broken(msg, size,
				    "next handle %" PRIu64 " is not backed",
				    root->handle_next);
	return 0;
}

int zs_pool_verify(struct zs_pool *pool, char *msg, size_t size)
{
	return zs_pool_verify_until(pool, NULL, NULL, msg, size);
}

int zs_pool_verify_until(struct zs_pool *pool, zs_stop_fn *stop,
			 const void *arg, char *msg, size_t size)
{
	struct verifier v = {
		.pool = pool,
		.msg = msg,
		.size = size,
		.stop = stop,
		.stop_arg = arg,
	};
	int err = verify_root(pool, msg, size);

	if (err)
		return err;
	v.class = calloc(pool->nr_classes, sizeof(*v.class));
	v.seen = calloc(pool->root->handle_next / 64 + 1, sizeof(*v.seen));
	if (v.class && v.seen) {
		err = verify_all(&v);
	} else {
		arena_broken(msg, size, "no memory to verify the pool");
		err = -ENOMEM;
	}
	free(v.class);
	free(v.seen);
	return err;
}
