/* SPDX-License-Identifier: BSD-3-Clause */
/* The shared page: whose it is, and that deaths are noticed. */
#include "check.h"
#include "arena.h"
#include "state/shared_page.h"
#include "serve/poison.h"
#include "serve/takeover.h"
#include "state/zsfs.h"
#include "zsmalloc.h"
#include "volume/volume.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NR_LIVES 4u
/* As many as a ThreadSanitizer can see locked at once. */
#define MANY_LIVES 60u

/* The keeper's part of a page that is not sealed yet. */
static struct shared_page *map_renewed(int fd)
{
	void *p = mmap(NULL, sizeof(struct shared_page), PROT_READ | PROT_WRITE,
		       MAP_SHARED, fd, 0);

	REQUIRE(p != MAP_FAILED);
	return p;
}

static void check_refused(int fd)
{
	struct shared_page *k;

	CHECK_EQ(shared_page_open(fd, true, &k), -EPROTO);
}

static void test_of_another_kind(void)
{
	struct shared_page *k, *again, *next;
	int other = memfd_create("other", MFD_ALLOW_SEALING), fd;

	CHECK_EQ(shared_page_create(0, 4096, false, &k), -EINVAL);
	CHECK_EQ(shared_page_create(SHARED_MAX_LIVES + 1, 4096, false, &k),
		 -EINVAL);
	REQUIRE(!shared_page_create(NR_LIVES, 4096, false, &k));
	CHECK_EQ(shared_page_open(k->fd.keeper, false, &again), 0);
	CHECK_EQ(again->config.nr_lives, NR_LIVES);
	check_refused(k->fd.keeper);
	check_refused(other);
	CHECK_EQ(ftruncate(other, offsetof(struct shared_page, worker)), 0);
	check_refused(other);
	CHECK_EQ(shared_page_open(other, false, &again), -EPROTO);
	fd = shared_page_renew(k);
	REQUIRE(fd >= 0);
	CHECK_EQ(shared_page_open(fd, false, &again), -EPROTO);
	next = map_renewed(fd);
	next->version++;
	check_refused(fd);
	next->version--;
	next->size--;
	check_refused(fd);
	next->size++;
	next->config.buffers_size += 2 << 20;
	check_refused(fd);
	next->config.buffers_size -= 2 << 20;
	next->fd.worker = other;
	check_refused(fd);
	next->fd.worker = k->fd.worker;
	CHECK_EQ(shared_page_open(fd, true, &again), 0);
	CHECK_EQ(shared_page_open(-1, true, &again), -EBADF);
	close(other);
}

/* ---- the two parts ---- */

/* In a child: 0, or the number of what a worker could do and should not. */
static int try_to_write(const struct shared_page *k, int fd)
{
	const size_t size = offsetof(struct shared_page, worker);
	char path[64];
	int again;

	if (!mprotect((void *)(uintptr_t)k, size, PROT_READ | PROT_WRITE) ||
	    errno != EACCES)
		return 1;
	if (mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) !=
		    MAP_FAILED ||
	    errno != EPERM)
		return 2;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, O_RDWR);
	if (again >= 0 &&
	    (mmap(NULL, size, PROT_WRITE, MAP_SHARED, again, 0) != MAP_FAILED ||
	     errno != EPERM))
		return 3;
	if (again >= 0 && (write(again, "", 1) >= 0 || errno != EPERM))
		return 4;
	if (pwrite(fd, "", 1, 0) >= 0 || errno != EPERM)
		return 5;
	if (!ftruncate(fd, 0) || errno != EPERM || !ftruncate(fd, 1 << 20))
		return 6;
	if (!fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
		       4096) ||
	    errno != EPERM)
		return 7;
	if (!fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE))
		return 8;
	return 0;
}

static int be_a_worker(struct shared_page *k)
{
	int what;

	if (shared_page_confine(k))
		return 10;
	what = try_to_write(k, k->fd.keeper);
	if (what)
		return what;
	if (!ftruncate(k->fd.worker, 0) || errno != EPERM)
		return 11;
	/* Its own part, and the keeper's words, are there. */
	shared_set(&k->worker.takeovers, 7);
	while (!shared_get(&k->stats.deaths))
		usleep(1000);
	return 0;
}

