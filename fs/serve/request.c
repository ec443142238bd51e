/* SPDX-License-Identifier: BSD-3-Clause */
/* The request loop: read, execute, reply. */
#define FUSE_USE_VERSION 35
#include "request.h"

#include <errno.h>
#include <fuse_lowlevel.h>
#include <inttypes.h>
#include <linux/fuse.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "base/log.h"
#include "content/file.h"
#include "content/tidy.h"
#include "content/warm.h"
#include "forget.h"
#include "init_reply.h"
#include "notify.h"
#include "readers.h"
#include "receive.h"
#include "request_check.h"
#include "statx.h"
#include "state/shared_page.h"
#include "state/threads.h"
#include "state/tx.h"
#include "state/zsfs.h"
#include "waiting.h"

#define IS_LITTLE_ENDIAN (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)

struct current {
	struct zsfs_thread *th;
	const struct request_env *env;
	const uint8_t *reply; /* captured, NULL = none */
	size_t reply_len;
	bool deferred; /* another thread replies, or it is put back */
	bool put_back;
	struct fuse_req *req; /* NULL: not known yet */
	struct receiver receiver;
};

static _Thread_local struct current cur;

/* This thread serves no requests of its own. */
static _Thread_local bool answers_deferred;

/* The stored exchange that a successor plays to itself. */
static _Thread_local struct {
	const struct zsfs_super *super; /* NULL: not doing that */
	bool same; /* the answer was the one that was given then */
} prime;

struct zsfs_thread *request_thread(void)
{
	return cur.th;
}

struct zsfs_thread *request_thread_of(struct fuse_req *req)
{
	cur.req = req;
	return cur.th;
}

const struct fuse_in_header *request_header(void)
{
	return request_in(cur.th->slot);
}

/* 2^35 requests, in steps of 2, of each of 256 connections. */
uint64_t request_number(void)
{
	return request_header()->unique ^ (uint64_t)cur.env->connection << 36;
}

bool request_came_again(void)
{
	return request_header()->unique & UNIQUE_RESEND;
}

bool request_is_tmpfile(void)
{
	return cur.th->slot->opcode == FUSE_TMPFILE;
}

bool request_is_statx(void)
{
	return cur.th->slot->opcode == OPCODE_STATX;
}

void request_answer_deferred(void)
{
	answers_deferred = true;
}

void request_deferred(void)
{
	cur.deferred = true;
}

int request_fd(void)
{
	return cur.env->fd;
}

void request_invalidate_attr(uint64_t nodeid)
{
	notify_attr(cur.env->fd, nodeid);
}

/* ---- replies ---- */

static size_t iov_total(const struct iovec *iov, int count)
{
	size_t n = 0;

	for (int i = 0; i < count; i++)
		n += iov[i].iov_len;
	return n;
}

bool request_others_wait(void)
{
	return cur.th && receive_others(&cur.receiver);
}

void request_put_back(uint64_t until)
{
	if (!receive_put_back(&cur.receiver, cur.th, until))
		return;
	cur.deferred = cur.put_back = true;
	tx_leave(cur.th);
}

/* Keep the exchange for a successor. */
static void keep_init(struct zsfs_super *super, const struct zsfs_slot *slot,
		      const uint8_t *reply, size_t len)
{
	if (slot->req_len > sizeof(super->init_req) ||
	    len > sizeof(super->init_reply))
		return;
	memcpy(super->init_req, slot->req, slot->req_len);
	memcpy(super->init_reply, reply, len);
	super->init_reply_len = (uint32_t)len;
	undo_barrier();
	super->init_req_len = slot->req_len;
}

/* Instead of whatever the answer was. */
static void answer_eio(struct zsfs_slot *slot)
{
	struct fuse_out_header *out = (void *)slot->reply;

	*out = (struct fuse_out_header){
		.len = sizeof(*out),
		.error = -EIO,
		.unique = slot->unique,
	};
	slot->reply_len = sizeof(*out);
	cur.reply = slot->reply;
	cur.reply_len = sizeof(*out);
}

