/* SPDX-License-Identifier: BSD-3-Clause */
/* Queues of where hot blocks are (see hot_queue.h). */
#include "hot_queue.h"

#include "base/min.h"
#include "cluster.h"

/* Last entries among which one of the same group is looked for. */
#define RECENT 16u

static struct hot_range *at(struct hot_queue *q, uint64_t n)
{
	return &q->range[n % HOT_QUEUE_SIZE];
}

static uint64_t group_of(uint64_t block)
{
	return block / CLUSTER_BLOCKS;
}

static bool push(struct hot_queue *q, const struct hot_range *r)
{
	if (hot_queue_length(q) == HOT_QUEUE_SIZE)
		return false;
	*at(q, q->tail++) = *r;
	return true;
}

/* Can @last be made to have @r, too? */
static bool goes_on(const struct hot_range *last, const struct hot_range *r)
{
	return last->nodeid == r->nodeid && r->first >= last->first &&
	       r->first <= last->end;
}

bool hot_queue_add(struct hot_queue *q, const struct hot_range *r)
{
	struct hot_range *last = at(q, q->tail - 1);

	if (!hot_queue_length(q) || !goes_on(last, r))
		return push(q, r);
	if (r->end > last->end)
		last->end = r->end;
	last->due = r->due;
	return true;
}

static bool is_same_group(const struct hot_range *a, const struct hot_range *b)
{
	return a->nodeid == b->nodeid &&
	       group_of(a->first) == group_of(b->first) &&
	       group_of(a->end - 1) == group_of(b->end - 1);
}

/* Take out entry @n; those behind it move up. */
static void take_out(struct hot_queue *q, uint64_t n)
{
	for (; n + 1 < q->tail; n++)
		*at(q, n) = *at(q, n + 1);
	q->tail--;
}

bool hot_queue_add_again(struct hot_queue *q, const struct hot_range *r)
{
	uint64_t n = q->tail;
	struct hot_range all = *r, *old;

	while (n > q->head && q->tail - n < RECENT) {
		old = at(q, --n);
		if (!is_same_group(old, r))
			continue;
		all.first = min_u64(all.first, old->first);
		if (old->end > all.end)
			all.end = old->end;
		take_out(q, n);
		break;
	}
	return push(q, &all);
}

void hot_queue_take(struct hot_queue *q, struct hot_range *out)
{
	struct hot_range *r = at(q, q->head);
	uint64_t end = (group_of(r->first) + 1) * CLUSTER_BLOCKS;

	*out = *r;
	out->end = min_u64(end, r->end);
	r->first = out->end;
	if (r->first == r->end)
		q->head++;
}
