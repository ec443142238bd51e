/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * History: what top remembers of one mount: the last two answers, rates made
 * of them, and how each went over time.
 */
#ifndef FS_CTL_HISTORY_H
#define FS_CTL_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "ask.h"

#define HISTORY_LENGTH 240u

enum rate {
	RATE_REQUESTS, /* a second */
	RATE_IN,       /* bytes written, a second */
	RATE_OUT,      /* bytes read */
	RATE_SETTLED,  /* bytes settled */
	RATE_RAM,      /* bytes in use: no rate */
	NR_RATES,
};

struct history {
	char *at; /* mountpoint */
	dev_t dev;
	enum answer answer;
	unsigned sulking; /* looks for which it is left alone */
	struct stats now, before;
	double time, elapsed; /* of the last answer; since the one before */
	/* The last @nr of each, the newest at [(next - 1) % HISTORY_LENGTH]. */
	double rate[NR_RATES][HISTORY_LENGTH];
	size_t nr, next;
};

/* false: no memory. The caller calls history_end(). */
bool history_init(struct history *h, const char *at, dev_t dev);
void history_end(struct history *h);

/* Take over what @a has; its stats are empty then. @time in seconds. */
void history_add(struct history *h, struct asked *a, double time);

/* The newest, and the most of the last @n; 0 where there is none. */
double history_now(const struct history *h, enum rate r);
double history_most(const struct history *h, enum rate r, size_t n);

/* The value @back steps ago; -1: there is none. */
double history_at(const struct history *h, enum rate r, size_t back);

/* Requests of one kind, by rate, the most first; those without any are left
 * out. */
struct kind_rate {
	const char *name;
	double rate;
	int64_t total;
};

size_t history_kinds(const struct history *h, struct kind_rate *out,
		     size_t most);

#endif
