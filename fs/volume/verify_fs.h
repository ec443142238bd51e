/* SPDX-License-Identifier: BSD-3-Clause */
/* Every invariant of the file system, checked. */
#ifndef FS_VERIFY_FS_H
#define FS_VERIFY_FS_H

#include <stdbool.h>
#include <stddef.h>

struct zsfs;

/*
 * Check the whole tree: link counts, tables, entries, handles, counters, then
 * pool and arena. Takes no locks: nothing else may run. -EUCLEAN and a sentence
 * in @msg for the first broken invariant, else 0.
 */
int zsfs_verify(struct zsfs *fs, char *msg, size_t size);

/*
 * The same on a live file system: keeps all requests out meanwhile. For a
 * request thread with no transaction open, which holds its own gate. -EBUSY
 * while another check runs. @gently: -EAGAIN as soon as a request has to wait
 * for it.
 */
int zsfs_verify_live(struct zsfs *fs, bool gently, char *msg, size_t size);

#endif
