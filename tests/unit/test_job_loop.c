/* SPDX-License-Identifier: BSD-3-Clause */
/* Rounds of the background jobs: order, turns, giving way, the next look. */
#include "serve/job_loop.h"
#include "base/clock.h"
#include "check.h"

#include <unistd.h>

static struct {
	char made[64]; /* a letter for each step */
	unsigned n;
	unsigned left;	   /* steps that job A still has to do */
	unsigned more;	   /* what A returns while steps are left */
	unsigned next[2];  /* what the last step of A and B returns */
	unsigned usecs;	   /* that a step of A takes */
	unsigned nr_busy;  /* steps of A that were told of requests */
	unsigned requests; /* made during each step of A */
	uint64_t begun;
	unsigned stop_after; /* steps; 0 = never */
	bool idle;	     /* B is not wanted */
	unsigned rest[2];    /* msecs that A and B rest */
} w;

static void note(char c)
{
	if (w.n < sizeof(w.made) - 1)
		w.made[w.n] = c;
	w.n++;
}

static unsigned step_a(void *arg, bool busy)
{
	CHECK(arg == &w);
	note('a');
	w.nr_busy += busy;
	w.begun += w.requests;
	if (w.usecs)
		usleep(w.usecs);
	return w.left && --w.left ? w.more : w.next[0];
}

static unsigned step_b(void *arg, bool busy)
{
	CHECK(!busy);
	note('b');
	return w.next[1];
}

static bool wants_b(void *arg)
{
	return !w.idle;
}

static bool must_stop(void *arg)
{
	return w.stop_after && w.n >= w.stop_after;
}

static uint64_t requests(void *arg)
{
	return w.begun;
}

static void begins(void *arg, unsigned job)
{
	note("AB"[job]);
}

static void ends(void *arg, unsigned job)
{
	note("./"[job]);
}

static void nothing(void *arg, unsigned job)
{
}

static unsigned rests(void *arg, unsigned job)
{
	return w.rest[job];
}

static unsigned run(bool gives_way, bool goes_first)
{
	const struct job jobs[] = {
		{NULL, step_a, gives_way, goes_first},
		{wants_b, step_b, false, false},
	};
	const struct job_loop l = {jobs,     2,	      &w,      must_stop,
				   requests, nothing, nothing, rests};

	return job_loop_round(&l);
}

static void reset(unsigned left)
{
	memset(&w, 0, sizeof(w));
	w.left = left;
	w.more = JOB_MORE;
}

static void test_order(void)
{
	reset(3);
	CHECK_EQ(run(false, false), 0);
	CHECK(!strcmp(w.made, "aaab"));
	reset(3);
	w.idle = true;
	CHECK_EQ(run(true, true), 0);
	CHECK(!strcmp(w.made, "aaa"));
}

static void test_next_look(void)
{
	static const unsigned want[][3] = {{0, 0, 0},
					   {200, 0, 200},
					   {0, 5000, 5000},
					   {200, 5000, 200},
					   {5000, 200, 200}};

	for (unsigned i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		reset(1);
		w.next[0] = want[i][0];
		w.next[1] = want[i][1];
		CHECK_EQ(run(i & 1, true), want[i][2]);
		CHECK(!strcmp(w.made, "ab"));
	}
}

/* What requests need is not told of them, and makes no pause. */
static void test_urgent(void)
{
	/* A pause follows only those steps that are told. */
	reset(10);
	w.requests = 1;
	w.more = JOB_URGENT;
	CHECK_EQ(run(true, true), 0);
	CHECK_EQ(w.nr_busy, 0);
	CHECK_EQ(w.n, 11);
	reset(1000000);
	w.usecs = 10000;
	w.more = JOB_URGENT;
	CHECK_EQ(run(true, true), JOB_MORE);
	CHECK(w.n < 40);
}

/* A job without an end is cut off; whether B has its turn then is A's choice.
 */
static void test_turn(void)
{
	for (unsigned first = 0; first < 2; first++) {
		uint64_t began = clock_ms();

		reset(1000000);
		w.usecs = 10000;
		CHECK_EQ(run(first, first), JOB_MORE);
		CHECK(clock_ms() - began >= JOB_TURN_MSECS);
		CHECK(w.n > 1 && w.n < 40);
		CHECK_EQ(!strchr(w.made, 'b'), first);
	}
}

/* All steps but the first hear of the requests, and a pause follows them. */
static void test_giving_way(void)
{
	uint64_t began = clock_us();

	reset(10);
	w.requests = 1;
	w.usecs = 1000;
	CHECK_EQ(run(true, true), 0);
	CHECK_EQ(w.nr_busy, 9);
	CHECK(clock_us() - began >= 10 * 1000 + 8 * 1000);
	reset(10);
	CHECK_EQ(run(true, true), 0);
	CHECK_EQ(w.nr_busy, 0);
	reset(10);
	w.requests = 1;
	CHECK_EQ(run(false, true), 0);
	CHECK_EQ(w.nr_busy, 0);
}

static void test_stop(void)
{
	for (unsigned gives_way = 0; gives_way < 2; gives_way++) {
		reset(10);
		w.stop_after = 4;
		run(gives_way, true);
		CHECK(!strcmp(w.made, "aaaa"));
	}
}

/* One that rests has no turn, is looked at again, and holds up nobody. */
static void test_rest(void)
{
	reset(3);
	w.rest[0] = 700;
	CHECK_EQ(run(false, true), 700);
	CHECK(!strcmp(w.made, "b"));
	reset(3);
	w.rest[1] = 700;
	w.next[0] = 800;
	CHECK_EQ(run(true, false), 700);
	CHECK(!strcmp(w.made, "aaa"));
}

/* Whoever may have to know who was at work is told, also that none is. */
static void test_begins(void)
{
	const struct job jobs[] = {
		{NULL, step_a, false, false},
		{wants_b, step_b, false, false},
	};
	const struct job_loop l = {jobs,     2,	     &w,   must_stop,
				   requests, begins, ends, rests};

	reset(2);
	CHECK_EQ(job_loop_round(&l), 0);
	CHECK(!strcmp(w.made, "Aaa.Bb/"));
}

static const struct check_case cases[] = {
	CHECK_CASE(test_order),	 CHECK_CASE(test_next_look),
	CHECK_CASE(test_turn),	 CHECK_CASE(test_giving_way),
	CHECK_CASE(test_urgent), CHECK_CASE(test_stop),
	CHECK_CASE(test_rest),	 CHECK_CASE(test_begins),
};

int main(int argc, char **argv)
{
	return CHECK_MAIN(cases, argc, argv);
}
