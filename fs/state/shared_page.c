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
	return (sizeof(struct keep) + 4095) & ~UINT64_C(4095);
}

static uint64_t spare_offset(uint64_t buffers_size)
{
	return (buffers_offset() + buffers_size + HUGE_PAGE_SIZE - 1) &
	       ~(HUGE_PAGE_SIZE - 1);
}

static uint64_t file_size(uint64_t buffers_size)
{
	return spare_offset(buffers_size) + KEEP_SPARE;
}

/* Is there more than the @backed bytes that were asked for? */
static bool on_huge_pages(int fd, uint64_t backed)
{
	struct stat st;

	return !fstat(fd, &st) && (uint64_t)st.st_blocks * 512 > backed;
}

static int map_keep(int fd, struct keep **out)
{
	void *p = mmap(NULL, sizeof(**out), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_POPULATE, fd, 0);

	if (p == MAP_FAILED)
		return -errno;
	*out = p;
	return 0;
}

static void init_lives(struct keep *k)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	for (unsigned b = 0; b < KEEP_NR_BANKS; b++)
		for (unsigned i = 0; i < k->nr_lives; i++)
			pthread_mutex_init(&k->life[b][i], &attr);
	pthread_mutexattr_destroy(&attr);
}

int keep_create(unsigned nr_lives, uint64_t buffers_size, struct keep **out)
{
	int fd, err;

	if (!nr_lives || nr_lives > KEEP_MAX_LIVES)
		return -EINVAL;
	fd = arena_new_file("zsfs-keep", false);
	if (fd < 0)
		return fd;
	err = ftruncate(fd, (off_t)file_size(buffers_size)) ? -errno : 0;
	/* Backed before it is mapped: in pages as large as there may be. */
	if (!err)
		err = arena_back(fd, 0, buffers_offset() + buffers_size);
	if (!err)
		err = map_keep(fd, out);
	if (err) {
		close(fd);
		return err;
	}
	(*out)->version = KEEP_VERSION;
	(*out)->size = sizeof(**out);
	(*out)->keep_fd = fd;
	(*out)->nr_lives = nr_lives;
	(*out)->buffers_size = buffers_size;
	(*out)->huge = on_huge_pages(fd, buffers_offset() + buffers_size);
	init_lives(*out);
	(*out)->magic = KEEP_MAGIC;
	return 0;
}

int keep_open(int fd, struct keep **out)
{
	struct stat st;
	int err;

	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size < (off_t)file_size(0))
		return -EPROTO;
	err = map_keep(fd, out);
	if (err)
		return err;
	if ((*out)->magic != KEEP_MAGIC || (*out)->version != KEEP_VERSION ||
	    (*out)->size != sizeof(**out) || (*out)->keep_fd != fd ||
	    !(*out)->nr_lives || (*out)->nr_lives > KEEP_MAX_LIVES ||
	    (uint64_t)st.st_size != file_size((*out)->buffers_size)) {
		munmap(*out, sizeof(**out));
		return -EPROTO;
	}
	return 0;
}

void *keep_map_buffers(const struct keep *k, uint64_t size)
{
	uint8_t *p;

	if (size != k->buffers_size) {
		errno = EPROTO;
		return NULL;
	}
	/* From the start of the file to a boundary, so that huge pages fit. */
	p = mmap(NULL, spare_offset(size), PROT_READ | PROT_WRITE, MAP_SHARED,
		 k->keep_fd, 0);
	if (p == MAP_FAILED)
		return NULL;
	/* Before Linux 5.14 there is no such advice. */
	if (madvise(p, buffers_offset() + size, MADV_POPULATE_WRITE) &&
	    errno != EINVAL) {
		munmap(p, spare_offset(size));
		return NULL;
	}
	memory_lock(p, buffers_offset() + size, k->huge);
	return p + buffers_offset();
}

void keep_unmap_buffers(const struct keep *k, void *buffers)
{
	munmap((uint8_t *)buffers - buffers_offset(),
	       spare_offset(k->buffers_size));
}

void keep_take_spare(struct keep *k)
{
	if (keep_get(&k->spare) == SPARE_HELD)
		return;
	/* First, so that it is never there without being known. */
	keep_set(&k->spare, SPARE_HELD);
	if (arena_back(k->keep_fd, spare_offset(k->buffers_size), KEEP_SPARE))
		keep_set(&k->spare, SPARE_NONE);
}

void keep_give_spare(struct keep *k)
{
	if (keep_get(&k->spare) != SPARE_HELD)
		return;
	arena_unback(k->keep_fd, spare_offset(k->buffers_size), KEEP_SPARE);
	keep_set(&k->spare, SPARE_GIVEN);
}

void keep_claim_descriptors(const struct keep *k)
{
	fcntl(k->keep_fd, F_SETFD, FD_CLOEXEC);
	fcntl(k->fuse_fd, F_SETFD, FD_CLOEXEC);
	fcntl(k->arena_fd, F_SETFD, FD_CLOEXEC);
	fcntl(k->wake_fd, F_SETFD, FD_CLOEXEC);
	fcntl(k->alive_fd, F_SETFD, FD_CLOEXEC);
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

void keep_live(struct keep *k, unsigned bank, unsigned nr)
{
	take(&k->life[bank][nr]);
}

void keep_await_deaths(struct keep *k, unsigned bank)
{
	/*
	 * The first death comes with the others. Who sleeps until the last one
	 * is often woken on that thread's processor, which takes the memory of
	 * the dead process apart before anything else.
	 */
	take(&k->life[bank][k->nr_lives - 1]);
	for (unsigned i = 0; i + 1 < k->nr_lives; i++)
		take_soon(&k->life[bank][i]);
}

void keep_release(struct keep *k, unsigned bank)
{
	for (unsigned i = 0; i < k->nr_lives; i++)
		pthread_mutex_unlock(&k->life[bank][i]);
}

void keep_wake(const struct keep *k)
{
	uint64_t one = 1;
	ssize_t n = write(k->wake_fd, &one, sizeof(one));

	(void)n; /* full: it is being woken as it is */
}
