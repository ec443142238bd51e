/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stalls: how long calls take while something else goes on.
 *
 *   stalls DIR MSECS
 *
 * Creates, changes, renames and removes small files in DIR, and asks statfs(2),
 * for MSECS milliseconds or until it is ended by SIGTERM. Prints the number of
 * calls, the longest one in microseconds, which it was, what 99.9 % of them did
 * not take longer than, and how many took more than 20 ms.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

/* Calls are counted by how many microseconds they took; longer ones as this. */
#define LONGEST 1000000u
#define LONG	20000u

static volatile sig_atomic_t stop;
static uint64_t calls, worst, began, too_long;
static uint32_t took_usecs[LONGEST + 1];
static const char *worst_call = "none";

static void on_term(int sig)
{
	stop = 1;
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* The call @what that began at `began` has ended. */
static void ended(const char *what, int ret)
{
	uint64_t took = now() - began;

	if (ret < 0) {
		perror(what);
		exit(2);
	}
	calls++;
	took_usecs[took < LONGEST ? took : LONGEST]++;
	too_long += took > LONG;
	if (took > worst) {
		worst = took;
		worst_call = what;
	}
	began = now();
}

/* What 999 of 1000 calls did not take longer than. */
static unsigned most(void)
{
	uint64_t longer = 0;
	unsigned t = LONGEST + 1;

	while (t > 0 && (longer + took_usecs[t - 1]) * 1000 <= calls)
		longer += took_usecs[--t];
	return t > 0 ? t - 1 : 0;
}

static void round_of_calls(unsigned n)
{
	char name[32], other[32];
	struct statvfs fs;
	struct stat st;
	int fd;

	snprintf(name, sizeof(name), "f%u", n % 100);
	snprintf(other, sizeof(other), "g%u", n % 100);
	began = now();
	fd = open(name, O_CREAT | O_EXCL | O_WRONLY, 0600);
	ended("create", fd);
	ended("write", (int)write(fd, "some text", 9));
	close(fd);
	began = now();
	ended("chmod", chmod(name, 0644));
	ended("rename", rename(name, other));
	ended("stat", stat(other, &st));
	ended("unlink", unlink(other));
	ended("statfs", statvfs(".", &fs));
}

int main(int argc, char **argv)
{
	uint64_t end;

	if (argc != 3 || chdir(argv[1])) {
		fprintf(stderr, "usage: stalls DIR MSECS\n");
		return 2;
	}
	signal(SIGTERM, on_term);
	end = now() + strtoull(argv[2], NULL, 10) * 1000;
	for (unsigned n = 0; !stop && now() < end; n++)
		round_of_calls(n);
	printf("calls %lu worst %lu %s 99.9%% %u long %lu\n", calls, worst,
	       worst_call, most(), too_long);
	return 0;
}
