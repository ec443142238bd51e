/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the arena's files do with segments (segment.c). All under run_lock,
 * changes inside the critical section of @u.
 */
#ifndef POOL_SEGMENT_I_H
#define POOL_SEGMENT_I_H

#include "run_map.h"

/*
 * The bin a segment belongs in, by its counts and whether it is transient; and
 * whether in the hole list.
 */
unsigned seg_bin_for(const struct segment *s);
bool seg_is_holed(unsigned nr_free, unsigned nr_present);

/* The segment to take a run of @pages from, as a link; 0 = none has one. */
static inline uint32_t seg_with_run_locked(const struct arena *a,
					   unsigned pages)
{
	for (unsigned bin = pages; bin <= BIN_FREE; bin++) {
		if (a->hdr->bin[bin])
			return a->hdr->bin[bin];
	}
	return 0;
}

/*
 * From now on @seg is for what is transient, or for everybody. If it is wholly
 * free something is taken of it in the same critical section.
 */
void seg_set_transient_locked(struct arena *a, struct undo_log *u, uint32_t seg,
			      bool transient);

/* What a segment's maps say. */
struct seg_counts {
	unsigned nr_free, nr_present;
	unsigned max_run; /* longest free run, at most ARENA_MAX_RUN */
};

/*
 * The counts of @seg become these, after its maps have changed: bring lists and
 * counters after them.
 */
void seg_settle_locked(struct arena *a, struct undo_log *u, uint32_t seg,
		       struct seg_counts to);

/* The same after free pages have become something else, or the reverse. */
static inline void seg_settle_taken_locked(struct arena *a, struct undo_log *u,
					   uint32_t seg, unsigned first,
					   unsigned nr, unsigned nr_present)
{
	const struct segment *s = segment_of(seg);

	seg_settle_locked(a, u, seg,
			  (struct seg_counts){
				  .nr_free = s->nr_free - nr,
				  .nr_present = nr_present,
				  .max_run = map_longest_cleared(
					  s->free, first, nr, s->max_run),
			  });
}

static inline void seg_settle_freed_locked(struct arena *a, struct undo_log *u,
					   uint32_t seg, unsigned first,
					   unsigned nr, unsigned nr_present)
{
	const struct segment *s = segment_of(seg);

	seg_settle_locked(a, u, seg,
			  (struct seg_counts){
				  .nr_free = s->nr_free + nr,
				  .nr_present = nr_present,
				  .max_run = map_longest_set(s->free, first, nr,
							     s->max_run),
			  });
}

/* Make pages [first, first + nr) of @seg, all free, part of a run. */
static inline void seg_take_pages_locked(struct arena *a, struct undo_log *u,
					 uint32_t seg, unsigned first,
					 unsigned nr)
{
	struct segment *s = segment_of(seg);

	map_change(u, s->free, first, nr, false);
	seg_settle_taken_locked(a, u, seg, first, nr, s->nr_present);
}

/* Make pages of a run free. */
static inline void seg_free_pages_locked(struct arena *a, struct undo_log *u,
					 uint32_t seg, unsigned first,
					 unsigned nr)
{
	struct segment *s = segment_of(seg);

	map_change(u, s->free, first, nr, true);
	seg_settle_freed_locked(a, u, seg, first, nr, s->nr_present);
}

/* Make pages [first, first + nr) of @seg, all absent, present and free. */
void seg_add_pages_locked(struct arena *a, struct undo_log *u, uint32_t seg,
			  unsigned first, unsigned nr);
/* Make pages, all free, absent. */
void seg_remove_pages_locked(struct arena *a, struct undo_log *u, uint32_t seg,
			     unsigned first, unsigned nr);
/* Make the whole of @seg, in which nothing is in use, absent. */
void seg_remove_all_locked(struct arena *a, struct undo_log *u, uint32_t seg);
/* Make @seg, which is absent, as if it had never been. */
void seg_forget_locked(struct arena *a, struct undo_log *u, uint32_t seg);

#endif
