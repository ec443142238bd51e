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

/* Do others wait to be read? */
static bool others_come(const struct receiver *r)
{
	struct pollfd fd = {.fd = r->fd, .events = POLLIN};

	return poll(&fd, 1, 0) > 0 && fd.revents & POLLIN;
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

/* Have those behind the request in the slot, of @len bytes, overtake it? */
static bool put_aside(struct receiver *r, struct zsfs_thread *th, size_t len)
{
	const struct fuse_in_header *in = request_in(th->slot);

	r->sound =
		len >= sizeof(*in) && request_is_sound(th->fs->super, in, len);
	if (!r->sound || !request_has_answer(in->opcode))
		return false;
	if (!request_may_take_long(in)) {
		note_short();
		return false;
	}
	if (!short_ones_come() || !others_come(r) ||
	    !waiting_keep(in, most_waiting(th->fs)))
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

static bool is_turn_of_waiting(const struct receiver *r)
{
	return waiting_any() &&
	       (!others_come(r) || r->in_a_row >= MANY_IN_A_ROW);
}

/* Bytes, or 0. */
static ssize_t take_waiting(struct receiver *r, struct zsfs_slot *slot)
{
	r->waited = is_turn_of_waiting(r) ? waiting_take() : NULL;
	r->in_a_row = r->waited ? 0 : r->in_a_row + 1;
	if (!r->waited)
		return 0;
	put_into(slot, r->waited);
	r->sound = true;
	return r->waited->len;
}

ssize_t receive_next(struct receiver *r, struct zsfs_thread *th)
{
	ssize_t n;

	do {
		n = take_waiting(r, th->slot);
		if (n)
			return n;
		n = read(r->fd, th->slot->req, ZSFS_REQ_SIZE);
	} while (n > 0 && put_aside(r, th, (size_t)n));
	/* An abort may come while a request is being handed out. */
	return n >= 0 ? n : errno == ECONNABORTED ? -ENODEV : -errno;
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
