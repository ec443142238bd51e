/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What can be seen of a small file system, as one number that is another one
 * when anything has changed. Only names of one letter are looked at, and no
 * access times.
 */
#ifndef TESTS_UNIT_FS_LOOK_H
#define TESTS_UNIT_FS_LOOK_H

#include "check.h"
#include "fs_fixture.h"
#include "content/file.h"
#include "state/counters.h"
#include "state/inode_flags.h"
#include "tree/reap.h"
#include "tree/xattr.h"

struct look {
	struct zsfs_thread *th;
	uint64_t hash;
};

static inline void look_at(struct look *l, const void *p, size_t n)
{
	for (size_t k = 0; k < n; k++)
		l->hash = (l->hash ^ ((const uint8_t *)p)[k]) *
			  UINT64_C(0x100000001b3);
}

static inline void look_at_number(struct look *l, uint64_t n)
{
	look_at(l, &n, sizeof(n));
}

static inline void look_at_content(struct look *l, uint64_t nodeid)
{
	static uint8_t got[65536];
	uint64_t off = 0;
	size_t done;

	do {
		struct tx *tx = tx_begin(l->th);

		CHECK_EQ(fixture_end(tx, zsfs_read(tx, nodeid, got, sizeof(got),
						   off, &done)),
			 0);
		look_at(l, got, done);
		off += done;
	} while (done);
}

static inline bool look_at_trusted(void)
{
	return true;
}

static inline void look_at_xattrs(struct look *l, uint64_t nodeid)
{
	static char value[65536];
	struct tx *tx = tx_begin(l->th);
	size_t len, size;
	char names[1024];

	CHECK_EQ(fixture_end(tx, zsfs_listxattr(tx, nodeid, look_at_trusted,
						names, sizeof(names), &len)),
		 0);
	for (const char *n = names; n < names + len; n += strlen(n) + 1) {
		tx = tx_begin(l->th);
		CHECK_EQ(fixture_end(tx, zsfs_getxattr(tx, nodeid, n, value,
						       sizeof(value), &size)),
			 0);
		look_at(l, n, strlen(n));
		look_at(l, value, size);
	}
}

static inline void look_at_inode(struct look *l, const struct zinode *i)
{
	struct stat st;

	inode_stat(i, &st);
	look_at_number(l, st.st_ino);
	look_at_number(l, st.st_mode);
	look_at_number(l, st.st_uid);
	look_at_number(l, st.st_nlink);
	look_at_number(l, (uint64_t)st.st_size);
	look_at_number(l, (uint64_t)st.st_blocks);
	look_at_number(l, i->flags & INODE_FLAGS);
	look_at(l, &st.st_mtim, sizeof(st.st_mtim));
	look_at(l, &st.st_ctim, sizeof(st.st_ctim));
}

static inline void look_at_names(struct look *l, uint64_t dir);

static inline void look_at_name(struct look *l, uint64_t dir, char letter)
{
	struct tx *tx = tx_begin(l->th);
	char name[2] = {letter};
	struct zinode *i = NULL;
	uint64_t nodeid;

	CHECK_EQ(fixture_end(tx, zsfs_lookup(tx, dir, name, &i)), 0);
	if (!i)
		return;
	nodeid = inode_nodeid(l->th->fs, i);
	look_at(l, name, 1);
	look_at_inode(l, i);
	look_at_xattrs(l, nodeid);
	if (S_ISREG(i->mode))
		look_at_content(l, nodeid);
	if (S_ISDIR(i->mode))
		look_at_names(l, nodeid);
	zsfs_forget(l->th, nodeid, 1, NULL);
}

static inline void look_at_names(struct look *l, uint64_t dir)
{
	for (char c = 'a'; c <= 'z'; c++)
		look_at_name(l, dir, c);
}

static inline void look_at_counters(struct look *l)
{
	static const enum zsfs_stat counters[] = {ST_BLOCKS, ST_INODES, ST_SAME,
						  ST_ROOM};
	struct zsfs *fs = l->th->fs;
	struct arena_stats st;

	for (size_t k = 0; k < sizeof(counters) / sizeof(counters[0]); k++)
		look_at_number(l, (uint64_t)zsfs_stat_sum(fs, counters[k]));
	look_at_number(l, (uint64_t)fs->used_blocks);
	look_at_number(l, (uint64_t)fs->used_inodes);
	arena_get_stats(fs->arena, &st);
	look_at_number(l, st.promised);
}

/* With no transaction open in @th. */
static inline uint64_t look_at_fs(struct zsfs_thread *th)
{
	struct look l = {.th = th, .hash = UINT64_C(0xcbf29ce484222325)};

	look_at_inode(&l, inode_resolve(th->fs, ROOT_NODEID));
	look_at_names(&l, ROOT_NODEID);
	look_at_counters(&l);
	return l.hash;
}

#endif
