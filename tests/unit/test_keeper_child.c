/* SPDX-License-Identifier: BSD-3-Clause */
/* What deaths of the keeper's children mean, and when the next are started. */
#include "keeper_fixture.h"

/* ---- deaths of workers ---- */

static void test_the_first_never_serves(void)
{
	shared_set(&k->worker.ready, 0);
	kp.answered = false;
	worker_dies(WORKER_FAILED);
	check_over(1);
	CHECK_EQ(k->stats.deaths, 0);
}

static void test_ends_that_are_no_deaths(void)
{
	worker_dies(WORKER_DRAINED);
	worker_dies(WORKER_UNMOUNTED);
	check_goes_on();
	CHECK_EQ(k->stats.deaths, 0);
}

static void test_a_kill_says_nothing(void)
{
	for (unsigned i = 0; i < KEEPER_GIVE_UP + 1; i++)
		worker_dies(-SIGKILL);
	check_goes_on();
	CHECK_EQ(kp.failures, 0);
	CHECK_EQ(k->stats.deaths, KEEPER_GIVE_UP + 1);
	CHECK(WIFSIGNALED(k->stats.last_status));
}

static void test_a_kill_for_memory_does(void)
{
	k->worker.oom_takeovers++;
	worker_dies(-SIGKILL);
	CHECK_EQ(kp.failures, 1);
	worker_dies(-SIGKILL);
	CHECK_EQ(kp.failures, 1);
}

static void test_too_many_crashes(void)
{
	for (unsigned i = 1; i < KEEPER_GIVE_UP; i++)
		worker_dies(-SIGSEGV);
	check_goes_on();
	worker_dies(-SIGSEGV);
	check_over(1);
}

static void test_progress(void)
{
	for (unsigned i = 1; i < KEEPER_GIVE_UP; i++)
		worker_dies(-SIGSEGV);
	shared_note_progress(k);
	worker_dies(-SIGSEGV);
	check_goes_on();
	CHECK_EQ(kp.failures, 0);
	CHECK_EQ(k->worker.progress, 0);
}

static void test_nobody_can_follow(void)
{
	k->state.can_resend = 0;
	worker_dies(-SIGKILL);
	check_over(1);
}

static void test_the_arena_is_refused(void)
{
	worker_dies(WORKER_REFUSED);
	check_over(1);
}

static void test_killed_on_its_way_out(void)
{
	kp.ending = true;
	worker_dies(-SIGKILL);
	check_over(0);
	CHECK_EQ(k->stats.deaths, 0);
}

/* Whoever follows has the other bank then. */
static void test_a_standby_that_has_begun(void)
{
	pid_t first = live_child(), pid;

	serves(first);
	keeper_need_standby(&kp);
	pid = kp.standby;
	all_begin = true;
	keeper_begin_handover(&kp);
	all_begin = false;
	CHECK_EQ(kp.active, 0);
	CHECK_EQ(kp.standby, 0);
	CHECK_EQ(k->state.active_bank, 1);
	CHECK(!is_told(pid));
	dies_now(first);
	CHECK(!is_told(first));
	check_goes_on();
}

/* ---- those that do not die when they are killed ---- */

static void test_a_standby_that_hangs(void)
{
	pid_t pid;

	serves(live_child());
	keeper_need_standby(&kp);
	pid = kp.standby;
	nobody_dies = true;
	keeper_begin_handover(&kp);
	CHECK_EQ(kp.standby, 0);
	CHECK(is_told(pid) && is_told(kp.active));
	keeper_reap_children(&kp);
	CHECK(is_told(pid));
	dies_now(pid);
	CHECK(!is_told(pid));
	CHECK(is_told(kp.active));
	CHECK_EQ(k->stats.deaths, 0);
	child_stop(&kp.active);
}

