/* SPDX-License-Identifier: BSD-3-Clause */
/* What came in the last seconds (see rate.h). */
#include "rate.h"

#include "base/clock.h"

static uint32_t this_second(void)
{
	return (uint32_t)(clock_ms() / 1000);
}

void rate_add(struct rate *r, uint32_t n)
{
	uint32_t now = this_second();
	uint64_t *at = &r->second[now % (RATE_SECONDS + 1)];
	uint64_t old = __atomic_load_n(at, __ATOMIC_RELAXED), new;

	do {
		uint32_t was = old >> 32 == now ? (uint32_t)old : 0;

		new = (uint64_t)now << 32 | (was + n);
	} while (!__atomic_compare_exchange_n(
		at, &old, new, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
}

uint32_t rate_get(const struct rate *r)
{
	uint32_t now = this_second();
	uint64_t sum = 0;

	for (unsigned k = 0; k <= RATE_SECONDS; k++) {
		uint64_t w = __atomic_load_n(&r->second[k], __ATOMIC_RELAXED);
		uint32_t ago = now - (uint32_t)(w >> 32);

		if (ago >= 1 && ago <= RATE_SECONDS)
			sum += (uint32_t)w;
	}
	return (uint32_t)(sum / RATE_SECONDS);
}
