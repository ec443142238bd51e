/* SPDX-License-Identifier: BSD-3-Clause */
/* Who reads requests: a pipe is the connection, headers are the requests. */
#include "serve/readers.h"
#include "base/clock.h"
#include "base/cpu_place.h"
#include "check.h"
#include "serve/readers_i.h"
#include "state/reader_counts.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#define NR_THREADS  3u
#define MAX_CLIENTS 8u
#define PATIENCE_MS 20000u

/*
 * What the thread that executes a request shall do: its unique. Its nodeid is
 * the client's number, above those of the root and of what is virtual.
 */
enum work {
	WORK_NONE,
	WORK_SOME, /* a tenth of a millisecond */
	WORK_UNTIL_FREED,
	WORK_END,
};

/* As large as the largest request that is made up here. */
struct message {
	struct fuse_in_header head;
	struct fuse_read_in read;
};

static struct {
	struct readers *r;
	struct reader_counts counts;
	int ends[2];
	pthread_t threads[NR_THREADS];
	uint64_t executed[NR_THREADS];	/* atomic */
	bool freed;			/* atomic */
	uint64_t answered[MAX_CLIENTS]; /* atomic */
} w;

static uint64_t get(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

static void execute(unsigned nr, const struct message *m)
{
	uint64_t end = clock_us() + 100;

	while (m->head.unique == WORK_SOME && clock_us() < end)
		;
	while (m->head.unique == WORK_UNTIL_FREED &&
	       !__atomic_load_n(&w.freed, __ATOMIC_SEQ_CST))
		usleep(100);
	__atomic_add_fetch(&w.executed[nr], 1, __ATOMIC_SEQ_CST);
	__atomic_add_fetch(&w.answered[m->head.nodeid - 2], 1,
			   __ATOMIC_SEQ_CST);
}

static void *thread_main(void *arg)
{
	unsigned nr = (unsigned)(uintptr_t)arg;
	struct message m;

	readers_join(w.r, nr);
	for (;;) {
		readers_wait(w.r, nr);
		if (read(w.ends[0], &m, sizeof(m)) != (ssize_t)sizeof(m))
			break;
		readers_received(w.r, nr, &m.head);
		if (m.head.unique != WORK_END)
			execute(nr, &m);
		readers_done(w.r, nr);
		if (m.head.unique == WORK_END)
			break;
	}
	readers_release(w.r);
	return NULL;
}

static void send_message(struct message m)
{
	m.head.len = sizeof(m);
	REQUIRE(write(w.ends[1], &m, sizeof(m)) == (ssize_t)sizeof(m));
}

static struct message request(unsigned client, enum work work, pid_t pid)
{
	return (struct message){
		.head = {.opcode = FUSE_GETATTR,
			 .unique = work,
			 .nodeid = client + 2,
			 .pid = (uint32_t)pid},
	};
}

/* As a client does: one request, then wait for its answer. */
static bool ask_as(unsigned client, enum work work, pid_t pid)
{
	uint64_t before = get(&w.answered[client]);
	uint64_t end = clock_ms() + PATIENCE_MS;
	struct message m = request(client, work, pid);

	m.head.len = sizeof(m);
	if (write(w.ends[1], &m, sizeof(m)) != (ssize_t)sizeof(m))
		return false;
	while (get(&w.answered[client]) == before && clock_ms() < end)
		sched_yield();
	return get(&w.answered[client]) != before;
}

static bool ask(enum work work)
{
	return ask_as(0, work, gettid());
}

static void start(bool follow)
{
	REQUIRE(!pipe2(w.ends, O_CLOEXEC));
	REQUIRE(!readers_new(NR_THREADS, w.ends[0], follow, &w.counts, &w.r));
	for (uintptr_t i = 0; i < NR_THREADS; i++)
		REQUIRE(!pthread_create(&w.threads[i], NULL, thread_main,
					(void *)i));
}

static void stop(void)
{
	__atomic_store_n(&w.freed, true, __ATOMIC_SEQ_CST);
	for (unsigned i = 0; i < NR_THREADS; i++)
		send_message(request(0, WORK_END, 0));
	for (unsigned i = 0; i < NR_THREADS; i++)
		pthread_join(w.threads[i], NULL);
	readers_free(w.r);
	close(w.ends[0]);
	close(w.ends[1]);
}

static bool pin(int cpu)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	return !sched_setaffinity(0, sizeof(one), &one);
}