/* Each of them is known, and none is started that could not be. */
static void test_workers_that_hang(void)
{
	pid_t first = live_child(), second;

	serves(first);
	nobody_dies = true;
	keeper_need_standby(&kp);
	takes_over();
	second = kp.active;
	keeper_need_standby(&kp);
	CHECK(is_told(first) && is_told(second));
	takes_over();
	keeper_reap_children(&kp);
	CHECK(is_told(first) && is_told(second) && is_told(kp.active));
	CHECK(!keeper_lacks_standby(&kp));
	CHECK_EQ(keeper_start_worker(&kp, false), 0);
	check_goes_on();
	dies_now(first);
	CHECK(!is_told(first));
	CHECK(is_told(second) && is_told(kp.active));
	CHECK_EQ(k->stats.deaths, 1);
	CHECK(keeper_lacks_standby(&kp));
	dies_now(second);
	CHECK_EQ(k->stats.deaths, 2);
	child_stop(&kp.active);
}

/* ---- standbys ---- */

static void test_one_standby(void)
{
	pid_t first;

	serves(getpid());
	keeper_need_standby(&kp);
	first = kp.standby;
	REQUIRE(first > 0);
	CHECK(!keeper_lacks_standby(&kp));
	keeper_need_standby(&kp);
	CHECK_EQ(kp.standby, first);
	child_stop(&kp.standby);
	CHECK(keeper_lacks_standby(&kp));
	k->state.can_resend = 0;
	CHECK(!keeper_lacks_standby(&kp));
}

static void test_a_standby_takes_over(void)
{
	kp.standby_failures = 3;
	keeper_need_standby(&kp);
	REQUIRE(kp.standby > 0);
	shared_set(&k->worker.active_pid, (uint32_t)kp.standby);
	keeper_look_who_is_active(&kp);
	CHECK_EQ(kp.active, k->worker.active_pid);
	CHECK_EQ(kp.standby, 0);
	CHECK_EQ(kp.standby_failures, 0);
	/* Somebody else's process is not. */
	shared_set(&k->worker.active_pid, 1);
	keeper_look_who_is_active(&kp);
	CHECK(kp.active != 1);
	child_stop(&kp.active);
}

/* Whoever says that there is a successor has served, even if it is not true. */
static void test_only_one_serves(void)
{
	pid_t first = live_child();
	int status = 0;

	serves(first);
	keeper_need_standby(&kp);
	shared_set(&k->worker.active_pid, (uint32_t)kp.standby);
	keeper_look_who_is_active(&kp);
	CHECK(kp.active != first);
	CHECK_EQ(waitpid(first, &status, 0), first);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	child_stop(&kp.active);
}

static void test_what_kernel_it_is_is_heard_once(void)
{
	kp.answered = false;
	k->state.can_resend = 0;
	k->worker.can_resend = 7;
	keeper_look_who_is_active(&kp);
	CHECK(kp.answered);
	CHECK_EQ(k->state.can_resend, 1);
	k->worker.can_resend = k->worker.ready = 0;
	keeper_look_who_is_active(&kp);
	CHECK(kp.answered);
	CHECK_EQ(k->state.can_resend, 1);
}

static int64_t pause_ms(void)
{
	return (int64_t)(kp.pause_until - clock_ms());
}

/* The next standby comes to nothing; the one after it has to wait @ms. */
static void check_pause(uint64_t ms)
{
	uint64_t before = clock_ms();

	standby_dies(WORKER_FAILED);
	CHECK(kp.pause_until >= before + ms);
	CHECK(kp.pause_until <= clock_ms() + ms);
}

static void test_pauses(void)
{
	serves(getpid());
	for (unsigned i = 1; i < 10; i++)
		check_pause(0);
	for (unsigned ms = 10; ms <= 640; ms *= 2)
		check_pause(ms);
	for (unsigned i = 0; i < KEEPER_GIVE_UP; i++)
		check_pause(1000);
	keeper_need_standby(&kp);
	CHECK_EQ(kp.standby, 0);
	/* Somebody serves: that goes on whatever becomes of standbys. */
	check_goes_on();
	CHECK_EQ(kp.failures, 0);
	keeper_no_failures(&kp);
	keeper_need_standby(&kp);
	CHECK(kp.standby > 0);
	child_stop(&kp.standby);
}

