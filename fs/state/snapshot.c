/* SPDX-License-Identifier: BSD-3-Clause */
/* The texts of virtual files (see snapshot.h). */
#include "snapshot.h"

#include <errno.h>
#include <string.h>

#include "tx.h"
#include "zsfs.h"

#define SNAP_MAGIC UINT64_C(0x70616e7373667a02)
/* Pages of the arena that all may have together. */
#define MAX_PAGES 512u

_Static_assert(sizeof(struct snapshot) <= 64, "room left beside the text");

/* Pages in use in one place. */
struct use {
	uint64_t mine;	 /* of the user who asks */
	uint64_t others; /* of all but owner and root, that user included */
	uint64_t all;
};

static struct snapshot *at_address(uint64_t addr)
{
	return (struct snapshot *)(uintptr_t)addr;
}

static bool is_owner(const struct zsfs *fs, uint32_t uid)
{
	return uid == 0 || uid == fs->super->mount_uid;
}

static bool in_area(const struct snapshot *s)
{
	return s->ref == 0;
}

static struct use count(const struct zsfs *fs, bool area, uint32_t uid)
{
	const struct snapshot *s = at_address(fs->super->snap_head);
	struct use u = {0};

	for (; s; s = at_address(s->next)) {
		if (in_area(s) != area)
			continue;
		u.all += s->pages;
		if (s->uid == uid)
			u.mine += s->pages;
		if (!is_owner(fs, s->uid))
			u.others += s->pages;
	}
	return u;
}

/* Has the user of @spec a right to @pages more of a place of @size pages? */
static bool is_due(const struct zsfs *fs, const struct snapshot_spec *spec,
		   bool area, uint64_t pages, uint64_t size)
{
	struct use u = count(fs, area, spec->uid);
	bool owner = is_owner(fs, spec->uid);

	if (owner && spec->control)
		return u.all + pages <= size;
	if (!owner &&
	    (u.mine + pages > size / 4 || u.others + pages > size / 2))
		return false;
	return u.all + pages <= size - size / 8;
}

static struct snapshot *take_run(struct tx *tx, unsigned pages, uint64_t *ref)
{
	uint64_t *where = tx_alloc_ref(tx);

	if (tx_run_alloc(tx, pages, where))
		return NULL;
	*ref = *where;
	return arena_run_addr(*where);
}

static unsigned area_page(const struct zsfs *fs, const struct snapshot *s)
{
	return (unsigned)(((const uint8_t *)s - fs->snap_area) /
			  ARENA_PAGE_SIZE);
}

/* The first @pages pages of the area that nothing is in, or NULL. */
static struct snapshot *find_in_area(const struct zsfs *fs, unsigned pages)
{
	bool used[ZSFS_SNAP_PAGES] = {false};
	const struct snapshot *s = at_address(fs->super->snap_head);
	unsigned n = 0;

	for (; s; s = at_address(s->next))
		if (in_area(s))
			memset(&used[area_page(fs, s)], true, s->pages);
	for (unsigned i = 0; i < ZSFS_SNAP_PAGES; i++) {
		n = used[i] ? 0 : n + 1;
		if (n == pages)
			return (void *)(fs->snap_area +
					(i + 1 - n) * (size_t)ARENA_PAGE_SIZE);
	}
	return NULL;
}

static struct snapshot *find_place(struct tx *tx,
				   const struct snapshot_spec *spec,
				   unsigned pages, uint64_t *ref)
{
	const struct zsfs *fs = tx->fs;
	struct snapshot *s = NULL;

	*ref = 0;
	if (is_due(fs, spec, true, pages, ZSFS_SNAP_PAGES))
		s = find_in_area(fs, pages);
	if (!s && is_due(fs, spec, false, pages, MAX_PAGES))
		s = take_run(tx, pages, ref);
	return s;
}

int snapshot_add(struct tx *tx, const struct snapshot_spec *spec,
		 struct snapshot **out)
{
	struct zsfs_super *super = tx->fs->super;
	unsigned pages = (unsigned)((sizeof(struct snapshot) + spec->len +
				     ARENA_PAGE_SIZE - 1) /
				    ARENA_PAGE_SIZE);
	struct snapshot *s;
	uint64_t ref;