/* Something is wrong with the answer to the request in @slot. */
static void complain(const struct zsfs_slot *slot, const char *what)
{
	zsfs_log_ratelimited(LOG_ERR, "request %u on inode %" PRIu64 ": %s",
			     slot->opcode, request_header()->nodeid, what);
}

/* Content read: put the header right in front of it. */
static void capture_content(const struct iovec *iov)
{
	uint8_t *at = cur.th->buf.read + READ_BUF_HEAD - iov[0].iov_len;

	memcpy(at, iov[0].iov_base, iov[0].iov_len);
	cur.reply = at;
	cur.reply_len = iov[0].iov_len + iov[1].iov_len;
}

/*
 * What changes nothing is better executed again than answered from the record,
 * which may be older than what the kernel knows by now.
 */
static bool changes_something(uint32_t opcode)
{
	return opcode != FUSE_GETATTR && opcode != OPCODE_STATX &&
	       opcode != FUSE_READLINK && opcode != FUSE_READ &&
	       opcode != FUSE_READDIR && opcode != FUSE_LSEEK &&
	       opcode != FUSE_STATFS && opcode != FUSE_GETXATTR &&
	       opcode != FUSE_LISTXATTR;
}

/* Does the answer in @slot say that it was done? */
static bool is_success(const struct zsfs_slot *slot)
{
	return !((const struct fuse_out_header *)slot->reply)->error;
}

/* Anything else: record it in the slot. */
static ssize_t capture_small(const struct iovec *iov, int count, size_t total)
{
	struct zsfs_slot *slot = cur.th->slot;
	uint8_t *p = slot->reply;

	if (total > ZSFS_REPLY_SIZE) {
		complain(slot, "its answer is too long");
		if (slot->state == TX_ACTIVE)
			tx_give_up(&cur.th->tx);
		answer_eio(slot);
		return (ssize_t)total;
	}
	for (int i = 0; i < count; i++) {
		memcpy(p, iov[i].iov_base, iov[i].iov_len);
		p += iov[i].iov_len;
	}
	if (slot->opcode == FUSE_INIT && is_success(slot)) {
		init_reply_complete(slot->req, slot->reply, total,
				    init_reply_timeout());
		keep_init(cur.th->fs->super, slot, slot->reply, total);
	}
	slot->reply_len = (uint32_t)total;
	cur.th->tx.replied = changes_something(slot->opcode);
	cur.reply = slot->reply;
	cur.reply_len = total;
	return (ssize_t)total;
}

/* The answer that this program gives to the stored INIT. */
static void compare_init(const struct iovec *iov, int count, size_t total)
{
	const struct zsfs_super *super = prime.super;
	uint8_t reply[sizeof(super->init_reply)], *p = reply;

	if (total != super->init_reply_len)
		return;
	for (int i = 0; i < count; i++) {
		memcpy(p, iov[i].iov_base, iov[i].iov_len);
		p += iov[i].iov_len;
	}
	init_reply_complete(
		super->init_req, reply, total,
		init_reply_agreed_timeout(super->init_reply, total));
	prime.same = !memcmp(reply, super->init_reply, total);
}

ssize_t request_capture(int fd, struct iovec *iov, int count, void *userdata)
{
	const struct fuse_out_header *out = iov[0].iov_base;
	size_t total = iov_total(iov, count);

	if (prime.super) {
		compare_init(iov, count, total);
		return (ssize_t)total;
	}
	if (!out->unique || answers_deferred) /* or a notification */
		return writev(fd, iov, count);
	if (!cur.th)
		return (ssize_t)total;
	if (cur.reply || out->unique != cur.th->slot->unique ||
	    !request_has_answer(cur.th->slot->opcode)) {
		complain(cur.th->slot, "another answer is left out");
		return (ssize_t)total;
	}
	if (count == 2 && iov[1].iov_base == cur.th->buf.read + READ_BUF_HEAD) {
		capture_content(iov);
		return (ssize_t)total;
	}
	return capture_small(iov, count, total);
}

ssize_t request_read(int fd, void *buf, size_t len, void *userdata)
{
	return read(fd, buf, len);
}