/* The first CPU behind @after that may be used, or -1. */
static int next_cpu(const cpu_set_t *set, int after)
{
	for (int i = after + 1; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, set))
			return i;
	return -1;
}

static bool has_two_cpus(void)
{
	cpu_set_t set;

	return !sched_getaffinity(0, sizeof(set), &set) && CPU_COUNT(&set) > 1;
}

/* Ask until @word is above @least. */
static bool ask_until(const uint64_t *word, uint64_t least, enum work work)
{
	uint64_t end = clock_ms() + PATIENCE_MS;

	while (get(word) <= least && clock_ms() < end)
		if (!ask(work))
			return false;
	return get(word) > least;
}

/* ---- one client ---- */

/* Did one thread execute more than half of these? */
static bool one_executes_most(void)
{
	uint64_t before[NR_THREADS], n, most = 0, all = 0;

	for (unsigned i = 0; i < NR_THREADS; i++)
		before[i] = get(&w.executed[i]);
	for (unsigned i = 0; i < 200; i++)
		CHECK(ask(WORK_NONE));
	for (unsigned i = 0; i < NR_THREADS; i++) {
		n = get(&w.executed[i]) - before[i];
		all += n;
		if (n > most)
			most = n;
	}
	return most * 2 > all;
}

/* Changes of mind are allowed on a busy machine, turns for ever are not. */
static void test_one_client(void)
{
	uint64_t end = clock_ms() + PATIENCE_MS;
	bool one;

	if (!has_two_cpus())
		return;
	start(true);
	CHECK_EQ(w.counts.following, 1);
	CHECK(ask_until(&w.counts.near, 20, WORK_NONE));
	while (!(one = one_executes_most()) && clock_ms() < end)
		;
	CHECK(one);
	stop();
}

static void test_goes_where_the_client_goes(void)
{
	uint64_t near;
	cpu_set_t set;
	int cpu = -1;

	if (!has_two_cpus())
		return;
	sched_getaffinity(0, sizeof(set), &set);
	start(true);
	for (unsigned n = 0; n < 2; n++) {
		cpu = next_cpu(&set, cpu);
		REQUIRE(pin(cpu));
		/* Each time it takes one move at least. */
		CHECK(ask_until(&w.counts.moves, n, WORK_NONE));
		near = get(&w.counts.near);
		CHECK(ask_until(&w.counts.near, near + 2, WORK_NONE));
	}
	stop();
}

/* ---- one reader is not enough ---- */

/* Number 1 is served while the thread that serves number 0 is held. */
static void check_other_is_served(struct message held)
{
	pid_t self = gettid();

	start(true);
	CHECK(ask(WORK_NONE));
	send_message(held);
	for (unsigned i = 0; i < 100; i++)
		CHECK(ask_as(1, WORK_NONE, self));
	CHECK_EQ(get(&w.answered[0]), 1);
	__atomic_store_n(&w.freed, true, __ATOMIC_SEQ_CST);
	stop();
	CHECK_EQ(w.answered[0], 2);
}

/* For whatever reason: on a busy machine one may come before the other. */
static uint64_t changes_to_all(void)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < READERS_NR_WHY; i++)
		n += get(&w.counts.why[i]);
	return n;
}

static void test_long_request(void)
{
	struct message held = request(0, WORK_UNTIL_FREED, gettid());

	held.head.opcode = FUSE_READ;
	held.read.size = 1 << 20;
	check_other_is_served(held);
	CHECK(!has_two_cpus() || changes_to_all() > 0);
}

