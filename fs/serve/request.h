/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One request: from /dev/fuse through libfuse to an operation, and its reply
 * back.
 *
 * The request is read into the thread's slot (receive.h) and handed to libfuse,
 * which parses it and calls an operation of ops.h. libfuse's answer is not sent
 * but captured: small replies are recorded in the slot, so that the operation
 * can commit with its reply on record, and content read stays in the thread's
 * read buffer. The reply is sent when the operation has returned.
 *
 * Whatever an operation does, its request gets one answer, as the kernel needs:
 * the first counts; where it left none, or one that fits no buffer, or that the
 * kernel refuses, it is EIO, and a line is logged. Only FORGETs, INTERRUPT and
 * NOTIFY_REPLY have none.
 *
 * The slot tells a successor how far a request came (struct zsfs_slot):
 *
 *   in the slot             means
 *   header length 0         no request was read, or it was put aside
 *   request, done != unique not done: the kernel sends it again, or it is a
 *                           FORGET, whose rest has to be done
 *   done == unique          done; reply[] is the answer
 *   and sending             the kernel may have had the answer already
 */
#ifndef FS_REQUEST_H
#define FS_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "request_slot.h"

struct fuse_session;
struct readers;
struct fuse_req;
struct zsfs;
struct zsfs_thread;

/* The thread that serves the calling thread's request. */
struct zsfs_thread *request_thread(void);
/*
 * The same for who executes @req, which is freed if its transaction has to be
 * given up (tx_guarded()).
 */
struct zsfs_thread *request_thread_of(struct fuse_req *req);

/*
 * The raw request being executed, header first, without the content of a WRITE.
 */
const struct fuse_in_header *request_header(void);

/*
 * A number that tells the request from all others of the mount by its lower 44
 * bits, and is the same when the request is sent again. The kernel's own begins
 * anew with each connection.
 */
uint64_t request_number(void);

/*
 * Did a worker that has died have it already? What it died of, if it was that,
 * should not be done where nobody would tell (poison.h).
 */
bool request_came_again(void);

/* Is it a STATX? To libfuse it is a GETATTR (statx.h). */
bool request_is_statx(void);

/*
 * Is it a TMPFILE? To libfuse, which may not know that, it is a CREATE, as
 * which it is laid out and answered.
 */
bool request_is_tmpfile(void);

/* Does the thread have other requests to execute than this one? */
bool request_others_wait(void);

/*
 * The request being executed, with no transaction open, has had its time for
 * now: it waits behind the others that there are, and is executed from its
 * beginning then, with @until in th->room_until. Returns to the operation only
 * if there is no room for it to wait.
 */
void request_put_back(uint64_t until);

/*
 * Another thread answers the request being executed, or has done so. It is one
 * that changes nothing: when the process dies, a successor executes it again.
 */
void request_deferred(void);

/* The calling thread is such another one: its answers are sent at once. */
void request_answer_deferred(void);

/* The connection that requests of this thread come from. */
int request_fd(void);

/*
 * Make the kernel forget the cached attributes of @nodeid. Takes no lock there,
 * so a request may do it while it is being executed.
 */
void request_invalidate_attr(uint64_t nodeid);

/* What a request thread works with. */
struct request_env {
	struct fuse_session *se;
	int fd;		     /* the connection */
	unsigned connection; /* its number, from 1 on */
	struct readers *readers;
	/* Called once the answer to FUSE_INIT was sent. */
	void (*on_init)(void *arg);
	/* Shall the thread leave, when it is between two requests? */
	bool (*leaving)(void *arg);
	void *arg;
};

/*
 * Read and execute requests until env->leaving() says so: then 0; -ENODEV when
 * the file system was unmounted; or -errno. A request that is
 * parked in the thread's slot comes first. A signal that interrupts read(2)
 * makes it ask env->leaving().
 */
int request_loop(struct zsfs_thread *th, const struct request_env *env);

/*
 * Bring @se, of a process that takes a mount over, into the state after the
 * exchange of FUSE_INIT that the super has kept, without sending anything. Only
 * reads the arena. 0, or -EPROTO when this program would have answered
 * otherwise, so that it cannot go on with what was agreed.
 */
int request_prime(struct zsfs *fs, struct fuse_session *se);

/* libfuse's way out: captures the reply (fuse_session_custom_io()). */
ssize_t request_capture(int fd, struct iovec *iov, int count, void *userdata);

/* libfuse wants one, too; our loop does not go through it. */
ssize_t request_read(int fd, void *buf, size_t len, void *userdata);

#endif
