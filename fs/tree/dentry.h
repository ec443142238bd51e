/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Directory entries.
 *
 * A directory keeps each entry under two keys, both block tables:
 *   entries   by cookie, the entry's place. Cookies are given out in a circle,
 *             so a reader that stopped at one goes on right after it, whatever
 *             was removed or added.
 *   buckets   by hash of the name, a linear hash: it grows and shrinks by one
 *             bucket at a time, so that no single operation rehashes all.
 * Entries of a bucket are chained by `hnext`.
 *
 * A reader goes once around the circle: from the next cookie that would be
 * given out when it began, over the oldest entry, to the newest. What is made
 * later lies behind its back, so it comes to an end. Every change of a
 * directory also uses up a cookie, so that readers that began before and after
 * it end at different ones. Both numbers are in the offset that readdir tells
 * the reader: nothing about readers is kept anywhere, and the kernel's cache of
 * a listing, which goes by offsets, can never be continued by a reader that
 * began later.
 *
 * The caller holds the directory inode's lock, exclusive for changes.
 */
#ifndef FS_DENTRY_H
#define FS_DENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "state/inode.h"
#include "state/layout.h"

struct tx;
struct zsfs;

/* What an entry adds to a directory's st_size, as on tmpfs. */
#define DIRENT_SIZE 20u
#define COOKIE_BITS 27
#define END_COOKIE  (UINT64_C(1) << COOKIE_BITS)
#define MAX_ENTRIES (END_COOKIE - FIRST_COOKIE - 1)

struct dentry {
	uint64_t ino : 48;
	uint64_t type : 8; /* S_IFMT bits of the inode >> 12 */
	uint64_t name_len : 8;
	uint64_t hnext; /* address of the next entry of the bucket, or 0 */
	uint32_t hash;
	uint32_t cookie;
	char name[];
};

_Static_assert(ARENA_SIZE / INODE_ALIGN <= UINT64_C(1) << 48 &&
		       ZSFS_NAME_MAX <= 255 && COOKIE_BITS <= 32,
	       "fits its fields");

/* How many entries @dir has. */
static inline uint64_t dentry_count(const struct zinode *dir)
{
	return dir->size / DIRENT_SIZE;
}

struct dentry *dentry_find(struct zsfs *fs, const struct zinode *dir,
			   const char *name, size_t len);

/*
 * Add an entry for @ino. The name must not be there yet. Returns 0, -ENOSPC,
 * -ENOMEM.
 */
int dentry_add(struct tx *tx, struct zinode *dir, const char *name, size_t len,
	       uint64_t ino, uint32_t mode);

/* Take @d out of @dir and free it. Never fails. */
void dentry_remove(struct tx *tx, struct zinode *dir, struct dentry *d);

/* Point @d, an entry of @dir, to another inode. */
void dentry_set_ino(struct tx *tx, struct zinode *dir, struct dentry *d,
		    uint64_t ino, uint32_t mode);

/* Where a reader is, and the cookie it ends at. */
struct dir_reader {
	uint64_t end;
	uint64_t at; /* cookie of what was read last; 0 = nothing */
};

/*
 * Go on at @off, an offset of dentry_offset(); 0 begins. The reader of any
 * other number sees something or nothing, and ends.
 */
struct dir_reader dentry_seek(const struct zinode *dir, uint64_t off);

/* The offset behind the entry at @cookie: above 2, and below 2^54. */
uint64_t dentry_offset(const struct dir_reader *r, uint64_t cookie);

/* The entry after @r->at, which then is at it; NULL at the end. */
struct dentry *dentry_read(const struct zinode *dir, struct dir_reader *r);

/* First entry with a cookie >= @cookie, NULL at the end. */
struct dentry *dentry_next(const struct zinode *dir, uint64_t cookie);

/*
 * Check the two tables of @dir against each other. -EUCLEAN and a sentence in
 * @msg for the first broken invariant, else 0. The tables themselves are sound.
 * Parts of it: what @dir says of its tables, without a walk through them; that
 * @d, which the slot of @cookie leads to, is what it should be and is found.
 */
int dentry_verify_counts(const struct zinode *dir, char *msg, size_t size);
int dentry_verify_entry(struct zsfs *fs, const struct zinode *dir,
			const struct dentry *d, uint64_t cookie, char *msg,
			size_t size);
int dentry_verify(struct zsfs *fs, const struct zinode *dir, char *msg,
		  size_t size);

#endif