static void check_with_worker(struct shared_page *k)
{
	int status = -1;
	pid_t pid;

	k->stats.deaths = k->worker.takeovers = 0;
	pid = fork();
	if (pid == 0)
		_exit(be_a_worker(k));
	while (!shared_get(&k->worker.takeovers) &&
	       !waitpid(pid, &status, WNOHANG))
		usleep(1000);
	shared_set(&k->stats.deaths, 1);
	waitpid(pid, &status, 0);
	CHECK_EQ(status, 0);
}

static void test_workers_only_read_the_keepers_part(void)
{
	struct shared_page *k;

	REQUIRE(!shared_page_create(NR_LIVES, 4096, false, &k));
	check_with_worker(k);
}

/* A new program's keeper writes, and its workers do not. */
static void test_a_new_keeper(void)
{
	struct shared_page *k, *next, *seen;
	int fd;

	REQUIRE(!shared_page_create(NR_LIVES, 4096, false, &k));
	strcpy(k->state.binary, "/the/program");
	fd = shared_page_renew(k);
	REQUIRE(fd >= 0);
	CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	REQUIRE(!shared_page_open(fd, true, &next));
	CHECK(!strcmp(next->state.binary, "/the/program"));
	CHECK_EQ(next->fd.keeper, fd);
	CHECK_EQ(next->fd.worker, k->fd.worker);
	check_with_worker(next);
	/* Who follows the old one sees no more of it. */
	REQUIRE(!shared_page_open(k->fd.keeper, false, &seen));
	next->stats.reconnects = 5;
	CHECK_EQ(seen->stats.reconnects, 0);
	CHECK_EQ(seen->worker.takeovers, 7);
}

static uint64_t held(const struct shared_page *k)
{
	struct stat st;

	REQUIRE(!fstat(k->fd.buffers, &st));
	return (uint64_t)st.st_blocks * 512;
}

/* One set for all workers, and in memory before anybody uses it. */
static void test_buffers_are_shared(void)
{
	const uint64_t size = 64 << 12;
	struct shared_page *k;
	uint8_t *one, *two;
	uint64_t before;

	REQUIRE(!shared_page_create(NR_LIVES, size, false, &k));
	CHECK(!shared_page_map_buffers(k, size + 4096) && errno == EPROTO);
	one = shared_page_map_buffers(k, size);
	REQUIRE(one);
	before = held(k);
	CHECK(before >= size);
	two = shared_page_map_buffers(k, size);
	REQUIRE(two);
	CHECK_EQ(held(k), before);
	one[size - 1] = 0x5a;
	CHECK_EQ(two[size - 1], 0x5a);
	memset(one, 0xff, size);
	CHECK_EQ(k->config.buffers_size, size);
	shared_page_unmap_buffers(k, one);
	shared_page_unmap_buffers(k, two);
}

/* Entry @nr of a file with 64 bits for each; 0 where it cannot be read. */
static uint64_t entry(const char *path, uint64_t nr)
{
	uint64_t val = 0;
	int fd = open(path, O_RDONLY);

	if (fd < 0 || pread(fd, &val, sizeof(val), (off_t)(nr * 8)) < 0)
		val = 0;
	close(fd);
	return val;
}

/* Is the first page of the buffers one that the kernel never swaps out? */
static bool stays(bool no_swap)
{
	const unsigned unevictable = 18; /* of proc_kpageflags(5) */
	struct shared_page *k;
	uint64_t flags, page;
	char *p;

	REQUIRE(!shared_page_create(NR_LIVES, 4 << 20, no_swap, &k));
	p = mmap(NULL, 4096, PROT_READ, MAP_SHARED | MAP_POPULATE,
		 k->fd.buffers, 0);
	REQUIRE(p != MAP_FAILED);
	page = entry("/proc/self/pagemap", (uint64_t)(uintptr_t)p / 4096) &
	       ((UINT64_C(1) << 55) - 1);
	flags = entry("/proc/kpageflags", page);
	munmap(p, 4096);
	return flags >> unevictable & 1;
}

