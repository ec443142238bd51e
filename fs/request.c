/* SPDX-License-Identifier: BSD-3-Clause */
/* The request loop: read, execute, reply. */
#define FUSE_USE_VERSION 35
#include "request.h"

#include <errno.h>
#include <fuse_lowlevel.h>
#include <linux/fuse.h>
#include <sched.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "log.h"
#include "reap.h"
#include "vfile.h"
#include "zsfs_i.h"

/* Bits of the INIT reply that libfuse 3.14 does not set by itself. */
#define WANTED_FLAGS (FUSE_PARALLEL_DIROPS | FUSE_HANDLE_KILLPRIV_V2)

struct current {
	struct zsfs_thread *th;
	struct fuse_session *se;
	int fd;
	request_init_fn *on_init;
	void *arg;
	const uint8_t *reply; /* captured, NULL = none */
	size_t reply_len;
};

static _Thread_local struct current cur;

struct zsfs_thread *request_thread(void)
{
	return cur.th;
}

const struct fuse_in_header *request_header(void)
{
	return (const struct fuse_in_header *)cur.th->slot->req;
}

void request_invalidate_attr(uint64_t nodeid)
{
	/* A negative offset: attributes only. */
	fuse_lowlevel_notify_inval_inode(cur.se, nodeid, -1, 0);
}

/* ---- replies ---- */

static size_t iov_total(const struct iovec *iov, int count)
{
	size_t n = 0;

	for (int i = 0; i < count; i++)
		n += iov[i].iov_len;
	return n;
}

/*
 * Add to the INIT reply what this libfuse cannot ask for, and keep the exchange
 * for a successor.
 */
static void patch_init(uint8_t *reply, size_t len)
{
	struct zsfs_super *super = cur.th->fs->super;
	const struct zsfs_slot *slot = cur.th->slot;
	const struct fuse_init_in *in =
		(const void *)(slot->req + sizeof(struct fuse_in_header));
	struct fuse_init_out *out =
		(void *)(reply + sizeof(struct fuse_out_header));

	if (len < sizeof(struct fuse_out_header) + 24)
		return;
	out->flags |= in->flags & WANTED_FLAGS;
	if (slot->req_len <= sizeof(super->init_req) &&
	    len <= sizeof(super->init_reply)) {
		memcpy(super->init_req, slot->req, slot->req_len);
		memcpy(super->init_reply, reply, len);
		super->init_req_len = slot->req_len;
		super->init_reply_len = (uint32_t)len;
	}
}

/* Content read: put the header right in front of it. */
static void capture_content(const struct iovec *iov)
{
	uint8_t *at = cur.th->read_buf + READ_BUF_HEAD - iov[0].iov_len;

	memcpy(at, iov[0].iov_base, iov[0].iov_len);
	cur.reply = at;
	cur.reply_len = iov[0].iov_len + iov[1].iov_len;
}

/* Anything else: record it in the slot. */
static ssize_t capture_small(const struct iovec *iov, int count, size_t total)
{
	struct zsfs_slot *slot = cur.th->slot;
	uint8_t *p = slot->reply;

	if (total > ZSFS_REPLY_SIZE) {
		errno = EMSGSIZE;
		return -1;
	}
	for (int i = 0; i < count; i++) {
		memcpy(p, iov[i].iov_base, iov[i].iov_len);
		p += iov[i].iov_len;
	}
	if (slot->opcode == FUSE_INIT)
		patch_init(slot->reply, total);
	slot->reply_len = (uint32_t)total;
	cur.reply = slot->reply;
	cur.reply_len = total;
	return (ssize_t)total;
}

ssize_t request_capture(int fd, struct iovec *iov, int count, void *userdata)
{
	const struct fuse_out_header *out = iov[0].iov_base;
	size_t total = iov_total(iov, count);

	(void)userdata;
	/* Notifications, and answers to interrupts of earlier requests. */
	if (!cur.th || out->unique != cur.th->slot->unique)
		return writev(fd, iov, count);
	if (count == 2 && iov[1].iov_base == cur.th->read_buf + READ_BUF_HEAD) {
		capture_content(iov);
		return (ssize_t)total;
	}
	return capture_small(iov, count, total);
}

ssize_t request_read(int fd, void *buf, size_t len, void *userdata)
{
	(void)userdata;
	return read(fd, buf, len);
}

static int send_reply(void)
{
	if (!cur.reply)
		return 0;
	if (write(cur.fd, cur.reply, cur.reply_len) >= 0)
		return 0;
	/* ENOENT: the request was interrupted and nobody waits any more. */
	if (errno == ENOENT || errno == EINTR)
		return 0;
	return -errno;
}

/* ---- forgetting ---- */

