/* SPDX-License-Identifier: BSD-3-Clause */
/* In place of others (see stand_ins.h). */
#define FUSE_USE_VERSION 35
#include "stand_ins.h"

#include <errno.h>
#include <fuse_lowlevel.h>
#include <pthread.h>
#include <stdbool.h>
#include <time.h>
#include <unistd.h>

/* ---- threads that are not there ---- */

struct writeback;

bool __wrap_writeback_getattr(struct writeback *w, fuse_req_t req,
			      uint64_t nodeid);
bool __wrap_writeback_seek(struct writeback *w, fuse_req_t req, uint64_t nodeid,
			   uint64_t off, bool hole);
bool __wrap_writeback_getflags(struct writeback *w, fuse_req_t req,
			       uint64_t nodeid, unsigned cmd, size_t size);
void __wrap_writeback_drop(struct writeback *w, uint64_t nodeid, uint64_t off,
			   uint64_t len);
bool __wrap_background_allocate(void *b, int fd, fuse_req_t req, void *a);
bool __wrap_background_walk(void *b, fuse_req_t req, void *w, size_t size);

bool __wrap_writeback_getattr(struct writeback *w, fuse_req_t req,
			      uint64_t nodeid)
{
	return false;
}

bool __wrap_writeback_seek(struct writeback *w, fuse_req_t req, uint64_t nodeid,
			   uint64_t off, bool hole)
{
	return false;
}

bool __wrap_writeback_getflags(struct writeback *w, fuse_req_t req,
			       uint64_t nodeid, unsigned cmd, size_t size)
{
	return false;
}

void __wrap_writeback_drop(struct writeback *w, uint64_t nodeid, uint64_t off,
			   uint64_t len)
{
}

bool __wrap_background_allocate(void *b, int fd, fuse_req_t req, void *a)
{
	return false;
}

bool __wrap_background_walk(void *b, fuse_req_t req, void *w, size_t size)
{
	return false;
}

/* ---- time ---- */

#define BEGINNING_US (UINT64_C(1000) * 1000000)
#define EPOCH_SECS   1700000000
#define LOOK_US	     20

static uint64_t now_us = BEGINNING_US, look_us = LOOK_US;

int __wrap_clock_gettime(clockid_t id, struct timespec *t);
int __wrap_usleep(useconds_t us);
int __wrap_pthread_cond_clockwait(pthread_cond_t *cond, pthread_mutex_t *lock,
				  clockid_t id, const struct timespec *until);
int __wrap_stamp_open(void);

void time_begin(void)
{
	now_us = BEGINNING_US;
	look_us = LOOK_US;
}

void time_pass(uint64_t us)
{
	now_us += us;
}

void time_set_look(uint64_t us)
{
	look_us = us;
}

static bool is_of_day(clockid_t id)
{
	return id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE;
}

int __wrap_clock_gettime(clockid_t id, struct timespec *t)
{
	time_pass(look_us);
	t->tv_sec =
		(time_t)(now_us / 1000000) + (is_of_day(id) ? EPOCH_SECS : 0);
	t->tv_nsec = (long)(now_us % 1000000) * 1000;
	return 0;
}

int __wrap_usleep(useconds_t us)
{
	time_pass(us);
	return 0;
}

/* Nobody signals. */
int __wrap_pthread_cond_clockwait(pthread_cond_t *cond, pthread_mutex_t *lock,
				  clockid_t id, const struct timespec *until)
{
	uint64_t us = (uint64_t)until->tv_sec * 1000000 +
		      (uint64_t)until->tv_nsec / 1000;

	if (us > now_us)
		now_us = us;
	return ETIMEDOUT;
}

/* No clock of a file system that goes on by itself. */
int __wrap_stamp_open(void)
{
	return -1;
}
