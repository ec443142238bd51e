/* SPDX-License-Identifier: BSD-3-Clause */
/* Extended attributes of one inode, as they are stored (see xattr_set.h). */
#include "xattr_set.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "state/inode.h"
#include "state/tx.h"

/* In the arena: an entry's head, with the name, and value or ref behind it. */
struct entry {
	uint32_t size; /* bytes of the value */
	uint16_t room; /* bytes of all of the entry, whole words */
	uint8_t name_len;
	uint8_t removed;
	char name[];
};

struct node {
	uint64_t next; /* ref of the next node, or 0 */
	uint32_t used; /* bytes of entries */
	uint32_t live; /* entries that were not removed */
	struct entry entries[];
};

#define NODE_ROOM (ARENA_PAGE_SIZE - sizeof(struct node))
/* Entries with a value apart that a node can have. */
#define NODE_MAX_APART                                                         \
	(NODE_ROOM / (sizeof(struct entry) + 2 * sizeof(uint64_t)))
/* The list of names has room for no more: none is shorter than "user.x". */
#define MAX_ATTRIBUTES (XATTR_LIST_BYTES / sizeof("user.x"))
/* Pieces of memory that go with an inode in one transaction. */
#define FEW 32u

_Static_assert(XATTR_VALUE_BYTES <= ARENA_MAX_RUN * ARENA_PAGE_SIZE,
	       "the largest value is one run");
_Static_assert(sizeof(struct entry) + XATTR_NAME_BYTES + XATTR_INLINE_MAX <
		       NODE_ROOM,
	       "the largest entry is less than a node");

/* Where an attribute is. */
struct place {
	uint64_t *link; /* the ref of its node */
	struct entry *entry;
};

static struct node *node_of(uint64_t ref)
{
	return ref ? slab_addr(ref) : NULL;
}

static struct entry *entry_at(const struct node *n, size_t off)
{
	return (struct entry *)(uintptr_t)((const char *)n->entries + off);
}

/* The first entry at or after @off that was not removed, or NULL. */
static struct entry *live_from(const struct node *n, size_t off)
{
	for (; off < n->used; off += entry_at(n, off)->room)
		if (!entry_at(n, off)->removed)
			return entry_at(n, off);
	return NULL;
}

static struct entry *first_live(const struct node *n)
{
	return live_from(n, 0);
}

static struct entry *next_live(const struct node *n, const struct entry *e)
{
	return live_from(n,
			 (size_t)((const char *)e - (const char *)n->entries) +
				 e->room);
}

static bool is_apart(uint64_t size)
{
	return size > XATTR_INLINE_MAX;
}

/* The last word of an entry whose value lies apart. */
static uint64_t *ref_of(const struct entry *e)
{
	return (uint64_t *)(uintptr_t)((const char *)e + e->room -
				       sizeof(uint64_t));
}

static void *apart_addr(uint64_t ref)
{
	return REF_KIND(ref) == REF_RUN ? arena_run_addr(ref) : slab_addr(ref);
}

static void *value_of(const struct entry *e)
{
	if (is_apart(e->size))
		return apart_addr(*ref_of(e));
	return (char *)(uintptr_t)e->name + e->name_len;
}

static size_t entry_room(size_t name_len, size_t size)
{
	size_t room = sizeof(struct entry) + name_len;

	if (is_apart(size))
		room = ((room + 7) & ~(size_t)7) + sizeof(uint64_t);
	else
		room += size;
	return (room + 7) & ~(size_t)7;
}

/* ---- finding ---- */

static struct entry *find_in(const struct node *n, const char *name, size_t len)
{
	struct entry *e = first_live(n);

	while (e && (e->name_len != len || memcmp(e->name, name, len)))
		e = next_live(n, e);
	return e;
}

