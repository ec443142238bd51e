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

/* Workers say so, and the kernel, too. */
static void lose(void)
{
	shared_set(&k->worker.lost, k->state.connection);
	shutdown(other_end, SHUT_RDWR);
}

static void test_it_is_not_lost(void)
{
	shared_set(&k->worker.lost, k->state.connection);
	keeper_reconnect_step(&kp);
	CHECK_EQ(kp.lost_since, 0);
	CHECK_EQ(mounted, 0);
	check_goes_on();
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
	pid_t first = live_child();
	char text[3] = "";

	serves(first);
	lose();
	/* It lies about what is not there yet. */
	shared_set(&k->worker.ready, 2);
	keeper_reconnect_step(&kp);
	CHECK_EQ(k->state.connection, 2);
	CHECK(!shared_is_ready(k));
	CHECK_EQ(kp.active, 0);
	CHECK(is_told(first) && kp.standby > 0);
	CHECK_EQ(keeper_reconnect_msecs(&kp), -1);
	CHECK(!keeper_lacks_standby(&kp));
	while (is_told(first))
		keeper_reap_children(&kp);
	CHECK_EQ(k->stats.deaths, 0);
	/* The same descriptor is the new one. */
	CHECK_EQ(write(k->fd.fuse, "ok", 2), 2);
	CHECK_EQ(read(other, text, 2), 2);
	CHECK(!strcmp(text, "ok"));
	/* The worker on it serves. */
	shared_set(&k->worker.active_pid, (uint32_t)kp.standby);
	keeper_look_who_is_active(&kp);
	keeper_reconnect_step(&kp);
	CHECK(kp.lost_since);
	shared_set(&k->worker.ready, 2);
	keeper_reconnect_step(&kp);
	CHECK_EQ(kp.lost_since, 0);
	/* By that the next standby knows it for one that was answered. */
	CHECK_EQ(k->state.answered, 2);
	CHECK_EQ(k->stats.reconnects, 1);
	CHECK_EQ(k->state.read_ahead_kb, 1024);
	CHECK_EQ(k->state.max_ratio, 0);
	CHECK_EQ(mounted, 1);
	child_stop(&kp.teacher);
	child_stop(&kp.active);
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
	/* A program that replaces this one would not know of it. */
	kp.replace.pid = live_child();
	keeper_reconnect_step(&kp);
	CHECK(!replace_under_way(&kp.replace));
	CHECK_EQ(k->state.connection, 2);
	CHECK(kp.fresh && !kp.attempting);
	no_processes = false;
	keeper_reconnect_step(&kp);
	CHECK(kp.standby > 0 && kp.attempting);
	CHECK_EQ(mounted, 1);
	/* Dead before it served: then there may be something wrong with it. */
	child_stop(&kp.standby);
	keeper_reconnect_step(&kp);
	new_connection();
	keeper_reconnect_step(&kp);
	CHECK_EQ(mounted, 2);
	CHECK_EQ(k->state.connection, 3);
	child_stop(&kp.standby);
}

/* Whoever did may die at once: the connection stands for the next one. */
static void test_a_new_connection_that_was_answered(void)
{
	new_connection();
	lose();
	keeper_reconnect_step(&kp);
	shared_set(&k->worker.active_pid, (uint32_t)kp.standby);
	shared_set(&k->worker.ready, 2);
	dies_now(kp.standby);
	CHECK(!kp.active && !kp.standby);
	keeper_reconnect_step(&kp);
	CHECK_EQ(kp.lost_since, 0);
	CHECK_EQ(mounted, 1);
	CHECK_EQ(k->stats.reconnects, 1);
	child_stop(&kp.teacher);
}

static void lose_again(void)
{
	int end = new_connection();

	lose();
	keeper_reconnect_step(&kp);
	other_end = end;
}

static void serves_on_it(void)
{
	takes_over();
	shared_set(&k->worker.ready, k->state.connection);
	keeper_reconnect_step(&kp);
	CHECK_EQ(kp.lost_since, 0);
	dies_now(kp.teacher);
	nobody_dies = true;
}

