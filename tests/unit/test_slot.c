/* SPDX-License-Identifier: BSD-3-Clause */
/* Tests of slot words: each says what it is made from, and only that. */
#include "check.h"

#include <errno.h>

#include "content/slot.h"
#include "fs_fixture.h"

static void test_kinds(void)
{
	CHECK_EQ(slot_kind(0), SLOT_HOLE);
	CHECK_EQ(slot_kind(slot_same(0)), SLOT_ZEROS);
	CHECK_EQ(slot_kind(slot_same(1)), SLOT_SAME);
	CHECK_EQ(slot_kind(slot_same(UINT64_MAX)), SLOT_SAME);
	CHECK_EQ(slot_kind(slot_object(1, 0)), SLOT_OBJECT);
	CHECK_EQ(slot_kind(slot_object(0x7fffffff, 0)), SLOT_OBJECT);
	CHECK_EQ(slot_kind(slot_room(0, UINT64_MAX)), SLOT_ROOM);
	CHECK_EQ(slot_kind(slot_room(slot_same(0), 0)), SLOT_ROOM_ZEROS);
	CHECK(slot_is_room_of(slot_room(0, 77), 77));
	CHECK(!slot_is_room_of(slot_room(0, 77), 78));
	CHECK(!slot_is_room_of(slot_object(77, 0), 77));
	CHECK_EQ(slot_handle(slot_object(0x7fffffff, 0)), 0x7fffffff);
}

/* Neither an object's slot nor anything near it can be a word of content. */
static void test_words(void)
{
	CHECK(slot_can_hold(0));
	CHECK(slot_can_hold(UINT64_MAX));
	CHECK(!slot_can_hold(slot_object(5, 0)));
	CHECK(!slot_can_hold(slot_same(0)));
	CHECK_EQ(slot_kind(slot_same(0) | 1), SLOT_UNKNOWN);
	CHECK_EQ(slot_kind(slot_object(1, 0) | UINT64_C(1) << 31),
		 SLOT_UNKNOWN);
}

/* What nobody can have written is not taken for zeros. */
static void test_reading(void)
{
	struct zsfs *fs = fixture_fs();
	struct zsfs_thread *th = &fs->threads[0];
	uint8_t block[ZSFS_BLOCK_SIZE];

	CHECK_EQ(slot_read(fs, th->at, th->zc, 0, block), 0);
	CHECK_EQ(block[100], 0);
	CHECK_EQ(slot_read(fs, th->at, th->zc, slot_same(0x0101010101010101),
			   block),
		 0);
	CHECK_EQ(block[4095], 1);
	CHECK_EQ(slot_read(fs, th->at, th->zc, slot_same(0), block), 0);
	CHECK_EQ(block[4095], 0);
	CHECK_EQ(slot_read(fs, th->at, th->zc, slot_same(0) | 1, block), -EIO);
	CHECK_EQ(slot_read(fs, th->at, th->zc, slot_object(99, 0), block),
		 -EIO);
	zsfs_close(fs);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		CHECK_CASE(test_kinds),
		CHECK_CASE(test_words),
		CHECK_CASE(test_reading),
	};

	return CHECK_MAIN(cases, argc, argv);
}
