/* SPDX-License-Identifier: BSD-3-Clause */
/* What top remembers (see history.h). */
#include "history.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK_SIZE 4096.0

bool history_init(struct history *h, const char *at, dev_t dev)
{
	memset(h, 0, sizeof(*h));
	stats_init(&h->now);
	stats_init(&h->before);
	h->at = strdup(at);
	h->dev = dev;
	h->answer = ANSWER_NONE;
	return h->at;
}

void history_end(struct history *h)
{
	stats_free(&h->now);
	stats_free(&h->before);
	free(h->at);
}

/* ---- adding ---- */

/* A second; counters of a new worker may have begun anew. */
static double per_second(const struct history *h, int64_t now, int64_t before)
{
	if (now < 0 || before < 0 || now < before || h->elapsed <= 0)
		return 0;
	return (double)(now - before) / h->elapsed;
}

static void put(struct history *h, enum rate r, double value)
{
	h->rate[r][h->next] = value;
}

static void put_rates(struct history *h)
{
	const struct stats *n = &h->now, *b = &h->before;

	put(h, RATE_REQUESTS,
	    per_second(h, stats_requests(n), stats_requests(b)));
	put(h, RATE_IN,
	    per_second(h, n->blocks_written, b->blocks_written) * BLOCK_SIZE);
	put(h, RATE_OUT,
	    per_second(h, n->blocks_read, b->blocks_read) * BLOCK_SIZE);
	put(h, RATE_SETTLED,
	    n->settling < 0 ? 0 : (double)n->settling * BLOCK_SIZE);
	put(h, RATE_RAM, n->ram < 0 ? 0 : (double)n->ram);
	h->next = (h->next + 1) % HISTORY_LENGTH;
	h->nr += h->nr < HISTORY_LENGTH;
}

void history_add(struct history *h, struct asked *a, double time)
{
	h->answer = a->answer;
	if (a->answer != ANSWERED)
		return;
	stats_free(&h->before);
	h->before = h->now;
	h->now = a->stats;
	stats_init(&a->stats);
	h->elapsed = h->time > 0 ? time - h->time : 0;
	h->time = time;
	put_rates(h);
}

/* ---- looking ---- */

double history_at(const struct history *h, enum rate r, size_t back)
{
	if (back >= h->nr)
		return -1;
	return h->rate[r][(h->next + 2 * HISTORY_LENGTH - 1 - back) %
			  HISTORY_LENGTH];
}

double history_now(const struct history *h, enum rate r)
{
	double value = history_at(h, r, 0);

	return value < 0 ? 0 : value;
}

double history_most(const struct history *h, enum rate r, size_t n)
{
	double most = 0;

	for (size_t i = 0; i < n && i < h->nr; i++)
		if (history_at(h, r, i) > most)
			most = history_at(h, r, i);
	return most;
}

static int64_t total_of(const struct stats *s, const char *name)
{
	for (size_t i = 0; i < s->nr_requests; i++)
		if (!strcmp(s->request[i].name, name))
			return s->request[i].nr;
	return STATS_MISSING;
}

/* Is @a before @b? */
static bool comes_first(const struct kind_rate *a, const struct kind_rate *b)
{
	return a->rate > b->rate || (a->rate >= b->rate && a->total > b->total);
}

static size_t insert(struct kind_rate *out, size_t nr, size_t most,
		     struct kind_rate k)
{
	size_t to = nr;

	while (to > 0 && comes_first(&k, &out[to - 1]))
		to--;
	if (to >= most)
		return nr;
	nr = nr < most ? nr + 1 : most;
	memmove(&out[to + 1], &out[to], (nr - to - 1) * sizeof(*out));
	out[to] = k;
	return nr;
}

size_t history_kinds(const struct history *h, struct kind_rate *out,
		     size_t most)
{
	size_t nr = 0;

	for (size_t i = 0; i < h->now.nr_requests; i++) {
		const struct stats_request *q = &h->now.request[i];
		struct kind_rate k = {
			q->name,
			per_second(h, q->nr, total_of(&h->before, q->name)),
			q->nr};

		if (q->nr > 0)
			nr = insert(out, nr, most, k);
	}
	return nr;
}
