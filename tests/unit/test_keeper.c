/* SPDX-License-Identifier: BSD-3-Clause */
/* The keeper's life, and what it makes of a lost connection. */
#include "keeper_fixture.h"

/* ---- another connection ---- */

/* What the new one leads to: the socket's other end. */
static int new_connection(void)
{
	int fds[2];

	REQUIRE(!socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds));
	connection = fds[0];
	return fds[1];
}

static void lose(void)
{
	shared_set(&k->state.lost, k->state.connection);
}

static void test_it_was_an_unmount(void)
{
	lose();
	connection = -ENOENT;
	keeper_reconnect_step(&kp);
	check_over(0);
}

static void test_a_new_connection(void)
{
	int other = new_connection();
	char text[3] = "";

	serves(live_child());
	lose();
	keeper_reconnect_step(&kp);
	CHECK_EQ(k->state.connection, 2);
	CHECK_EQ(k->state.ready, 0);
	CHECK_EQ(kp.active, 0);
	CHECK(kp.leaving > 0 && kp.standby > 0);
	CHECK_EQ(keeper_reconnect_msecs(&kp), -1);
	CHECK(!keeper_lacks_standby(&kp));
	while (kp.leaving)
		keeper_reap_children(&kp);
	/* The same descriptor is the new one. */
	CHECK_EQ(write(k->fd.fuse, "ok", 2), 2);
	CHECK_EQ(read(other, text, 2), 2);
	CHECK(!strcmp(text, "ok"));
	/* The worker on it serves. */
	shared_set(&k->state.active_pid, (uint32_t)kp.standby);
	keeper_look_who_is_active(&kp);
	keeper_reconnect_step(&kp);
	CHECK(kp.lost_since);
	shared_set(&k->state.ready, 1);
	keeper_reconnect_step(&kp);
	CHECK_EQ(kp.lost_since, 0);
	CHECK_EQ(k->stats.reconnects, 1);
	CHECK_EQ(k->state.read_ahead_kb, 1024);
	CHECK_EQ(k->state.max_ratio, 0);
	CHECK_EQ(mounted, 1);
	keeper_stop_child(&kp.teacher);
	keeper_stop_child(&kp.active);
}

static void test_no_new_mount(void)
{
	uint64_t before;

	lose();
	connection = -EBUSY;
	for (unsigned i = 0; i < 4; i++) {
		keeper_reconnect_step(&kp);
		CHECK_EQ(keeper_reconnect_msecs(&kp), 0);
	}
	before = clock_ms();
	keeper_reconnect_step(&kp);
	CHECK(kp.retry_at >= before + 1000);
	CHECK_EQ(mounted, 5);
	kp.retry_at += 100000;
	keeper_reconnect_step(&kp);
	CHECK_EQ(mounted, 5);
	CHECK(!keeper_lacks_standby(&kp));
	check_goes_on();
	kp.lost_since -= (RECONNECT_TRIES + 1) * RECONNECT_SECONDS * 1000;
	keeper_reconnect_step(&kp);
	check_over(1);
}

/* A new connection and nobody on it: no other is made, the next is started. */
static void test_a_new_connection_without_a_worker(void)
{
	new_connection();
	lose();
	no_processes = true;
	keeper_reconnect_step(&kp);
	CHECK_EQ(k->state.connection, 2);
	CHECK(kp.fresh && !kp.attempting);
	no_processes = false;
	keeper_reconnect_step(&kp);
	CHECK(kp.standby > 0 && kp.attempting);
	CHECK_EQ(mounted, 1);
	/* Dead before it served: then there may be something wrong with it. */
	keeper_stop_child(&kp.standby);
	keeper_reconnect_step(&kp);
	new_connection();
	keeper_reconnect_step(&kp);
	CHECK_EQ(mounted, 2);
	CHECK_EQ(k->state.connection, 3);
	keeper_stop_child(&kp.standby);
}

/* ---- nobody else in the namespace ---- */

static void test_the_namespace_is_left(void)
{
	if (geteuid())
		return;
	serves(live_child());
	witness = eventfd(0, EFD_CLOEXEC);
	keeper_watch_namespace(&kp);
	CHECK_EQ(left, 0);
	witness = -ESRCH;
	keeper_namespace_step(&kp, true);
	CHECK_EQ(left, 1);
	CHECK(kp.moving);
	keeper_need_standby(&kp);
	keeper_namespace_step(&kp, false);
	CHECK_EQ(k->state.drain, 0);
	shared_set(&k->state.primed_pid, (uint32_t)kp.standby);
	keeper_namespace_step(&kp, false);
	CHECK_EQ(k->state.drain, 1);
	keeper_stop_child(&kp.active);
	keeper_namespace_step(&kp, false);
	CHECK_EQ(k->state.drain, 0);
	CHECK(!kp.moving);
	keeper_stop_child(&kp.standby);
}

/* ---- from beginning to end ---- */

static void become_active(void)
{
	shared_set(&k->state.active_pid, (uint32_t)getpid());
	shared_note_progress(k);
	shared_set(&k->state.ready, 1);
	shared_page_wake_keeper(k);
}

/* The first one crashes, the second one has the keeper told to end. */
static void live(bool first)
{
	signal(SIGSEGV, SIG_DFL);
	if (first) {
		become_active();
		while (!shared_get(&k->state.primed_pid))
			usleep(1000);
		kill(getpid(), SIGSEGV);
	}
	shared_set(&k->state.primed_pid, (uint32_t)getpid());
	while (!k->stats.deaths)
		usleep(1000);
	if (k->stats.takeovers)
		return; /* the next standby */
	k->stats.takeovers++;
	become_active();
	while (!shared_get(told))
		usleep(1000);
	kill(getppid(), SIGTERM);
	while (!shared_get(&k->state.over))
		usleep(1000);
	_exit(WORKER_UNMOUNTED);
}

static void test_a_life(void)
{
	k->config.foreground = true;
	k->state.ready = 0;
	k->state.connection = 1;
	work = live;
	daemon_block_signals();
	witness = eventfd(0, EFD_CLOEXEC);
	CHECK_EQ(keeper_run(k, NULL), 0);
	CHECK_EQ(*told, 1);
	CHECK_EQ(detached, 1);
	CHECK_EQ(k->stats.deaths, 1);
	CHECK(WIFSIGNALED(k->stats.last_status) &&
	      WTERMSIG(k->stats.last_status) == SIGSEGV);
	CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1);
}

static void fail(bool first)
{
	_exit(WORKER_FAILED);
}

static void test_a_life_that_does_not_begin(void)
{
	k->config.foreground = true;
	k->state.ready = 0;
	work = fail;
	daemon_block_signals();
	CHECK_EQ(keeper_run(k, NULL), 1);
	CHECK_EQ(*told, 0);
	CHECK_EQ(detached_dead, 1);
}

static const struct check_case cases[] = {
	CHECK_CASE(test_it_was_an_unmount),
	CHECK_CASE(test_a_new_connection),
	CHECK_CASE(test_no_new_mount),
	CHECK_CASE(test_a_new_connection_without_a_worker),
	CHECK_CASE(test_the_namespace_is_left),
	CHECK_CASE(test_a_life),
	CHECK_CASE(test_a_life_that_does_not_begin),
};

int main(int argc, char **argv)
{
	prepare();
	return CHECK_MAIN(cases, argc, argv);
}
