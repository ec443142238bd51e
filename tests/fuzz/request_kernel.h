/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The kernel of fuzz_request: what it has asked, whether an answer to it is one
 * that it would take, and what it sends again to a successor.
 */
#ifndef TESTS_FUZZ_REQUEST_KERNEL_H
#define TESTS_FUZZ_REQUEST_KERNEL_H

#include <stdbool.h>
#include <stddef.h>

#include "request_input.h"

struct fuse_in_header;
struct zsfs;

/* As many in one life of a mount. */
#define MAX_REQUESTS 200u

/* Nothing was asked yet; what answers tell is learned by @in. */
void kernel_begin(struct request_input *in);
/* What is left is nobody's. */
void kernel_end(void);

/* The request of @len bytes is handed to @fs: it gets its number, and is kept.
 */
void kernel_ask(struct zsfs *fs, struct fuse_in_header *request, size_t len);
/* Has the last one its answer, if it did not have to wait for others? */
bool kernel_last_is_done(void);
/* Does any wait for an answer? */
bool kernel_waits(void);

/* What is written to the connection; @taking_over: by who has just come. */
void kernel_take(const void *buf, size_t len, bool taking_over);

/* All that wait are sent again: to be taken one by one, 0: no more. */
void kernel_resend_all(void);
size_t kernel_resend(void *buf, size_t size);

#endif
