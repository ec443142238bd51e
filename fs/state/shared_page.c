/* SPDX-License-Identifier: BSD-3-Clause */
/* The memory that keeper and workers share (see shared_page.h). */
#include "shared_page.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "arena.h"
#include "base/clock.h"
#include "base/memlock.h"

/* Looks at a life that is about to end, less than a millisecond. */
#define YIELDS 1000u
/* How often to ask the keeper whether there is a death to wait for. */
#define LIFE_MSECS 1000
/* The same where a life cannot be waited for. */
#define SPOILT_USECS 1000u

#define KEEPER_SIZE offsetof(struct shared_page, worker)
#define WORKER_SIZE sizeof(struct shared_worker)

#define KEEPER_SEALS                                                           \
	(F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE)
#define WORKER_SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW)

static uint64_t spare_offset(uint64_t buffers_size)
{
	return (buffers_size + HUGE_PAGE_SIZE - 1) & ~(HUGE_PAGE_SIZE - 1);
}

static uint64_t file_size(uint64_t buffers_size)
{
	return spare_offset(buffers_size) + SHARED_SPARE;
}

/* Is there more than the @backed bytes that were asked for? */
static bool on_huge_pages(int fd, uint64_t backed)
{
	struct stat st;

	return !fstat(fd, &st) && (uint64_t)st.st_blocks * 512 > backed;
}

static bool is_file_of(int fd, uint64_t size)
{
	struct stat st;

	return !fstat(fd, &st) && S_ISREG(st.st_mode) &&
	       (uint64_t)st.st_size == size;
}

/* ---- files ---- */

static int set_seals(int fd, int seals)
{
	return fcntl(fd, F_ADD_SEALS, seals) ? -errno : 0;
}

/*
 * Give the new file @fd @size bytes, and memory for @backed of them: before it
 * is mapped, in pages as large as there may be. @fd, or -errno, and closed.
 */
static int give_size(int fd, uint64_t size, uint64_t backed)
{
	int err =
		ftruncate(fd, (off_t)size) ? -errno : arena_back(fd, 0, backed);

	if (!err)
		return fd;
	close(fd);
	return err;
}

/* Of @size bytes, not sealed. The descriptor or -errno. */
static int new_part(const char *name, size_t size)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	return fd < 0 ? -errno : give_size(fd, size, size);
}

/* They have plain content: it stays in RAM where the arena's does. */
static int new_buffers(uint64_t size, bool no_swap)
{
	const struct arena_params any = {0}, stays = {.no_swap = true};
	int fd = arena_new_file("zsfs-buffers", no_swap ? &stays : &any);

	if (fd == -EOPNOTSUPP)
		fd = arena_new_file("zsfs-buffers", &any);
	return fd < 0 ? fd : give_size(fd, file_size(size), size);
}

/* What there is no descriptor for is below 0; one of them says why. */
static int make_files(struct shared_fds *fd, uint64_t buffers_size,
		      bool no_swap)
{
	fd->keeper = new_part("zsfs-keeper", KEEPER_SIZE);
	fd->worker = new_part("zsfs-worker", WORKER_SIZE);
	fd->buffers = new_buffers(buffers_size, no_swap);
	return fd->keeper < 0	 ? fd->keeper
	       : fd->worker < 0	 ? fd->worker
	       : fd->buffers < 0 ? fd->buffers
				 : set_seals(fd->worker, WORKER_SEALS);
}

static void close_files(const struct shared_fds *fd)
{
	if (fd->keeper >= 0)
		close(fd->keeper);
	if (fd->worker >= 0)
		close(fd->worker);
	if (fd->buffers >= 0)
		close(fd->buffers);
}

/* ---- mapping ---- */

