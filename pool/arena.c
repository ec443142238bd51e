/* SPDX-License-Identifier: BSD-3-Clause */
/* What an open arena tells of itself. */
#include "arena_i.h"

_Static_assert(sizeof(struct page_desc) == 16, "page_desc");
_Static_assert(sizeof(struct segment) == 8448, "segment");
_Static_assert(sizeof(struct segment) % 64 == 0, "segment alignment");
_Static_assert(sizeof(struct segment) % ARENA_PAGE_SIZE, "cache colouring");
_Static_assert(sizeof(struct arena_header) <= ARENA_PAGE_SIZE, "header");
_Static_assert(offsetof(struct arena_thread_shared, undo_room) ==
		       offsetof(struct arena_thread_shared, undo) +
			       sizeof(struct undo_log),
	       "the undo log's room follows it");

int arena_fd(const struct arena *a)
{
	return a->fd;
}

void *arena_root(const struct arena *a)
{
	return (void *)(uintptr_t)(ARENA_BASE + a->hdr->root_off);
}

size_t arena_root_size(const struct arena *a)
{
	return a->hdr->root_size;
}

unsigned arena_nr_threads(const struct arena *a)
{
	return a->nr_threads;
}

bool arena_is_huge(const struct arena *a)
{
	return a->hdr->huge;
}

struct arena_thread *arena_thread(struct arena *a, unsigned nr)
{
	assert(nr < a->nr_threads);
	return &a->threads[nr];
}

unsigned arena_thread_nr(const struct arena_thread *t)
{
	return t->nr;
}
