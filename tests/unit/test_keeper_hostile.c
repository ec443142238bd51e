/* SPDX-License-Identifier: BSD-3-Clause */
/* The keeper beside workers that say whatever might harm it. */
#include "keeper_fixture.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>

#define SCRIBBLE_SECONDS 4

static struct daemon starter = {.verdict = -1};

static void write_anything(void)
{
	uint32_t *words = (uint32_t *)&k->worker;
	size_t nr = sizeof(k->worker) / sizeof(*words);

	for (unsigned i = 0; i < 2000; i++)
		shared_set(&words[(size_t)rand() % nr], (uint32_t)rand());
}

/* What looks right is worse. */
static void write_lies(void)
{
	struct shared_worker *w = &k->worker;
	uint32_t near = (uint32_t)(getpid() + rand() % 8 - 2);

	shared_set(&w->active_pid, near);
	shared_set(&w->primed_pid, rand() % 2 ? w->active_pid : near);
	shared_set(&w->lost, k->state.connection);
	shared_set(&w->ready, k->state.connection - (uint32_t)rand() % 2);
	shared_set(&w->can_resend, (uint32_t)rand() % 2);
	shared_set(&w->spare, (uint32_t)rand() % 4);
	shared_set(&w->progress, (uint32_t)rand() % 2);
	shared_set(&w->over, 1);
	shared_set(&w->keeper_died, 1);
}

/* Descriptors have flags that are everybody's, and bytes to take away. */
static void spoil_descriptors(void)
{
	struct timespec soon = {0, 1000};
	uint64_t n;

	fcntl(k->fd.wake, F_SETFL, O_RDWR | O_NONBLOCK);
	if (read(k->fd.wake, &n, sizeof(n)) < 0)
		n = 0;
	fcntl(k->fd.wake, F_SETFL, O_RDWR);
	if (ftruncate(k->fd.worker, 0) == 0 || ftruncate(k->fd.keeper, 0) == 0)
		abort();
	fallocate(k->fd.worker, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
		  4096);
	nanosleep(&soon, NULL);
}

static void scribble(bool first)
{
	srand((unsigned)getpid());
	if (first) {
		shared_set(&k->worker.active_pid, (uint32_t)getpid());
		shared_set(&k->worker.can_resend, 1);
		shared_set(&k->worker.ready, k->state.connection);
		shared_page_wake_keeper(k);
	}
	while (!shared_get(told))
		usleep(1000);
	for (;;) {
		write_anything();
		write_lies();
		/* That it may ask for. */
		shared_set(&k->worker.end_signal, UINT32_C(1) << 31 | SIGTERM);
		shared_page_wake_keeper(k);
		spoil_descriptors();
	}
}

/* Not a child, so that the keeper does not take it for a worker. */
static void end_it_later(void)
{
	pid_t self = getpid(), pid = __real_fork();

	if (pid == 0) {
		if (__real_fork() == 0) {
			sleep(SCRIBBLE_SECONDS);
			kill(self, SIGTERM);
		}
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

static void check_nothing_else_changed(const struct shared_page *before)
{
	CHECK(!memcmp(&k->config, &before->config, sizeof(k->config)));
	CHECK(!memcmp(&k->fd, &before->fd, sizeof(k->fd)));
	CHECK(!memcmp(k->state.binary, before->state.binary,
		      sizeof(k->state.binary)));
	CHECK_EQ(k->state.connection, 1);
	CHECK_EQ(k->state.replace, REPLACE_NONE);
	CHECK_EQ(k->state.keeper_pid, (uint32_t)getpid());
	CHECK_EQ(mounted, 0);
	CHECK_EQ(k->stats.replace_attempts, 0);
}

static void test_it_goes_on_and_ends_when_told(void)
{
	static struct shared_page before;
	uint64_t start = clock_ms();

	k->config.foreground = true;
	strcpy(k->state.binary, "/the/program");
	k->worker.ready = 0;
	memcpy(&before, k, offsetof(struct shared_page, worker));
	work = scribble;
	witness = eventfd(0, EFD_CLOEXEC);
	daemon_block_signals();
	end_it_later();
	CHECK_EQ(keeper_run(k, &starter), 0);
	CHECK_EQ(*told, 1);
	CHECK(clock_ms() - start >= SCRIBBLE_SECONDS * 1000 - 100);
	check_nothing_else_changed(&before);
	CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1);
}

/* No life is a lock of the keeper's. */
static void test_all_lives_are_held(void)
{
	serves(live_child());
	for (unsigned b = 0; b < SHARED_NR_BANKS; b++)
		shared_page_live(k, b, 0);
	memset(&k->worker.life[1], 0xff, sizeof(k->worker.life[1]));
	keeper_need_standby(&kp);
	CHECK(kp.standby > 0);
	child_stop(&kp.standby);
	child_stop(&kp.active);
	check_goes_on();
}

static void test_it_never_waits_for_news(void)
{
	uint64_t n;

	shared_page_wake_keeper(k);
	CHECK_EQ(read(k->fd.wake, &n, sizeof(n)), (ssize_t)sizeof(n));
	fcntl(k->fd.wake, F_SETFL, O_RDWR);
	shared_page_clear_wake(k);
	shared_page_wake_keeper(k);
	shared_page_clear_wake(k);
	fcntl(k->fd.wake, F_SETFL, O_RDWR | O_NONBLOCK);
	CHECK_EQ(read(k->fd.wake, &n, sizeof(n)), -1);
	CHECK_EQ(errno, EAGAIN);
}

static const struct check_case cases[] = {
	CHECK_CASE(test_it_goes_on_and_ends_when_told),
	CHECK_CASE(test_all_lives_are_held),
	CHECK_CASE(test_it_never_waits_for_news),
};

int main(int argc, char **argv)
{
	prepare();
	return CHECK_MAIN(cases, argc, argv);
}
