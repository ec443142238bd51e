/* SPDX-License-Identifier: BSD-3-Clause */
/* Directory entries: a table by cookie and a linear hash by name. */
#include "dentry.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/siphash.h"
#include "content/block_table.h"
#include "state/inode.h"
#include "state/tx.h"
#include "state/zsfs.h"

/* Entries per bucket at which the hash grows; it shrinks at a quarter. */
#define BUCKET_LOAD 2

static struct dentry *dentry_at(uint64_t addr)
{
	return (struct dentry *)(uintptr_t)addr;
}

static uint64_t addr_of(const struct dentry *d)
{
	return (uint64_t)(uintptr_t)d;
}

static uint32_t name_hash(const struct zsfs *fs, const char *name, size_t len)
{
	return (uint32_t)siphash(&fs->super->name_key, name, len);
}

/* Of 0, which only damage makes, that of 1. */
static uint64_t floor_pow2(uint64_t n)
{
	return UINT64_C(1) << (63 - __builtin_clzll(n | 1));
}

/* Linear hashing: the buckets past nr are still part of their lower half. */
static uint64_t bucket_of(uint32_t hash, uint64_t nr)
{
	uint64_t pow = floor_pow2(nr);
	uint64_t b = hash & (2 * pow - 1);

	return b < nr ? b : b & (pow - 1);
}

struct dentry *dentry_find(struct zsfs *fs, const struct zinode *dir,
			   const char *name, size_t len)
{
	uint32_t hash = name_hash(fs, name, len);
	uint64_t b = bucket_of(hash, dir->dir.buckets.mark);
	struct dentry *d = dentry_at(table_get(&dir->dir.buckets, b));

	for (; d; d = dentry_at(d->hnext))
		if (d->hash == hash && d->name_len == len &&
		    !memcmp(d->name, name, len))
			return d;
	return NULL;
}

static void set_mark(struct tx *tx, struct ztable *t, uint64_t mark)
{
	tx_save(tx, &t->level);
	t->mark = (uint32_t)mark;
}

/* Set the head of bucket @b; fails only where a new node is needed. */
static int set_bucket(struct tx *tx, struct zinode *dir, uint64_t b,
		      uint64_t head)
{
	uint64_t *slot;
	int err;

	if (!head) {
		table_clear(tx, &dir->dir.buckets, b);
		return 0;
	}
	err = table_prepare(tx, &dir->dir.buckets, b, &slot);
	if (!err)
		table_set(tx, &dir->dir.buckets, b, slot, head);
	return err;
}

/*
 * Split one bucket: the entries of the lower half that now belong to the new
 * last bucket move there. Only an optimisation, so failing is no error.
 */
static void split_bucket(struct tx *tx, struct zinode *dir)
{
	uint64_t b = dir->dir.buckets.mark, low = b - floor_pow2(b);
	uint64_t d = table_get(&dir->dir.buckets, low), next;
	uint64_t stay = 0, move = 0;
	unsigned n = 0;

	for (uint64_t e = d; e; e = dentry_at(e)->hnext) {
		n++;
		if (bucket_of(dentry_at(e)->hash, b + 1) == b)
			move = e;
	}
	if (!tx_has_room(tx, n + 32, 16))
		return;
	/* Make sure of the node first: nothing can fail after it. */
	if (move && set_bucket(tx, dir, b, move))
		return;
	for (move = 0; d; d = next) {
		bool moves = bucket_of(dentry_at(d)->hash, b + 1) == b;

		next = dentry_at(d)->hnext;
		tx_set(tx, &dentry_at(d)->hnext, moves ? move : stay);
		if (moves)
			move = d;
		else
			stay = d;
	}
	if (move)
		set_bucket(tx, dir, b, move);
	set_bucket(tx, dir, low, stay);
	set_mark(tx, &dir->dir.buckets, b + 1);
}

/* Append the last bucket's chain to the one it was split from. */
static void merge_bucket(struct tx *tx, struct zinode *dir)
{
	uint64_t b = dir->dir.buckets.mark - 1, low = b - floor_pow2(b);
	uint64_t chain = table_get(&dir->dir.buckets, b);
	uint64_t head = table_get(&dir->dir.buckets, low);

	if (!tx_has_room(tx, 64, 32))
		return;
	if (chain && !head) {
		if (set_bucket(tx, dir, low, chain))
			return;
	} else if (chain) {
		struct dentry *tail = dentry_at(head);

		while (tail->hnext)
			tail = dentry_at(tail->hnext);
		tx_set(tx, &tail->hnext, chain);
	}
	table_clear(tx, &dir->dir.buckets, b);
	set_mark(tx, &dir->dir.buckets, b);
}

