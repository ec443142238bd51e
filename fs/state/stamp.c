/* SPDX-License-Identifier: BSD-3-Clause */
/* The clock that files are stamped with (see stamp.h). */
#include "stamp.h"

#include <stdbool.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static struct ztime from_timespec(const struct timespec *ts)
{
	return (struct ztime){.sec = ts->tv_sec, .nsec = (uint32_t)ts->tv_nsec};
}

struct ztime stamp_coarse(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME_COARSE, &ts);
	return from_timespec(&ts);
}

static bool stamp(int fd, struct timespec *ts)
{
	struct stat st;

	/* Looking at it makes the next stamp an exact one. */
	if (futimens(fd, NULL) || fstat(fd, &st))
		return false;
	*ts = st.st_mtim;
	return true;
}

static bool is_multigrain(int fd)
{
	struct timespec a, b;

	return stamp(fd, &a) && stamp(fd, &b) &&
	       (a.tv_sec != b.tv_sec || a.tv_nsec != b.tv_nsec);
}

int stamp_open(void)
{
	int fd = memfd_create("zsfs-clock", MFD_CLOEXEC);

	if (fd < 0 || is_multigrain(fd))
		return fd;
	close(fd);
	return -1;
}

struct ztime stamp_now(int fd)
{
	struct timespec ts;

	return fd >= 0 && stamp(fd, &ts) ? from_timespec(&ts) : stamp_coarse();
}