/* Room for both parts. */
static int reserve(struct shared_page **out)
{
	void *p = mmap(NULL, sizeof(**out), PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return -errno;
	*out = p;
	return 0;
}

static int map_part(void *at, size_t size, int prot, int fd)
{
	void *p = mmap(at, size, prot, MAP_SHARED | MAP_FIXED | MAP_POPULATE,
		       fd, 0);

	return p == MAP_FAILED ? -errno : 0;
}

static int map_keeper(struct shared_page *k, int fd, bool write)
{
	return map_part(k, KEEPER_SIZE,
			write ? PROT_READ | PROT_WRITE : PROT_READ, fd);
}

static int map_worker(struct shared_page *k, int fd)
{
	return map_part(&k->worker, WORKER_SIZE, PROT_READ | PROT_WRITE, fd);
}

/* For the keeper. Who can map its part to write once it is sealed did before.
 */
static int map_both(const struct shared_fds *fd, struct shared_page **out)
{
	int err = reserve(out);

	if (err)
		return err;
	err = map_keeper(*out, fd->keeper, true);
	if (!err)
		err = map_worker(*out, fd->worker);
	if (!err)
		err = set_seals(fd->keeper, KEEPER_SEALS);
	if (err)
		munmap(*out, sizeof(**out));
	return err;
}

/* ---- making and opening ---- */

static void init_life(pthread_mutex_t *m)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(m, &attr);
	pthread_mutexattr_destroy(&attr);
}

static void init_bank(struct shared_page *k, unsigned bank)
{
	for (unsigned i = 0; i < k->config.nr_lives; i++)
		init_life(&k->worker.life[bank][i]);
}

static void init_lives(struct shared_page *k)
{
	for (unsigned b = 0; b < SHARED_NR_BANKS; b++)
		init_bank(k, b);
}

int shared_page_create(unsigned nr_lives, uint64_t buffers_size, bool no_swap,
		       struct shared_page **out)
{
	struct shared_fds fd = {0};
	int err;

	if (!nr_lives || nr_lives > SHARED_MAX_LIVES)
		return -EINVAL;
	err = make_files(&fd, buffers_size, no_swap);
	if (!err)
		err = map_both(&fd, out);
	if (err) {
		close_files(&fd);
		return err;
	}
	(*out)->version = SHARED_VERSION;
	(*out)->size = sizeof(**out);
	(*out)->fd = fd;
	(*out)->config.nr_lives = nr_lives;
	(*out)->config.buffers_size = buffers_size;
	(*out)->config.huge = on_huge_pages(fd.buffers, buffers_size);
	init_lives(*out);
	(*out)->magic = SHARED_MAGIC;
	return 0;
}

/* @fd: what the keeper's part is mapped from. */
static bool is_ours(const struct shared_page *k, int fd)
{
	return k->magic == SHARED_MAGIC && k->version == SHARED_VERSION &&
	       k->size == sizeof(*k) && k->fd.keeper == fd &&
	       k->config.nr_lives && k->config.nr_lives <= SHARED_MAX_LIVES &&
	       is_file_of(k->fd.worker, WORKER_SIZE) &&
	       is_file_of(k->fd.buffers, file_size(k->config.buffers_size));
}

int shared_page_open(int fd, bool keeper, struct shared_page **out)
{
	int seals = fcntl(fd, F_GET_SEALS), err;

	if (seals < 0 && errno == EBADF)
		return -EBADF;
	if (seals < 0 || !(seals & F_SEAL_FUTURE_WRITE) != keeper ||
	    !is_file_of(fd, KEEPER_SIZE))
		return -EPROTO;
	err = reserve(out);
	if (err)
		return err;
	err = map_keeper(*out, fd, keeper);
	if (!err && !is_ours(*out, fd))
		err = -EPROTO;
	if (!err)
		err = map_worker(*out, (*out)->fd.worker);
	if (!err && keeper)
		err = set_seals(fd, KEEPER_SEALS);
	if (err)
		munmap(*out, sizeof(**out));
	return err;
}

int shared_page_confine(struct shared_page *k)
{
	return map_keeper(k, k->fd.keeper, false);
}

int shared_page_renew(const struct shared_page *k)
{
	struct shared_fds fds = k->fd;
	const off_t at = offsetof(struct shared_page, fd);
	int fd = new_part("zsfs-keeper", KEEPER_SIZE);

	if (fd < 0)
		return fd;
	fds.keeper = fd;
	if (pwrite(fd, k, KEEPER_SIZE, 0) == (ssize_t)KEEPER_SIZE &&
	    pwrite(fd, &fds, sizeof(fds), at) == (ssize_t)sizeof(fds))
		return fd;
	close(fd);
	return -EIO;
}

