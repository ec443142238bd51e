/* SPDX-License-Identifier: BSD-3-Clause */
/* From the death of a worker to the first request of the next (takeover.h). */
#include "takeover.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fuse.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "base/log.h"
#include "content/block.h"
#include "control/vfile.h"
#include "forget.h"
#include "init_reply.h"
#include "inject.h"
#include "notify.h"
#include "poison.h"
#include "request.h"
#include "request_check.h"
#include "state/zsfs.h"
#include "tree/reap.h"
#include "volume/volume.h"
#include "waiting.h"

/* Of the protocol since 7.40; older headers lack it. */
#define NOTIFY_RESEND 7

static unsigned nr_servers(const struct zsfs *fs)
{
	return fs->nr_threads - 1; /* the last is the background thread */
}

static struct zsfs_slot *slot_of(const struct zsfs *fs, unsigned nr)
{
	return fs->threads[nr].slot;
}

bool takeover_possible(const struct zsfs *fs)
{
	const struct zsfs_super *s = fs->super;

	return init_request_can_resend(s->init_req, s->init_req_len);
}

/* ---- steps 1 to 3 ---- */

static int recover(struct takeover *t)
{
	for (unsigned k = 0; k < t->fs->nr_threads; k++) {
		uint64_t state = slot_of(t->fs, k)->state;

		t->rolled_back += state == TX_ACTIVE;
		t->finished += state == TX_COMMITTED || state == TX_ANSWERED;
	}
	return zsfs_recover(t->fs);
}

static void finish_forgets(struct takeover *t)
{
	for (unsigned k = 0; k < nr_servers(t->fs); k++) {
		struct zsfs_slot *slot = slot_of(t->fs, k);

		if (!forget_in_slot(slot))
			continue;
		if (poison_is(t->fs, request_in(slot)->unique)) {
			zsfs_log(LOG_ERR,
				 "inode %" PRIu64 ": forgetting it kills the "
				 "worker, left alone",
				 request_in(slot)->nodeid);
			t->poisoned++;
		} else {
			slot->unique = request_in(slot)->unique;
			slot->executing = 1;
			forget_execute(&t->fs->threads[k]);
			slot->executing = 0;
		}
		request_drop(slot);
		t->forgets++;
	}
}

/* ---- steps 4 and 5 ---- */

/* Call @fn for the nodeids that the answer in @slot makes known. */
static void for_each_nodeid(struct zsfs_slot *slot,
			    void (*fn)(void *arg, uint64_t *nodeid), void *arg)
{
	const struct fuse_out_header *out = (const void *)slot->reply;
	uint8_t *p = slot->reply + sizeof(*out);
	uint8_t *end = slot->reply + slot->reply_len;

	if (out->error)
		return;
	switch (slot->opcode) {
	case FUSE_LOOKUP:
	case FUSE_CREATE:
	case FUSE_TMPFILE:
	case FUSE_MKNOD:
	case FUSE_MKDIR:
	case FUSE_SYMLINK:
	case FUSE_LINK:
		if (p + sizeof(struct fuse_entry_out) <= end)
			fn(arg, &((struct fuse_entry_out *)p)->nodeid);
		break;
	case FUSE_READDIRPLUS:
		while (p + sizeof(struct fuse_direntplus) <= end) {
			struct fuse_direntplus *d = (void *)p;

			p += FUSE_DIRENTPLUS_SIZE(d);
			fn(arg, &d->entry_out.nodeid);
		}
		break;
	default:
		break;
	}
}

static int ask_again(const struct takeover *t)
{
	struct fuse_out_header out = {.len = sizeof(out),
				      .error = NOTIFY_RESEND};

	if (write(t->fd, &out, sizeof(out)) == (ssize_t)sizeof(out))
		return 0;
	/* ENODEV, EPERM: not connected any more. */
	return errno == EPERM ? -ENODEV : -errno;
}

