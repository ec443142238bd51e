/* SPDX-License-Identifier: BSD-3-Clause */
/* The arena's figures. */
#include "arena_i.h"

#include <string.h>

void arena_reset_used_max(struct arena *a)
{
	ranked_lock(&a->run_lock, RANK_RUN, 0);
	a->hdr->used_max = a->hdr->used;
	ranked_unlock(&a->run_lock, RANK_RUN, 0);
}

static void get_run_stats(struct arena *a, struct arena_stats *out)
{
	const struct arena_header *h = a->hdr;

	ranked_lock(&a->run_lock, RANK_RUN, 0);
	out->used = h->used;
	out->used_max = h->used_max;
	out->free_pages = h->free_pages;
	out->free_transient = h->free_transient;
	out->segments = h->segments;
	out->free_segments = h->free_segs;
	out->given_back = h->given_back;
	out->window_bytes = h->window_high - h->window_low;
	out->promised = a->promised;
	out->keep = a->keep;
	memcpy(out->pages, h->pages, sizeof(out->pages));
	ranked_unlock(&a->run_lock, RANK_RUN, 0);
}

void arena_get_stats(struct arena *a, struct arena_stats *out)
{
	uint64_t spares = 0;

	memset(out, 0, sizeof(*out));
	for (unsigned i = 0; i < SLAB_NR_CACHES; i++) {
		ranked_lock(&a->slab_lock[i], RANK_SLAB, i);
		out->slab_objs[i] = a->hdr->slab[i].objs;
		spares += a->hdr->slab[i].spare != 0;
		ranked_unlock(&a->slab_lock[i], RANK_SLAB, i);
	}
	get_run_stats(a, out);
	/* Slabs kept at hand hold nothing, so they count as free. */
	if (spares > out->pages[ARENA_PAGE_SLAB])
		spares = out->pages[ARENA_PAGE_SLAB];
	out->pages[ARENA_PAGE_SLAB] -= spares;
	out->free_pages += spares;
	out->limit = __atomic_load_n(&a->hdr->limit, __ATOMIC_RELAXED);
	out->reserve = __atomic_load_n(&a->hdr->reserve, __ATOMIC_RELAXED);
	out->late = __atomic_load_n(&a->hdr->late, __ATOMIC_RELAXED);
	out->growth = __atomic_load_n(&a->growth, __ATOMIC_RELAXED);
	out->kept_growth = arena_kept_growth(a);
	out->root_bytes = a->hdr->root_bytes;
	out->huge = a->hdr->huge;
}

uint64_t arena_available_locked(const struct arena *a)
{
	const struct arena_header *h = a->hdr;
	uint64_t bound = arena_bound(a, NULL);
	uint64_t held, room, backed;

	if (bound == UINT64_MAX)
		return UINT64_MAX;
	held = arena_fixed_bytes_locked(a) + h->in_use * ARENA_PAGE_SIZE;
	room = bound > h->used ? bound - h->used : 0;
	backed = h->free_pages * ARENA_PAGE_SIZE +
		 arena_growable_locked(a, room);
	room = bound > held ? bound - held : 0;
	if (room > backed)
		room = backed;
	return room > a->promised ? room - a->promised : 0;
}

uint64_t arena_available(struct arena *a)
{
	uint64_t available;

	ranked_lock(&a->run_lock, RANK_RUN, 0);
	available = arena_available_locked(a);
	ranked_unlock(&a->run_lock, RANK_RUN, 0);
	return available;
}