static void test_held_in_what_looked_short(void)
{
	check_other_is_served(request(0, WORK_UNTIL_FREED, gettid()));
	CHECK(!has_two_cpus() || changes_to_all() > 0);
}

/* While own threads keep the CPUs nobody gives way to them, for no time. */
static void test_busy(void)
{
	uint64_t end = clock_ms() + PATIENCE_MS, last;

	if (!has_two_cpus())
		return;
	start(true);
	CHECK(ask(WORK_NONE));
	__atomic_store_n(&w.counts.busy, 1, __ATOMIC_SEQ_CST);
	/* It may be so already, because of others on this machine. */
	while (get(&w.counts.one) && clock_ms() < end)
		CHECK(ask(WORK_NONE));
	for (unsigned n = 0; n < 100; n++) {
		last = clock_ms();
		CHECK(ask(WORK_NONE));
		usleep(1000);
		/* Who is put off for long counts as one who asks no more. */
		CHECK(!get(&w.counts.one) || clock_ms() - last > 20);
	}
	__atomic_store_n(&w.counts.busy, 0, __ATOMIC_SEQ_CST);
	CHECK(ask_until(&w.counts.one, 0, WORK_NONE));
	stop();
}

/* All but one are held one after the other, and still somebody reads. */
static void test_last_one_reads(void)
{
	start(true);
	for (unsigned i = 0; i + 1 < NR_THREADS; i++) {
		send_message(request(0, WORK_UNTIL_FREED, gettid()));
		CHECK(ask_as(1, WORK_NONE, gettid()));
	}
	__atomic_store_n(&w.freed, true, __ATOMIC_SEQ_CST);
	stop();
	CHECK_EQ(w.answered[0], NR_THREADS - 1);
}

static void *client_main(void *arg)
{
	unsigned nr = (unsigned)(uintptr_t)arg;

	for (unsigned i = 0; i < 3000; i++)
		CHECK(ask_as(nr, WORK_SOME, gettid()));
	return NULL;
}

static void test_many_clients(void)
{
	pthread_t clients[MAX_CLIENTS];

	start(true);
	for (uintptr_t i = 0; i < MAX_CLIENTS; i++)
		REQUIRE(!pthread_create(&clients[i], NULL, client_main,
					(void *)i));
	for (unsigned i = 0; i < MAX_CLIENTS; i++)
		pthread_join(clients[i], NULL);
	CHECK(!has_two_cpus() || changes_to_all() > 0);
	/* And back, when one is alone again. */
	CHECK(!has_two_cpus() ||
	      ask_until(&w.counts.near, get(&w.counts.near) + 2, WORK_NONE));
	stop();
}

/* ---- the lock ---- */

/* A leader that was put off with the lock in its hands. */
static void *held_main(void *arg)
{
	const struct sched_param none = {0};
	struct reader *t = &w.r->threads[0];
	uint64_t end = clock_ms() + PATIENCE_MS;

	pthread_mutex_lock(&w.r->lock);
	__atomic_store_n(&t->place.tid, gettid(), __ATOMIC_RELEASE);
	t->place.idle = true;
	CHECK_EQ(sched_setscheduler(0, SCHED_IDLE, &none), 0);
	__atomic_store_n(&w.freed, true, __ATOMIC_SEQ_CST);
	while (sched_getscheduler(0) == SCHED_IDLE && clock_ms() < end)
		usleep(100);
	CHECK_EQ(sched_getscheduler(0), SCHED_OTHER);
	/* What it was about to do when it was put off. */
	CHECK_EQ(sched_setscheduler(0, SCHED_IDLE, &none), 0);
	pthread_mutex_unlock(&w.r->lock);
	while (sched_getscheduler(0) == SCHED_IDLE && clock_ms() < end)
		usleep(100);
	CHECK_EQ(sched_getscheduler(0), SCHED_OTHER);
	/* Whoever has the lock now looks at this thread. */
	while (__atomic_load_n(&w.freed, __ATOMIC_SEQ_CST))
		usleep(100);
	return NULL;
}

