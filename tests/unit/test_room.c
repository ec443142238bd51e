/* SPDX-License-Identifier: BSD-3-Clause */
/* What was deleted is room, although nobody has freed it yet. */
#include "check.h"
#include "reap.h"
#include "room.h"
#include "zsfs_i.h"

#include <errno.h>
#include <stdlib.h>

#define MIB(n) ((uint64_t)(n) << 20)

static struct zsfs *fs;
static uint8_t data[ZSFS_MAX_WRITE];

static void start(void)
{
	struct zsfs_params p = {
		.nr_threads = 1,
		.mem_limit = MIB(32),
		.mode = 0755,
		.comp = {ZCOMP_LZ4, 1},
		.chain_size = ZS_DEFAULT_CHAIN_SIZE,
		.no_huge = true,
	};

	REQUIRE(!zsfs_create(&p, &fs));
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)rand();
}

static uint64_t make_file(const char *name)
{
	struct new_inode spec = {.mode = S_IFREG | 0644};
	struct tx *tx = tx_begin(&fs->threads[0]);
	struct zinode *i;
	uint64_t nodeid;

	REQUIRE(!zsfs_make(tx, ROOT_NODEID, name, &spec, &i));
	nodeid = inode_nodeid(fs, i);
	tx_commit(tx);
	return nodeid;
}

/* Content that does not compress, until there is no room; its bytes. */
static uint64_t fill(uint64_t nodeid)
{
	struct zsfs_thread *th = &fs->threads[0];
	uint64_t off = 0;
	struct tx *tx;
	size_t done;
	int err;

	do {
		zsfs_enter(th);
		err = room_write(th, &tx, nodeid, data, sizeof(data), off, 0,
				 &done);
		if (err)
			tx_abort(tx, err);
		else
			tx_commit(tx);
		zsfs_leave(th);
		off += done;
	} while (!err);
	CHECK_EQ(err, -ENOSPC);
	return off;
}

static void test_deleted_is_room(void)
{
	struct zsfs_thread *th;
	uint64_t big, next, size;
	struct tx *tx;
	char msg[512];

	start();
	th = &fs->threads[0];
	big = make_file("big");
	size = fill(big);
	CHECK(size > MIB(8));
	next = make_file("next");
	tx = tx_begin(th);
	CHECK_EQ(zsfs_unlink(tx, ROOT_NODEID, "big"), 0);
	tx_commit(tx);
	zsfs_forget(th, big, 1, NULL);
	reap_hand_over(th);
	CHECK(fill(next) + MIB(1) >= size);
	reap_all(th);
	if (zsfs_verify(fs, msg, sizeof(msg)))
		CHECK_FAILED("%s", msg);
	zsfs_close(fs);
}

static const struct check_case cases[] = {
	CHECK_CASE(test_deleted_is_room),
};

int main(int argc, char **argv)
{
	return CHECK_MAIN(cases, argc, argv);
}
