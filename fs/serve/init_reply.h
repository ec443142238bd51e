/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Init reply: what is agreed with the kernel in FUSE_INIT beyond what libfuse
 * knows of. libfuse answers, and this is added before the answer is sent.
 */
#ifndef FS_INIT_REPLY_H
#define FS_INIT_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Seconds after which the kernel ends a connection that has left a request
 * unanswered, which this mount should ask for; 0 = nothing, the machine sets no
 * such limit. A worker that is stopped (a debugger, a frozen control group, a
 * suspended machine) is no reason to end it, so it is as long as can be said.
 */
unsigned init_reply_timeout(void);

/*
 * Add to the @len bytes of libfuse's @reply to the request @req, headers
 * included, what is wanted and offered. @timeout as above.
 */
void init_reply_complete(const void *req, void *reply, size_t len,
			 unsigned timeout);

/* The timeout that a completed reply asks for, 0 = none. */
unsigned init_reply_agreed_timeout(const void *reply, size_t len);

/* Does a completed reply have this one of flags (not flags2)? */
bool init_reply_has(const void *reply, size_t len, uint32_t flag);

/* Does the kernel that sent @len bytes of @req send requests again? */
bool init_request_can_resend(const void *req, size_t len);

#endif
