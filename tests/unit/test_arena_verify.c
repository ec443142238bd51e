/* SPDX-License-Identifier: BSD-3-Clause */
/* arena_verify() must see every kind of damage. */
#include <errno.h>

#include "arena_test.h"

/* Ways to break an arena that verify must see. */
enum breakage {
	BREAK_COUNTER,
	BREAK_FREE_BIT,
	BREAK_PRESENT_BIT,
	BREAK_COUNT,
	BREAK_BIN_LIST,
	BREAK_BIN_NEXT,
	BREAK_TRANSIENT,
	BREAK_TRANSIENT_COUNT,
	BREAK_TYPE,
	BREAK_RUN_OFF,
	BREAK_FREE_DESC,
	BREAK_INTENT,
	BREAK_PENDING,
	BREAK_RECORD_MAP,
	BREAK_SLAB_INUSE,
	BREAK_SLAB_FREEOBJ,
	BREAK_SLAB_LINK,
	BREAK_SLAB_PARTIAL,
	BREAK_SLAB_CLASS,
	BREAK_SPARE,
	BREAK_RECORD_EVEN,
	BREAK_SLAB_OBJS,
	NR_BREAKAGES,
};

/* The word to change, and what to flip in it. */
static uint64_t *breakage(struct arena *a, enum breakage b, uint64_t run,
			  uint64_t slab, uint64_t record, uint64_t *flip)
{
	struct segment *s = segment_of(0);
	struct page_desc *d = page_desc_of(run_ref_pfn(run));
	struct page_desc *sd = page_desc_of(addr_to_pfn(slab_addr(slab)));

	*flip = 1;
	switch (b) {
	case BREAK_COUNTER:
		return &a->hdr->used;
	case BREAK_FREE_BIT:
		return &s->free[0];
	case BREAK_PRESENT_BIT:
		return &s->present[0];
	case BREAK_COUNT:
		return (uint64_t *)&s->nr_free;
	case BREAK_BIN_LIST:
		return (uint64_t *)((uintptr_t)&a->hdr->bin[s->bin] & ~7ul);
	case BREAK_TRANSIENT:
		*flip = (uint64_t)1 << 48;
		return (uint64_t *)&s->nr_free;
	case BREAK_TRANSIENT_COUNT:
		return &a->hdr->free_transient;
	case BREAK_BIN_NEXT:
		*flip = 77;
		return (uint64_t *)&s->next;
	case BREAK_TYPE:
		*flip = (uint64_t)1 << 38;
		return &d->word;
	case BREAK_RUN_OFF:
		*flip = (uint64_t)4 << 48;
		return &d[1].word;
	case BREAK_FREE_DESC:
		return &s->desc[500].word;
	case BREAK_INTENT:
		return &a->hdr->intent;
	case BREAK_PENDING:
		return &arena_thread(a, 2)->shared->pending_run;
	case BREAK_RECORD_MAP:
		return &s->record[0];
	case BREAK_SLAB_INUSE:
		return &sd->word;
	case BREAK_SLAB_FREEOBJ:
		*flip = 0xff0000;
		return &sd->word;
	case BREAK_SLAB_LINK:
		return (uint64_t *)slab_addr(slab) + 4; /* of the next object */
	case BREAK_SLAB_PARTIAL:
		*flip = 3;
		return (uint64_t *)&a->hdr->slab[SLAB_BUF_32].partial;
	case BREAK_SLAB_CLASS:
		*flip = (uint64_t)4 << 40;
		return &sd->word;
	case BREAK_SPARE:
		*flip = (uint64_t)1 << 32;
		return (uint64_t *)&a->hdr->slab[SLAB_BUF_32].partial;
	case BREAK_RECORD_EVEN:
		return slab_addr(record);
	default:
		return &a->hdr->slab[SLAB_BUF_32].objs;
	}
}

static void test_verify_sees(void)
{
	struct arena *a = new_arena(0, true);
	struct arena_thread *t = arena_thread(a, 0);
	uint64_t run = 0, slab = 0, record = 0, flip, *w;
	char msg[200];

	CHECK_EQ(arena_run_alloc(a, t, 8, ARENA_PAGE_DATA, &run), 0);
	CHECK_EQ(slab_alloc(a, t, SLAB_BUF_32, &slab), 0);
	CHECK_EQ(slab_alloc(a, t, SLAB_RECORD, &record), 0);
	for (unsigned b = 0; b < NR_BREAKAGES; b++) {
		check_verify(a);
		w = breakage(a, b, run, slab, record, &flip);
		*w ^= flip;
		msg[0] = 0;
		if (arena_verify(a, msg, sizeof(msg)) != -EUCLEAN || !msg[0])
			CHECK_FAILED("breakage %u not seen (%s)", b, msg);
		*w ^= flip;
	}
	/* An open undo log, and memory the file does not hold. */
	undo_save(&t->shared->undo, &run);
	CHECK_EQ(arena_verify(a, msg, sizeof(msg)), -EUCLEAN);
	undo_commit(&t->shared->undo);
	arena_unback(arena_fd(a), seg_offset(0) + 4096 * 100, 4096);
	CHECK_EQ(arena_verify(a, msg, sizeof(msg)), -EUCLEAN);
	arena_close(a);
}

/* What a damaged header says of free segments is not done. */
static void test_recovery_drops_nothing(void)
{
	struct arena *a = new_arena(0, true);
	uint64_t run = 0;
	char *bytes;

	CHECK_EQ(arena_run_alloc(a, arena_thread(a, 0), 8, ARENA_PAGE_DATA,
				 &run),
		 0);
	bytes = pfn_to_addr(run_ref_pfn(run));
	bytes[5] = 'x';
	a->hdr->free_segs ^= 1u << 20;
	CHECK_EQ(arena_recover(a), 0);
	a->hdr->free_segs ^= 1u << 20;
	a->hdr->bin[BIN_FREE_HOLED] ^= 1; /* the first segment */
	CHECK_EQ(arena_recover(a), -EPROTO);
	a->hdr->bin[BIN_FREE_HOLED] ^= 1;
	CHECK_EQ(bytes[5], 'x');
	check_verify(a);
	arena_close(a);
}

static const struct check_case cases[] = {
	CHECK_CASE(test_verify_sees),
	CHECK_CASE(test_recovery_drops_nothing),
};

int main(int argc, char **argv)
{
	return CHECK_MAIN(cases, argc, argv);
}