/* Nobody begins on a connection who does not know all that may be at work. */
static void test_workers_of_lost_connections_that_hang(void)
{
	pid_t first = live_child(), second, third;

	serves(first);
	nobody_dies = true;
	lose_again();
	serves_on_it();
	second = kp.active;
	lose_again();
	CHECK(is_told(first) && is_told(second));
	serves_on_it();
	third = kp.active;
	lose_again();
	CHECK(is_told(first) && is_told(second) && is_told(third));
	CHECK_EQ(k->state.connection, 4);
	CHECK(kp.fresh && !kp.standby);
	dies_now(second);
	keeper_reconnect_step(&kp);
	CHECK(is_told(first) && !is_told(second) && is_told(third));
	CHECK(kp.attempting && kp.standby > 0);
	CHECK_EQ(mounted, 3);
	CHECK_EQ(k->stats.deaths, 0);
	child_stop(&kp.standby);
	keeper_stop_serving(&kp);
}

/* ---- one worker after another ---- */

static void test_a_worker_leaves_for_the_next(void)
{
	pid_t first = live_child();

	serves(first);
	keeper_begin_handover(&kp);
	keeper_need_standby(&kp);
	keeper_handover_step(&kp);
	CHECK(!kp.sent_off);
	shared_set(&k->worker.primed_pid, (uint32_t)kp.standby);
	keeper_handover_step(&kp);
	CHECK(kp.sent_off);
	/* It does not leave, so it is killed. */
	kp.leave_until = clock_ms();
	keeper_handover_step(&kp);
	while (kp.active)
		keeper_reap_children(&kp);
	CHECK(kp.handing);
	shared_set(&k->worker.active_pid, (uint32_t)kp.standby);
	keeper_handover_step(&kp);
	CHECK(!kp.handing);
	CHECK(kp.active && kp.active != first);
	CHECK_EQ(k->stats.replacements, 0);
	child_stop(&kp.active);
}

/* The first worker of another program: with it the old one is replaced. */
static void test_the_program_is_another(void)
{
	kp.replaced = true;
	k->state.replace = REPLACE_UNDER_WAY;
	keeper_begin_handover(&kp);
	keeper_need_standby(&kp);
	CHECK_EQ(k->state.replace, REPLACE_UNDER_WAY);
	shared_set(&k->worker.active_pid, (uint32_t)kp.standby);
	keeper_handover_step(&kp);
	CHECK_EQ(k->state.replace, REPLACE_DONE);
	CHECK_EQ(k->stats.replacements, 1);
	child_stop(&kp.active);
}

static void test_the_namespace_is_left(void)
{
	if (geteuid())
		return;
	serves(live_child());
	witness = eventfd(0, EFD_CLOEXEC);
	keeper_watch_namespace(&kp);
	CHECK_EQ(left, 0);
	witness = -ESRCH;
	keeper_witness_ended(&kp);
	CHECK_EQ(left, 1);
	CHECK(kp.handing);
	CHECK_EQ(kp.outgoing, kp.active);
	child_stop(&kp.active);
}

/* Of a process that is none of ours. */
static void look_for_the_witness(bool first)
{
	_exit(fcntl(witness, F_GETFD) < 0 ? WORKER_DRAINED : WORKER_FAILED);
}

static void test_no_worker_has_the_witness(void)
{
	int status = -1;

	if (geteuid())
		return;
	witness = eventfd(0, EFD_CLOEXEC);
	keeper_watch_namespace(&kp);
	CHECK_EQ(kp.witness, witness);
	work = look_for_the_witness;
	REQUIRE(waitpid(keeper_start_worker(&kp, false), &status, 0) > 0);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == WORKER_DRAINED);
}

/* ---- from beginning to end ---- */

static struct daemon starter = {.verdict = -1};

static void become_active(void)
{
	shared_set(&k->worker.active_pid, (uint32_t)getpid());
	shared_note_progress(k);
	shared_set(&k->worker.can_resend, 1);
	shared_set(&k->worker.ready, k->state.connection);
	shared_page_wake_keeper(k);
}