static bool find(const struct zinode *i, const char *name, struct place *at)
{
	size_t len = strlen(name);
	struct node *n;

	at->link = (uint64_t *)(uintptr_t)&i->xattrs;
	for (; (n = node_of(*at->link)); at->link = &n->next) {
		at->entry = find_in(n, name, len);
		if (at->entry)
			return true;
	}
	return false;
}

static struct xattr shown(const struct entry *e)
{
	return (struct xattr){
		.name = e->name,
		.name_len = e->name_len,
		.value = value_of(e),
		.size = e->size,
	};
}

bool xattr_find(const struct zinode *i, const char *name, struct xattr *out)
{
	struct place at;

	if (!i->xattrs || !find(i, name, &at))
		return false;
	*out = shown(at.entry);
	return true;
}

int xattr_for_each(const struct zinode *i,
		   int (*fn)(const struct xattr *x, void *arg), void *arg)
{
	int err = 0;

	for (struct node *n = node_of(i->xattrs); !err && n;
	     n = node_of(n->next))
		for (struct entry *e = first_live(n); !err && e;
		     e = next_live(n, e)) {
			struct xattr x = shown(e);

			err = fn(&x, arg);
		}
	return err;
}

/* ---- changing ---- */

static void *word_of(const void *p)
{
	return (void *)((uintptr_t)p & ~(uintptr_t)7);
}

void xattr_patch(struct tx *tx, const struct xattr *x, size_t off,
		 const void *src, size_t len)
{
	char *at = (char *)x->value + off, *word = word_of(at);

	for (; word < at + len; word += 8)
		tx_save(tx, word);
	memcpy(at, src, len);
}

static void remove_entry(struct tx *tx, const struct place *at)
{
	struct node *n = node_of(*at->link);
	struct entry *e = at->entry;

	if (is_apart(e->size))
		tx_free(tx, *ref_of(e));
	if (n->live == 1) {
		tx_free(tx, *at->link);
		tx_set(tx, at->link, n->next);
		return;
	}
	tx_save(tx, e);
	e->removed = 1;
	tx_save(tx, &n->used);
	n->live--;
}

bool xattr_drop(struct tx *tx, struct zinode *i, const char *name)
{
	struct place at;

	if (!i->xattrs || !find(i, name, &at))
		return false;
	remove_entry(tx, &at);
	return true;
}

static unsigned pages_for(size_t size)
{
	return (unsigned)((size + ARENA_PAGE_SIZE - 1) / ARENA_PAGE_SIZE);
}

/* A place apart for a value of @size bytes. */
static int alloc_apart(struct tx *tx, size_t size, uint64_t *out)
{
	uint64_t *ref;
	void *p;
	int err;

	if (size <= ARENA_PAGE_SIZE) {
		err = tx_slab_alloc(tx, slab_cache_for(size), &p);
		*out = err ? 0 : slab_ref(p);
		return err;
	}
	ref = tx_alloc_ref(tx);
	err = tx_run_alloc(tx, pages_for(size), ref);
	*out = *ref;
	return err;
}

/* A new attribute, on its way into a node. */
struct fresh {
	const char *name;
	size_t name_len;
	const void *value;
	size_t size;
	size_t room;  /* of its entry */
	uint64_t ref; /* of the value, where that lies apart */
};

static void write_entry(struct entry *e, const struct fresh *f)
{
	e->size = (uint32_t)f->size;
	e->room = (uint16_t)f->room;
	e->name_len = (uint8_t)f->name_len;
	e->removed = 0;
	memcpy(e->name, f->name, f->name_len);
	if (is_apart(f->size))
		*ref_of(e) = f->ref;
	else if (f->size)
		memcpy(value_of(e), f->value, f->size);
}

static size_t live_bytes(const struct node *n)
{
	size_t bytes = 0;

	for (struct entry *e = first_live(n); e; e = next_live(n, e))
		bytes += e->room;
	return bytes;
}