/* ---- buffers and spare ---- */

void *shared_page_map_buffers(const struct shared_page *k, uint64_t size)
{
	uint8_t *p;

	if (size != k->config.buffers_size) {
		errno = EPROTO;
		return NULL;
	}
	/* From the start of the file to a boundary, so that huge pages fit. */
	p = mmap(NULL, spare_offset(size), PROT_READ | PROT_WRITE, MAP_SHARED,
		 k->fd.buffers, 0);
	if (p == MAP_FAILED)
		return NULL;
	/* Before Linux 5.14 there is no such advice. */
	if (madvise(p, size, MADV_POPULATE_WRITE) && errno != EINVAL) {
		munmap(p, spare_offset(size));
		return NULL;
	}
	madvise(p, spare_offset(size), MADV_DONTDUMP);
	memory_lock(p, size, k->config.huge);
	return p;
}

void shared_page_unmap_buffers(const struct shared_page *k, void *buffers)
{
	munmap(buffers, spare_offset(k->config.buffers_size));
}

void shared_page_take_spare(struct shared_page *k)
{
	if (shared_get(&k->worker.spare) == SPARE_HELD)
		return;
	/* First, so that it is never there without being known. */
	shared_set(&k->worker.spare, SPARE_HELD);
	if (arena_back(k->fd.buffers, spare_offset(k->config.buffers_size),
		       SHARED_SPARE))
		shared_set(&k->worker.spare, SPARE_NONE);
}

void shared_page_give_spare(struct shared_page *k)
{
	if (shared_get(&k->worker.spare) != SPARE_HELD)
		return;
	arena_unback(k->fd.buffers, spare_offset(k->config.buffers_size),
		     SHARED_SPARE);
	shared_set(&k->worker.spare, SPARE_GIVEN);
}

/* ---- descriptors ---- */

static void set_flag_of_all(const struct shared_page *k, int flag)
{
	const int fds[] = {
		k->fd.keeper, k->fd.worker, k->fd.buffers, k->fd.fuse,
		k->fd.arena,  k->fd.wake,   k->fd.alive,
	};

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		fcntl(fds[i], F_SETFD, flag);
}

void shared_page_pass_descriptors(const struct shared_page *k)
{
	set_flag_of_all(k, 0);
}

void shared_page_claim_descriptors(const struct shared_page *k)
{
	set_flag_of_all(k, FD_CLOEXEC);
}

/* ---- lives ---- */

/* @err of locking it. *@deaths more: whoever had it has died with it. */
static bool is_taken(pthread_mutex_t *m, int err, unsigned *deaths)
{
	if (err != EOWNERDEAD)
		return !err;
	pthread_mutex_consistent(m);
	++*deaths;
	return true;
}

/* Does the keeper know of another process that serves or did, but for @but? */
static bool others_but(const struct shared_page *k, uint32_t but)
{
	for (unsigned i = 0; i < SHARED_MAX_SERVING; i++) {
		uint32_t pid = shared_get(&k->state.serving[i]);

		if (pid && pid != (uint32_t)getpid() && pid != but)
			return true;
	}
	return false;
}

/* Of one that may have a life of @bank? */
static bool others_have(const struct shared_page *k, unsigned bank)
{
	bool active_has = shared_get(&k->state.active_bank) == bank;

	return others_but(k, active_has ? 0 : shared_get(&k->state.active_pid));
}

bool shared_page_is_alone(const struct shared_page *k)
{
	return !others_but(k, 0);
}

void shared_page_begin_anew(struct shared_page *k)
{
	struct shared_worker *w = &k->worker;

	init_lives(k);
	shared_set(&w->active_pid, 0);
	shared_set(&w->lost, 0);
	shared_set(&w->keeper_died, 0);
	shared_set(&w->over, 0);
}

