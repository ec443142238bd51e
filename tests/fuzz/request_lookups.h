/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How often the kernel of fuzz_request knows each file: what answers told, less
 * what it has forgotten. The file system must have the same numbers, whatever
 * failed or died meanwhile: else files live for ever, or end too early.
 */
#ifndef TESTS_FUZZ_REQUEST_LOOKUPS_H
#define TESTS_FUZZ_REQUEST_LOOKUPS_H

#include <stdint.h>

struct fuse_in_header;
struct zsfs;

void lookups_begin(void);
/* An answer has told of @nodeid. */
void lookups_add(uint64_t nodeid);
/* The sound request @in may be a FORGET. */
void lookups_forget(const struct fuse_in_header *in);
/* Ends the program where @fs has other numbers. */
void lookups_check(struct zsfs *fs);

#endif
