/* SPDX-License-Identifier: BSD-3-Clause */
/* The next request for a thread (see receive.h). */
#include "receive.h"

#include <errno.h>
#include <linux/fuse.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "readers.h"
#include "request_check.h"
#include "request_slot.h"
#include "state/zsfs.h"
#include "waiting.h"

/* Requests that one thread serves before one that waits. */
#define MANY_IN_A_ROW 32u
/* Clients whose requests take no time count as gone after so many. */
#define SHORT_SECONDS 2u
/* Of mem_limit, what may be read ahead. */
#define WAITING_PART 32u
/* Of a WRITE, what comes before the content. */
#define WRITE_HEAD                                                             \
	(sizeof(struct fuse_in_header) + sizeof(struct fuse_write_in))

/* ---- putting aside ---- */

/* When a request that takes no time came last; atomic, and of all threads. */
static uint64_t short_seconds;

static void note_short(void)
{
	uint64_t now = clock_seconds();

	if (__atomic_load_n(&short_seconds, __ATOMIC_RELAXED) != now)
		__atomic_store_n(&short_seconds, now, __ATOMIC_RELAXED);
}

/* Are there clients that would be glad to overtake another? */
static bool short_ones_come(void)
{
	return clock_seconds() - SHORT_SECONDS <=
	       __atomic_load_n(&short_seconds, __ATOMIC_RELAXED);
}

/* Threads in read(2); atomic. */
static unsigned nr_reading;

static ssize_t read_request(struct receiver *r, struct zsfs_thread *th)
{
	struct zsfs_slot *slot = th->slot;
	ssize_t n;

	__atomic_add_fetch(&nr_reading, 1, __ATOMIC_RELAXED);
	n = read(r->fd, slot->req, ZSFS_REQ_SIZE);
	__atomic_sub_fetch(&nr_reading, 1, __ATOMIC_RELAXED);
	r->sound = n >= (ssize_t)sizeof(struct fuse_in_header) &&
		   request_is_sound(th->fs->super, request_in(slot), (size_t)n);
	/* An abort may come while a request is being handed out. */
	return n >= 0 ? n : errno == ECONNABORTED ? -ENODEV : -errno;
}

/* Do others wait to be read, and no thread is there to do it? */
static bool others_wait(const struct receiver *r)
{
	struct pollfd fd = {.fd = r->fd, .events = POLLIN};

	return !__atomic_load_n(&nr_reading, __ATOMIC_RELAXED) &&
	       poll(&fd, 1, 0) > 0 && fd.revents & POLLIN;
}

/* Bytes that may be read ahead: no more than a small part of the limit. */
static size_t most_waiting(const struct zsfs *fs)
{
	const struct zsfs_super *s = fs->super;
	uint64_t limit = __atomic_load_n(&s->mem_limit, __ATOMIC_RELAXED);
	uint64_t most = limit ? limit / WAITING_PART : WAITING_MAX_BYTES;

	if (__atomic_load_n(&s->pressure_used, __ATOMIC_RELAXED))
		return 0;
	return most < WAITING_MAX_BYTES ? most : WAITING_MAX_BYTES;
}

/* Have those behind the request in the slot overtake it? */
static bool put_aside(const struct receiver *r, struct zsfs_thread *th)
{
	const struct fuse_in_header *in = request_in(th->slot);

	if (!r->sound || !request_has_answer(in->opcode))
		return false;
	if (!request_may_take_long(in)) {
		note_short();
		return false;
	}
	if (!short_ones_come() || !others_wait(r) ||
	    !waiting_keep(r->fd, in, most_waiting(th->fs), 0))
		return false;
	request_drop(th->slot);
	readers_put_aside(r->readers);
	return true;
}

/* ---- taking ---- */

/* @in into the slot, its length last: until then there is none. */
static void put_into(struct zsfs_slot *slot, const struct fuse_in_header *in)
{
	size_t n = in->opcode == FUSE_WRITE ? WRITE_HEAD : in->len;

	memcpy(slot->req + sizeof(in->len), &in->len + 1, n - sizeof(in->len));
	undo_barrier();
	request_in(slot)->len = in->len;
}

/* Bytes, or -EAGAIN. */
static ssize_t take_waiting(struct receiver *r, struct zsfs_thread *th)
{
	r->waited = waiting_take();
	if (!r->waited)
		return -EAGAIN;
	r->in_a_row = 0;
	r->sound = true;
	th->room_until = waiting_until(r->waited);
	put_into(th->slot, r->waited);
	return r->waited->len;
}

ssize_t receive_next(struct receiver *r, struct zsfs_thread *th)
{
	ssize_t n;

	th->room_until = 0;
	if (r->in_a_row++ >= MANY_IN_A_ROW) {
		n = take_waiting(r, th);
		if (n > 0)
			return n;
	}
	do
		n = read_request(r, th);
	while (n > 0 && put_aside(r, th));
	return n == -EAGAIN ? take_waiting(r, th) : n;
}

void *receive_body(const struct receiver *r, struct zsfs_thread *th)
{
	return r->waited && r->waited->opcode == FUSE_WRITE ? (void *)r->waited
							    : th->slot->req;
}

void receive_done(struct receiver *r)
{
	waiting_free(r->waited);
	r->waited = NULL;
}

bool receive_others(const struct receiver *r)
{
	return waiting_any() || others_wait(r);
}

/*
 * As much again as may be put aside; and what has no content always, of which
 * each thread of a client makes one.
 */
static size_t most_put_back(const struct zsfs *fs,
			    const struct fuse_in_header *in)
{
	return in->len < WAITING_LITTLE ? WAITING_ANY : 2 * most_waiting(fs);
}

bool receive_put_back(struct receiver *r, struct zsfs_thread *th,
		      uint64_t until)
{
	struct fuse_in_header *in = request_in(th->slot);
	bool kept = true;

	if (r->waited) {
		waiting_return(r->waited, until);
		r->waited = NULL;
	} else {
		/* Which was shown to libfuse as another one, perhaps. */
		in->opcode = th->slot->opcode;
		kept = waiting_keep(r->fd, in, most_put_back(th->fs, in),
				    until);
	}
	return kept;
}
