/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A request that makes or removes a name is executed once: one that is sent
 * again after a death must not find what it has done itself.
 */
#ifndef TESTS_FUZZ_REQUEST_ONCE_H
#define TESTS_FUZZ_REQUEST_ONCE_H

#include <stdbool.h>

struct fuse_in_header;
struct zsfs;

/* At the beginning, and where others change names: nothing is known. */
void once_forget(void);
/* The sound request @in was read, and is yet to be executed. */
void once_ask(struct zsfs *fs, const struct fuse_in_header *in);
/* @in has the answer @error. Ends the program where that cannot be. */
void once_answer(const struct fuse_in_header *in, int error);

#endif
