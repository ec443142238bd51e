/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Takeovers one after the other: a request that workers die of, and successors
 * that are killed, too.
 */
#include "takeover_fixture.h"

#include "base/clock.h"
#include "serve/disconnect.h"
#include "state/chore.h"

/* ---- poison ---- */

static void crash(void)
{
	fs->threads[0].slot->crashed = 1;
}

static bool oom;

static void take_over_and_serve(void)
{
	struct takeover t = {.fs = fs, .fd = dev, .oom = oom};

	CHECK_EQ(takeover_run(&t), 0);
	serve(1);
}

/* Workers die of the request that waits, @n one after the other. */
static void die(unsigned n, bool first, void (*last)(void))
{
	if (first)
		worker(serve_one,
		       (struct dev_death){.before_write = 1, .last = last});
	/* What a successor writes first asks for it again. */
	for (unsigned k = first; k < n; k++)
		worker(take_over_and_serve,
		       (struct dev_death){.before_write = 2, .last = last});
}

static void check_poisoned(const struct asked *a, bool is)
{
	struct takeover t = {.fd = dev, .oom = oom};

	attach();
	t.fs = fs;
	CHECK_EQ(takeover_run(&t), 0);
	CHECK_EQ(t.poisoned, is);
	CHECK_EQ(t.parked, !is);
	CHECK_EQ(a->answered, is);
	CHECK_EQ(a->error, is ? -EIO : 0);
	leave();
}

static void test_crashes(void)
{
	struct asked *a = dev_ask_attr();

	die(POISON_CRASHES - 1, true, crash);
	check_poisoned(a, false);
	die(1, false, crash);
	check_poisoned(a, true);
}

static void test_kills_are_nobodys_fault(void)
{
	struct asked *a = dev_ask_attr();

	die(POISON_KILLS + 2, true, NULL);
	check_poisoned(a, false);
}

static void test_kills_for_want_of_memory(void)
{
	struct asked *a = dev_ask_attr();

	oom = true;
	/* What was answered so far is no progress of theirs. */
	succeed(0);
	leave();
	die(POISON_KILLS - 1, false, NULL);
	check_poisoned(a, false);
	die(1, false, NULL);
	check_poisoned(a, true);
}

static void test_a_forget_that_kills(void)
{
	struct asked *a;

	make_two();
	a = dev_ask_forget(forgotten[0], forgotten[1]);
	worker(serve_one, (struct dev_death){.after_read = 1});
	attach();
	fs->super->suspects[0] = (struct zsfs_suspect){
		.unique = dev_header(a)->unique,
		.life = fs->super->life,
		.crashes = POISON_CRASHES,
	};
	zsfs_close(fs);
	CHECK_EQ(succeed(0).poisoned, 1);
	CHECK_EQ(nlookup(forgotten[0]), 1);
	CHECK_EQ(nlookup(forgotten[1]), 1);
	leave();
}

/* ---- chores ---- */

/* A thread of @slot has died at @word - 1; the rest of settling then. */
static unsigned rest_after(struct zsfs_slot *slot, uint64_t word, bool crashed)
{
	unsigned rest;

	slot->chore = word;
	slot->crashed = crashed;
	zsfs_close(fs);
	succeed(0);
	CHECK_EQ(slot->chore, 0);
	CHECK_EQ(slot->crashed, 0);
	rest = chore_rests(fs, CHORE_SETTLE);
	leave();
	return rest;
}

static unsigned background_dies(uint64_t word, bool crashed)
{
	attach();
	return rest_after(zsfs_background(fs)->slot, word, crashed);
}

/* As much as the clock has gone on meanwhile is left out. */
static bool is_about(unsigned rest, unsigned want)
{
	return rest <= want && rest > want - want / 4;
}

static void test_chores_rest(void)
{
	const uint64_t settle = CHORE_SETTLE + 1;
	unsigned rest = 0;

	CHECK_EQ(background_dies(settle, false), 0);
	CHECK_EQ(background_dies(CHORE_REAP + 1, true), 0);
	CHECK_EQ(background_dies(UINT64_MAX, true), 0);
	CHECK(is_about(background_dies(settle, true), CHORE_REST_MSECS));
	CHECK(is_about(background_dies(settle, false), CHORE_REST_MSECS));
	CHECK(is_about(background_dies(settle, true), 2 * CHORE_REST_MSECS));
	for (unsigned n = 0; n < 12; n++)
		rest = background_dies(settle, true);
	CHECK(is_about(rest, CHORE_LONG_REST_MSECS));
	succeed(0);
	chore_done(fs, CHORE_SETTLE);
	CHECK(chore_rests(fs, CHORE_SETTLE));
	fs->chores_began -= 3 * CHORE_LONG_REST_MSECS;
	chore_done(fs, CHORE_SETTLE);
	fs->chores_began = clock_ms();
	CHECK_EQ(chore_rests(fs, CHORE_SETTLE), 0);
	leave();
}