static void copy_live(struct node *to, const struct node *from)
{
	for (struct entry *e = first_live(from); e; e = next_live(from, e)) {
		memcpy(entry_at(to, to->used), e, e->room);
		to->used += e->room;
	}
	to->live = from->live;
}

/* Put @f into the node that *@link names; 0: into one of its own. */
static int renew_node(struct tx *tx, uint64_t *link, const struct fresh *f)
{
	struct node *was = node_of(*link), *n;
	size_t bytes = f->room + (was ? live_bytes(was) : 0);
	void *p;
	int err = tx_slab_alloc(tx, slab_cache_for(sizeof(*n) + bytes), &p);

	if (err)
		return err;
	n = p;
	*n = (struct node){0};
	if (was) {
		n->next = was->next;
		copy_live(n, was);
		tx_free(tx, *link);
	}
	write_entry(entry_at(n, n->used), f);
	n->used += (uint32_t)f->room;
	n->live++;
	tx_set(tx, link, slab_ref(n));
	return 0;
}

static int add(struct tx *tx, struct zinode *i, struct fresh *f)
{
	uint64_t *link = &i->xattrs;
	struct node *n;

	/* The first with room for it, or the chain's end. */
	while ((n = node_of(*link)) && live_bytes(n) + f->room > NODE_ROOM)
		link = &n->next;
	if (is_apart(f->size)) {
		int err = alloc_apart(tx, f->size, &f->ref);

		if (err)
			return err;
		memcpy(apart_addr(f->ref), f->value, f->size);
	}
	return renew_node(tx, link, f);
}

static int add_length(const struct xattr *x, void *arg)
{
	*(size_t *)arg += x->name_len + 1;
	return 0;
}

static bool list_is_full(const struct zinode *i, const char *name)
{
	size_t len = strlen(name) + 1;

	xattr_for_each(i, add_length, &len);
	return len > XATTR_LIST_BYTES;
}

int xattr_put(struct tx *tx, struct zinode *i, const char *name,
	      const void *value, size_t size)
{
	struct fresh f = {
		.name = name,
		.name_len = strlen(name),
		.value = value,
		.size = size,
		.room = entry_room(strlen(name), size),
	};
	enum alloc_policy was;
	struct place old;
	bool found = find(i, name, &old);
	int err;

	if (!found && list_is_full(i, name))
		return -ENOSPC;
	was = tx_raise_policy(tx, found && size <= old.entry->size
					  ? ALLOC_REPLACE
					  : ALLOC_NEW);
	if (found)
		remove_entry(tx, &old);
	err = add(tx, i, &f);
	tx->policy = was;
	return err;
}

/* ---- the end ---- */

bool xattr_are_few(const struct zinode *i)
{
	unsigned pieces = 0;

	for (struct node *n = node_of(i->xattrs); n && pieces <= FEW;
	     n = node_of(n->next))
		pieces += 1 + n->live;
	return pieces <= FEW;
}

static void free_node(struct tx *tx, uint64_t *link)
{
	struct node *n = node_of(*link);

	for (struct entry *e = first_live(n); e; e = next_live(n, e))
		if (is_apart(e->size))
			tx_free(tx, *ref_of(e));
	tx_free(tx, *link);
	tx_set(tx, link, n->next);
}

bool xattr_free(struct tx *tx, struct zinode *i)
{
	while (i->xattrs && tx_has_room(tx, 1, NODE_MAX_APART + 1))
		free_node(tx, &i->xattrs);
	return !i->xattrs;
}

/* ---- checking ---- */

/* Does @ref own as many pages as a value of @size bytes takes? */
static bool holds_pages(const struct arena *a, uint64_t ref, size_t size)
{
	unsigned pages = pages_for(size);

	return REF_KIND(ref) == REF_RUN && arena_run_pages(ref) == pages &&
	       arena_holds_run(a, arena_run_addr(ref), pages, ARENA_PAGE_DATA);
}

