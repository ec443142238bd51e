/* SPDX-License-Identifier: BSD-3-Clause */
/* How much RAM an arena may hold, and how much of that a thread may fill. */
#include "arena_i.h"

/* Kept for growth: a part of the limit, at most that. */
#define GROWTH_PART 8u
#define MAX_GROWTH  (UINT64_C(256) << 20)

/* Left alone by who is modest: a part of the limit, at most that. */
#define MODEST_PART 256u
#define MAX_MODEST  (UINT64_C(2) << 20)

void arena_set_limit(struct arena *a, uint64_t bytes)
{
	__atomic_store_n(&a->hdr->limit, bytes, __ATOMIC_RELAXED);
}

void arena_set_reserve(struct arena *a, uint64_t bytes, uint64_t late)
{
	__atomic_store_n(&a->hdr->reserve, bytes, __ATOMIC_RELAXED);
	__atomic_store_n(&a->hdr->late, late, __ATOMIC_RELAXED);
}

enum arena_claim arena_thread_claim(struct arena_thread *t,
				    enum arena_claim claim, uint64_t over_limit)
{
	enum arena_claim was = t->claim;

	if (claim > was) {
		t->claim = claim;
		t->over_limit = over_limit;
	}
	return was;
}

void arena_thread_unclaim(struct arena_thread *t, enum arena_claim was)
{
	t->claim = was;
}

void arena_thread_transient(struct arena_thread *t, bool transient)
{
	t->transient = transient;
}

void arena_thread_modest(struct arena_thread *t, bool modest)
{
	t->modest = modest;
}

uint64_t arena_set_keep(struct arena *a, uint64_t bytes)
{
	uint64_t was;

	ranked_lock(&a->run_lock, RANK_RUN, 0);
	was = a->keep;
	a->keep = bytes;
	ranked_unlock(&a->run_lock, RANK_RUN, 0);
	return was;
}

void arena_add_growth(struct arena *a, int64_t bytes)
{
	__atomic_add_fetch(&a->growth, (uint64_t)bytes, __ATOMIC_RELAXED);
}

void arena_set_growth(struct arena *a, uint64_t bytes)
{
	__atomic_store_n(&a->growth, bytes, __ATOMIC_RELAXED);
}

uint64_t arena_kept_growth(const struct arena *a)
{
	uint64_t kept = __atomic_load_n(&a->growth, __ATOMIC_RELAXED);
	uint64_t most =
		__atomic_load_n(&a->hdr->limit, __ATOMIC_RELAXED) / GROWTH_PART;

	/* Of memory that comes in segments a part of one may be lost. */
	if (kept >= ARENA_SEG_SIZE)
		kept += ARENA_SEG_SIZE;
	if (most > MAX_GROWTH)
		most = MAX_GROWTH;
	return kept < most ? kept : most;
}

/* Bytes of the limit that are kept for more than what @claim may have. */
static uint64_t kept_from(const struct arena *a, enum arena_claim claim)
{
	uint64_t kept = 0;

	if (claim < ARENA_RESERVE)
		kept += __atomic_load_n(&a->hdr->reserve, __ATOMIC_RELAXED);
	if (claim < ARENA_LATE)
		kept += __atomic_load_n(&a->hdr->late, __ATOMIC_RELAXED);
	if (claim < ARENA_GROW)
		kept += arena_kept_growth(a);
	return kept;
}

/* Bytes that are neither in runs nor free pages. */
uint64_t arena_fixed_bytes_locked(const struct arena *a)
{
	const struct arena_header *h = a->hdr;

	return h->root_bytes + h->window_high - h->window_low;
}

/*
 * What all of the arena can hold in RAM; of one of full size nobody has that
 * much. Without a lock: the windows may be about to grow.
 */
static uint64_t most_bytes(const struct arena *a)
{
	if (arena_place.size == ARENA_SIZE)
		return UINT64_MAX;
	return arena_fixed_bytes_locked(a) +
	       arena_place.max_segs * (uint64_t)ARENA_SEG_SIZE;
}

static uint64_t left_alone(uint64_t limit, const struct arena_thread *t)
{
	uint64_t part = limit / MODEST_PART;

	if (!t || !t->modest || t->claim > ARENA_NEW)
		return 0;
	return part < MAX_MODEST ? part : MAX_MODEST;
}

uint64_t arena_bound(const struct arena *a, const struct arena_thread *t)
{
	uint64_t limit = __atomic_load_n(&a->hdr->limit, __ATOMIC_RELAXED);
	enum arena_claim claim = t ? t->claim : ARENA_NEW;
	uint64_t kept = kept_from(a, claim);
	uint64_t capacity = most_bytes(a);

	if (!limit || limit > capacity)
		limit = capacity;
	if (limit == UINT64_MAX)
		return limit;
	kept += left_alone(limit, t);
	if (claim > ARENA_NEW)
		limit += t->over_limit;
	return limit > kept ? limit - kept : 0;
}

bool arena_within_bound_locked(const struct arena *a,
			       const struct arena_thread *t, uint64_t bytes)
{
	uint64_t held = arena_fixed_bytes_locked(a) +
			a->hdr->in_use * ARENA_PAGE_SIZE + bytes;
	uint64_t bound = arena_bound(a, t);

	if (bound == UINT64_MAX)
		return true;
	if (t->claim < ARENA_RESERVE || t->redeem)
		held += a->promised - t->redeem;
	return held <= bound;
}

uint64_t arena_transient_locked(const struct arena *a)
{
	const struct arena_header *h = a->hdr;

	return h->free_transient * ARENA_PAGE_SIZE +
	       h->free_segs * ARENA_SEG_SIZE;
}

bool arena_has_backed(struct arena *a, struct arena_thread *t, uint64_t bytes)
{
	bool has;

	ranked_lock(&a->run_lock, RANK_RUN, 0);
	has = arena_transient_locked(a) >= bytes &&
	      arena_within_bound_locked(a, t, bytes);
	ranked_unlock(&a->run_lock, RANK_RUN, 0);
	return has;
}
