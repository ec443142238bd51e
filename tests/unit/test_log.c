/* SPDX-License-Identifier: BSD-3-Clause */
/* Lines that others cause are limited, and nothing is left out in silence. */
#include "base/log.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "check.h"

#define THREADS 4
#define LINES	20000

static char said[1 << 20];

/* Run @fn with stderr in said[]. */
static void listen_to(void (*fn)(void))
{
	char path[] = "/tmp/zsfs-test-log-XXXXXX";
	int fd = mkstemp(path), old = dup(STDERR_FILENO);
	ssize_t n;

	REQUIRE(fd >= 0 && old >= 0);
	unlink(path);
	dup2(fd, STDERR_FILENO);
	fn();
	dup2(old, STDERR_FILENO);
	n = pread(fd, said, sizeof(said) - 1, 0);
	REQUIRE(n >= 0);
	said[n] = '\0';
	close(old);
	close(fd);
}

static unsigned lines(void)
{
	unsigned n = 0;

	for (const char *p = said; (p = strchr(p, '\n')); p++)
		n++;
	return n;
}

/* Sum of the numbers in front of " lines ". */
static unsigned left_out(void)
{
	unsigned sum = 0;

	for (const char *p = said; (p = strstr(p, " lines ")); p++) {
		const char *q = p;

		while (q > said && q[-1] >= '0' && q[-1] <= '9')
			q--;
		sum += (unsigned)strtoul(q, NULL, 10);
	}
	return sum;
}

static void say(int i)
{
	zsfs_log_ratelimited(LOG_ERR, "line %d\nand more", i);
}

static void say_a_few(void)
{
	for (int i = 0; i < 3; i++)
		say(i);
	zsfs_log_left_out(true);
}

static void test_few_are_all_shown(void)
{
	listen_to(say_a_few);
	CHECK_EQ(lines(), 3);
	CHECK_EQ(left_out(), 0);
	CHECK(strstr(said, "error: line 2?and more\n"));
	usleep(LOG_INTERVAL_MS * 1000);
}

static void *flood(void *arg)
{
	for (int i = 0; i < LINES; i++)
		say(i);
	return arg;
}

static void flood_by_threads(void)
{
	pthread_t t[THREADS];

	for (int i = 0; i < THREADS; i++)
		REQUIRE(!pthread_create(&t[i], NULL, flood, NULL));
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	usleep(LOG_INTERVAL_MS * 1000);
	say(-1);
}

static void test_flood(void)
{
	listen_to(flood_by_threads);
	/* The flood takes no more than some intervals. */
	CHECK(lines() > LOG_BURST && lines() <= 20 * LOG_BURST);
	CHECK_EQ(lines() + left_out(), THREADS * LINES + 1);
	CHECK(strstr(said, "line -1?and more ("));
}

static void flood_and_end(void)
{
	flood(NULL);
	zsfs_log_left_out(true);
	zsfs_log_left_out(true);
}

static void test_end_tells(void)
{
	usleep(LOG_INTERVAL_MS * 1000);
	listen_to(flood_and_end);
	/* One line tells of the others. */
	CHECK_EQ(lines() - 1 + left_out(), LINES);
}

static void flood_and_look(void)
{
	flood(NULL);
	zsfs_log_left_out(false);
}

static void test_not_in_the_interval(void)
{
	usleep(LOG_INTERVAL_MS * 1000);
	listen_to(flood_and_look);
	CHECK(!strstr(said, "the last of"));
	usleep(LOG_INTERVAL_MS * 1000);
	listen_to(say_a_few);
	CHECK(left_out() > 0);
}

static const struct check_case cases[] = {
	CHECK_CASE(test_few_are_all_shown),
	CHECK_CASE(test_flood),
	CHECK_CASE(test_end_tells),
	CHECK_CASE(test_not_in_the_interval),
};

int main(int argc, char **argv)
{
	return CHECK_MAIN(cases, argc, argv);
}
