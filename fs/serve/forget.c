/* SPDX-License-Identifier: BSD-3-Clause */
/* FORGET and BATCH_FORGET: what they take back, once each. */
#include "forget.h"

#include <linux/fuse.h>
#include <sched.h>

#include "base/clock.h"
#include "control/vfile.h"
#include "request_slot.h"
#include "state/threads.h"
#include "state/tx.h"
#include "state/zsfs.h"
#include "tree/reap.h"

/* Longest wait of who asks for free room for what is being forgotten. */
#define FORGET_MSECS 20

bool forget_opcode(uint32_t opcode)
{
	return opcode == FUSE_FORGET || opcode == FUSE_BATCH_FORGET;
}

bool forget_in_slot(struct zsfs_slot *slot)
{
	return request_in(slot)->len >= sizeof(struct fuse_in_header) &&
	       forget_opcode(request_in(slot)->opcode);
}

struct one {
	struct zsfs_thread *th;
	uint64_t nodeid;
	uint64_t *nlookup; /* in the request; 0 when it is done */
};

static void forget(void *arg)
{
	const struct one *o = arg;

	if (vfile_is(o->nodeid))
		vfile_forget(o->th, o->nodeid, *o->nlookup, o->nlookup);
	else
		zsfs_forget(o->th, o->nodeid, *o->nlookup, o->nlookup);
}

/* What cannot be forgotten is left alone. */
static void forget_one(struct zsfs_thread *th, uint64_t nodeid,
		       uint64_t *nlookup)
{
	struct one o = {th, nodeid, nlookup};

	if (*nlookup && tx_guarded(th, forget, &o))
		*nlookup = 0;
}

/*
 * A process may have died before it had looked whether the request is sound, so
 * that what is behind its end is of the one before.
 */
void forget_execute(struct zsfs_thread *th)
{
	const struct fuse_in_header *in = request_in(th->slot);
	uint8_t *body = th->slot->req + sizeof(*in);
	const uint8_t *end =
		th->slot->req +
		(in->len < ZSFS_REQ_SIZE ? in->len : ZSFS_REQ_SIZE);

	if (in->opcode == FUSE_FORGET) {
		struct fuse_forget_in *one = (void *)body;

		if ((const uint8_t *)(one + 1) <= end)
			forget_one(th, in->nodeid, &one->nlookup);
	} else {
		struct fuse_batch_forget_in *batch = (void *)body;
		struct fuse_forget_one *one = (void *)(batch + 1);

		for (uint32_t i = 0; i < batch->count; i++, one++) {
			if ((const uint8_t *)(one + 1) > end)
				break;
			forget_one(th, one->nodeid, &one->nlookup);
		}
	}
}

void forget_await(struct zsfs *fs, const struct zsfs_thread *self)
{
	uint64_t end = clock_ms() + FORGET_MSECS;

	for (unsigned k = 0; k < fs->nr_threads; k++) {
		unsigned *at = &fs->threads[k].forgetting;
		unsigned seen = __atomic_load_n(at, __ATOMIC_SEQ_CST);

		if (&fs->threads[k] == self || !(seen & 1))
			continue;
		while (__atomic_load_n(at, __ATOMIC_SEQ_CST) == seen &&
		       clock_ms() < end)
			sched_yield();
	}
}

static void help(void *th)
{
	reap_help(th);
}

void forget_serve(struct zsfs_thread *th)
{
	__atomic_add_fetch(&th->forgetting, 1, __ATOMIC_SEQ_CST);
	zsfs_enter(th);
	request_count(th->slot);
	forget_execute(th);
	/* What was forgotten counts as free by now. */
	__atomic_add_fetch(&th->forgetting, 1, __ATOMIC_SEQ_CST);
	(void)tx_guarded(th, help, th);
	zsfs_leave(th);
}