/* Is the value of @e where it says? */
static bool holds_value(const struct arena *a, const struct entry *e)
{
	uint64_t ref = *ref_of(e);

	return e->size > ARENA_PAGE_SIZE
		       ? holds_pages(a, ref, e->size)
		       : REF_KIND(ref) == REF_SLAB &&
				 arena_holds_slab(a, slab_addr(ref), e->size);
}

static const char *check_entry(const struct arena *a, const struct node *n,
			       size_t off)
{
	const struct entry *e = entry_at(n, off);

	if (off + sizeof(*e) > n->used || off + e->room > n->used ||
	    e->size > XATTR_VALUE_BYTES || !e->name_len ||
	    e->room != entry_room(e->name_len, e->size))
		return "an attribute does not fit its node";
	if (e->removed)
		return NULL;
	if (strnlen(e->name, e->name_len) != e->name_len)
		return "an attribute's name ends early";
	if (is_apart(e->size) && !holds_value(a, e))
		return "an attribute's value is nowhere";
	return NULL;
}

/* Is there one at @ref, with all that it says it has? */
static bool holds_node(const struct arena *a, uint64_t ref)
{
	const struct node *n = node_of(ref);

	return REF_KIND(ref) == REF_SLAB &&
	       arena_holds_slab(a, n, sizeof(*n)) && n->used <= NODE_ROOM &&
	       arena_holds_slab(a, n, sizeof(*n) + n->used);
}

static const char *check_node(const struct arena *a, const struct node *n,
			      void (*holds)(uint64_t ref, size_t size,
					    void *arg),
			      void *arg)
{
	uint32_t live = 0;

	for (size_t off = 0; off < n->used;) {
		const struct entry *e = entry_at(n, off);
		const char *wrong = check_entry(a, n, off);

		if (wrong)
			return wrong;
		if (!e->removed && is_apart(e->size))
			holds(*ref_of(e), e->size, arg);
		live += !e->removed;
		off += e->room;
	}
	holds(slab_ref(n), sizeof(*n) + n->used, arg);
	return live && live == n->live ? NULL
				       : "it counts its attributes wrong";
}

/* What @i has, at most MAX_ATTRIBUTES, into @list. */
static size_t list_entries(const struct zinode *i, const struct entry **list)
{
	size_t nr = 0;

	for (struct node *n = node_of(i->xattrs); n; n = node_of(n->next))
		for (struct entry *e = first_live(n); e; e = next_live(n, e)) {
			list[nr++] = e;
		}
	return nr;
}

static int by_name(const void *a, const void *b)
{
	const struct entry *x = *(const struct entry *const *)a;
	const struct entry *y = *(const struct entry *const *)b;

	if (x->name_len != y->name_len)
		return x->name_len < y->name_len ? -1 : 1;
	return memcmp(x->name, y->name, x->name_len);
}

const char *xattr_verify(const struct arena *a, const struct zinode *i,
			 void (*holds)(uint64_t ref, size_t size, void *arg),
			 void *arg)
{
	const char *wrong = NULL;
	size_t live = 0;

	for (uint64_t ref = i->xattrs; ref && !wrong;
	     ref = node_of(ref)->next) {
		if (!holds_node(a, ref))
			return "a node of its attributes is nowhere";
		wrong = check_node(a, node_of(ref), holds, arg);
		/* Each has one: a chain that ends nowhere has too many. */
		live += node_of(ref)->live;
		if (live > MAX_ATTRIBUTES)
			return "it has too many attributes";
	}
	return wrong;
}

const char *xattr_verify_names(const struct zinode *i)
{
	const struct entry *list[MAX_ATTRIBUTES];
	size_t nr = list_entries(i, list);

	qsort(list, nr, sizeof(list[0]), by_name);
	for (size_t k = 1; k < nr; k++)
		if (!by_name(&list[k - 1], &list[k]))
			return "an attribute is there twice";
	return NULL;
}
