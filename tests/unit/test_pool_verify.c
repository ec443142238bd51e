/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * zs_pool_verify() finds what is broken: each case spoils one thing in a pool
 * that was right, which must be noticed, and puts it back.
 */
#include "check.h"
#include "pool_fixture.h"
#include "zsmalloc_i.h"

#include <errno.h>

#define NR_REFS 600u
#define PAYLOAD 392u /* 5 pages, 51 objects */

static struct fixture fx;

struct spoil {
	const char *name;
	const char *says;		 /* a part of the message */
	uint64_t *(*word)(void);	 /* which word of the arena */
	uint64_t (*value)(uint64_t old); /* what to put there */
};

/* Things to spoil. */

static uint32_t some_handle(void)
{
	return ref_handle(fx.ref[7]);
}

static struct size_class *some_class(void)
{
	return size_class_for(fx.pool, PAYLOAD);
}

static struct zspage some_zspage(void)
{
	return zspage_of_cell(cell_load(some_handle()));
}

static uint64_t *some_head(void)
{
	return cell_chunk(cell_load(some_handle()));
}

static uint64_t *huge_head(void)
{
	return &zspage_of_cell(cell_load(ref_handle(fx.ref[599]))).desc->head;
}

static uint64_t *some_cell(void)
{
	return arena_handle_cell(some_handle());
}

static uint64_t *some_desc(void)
{
	return &some_zspage().desc->word;
}

static uint64_t *second_desc(void)
{
	return &(some_zspage().desc + 1)->word;
}

static uint64_t *some_links(void)
{
	return &some_zspage().desc->head;
}

static uint64_t *free_chunk(void)
{
	struct zspage zp = some_zspage();

	return zspage_chunk(some_class(), zp, zp.desc->freeobj);
}

static uint64_t *objs_used(void)
{
	return &some_class()->root->objs_used;
}

static uint64_t *payload(void)
{
	return &some_class()->root->payload;
}

static uint64_t *some_group(void)
{
	return (uint64_t *)&some_class()
		->root->group[some_zspage().desc->group];
}

static uint64_t *full_group(void)
{
	return (uint64_t *)&some_class()->root->group[ZS_GROUP_FULL];
}

static uint64_t *free_handles(void)
{
	return (uint64_t *)&fx.pool->root->handle_free;
}

static uint64_t *first_free_cell(void)
{
	return arena_handle_cell(fx.pool->root->handle_free);
}

static uint64_t *next_handle(void)
{
	return &fx.pool->root->handle_next;
}

static uint64_t *magazine(void)
{
	return (uint64_t *)fx.t->shared->handles;
}

static uint64_t *magazine_size(void)
{
	return &fx.t->shared->nr_handles;
}

static uint64_t *undo_n(void)
{
	return &fx.t->shared->undo.n;
}

static uint64_t *pending(void)
{
	return &fx.t->shared->pending_run;
}

static uint64_t *magic(void)
{
	return &fx.pool->root->magic;
}

/* Ways to spoil it. */

static uint64_t flip_0(uint64_t v)
{
	return v ^ 1;
}

static uint64_t flip_1(uint64_t v)
{
	return v ^ 2;
}

static uint64_t flip_32(uint64_t v)
{
	return v ^ UINT64_C(1) << 32;
}

static uint64_t flip_40(uint64_t v)
{
	return v ^ UINT64_C(1) << 40;
}

static uint64_t flip_43(uint64_t v) /* cell: size, by 32 bytes */
{
	return v ^ UINT64_C(1) << 43;
}

static uint64_t flip_56(uint64_t v) /* page_desc: group */
{
	return v ^ UINT64_C(1) << 56;
}

static uint64_t zero(uint64_t v)
{
	return 0;
}

static uint64_t zero_low(uint64_t v)
{
	return v & ~UINT64_C(0xffffffff);
}

static uint64_t zero_16(uint64_t v) /* page_desc: objects in use */
{
	return v & ~UINT64_C(0xffff);
}

static uint64_t plus_1(uint64_t v)
{
	return v + 1;
}

static uint64_t minus_1(uint64_t v)
{
	return v - 1;
}

static uint64_t live_low(uint64_t v) /* a live handle in the lower half */
{
	return (v & ~UINT64_C(0xffffffff)) | some_handle();
}

static uint64_t listed_low(uint64_t v) /* a handle of the free list */
{
	return (v & ~UINT64_C(0xffffffff)) | fx.pool->root->handle_free;
}

static uint64_t self_link(uint64_t v)
{
	return some_zspage().pfn;
}

static uint64_t self_chunk(uint64_t v)
{
	return link_make(some_zspage().desc->freeobj);
}

static uint64_t far_away(uint64_t v)
{
	return v | UINT64_C(0xfffffff);
}

static uint64_t too_many(uint64_t v)
{
	return 65;
}