	tx_snap_lock(tx);
	s = find_place(tx, spec, pages, &ref);
	if (!s)
		return -ENFILE;
	*s = (struct snapshot){
		.next = super->snap_head,
		.nlookup = 1,
		.ref = ref,
		.id = spec->id,
		.len = spec->len,
		.uid = spec->uid,
		.pages = pages,
		.time = tx_now(tx),
	};
	memcpy(s->text, spec->text, spec->len);
	/* Whoever finds it by its nodeid takes no lock. */
	__atomic_store_n(&s->magic, SNAP_MAGIC, __ATOMIC_RELEASE);
	tx_set(tx, &super->snap_head, (uint64_t)(uintptr_t)s);
	*out = s;
	return 0;
}

void snapshot_forget(struct tx *tx, struct snapshot *s, uint64_t n)
{
	uint64_t *link = &tx->fs->super->snap_head;

	tx_set(tx, &s->nlookup, s->nlookup > n ? s->nlookup - n : 0);
	if (s->nlookup)
		return;
	while (*link != (uint64_t)(uintptr_t)s)
		link = &at_address(*link)->next;
	tx_set(tx, link, s->next);
	tx_set(tx, &s->magic, 0);
	if (!in_area(s))
		tx_free(tx, s->ref);
}

/* Is @s where there may be one? For any value. */
static bool is_place(const struct zsfs *fs, const struct snapshot *s)
{
	uint64_t off =
		(uint64_t)(uintptr_t)s - (uint64_t)(uintptr_t)fs->snap_area;

	if (off < ZSFS_SNAP_PAGES * (uint64_t)ARENA_PAGE_SIZE)
		return off % ARENA_PAGE_SIZE == 0;
	return arena_holds_run(fs->arena, s, 1, ARENA_PAGE_DATA);
}

struct snapshot *snapshot_at(const struct zsfs *fs, uint64_t pfn)
{
	struct snapshot *s =
		at_address(ARENA_BASE + pfn * (uint64_t)ARENA_PAGE_SIZE);

	if (pfn >= ARENA_SIZE / ARENA_PAGE_SIZE || !is_place(fs, s) ||
	    __atomic_load_n(&s->magic, __ATOMIC_ACQUIRE) != SNAP_MAGIC)
		return NULL;
	return s;
}

uint64_t snapshot_pfn(const struct snapshot *s)
{
	return ((uint64_t)(uintptr_t)s - ARENA_BASE) / ARENA_PAGE_SIZE;
}

/* ---- check ---- */

static const char *check_place(const struct zsfs *fs, const struct snapshot *s,
			       bool used[ZSFS_SNAP_PAGES])
{
	unsigned first = area_page(fs, s);

	if (!in_area(s))
		return s == arena_run_addr(s->ref) &&
				       s->pages == arena_run_pages(s->ref) &&
				       arena_holds_run(fs->arena, s, s->pages,
						       ARENA_PAGE_DATA)
			       ? NULL
			       : "a snapshot is not where its run is";
	if ((const uint8_t *)s < fs->snap_area ||
	    first + s->pages > ZSFS_SNAP_PAGES)
		return "a snapshot is outside of its area";
	for (unsigned i = first; i < first + s->pages; i++) {
		if (used[i])
			return "two snapshots overlap";
		used[i] = true;
	}
	return NULL;
}

const char *snapshot_verify(const struct zsfs *fs, uint64_t *pages)
{
	const struct snapshot *s = at_address(fs->super->snap_head);
	bool used[ZSFS_SNAP_PAGES] = {false};
	const char *wrong = NULL;

	for (*pages = 0; s && !wrong; s = at_address(s->next)) {
		if (!is_place(fs, s) || *pages > MAX_PAGES ||
		    s->magic != SNAP_MAGIC || !s->nlookup || !s->pages ||
		    s->pages > ARENA_MAX_RUN ||
		    sizeof(*s) + s->len > s->pages * (size_t)ARENA_PAGE_SIZE)
			return "a snapshot makes no sense";
		wrong = check_place(fs, s, used);
		if (!in_area(s))
			*pages += s->pages;
	}
	return wrong;
}
