/* SPDX-License-Identifier: BSD-3-Clause */
/* Signals that wait for a thread (see ending.h). */
#include "ending.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BIT(sig) (UINT64_C(1) << ((sig)-1))
#define TO_END                                                                 \
	(BIT(SIGHUP) | BIT(SIGINT) | BIT(SIGQUIT) | BIT(SIGTERM) | BIT(SIGKILL))

/* A line of /proc/TID/status with a set of signals. */
static uint64_t set_of(const char *status, const char *key)
{
	const char *at = strstr(status, key);

	return at ? strtoull(at + strlen(key), NULL, 16) : 0;
}

static bool read_status(uint32_t tid, char *buf, size_t size)
{
	char path[40];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%" PRIu32 "/status", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, buf, size - 1);
	close(fd);
	buf[n > 0 ? n : 0] = '\0';
	return n > 0;
}

bool thread_is_ending(uint32_t tid)
{
	/* Who is in very many groups has a long one: the sets come after. */
	char status[1 << 14];
	uint64_t wait;

	if (!tid || !read_status(tid, status, sizeof(status)))
		return true;
	wait = set_of(status, "\nSigPnd:\t") | set_of(status, "\nShdPnd:\t");
	return wait & TO_END &
	       ~(set_of(status, "\nSigBlk:\t") | set_of(status, "\nSigIgn:\t"));
}