static int send_bytes(const struct takeover *t, const void *p, size_t len)
{
	if (write(t->fd, p, len) >= 0 || errno == ENOENT || errno == EINTR)
		return 0;
	return -errno;
}

static int answer_error(struct takeover *t, const struct fuse_in_header *in,
			int error)
{
	struct fuse_out_header out = {
		.len = sizeof(out), .error = error, .unique = in->unique};

	return send_bytes(t, &out, sizeof(out));
}

static int answer_poison(struct takeover *t, const struct fuse_in_header *in)
{
	zsfs_log(LOG_ERR,
		 "request %u on inode %" PRIu64
		 " has cost too many workers: it gets EIO",
		 in->opcode, in->nodeid);
	t->poisoned++;
	return answer_error(t, in, -EIO);
}

/* What was read is none, and must not be looked at. */
static int refuse(struct takeover *t, struct zsfs_slot *slot)
{
	struct fuse_in_header *in = request_in(slot);

	zsfs_log(LOG_ERR, "request %u on inode %" PRIu64 ": it makes no sense",
		 in->opcode, in->nodeid);
	request_drop(slot);
	return request_has_answer(in->opcode) ? answer_error(t, in, -EIO) : 0;
}

/*
 * The attributes in an answer to a look-up may be older than what others have
 * changed since, and the kernel would keep them for ever.
 */
static void attr_is_old(void *arg, uint64_t *nodeid)
{
	const struct takeover *t = arg;

	if (*nodeid && !vfile_is(*nodeid))
		notify_attr(t->fd, *nodeid);
}

/* The slot that holds the answer to @unique, or NULL. */
static struct zsfs_slot *find_answer(const struct takeover *t, uint64_t unique)
{
	for (unsigned k = 0; k < nr_servers(t->fs); k++) {
		struct zsfs_slot *slot = slot_of(t->fs, k);

		if (slot->done && !((slot->done ^ unique) & ~UNIQUE_RESEND))
			return slot;
	}
	return NULL;
}

/*
 * What the kernel does not take is damaged: then nobody can say any more how it
 * went, and it must not be executed again.
 */
static int send_answer(struct takeover *t, struct zsfs_slot *slot)
{
	struct fuse_out_header *out = (void *)slot->reply;
	int err = send_bytes(t, out, slot->reply_len);

	if (!err || err == -ENODEV)
		return err;
	zsfs_log(LOG_ERR, "the answer to request %u makes no sense: %s",
		 slot->opcode, strerror(-err));
	*out = (struct fuse_out_header){
		.len = sizeof(*out), .error = -EIO, .unique = out->unique};
	slot->reply_len = sizeof(*out);
	return send_bytes(t, out, sizeof(*out));
}

static int replay(struct takeover *t, struct zsfs_slot *slot, uint64_t unique)
{
	struct fuse_out_header *out = (void *)slot->reply;
	int err;

	notify_touched(t->fd, slot);
	out->unique = unique;
	slot->sending = 1;
	undo_barrier();
	zs_crash_point();
	err = send_answer(t, slot);
	for_each_nodeid(slot, attr_is_old, t);
	zs_crash_point();
	slot->done = 0;
	t->replayed++;
	return err;
}

/* A thread whose buffer is free, or -1. */
static int free_thread(const struct takeover *t)
{
	for (unsigned k = 0; k < nr_servers(t->fs); k++)
		if (!t->fs->threads[k].parked)
			return (int)k;
	return -1;
}

/*
 * @in came again, and is to be executed. Without memory it stays in the buffer
 * of @th, if the drain has another one to go on with: it must not end before
 * all that has come again was read.
 */
static int keep(struct takeover *t, struct zsfs_thread *th,
		const struct fuse_in_header *in)
{
	th->parked = !waiting_keep(t->fd, in, WAITING_ANY, 0);
	if (th->parked && free_thread(t) < 0) {
		th->parked = false;
		return answer_error(t, in, -ENOMEM);
	}
	poison_keep(t->fs, in->unique);
	t->parked++;
	return 0;
}