static void forget_one(uint64_t nodeid, uint64_t *nlookup)
{
	if (*nlookup == 0)
		return;
	if (vfile_is(nodeid))
		vfile_forget(cur.th, nodeid, *nlookup, nlookup);
	else
		zsfs_forget(cur.th, nodeid, *nlookup, nlookup);
}

/*
 * FORGETs have no reply and are never sent again: what is done is marked in
 * the request itself, by the transaction that does it.
 */
static void do_forget(struct zsfs_slot *slot)
{
	uint8_t *body = slot->req + sizeof(struct fuse_in_header);
	const uint8_t *end = slot->req + slot->req_len;

	if (slot->opcode == FUSE_FORGET) {
		struct fuse_forget_in *in = (void *)body;

		forget_one(request_header()->nodeid, &in->nlookup);
	} else {
		struct fuse_batch_forget_in *in = (void *)body;
		struct fuse_forget_one *one = (void *)(in + 1);

		for (uint32_t i = 0; i < in->count; i++, one++) {
			if ((const uint8_t *)(one + 1) > end)
				break;
			forget_one(one->nodeid, &one->nlookup);
		}
	}
	/* Nothing that deletes should leave the rest to others. */
	reap_all(cur.th);
}

/* ---- the loop ---- */

static void count_request(struct zsfs_slot *slot)
{
	if (slot->opcode < ZSFS_NR_OPCODES)
		__atomic_store_n(&slot->requests[slot->opcode],
				 slot->requests[slot->opcode] + 1,
				 __ATOMIC_RELAXED);
}

static bool is_forget(uint32_t opcode)
{
	return opcode == FUSE_FORGET || opcode == FUSE_BATCH_FORGET;
}

/*
 * What was deleted before statfs(2) was called counts as free: wait for the
 * FORGETs that other threads are at. The kernel hands them out first. Outside
 * the gate, because a live check may keep them out until it has this thread's.
 */
static void wait_for_forgets(struct zsfs *fs, const struct zsfs_thread *self)
{
	for (unsigned k = 0; k < fs->nr_threads; k++) {
		unsigned *at = &fs->threads[k].forgetting;
		unsigned seen = __atomic_load_n(at, __ATOMIC_SEQ_CST);

		if (&fs->threads[k] == self || !(seen & 1))
			continue;
		while (__atomic_load_n(at, __ATOMIC_SEQ_CST) == seen)
			sched_yield();
	}
}

static void execute(struct zsfs_slot *slot)
{
	struct fuse_buf buf = {.mem = slot->req, .size = slot->req_len};

	if (slot->opcode == FUSE_STATFS)
		wait_for_forgets(cur.th->fs, cur.th);
	zsfs_enter(cur.th);
	count_request(slot);
	if (is_forget(slot->opcode)) {
		do_forget(slot);
	} else {
		fuse_session_process_buf(cur.se, &buf);
	}
	zsfs_leave(cur.th);
}

/* 0, or -errno when no more requests will come. */
static int receive(struct zsfs_slot *slot)
{
	ssize_t n;

	/* From here on a successor finds no request in the buffer. */
	slot->req_len = 0;
	slot->reply_len = 0;
	undo_barrier();
	n = read(cur.fd, slot->req, ZSFS_REQ_SIZE);
	if (n < 0)
		return -errno;
	if ((size_t)n < sizeof(struct fuse_in_header))
		return -EIO;
	slot->unique = request_header()->unique;
	slot->opcode = request_header()->opcode;
	undo_barrier();
	slot->req_len = (uint32_t)n;
	return 0;
}

static int serve_one(void)
{
	struct zsfs_slot *slot = cur.th->slot;
	int err = receive(slot);
	bool init;

	/* The request was interrupted, or a signal came in. */
	if (err == -ENOENT || err == -EINTR || err == -EAGAIN)
		return 0;
	if (err)
		return err;
	cur.reply = NULL;
	init = slot->opcode == FUSE_INIT;
	if (is_forget(slot->opcode))
		__atomic_add_fetch(&cur.th->forgetting, 1, __ATOMIC_SEQ_CST);
	execute(slot);
	if (is_forget(slot->opcode))
		__atomic_add_fetch(&cur.th->forgetting, 1, __ATOMIC_SEQ_CST);
	err = send_reply();
	if (init && !err)
		cur.on_init(cur.arg);
	return err;
}

int request_loop(struct zsfs_thread *th, struct fuse_session *se, int fd,
		 request_init_fn *on_init, void *arg)
{
	int err = 0;

	cur = (struct current){
		.th = th,
		.se = se,
		.fd = fd,
		.on_init = on_init,
		.arg = arg,
	};
	while (!err && !fuse_session_exited(se))
		err = serve_one();
	cur.th = NULL;
	/* ENODEV: unmounted. */
	return err == -ENODEV ? 0 : err;
}
