/* SPDX-License-Identifier: BSD-3-Clause */
/* Bursts and rests of work beside requests, by a clock that the test turns. */
#include "check.h"

#include "content/pace.h"

#define START UINT64_C(5000)
/* A look every millisecond, for so long. */
#define MSECS 2000u

/* Milliseconds of work while @rate requests a millisecond are made. */
static unsigned work_beside(unsigned rate)
{
	struct pace p = {0};
	unsigned worked = 0;

	for (uint64_t ms = 0; ms < MSECS; ms++)
		worked += !pace_rest(&p, START + ms, ms * rate);
	return worked;
}

static void test_few_requests(void)
{
	CHECK_EQ(work_beside(0), MSECS);
	CHECK_EQ(work_beside(1), MSECS);
}

/* A part of the time is left for the work, however many are made. */
static void test_many_requests(void)
{
	for (unsigned rate = 10; rate < 10000; rate *= 10) {
		unsigned worked = work_beside(rate);

		CHECK(worked >= MSECS / 10);
		CHECK(worked <= MSECS / 3);
	}
}

/* Who counts as resting is told for how long, and not for longer than that. */
static void test_length(void)
{
	struct pace p = {0};
	uint64_t rests = 0;

	for (uint64_t ms = 0; ms < MSECS;) {
		unsigned rest = pace_rest(&p, START + ms, ms * 100);

		CHECK(rest <= 20);
		rests += rest != 0;
		ms += rest ? rest : 1;
	}
	CHECK(rests > 10);
}

/* The client ends: so does the rest. */
static void test_last_request(void)
{
	struct pace p = {0};
	uint64_t ms = 0, last;

	while (!pace_rest(&p, START + ms, ms * 100))
		ms++;
	last = ms++ * 100;
	while (pace_rest(&p, START + ms, last))
		ms++;
	CHECK(ms * 100 - last <= 30 * 100);
}

int main(int argc, char **argv)
{
	static const struct check_case cases[] = {
		CHECK_CASE(test_few_requests),
		CHECK_CASE(test_many_requests),
		CHECK_CASE(test_length),
		CHECK_CASE(test_last_request),
	};

	return CHECK_MAIN(cases, argc, argv);
}
