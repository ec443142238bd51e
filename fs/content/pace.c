/* SPDX-License-Identifier: BSD-3-Clause */
/* Bursts of work, and rests (see pace.h). */
#include "pace.h"

/* Lengths of a burst and of a rest, and between looks at requests. */
#define BURST_MSECS 50u
#define REST_MSECS  200u
#define LOOK_MSECS  20u
/* Requests in a millisecond that make a client's work. */
#define MANY 2u

/* Were many requests made since the last look? */
static bool are_many(struct pace *p, uint64_t now, uint64_t requests)
{
	uint64_t n = requests - p->requests, msecs = now - p->looked;

	p->requests = requests;
	p->looked = now;
	return n >= MANY * msecs;
}

static void begin(struct pace *p, uint64_t now, bool resting)
{
	p->since = now;
	p->resting = resting;
}

static unsigned go_on_resting(struct pace *p, uint64_t now, uint64_t requests)
{
	if (now < p->looked + LOOK_MSECS)
		return (unsigned)(p->looked + LOOK_MSECS - now);
	if (are_many(p, now, requests) && now < p->since + REST_MSECS)
		return LOOK_MSECS;
	begin(p, now, false);
	return 0;
}

unsigned pace_rest(struct pace *p, uint64_t now, uint64_t requests)
{
	if (!p->since) {
		*p = (struct pace){now, now, requests, false};
		return 0;
	}
	if (p->resting)
		return go_on_resting(p, now, requests);
	if (now < p->since + BURST_MSECS)
		return 0;
	begin(p, now, are_many(p, now, requests));
	return p->resting ? LOOK_MSECS : 0;
}