static const struct spoil spoils[] = {
	{"head: not live", "bad head", some_head, flip_0},
	{"head: other handle", "does not point back", some_head, flip_1},
	{"huge head: not live", "bad head", huge_head, zero},
	{"huge head: other handle", "does not point back", huge_head, flip_1},
	{"cell: other place", "does not point back", some_cell, flip_1},
	{"cell: freed", "does not point back", some_cell, zero},
	{"cell: size of another class", "in class", some_cell, flip_43},
	{"zspage: one object more", "does not point back", some_desc, plus_1},
	{"zspage: one object fewer", "free chunk", some_desc, minus_1},
	{"zspage: none", "0 objects", some_desc, zero_16},
	{"zspage: class", "not its own", some_desc, flip_40},
	{"zspage: group", "in group", some_desc, flip_56},
	{"zspage: second page's type", "not its own", second_desc, flip_32},
	{"zspage: links", "bad link", some_links, self_link},
	{"zspage: links zeroed", "", some_links, zero},
	{"free chunk: looks live", "free chunk", free_chunk, flip_0},
	{"free chunk: cycle", "bad free chunk", free_chunk, self_chunk},
	{"free chunk: list cut", "bad free chunk", free_chunk, zero},
	{"free chunk: link too far", "free chunk", free_chunk, flip_40},
	{"class: objects", "counts", objs_used, plus_1},
	{"class: payload", "bytes of payload", payload, plus_1},
	{"class: count of a group", "counts", some_group, flip_32},
	{"class: list cut", "in the list", some_group, zero_low},
	{"class: count of full ones", "counts", full_group, flip_32},
	{"class: list of full ones", "has a list", full_group, plus_1},
	{"class: head of a list", "bad link", some_group, flip_1},
	{"class: head nowhere", "bad link", some_group, far_away},
	{"free handles: list lost", "is lost", free_handles, zero},
	{"free handles: head lost", "in the list", free_handles, zero_low},
	{"free handles: count", "in the list", free_handles, flip_32},
	{"free handles: live one", "is not free", free_handles, live_low},
	{"free handles: cut", "in the list", first_free_cell, zero},
	{"free handles: cycle", "in two places", first_free_cell, listed_low},
	{"free handles: next", "is lost", next_handle, plus_1},
	{"free handles: next not backed", "not backed", next_handle, flip_40},
	{"magazine: live one", "is not free", magazine, live_low},
	{"magazine: in the list too", "in two places", magazine, listed_low},
	{"magazine: one lost", "is lost", magazine_size, minus_1},
	{"magazine: too many", "has 65", magazine_size, too_many},
	{"thread: open undo log", "not at rest", undo_n, plus_1},
	{"thread: pending run", "not at rest", pending, plus_1},
	{"root: magic", "no pool", magic, flip_0},
};

/*
 * 600 objects in zspages of which some are full, some not; one in the huge
 * class; free handles in the list and in the magazine.
 */
static void fill_pool(void)
{
	struct fixture_params p = {.nr_refs = NR_REFS};

	REQUIRE(fixture_create(&fx, &p) == 0);
	for (size_t i = 0; i < NR_REFS - 1; i++)
		REQUIRE(!put_object(&fx, fx.t, &fx.ref[i], PAYLOAD, 1));
	REQUIRE(!put_object(&fx, fx.t, &fx.ref[NR_REFS - 1], 4096, 1));
	for (size_t i = 0; i < 300; i += 3)
		zs_free(fx.pool, fx.t, &fx.ref[i]);
	REQUIRE(fx.pool->root->handle_free != 0);
	REQUIRE(fx.t->shared->nr_handles > 2);
	REQUIRE(some_zspage().desc->inuse < 51);
	REQUIRE(fixture_verify(&fx) == 0);
}

static void try_spoil(const struct spoil *s)
{
	char msg[256] = "";
	uint64_t *word = s->word(), old = *word;
	int err;

	*word = s->value(old);
	if (*word == old)
		CHECK_FAILED("%s: nothing changed", s->name);
	err = zs_pool_verify(fx.pool, msg, sizeof(msg));
	*word = old;
	if (err != -EUCLEAN)
		CHECK_FAILED("%s: not noticed", s->name);
	else if (!strstr(msg, s->says))
		CHECK_FAILED("%s: says '%s'", s->name, msg);
	CHECK_EQ(fixture_verify(&fx), 0);
}

static void test_every_spoil_is_noticed(void)
{
	fill_pool();
	for (size_t i = 0; i < sizeof(spoils) / sizeof(spoils[0]); i++)
		try_spoil(&spoils[i]);
	fixture_close(&fx);
}

/* Whatever bit of a cell is flipped, to look at its object is safe. */
static void test_every_bit_of_a_cell(void)
{
	unsigned found = 0;

	fill_pool();
	CHECK(zs_obj_is_sound(fx.pool, ref_handle(fx.ref[NR_REFS - 1])));
	for (unsigned bit = 0; bit < 64; bit++) {
		CHECK(zs_obj_is_sound(fx.pool, some_handle()));
		*some_cell() ^= UINT64_C(1) << bit;
		found += !zs_obj_is_sound(fx.pool, some_handle());
		*some_cell() ^= UINT64_C(1) << bit;
	}
	/* The place, and those of the size that make it another class. */
	CHECK(found > 32);
	fixture_close(&fx);
}

/* The message is cut to the room there is. */
static void test_short_message(void)
{
	char msg[8] = "xxxxxxx";

	fill_pool();
	*objs_used() += 1;
	CHECK_EQ(zs_pool_verify(fx.pool, msg, 4), -EUCLEAN);
	CHECK_EQ(strlen(msg), 3);
	CHECK_EQ(msg[5], 'x');
	*objs_used() -= 1;
	fixture_close(&fx);
}

static const struct check_case cases[] = {
	CHECK_CASE(test_every_spoil_is_noticed),
	CHECK_CASE(test_every_bit_of_a_cell),
	CHECK_CASE(test_short_message),
};

int main(int argc, char **argv)
{
	return CHECK_MAIN(cases, argc, argv);
}
