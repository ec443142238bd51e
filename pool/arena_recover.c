/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Recovery: what arena_recover() does to the arena of a dead process.
 *
 * First every open undo log is rolled back, so each critical section is done
 * wholly or not at all; then the one change of backing that was under way is
 * finished or undone by punching what its intent names, which is harmless as
 * often as it is repeated; then runs that nothing names go back. Being killed
 * in here leaves an arena that the same steps repair. What does not make sense
 * (arena_sound.c) is refused before anything is done by it.
 */
#include "arena_i.h"

#include <errno.h>

static void roll_back(struct arena *a)
{
	for (unsigned i = 0; i < a->nr_threads; i++)
		undo_rollback(&a->threads[i].shared->undo);
}

/* Punch pages that the books call absent. */
static void punch_absent(struct arena *a, uint64_t intent)
{
	uint64_t off = seg_page_offset(INTENT_SEG(intent), INTENT_PAGE(intent));

	arena_punch(a, off, (uint64_t)INTENT_NR(intent) * ARENA_PAGE_SIZE);
	arena_set_intent(a, 0);
}

static int finish_intent(struct arena *a)
{
	struct arena_header *h = a->hdr;
	uint64_t intent = h->intent;

	switch (INTENT_OP(intent)) {
	case INTENT_NONE:
		return 0;
	case INTENT_GROW:
	case INTENT_DROP:
	case INTENT_FILL:
	case INTENT_PUNCH:
		punch_absent(a, intent);
		return 0;
	case INTENT_WINDOW_LOW:
		arena_unback(a->fd, h->window_low - h->step, h->step);
		arena_set_intent(a, 0);
		return 0;
	case INTENT_WINDOW_HIGH:
		arena_unback(a->fd, h->window_high, h->step);
		arena_set_intent(a, 0);
		return 0;
	case INTENT_TRIM_HANDLES:
		arena_drop_handles(a, &a->threads[0], INTENT_SEG(intent));
		return 0;
	case INTENT_TRIM_DESCS:
		arena_drop_descriptors(a, INTENT_SEG(intent));
		return 0;
	default:
		return -EPROTO;
	}
}

int arena_repair(struct arena *a)
{
	int err;

	if (!arena_has_sound_logs(a))
		return -EPROTO;
	roll_back(a);
	if (!arena_has_sound_books(a))
		return -EPROTO;
	err = finish_intent(a);
	if (err)
		return err;
	for (unsigned i = 0; i < a->nr_threads; i++) {
		struct arena_thread *t = &a->threads[i];

		arena_run_free(a, t, &t->shared->pending_run);
	}
	arena_shrink(a, &a->threads[0], false);
	return 0;
}