static void test_chores_rest_on_a_new_connection(void)
{
	attach();
	fs->super->chore_crashes[CHORE_SETTLE] = 1;
	fs->chores_began = 0;
	disconnect_clean(fs);
	CHECK(is_about(chore_rests(fs, CHORE_SETTLE), CHORE_REST_MSECS));
	zsfs_close(fs);
	start_anew();
}

static void crash_at_chore(void)
{
	fs->threads[0].slot->chore = CHORE_SETTLE + 1;
	crash();
}

/* A request that looked for room is not to blame for what others stored. */
static void test_a_chore_of_a_request(void)
{
	struct asked *a = dev_ask_attr();

	die(POISON_CRASHES + 1, true, crash_at_chore);
	check_poisoned(a, false);
	succeed(0);
	CHECK(fs->super->chore_crashes[CHORE_SETTLE] > POISON_CRASHES);
	leave();
}

/* A thread without a slot: it worked for a chore, or for whoever was there. */
static void test_other_threads(void)
{
	attach();
	fs->super->crashed_chore = CHORE_COOL + 1;
	zsfs_close(fs);
	succeed(0);
	CHECK_EQ(fs->super->crashed_chore, 0);
	CHECK_EQ(fs->super->chore_crashes[CHORE_COOL], 1);
	zsfs_background(fs)->slot->chore = CHORE_WARM + 1;
	fs->super->crashed = 1;
	zsfs_close(fs);
	succeed(0);
	CHECK_EQ(fs->super->chore_crashes[CHORE_WARM], 1);
	leave();
}

/* ---- successors that are killed, too ---- */

#if ZS_DEBUG_LEVEL >= 1

static unsigned countdown;
static bool *came_through; /* shared with the workers */

static void count_down(void)
{
	if (!--countdown)
		kill(getpid(), SIGKILL);
}

static void take_over_and_die(void)
{
	struct takeover t = {.fs = fs, .fd = dev};

	zs_crash_hook = count_down;
	CHECK_EQ(takeover_run(&t), 0);
	*came_through = true;
}

/*
 * One answer on record, a FORGET that is half done, a request that was only
 * read, and one that nobody has read.
 */
static void leave_all_kinds(void)
{
	struct zsfs_slot *slot = fs->threads[1].slot;

	CHECK(read(dev, slot->req, ZSFS_REQ_SIZE) > 0);
	CHECK(read(dev, fs->threads[2].slot->req, ZSFS_REQ_SIZE) > 0);
	dev_death = (struct dev_death){.before_write = 1};
	serve(1);
}

/* The first successor is killed at its @n'th crash point. */
static void kill_twice(unsigned n)
{
	struct asked *done, *read_only, *new;

	make_two();
	dev_ask_forget(forgotten[0], forgotten[1]);
	read_only = dev_ask_mkdir("r");
	done = dev_ask_mkdir("c");
	worker(leave_all_kinds, (struct dev_death){0});
	new = dev_ask_mkdir("n");
	countdown = n;
	worker(take_over_and_die, (struct dev_death){0});
	succeed(0);
	check_forgotten();
	CHECK(done->answered);
	CHECK_EQ(done->error, 0);
	CHECK_EQ(nlookup(done->nodeid), 1);
	CHECK(!read_only->answered && !new->answered);
	REQUIRE(waiting_any());
	serve_in(0, 2);
	CHECK(read_only->answered && new->answered);
	leave();
}

static void test_killed_anywhere(void)
{
	unsigned n = 0;

	came_through = mmap(NULL, sizeof(*came_through), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	REQUIRE(came_through != MAP_FAILED);
	while (!*came_through && !check_failures) {
		kill_twice(++n);
		if (check_failures)
			CHECK_FAILED("killed at point %u", n);
		start_anew();
	}
	fprintf(stderr, "# killed at %u points\n", n - 1);
	CHECK(n > 10);
}

#endif

static const struct check_case cases[] = {
	CHECK_CASE(test_crashes),
	CHECK_CASE(test_kills_are_nobodys_fault),
	CHECK_CASE(test_kills_for_want_of_memory),
	CHECK_CASE(test_a_forget_that_kills),
	CHECK_CASE(test_chores_rest),
	CHECK_CASE(test_chores_rest_on_a_new_connection),
	CHECK_CASE(test_a_chore_of_a_request),
	CHECK_CASE(test_other_threads),
#if ZS_DEBUG_LEVEL >= 1
	CHECK_CASE(test_killed_anywhere),
#endif
};

int main(int argc, char **argv)
{
	start_anew();
	return CHECK_MAIN(cases, argc, argv);
}