static uint64_t cookie_after(uint64_t cookie)
{
	return cookie + 1 < END_COOKIE ? cookie + 1 : FIRST_COOKIE;
}

/* Readers that begin from now on end at another cookie. */
static void note_change(struct tx *tx, struct zinode *dir)
{
	set_mark(tx, &dir->dir.entries, cookie_after(dir->dir.entries.mark));
}

/* The first free cookie from the next one on; there is one. */
static uint64_t free_cookie(const struct zinode *dir)
{
	uint64_t c = table_next_hole(&dir->dir.entries, dir->dir.entries.mark);

	return c < END_COOKIE
		       ? c
		       : table_next_hole(&dir->dir.entries, FIRST_COOKIE);
}

static void point_to(struct dentry *d, uint64_t ino, uint32_t mode)
{
	d->ino = ino;
	d->type = (uint8_t)((mode & S_IFMT) >> 12);
}

int dentry_add(struct tx *tx, struct zinode *dir, const char *name, size_t len,
	       uint64_t ino, uint32_t mode)
{
	uint32_t hash = name_hash(tx->fs, name, len);
	uint64_t b = bucket_of(hash, dir->dir.buckets.mark);
	uint64_t cookie, *slot;
	struct dentry *d;
	void *p;
	int err;

	if (dentry_count(dir) >= MAX_ENTRIES)
		return -ENOSPC;
	cookie = free_cookie(dir);
	err = tx_slab_alloc(tx, slab_cache_for(sizeof(*d) + len), &p);
	if (err)
		return err;
	d = p;
	d->hnext = table_get(&dir->dir.buckets, b);
	d->cookie = (uint32_t)cookie;
	d->hash = hash;
	d->name_len = (uint8_t)len;
	point_to(d, ino, mode);
	memcpy(d->name, name, len);

	err = table_prepare(tx, &dir->dir.entries, cookie, &slot);
	if (err)
		return err;
	table_set(tx, &dir->dir.entries, cookie, slot, addr_of(d));
	err = set_bucket(tx, dir, b, addr_of(d));
	if (err)
		return err;
	set_mark(tx, &dir->dir.entries, cookie_after(cookie));
	tx_set(tx, &dir->size, dir->size + DIRENT_SIZE);
	if (dentry_count(dir) > (uint64_t)dir->dir.buckets.mark * BUCKET_LOAD)
		split_bucket(tx, dir);
	return 0;
}

void dentry_remove(struct tx *tx, struct zinode *dir, struct dentry *d)
{
	uint64_t b = bucket_of(d->hash, dir->dir.buckets.mark);
	struct dentry *e = dentry_at(table_get(&dir->dir.buckets, b));

	if (e == d && d->hnext) {
		uint64_t *slot = NULL;

		/* The slot is in use, so nothing is allocated. */
		if (!table_prepare(tx, &dir->dir.buckets, b, &slot))
			tx_set(tx, slot, d->hnext);
	} else if (e == d) {
		table_clear(tx, &dir->dir.buckets, b);
	} else {
		while (e->hnext != addr_of(d))
			e = dentry_at(e->hnext);
		tx_set(tx, &e->hnext, d->hnext);
	}
	table_clear(tx, &dir->dir.entries, d->cookie);
	tx_free(tx, slab_ref(d));
	note_change(tx, dir);
	tx_set(tx, &dir->size, dir->size - DIRENT_SIZE);
	/* Two at a time: one would not keep pace with the removals. */
	for (unsigned i = 0; i < 2 && dir->dir.buckets.mark > 1 &&
			     dentry_count(dir) < dir->dir.buckets.mark / 2;
	     i++)
		merge_bucket(tx, dir);
}

void dentry_set_ino(struct tx *tx, struct zinode *dir, struct dentry *d,
		    uint64_t ino, uint32_t mode)
{
	note_change(tx, dir);
	tx_save(tx, d); /* the word of ino and type */
	point_to(d, ino, mode);
}

struct dentry *dentry_next(const struct zinode *dir, uint64_t cookie)
{
	uint64_t val;

	if (!table_next(&dir->dir.entries, &cookie, &val))
		return NULL;
	return dentry_at(val);
}

struct dir_reader dentry_seek(const struct zinode *dir, uint64_t off)
{
	struct dir_reader r = {.end = off >> COOKIE_BITS,
			       .at = off & (END_COOKIE - 1)};

	/* Nobody was told to go there: as one that begins now, or is done. */
	if (r.end < FIRST_COOKIE)
		r.end = dir->dir.entries.mark;
	else if (r.end >= END_COOKIE)
		r = (struct dir_reader){END_COOKIE - 1, END_COOKIE - 2};
	return r;
}