static void test_buffers_without_swap(void)
{
	int fd = arena_new_file("any", &(struct arena_params){.no_swap = true});

	CHECK(!stays(false));
	if (fd >= 0 && !access("/proc/kpageflags", R_OK))
		CHECK(stays(true));
	close(fd);
}

static void test_spare(void)
{
	struct shared_page *k;
	uint64_t before;

	REQUIRE(!shared_page_create(NR_LIVES, 4096, false, &k));
	before = held(k);
	shared_page_give_spare(k);
	CHECK_EQ(k->worker.spare, SPARE_NONE);
	for (int i = 0; i < 2; i++) {
		shared_page_take_spare(k);
		CHECK_EQ(k->worker.spare, SPARE_HELD);
		CHECK_EQ(held(k), before + SHARED_SPARE);
	}
	for (int i = 0; i < 2; i++) {
		shared_page_give_spare(k);
		CHECK_EQ(k->worker.spare, SPARE_GIVEN);
		CHECK_EQ(held(k), before);
	}
	shared_page_take_spare(k);
	CHECK_EQ(held(k), before + SHARED_SPARE);
	CHECK_EQ(k->config.nr_lives, NR_LIVES);
}

struct life {
	struct shared_page *k;
	unsigned nr;
	int ready;
};

static void *live(void *arg)
{
	struct life *l = arg;

	shared_page_live(l->k, 0, l->nr);
	CHECK_EQ(write(l->ready, "", 1), 1);
	pause();
	return NULL;
}

/* A process with a thread for each life. */
static pid_t start_process(struct shared_page *k)
{
	int ends[2];
	char c;
	pid_t pid;

	REQUIRE(!pipe(ends));
	pid = fork();
	if (pid == 0) {
		struct life l[NR_LIVES];
		pthread_t thread;

		for (unsigned i = 1; i < NR_LIVES; i++) {
			l[i] = (struct life){k, i, ends[1]};
			pthread_create(&thread, NULL, live, &l[i]);
		}
		l[0] = (struct life){k, 0, ends[1]};
		live(&l[0]);
	}
	for (unsigned i = 0; i < NR_LIVES; i++)
		REQUIRE(read(ends[0], &c, 1) == 1);
	close(ends[0]);
	close(ends[1]);
	return pid;
}

static void *await(void *arg)
{
	struct shared_page *k = arg;

	shared_page_await_deaths(k, 0);
	shared_set(&k->worker.takeovers, 1);
	shared_page_release(k, 0);
	return NULL;
}

/* Have @fn wait for what is not over yet. */
static pthread_t start_waiting(struct shared_page *k, void *(*fn)(void *))
{
	pthread_t waiter;

	shared_set(&k->worker.takeovers, 0);
	REQUIRE(!pthread_create(&waiter, NULL, fn, k));
	usleep(50000);
	CHECK_EQ(shared_get(&k->worker.takeovers), 0);
	return waiter;
}

static void end_waiting(struct shared_page *k, pthread_t waiter)
{
	pthread_join(waiter, NULL);
	CHECK_EQ(shared_get(&k->worker.takeovers), 1);
}

/* Nobody comes early, and the lives can be had again. */
static void test_deaths(void)
{
	struct shared_page *k;

	REQUIRE(!shared_page_create(NR_LIVES, 4096, false, &k));
	for (int round = 0; round < 3; round++) {
		pid_t pid = start_process(k);
		pthread_t waiter = start_waiting(k, await);

		kill(pid, SIGKILL);
		end_waiting(k, waiter);
		waitpid(pid, NULL, 0);
	}
}

/* A lock that says that somebody has it who is not there. */
static void test_spoilt_life(void)
{
	static const uint32_t nobody = 4194000;
	struct shared_page *k;

	REQUIRE(!shared_page_create(NR_LIVES, 4096, false, &k));
	memcpy(&k->worker.life[1][2], &nobody, sizeof(nobody));
	shared_page_live(k, 1, 2);
	CHECK_EQ(pthread_mutex_trylock(&k->worker.life[1][2]), EBUSY);
	pthread_mutex_unlock(&k->worker.life[1][2]);
}

