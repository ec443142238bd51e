/* SPDX-License-Identifier: BSD-3-Clause */
/* posix_table: the system calls by name (see posix_table.h). */
#include "posix_table.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "posix_calls.h"

#define MAX_FDS 8

static int fds[MAX_FDS];
static unsigned nr_fds;
char call_buf[CALL_BUF_SIZE] __attribute__((aligned(4096)));

long arg_num(const char *s)
{
	return s ? strtol(s, NULL, 0) : 0;
}

mode_t arg_oct(const char *s)
{
	return s ? (mode_t)strtoul(s, NULL, 8) : 0;
}

int arg_fd(const char *s)
{
	long n = arg_num(s);

	return n >= 0 && n < (long)nr_fds ? fds[n] : 1000;
}

int arg_flags(const char *s)
{
	static const struct {
		char letter;
		int flag;
	} map[] = {
		{'w', O_WRONLY},    {'b', O_RDWR},     {'c', O_CREAT},
		{'x', O_EXCL},	    {'t', O_TRUNC},    {'a', O_APPEND},
		{'d', O_DIRECTORY}, {'n', O_NOFOLLOW}, {'D', O_DIRECT},
		{'N', O_NONBLOCK},  {'A', O_NOATIME},  {'p', O_PATH},
		{'T', O_TMPFILE},   {'s', O_SYNC},
	};
	int flags = 0;

	for (; s && *s; s++)
		for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++)
			if (map[i].letter == *s)
				flags |= map[i].flag;
	return flags;
}

long call_result(long r)
{
	return r < 0 ? -errno : r;
}

long call_push(int fd)
{
	if (fd < 0)
		return -errno;
	if (nr_fds == MAX_FDS)
		abort();
	fds[nr_fds++] = fd;
	return 0;
}

static const struct posix_call *const groups[] = {
	calls_content, calls_names, calls_attrs, calls_xattr, calls_places,
};

long posix_call(char **arg)
{
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		for (const struct posix_call *c = groups[i]; c->name; c++)
			if (!strcmp(c->name, arg[0]))
				return c->fn(arg);
	fprintf(stderr, "no call is named %s\n", arg[0]);
	_exit(2);
}
