/* SPDX-License-Identifier: BSD-3-Clause */
/* The memory that keeper and workers share (see shared_page.h). */
#include "shared_page.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arena.h"
#include "base/memlock.h"

/* Looks at a life that is about to end, less than a millisecond. */
#define YIELDS 1000u

static uint64_t buffers_offset(void)
{
	return (sizeof(struct shared_page) + 4095) & ~UINT64_C(4095);
}

static uint64_t spare_offset(uint64_t buffers_size)
{
	return (buffers_offset() + buffers_size + HUGE_PAGE_SIZE - 1) &
	       ~(HUGE_PAGE_SIZE - 1);
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

static int map_page(int fd, struct shared_page **out)
{
	void *p = mmap(NULL, sizeof(**out), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_POPULATE, fd, 0);

	if (p == MAP_FAILED)
		return -errno;
	*out = p;
	return 0;
}

static void init_lives(struct shared_page *k)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	for (unsigned b = 0; b < SHARED_NR_BANKS; b++)
		for (unsigned i = 0; i < k->config.nr_lives; i++)
			pthread_mutex_init(&k->life[b][i], &attr);
	pthread_mutexattr_destroy(&attr);
}

int shared_page_create(unsigned nr_lives, uint64_t buffers_size,
		       struct shared_page **out)
{
	int fd, err;

	if (!nr_lives || nr_lives > SHARED_MAX_LIVES)
		return -EINVAL;
	fd = arena_new_file("zsfs-shared", false);
	if (fd < 0)
		return fd;
	err = ftruncate(fd, (off_t)file_size(buffers_size)) ? -errno : 0;
	/* Backed before it is mapped: in pages as large as there may be. */
	if (!err)
		err = arena_back(fd, 0, buffers_offset() + buffers_size);
	if (!err)
		err = map_page(fd, out);
	if (err) {
		close(fd);
		return err;
	}
	(*out)->version = SHARED_VERSION;
	(*out)->size = sizeof(**out);
	(*out)->fd.page = fd;
	(*out)->config.nr_lives = nr_lives;
	(*out)->config.buffers_size = buffers_size;
	(*out)->config.huge =
		on_huge_pages(fd, buffers_offset() + buffers_size);
	init_lives(*out);
	(*out)->magic = SHARED_MAGIC;
	return 0;
}

int shared_page_open(int fd, struct shared_page **out)
{
	struct stat st;
	int err;

	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size < (off_t)file_size(0))
		return -EPROTO;
	err = map_page(fd, out);
	if (err)
		return err;
	if ((*out)->magic != SHARED_MAGIC ||
	    (*out)->version != SHARED_VERSION ||
	    (*out)->size != sizeof(**out) || (*out)->fd.page != fd ||
	    !(*out)->config.nr_lives ||
	    (*out)->config.nr_lives > SHARED_MAX_LIVES ||
	    (uint64_t)st.st_size != file_size((*out)->config.buffers_size)) {
		munmap(*out, sizeof(**out));
		return -EPROTO;
	}
	return 0;
}

void *shared_page_map_buffers(const struct shared_page *k, uint64_t size)
{
	uint8_t *p;

	if (size != k->config.buffers_size) {
		errno = EPROTO;
		return NULL;
	}
	/* From the start of the file to a boundary, so that huge pages fit. */
	p = mmap(NULL, spare_offset(size), PROT_READ | PROT_WRITE, MAP_SHARED,
		 k->fd.page, 0);
	if (p == MAP_FAILED)
		return NULL;
	/* Before Linux 5.14 there is no such advice. */
	if (madvise(p, buffers_offset() + size, MADV_POPULATE_WRITE) &&
	    errno != EINVAL) {
		munmap(p, spare_offset(size));
		return NULL;
	}
	memory_lock(p, buffers_offset() + size, k->config.huge);
	return p + buffers_offset();
}

void shared_page_unmap_buffers(const struct shared_page *k, void *buffers)
{
	munmap((uint8_t *)buffers - buffers_offset(),
	       spare_offset(k->config.buffers_size));
}

void shared_page_take_spare(struct shared_page *k)
{
	if (shared_get(&k->state.spare) == SPARE_HELD)
		return;
	/* First, so that it is never there without being known. */
	shared_set(&k->state.spare, SPARE_HELD);
	if (arena_back(k->fd.page, spare_offset(k->config.buffers_size),
		       SHARED_SPARE))
		shared_set(&k->state.spare, SPARE_NONE);
}

void shared_page_give_spare(struct shared_page *k)
{
	if (shared_get(&k->state.spare) != SPARE_HELD)
		return;
	arena_unback(k->fd.page, spare_offset(k->config.buffers_size),
		     SHARED_SPARE);
	shared_set(&k->state.spare, SPARE_GIVEN);
}

void shared_page_claim_descriptors(const struct shared_page *k)
{
	fcntl(k->fd.page, F_SETFD, FD_CLOEXEC);
	fcntl(k->fd.fuse, F_SETFD, FD_CLOEXEC);
	fcntl(k->fd.arena, F_SETFD, FD_CLOEXEC);
	fcntl(k->fd.wake, F_SETFD, FD_CLOEXEC);
	fcntl(k->fd.alive, F_SETFD, FD_CLOEXEC);
}

/* @err of locking it. Whoever had it may have died with it: it is for that. */
static void taken(pthread_mutex_t *m, int err)
{
	if (err == EOWNERDEAD)
		pthread_mutex_consistent(m);
}

static void take(pthread_mutex_t *m)
{
	taken(m, pthread_mutex_lock(m));
}

/* The same, sleeping only when it takes long. */
static void take_soon(pthread_mutex_t *m)
{
	for (unsigned i = 0; i < YIELDS; i++) {
		int err = pthread_mutex_trylock(m);

		if (err != EBUSY) {
			taken(m, err);
			return;
		}
		sched_yield();
	}
	take(m);
}

void shared_page_live(struct shared_page *k, unsigned bank, unsigned nr)
{
	take(&k->life[bank][nr]);
}

void shared_page_await_deaths(struct shared_page *k, unsigned bank)
{
	/*
	 * The first death comes with the others. Who sleeps until the last one
	 * is often woken on that thread's processor, which takes the memory of
	 * the dead process apart before anything else.
	 */
	take(&k->life[bank][k->config.nr_lives - 1]);
	for (unsigned i = 0; i + 1 < k->config.nr_lives; i++)
		take_soon(&k->life[bank][i]);
}

void shared_page_release(struct shared_page *k, unsigned bank)
{
	for (unsigned i = 0; i < k->config.nr_lives; i++)
		pthread_mutex_unlock(&k->life[bank][i]);
}

void shared_page_wake_keeper(const struct shared_page *k)
{
	uint64_t one = 1;

	if (write(k->fd.wake, &one, sizeof(one)) < 0)
		return; /* full: it is being woken as it is */
}

void shared_page_become_active(struct shared_page *k, unsigned bank, bool first)
{
	k->state.active_bank = bank;
	shared_set(&k->state.active_pid, (uint32_t)getpid());
	if (!first)
		shared_page_release(k, !bank);
	shared_page_wake_keeper(k);
}