static void test_it_stood_by_for_long(void)
{
	serves(getpid());
	for (unsigned i = 0; i < 20; i++)
		standby_dies(-SIGKILL);
	kp.standby = dead_child(-SIGKILL);
	shared_set(&k->worker.primed_pid, (uint32_t)kp.standby);
	kp.standby_since = clock_ms() - 2000;
	keeper_reap_children(&kp);
	CHECK_EQ(kp.standby_failures, 1);
	CHECK(pause_ms() <= 0);
}

static void test_nobody_serves(void)
{
	for (unsigned i = 1; i < KEEPER_GIVE_UP; i++)
		standby_dies(-SIGSEGV);
	/* The like of what crashes is tried at once. */
	CHECK(pause_ms() <= 0);
	check_goes_on();
	standby_dies(-SIGSEGV);
	check_over(1);
}

static void test_a_standby_refuses(void)
{
	serves(getpid());
	standby_dies(WORKER_REFUSED);
	check_goes_on();
	serves(0);
	standby_dies(WORKER_REFUSED);
	check_over(1);
}

static void test_no_processes(void)
{
	no_processes = true;
	CHECK_EQ(keeper_start_worker(&kp, false), 0);
	for (unsigned i = 0; i < 2 * KEEPER_GIVE_UP; i++) {
		kp.pause_until = 0;
		keeper_need_standby(&kp);
	}
	/* To wait loses nothing. */
	check_goes_on();
	CHECK_EQ(kp.failures, 0);
	CHECK_EQ(kp.standby_failures, 2 * KEEPER_GIVE_UP);
	kp.taught = false;
	keeper_start_teacher(&kp);
	CHECK(kp.taught);
}

static void test_other_children(void)
{
	kp.taught = false;
	keeper_start_teacher(&kp);
	REQUIRE(kp.teacher > 0);
	while (kp.teacher)
		keeper_reap_children(&kp);
	CHECK(kp.taught);
	/* Of a lost connection, and somebody else's. */
	keeper_note_serving(&kp, dead_child(-SIGSEGV), false);
	dead_child(WORKER_REFUSED);
	keeper_reap_children(&kp);
	CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1);
	CHECK_EQ(k->stats.deaths, 0);
	kp.replace.pid = dead_child(WORKER_REFUSED);
	keeper_reap_children(&kp);
	CHECK(!replace_under_way(&kp.replace));
	CHECK_EQ(k->state.replace, REPLACE_REFUSED);
	CHECK(*k->state.replace_text);
	kp.replace.pid = dead_child(WORKER_FIT);
	keeper_reap_children(&kp);
	CHECK(kp.replace.passed && !kp.replace.pid);
	check_goes_on();
}

static const struct check_case cases[] = {
	CHECK_CASE(test_the_first_never_serves),
	CHECK_CASE(test_ends_that_are_no_deaths),
	CHECK_CASE(test_a_kill_says_nothing),
	CHECK_CASE(test_a_kill_for_memory_does),
	CHECK_CASE(test_too_many_crashes),
	CHECK_CASE(test_progress),
	CHECK_CASE(test_nobody_can_follow),
	CHECK_CASE(test_the_arena_is_refused),
	CHECK_CASE(test_killed_on_its_way_out),
	CHECK_CASE(test_a_standby_that_has_begun),
	CHECK_CASE(test_a_standby_that_hangs),
	CHECK_CASE(test_workers_that_hang),
	CHECK_CASE(test_one_standby),
	CHECK_CASE(test_a_standby_takes_over),
	CHECK_CASE(test_only_one_serves),
	CHECK_CASE(test_what_kernel_it_is_is_heard_once),
	CHECK_CASE(test_pauses),
	CHECK_CASE(test_it_stood_by_for_long),
	CHECK_CASE(test_nobody_serves),
	CHECK_CASE(test_a_standby_refuses),
	CHECK_CASE(test_no_processes),
	CHECK_CASE(test_other_children),
};

int main(int argc, char **argv)
{
	prepare();
	return CHECK_MAIN(cases, argc, argv);
}
