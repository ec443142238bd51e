/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Verification, as .zsctl/verify has it: of all structures, while requests
 * wait, and then of all content (content/scrub.h), while they go on.
 */
#ifndef FS_CONTROL_VERIFY_H
#define FS_CONTROL_VERIFY_H

#include <stdint.h>

struct textbuf;
struct zsfs;
struct zsfs_thread;

/*
 * Check both, log what is wrong, keep the result for readers. @th is the
 * calling thread's context, with no transaction open. 0; -EUCLEAN: a structure
 * is damaged, and content was not looked at; -EIO: blocks are; -EBUSY; -EINTR:
 * it was stopped; -ENOMEM.
 */
int control_verify(struct zsfs *fs, struct zsfs_thread *th);

/*
 * Milliseconds until somebody other than the mounter may have it done, so that
 * requests do not wait most of the time. 0: he may. A takeover changes nothing
 * about it.
 */
uint64_t control_verify_rest(const struct zsfs *fs);

/*
 * The same of the structures only; but -EAGAIN, and nothing kept, when requests
 * come meanwhile.
 */
int control_verify_gently(struct zsfs *fs);

/* What it said last. */
void control_verify_show(struct zsfs *fs, struct textbuf *t);

#endif