/* The active worker, which has another bank, may have spoilt all of it. */
static void test_spoilt_life_beside_a_worker(void)
{
	struct shared_page *k;

	REQUIRE(!shared_page_create(NR_LIVES, 4096, false, &k));
	k->state.serving[0] = k->state.active_pid = (uint32_t)getppid();
	for (int byte = 0; byte < 256; byte += 15) {
		pthread_mutex_t *m = &k->worker.life[1][2];

		memset(m, byte, sizeof(*m));
		shared_page_live(k, 1, 2);
		CHECK_EQ(pthread_mutex_trylock(m), EBUSY);
		CHECK_EQ(pthread_mutex_unlock(m), 0);
	}
}

static void *live_in_0(void *arg)
{
	struct shared_page *k = arg;

	shared_page_live(k, 0, 0);
	shared_set(&k->worker.takeovers, 1);
	return NULL;
}

#ifndef __SANITIZE_THREAD__
/* All were made free, and whoever lives there lives on. */
static void test_lives_made_free(void)
{
	struct shared_page *k;
	pthread_t waiter;
	pid_t pid;

	REQUIRE(!shared_page_create(NR_LIVES, 4096, false, &k));
	pid = start_process(k);
	k->state.serving[0] = k->state.active_pid = (uint32_t)pid;
	memset(k->worker.life, 0, sizeof(k->worker.life));
	waiter = start_waiting(k, await);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	CHECK_EQ(shared_get(&k->worker.takeovers), 0);
	shared_set(&k->state.serving[0], 0);
	end_waiting(k, waiter);
}