int request_prime(struct zsfs *fs, struct fuse_session *se)
{
	const struct zsfs_super *super = fs->super;
	uint8_t req[sizeof(super->init_req)];
	struct fuse_buf buf = {.mem = req, .size = super->init_req_len};

	if (buf.size < sizeof(struct fuse_in_header) || buf.size > sizeof(req))
		return -EPROTO;
	memcpy(req, super->init_req, buf.size);
	prime.super = super;
	prime.same = false;
	fuse_session_process_buf(se, &buf);
	prime.super = NULL;
	return prime.same ? 0 : -EPROTO;
}

/* Nobody waits any more: the request was interrupted, or all is over. */
static bool nobody_waits(int err)
{
	return err == ENOENT || err == EINTR || err == ENODEV;
}

static int send_reply(struct zsfs_slot *slot)
{
	ssize_t n;

	if (!cur.reply)
		return 0;
	slot->sending = 1;
	undo_barrier();
	zs_crash_point();
	n = write(cur.env->fd, cur.reply, cur.reply_len);
	if (n < 0 && !nobody_waits(errno)) {
		/* Where the kernel has given up on it already: ENOENT. */
		complain(slot, strerror(errno));
		answer_eio(slot);
		n = write(cur.env->fd, cur.reply, cur.reply_len);
	}
	zs_crash_point();
	if (n < 0 && errno != ENOENT && errno != EINTR)
		return -errno;
	__atomic_store_n(&slot->replies, slot->replies + 1, __ATOMIC_RELAXED);
	shared_note_progress(cur.th->fs->shared);
	return 0;
}

/* ---- the loop ---- */

/*
 * What libfuse may not know is shown to it as what is laid out and answered in
 * the same way. The answer to COPY_FILE_RANGE_64 is a number of 64 bits, of
 * which the other's, a struct fuse_write_out, has the lower half, and zeros
 * behind it.
 */
static void rename_opcode(uint32_t *opcode)
{
	if (request_is_tmpfile())
		*opcode = FUSE_CREATE;
	else if (request_is_statx())
		*opcode = FUSE_GETATTR;
	else if (*opcode == OPCODE_COPY_FILE_RANGE_64 && IS_LITTLE_ENDIAN)
		*opcode = FUSE_COPY_FILE_RANGE;
}

static void process(void *buf)
{
	rename_opcode(&request_in(cur.th->slot)->opcode);
	fuse_session_process_buf(cur.env->se, buf);
	if (cur.th->slot->state == TX_IDLE)
		tidy_clusters(cur.th);
}

/* An operation has returned, with its transaction ended and an answer? */
static void check_answer(struct zsfs_thread *th)
{
	struct zsfs_slot *slot = th->slot;

	if (slot->state == TX_ACTIVE) {
		complain(slot, "its transaction was left open");
		tx_abort(&th->tx, -EIO);
		answer_eio(slot);
	} else if (!cur.reply && !cur.deferred &&
		   request_has_answer(slot->opcode)) {
		complain(slot, "it was left without an answer");
		answer_eio(slot);
	}
}

/* Of interest to long work only: nothing here waits for others. */
static void interrupt(struct zsfs_thread *th)
{
	const struct fuse_interrupt_in *in =
		(const void *)(request_header() + 1);

	zsfs_interrupt(th->fs, in->unique);
}

static void execute(struct zsfs_thread *th)
{
	struct zsfs_slot *slot = th->slot;
	struct fuse_buf buf = {.mem = receive_body(&cur.receiver, th),
			       .size = slot->req_len};

	/* Before the gate: who is to end may keep others out. */
	if (slot->opcode == FUSE_INTERRUPT)
		interrupt(th);
	if (slot->opcode == FUSE_STATFS || slot->opcode == FUSE_FALLOCATE)
		forget_await(th->fs, th);
	zsfs_enter(th);
	if (!th->room_until)
		request_count(slot);
	if (slot->opcode != FUSE_INTERRUPT && tx_guarded(th, process, &buf)) {
		arena_thread_modest(th->at, false);
		/* Else libfuse would keep it for ever. */
		if (cur.req && !cur.reply && (!cur.deferred || cur.put_back))
			fuse_reply_none(cur.req);
		/* What came after its commit does not undo it. */
		if (slot->done != slot->unique && !cur.put_back)
			answer_eio(slot);
	}
	check_answer(th);
	zsfs_leave(th);
}

