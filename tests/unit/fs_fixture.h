/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A small file system in an arena of its own, and allocations that fail on
 * purpose: for tests of what lies between transactions and files.
 */
#ifndef TESTS_UNIT_FS_FIXTURE_H
#define TESTS_UNIT_FS_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "content/file.h"
#include "inject.h"
#include "state/inode.h"
#include "state/tx.h"
#include "state/zsfs.h"
#include "tree/namei.h"
#include "zsmalloc.h"
#include "volume/volume.h"

static inline struct zsfs *fixture_fs_of(unsigned nr_threads)
{
	struct zsfs_params p = {
		.comp = {ZCOMP_LZ4, 1},
		.chain_size = ZS_DEFAULT_CHAIN_SIZE,
		.nr_threads = nr_threads,
		.mode = 0755,
		.no_huge = true,
	};
	struct zsfs *fs;
	int err = zsfs_create(&p, &fs);

	if (!err)
		return fs;
	fprintf(stderr, "zsfs_create: %s\n", strerror(-err));
	exit(2);
}

static inline struct zsfs *fixture_fs(void)
{
	return fixture_fs_of(1);
}

/* The end of @tx by what its operation returned, which is returned. */
static inline int fixture_end(struct tx *tx, int err)
{
	if (err)
		return tx_abort(tx, err);
	tx_commit(tx);
	return 0;
}

/* An empty file in the root; its nodeid. */
static inline uint64_t fixture_file(struct zsfs_thread *th, const char *name)
{
	struct new_inode spec = {.mode = S_IFREG | 0644};
	struct tx *tx = tx_begin(th);
	struct zinode *i;
	uint64_t nodeid;
	int err = zsfs_make(tx, ROOT_NODEID, name, &spec, &i);

	if (err) {
		fprintf(stderr, "zsfs_make: %s\n", strerror(-err));
		exit(2);
	}
	nodeid = inode_nodeid(th->fs, i);
	tx_commit(tx);
	return nodeid;
}

/* Write as a request does; *@done as zsfs_write() has it. */
static inline int fixture_write(struct zsfs_thread *th, uint64_t nodeid,
				const void *data, size_t size, uint64_t off,
				size_t *done)
{
	struct tx *tx = tx_begin(th);

	return fixture_end(tx,
			   zsfs_write(tx, nodeid, data, size, off, 0, done));
}

/* Slab objects in use, inodes aside. */
static inline uint64_t fixture_objects(struct zsfs *fs)
{
	struct arena_stats st;
	uint64_t n = 0;

	arena_get_stats(fs->arena, &st);
	for (unsigned k = SLAB_RECORD + 1; k < SLAB_NR_CACHES; k++)
		n += st.slab_objs[k];
	return n;
}

#if ZS_DEBUG_LEVEL >= 1

static unsigned fixture_countdown;

static inline bool fixture_fail(void)
{
	return fixture_countdown && --fixture_countdown == 0;
}

/* The @n'th allocation from now on fails; 0: none. */
static inline void fixture_fail_at(unsigned n)
{
	fixture_countdown = n;
	zs_fail_hook = n ? fixture_fail : NULL;
}

/* Has it failed? */
static inline bool fixture_has_failed(void)
{
	return fixture_countdown == 0;
}

#endif

#endif
