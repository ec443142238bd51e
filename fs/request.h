/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One request: from /dev/fuse through libfuse to an operation, and its reply
 * back.
 *
 * The request is read into the thread's slot and handed to libfuse, which
 * parses it and calls an operation of ops.h. libfuse's answer is not sent but
 * captured: small replies are recorded in the slot, so that the operation can
 * commit with its reply on record, and content read stays in the thread's read
 * buffer. The reply is sent when the operation has returned.
 */
#ifndef FS_REQUEST_H
#define FS_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

struct fuse_in_header;
struct fuse_session;
struct zsfs_thread;

/* Space in front of the content in zsfs_thread.read_buf for the header. */
#define READ_BUF_HEAD 4096u

/* The thread that serves the calling thread's request. */
struct zsfs_thread *request_thread(void);

/* The raw request being executed, header first. */
const struct fuse_in_header *request_header(void);

/*
 * Make the kernel forget the cached attributes of @nodeid. Takes no lock there,
 * so a request may do it while it is being executed.
 */
void request_invalidate_attr(uint64_t nodeid);

/* Called once the answer to FUSE_INIT is about to be sent. */
typedef void request_init_fn(void *arg);

/*
 * Read and execute requests from @fd until the file system is unmounted or the
 * connection is gone. Returns 0 or -errno.
 */
int request_loop(struct zsfs_thread *th, struct fuse_session *se, int fd,
		 request_init_fn *on_init, void *arg);

/* libfuse's way out: captures the reply (fuse_session_custom_io()). */
ssize_t request_capture(int fd, struct iovec *iov, int count, void *userdata);

/* libfuse wants one, too; our loop does not go through it. */
ssize_t request_read(int fd, void *buf, size_t len, void *userdata);

#endif