static void warm(void *th)
{
	warm_step(th);
}

/* What a request that was answered leaves to be done. */
static void follow_up(struct zsfs_thread *th)
{
	if (!th->warm_queue_full)
		return;
	zsfs_enter(th);
	tx_guarded(th, warm, th);
	zsfs_leave(th);
}

/* A request is in the buffer: whatever happens now is about it. */
static int accept_request(struct zsfs_thread *th, size_t len)
{
	struct zsfs_slot *slot = th->slot;

	if (len < sizeof(struct fuse_in_header))
		return -EIO;
	slot->unique = request_header()->unique;
	slot->opcode = request_header()->opcode;
	slot->req_len = (uint32_t)len;
	if (cur.receiver.sound)
		notify_note(slot);
	else
		request_drop(slot);
	undo_barrier();
	slot->executing = 1;
	undo_barrier();
	zs_crash_point();
	return 0;
}

/* 0, or -errno when no more requests will come. */
static int receive(struct zsfs_thread *th)
{
	struct zsfs_slot *slot = th->slot;
	ssize_t n;

	slot->executing = 0;
	if (th->parked) {
		th->parked = false;
		cur.receiver.sound = true; /* else it would not be there */
		return accept_request(th, request_header()->len);
	}
	/* The last request is over, and no other has come yet. */
	slot->done = 0;
	undo_barrier(); /* else a delivered answer might be taken back */
	slot->sending = 0;
	slot->req_len = 0;
	slot->reply_len = 0;
	undo_barrier();
	request_drop(slot);
	undo_barrier();
	zs_crash_point();
	n = receive_next(&cur.receiver, th);
	if (n < 0)
		return (int)n;
	zs_crash_point();
	return accept_request(th, (size_t)n);
}

/* What was read is none, and must not be looked at. */
static int refuse(struct zsfs_slot *slot)
{
	complain(slot, "it makes no sense");
	if (!request_has_answer(slot->opcode))
		return 0;
	answer_eio(slot);
	return send_reply(slot);
}

/* The request in the slot. 0, or -errno when no more will come. */
static int serve(struct zsfs_thread *th)
{
	int err;

	cur.reply = NULL;
	cur.deferred = cur.put_back = false;
	cur.req = NULL;
	if (!cur.receiver.sound)
		return refuse(th->slot);
	if (forget_opcode(th->slot->opcode)) {
		forget_serve(th);
		return 0;
	}
	execute(th);
	if (cur.deferred)
		return 0;
	/* A write says it by itself, where it is so. */
	if (th->slot->opcode != FUSE_WRITE)
		notify_touched(cur.env->fd, th->slot);
	err = send_reply(th->slot);
	follow_up(th);
	if (!err && th->slot->opcode == FUSE_INIT && is_success(th->slot))
		cur.env->on_init(cur.env->arg);
	return err;
}

static int serve_one(struct zsfs_thread *th)
{
	struct readers *readers = cur.env->readers;
	unsigned nr = zsfs_thread_nr(th);
	int err;

	if (!th->parked && !waiting_any())
		readers_wait(readers, nr);
	err = receive(th);
	/* The request was interrupted, or a signal came in. */
	if (err == -ENOENT || err == -EINTR || err == -EAGAIN)
		return 0;
	if (err)
		return err;
	readers_received(readers, nr, request_header());
	err = serve(th);
	receive_done(&cur.receiver);
	readers_done(readers, nr);
	return err;
}

int request_loop(struct zsfs_thread *th, const struct request_env *env)
{
	int err = 0;

	cur = (struct current){
		.th = th,
		.env = env,
		.receiver = {.fd = env->fd, .readers = env->readers},
	};
	while (!err && !fuse_session_exited(env->se) && !env->leaving(env->arg))
		err = serve_one(th);
	th->slot->executing = 0;
	cur.th = NULL;
	return err;
}
