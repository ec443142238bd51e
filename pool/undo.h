/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Undo log: makes a group of changes to arena words all or nothing.
 *
 * The process may be killed between any two instructions, but the arena
 * survives it. Whoever changes several words that belong together first saves
 * the old content of each word here, changes it in place, and in the end
 * empties the log with a single store. A successor finds a log that is not
 * empty only where the group was not finished, and puts the old words back.
 *
 * Invariants
 *   - Every word named by a non-empty log is protected by a lock that the
 *     log's owner holds until the log is emptied, so a rollback never undoes
 *     somebody else's later change.
 *   - An entry is complete before `n` counts it, and `n` counts it before the
 *     word changes. Only compiler barriers are needed: the reader is a
 *     successor of a dead process, which sees every store that was retired.
 *   - A word may be saved twice; rollback goes backwards, so the oldest value
 *     wins, and doing it again (a killed recovery) gives the same result.
 *   - What finds the log full must not change the word. A group of changes has
 *     a bound that fits, so here the process ends, in any build, for a
 *     successor to undo the rest; users with groups of any size look before.
 */
#ifndef POOL_UNDO_H
#define POOL_UNDO_H

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "inject.h"

struct undo_entry {
	uint64_t addr; /* of an aligned 8-byte word in the arena */
	uint64_t old;  /* its content before the change */
};

struct undo_log {
	uint64_t n;   /* entries in use; 0 = nothing to undo */
	uint64_t max; /* room in e[] */
	struct undo_entry e[];
};

static inline void undo_barrier(void)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* Save the word at @w, as undo_save(). */
static inline void undo_save_word(struct undo_log *u, const uint64_t *w)
{
	uint64_t n = u->n;

	if (__builtin_expect(n >= u->max, 0))
		abort();
	u->e[n].addr = (uint64_t)(uintptr_t)w;
	u->e[n].old = *w;
	undo_barrier();
	u->n = n + 1;
	undo_barrier();
	zs_crash_point();
}

/* Save the words at w[0 .. nr - 1]; use UNDO_SAVE_WORDS(). */
static inline __attribute__((always_inline)) void undo_save_words(
	struct undo_log *u, const uint64_t *const *w, unsigned nr)
{
	uint64_t n = u->n;

	if (__builtin_expect(n + nr > u->max, 0))
		abort();
	for (unsigned i = 0; i < nr; i++) {
		u->e[n + i].addr = (uint64_t)(uintptr_t)w[i];
		u->e[n + i].old = *w[i];
	}
	undo_barrier();
	u->n = n + nr;
	undo_barrier();
	zs_crash_point();
}

/*
 * Save the words at these pointers, which costs less than one after the other.
 * Then change them with undo_change().
 */
#define UNDO_SAVE_WORDS(u, ...)                                                \
	undo_save_words((u), (const uint64_t *const[]){__VA_ARGS__},           \
			sizeof((const uint64_t *const[]){__VA_ARGS__}) /       \
				sizeof(const uint64_t *))

/*
 * Save the aligned 8-byte word that contains @p. The caller may then change
 * any byte of that word in place; all of it must be under the caller's lock.
 */
static inline void undo_save(struct undo_log *u, const void *p)
{
	undo_save_word(u, (uint64_t *)((uintptr_t)p & ~(uintptr_t)7));
}

/* Store @val in the word at @w, which has been saved. */
static inline void undo_change(uint64_t *w, uint64_t val)
{
	/* Some words are also looked at without the lock. */
	__atomic_store_n(w, val, __ATOMIC_RELAXED);
	zs_crash_point();
}

/* Save the word at @w, then store @val in it. */
static inline void undo_set(struct undo_log *u, uint64_t *w, uint64_t val)
{
	undo_save_word(u, w);
	undo_change(w, val);
}

/* Save the word at @w, then add @delta to it; nothing when that is 0. */
static inline void undo_add(struct undo_log *u, uint64_t *w, int64_t delta)
{
	if (delta)
		undo_set(u, w, *w + (uint64_t)delta);
}

/* Make everything since the log was empty permanent. */
static inline void undo_commit(struct undo_log *u)
{
	undo_barrier();
	zs_crash_point();
	u->n = 0;
	undo_barrier();
	zs_crash_point();
}

/* Put all saved words back, newest first, and empty the log. */
static inline void undo_rollback(struct undo_log *u)
{
	for (uint64_t i = u->n; i-- > 0;) {
		/* As in undo_change(). */
		__atomic_store_n((uint64_t *)(uintptr_t)u->e[i].addr,
				 u->e[i].old, __ATOMIC_RELAXED);
		undo_barrier();
		zs_crash_point();
	}
	u->n = 0;
	undo_barrier();
}

#endif
