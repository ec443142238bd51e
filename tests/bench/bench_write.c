/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What overwriting costs without a mount: a file is written anew, 1 MiB at a
 * time, with blocks that LZ4 makes small.
 *
 *   bench_write [MIB [ROUNDS]]
 *
 * Prints nanoseconds for a block. Instructions by function, codec and copies
 * apart:
 *
 *   valgrind --tool=callgrind --toggle-collect=zsfs_write \
 *     --toggle-collect=tx_commit bench_write 8 4
 */
#include <errno.h>
#include <time.h>

#include "content/file.h"
#include "fs_fixture.h"
#include "state/inode.h"
#include "state/tx.h"
#include "tree/namei.h"

static uint8_t piece[ZSFS_MAX_WRITE];

static void must(int err)
{
	if (!err)
		return;
	fprintf(stderr, "bench_write: %s\n", strerror(-err));
	exit(1);
}

static void write_file(struct zsfs_thread *th, uint64_t id, uint64_t mib)
{
	for (uint64_t k = 0; k < mib; k++) {
		struct tx *tx = tx_begin(th);
		size_t done;

		must(zsfs_write(tx, id, piece, sizeof(piece), k << 20, 0,
				&done));
		tx_commit(tx);
	}
}

/* A word in each block that no other has, and text. */
static void fill_piece(void)
{
	for (size_t i = 0; i < sizeof(piece); i++)
		piece[i] = (uint8_t)("some text, "[i % 11] + (i >> 12) % 7);
	for (size_t i = 0; i < sizeof(piece); i += ZSFS_BLOCK_SIZE)
		memcpy(&piece[i], &i, sizeof(i));
}

static double now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

int main(int argc, char **argv)
{
	uint64_t mib = argc > 1 ? strtoull(argv[1], NULL, 10) : 64;
	uint64_t rounds = argc > 2 ? strtoull(argv[2], NULL, 10) : 20;
	struct zsfs *fs = fixture_fs();
	struct zsfs_thread *th = &fs->threads[0];
	uint64_t id = fixture_file(th, "f");
	double start;

	fill_piece();
	write_file(th, id, mib);
	start = now_ns();
	for (uint64_t k = 0; k < rounds; k++)
		write_file(th, id, mib);
	printf("%.0f ns for an overwritten block\n",
	       (now_ns() - start) / (double)(rounds * mib * ZSFS_MAX_BLOCKS));
	zsfs_close(fs);
	return 0;
}