/* What was read into the buffer of thread @nr: 0 goes on, 1 ends the drain. */
static int sort_request(struct takeover *t, unsigned nr)
{
	struct zsfs_thread *th = &t->fs->threads[nr];
	struct fuse_in_header *in = request_in(th->slot);
	struct zsfs_slot *answer;
	int err = 0;

	if (forget_in_slot(th->slot)) {
		forget_execute(th);
		request_drop(th->slot);
		return 0;
	}
	if (in->opcode == FUSE_INTERRUPT)
		return 0;
	if (!(in->unique & UNIQUE_RESEND)) {
		th->parked = true;
		t->parked++;
		return 1;
	}
	t->again++;
	answer = find_answer(t, in->unique);
	if (answer) {
		err = replay(t, answer, in->unique);
	} else if (poison_is(t->fs, in->unique)) {
		err = answer_poison(t, in);
	} else {
		err = keep(t, th, in);
	}
	return err;
}

static int drain_one(struct takeover *t, unsigned nr)
{
	struct zsfs_slot *slot = slot_of(t->fs, nr);
	ssize_t n;

	request_drop(slot);
	undo_barrier();
	n = read(t->fd, slot->req, ZSFS_REQ_SIZE);
	if (n < 0 && (errno == ENOENT || errno == EINTR))
		return 0;
	if (n < 0)
		return errno == EAGAIN	       ? 1
		       : errno == ECONNABORTED ? -ENODEV
					       : -errno;
	zs_crash_point();
	if (n < (ssize_t)sizeof(struct fuse_in_header))
		return -EIO;
	if (!request_is_sound(t->fs->super, request_in(slot), (size_t)n))
		return refuse(t, slot);
	return sort_request(t, nr);
}

static int drain(struct takeover *t)
{
	int err = waiting_set_nonblocking(t->fd, true), nr, back;

	while (!err && (nr = free_thread(t)) >= 0)
		err = drain_one(t, (unsigned)nr);
	back = waiting_set_nonblocking(t->fd, waiting_any());
	return err < 0 ? err : back;
}

/* ---- step 6 ---- */

/*
 * The kernel never got this answer: take back what it says of an inode. The
 * nodeid is zeroed with what it stood for.
 */
static void take_back(void *arg, uint64_t *nodeid)
{
	struct zsfs_thread *th = arg;

	if (!*nodeid)
		return;
	if (vfile_is(*nodeid))
		vfile_forget(th, *nodeid, 1, nodeid);
	else
		zsfs_forget(th, *nodeid, 1, nodeid);
}

static void purge(struct takeover *t)
{
	for (unsigned k = 0; k < nr_servers(t->fs); k++) {
		struct zsfs_thread *th = &t->fs->threads[k];

		/*
		 * Not sent, and nobody asks for it again: its client was
		 * killed. When it may have been sent, the kernel may know it.
		 */
		if (th->slot->done && !th->slot->sending)
			for_each_nodeid(th->slot, take_back, th);
		th->slot->done = 0;
		undo_barrier();
		th->slot->sending = 0;
		th->slot->reply_len = 0;
		/* What the forgets above left. */
		reap_hand_over(th);
	}
	poison_purge(t->fs);
}

int takeover_run(struct takeover *t)
{
	int err;

	for (unsigned k = 0; k < t->fs->nr_threads; k++)
		t->fs->threads[k].parked = false;
	waiting_clear();
	err = recover(t);
	if (err)
		return err;
	zs_crash_point();
	poison_blame(t->fs, t->oom);
	finish_forgets(t);
	zs_crash_point();
	err = ask_again(t);
	if (!err)
		err = drain(t);
	if (err < 0)
		return err;
	zs_crash_point();
	purge(t);
	return 0;
}
