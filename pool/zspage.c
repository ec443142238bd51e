/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Zspages: their free chunks, their fullness groups, and the lists of these.
 *
 * All changes save what they overwrite in the caller's undo log; a change of
 * one object saves at most 8 words (its descriptor's 2, head, two groups, and
 * three neighbours).
 */
#include "zsmalloc_i.h"

/* Zspages compared when the emptiest of a group is looked for. */
#define SCAN_EMPTIEST 16

/*
 * Take the zspage off the list of @group, whose word the caller has saved. The
 * link back of a list's first zspage is not kept: nobody looks at it, so that
 * taking the first one off touches no other zspage.
 */
static void unlink_zspage(struct undo_log *u, union zs_group *group,
			  struct zspage zp)
{
	uint32_t next = zp.desc->next, prev = zp.desc->prev;

	if (group->head == zp.pfn) {
		group->head = next;
		return;
	}
	UNDO_SET(u, &page_desc_of(prev)->next, next);
	if (next)
		UNDO_SET(u, &page_desc_of(next)->prev, prev);
}

/* Put it first on that list; its own links are saved, too. */
static void link_zspage(struct undo_log *u, union zs_group *group,
			struct zspage zp)
{
	zp.desc->next = group->head;
	if (group->head)
		UNDO_SET(u, &page_desc_of(group->head)->prev, zp.pfn);
	group->head = zp.pfn;
}

static void change_group(struct undo_log *u, const struct size_class *class,
			 struct zspage zp, unsigned nr)
{
	unsigned old = zp.desc->group;
	union zs_group *from = &class->root->group[old];
	union zs_group *to = &class->root->group[nr];

	UNDO_SAVE_WORDS(u, &from->word, &to->word, &zp.desc->head);
	zp.desc->group = (uint8_t)nr;
	if (old != ZS_GROUP_EMPTY)
		from->count--;
	if (group_has_list(old))
		unlink_zspage(u, from, zp);
	if (nr != ZS_GROUP_EMPTY)
		to->count++;
	if (group_has_list(nr))
		link_zspage(u, to, zp);
}

/* Change the number of objects; the caller has saved the descriptor's word. */
static void set_inuse(struct undo_log *u, const struct size_class *class,
		      struct zspage zp, unsigned inuse)
{
	unsigned group = zspage_group(class, inuse);

	zp.desc->inuse = (uint16_t)inuse;
	if (group != zp.desc->group)
		change_group(u, class, zp, group);
}

void zspage_init(const struct size_class *class, struct zspage zp)
{
	for (unsigned i = 0; i + 1 < class->objs; i++)
		*chunk_head(class, zspage_chunk(class, zp, i)) =
			link_make((uint16_t)(i + 1));
	for (unsigned i = 0; i < class->pages; i++)
		zp.desc[i].class = class->slot;
	zp.desc->freeobj = 0;
	zs_crash_point();
}

void zspage_retire(struct undo_log *u, struct arena_thread *t,
		   const struct size_class *class, struct zspage zp)
{
	assert(zp.desc->inuse == 0 && zp.desc->group == ZS_GROUP_EMPTY);
	undo_set(u, &t->shared->pending_run, run_ref(zp.pfn, class->pages));
}

uint32_t zspage_find_fullest(const struct size_class *class, uint32_t skip)
{
	for (unsigned g = ZS_GROUP_99; g > ZS_GROUP_EMPTY; g--) {
		uint32_t pfn = class->root->group[g].head;

		if (pfn && pfn == skip)
			pfn = page_desc_of(pfn)->next;
		if (pfn)
			return pfn;
	}
	return 0;
}

static uint32_t emptiest_of_list(uint32_t pfn)
{
	uint32_t best = pfn;

	for (unsigned i = 0; pfn && i < SCAN_EMPTIEST; i++) {
		if (page_desc_of(pfn)->inuse < page_desc_of(best)->inuse)
			best = pfn;
		pfn = page_desc_of(pfn)->next;
	}
	return best;
}

uint32_t zspage_find_emptiest(const struct size_class *class)
{
	for (unsigned g = ZS_GROUP_EMPTY + 1; g <= ZS_GROUP_99; g++) {
		if (class->root->group[g].head)
			return emptiest_of_list(class->root->group[g].head);
	}
	return 0;
}

static bool is_link(const struct size_class *class, uint64_t link)
{
	return !(link & 1) && link && link >> 1 <= class->objs;
}

/* May obj_take() go by what is free? The last one has no link. */
static bool is_sound_list(const struct size_class *class, struct zspage zp)
{
	const struct page_desc *d = zp.desc;

	return d->freeobj < class->objs && d->inuse < class->objs &&
	       (d->inuse + 1u == class->objs ||
		is_link(class, *chunk_head(class, zspage_chunk(class, zp,
							       d->freeobj))));
}

/* The next chunk from @obj on that no cell points at; class->objs: none. */
static unsigned next_free(struct zs_pool *pool, const struct size_class *class,
			  struct zspage zp, unsigned obj)
{
	while (obj < class->objs &&
	       chunk_cell(pool, class, zspage_chunk(class, zp, obj)))
		obj++;
	return obj;
}

/* Nobody looks at what is free, so its links need no undo. */
static bool mend_list(struct zs_pool *pool, const struct size_class *class,
		      struct zspage zp)
{
	unsigned first = next_free(pool, class, zp, 0), obj = first, next, n;

	for (n = 0; obj < class->objs; n++, obj = next) {
		next = next_free(pool, class, zp, obj + 1);
		if (next < class->objs)
			*chunk_head(class, zspage_chunk(class, zp, obj)) =
				link_make((uint16_t)next);
	}
	if (!n || n + zp.desc->inuse != class->objs)
		return false;
	undo_barrier();
	zp.desc->freeobj = (uint16_t)first;
	return true;
}

bool zspage_can_give(struct zs_pool *pool, const struct size_class *class,
		     struct zspage zp)
{
	return __builtin_expect(is_sound_list(class, zp), 1) ||
	       mend_list(pool, class, zp);
}

void *obj_take(struct undo_log *u, const struct size_class *class,
	       struct zspage zp, uint64_t head)
{
	struct page_desc *desc = zp.desc;
	void *chunk = zspage_chunk(class, zp, desc->freeobj);
	uint64_t *place = chunk_head(class, chunk);

	assert(desc->inuse < class->objs && desc->freeobj < class->objs);
	if (desc->inuse + 1u == class->objs) {
		/* The last one holds nothing that would have to come back. */
		undo_save_word(u, &desc->word);
		desc->freeobj = NO_FREE_OBJ;
	} else {
		UNDO_SAVE_WORDS(u, &desc->word, place);
		desc->freeobj = link_next(*place);
	}
	*place = head;
	set_inuse(u, class, zp, desc->inuse + 1u);
	return chunk;
}

void obj_put(struct undo_log *u, const struct size_class *class,
	     struct zspage zp, void *chunk)
{
	struct page_desc *desc = zp.desc;

	assert(desc->inuse > 0);
	undo_save(u, &desc->word);
	if (desc->inuse < class->objs && desc->inuse > 1)
		undo_set(u, chunk_head(class, chunk), link_make(desc->freeobj));
	desc->freeobj = (uint16_t)zspage_obj_index(class, zp, chunk);
	set_inuse(u, class, zp, desc->inuse - 1u);
}
