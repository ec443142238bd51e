/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Threads: that they live, and the gate of each.
 *
 * A thread holds its gate while it executes a request or does a step of other
 * work, so that a check of everything keeps all others out by taking every
 * gate.
 */
#ifndef FS_THREADS_H
#define FS_THREADS_H

#include <stdbool.h>
#include <stdint.h>

struct zsfs;
struct zsfs_thread;

/* The calling thread has arena thread @nr from now on: say that it lives. */
void zsfs_thread_lives(struct zsfs *fs, unsigned nr);
/* Wait until all threads of the arena have said so. */
void zsfs_await_threads(struct zsfs *fs);

/*
 * Enter and leave the gate of the calling thread's context. Entering waits for
 * a check under way; no lock may be held.
 */
void zsfs_enter(struct zsfs_thread *th);
void zsfs_leave(struct zsfs_thread *th);
/*
 * In the midst of long work, with no transaction open: let a check go first, if
 * one waits for this thread.
 */
void zsfs_pause(struct zsfs_thread *th);

/*
 * Shall long work that can be done anew end early, because who made the request
 * that @th executes shall (ending.h)? For @th itself; looks now and then.
 */
bool zsfs_is_interrupted(struct zsfs_thread *th);
/* The same of request @unique, which process @pid made, by any thread. */
bool zsfs_was_interrupted(struct zsfs *fs, uint64_t unique, uint32_t pid);
/*
 * For any thread: who made request @unique has had a signal. It may be that
 * this request is yet to be executed, or was already.
 */
void zsfs_interrupt(struct zsfs *fs, uint64_t unique);

/*
 * Take all gates but the calling thread's own, if it is in one: nothing else is
 * under way then, until zsfs_let_in(). False: somebody else does so.
 */
bool zsfs_keep_out(struct zsfs *fs);
void zsfs_let_in(struct zsfs *fs);

#endif