static void test_holder_of_the_lock_goes_on(void)
{
	pthread_t holder;

	if (!has_two_cpus() || !cpu_place_may_idle())
		return;
	REQUIRE(!pipe2(w.ends, O_CLOEXEC));
	REQUIRE(!readers_new(NR_THREADS, w.ends[0], true, &w.counts, &w.r));
	REQUIRE(!pthread_create(&holder, NULL, held_main, NULL));
	while (!__atomic_load_n(&w.freed, __ATOMIC_SEQ_CST))
		usleep(100);
	readers_free_place(w.r);
	CHECK_EQ(w.r->lead, LEAD_ALL);
	CHECK(!w.r->threads[0].place.idle);
	CHECK_EQ(get(&w.counts.why[READERS_STARVED]), 1);
	__atomic_store_n(&w.freed, false, __ATOMIC_SEQ_CST);
	pthread_join(holder, NULL);
	readers_free(w.r);
}

/* ---- where there is nothing to follow ---- */

static void test_client_not_visible(void)
{
	uint64_t end = clock_ms() + PATIENCE_MS;

	start(true);
	while (has_two_cpus() && !get(&w.counts.why[READERS_UNKNOWN]) &&
	       clock_ms() < end)
		CHECK(ask_as(0, WORK_NONE, 0));
	CHECK(!has_two_cpus() || get(&w.counts.why[READERS_UNKNOWN]) > 0);
	/* One that is known is followed, when it comes. */
	CHECK(!has_two_cpus() || ask_until(&w.counts.near, 0, WORK_NONE));
	stop();
}

static void test_off(void)
{
	start(false);
	for (unsigned i = 0; i < 200; i++)
		CHECK(ask(WORK_NONE));
	CHECK_EQ(w.counts.following, 0);
	CHECK_EQ(w.counts.looks, 0);
	stop();
}

static void test_one_cpu(void)
{
	cpu_set_t set;

	REQUIRE(!sched_getaffinity(0, sizeof(set), &set));
	REQUIRE(pin(next_cpu(&set, -1)));
	start(true);
	CHECK_EQ(w.counts.following, 0);
	CHECK(ask(WORK_NONE));
	stop();
}

/* Outside of the CPUs that the threads were given. */
static void test_client_elsewhere(void)
{
	cpu_set_t set, some;
	int last = -1;

	REQUIRE(!sched_getaffinity(0, sizeof(set), &set));
	if (CPU_COUNT(&set) < 3)
		return;
	some = set;
	for (int cpu = -1; (cpu = next_cpu(&set, cpu)) >= 0;)
		last = cpu;
	CPU_CLR(last, &some);
	REQUIRE(!sched_setaffinity(0, sizeof(some), &some));
	start(true);
	REQUIRE(pin(last));
	for (unsigned i = 0; i < 500; i++)
		CHECK(ask(WORK_NONE));
	stop();
}

/* ---- the end, and quiet ---- */

/* Whoever waits for the lead, whether anything was read or not. */
static void test_release(void)
{
	start(true);
	readers_release(w.r);
	stop();
	for (unsigned i = 0; i < NR_THREADS; i++)
		CHECK_EQ(w.executed[i], 0);
}

/* Milliseconds of CPU that this process has used. */
static uint64_t cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void test_sleeps_without_requests(void)
{
	uint64_t end = clock_ms() + PATIENCE_MS, used;

	start(true);
	for (unsigned i = 0; i < 100; i++)
		CHECK(ask(WORK_NONE));
	/* Where others keep the CPUs it takes a while to come to rest. */
	do {
		used = cpu_ms();
		usleep(500000);
	} while (cpu_ms() - used > 1 && clock_ms() < end);
	CHECK(cpu_ms() - used <= 1);
	/* And wakes up again. */
	for (unsigned i = 0; i < 100; i++)
		CHECK(ask(WORK_NONE));
	stop();
}

