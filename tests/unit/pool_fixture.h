/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A pool in an arena of its own, with refs in the root area and objects whose
 * content follows from their word: for tests and benchmarks.
 */
#ifndef TESTS_UNIT_POOL_FIXTURE_H
#define TESTS_UNIT_POOL_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "zsmalloc.h"

struct fixture {
	struct arena *arena;
	struct zs_pool *pool;
	struct arena_thread *t; /* thread 0 */
	uint64_t *ref;		/* nr_refs words, in the root area */
	size_t nr_refs;
};

struct fixture_params {
	uint64_t limit;
	unsigned nr_threads;
	unsigned chain_size;
	size_t nr_refs;
	bool no_huge;
};

static inline size_t fixture_refs_off(void)
{
	return (zs_pool_root_size() + 4095) & ~(size_t)4095;
}

static inline void fixture_attach(struct fixture *f, size_t nr_refs)
{
	f->t = arena_thread(f->arena, 0);
	f->ref =
		(uint64_t *)((char *)arena_root(f->arena) + fixture_refs_off());
	f->nr_refs = nr_refs;
}

static inline int fixture_create(struct fixture *f,
				 const struct fixture_params *p)
{
	struct arena_params ap = {
		.limit = p->limit,
		.nr_threads = p->nr_threads ? p->nr_threads : 1,
		.root_size = fixture_refs_off() + p->nr_refs * 8,
		.no_huge = p->no_huge,
	};
	int err = arena_create(&ap, &f->arena);

	if (err)
		return err;
	err = zs_create_pool(f->arena, arena_root(f->arena),
			     p->chain_size ? p->chain_size
					   : ZS_DEFAULT_CHAIN_SIZE,
			     &f->pool);
	if (err)
		arena_close(f->arena);
	else
		fixture_attach(f, p->nr_refs);
	return err;
}

static inline void fixture_close(struct fixture *f)
{
	zs_close_pool(f->pool);
	arena_close(f->arena);
	memset(f, 0, sizeof(*f));
}

/* Drop the process's half of everything and take it up again, as a successor.
 */
static inline int fixture_reopen(struct fixture *f)
{
	int fd = dup(arena_fd(f->arena)), err;

	zs_close_pool(f->pool);
	arena_close(f->arena);
	f->arena = NULL;
	f->pool = NULL;
	err = arena_open(fd, &f->arena);
	close(fd);
	if (err)
		return err;
	err = zs_open_pool(f->arena, arena_root(f->arena), &f->pool);
	if (!err) {
		fixture_attach(f, f->nr_refs);
		zs_recover_pool(f->pool, f->t);
	}
	return err;
}

/* Verify pool and arena; prints what is broken. */
static inline int fixture_verify(const struct fixture *f)
{
	char msg[256] = "";
	int err = zs_pool_verify(f->pool, msg, sizeof(msg));

	if (!err)
		err = arena_verify(f->arena, msg, sizeof(msg));
	if (err)
		fprintf(stderr, "# verify: %s\n", msg);
	return err;
}

static inline uint32_t ref_handle(uint64_t ref)
{
	return (uint32_t)REF_VALUE(ref);
}

/* A small generator, for replayable tests. */
static inline uint64_t rnd(uint64_t *state)
{
	uint64_t x = (*state += UINT64_C(0x9e3779b97f4a7c15));

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static inline uint64_t rnd_below(uint64_t *state, uint64_t n)
{
	return rnd(state) % n;
}

/* The payload of the object with this word. */
static inline void make_content(unsigned char *buf, size_t size, uint32_t word)
{
	uint64_t state = word;

	for (size_t i = 0; i < size; i += 8) {
		uint64_t x = rnd(&state);

		memcpy(buf + i, &x, size - i < 8 ? size - i : 8);
	}
}

static inline int put_object(struct fixture *f, struct arena_thread *t,
			     uint64_t *ref, size_t size, uint32_t word)
{
	unsigned char buf[ZS_MAX_ALLOC_SIZE];
	unsigned tag = word & ZS_MAX_TAG;
	int err;

	make_content(buf, size, word);
	/* Both ways of putting content in. */
	if (word & 8)
		return zs_store(f->pool, t, buf, size, tag, word, ref);
	err = zs_malloc(f->pool, t, size, tag, word, ref);
	if (err)
		return err;
	zs_obj_write(f->pool, t, ref_handle(*ref), buf, size);
	return 0;
}

/* Is the object what put_object() made? Tells its size. */
static inline bool object_intact(struct fixture *f, struct arena_thread *t,
				 uint64_t ref, size_t *size)
{
	unsigned char buf[ZS_MAX_ALLOC_SIZE];
	struct zs_obj_info info;
	const void *p = zs_obj_read_begin(f->pool, t, ref_handle(ref), &info);
	unsigned tag;
	bool ok;

	if (!p)
		return false;
	make_content(buf, info.size, info.word);
	ok = !memcmp(buf, p, info.size) &&
	     info.tag == (info.word & ZS_MAX_TAG) &&
	     zs_obj_size(f->pool, ref_handle(ref), &tag) == info.size &&
	     tag == info.tag;
	zs_obj_read_end(f->pool, t);
	if (size)
		*size = info.size;
	return ok;
}

#endif