/* ThreadSanitizer does not hear of the other way to lock a robust mutex. */
static int lock_for_a_while(pthread_mutex_t *m)
{
#ifdef __SANITIZE_THREAD__
	return pthread_mutex_lock(m);
#else
	struct timespec until = clock_in_ms(LIFE_MSECS);

	return pthread_mutex_clocklock(m, CLOCK_MONOTONIC, &until);
#endif
}

/* One of @bank. False: it is spoilt, and nobody is left who could have it. */
static bool take(struct shared_page *k, unsigned bank, pthread_mutex_t *m,
		 unsigned *deaths)
{
	do {
		int err = lock_for_a_while(m);

		if (is_taken(m, err, deaths))
			return true;
		/* Nothing but the keeper's word tells. */
		if (err != ETIMEDOUT)
			usleep(SPOILT_USECS);
	} while (others_have(k, bank));
	return false;
}

static void make_and_take(pthread_mutex_t *m)
{
	init_life(m);
	pthread_mutex_lock(m);
}

void shared_page_live(struct shared_page *k, unsigned bank, unsigned nr)
{
	pthread_mutex_t *m = &k->worker.life[bank][nr];
	unsigned deaths = 0;

	if (!others_have(k, bank) || !take(k, bank, m, &deaths))
		make_and_take(m);
}

/* Without sleeping, as long as that should take. */
static bool take_soon(pthread_mutex_t *m, unsigned *deaths)
{
	for (unsigned i = 0; i < YIELDS; i++) {
		if (is_taken(m, pthread_mutex_trylock(m), deaths))
			return true;
		sched_yield();
	}
	return false;
}

/* *@spoilt: so it is nobody's any more that cannot be had. */
static void await_death(struct shared_page *k, unsigned bank,
			pthread_mutex_t *m, unsigned *deaths, bool *spoilt)
{
	if (!*spoilt && take(k, bank, m, deaths))
		return;
	*spoilt = true;
	/* It alone: others are in this thread's list of what it has. */
	make_and_take(m);
}

void shared_page_await_deaths(struct shared_page *k, unsigned bank)
{
	pthread_mutex_t *life = k->worker.life[bank];
	unsigned last = k->config.nr_lives - 1, deaths = 0;
	bool spoilt = false;

	/*
	 * The first death comes with the others. Who sleeps until the last one
	 * is often woken on that thread's processor, which takes the memory of
	 * the dead process apart before anything else.
	 */
	await_death(k, bank, &life[last], &deaths, &spoilt);
	for (unsigned i = 0; i < last; i++)
		if (!take_soon(&life[i], &deaths))
			await_death(k, bank, &life[i], &deaths, &spoilt);
	/* What nobody had may have been made free by whoever lives there. */
	while (deaths <= last && others_have(k, bank))
		usleep(SPOILT_USECS);
}

void shared_page_release(struct shared_page *k, unsigned bank)
{
	for (unsigned i = 0; i < k->config.nr_lives; i++)
		pthread_mutex_unlock(&k->worker.life[bank][i]);
}

/* ---- waking the keeper ---- */

void shared_page_wake_keeper(const struct shared_page *k)
{
	uint64_t one = 1;

	if (write(k->fd.wake, &one, sizeof(one)) < 0)
		return; /* full: it is being woken as it is */
}

void shared_page_pass_signal(struct shared_page *k, int sig)
{
	shared_set(&k->worker.end_signal, (uint32_t)sig);
	shared_page_wake_keeper(k);
}

/*
 * Another process may have read it, and have made the descriptor, whose flags
 * are everybody's, one that waits: so say with the call that it shall not.
 */
void shared_page_clear_wake(const struct shared_page *k)
{
	uint64_t n;
	struct iovec iov = {&n, sizeof(n)};

	if (preadv2(k->fd.wake, &iov, 1, -1, RWF_NOWAIT) < 0)
		return; /* nothing is left to be noticed */
}

void shared_page_become_active(struct shared_page *k, unsigned bank, bool first)
{
	/* First: as soon as it is said, somebody may live there. */
	if (!first)
		shared_page_release(k, !bank);
	shared_set(&k->worker.active_pid, (uint32_t)getpid());
	shared_page_wake_keeper(k);
}
