/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Crashes on purpose, in builds with debug_level >= 1, for tests of survival:
 *
 *   ZSFS_TEST_KILL=N     the worker sends itself SIGKILL at one of N crash
 *                        points (inject.h), at random
 *   ZSFS_TEST_POISON=S   looking up the name S in the root crashes the worker
 *   ZSFS_TEST_CHORE=S    the chore S (state/chore.c) crashes it
 *   ZSFS_TEST_DOOM=FILE  while FILE exists, who takes over dies of it
 *   ZSFS_TEST_LOG=N      undo logs of request threads have room for N words
 *
 * Release builds ignore them.
 */
#ifndef FS_CRASH_TEST_H
#define FS_CRASH_TEST_H

#include "state/layout.h"

struct zsfs;

/* Read the environment and set the hooks, in a worker that begins to work. */
void crash_test_arm(struct zsfs *fs);

/* A look-up of @name: crash if it is the one. */
void crash_test_lookup(const char *name);
/* A thread begins @c: the same. */
void crash_test_chore(enum zsfs_chore c);

#endif