/* Threads of this process that were placed: on one CPU alone, or SCHED_IDLE. */
static unsigned placed_threads(void)
{
	DIR *tasks = opendir("/proc/self/task");
	unsigned n = 0;
	struct dirent *d;

	REQUIRE(tasks);
	while ((d = readdir(tasks))) {
		pid_t tid = atoi(d->d_name);
		cpu_set_t set;

		if (tid && !sched_getaffinity(tid, sizeof(set), &set))
			n += CPU_COUNT(&set) == 1 ||
			     sched_getscheduler(tid) != SCHED_OTHER;
	}
	closedir(tasks);
	return n;
}

/* Whoever keeps that CPU busy meanwhile would be in the way, unwatched. */
static void test_no_place_at_rest(void)
{
	uint64_t near, end;
	cpu_set_t set;

	if (!has_two_cpus())
		return;
	start(true);
	for (unsigned i = 0; i < 3; i++) {
		near = get(&w.counts.near);
		CHECK(ask_until(&w.counts.near, near + 2, WORK_NONE));
		end = clock_ms() + PATIENCE_MS;
		while (placed_threads() && clock_ms() < end)
			usleep(10000);
		CHECK_EQ(placed_threads(), 0);
	}
	/* Not by a look that ends late either. */
	sched_getaffinity(0, sizeof(set), &set);
	readers_follow(w.r, next_cpu(&set, -1));
	CHECK_EQ(placed_threads(), 0);
	stop();
}

/* The only client waits for the leader: nothing else is to be read. */
static void test_held_alone(void)
{
	uint64_t end = clock_ms() + PATIENCE_MS, near, starved = 0;

	if (!has_two_cpus())
		return;
	start(true);
	/* The leader has a place, unless all read again already. */
	while (!starved && clock_ms() < end) {
		uint64_t before, tries = 200;

		near = get(&w.counts.near);
		CHECK(ask_until(&w.counts.near, near, WORK_NONE));
		before = get(&w.counts.why[READERS_STARVED]);
		__atomic_store_n(&w.freed, false, __ATOMIC_SEQ_CST);
		send_message(request(0, WORK_UNTIL_FREED, gettid()));
		while (!starved && tries--) {
			usleep(1000);
			starved = get(&w.counts.why[READERS_STARVED]) - before;
		}
		__atomic_store_n(&w.freed, true, __ATOMIC_SEQ_CST);
	}
	CHECK(starved > 0);
	stop();
}

static void *ask_may_idle(void *may)
{
	const struct sched_param none = {0};

	REQUIRE(!sched_setscheduler(0, SCHED_BATCH, &none));
	*(bool *)may = cpu_place_may_idle();
	return NULL;
}

static void test_policy_is_kept(void)
{
	pthread_t thread;
	bool may = true;

	REQUIRE(!pthread_create(&thread, NULL, ask_may_idle, &may));
	pthread_join(thread, NULL);
	CHECK(!may);
}

static const struct check_case cases[] = {
	CHECK_CASE(test_one_client),
	CHECK_CASE(test_goes_where_the_client_goes),
	CHECK_CASE(test_long_request),
	CHECK_CASE(test_held_in_what_looked_short),
	CHECK_CASE(test_busy),
	CHECK_CASE(test_last_one_reads),
	CHECK_CASE(test_many_clients),
	CHECK_CASE(test_holder_of_the_lock_goes_on),
	CHECK_CASE(test_client_not_visible),
	CHECK_CASE(test_off),
	CHECK_CASE(test_one_cpu),
	CHECK_CASE(test_client_elsewhere),
	CHECK_CASE(test_release),
	CHECK_CASE(test_sleeps_without_requests),
	CHECK_CASE(test_no_place_at_rest),
	CHECK_CASE(test_held_alone),
	CHECK_CASE(test_policy_is_kept),
};

int main(int argc, char **argv)
{
	return CHECK_MAIN(cases, argc, argv);
}