/* Whoever takes over from one that has spoilt life @nr, and dies. */
static void follow(struct shared_page *k, unsigned nr)
{
	pid_t pid;

	memset(&k->worker.life[0][nr], 0x5a, sizeof(pthread_mutex_t));
	pid = fork();
	if (pid == 0) {
		shared_page_live(k, 1, 0);
		shared_page_await_deaths(k, 0);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

/* Its death can be waited for as if nothing had been. */
static void test_spoilt_life_of_one_before(void)
{
	for (unsigned nr = 0; nr < NR_LIVES; nr++) {
		struct shared_page *k;
		pthread_mutex_t *m;

		REQUIRE(!shared_page_create(NR_LIVES, 4096, false, &k));
		follow(k, nr);
		m = &k->worker.life[1][0];
		CHECK_EQ(pthread_mutex_trylock(m), EOWNERDEAD);
		pthread_mutex_consistent(m);
		pthread_mutex_unlock(m);
		shared_page_await_deaths(k, 0);
		shared_page_release(k, 0);
	}
}

#endif

/* One that dies has the same bank, and is waited for. */
static void test_life_of_another(void)
{
	struct shared_page *k;
	pthread_t waiter;
	pid_t pid;

	REQUIRE(!shared_page_create(NR_LIVES, 4096, false, &k));
	pid = start_process(k);
	k->state.serving[0] = k->state.active_pid = (uint32_t)getppid();
	k->state.serving[1] = (uint32_t)pid;
	k->state.active_bank = 1;
	waiter = start_waiting(k, live_in_0);
	kill(pid, SIGKILL);
	end_waiting(k, waiter);
	waitpid(pid, NULL, 0);
}

/* ---- suspects ---- */

static struct zsfs *new_fs(void)
{
	struct zsfs_params p = {
		.nr_threads = 2,
		.mode = 0755,
		.comp = {ZCOMP_LZ4, 1},
		.chain_size = ZS_DEFAULT_CHAIN_SIZE,
		.no_huge = true,
	};
	struct zsfs *fs;

	return zsfs_create(&p, &fs) ? NULL : fs;
}

/* It may die in such a way that no signal tells of it. */
static void test_the_keeper_knows_who_is_active(void)
{
	struct shared_page *k;
	uint64_t n = 0;

	REQUIRE(!shared_page_create(NR_LIVES, 4096, false, &k));
	k->fd.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	REQUIRE(k->fd.wake >= 0);
	shared_page_become_active(k, 1, true);
	CHECK_EQ(shared_get(&k->worker.active_pid), (uint32_t)getpid());
	CHECK_EQ(read(k->fd.wake, &n, sizeof(n)), (ssize_t)sizeof(n));
	CHECK_EQ(n, 1);
	close(k->fd.wake);
}

static void *take_what_is_free(void *arg)
{
	struct shared_page *k = arg;
	unsigned last = k->config.nr_lives - 1;

	while (!shared_get(&k->worker.active_pid))
		sched_yield();
	CHECK_EQ(pthread_mutex_trylock(&k->worker.life[0][last]), 0);
	pthread_mutex_unlock(&k->worker.life[0][last]);
	return NULL;
}

/* The next standby may be started as soon as it is known who is active. */
static void test_the_bank_is_free_by_then(void)
{
	struct shared_page *k;
	pthread_t thread;

	REQUIRE(!shared_page_create(MANY_LIVES, 4096, false, &k));
	k->fd.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	for (unsigned n = 0; n < 50; n++) {
		shared_page_await_deaths(k, 0);
		shared_set(&k->worker.active_pid, 0);
		REQUIRE(!pthread_create(&thread, NULL, take_what_is_free, k));
		usleep(200);
		shared_page_become_active(k, 1, false);
		pthread_join(thread, NULL);
	}
	close(k->fd.wake);
}

/* One life in which request @unique was executed, and its end. */
static void die(struct zsfs *fs, uint64_t unique, bool crashed, bool oom,
		bool progress)
{
	struct zsfs_slot *slot = fs->threads[0].slot;

	slot->unique = unique;
	slot->executing = 1;
	slot->crashed = crashed;
	slot->replies += progress;
	poison_blame(fs, oom);
	/* Blaming again, after a kill in recovery, counts nothing. */
	poison_blame(fs, oom);
	poison_keep(fs, unique);
	poison_purge(fs);
}

static void test_crashes_are_counted(void)
{
	struct zsfs *fs = new_fs();

	REQUIRE(fs);
	for (unsigned i = 0; i < POISON_CRASHES; i++) {
		CHECK(!poison_is(fs, 1000));
		die(fs, 1000, true, false, true);
	}
	CHECK(poison_is(fs, 1000));
	CHECK(poison_is(fs, 1000 | UINT64_C(1) << 63));
	CHECK(!poison_is(fs, 1002));
	/* Answered: not kept, and forgotten. */
	poison_purge(fs);
	CHECK(!poison_is(fs, 1000));
	zsfs_close(fs);
}

static void test_kills_are_nobodys_fault(void)
{
	struct zsfs *fs = new_fs();

	REQUIRE(fs);
	for (unsigned i = 0; i < 3 * POISON_KILLS; i++) {
		die(fs, 1000, false, false, false);
		die(fs, 1000, false, true, true);
	}
	CHECK(!poison_is(fs, 1000));
	/* Unless they are for want of memory, and nothing is achieved. */
	for (unsigned i = 0; i < POISON_KILLS; i++) {
		CHECK(!poison_is(fs, 1000));
		die(fs, 1000, false, true, false);
	}
	CHECK(poison_is(fs, 1000));
	zsfs_close(fs);
}

static const struct check_case cases[] = {
	CHECK_CASE(test_of_another_kind),
	CHECK_CASE(test_workers_only_read_the_keepers_part),
	CHECK_CASE(test_a_new_keeper),
	CHECK_CASE(test_buffers_are_shared),
	CHECK_CASE(test_buffers_without_swap),
	CHECK_CASE(test_spare),
	CHECK_CASE(test_deaths),
	CHECK_CASE(test_spoilt_life),
	CHECK_CASE(test_spoilt_life_beside_a_worker),
#ifndef __SANITIZE_THREAD__ /* to it that is no mutex any more */
	CHECK_CASE(test_lives_made_free),
	CHECK_CASE(test_spoilt_life_of_one_before),
#endif
	CHECK_CASE(test_life_of_another),
	CHECK_CASE(test_the_keeper_knows_who_is_active),
	CHECK_CASE(test_the_bank_is_free_by_then),
	CHECK_CASE(test_crashes_are_counted),
	CHECK_CASE(test_kills_are_nobodys_fault),
};

int main(int argc, char **argv)
{
	return CHECK_MAIN(cases, argc, argv);
}