/* The first one crashes, the second one has the keeper told to end. */
static void live(bool first)
{
	signal(SIGSEGV, SIG_DFL);
	/* What only the keeper may hold is not here. */
	if (fcntl(starter.verdict, F_GETFD) >= 0)
		_exit(WORKER_FAILED);
	if (first) {
		become_active();
		while (!shared_get(&k->worker.primed_pid))
			usleep(1000);
		kill(getpid(), SIGSEGV);
	}
	shared_set(&k->worker.primed_pid, (uint32_t)getpid());
	while (!shared_get(&k->stats.deaths))
		usleep(1000);
	if (shared_get(&k->worker.takeovers))
		return; /* the next standby */
	shared_set(&k->worker.takeovers, 1);
	become_active();
	while (!shared_get(told))
		usleep(1000);
	shared_page_pass_signal(k, SIGTERM);
	while (!shared_get(&k->state.over))
		usleep(1000);
	_exit(WORKER_UNMOUNTED);
}

static void begin_anew(void)
{
	int ends[2];

	REQUIRE(!pipe2(ends, O_CLOEXEC));
	starter.verdict = ends[1];
	k->config.foreground = true;
	k->state.can_resend = 0;
	k->worker.ready = k->worker.can_resend = 0;
	daemon_block_signals();
}

static void test_a_life(void)
{
	begin_anew();
	work = live;
	witness = eventfd(0, EFD_CLOEXEC);
	CHECK_EQ(keeper_run(k, &starter), 0);
	CHECK_EQ(*told, 1);
	CHECK_EQ(detached, 1);
	CHECK_EQ(detached_dead, 1);
	CHECK_EQ(k->stats.deaths, 1);
	CHECK_EQ(k->state.can_resend, 1);
	CHECK(WIFSIGNALED(k->stats.last_status) &&
	      WTERMSIG(k->stats.last_status) == SIGSEGV);
	CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1);
}

/* What is mounted there by then is not its own. */
static void test_a_mount_that_has_gone(void)
{
	begin_anew();
	work = live;
	witness = eventfd(0, EFD_CLOEXEC);
	unmounted = true;
	CHECK_EQ(keeper_run(k, &starter), 0);
	CHECK_EQ(detached_dead, 0);
}

/* The program before has left a worker, and one that is not dead yet. */
static void test_a_life_that_goes_on(void)
{
	pid_t pid = live_child();

	daemon_block_signals();
	witness = eventfd(0, EFD_CLOEXEC);
	k->state.serving[0] = (uint32_t)getpid();
	k->state.serving[1] = (uint32_t)pid;
	k->state.active_pid = (uint32_t)dead_child(WORKER_UNMOUNTED);
	k->state.over = 1;
	nobody_dies = true;
	CHECK_EQ(keeper_resume(k), 0);
	CHECK(is_told(pid));
	CHECK(!is_told(getpid()));
	dies_now(pid);
	CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1);
}

static void fail(bool first)
{
	_exit(WORKER_FAILED);
}

static void test_a_life_that_does_not_begin(void)
{
	begin_anew();
	work = fail;
	CHECK_EQ(keeper_run(k, &starter), 1);
	CHECK_EQ(*told, 0);
	CHECK_EQ(detached_dead, 1);
}

static const struct check_case cases[] = {
	CHECK_CASE(test_it_is_not_lost),
	CHECK_CASE(test_it_was_an_unmount),
	CHECK_CASE(test_a_new_connection),
	CHECK_CASE(test_no_new_mount),
	CHECK_CASE(test_a_new_connection_without_a_worker),
	CHECK_CASE(test_a_new_connection_that_was_answered),
	CHECK_CASE(test_workers_of_lost_connections_that_hang),
	CHECK_CASE(test_a_worker_leaves_for_the_next),
	CHECK_CASE(test_the_program_is_another),
	CHECK_CASE(test_the_namespace_is_left),
	CHECK_CASE(test_no_worker_has_the_witness),
	CHECK_CASE(test_a_life),
	CHECK_CASE(test_a_mount_that_has_gone),
	CHECK_CASE(test_a_life_that_goes_on),
	CHECK_CASE(test_a_life_that_does_not_begin),
};

int main(int argc, char **argv)
{
	prepare();
	return CHECK_MAIN(cases, argc, argv);
}
