/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Chores: what nobody has asked for, done by the background thread, or by a
 * request that needs what comes of it (serve/room.h).
 *
 * The arena says which chore a thread is at. If workers crash of one, no
 * request is to blame: the chore rests at the beginning of the next worker,
 * each time for twice as long, so that requests are served meanwhile. It is
 * forgiven once it has been done for twice that time without a crash.
 */
#ifndef FS_CHORE_H
#define FS_CHORE_H

#include "layout.h"

struct zsfs;
struct zsfs_thread;

/* Msecs that a chore rests after its first crash, and at most. */
#define CHORE_REST_MSECS      2000u
#define CHORE_LONG_REST_MSECS (10 * 60 * 1000u)

/* As the log and tests know it. */
const char *chore_name(enum zsfs_chore c);

/*
 * @th is at @c until chore_ends(), which gets what this returns: it may have
 * been at another.
 */
uint64_t chore_begins(struct zsfs_thread *th, enum zsfs_chore c);
void chore_ends(struct zsfs_thread *th, uint64_t was);

/*
 * The calling thread, which is none of the arena's, works for @c as long as it
 * lives. What chore_of_thread() says of it then: @c + 1; of others 0.
 * Async-signal-safe.
 */
void chore_is_of_thread(enum zsfs_chore c);
uint64_t chore_of_thread(void);

/* Msecs that @c is still to rest, 0: it may be done. */
unsigned chore_rests(const struct zsfs *fs, enum zsfs_chore c);

/* A turn of @c has ended well: if that has been so for long, forget crashes. */
void chore_done(struct zsfs *fs, enum zsfs_chore c);

/* In a takeover: a worker crashed of @word - 1, if that is a chore. */
void chore_blame(struct zsfs *fs, uint64_t word);
/* When all were blamed, or the connection is a new one: rests begin now. */
void chores_begin(struct zsfs *fs);

#endif