uint64_t dentry_offset(const struct dir_reader *r, uint64_t cookie)
{
	return r->end << COOKIE_BITS | cookie;
}

struct dentry *dentry_read(const struct zinode *dir, struct dir_reader *r)
{
	bool begins = r->at < FIRST_COOKIE;
	/* What was made since it began lies between its end and there. */
	uint64_t from = begins ? dir->dir.entries.mark : r->at + 1;
	struct dentry *d = NULL;

	if (from > r->end || (begins && from == r->end)) {
		d = dentry_next(dir, from);
		from = FIRST_COOKIE;
	}
	if (!d) {
		d = dentry_next(dir, from);
		if (d && d->cookie >= r->end)
			d = NULL;
	}
	if (d)
		r->at = d->cookie;
	return d;
}

/* Does an entry lie at @d? For any value. */
static bool is_entry(const struct zsfs *fs, const struct dentry *d)
{
	return arena_holds_slab(fs->arena, d, sizeof(*d)) &&
	       arena_holds_slab(fs->arena, d, sizeof(*d) + d->name_len);
}

/* Are there up to *@left entries from @d on, and no end but the last? */
static bool is_chain(const struct zsfs *fs, const struct dentry *d,
		     uint64_t *left)
{
	for (; d; d = dentry_at(d->hnext)) {
		if (!*left || !is_entry(fs, d))
			return false;
		--*left;
	}
	return true;
}

/* May the bucket that @d belongs into be looked through? */
static bool can_find(const struct zsfs *fs, const struct zinode *dir,
		     const struct dentry *d)
{
	uint64_t b = bucket_of(d->hash, dir->dir.buckets.mark);
	uint64_t left = dentry_count(dir);

	return is_chain(fs, dentry_at(table_get(&dir->dir.buckets, b)), &left);
}

int dentry_verify_entry(struct zsfs *fs, const struct zinode *dir,
			const struct dentry *d, uint64_t cookie, char *msg,
			size_t size)
{
	const char *what = NULL;

	if (!is_entry(fs, d))
		what = "it is nowhere";
	else if (d->cookie != cookie)
		what = "its cookie differs from its place";
	else if (cookie < FIRST_COOKIE || cookie >= END_COOKIE)
		what = "its cookie is none";
	else if (d->name_len == 0)
		what = "its name is empty";
	else if (d->hash != name_hash(fs, d->name, d->name_len))
		what = "its hash is not that of its name";
	else if (!can_find(fs, dir, d))
		what = "its chain leads astray";
	else if (dentry_find(fs, dir, d->name, d->name_len) != d)
		what = "it is not found by its name";
	if (!what)
		return 0;
	snprintf(msg, size, "directory %" PRIu64 ": entry %" PRIu64 ": %s",
		 inode_number(dir), cookie, what);
	return -EUCLEAN;
}

int dentry_verify_counts(const struct zinode *dir, char *msg, size_t size)
{
	const char *what = NULL;
	uint64_t n = table_count(&dir->dir.entries, 0);

	if (dir->dir.entries.mark < FIRST_COOKIE ||
	    dir->dir.entries.mark >= END_COOKIE)
		what = "its next cookie is none";
	else if (!dir->dir.buckets.mark)
		what = "it has no bucket";
	else if (dir->size != n * DIRENT_SIZE)
		what = "it measures its entries wrong";
	else if (table_count(&dir->dir.buckets, dir->dir.buckets.mark))
		what = "it has a bucket too many";
	if (!what)
		return 0;
	snprintf(msg, size,
		 "directory %" PRIu64 ": %s: %" PRIu64
		 " entries, size %" PRIu64,
		 inode_number(dir), what, n, dir->size);
	return -EUCLEAN;
}

/* Are as many entries in all the buckets as there are? */
static bool all_chained(const struct zsfs *fs, const struct zinode *dir)
{
	uint64_t b = 0, val, left = dentry_count(dir);

	for (; table_next(&dir->dir.buckets, &b, &val); b++)
		if (!is_chain(fs, dentry_at(val), &left))
			return false;
	return !left;
}

int dentry_verify(struct zsfs *fs, const struct zinode *dir, char *msg,
		  size_t size)
{
	uint64_t cookie = 0, val;
	int err = dentry_verify_counts(dir, msg, size);

	for (; !err && table_next(&dir->dir.entries, &cookie, &val); cookie++)
		err = dentry_verify_entry(fs, dir, dentry_at(val), cookie, msg,
					  size);
	if (err || all_chained(fs, dir))
		return err;
	snprintf(msg, size,
		 "directory %" PRIu64 ": its chains do not hold its %" PRIu64
		 " entries",
		 inode_number(dir), dentry_count(dir));
	return -EUCLEAN;
}
