/* SPDX-License-Identifier: BSD-3-Clause */
/* The memory that keeper and workers share (see keep.h). */
#include "keep.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static uint64_t spare_offset(void)
{
	return (sizeof(struct keep) + 4095) & ~UINT64_C(4095);
}

static uint64_t buffers_offset(void)
{
	return spare_offset() + KEEP_SPARE;
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
	uint64_t size = buffers_offset() + buffers_size;
	int fd, err;

	if (!nr_lives || nr_lives > KEEP_MAX_LIVES)
		return -EINVAL;
	fd = memfd_create("zsfs-keep", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = ftruncate(fd, (off_t)size) ? -errno : map_keep(fd, out);
	if (err) {
		close(fd);
		return err;
	}
	(*out)->version = KEEP_VERSION;
	(*out)->size = sizeof(**out);
	(*out)->keep_fd = fd;
	(*out)->nr_lives = nr_lives;
	(*out)->buffers_size = buffers_size;
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
	if (!S_ISREG(st.st_mode) || st.st_size < (off_t)buffers_offset())
		return -EPROTO;
	err = map_keep(fd, out);
	if (err)
		return err;
	if ((*out)->magic != KEEP_MAGIC || (*out)->version != KEEP_VERSION ||
	    (*out)->size != sizeof(**out) || (*out)->keep_fd != fd ||
	    !(*out)->nr_lives || (*out)->nr_lives > KEEP_MAX_LIVES ||
	    (uint64_t)st.st_size != buffers_offset() + (*out)->buffers_size) {
		munmap(*out, sizeof(**out));
		return -EPROTO;
	}
	return 0;
}

void *keep_map_buffers(const struct keep *k, uint64_t size)
{
	void *p;

	if (size != k->buffers_size) {
		errno = EPROTO;
		return NULL;
	}
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
		 k->keep_fd, (off_t)buffers_offset());
	if (p == MAP_FAILED)
		return NULL;
	/* MAP_POPULATE does not say when it failed; Linux 5.14 and later do. */
	if (madvise(p, size, MADV_POPULATE_WRITE) && errno != EINVAL) {
		munmap(p, size);
		return NULL;
	}
	return p;
}

bool keep_take_spare(struct keep *k)
{
	if (!k->has_spare)
		k->has_spare = !fallocate(k->keep_fd, 0, (off_t)spare_offset(),
					  (off_t)KEEP_SPARE);
	return k->has_spare;
}

bool keep_give_spare(struct keep *k)
{
	if (!k->has_spare)
		return false;
	fallocate(k->keep_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		  (off_t)spare_offset(), (off_t)KEEP_SPARE);
	k->has_spare = false;
	return true;
}

void keep_claim_descriptors(const struct keep *k)
{
	fcntl(k->keep_fd, F_SETFD, FD_CLOEXEC);
	fcntl(k->fuse_fd, F_SETFD, FD_CLOEXEC);
	fcntl(k->arena_fd, F_SETFD, FD_CLOEXEC);
	fcntl(k->wake_fd, F_SETFD, FD_CLOEXEC);
	fcntl(k->alive_fd, F_SETFD, FD_CLOEXEC);
}

/* Whoever had it before may have died with it: that is what it is for. */
static void take(pthread_mutex_t *m)
{
	if (pthread_mutex_lock(m) == EOWNERDEAD)
		pthread_mutex_consistent(m);
}

void keep_live(struct keep *k, unsigned bank, unsigned nr)
{
	take(&k->life[bank][nr]);
}

void keep_await_deaths(struct keep *k, unsigned bank)
{
	for (unsigned i = 0; i < k->nr_lives; i++)
		take(&k->life[bank][i]);
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
